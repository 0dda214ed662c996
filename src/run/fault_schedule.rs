//! Execution of the schedule of faults beside the load, and healing of whatever remains in force.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use histories::Recorder;
use nemesis::{Aim, Fault, FaultId, FaultKind, Leaders, NodeId, Outcome, PlannedFault, ResolvedFault};
use tokio::{sync::watch, time::Instant};

use super::{
    cluster::Cluster,
    faults::{attempt_event, heal_event, outcome_event},
};
use crate::{
    systems::{Effort, StatusClient},
    terminal::Progress,
};

/// Minimum duration of a fault that comes late.
const SHORTEST: Duration = Duration::from_millis(500);

/// Faults in force according to the history, with their kinds.
#[derive(Debug, Default)]
pub(crate) struct FaultsInForce(Mutex<BTreeMap<FaultId, FaultKind>>);

impl FaultsInForce {
    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<FaultId, FaultKind>) -> T) -> T {
        change(&mut self.0.lock().expect("no holder of this lock panics"))
    }

    /// Returns the kinds of the faults in force.
    pub(crate) fn kinds(&self) -> Vec<FaultKind> {
        self.change(|all| all.values().copied().collect())
    }
}

/// One step of the schedule; at the same moment, healing comes before injecting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Heal(usize),
    Inject(usize),
}

/// Injects and heals faults by the schedule, whose times count from now, until it is done or `stop` turns true. A fault
/// that comes late, as its target was looked for, delays all that comes after it, so that it lasts as long as planned;
/// nothing lasts beyond `limit`.
///
/// # Errors
/// Fails if the harness failed, or the history could not be written.
pub(crate) async fn run_schedule(
    schedule: &[PlannedFault],
    limit: Duration,
    cluster: &Cluster,
    recorder: &Recorder,
    in_force: &FaultsInForce,
    progress: &Progress,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let start = Instant::now();
    let mut ids: BTreeMap<usize, FaultId> = BTreeMap::new();
    let mut hit: BTreeMap<usize, ResolvedFault> = BTreeMap::new();
    let mut search = LeaderSearch::default();
    let mut delay = Duration::ZERO;
    for (at, step) in agenda(schedule) {
        let Some(due) = due(at, step, delay, limit) else { continue };
        tokio::select! {
            () = tokio::time::sleep_until(start + due) => {}
            _ = stop.wait_for(|stopped| *stopped) => return Ok(()),
        }
        match step {
            Step::Inject(place) => {
                let planned = with_nodes(&schedule[place], &hit);
                let outcome = inject(planned, &mut search, cluster, recorder, in_force).await?;
                progress.line(&format!("  {:>6.3} s  {outcome}", start.elapsed().as_secs_f64()));
                if let Some(id) = outcome.id() {
                    ids.insert(place, id);
                    hit.extend(outcome.fault().map(|fault| (place, fault.clone())));
                    delay = start.elapsed().saturating_sub(at);
                }
            }
            Step::Heal(place) => {
                if let Some(id) = ids.remove(&place) {
                    heal(id, cluster, recorder, in_force).await?;
                    progress.line(&format!(
                        "  {:>6.3} s  healed: {}",
                        start.elapsed().as_secs_f64(),
                        schedule[place].fault
                    ));
                }
            }
        }
    }
    Ok(())
}

/// Returns the time of a step after a delay; none for a fault that would come too close to the end to do anything.
fn due(at: Duration, step: Step, delay: Duration, limit: Duration) -> Option<Duration> {
    let due = at + delay;
    match step {
        Step::Heal(_) => Some(due.min(limit.max(at))),
        Step::Inject(_) => (delay.is_zero() || due + SHORTEST <= limit).then_some(due),
    }
}

/// Heals all faults in force, going on even if one cannot be healed.
///
/// # Errors
/// Returns the first error in healing or recording.
pub(crate) async fn heal_remaining(
    cluster: &Cluster,
    recorder: &Recorder,
    in_force: &FaultsInForce,
) -> anyhow::Result<()> {
    let mut result = Ok(());
    for id in in_force.change(|all| all.keys().copied().collect::<Vec<_>>()) {
        result = result.and(heal(id, cluster, recorder, in_force).await);
    }
    // The nemesis may know of more faults than the history does, if recording failed.
    result.and(cluster.with(nemesis::Nemesis::heal_all).await.map_err(Into::into))
}

/// Returns a planned fault that knows its nodes if it repeats one that hit these.
fn with_nodes(planned: &PlannedFault, hit: &BTreeMap<usize, ResolvedFault>) -> PlannedFault {
    let mut planned = planned.clone();
    if let Some(Aim::Again(place)) = planned.aim
        && let Some(fault) = hit.get(&place)
    {
        planned.aim = Some(Aim::These(fault.clone()));
    }
    planned
}

async fn inject(
    planned: PlannedFault,
    search: &mut LeaderSearch,
    cluster: &Cluster,
    recorder: &Recorder,
    in_force: &FaultsInForce,
) -> anyhow::Result<Outcome> {
    let is_open = planned.aim.is_none() && planned.fault.needs_leader();
    let leaders = if is_open { search.aim(&planned.fault, &cluster.observer).await } else { Leaders::default() };
    let kind = planned.fault.kind();
    recorder.record(attempt_event(kind, &planned.fault.to_string()))?;
    let outcome = cluster.with(move |nemesis| nemesis.inject(&planned, leaders)).await?;
    if let Some(id) = outcome.id() {
        in_force.change(|all| all.insert(id, kind));
    }
    recorder.record(outcome_event(kind, &outcome))?;
    Ok(outcome)
}

async fn heal(id: FaultId, cluster: &Cluster, recorder: &Recorder, in_force: &FaultsInForce) -> anyhow::Result<()> {
    let kind = in_force.change(|all| all.get(&id).copied());
    let recorded = recorder.record(heal_event(kind, id, false, None));
    let healed = cluster.with(move |nemesis| nemesis.heal(id)).await;
    if healed.is_ok() {
        in_force.change(|all| all.remove(&id));
    }
    let error = healed.as_ref().err().map(ToString::to_string);
    recorder.record(heal_event(kind, id, healed.is_ok(), error.as_deref()))?;
    recorded?;
    Ok(healed?)
}

/// Search for leaders, which remembers the last ones.
#[derive(Debug, Default)]
struct LeaderSearch {
    last: Option<NodeId>,
    before_last: Option<NodeId>,
}

impl LeaderSearch {
    /// Returns who leads and who was deposed, after waiting for a short time if a fault needs one that there is not;
    /// nobody if the system does not say who leads.
    async fn aim(&mut self, fault: &Fault, observer: &StatusClient) -> Leaders {
        if !observer.has_roles() {
            return Leaders::default();
        }
        let Effort { poll, aim_within, .. } = observer.effort();
        let end = Instant::now() + aim_within;
        loop {
            let leaders = self.remember(observer.leaders().await);
            let is_found = if fault.needs_deposed_leader() { leaders.deposed } else { leaders.current }.is_some();
            if is_found || Instant::now() > end {
                return leaders;
            }
            tokio::time::sleep(poll).await;
        }
    }

    /// Adds what is remembered to what was seen: a deposed leader that knows it no longer says that it led.
    fn remember(&mut self, seen: Leaders) -> Leaders {
        if seen.current.is_some() && seen.current != self.last {
            self.before_last = std::mem::replace(&mut self.last, seen.current);
        }
        Leaders { deposed: seen.deposed.or(self.before_last), ..seen }
    }
}

fn agenda(schedule: &[PlannedFault]) -> Vec<(Duration, Step)> {
    let steps = schedule
        .iter()
        .enumerate()
        .flat_map(|(place, planned)| [(planned.at, Step::Inject(place)), (planned.until(), Step::Heal(place))]);
    let mut agenda: Vec<_> = steps.collect();
    agenda.sort_unstable();
    agenda
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nemesis::{Aim, Fault, Leaders, NodeId, PlannedFault, ResolvedFault, Target};

    use super::{LeaderSearch, Step, agenda, due, with_nodes};

    #[test]
    fn an_end_comes_before_a_beginning_of_the_same_moment() {
        let planned = |at, lasts| PlannedFault {
            at: Duration::from_secs(at),
            lasts: Duration::from_secs(lasts),
            ..PlannedFault::of(Fault::Pause { target: Target::Leader })
        };
        let steps: Vec<_> = agenda(&[planned(1, 2), planned(3, 1)]).into_iter().map(|(_, step)| step).collect();
        assert_eq!(steps, [Step::Inject(0), Step::Heal(0), Step::Inject(1), Step::Heal(1)]);
    }

    #[test]
    fn a_fault_that_comes_late_lasts_as_long_but_not_beyond_the_end() {
        let ms = Duration::from_millis;
        let due = |at, step, delay| due(ms(at), step, ms(delay), ms(10_000));
        assert_eq!(due(4000, Step::Heal(0), 700), Some(ms(4700)));
        assert_eq!(due(9800, Step::Heal(0), 700), Some(ms(10_000)), "all ends with the load");
        assert_eq!(due(5000, Step::Inject(1), 700), Some(ms(5700)));
        assert_eq!(due(9000, Step::Inject(1), 700), None, "it could not do anything any more");
        assert_eq!(due(9900, Step::Inject(1), 0), Some(ms(9900)), "what was planned comes");
    }

    #[test]
    fn a_leader_that_was_replaced_is_remembered() {
        let mut search = LeaderSearch::default();
        let mut see = |current: Option<u16>, deposed: Option<u16>| {
            let [current, deposed] = [current, deposed].map(|node| node.map(NodeId));
            search.remember(Leaders { current, deposed }).deposed.map(|node| node.0)
        };
        assert_eq!(see(Some(1), None), None);
        assert_eq!(see(None, None), None);
        assert_eq!(see(Some(2), None), Some(1));
        assert_eq!(see(Some(2), None), Some(1));
        assert_eq!(see(Some(3), Some(4)), Some(4), "one that believes that it leads comes first");
        assert_eq!(see(Some(3), None), Some(2));
    }

    #[test]
    fn what_is_repeated_hits_the_same_nodes() {
        let again =
            PlannedFault { aim: Some(Aim::Again(3)), ..PlannedFault::of(Fault::Kill { target: Target::Leader }) };
        let fault = ResolvedFault::Kill { nodes: [NodeId(2)].into() };
        let hit = [(3, fault.clone())].into();
        assert_eq!(with_nodes(&again, &hit).aim, Some(Aim::These(fault)));
        assert_eq!(with_nodes(&again, &[].into()).aim, Some(Aim::Again(3)), "it was skipped");
    }
}
