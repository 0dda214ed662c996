//! Switches: registers of two values that are read and written. One element of a set is a switch: in the set or not.

use std::collections::BTreeSet;

use crate::{
    Limits, UnknownWhy,
    budget::Shortage,
    index::OptionalIndex,
    prepare::{Action, Step},
};

/// Result of the search.
pub(super) enum SwitchResult {
    /// Order of the steps that took place, by their places.
    Order(Vec<u32>),
    /// Place of the step whose completion no configuration survives.
    Refuted(u32),
    /// Limit that was reached.
    Limit(UnknownWhy),
}

/// Number of completions between two queries of the limits.
const ASK_EVERY: usize = 256;

/// Possible configuration after some completions.
#[derive(Clone)]
struct SwitchConfig {
    state: usize,
    /// Rank of the last change of state; 0 before the first.
    flipped: u32,
    /// Writes that are still open, and have changed the state.
    used: Vec<u32>,
    /// Number of writes of unknown outcome that have changed the state, by value.
    unknown: [usize; 2],
    /// Last change in [`SwitchSweep::flips`].
    trace: OptionalIndex,
}

impl SwitchConfig {
    /// Returns true if this configuration can still do everything that `other` can.
    fn dominates(&self, other: &Self) -> bool {
        self.state == other.state
            && self.flipped >= other.flipped
            && self.unknown[0] <= other.unknown[0]
            && self.unknown[1] <= other.unknown[1]
            && self.used.iter().all(|step| other.used.contains(step))
    }
}

struct SwitchSweep<'a> {
    steps: &'a [Step],
    /// Writes that are open and will end, by value: (end, place).
    open: [BTreeSet<(u32, u32)>; 2],
    /// Starts of all steps that are open and will end, by value.
    due: [BTreeSet<u32>; 2],
    /// Writes of unknown outcome so far, by value.
    unknown: [Vec<u32>; 2],
    /// Changes of state, for the order: (the change before, place of the write, rank).
    flips: Vec<(OptionalIndex, u32, u32)>,
}

/// Finds an order of these steps: reads and writes of the values 0 (the initial one) and 1, in the order of their
/// starts.
///
/// Just-in-time linearization (Lowe, "Testing for linearizability", 2017): changes happen only at completions, as late
/// as possible. Sound: each configuration keeps the changes of state that led to it, and everything else that completed
/// did so while the state was its value. Complete: only the changes of state in an order matter, since any other write
/// can happen without effect whenever the state is its value. So a step is satisfied if the state was its value at some
/// moment since its start, which the rank of the last change tells. A change can be put off until something must
/// happen: an unsatisfied step completes, or a write completes, which is its last chance to be a change (once, or right
/// after its opposite; of three changes at once, the last two achieve nothing that one does not). Of several writes
/// that can make a change, the one that ends first does: exchanging it for another leaves an order.
pub(super) fn solve(steps: &[Step], limits: &Limits<'_>) -> SwitchResult {
    let mut sweep = SwitchSweep {
        steps,
        open: Default::default(),
        due: Default::default(),
        unknown: Default::default(),
        flips: Vec::new(),
    };
    let mut ends: Vec<u32> =
        (0_u32..).zip(steps).filter(|(_, step)| step.is_certain()).map(|(place, _)| place).collect();
    ends.sort_unstable_by_key(|&place| steps[place as usize].end);
    let mut configs =
        vec![SwitchConfig { state: 0, flipped: 0, used: Vec::new(), unknown: [0; 2], trace: OptionalIndex::NONE }];
    let (mut begun, mut memory) = (0, limits.memory.share());
    for (explained, &place) in ends.iter().enumerate() {
        if explained % ASK_EVERY == ASK_EVERY - 1 {
            let bytes = sweep.flips.len() * 12 + configs.len() * size_of::<SwitchConfig>();
            let completed = ends.len();
            let unknown_outcomes = steps.len() - completed;
            let asked = if memory.hold(bytes) { limits.ask() } else { Err(Shortage::Memory) };
            if let Err(out) = asked {
                return SwitchResult::Limit(out.why(explained, completed, unknown_outcomes));
            }
        }
        while begun < steps.len() && steps[begun].start < steps[place as usize].end {
            sweep.begin(begun);
            begun += 1;
        }
        configs = sweep.complete(place, configs);
        if configs.is_empty() {
            return SwitchResult::Refuted(place);
        }
    }
    SwitchResult::Order(sweep.order(configs[0].trace))
}

/// Returns the value that a step finds or sets.
fn value(step: &Step) -> usize {
    match step.action {
        Action::Read(value) | Action::Write(value) => value as usize,
        _ => unreachable!("a switch is only read and written"),
    }
}

impl SwitchSweep<'_> {
    fn begin(&mut self, at: usize) {
        let (place, step) = (u32::try_from(at).expect("steps are numbered by u32"), &self.steps[at]);
        let value = value(step);
        if !step.is_certain() {
            self.unknown[value].push(place);
            return;
        }
        self.due[value].insert(step.start);
        if !step.action.is_read_only() {
            self.open[value].insert((step.end, place));
        }
    }

    /// Returns the configurations that are possible when the step at `place` completes.
    fn complete(&mut self, place: u32, configs: Vec<SwitchConfig>) -> Vec<SwitchConfig> {
        let step = self.steps[place as usize];
        let value = value(&step);
        self.open[value].remove(&(step.end, place));
        let mut next = Vec::new();
        for mut config in configs {
            let satisfied = config.state == value || config.flipped > step.start;
            if let Some(at) = config.used.iter().position(|&used| used == place) {
                config.used.swap_remove(at);
                next.push(config);
            } else if step.action.is_read_only() {
                let flipped = if satisfied { Some(config) } else { self.flip_to(value, config, step.end) };
                next.extend(flipped);
            } else if config.state == value {
                let other_is_due = self.due[1 - value].last().is_some_and(|&start| start >= config.flipped);
                if other_is_due && let Some(away) = self.flip_to(1 - value, config.clone(), step.end) {
                    next.push(self.flip(place, away, step.end));
                }
                next.push(config);
            } else {
                if satisfied {
                    next.push(config.clone());
                }
                next.push(self.flip(place, config, step.end));
            }
        }
        self.due[value].remove(&step.start);
        let mut configs: Vec<SwitchConfig> = Vec::new();
        for config in next {
            if !configs.iter().any(|other| other.dominates(&config)) {
                configs.retain(|other| !config.dominates(other));
                configs.push(config);
            }
        }
        configs
    }

    /// Changes the state to `value` by the unused write that ends first, if there is one.
    fn flip_to(&mut self, value: usize, mut config: SwitchConfig, rank: u32) -> Option<SwitchConfig> {
        let open = self.open[value].iter().map(|&(_, place)| place).find(|place| !config.used.contains(place));
        if let Some(place) = open {
            config.used.push(place);
            return Some(self.flip(place, config, rank));
        }
        let &place = self.unknown[value].get(config.unknown[value])?;
        config.unknown[value] += 1;
        Some(self.flip(place, config, rank))
    }

    fn flip(&mut self, place: u32, config: SwitchConfig, rank: u32) -> SwitchConfig {
        let trace = u32::try_from(self.flips.len()).expect("fewer than 2^32 changes fit in memory").into();
        self.flips.push((config.trace, place, rank));
        SwitchConfig { state: 1 - config.state, flipped: rank, trace, ..config }
    }

    /// Returns the order in which these changes happened, with everything else that completed at the first moment
    /// possible.
    fn order(&self, mut trace: OptionalIndex) -> Vec<u32> {
        let mut flips = Vec::new();
        while let Some(flip) = trace.get() {
            let (before, place, rank) = self.flips[flip as usize];
            flips.push((rank, place));
            trace = before;
        }
        flips.reverse();
        let mut is_flip = vec![false; self.steps.len()];
        let mut order = Vec::with_capacity(self.steps.len());
        for (number, &(rank, place)) in flips.iter().enumerate() {
            is_flip[place as usize] = true;
            order.push((rank, 2 * number, place));
        }
        for (place, step) in (0_u32..).zip(self.steps) {
            if !step.is_certain() || is_flip[place as usize] {
                continue;
            }
            let before = flips.partition_point(|&(rank, _)| rank < step.start);
            let moment = if before % 2 == value(step) { (step.start, 0) } else { (flips[before].0, 2 * before + 1) };
            order.push((moment.0, moment.1, place));
        }
        order.sort_unstable();
        order.into_iter().map(|(_, _, place)| place).collect()
    }
}
