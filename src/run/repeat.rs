//! Repetition of a stored run: its plan, with the faults that it injected, on the nodes that they hit.

use std::{path::Path, time::Duration};

use histories::{Event, Value};
use nemesis::{PlannedFault, ResolvedFault};

use super::{
    files::TEST_FILE,
    judge::{checker_budget, history_of, read_plan},
    plan::Plan,
};
use crate::{
    check::ReadingOptions,
    error::{ExitStatus, Failure},
    store::ConfinedFolder,
};

/// Reads the plan of a stored run. Its faults hit the nodes that they hit in that run, at the times for which they were
/// planned, or, if they waited for an event, at those at which they came. Those that were skipped are left out.
///
/// # Errors
/// Fails if a file of the run cannot be read, or does not say which nodes a fault hit.
pub(crate) fn repeated_plan(path: &Path) -> anyhow::Result<Plan> {
    let folder = ConfinedFolder::named(path)?;
    let plan = read_plan(&folder)?;
    if !plan.has_possible_numbers() {
        let what = format!("{}: no run has such numbers", folder.path().join(TEST_FILE).display());
        return Err(Failure::new(ExitStatus::Unreadable, what).into());
    }
    let history_path = history_of(&folder)?;
    let history = checker_budget().read_whole(&history_path, ReadingOptions::default())?;
    let Some(schedule) = repeated(&plan.schedule, &history.others) else {
        let what = format!("{}: it does not say which nodes each fault hit", history_path.display());
        return Err(Failure::new(ExitStatus::Unreadable, what).hint("an older schism ran it: run it again").into());
    };
    let repeats = Some(path.display().to_string());
    // Whatever it was, it is repeated by real processes.
    Ok(Plan { version: Plan::default().version, simulation: None, repeats, schedule, ..plan })
}

/// Returns the faults of a schedule that these events say were injected; none if they do not say enough.
fn repeated(schedule: &[PlannedFault], events: &[Event<'_>]) -> Option<Vec<PlannedFault>> {
    let mut found = Vec::new();
    for event in events.iter().filter(|event| event.f.starts_with("start-")) {
        let Some(Value::Map(fields)) = &event.value else { continue };
        if fields.named("id").is_none() {
            continue;
        }
        let Some(Value::Int(place)) = fields.named("place") else { return None };
        let planned = schedule.get(usize::try_from(*place).ok()?)?;
        let hit: ResolvedFault = serde_json::from_str(fields.named("hit")?.name()?).ok()?;
        let came = Duration::from_millis(event.time / 1_000_000);
        let at = if planned.when.is_some() { came } else { planned.at };
        found.push(planned.repeated(at, planned.lasts, &hit)?);
    }
    found.sort_by_key(|planned| planned.at);
    Some(found)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use nemesis::{ClusterEvent, Fault, FaultId, NodeId, Outcome, PlannedFault, ResolvedFault, Target, Trigger};

    use super::repeated;
    use crate::run::faults::outcome_event;

    #[test]
    fn what_was_injected_is_repeated_and_what_was_skipped_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let recorder = histories::Recorder::create(&dir.path().join("history.jsonl"), Instant::now()).unwrap();
        let second = Duration::from_secs(1);
        let kill = PlannedFault::of(Fault::Kill { target: Target::Leader });
        let timed = PlannedFault { at: second * 3, lasts: second, draw: 7, ..kill.clone() };
        let when = Some(Trigger { event: ClusterEvent::LeaderElected, nth: 1 });
        let waiting = PlannedFault { when, lasts: second * 2, ..kill };
        let fault = ResolvedFault::Kill { nodes: [NodeId(2)].into() };
        let kind = fault.kind();
        recorder.record(outcome_event(kind, 0, &Outcome::Installed { id: FaultId(1), fault: fault.clone() })).unwrap();
        recorder.record(outcome_event(kind, 1, &Outcome::Skipped { why: "nobody leads".to_owned() })).unwrap();
        recorder.record(outcome_event(kind, 2, &Outcome::Installed { id: FaultId(2), fault: fault.clone() })).unwrap();
        recorder.flush().unwrap();
        let lines = std::fs::read_to_string(dir.path().join("history.jsonl")).unwrap();
        let events: Vec<histories::Event<'_>> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let schedule = [timed.clone(), timed.clone(), waiting];
        let found = repeated(&schedule, &events).unwrap();
        let came = found[0].at;
        assert!(came < second, "{came:?}");
        let pinned = |at, lasts| timed.repeated(at, lasts, &fault).unwrap();
        assert_eq!(found, [pinned(came, second * 2), pinned(second * 3, second)]);
        assert_eq!(repeated(&schedule[..2], &events), None, "it is not in the plan");
    }
}
