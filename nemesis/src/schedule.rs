//! Schedule of a run: the faults with their times, from a seed and options. Pure. Each fault ends within the time
//! limit. The kinds follow one another in shuffled rounds, so that every kind occurs before any occurs twice; faults
//! of two kinds overlap only where that is intended: a skewed clock around a partition, which is what breaks a lease.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::fault_kind::FaultKind;
use crate::pinned::Hit;
use crate::planned::PlannedFault;
use crate::possible::works;
use crate::random::Random;
use crate::shape::Shape;
use crate::spec::FaultSpec;
use crate::target::Target;
use crate::timing::{FaultTiming, SHORTEST_DRAWN};
use crate::trigger::Trigger;
use crate::turns::Turn;

/// Minimum length of a fault's window; one that the time limit would cut shorter is left out.
const SHORTEST_WINDOW: Duration = Duration::from_secs(1);
/// Minimum time without a fault where times are given and faults do not overlap.
const SHORTEST_GAP: Duration = Duration::from_millis(200);
/// Maximum number of faults of a run.
const MAX_FAULTS: usize = 100_000;

/// Parameters of a schedule, besides the seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduleOptions {
    /// Faults that take turns.
    pub faults: Vec<Turn>,
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
    /// Times of faults instead of those above, from the first one, which comes no later than `first_at`.
    pub timing: Option<FaultTiming>,
    /// True if the next fault may begin before one has ended, halfway or at its time. Partitions still wait for each
    /// other.
    pub overlap: bool,
    /// False if nobody says who leads. A target that is left open is then never the leader.
    pub has_leader: bool,
}

impl Default for ScheduleOptions {
    /// Returns a schedule of isolated leaders, in windows much longer than elections.
    fn default() -> Self {
        Self {
            faults: vec![Turn::One(FaultSpec::Partition(Some(Shape::Isolate(Target::Leader))))],
            nodes: 5,
            time_limit: Duration::from_secs(20),
            first_at: Duration::from_secs(1),
            lasts: (Duration::from_secs(3), Duration::from_secs(4)),
            gap: (Duration::from_millis(1500), Duration::from_secs(2)),
            clock_lead: Duration::from_secs(1),
            timing: None,
            overlap: false,
            has_leader: true,
        }
    }
}

/// Returns the faults of a run, in the order of their times.
pub fn plan(seed: u64, options: &ScheduleOptions) -> Vec<PlannedFault> {
    let has_partition = |turn: &&Turn| matches!(turn, Turn::One(FaultSpec::Partition(_)));
    // In combination with partitions a clock fault takes no turn of its own: it precedes each of them.
    let is_clock = |turn: &&Turn| matches!(turn, Turn::One(FaultSpec::Clock { .. }));
    let clock = options.faults.iter().find(is_clock);
    let companion = clock.filter(|_| options.faults.iter().any(|turn| has_partition(&turn)));
    let turns: Vec<&Turn> = options.faults.iter().filter(|turn| companion.is_none() || !is_clock(turn)).collect();
    let random = Random::split(seed, "schedule");
    let mut planner = Planner { random, options, drawn: BTreeMap::new(), planned: Vec::new() };
    let mut at = options.timing.map_or(options.first_at, |timing| timing.every.min(options.first_at));
    let mut round: Vec<&Turn> = Vec::new();
    let mut partitioned_until = Duration::ZERO;
    while !turns.is_empty() && at + options.shortest() <= options.time_limit && planner.planned.len() < MAX_FAULTS {
        if round.is_empty() {
            round.clone_from(&turns);
            planner.random.shuffle(&mut round);
        }
        let Some(turn) = round.pop() else { break };
        let divides = turn.specs().iter().any(|spec| spec.kind().divides());
        if divides {
            at = at.max(partitioned_until);
        }
        let clock = companion.filter(|_| has_partition(&turn));
        let Some(until) = planner.take(turn, clock, at) else { break };
        if divides {
            partitioned_until = until;
        }
        at = planner.next(at, until);
    }
    planner.planned
}

/// Turn of a script, at a time of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct ScriptedTurn {
    /// Faults to inject at once.
    pub turn: Turn,
    /// Time of injection, from the start of the workload, or from the trigger.
    pub at: Duration,
    /// Time for which each stays in force; if none, its own, or the minimum of the schedule.
    pub lasts: Option<Duration>,
    /// Event that it waits for, if any.
    pub when: Option<Trigger>,
    /// Nodes that its one fault hits, if the target does not decide.
    pub hit: Option<Hit>,
    /// Random number that decides all else that it leaves open, instead of the seed.
    pub draw: Option<u64>,
}

/// Returns the faults of a script, in its order. What it leaves open is drawn from the seed.
///
/// # Errors
/// Returns the number of the turn that cannot be so, from 0, and the reason in words.
pub fn plan_script(
    seed: u64,
    options: &ScheduleOptions,
    script: &[ScriptedTurn],
) -> Result<Vec<PlannedFault>, (usize, String)> {
    let random = Random::split(seed, "schedule");
    let mut planner = Planner { random, options, drawn: BTreeMap::new(), planned: Vec::new() };
    for (number, scripted) in script.iter().enumerate() {
        let first = planner.planned.len();
        planner.take_scripted(scripted).map_err(|why| (number, why))?;
        for planned in &mut planner.planned[first..] {
            planned.when = scripted.when;
            planned.draw = scripted.draw.unwrap_or(planned.draw);
        }
    }
    Ok(planner.planned)
}

impl ScheduleOptions {
    /// Returns the minimum duration of a fault; one that the time limit would cut shorter is left out.
    fn shortest(&self) -> Duration {
        if self.timing.is_some() { SHORTEST_DRAWN } else { SHORTEST_WINDOW }
    }
}

struct Planner<'a> {
    random: Random,
    options: &'a ScheduleOptions,
    /// Number of targets or shapes drawn so far for each kind.
    drawn: BTreeMap<FaultKind, u32>,
    planned: Vec<PlannedFault>,
}

impl Planner<'_> {
    /// Plans a turn, after the clock that accompanies it, and returns its end; none if it comes too close to the end
    /// of the load.
    fn take(&mut self, turn: &Turn, clock: Option<&Turn>, at: Duration) -> Option<Duration> {
        let ScheduleOptions { nodes, time_limit, clock_lead, .. } = *self.options;
        let begin = at + if clock.is_some() { clock_lead } else { Duration::ZERO };
        let own: Vec<Option<Duration>> = turn.specs().iter().map(|spec| spec.length(nodes)).collect();
        let common = if own.contains(&None) { self.lasts() } else { Duration::ZERO };
        let wanted: Vec<Duration> = own.into_iter().map(|own| own.unwrap_or(common)).collect();
        let longest = wanted.iter().copied().max()?;
        let until = (begin + longest).min(time_limit);
        if until.saturating_sub(begin) < self.options.shortest().min(longest) {
            return None;
        }
        let mut skewed = false;
        for spec in clock.into_iter().flat_map(Turn::specs) {
            self.add(spec, &[], at, until, false);
            skewed = true;
        }
        let mut earlier = Vec::new();
        for (spec, wanted) in turn.specs().iter().zip(wanted) {
            let until = (begin + wanted).min(time_limit);
            earlier.push(self.add(spec, &earlier, begin, until, skewed));
            skewed |= spec.kind().skews_clocks();
        }
        Some(until)
    }

    fn take_scripted(&mut self, scripted: &ScriptedTurn) -> Result<(), String> {
        let ScheduleOptions { nodes, lasts: (usual, _), time_limit, .. } = *self.options;
        // How long is left after an event is not known yet.
        let left = if scripted.when.is_some() { time_limit } else { time_limit.saturating_sub(scripted.at) };
        let lasts = |spec: &FaultSpec| scripted.lasts.or(spec.length(nodes)).unwrap_or(usual).min(left);
        let specs = scripted.turn.specs();
        if let Some(hit) = &scripted.hit {
            let [spec] = specs else { return Err("`nodes` and `drops` are for one fault".into()) };
            self.planned.push(PlannedFault::pinned(scripted.at, lasts(spec), spec, hit.clone())?);
            return Ok(());
        }
        let (mut earlier, mut skewed) = (Vec::new(), false);
        for spec in specs {
            let until = scripted.at + lasts(spec);
            earlier.push(self.add(spec, &earlier, scripted.at, until, skewed));
            skewed |= spec.kind().skews_clocks();
        }
        Ok(())
    }

    /// Returns the beginning of the turn after one with this beginning and end.
    fn next(&mut self, at: Duration, until: Duration) -> Duration {
        match (self.options.timing, self.options.overlap) {
            (None, false) => until + self.between(self.options.gap),
            (None, true) => at + until.saturating_sub(at) / 2,
            (Some(timing), overlap) => {
                let next = at + timing.spread.draw(timing.every, &mut self.random);
                if overlap { next } else { next.max(until + SHORTEST_GAP) }
            }
        }
    }

    fn lasts(&mut self) -> Duration {
        match self.options.timing {
            None => self.between(self.options.lasts),
            Some(timing) => timing.spread.draw(timing.lasts, &mut self.random),
        }
    }

    fn between(&mut self, (least, most): (Duration, Duration)) -> Duration {
        let span_ms = most.saturating_sub(least).as_millis();
        let drawn_ms = self.random.below(usize::try_from(span_ms).unwrap_or(usize::MAX).saturating_add(1));
        least + Duration::from_millis(drawn_ms as u64)
    }

    /// Draws the first candidate at the first and every second draw, and another one in between, if another can work
    /// beside earlier ones.
    fn draw(&mut self, spec: &FaultSpec, earlier: &[Fault]) -> Fault {
        let mut faults = spec.candidates();
        if !self.options.has_leader && faults.len() > 1 {
            faults.retain(|fault| !fault.needs_leader());
        }
        let works = |fault: &Fault| works(fault, earlier, self.options.nodes, true).is_ok();
        if !earlier.is_empty() && faults.iter().any(works) {
            faults.retain(works);
        }
        let mut faults = faults.into_iter();
        let telling = faults.next().expect("every fault can become something");
        if faults.len() == 0 {
            return telling;
        }
        let drawn = self.drawn.entry(spec.kind()).or_insert(0);
        *drawn += 1;
        let is_turn_of_telling = *drawn % 2 == 1;
        let others: Vec<Fault> = faults.filter(works).collect();
        if is_turn_of_telling || others.is_empty() {
            return telling;
        }
        others[self.random.below(others.len())].clone()
    }

    /// Plans the steps of a fault in a window, and returns what was drawn.
    fn add(&mut self, spec: &FaultSpec, earlier: &[Fault], at: Duration, until: Duration, skewed: bool) -> Fault {
        let lone = Fault::Partition { shape: Shape::Isolate(Target::Leader) };
        let lone_and_slow = Fault::Partition { shape: Shape::Isolate(Target::Skewed) };
        let drawn = self.draw(spec, earlier);
        let fault = if skewed && drawn == lone { lone_and_slow } else { drawn };
        let draw = self.random.next_u64();
        let whole = PlannedFault { at, lasts: until.saturating_sub(at), draw, ..PlannedFault::of(fault.clone()) };
        self.planned.extend(spec.steps(whole, self.planned.len(), self.options.nodes));
        fault
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::clock::Skew;
    use crate::timing::Spread;
    use crate::turns::FaultSpecs;

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
                assert_eq!(
                    pair[0].fault,
                    Fault::Clock { target: Target::Leader, skew: Skew { rate: 0.2, ..Skew::NONE } }
                );
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
                assert_eq!(works(&window.fault, &[], nodes, true), Ok(()), "{nodes} nodes: {}", window.fault);
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

    #[test]
    fn a_script_is_planned_in_its_order_and_says_what_cannot_be() {
        let second = Duration::from_secs(1);
        let scripted = |turn: &str| ScriptedTurn {
            turn: turn.parse().unwrap(),
            at: second,
            lasts: None,
            when: None,
            hit: None,
            draw: None,
        };
        let when = Some(Trigger { event: crate::trigger::ClusterEvent::LeaderElected, nth: 2 });
        let loops = ScriptedTurn { when, lasts: Some(second), ..scripted("crash-loop:leader,up=499ms") };
        let options = ScheduleOptions::default();
        let script = [scripted("pause:n1+stop-long:n2,down=2s"), loops];
        let planned = plan_script(1, &options, &script).unwrap();
        let lasts: Vec<_> = planned.iter().map(|planned| planned.lasts.as_millis()).collect();
        assert_eq!(lasts, [3000, 2000, 1, 1]);
        assert_eq!(planned[3].aim, Some(crate::planned::Aim::Again(2)));
        assert!(planned[..2].iter().all(|planned| planned.when.is_none()));
        assert!(planned[2..].iter().all(|planned| planned.when == when));
        let hit = Some(Hit::Nodes(BTreeSet::new()));
        let wrong = ScriptedTurn { hit, ..scripted("kill+pause") };
        let refused = plan_script(1, &options, &[scripted("kill"), wrong]);
        assert_eq!(refused, Err((1, "`nodes` and `drops` are for one fault".into())));
    }

    #[test]
    fn given_times_are_kept() {
        let timing = |every, lasts, spread| {
            let [every, lasts] = [every, lasts].map(Duration::from_millis);
            Some(FaultTiming { every, lasts, spread })
        };
        let fixed = ScheduleOptions { timing: timing(3000, 2000, Spread::Fixed), ..options("pause:n1", 20) };
        let times: Vec<_> = plan(1, &fixed).iter().map(|w| (w.at.as_millis(), w.lasts.as_millis())).collect();
        let last = (19_000, 1000);
        assert_eq!(times[..2], [(1000, 2000), (4000, 2000)]);
        assert_eq!((times.len(), times[6]), (7, last), "what the end cuts short is planned as such");
        let often = ScheduleOptions { timing: timing(300, 200, Spread::Fixed), ..options("pause:n1", 2) };
        assert_eq!(plan(1, &often)[0].at, Duration::from_millis(300), "the first one is early");
        let drawn = ScheduleOptions { timing: timing(1000, 500, Spread::Exponential), ..options("pause:n1", 200) };
        let windows = plan(1, &drawn);
        assert!((110..=220).contains(&windows.len()), "{}", windows.len());
        assert!(windows.windows(2).all(|pair| pair[0].until() + SHORTEST_GAP <= pair[1].at));
        assert_eq!(plan(1, &drawn), windows);
    }

    #[test]
    fn faults_overlap_where_they_may_but_no_two_partitions() {
        for seed in 0..100 {
            let options = ScheduleOptions { overlap: true, ..options("pause:n1,partition,flap", 60) };
            let windows = plan(seed, &options);
            let overlaps = windows.windows(2).filter(|pair| pair[1].at < pair[0].until()).count();
            assert!(overlaps > 5, "seed {seed}: {windows:?}");
            let cuts: Vec<_> = windows.iter().filter(|w| kind(w) == FaultKind::Partition).collect();
            assert!(cuts.windows(2).all(|pair| pair[0].until() <= pair[1].at), "seed {seed}: {cuts:?}");
        }
    }

    #[test]
    fn faults_at_once_share_a_window_and_differ_in_what_they_hit() {
        for seed in 0..100 {
            let windows = plan(seed, &options("kill+pause,clock+partition:isolate-leader+stop-long:n3,down=2s", 60));
            for (one, two) in windows.iter().zip(&windows[1..]).filter(|(one, two)| one.at == two.at) {
                assert!(one.fault != two.fault, "seed {seed}: {one:?}");
                assert!(
                    one.until() == two.until() || two.lasts == Duration::from_secs(2),
                    "seed {seed}: {one:?} {two:?}"
                );
            }
            let kinds: BTreeSet<_> = windows.iter().map(kind).collect();
            assert_eq!(kinds.len(), 4, "seed {seed}");
            let lone = Fault::Partition { shape: Shape::Isolate(Target::Skewed) };
            assert!(windows.iter().any(|window| window.fault == lone), "the clock is that of the isolated node");
        }
    }
}
