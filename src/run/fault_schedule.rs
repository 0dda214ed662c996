//! Execution of the schedule of faults beside the load, and healing of whatever remains in force.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use histories::Recorder;
use nemesis::{FaultId, FaultKind, NodeId, Outcome, PlannedFault};
use tokio::{sync::watch, time::Instant};

use super::{
    cluster::Cluster,
    faults::{record_attempt, record_heal, record_outcome},
};
use crate::{
    systems::{Effort, StatusClient},
    terminal::Progress,
};

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

/// Injects and heals faults by the schedule, whose times count from now, until it is done or `stop` turns true.
///
/// # Errors
/// Fails if the harness failed, or the history could not be written.
pub(crate) async fn run_schedule(
    schedule: &[PlannedFault],
    cluster: &Cluster,
    recorder: &Recorder,
    in_force: &FaultsInForce,
    progress: &Progress,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let start = Instant::now();
    let mut ids: BTreeMap<usize, FaultId> = BTreeMap::new();
    for (at, step) in agenda(schedule) {
        tokio::select! {
            () = tokio::time::sleep_until(start + at) => {}
            _ = stop.wait_for(|stopped| *stopped) => return Ok(()),
        }
        match step {
            Step::Inject(place) => {
                let outcome = inject(&schedule[place], cluster, recorder, in_force).await?;
                progress.line(&format!("  {:>6.3} s  {outcome}", start.elapsed().as_secs_f64()));
                ids.extend(outcome.id().map(|id| (place, id)));
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

async fn inject(
    planned: &PlannedFault,
    cluster: &Cluster,
    recorder: &Recorder,
    in_force: &FaultsInForce,
) -> anyhow::Result<Outcome> {
    let leader = if planned.fault.needs_leader() { aim(&cluster.observer).await.map(NodeId) } else { None };
    let kind = planned.fault.kind();
    record_attempt(recorder, kind, &planned.fault.to_string())?;
    let fault = planned.clone();
    let outcome = cluster.with(move |nemesis| nemesis.inject(&fault, leader)).await?;
    if let Some(id) = outcome.id() {
        in_force.change(|all| all.insert(id, kind));
    }
    record_outcome(recorder, kind, &outcome)?;
    Ok(outcome)
}

async fn heal(id: FaultId, cluster: &Cluster, recorder: &Recorder, in_force: &FaultsInForce) -> anyhow::Result<()> {
    let kind = in_force.change(|all| all.get(&id).copied());
    let recorded = record_heal(recorder, kind, id, false, None);
    let healed = cluster.with(move |nemesis| nemesis.heal(id)).await;
    if healed.is_ok() {
        in_force.change(|all| all.remove(&id));
    }
    let error = healed.as_ref().err().map(ToString::to_string);
    record_heal(recorder, kind, id, healed.is_ok(), error.as_deref())?;
    recorded?;
    Ok(healed?)
}

/// Returns the leader, after waiting for a short time if there is none; none if the system does not say who leads.
async fn aim(observer: &StatusClient) -> Option<u16> {
    if !observer.has_roles() {
        return None;
    }
    let Effort { poll, aim_within, .. } = observer.effort();
    let end = Instant::now() + aim_within;
    loop {
        let leader = observer.leader().await;
        if leader.is_some() || Instant::now() > end {
            return leader;
        }
        tokio::time::sleep(poll).await;
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

    use nemesis::{Fault, PlannedFault, Target};

    use super::{Step, agenda};

    #[test]
    fn an_end_comes_before_a_beginning_of_the_same_moment() {
        let planned = |at, lasts| PlannedFault {
            at: Duration::from_secs(at),
            lasts: Duration::from_secs(lasts),
            fault: Fault::Pause { target: Target::Leader },
            draw: 0,
        };
        let steps: Vec<_> = agenda(&[planned(1, 2), planned(3, 1)]).into_iter().map(|(_, step)| step).collect();
        assert_eq!(steps, [Step::Inject(0), Step::Heal(0), Step::Inject(1), Step::Heal(1)]);
    }
}
