//! Execution of the schedule of faults beside the load, and healing of whatever remains in force.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
    time::Duration,
};

use histories::Recorder;
use nemesis::{
    Aim, Fault, FaultId, FaultKind, Leaders, NodeId, Outcome, PacketCounts, PlannedFault, ResolvedFault, Trigger,
};
use tokio::{sync::watch, task::JoinSet, time::Instant};

use super::{
    cluster::Cluster,
    cluster_events::{EventCounts, count_events},
    faults::{attempt_event, heal_event, outcome_event},
};
use crate::{
    systems::{Effort, StatusClient},
    terminal,
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

/// Injects and heals faults by the schedule, whose times count from now, until it is done or `stop` turns true. One
/// that waits for an event comes when that has happened. One that comes late, as its target was looked for, delays all
/// that comes after it, so that it lasts as long as planned; nothing lasts beyond `limit`.
///
/// # Errors
/// Fails if the harness failed, or the history could not be written.
pub(crate) async fn run_schedule(
    schedule: &[PlannedFault],
    limit: Duration,
    cluster: &Cluster,
    recorder: &Recorder,
    in_force: &FaultsInForce,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let mut execution = Execution::new(schedule, cluster, recorder, in_force);
    let mut agenda = agenda(schedule);
    let mut waiting: Vec<(&PlannedFault, usize, Trigger)> = waiting(schedule);
    let (counts, mut seen) = watch::channel(EventCounts::default());
    // It ends with this set.
    let mut counting = JoinSet::new();
    if !waiting.is_empty() {
        counting.spawn(count_events(cluster.observer.clone(), counts));
    }
    loop {
        let now = execution.start.elapsed().saturating_sub(execution.delay);
        for (planned, place, _) in waiting.extract_if(.., |(.., trigger)| seen.borrow().has_reached(*trigger)) {
            if now + planned.at + SHORTEST <= limit {
                agenda.extend(steps(planned, place, now, limit));
            }
        }
        let due = match agenda.first() {
            None if waiting.is_empty() => return Ok(()),
            None => limit,
            Some((at, step)) => {
                let Some(due) = due(*at, *step, execution.delay, limit) else {
                    agenda.pop_first();
                    continue;
                };
                due
            }
        };
        tokio::select! {
            () = tokio::time::sleep_until(execution.start + due) => {}
            Ok(()) = seen.changed(), if !waiting.is_empty() => continue,
            _ = stop.wait_for(|stopped| *stopped) => return Ok(()),
        }
        let Some((at, step)) = agenda.pop_first() else { return Ok(()) };
        execution.carry_out(at, step).await?;
    }
}

/// Schedule that is being carried out.
struct Execution<'a> {
    schedule: &'a [PlannedFault],
    cluster: &'a Cluster,
    recorder: &'a Recorder,
    in_force: &'a FaultsInForce,
    start: Instant,
    /// True if faults of this schedule change the members, so that each must know them.
    changes_members: bool,
    /// Faults in force, by their places in the schedule.
    ids: BTreeMap<usize, FaultId>,
    /// Faults that were injected, with the nodes that they hit.
    hit: BTreeMap<usize, ResolvedFault>,
    search: LeaderSearch,
    /// Delay of all that is still to come.
    delay: Duration,
}

impl<'a> Execution<'a> {
    fn new(
        schedule: &'a [PlannedFault],
        cluster: &'a Cluster,
        recorder: &'a Recorder,
        in_force: &'a FaultsInForce,
    ) -> Self {
        Self {
            schedule,
            cluster,
            recorder,
            in_force,
            start: Instant::now(),
            changes_members: schedule.iter().any(|planned| planned.fault.kind().changes_members()),
            ids: BTreeMap::new(),
            hit: BTreeMap::new(),
            search: LeaderSearch::default(),
            delay: Duration::ZERO,
        }
    }

    /// Carries out a step that was due at this time.
    async fn carry_out(&mut self, at: Duration, step: Step) -> anyhow::Result<()> {
        match step {
            Step::Inject(place) => {
                let outcome = self.inject(place).await?;
                self.show(&outcome.to_string());
                if let Some(id) = outcome.id() {
                    self.ids.insert(place, id);
                    self.hit.extend(outcome.fault().map(|fault| (place, fault.clone())));
                    self.delay = self.start.elapsed().saturating_sub(at);
                }
            }
            Step::Heal(place) => {
                if let Some(id) = self.ids.remove(&place) {
                    let counts = heal(id, self.cluster, self.recorder, self.in_force).await?;
                    let counts = counts.map_or_else(String::new, |counts| format!(": {counts}"));
                    let fault = self.hit.get(&place).expect("a fault that can be healed was aimed at nodes");
                    self.show(&format!("over: {fault}{counts}"));
                }
            }
        }
        Ok(())
    }

    fn show(&self, what: &str) {
        terminal::note(&format!("  {:>6.3} s  {what}", self.start.elapsed().as_secs_f64()));
    }

    async fn inject(&mut self, place: usize) -> anyhow::Result<Outcome> {
        let planned = with_nodes(&self.schedule[place], &self.hit);
        let observer = &self.cluster.observer;
        let leaders = if waits_for_leader(&planned) {
            self.search.aim(&planned.fault, observer).await
        } else {
            Leaders::default()
        };
        let kind = planned.fault.kind();
        let members = if self.changes_members { self.cluster.members().await } else { None };
        self.recorder.record(attempt_event(kind, &planned.fault.to_string()))?;
        let known = |node: Option<NodeId>| node.map_or_else(|| "nobody known".to_owned(), |node| node.to_string());
        let Leaders { current, deposed } = leaders;
        terminal::detail(|| {
            let (current, deposed) = (known(current), known(deposed));
            format!("  attempt: {}; leader: {current}, deposed: {deposed}", planned.fault)
        });
        let inject = move |nemesis: &mut nemesis::Nemesis| {
            if let Some(members) = members {
                nemesis.set_members(members.into_iter().map(NodeId).collect());
            }
            nemesis.inject(&planned, leaders)
        };
        let outcome = self.cluster.with(inject).await?;
        if let Some(id) = outcome.id() {
            self.in_force.change(|all| all.insert(id, kind));
        }
        self.recorder.record(outcome_event(kind, place, &outcome))?;
        Ok(outcome)
    }
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
        result = result.and(heal(id, cluster, recorder, in_force).await.map(drop));
    }
    // The nemesis may know of more faults than the history does, if recording failed.
    result.and(cluster.with(nemesis::Nemesis::heal_all).await.map_err(Into::into))
}

/// Returns a planned fault that knows its nodes if it repeats one that hit these.
pub(crate) fn with_nodes(planned: &PlannedFault, hit: &BTreeMap<usize, ResolvedFault>) -> PlannedFault {
    let mut planned = planned.clone();
    if let Some(Aim::Again(place)) = planned.aim
        && let Some(fault) = hit.get(&place)
    {
        planned.aim = Some(Aim::These(fault.clone()));
    }
    planned
}

async fn heal(
    id: FaultId,
    cluster: &Cluster,
    recorder: &Recorder,
    in_force: &FaultsInForce,
) -> anyhow::Result<Option<PacketCounts>> {
    let kind = in_force.change(|all| all.get(&id).copied());
    let recorded = recorder.record(heal_event(kind, id, false, None, None));
    let healed = cluster.with(move |nemesis| nemesis.heal(id)).await;
    if healed.is_ok() {
        in_force.change(|all| all.remove(&id));
    }
    let error = healed.as_ref().err().map(ToString::to_string);
    let counts = healed.as_ref().ok().copied().flatten();
    recorder.record(heal_event(kind, id, healed.is_ok(), counts, error.as_deref()))?;
    recorded?;
    Ok(healed?)
}

/// Returns true if a planned fault needs to know who leads or led.
pub(crate) fn waits_for_leader(planned: &PlannedFault) -> bool {
    planned.fault.kind().changes_members() || (planned.aim.is_none() && planned.fault.needs_leader())
}

/// Search for leaders, which remembers the last ones.
#[derive(Debug, Default)]
pub(crate) struct LeaderSearch {
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
            if leaders.suffice_for(fault) || Instant::now() > end {
                return leaders;
            }
            tokio::time::sleep(poll).await;
        }
    }

    /// Adds what is remembered to what was seen: a deposed leader that knows it no longer says that it led.
    pub(crate) fn remember(&mut self, seen: Leaders) -> Leaders {
        if seen.current.is_some() && seen.current != self.last {
            self.before_last = std::mem::replace(&mut self.last, seen.current);
        }
        Leaders { deposed: seen.deposed.or(self.before_last), ..seen }
    }
}

/// Returns the steps of the faults that come at given times.
fn agenda(schedule: &[PlannedFault]) -> BTreeSet<(Duration, Step)> {
    let timed = schedule.iter().enumerate().filter(|(_, planned)| planned.when.is_none());
    timed.flat_map(|(place, planned)| steps(planned, place, Duration::ZERO, Duration::MAX)).collect()
}

/// Returns the beginning and the end, at the latest `limit`, of a fault whose times count from `from`.
fn steps(planned: &PlannedFault, place: usize, from: Duration, limit: Duration) -> [(Duration, Step); 2] {
    let until = (from + planned.until()).min(limit);
    [(from + planned.at, Step::Inject(place)), (until, Step::Heal(place))]
}

/// Returns the faults that wait for an event, with their places.
fn waiting(schedule: &[PlannedFault]) -> Vec<(&PlannedFault, usize, Trigger)> {
    schedule.iter().enumerate().filter_map(|(place, planned)| Some((planned, place, planned.when?))).collect()
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
