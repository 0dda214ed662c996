//! Schedule of a run: the faults with their times, from a seed and options. Pure. Each fault ends within the time
//! limit. The kinds follow one another in shuffled rounds, so that every kind occurs before any occurs twice; faults
//! of two kinds overlap only where that is intended: a skewed clock around a partition, which is what breaks a lease.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::{Fault, Shape, Target};
use crate::fault_kind::FaultKind;
use crate::possible::works;
use crate::random::Random;
use crate::spec::FaultSpec;

/// Minimum length of a fault's window; one that the time limit would cut shorter is left out.
const SHORTEST_WINDOW: Duration = Duration::from_secs(1);

/// Fault with its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedFault {
    /// Time of injection, from the start of the workload.
    pub at: Duration,
    /// Time for which it stays in force.
    pub lasts: Duration,
    /// Fault to inject.
    pub fault: Fault,
    /// Random number that decides the choices left open until injection.
    pub draw: u64,
}

impl PlannedFault {
    /// Returns the time of healing, from the start of the workload.
    pub fn until(&self) -> Duration {
        self.at + self.lasts
    }
}

/// Parameters of a schedule, besides the seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduleOptions {
    /// Kinds of faults that take turns.
    pub faults: Vec<FaultSpec>,
    /// Number of nodes; faults that cannot work with so few are not drawn.
    pub nodes: u16,
    /// Time by which the last fault has ended.
    pub time_limit: Duration,
    /// Time of the first fault.
    pub first_at: Duration,
    /// Minimum and maximum duration of a fault.
    pub lasts: (Duration, Duration),
    /// Minimum and maximum time between one fault and the next.
    pub gap: (Duration, Duration),
    /// Time for which a clock is skewed before the partition that it accompanies.
    pub clock_lead: Duration,
    /// False if nobody says who leads. A target that is left open is then never the leader.
    pub has_leader: bool,
}

impl Default for ScheduleOptions {
    /// Returns a schedule of isolated leaders, in windows much longer than elections.
    fn default() -> Self {
        Self {
            faults: vec![FaultSpec::Partition(Some(Shape::Isolate(Target::Leader)))],
            nodes: 5,
            time_limit: Duration::from_secs(20),
            first_at: Duration::from_secs(1),
            lasts: (Duration::from_secs(3), Duration::from_secs(4)),
            gap: (Duration::from_millis(1500), Duration::from_secs(2)),
            clock_lead: Duration::from_secs(1),
            has_leader: true,
        }
    }
}

/// Returns the faults of a run, in the order of their times.
pub fn plan(seed: u64, options: &ScheduleOptions) -> Vec<PlannedFault> {
    let is_clock = |spec: &&FaultSpec| spec.kind() == FaultKind::Clock;
    let partitions = options.faults.iter().any(|spec| spec.kind() == FaultKind::Partition);
    // In combination with partitions a clock fault takes no turn of its own: it precedes each of them.
    let companion = options.faults.iter().find(is_clock).filter(|_| partitions);
    let turns: Vec<FaultSpec> =
        options.faults.iter().filter(|spec| companion.is_none() || !is_clock(spec)).copied().collect();
    let ScheduleOptions { nodes, has_leader, .. } = *options;
    let mut planner = Planner { random: Random::split(seed, "schedule"), nodes, has_leader, drawn: BTreeMap::new() };
    let mut planned = Vec::new();
    let mut at = options.first_at;
    let mut round: Vec<FaultSpec> = Vec::new();
    while !turns.is_empty() && at + SHORTEST_WINDOW <= options.time_limit {
        if round.is_empty() {
            round.clone_from(&turns);
            planner.random.shuffle(&mut round);
        }
        let Some(spec) = round.pop() else { break };
        let clock = companion.filter(|_| spec.kind() == FaultKind::Partition);
        let lead = if clock.is_some() { options.clock_lead } else { Duration::ZERO };
        let until = (at + lead + planner.between(options.lasts)).min(options.time_limit);
        if at + lead + SHORTEST_WINDOW > until {
            break;
        }
        if let Some(clock) = clock {
            planned.push(planner.window(clock, at, until, false));
        }
        planned.push(planner.window(&spec, at + lead, until, clock.is_some()));
        at = until + planner.between(options.gap);
    }
    planned
}

struct Planner {
    random: Random,
    nodes: u16,
    has_leader: bool,
    /// Number of targets or shapes drawn so far for each kind.
    drawn: BTreeMap<FaultKind, u32>,
}

impl Planner {
    fn between(&mut self, (least, most): (Duration, Duration)) -> Duration {
        let span_ms = most.saturating_sub(least).as_millis();
        let drawn_ms = self.random.below(usize::try_from(span_ms).unwrap_or(usize::MAX).saturating_add(1));
        least + Duration::from_millis(drawn_ms as u64)
    }

    /// Draws the first candidate at the first and every second draw, and another one in between, if another can work.
    fn draw(&mut self, spec: &FaultSpec) -> Fault {
        let mut faults = spec.candidates();
        if !self.has_leader && faults.len() > 1 {
            faults.retain(|fault| !fault.needs_leader());
        }
        let mut faults = faults.into_iter();
        let telling = faults.next().expect("every fault can become something");
        if faults.len() == 0 {
            return telling;
        }
        let drawn = self.drawn.entry(spec.kind()).or_insert(0);
        *drawn += 1;
        let is_turn_of_telling = *drawn % 2 == 1;
        let others: Vec<Fault> = faults.filter(|fault| works(fault, self.nodes).is_ok()).collect();
        if is_turn_of_telling || others.is_empty() {
            return telling;
        }
        others[self.random.below(others.len())].clone()
    }

    fn window(&mut self, spec: &FaultSpec, at: Duration, until: Duration, skewed: bool) -> PlannedFault {
        let lone = Fault::Partition { shape: Shape::Isolate(Target::Leader) };
        let lone_and_slow = Fault::Partition { shape: Shape::Isolate(Target::Skewed) };
        let drawn = self.draw(spec);
        let fault = if skewed && drawn == lone { lone_and_slow } else { drawn };
        PlannedFault { at, lasts: until.saturating_sub(at), fault, draw: self.random.next_u64() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::spec::FaultSpecs;

    fn options(faults: &str, seconds: u64) -> ScheduleOptions {
        let faults = faults.parse::<FaultSpecs>().unwrap().0;
        ScheduleOptions { faults, time_limit: Duration::from_secs(seconds), ..ScheduleOptions::default() }
    }

    #[test]
    fn without_a_leader_none_is_drawn_and_one_that_was_asked_for_stays() {
        let aims = |faults: &str, has_leader| {
            let planned = plan(1, &ScheduleOptions { has_leader, ..options(faults, 120) });
            planned.iter().filter(|planned| planned.fault.needs_leader()).count()
        };
        assert!(aims("kill,pause,partition", true) > 5);
        assert_eq!(aims("kill,pause,partition", false), 0);
        assert!(aims("kill:leader,partition:isolate-leader", false) > 5);
    }

    fn kind(planned: &PlannedFault) -> FaultKind {
        planned.fault.kind()
    }

    #[test]
    fn twenty_seconds_hold_three_windows_and_none_beyond_the_limit() {
        for seed in 0..500 {
            let windows = plan(seed, &options("partition:isolate-leader", 20));
            assert!(windows.len() >= 3, "seed {seed}: {windows:?}");
            assert_eq!(windows[0].at, Duration::from_secs(1));
            for pair in windows.windows(2) {
                assert!(pair[0].until() + Duration::from_millis(1500) <= pair[1].at, "seed {seed}: {pair:?}");
            }
            assert!(windows.iter().all(|window| window.until() <= Duration::from_secs(20)), "seed {seed}");
            assert!(windows.iter().all(|window| window.lasts >= SHORTEST_WINDOW), "seed {seed}");
        }
    }

    #[test]
    fn every_kind_of_a_list_occurs_and_faults_do_not_overlap() {
        for seed in 0..500 {
            let windows = plan(seed, &options("kill,pause,partition", 20));
            let kinds: BTreeSet<_> = windows.iter().map(kind).collect();
            assert_eq!(kinds.len(), 3, "seed {seed}: {windows:?}");
            assert!(windows.windows(2).all(|pair| pair[0].until() < pair[1].at), "seed {seed}: {windows:?}");
        }
    }

    #[test]
    fn a_clock_is_bent_before_each_isolation_and_until_its_end() {
        for seed in 0..500 {
            let windows = plan(seed, &options("clock,partition:isolate-leader", 20));
            assert!(windows.len() >= 6, "seed {seed}: {windows:?}");
            for pair in windows.chunks(2) {
                assert_eq!(pair[0].fault, Fault::Clock { target: Target::Leader, rate: 0.2, jump_ns: 0 });
                assert_eq!(pair[1].fault, Fault::Partition { shape: Shape::Isolate(Target::Skewed) });
                assert_eq!(pair[0].at + Duration::from_secs(1), pair[1].at, "seed {seed}");
                assert_eq!(pair[0].until(), pair[1].until(), "seed {seed}");
            }
        }
    }

    #[test]
    fn a_clock_without_partitions_takes_turns() {
        let kinds: BTreeSet<_> = plan(3, &options("clock,pause", 30)).iter().map(kind).collect();
        assert_eq!(kinds, BTreeSet::from([FaultKind::Clock, FaultKind::Pause]));
    }

    #[test]
    fn what_is_left_open_is_drawn_leader_first() {
        for seed in 0..100 {
            let windows = plan(seed, &options("partition", 60));
            assert_eq!(windows[0].fault, Fault::Partition { shape: Shape::Isolate(Target::Leader) });
            assert_ne!(windows[1].fault, windows[0].fault);
        }
        let shapes: BTreeSet<String> =
            plan(1, &options("partition", 600)).iter().map(|w| w.fault.to_string()).collect();
        assert_eq!(shapes.len(), 6, "{shapes:?}");
    }

    #[test]
    fn what_so_many_nodes_do_not_bear_is_not_drawn() {
        for nodes in 2..=9 {
            let options = ScheduleOptions { nodes, ..options("partition,clock:jump=1s", 600) };
            for window in plan(1, &options) {
                assert_eq!(works(&window.fault, nodes), Ok(()), "{nodes} nodes: {}", window.fault);
            }
        }
    }

    #[test]
    fn no_fault_fits_into_no_time_and_none_is_planned_for_none() {
        assert_eq!(plan(1, &options("kill", 1)), []);
        assert_eq!(plan(1, &options("none", 60)), []);
        let short = plan(1, &options("kill", 3));
        assert_eq!((short.len(), short[0].until()), (1, Duration::from_secs(3)));
    }

    #[test]
    fn a_seed_means_the_same_tomorrow() {
        let told: Vec<String> = plan(1, &options("kill,pause,partition,clock", 40))
            .iter()
            .take(8)
            .map(|w| format!("{:?}+{:?} {} {:x}", w.at, w.lasts, w.fault, w.draw))
            .collect();
        let expected = [
            "1s+4.567s skew the clock of the leader to 0.2 of its speed fdc931e495a75af7",
            "2s+3.567s isolate the node with the skewed clock 7ca60bb465e8c407",
            "7.084s+3.275s kill the leader 3609565860ff1a4",
            "11.996s+3.085s pause the leader b0c0935e62733608",
            "16.708s+3.511s pause a random minority f879fb809796ef8c",
            "21.8s+3.852s kill a random minority 64c5a8df1c4438ac",
            "27.319s+4.132s skew the clock of the leader to 0.2 of its speed 7d0a8d14ad0ed5b",
            "28.319s+3.132s isolate a random node 85af3ae2a04b99ca",
        ];
        assert_eq!(told, expected);
        assert_ne!(plan(1, &options("kill", 40)), plan(2, &options("kill", 40)));
    }
}
