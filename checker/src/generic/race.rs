//! Race of the two searches: they run in turn on one thread, each for a number of steps that doubles (the sweep for
//! fewer). The one that ends first decides. So the answer takes at most about ten times as long as by the better
//! search, and is deterministic.

use histories::History;

use super::{depth::Depth, space::Space, states::States, sweep::Sweep};
use crate::{
    Limits, UnknownWhy,
    budget::Budget,
    specification::{Call, Specification},
};

/// Work of the first turn, and the additional work for each completion: enough for an order that is never in doubt.
const FIRST_TURN: usize = 4096;
const FIRST_TURN_PER_COMPLETION: usize = 32;

/// Work between two queries of the limits.
const WORK_PER_QUESTION: usize = 2048;

/// Result of a search.
pub(crate) enum RaceResult {
    /// Linearization, as indexes of operations.
    Order(Vec<u32>),
    /// Violation: no order explains even what happened until this rank.
    Refuted(u32),
    /// Limit that was reached.
    Limit(UnknownWhy),
}

/// Result of one of the searches: an order of items, or a completion that no order reaches.
pub(super) enum End {
    Order(Vec<u32>),
    Refuted(u32),
}

/// Share of work and memory for one run of a search.
#[derive(Clone, Copy)]
pub(super) struct Slice {
    until_work: usize,
    max_bytes: usize,
}

impl Slice {
    pub(super) fn lasts<S: Specification>(self, space: &Space<'_, '_, S>, bytes: usize) -> bool {
        space.states.work < self.until_work && space.bytes() + bytes <= self.max_bytes
    }
}

pub(super) enum Racer {
    Depth(Depth),
    Sweep(Sweep),
}

impl Racer {
    pub(super) fn all() -> Vec<Self> {
        vec![Self::Depth(Depth::default()), Self::Sweep(Sweep::default())]
    }

    /// Returns the depth-first search alone.
    pub(super) fn depth() -> Vec<Self> {
        vec![Self::Depth(Depth::default())]
    }

    fn run<S: Specification>(&mut self, space: &mut Space<'_, '_, S>, slice: Slice) -> Option<End> {
        match self {
            Self::Depth(depth) => depth.run(space, slice),
            Self::Sweep(sweep) => sweep.run(space, slice),
        }
    }

    /// Returns the divisor of a turn that this search gets. Where the sweep is the better one, it is better by far.
    fn share(&self) -> usize {
        match self {
            Self::Depth(_) => 1,
            Self::Sweep(_) => 4,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Depth(depth) => depth.bytes(),
            Self::Sweep(sweep) => sweep.bytes(),
        }
    }

    fn farthest(&self) -> u32 {
        match self {
            Self::Depth(depth) => depth.farthest,
            Self::Sweep(sweep) => sweep.farthest,
        }
    }
}

/// Searches for an order of the operations with these indexes. Certain operations need not take effect if
/// `is_optional`.
pub(super) fn search<'a, S: Specification>(
    states: &mut States<'a, S>,
    history: &'a History,
    operations: &[u32],
    is_optional: impl Fn(u32) -> bool,
    limits: &Limits<'_>,
) -> RaceResult {
    let depends_on_process = states.object.depends_on_process();
    let calls = operations.iter().map(|&index| {
        let operation = history.operations[index as usize];
        (index, operation, Call::of(history, &operation, depends_on_process))
    });
    match Space::new(states, calls, is_optional, &Budget::new(limits)) {
        Ok(space) => run(space, Racer::all(), limits),
        Err(out) => RaceResult::Limit(out.among(history, operations)),
    }
}

/// Runs these searches against each other.
pub(super) fn run<S: Specification>(
    mut space: Space<'_, '_, S>,
    mut racers: Vec<Racer>,
    limits: &Limits<'_>,
) -> RaceResult {
    let found = race(&mut space, &mut racers, limits);
    limits.give_back((space, racers));
    found
}

pub(super) fn race<S: Specification>(
    space: &mut Space<'_, '_, S>,
    racers: &mut Vec<Racer>,
    limits: &Limits<'_>,
) -> RaceResult {
    let mut turn = FIRST_TURN + FIRST_TURN_PER_COMPLETION * space.completions();
    let mut explained = 0;
    loop {
        let mut at = 0;
        while at < racers.len() {
            let until = space.states.work + turn / racers[at].share();
            while space.states.work < until {
                let others: usize = racers.iter().map(Racer::bytes).sum::<usize>() - racers[at].bytes();
                let max_bytes = space.states.memory.most().saturating_sub(others);
                let until_work = until.min(space.states.work + WORK_PER_QUESTION);
                match racers[at].run(space, Slice { until_work, max_bytes }) {
                    Some(End::Order(items)) => {
                        return RaceResult::Order(items.into_iter().map(|item| space.index(item)).collect());
                    }
                    Some(End::Refuted(due)) => return RaceResult::Refuted(space.end(due)),
                    None => {}
                }
                explained = explained.max(racers[at].farthest() as usize);
                let (completed, unknown_outcomes) = (space.completions(), space.unknown_outcomes());
                if let Err(out) = limits.ask() {
                    return RaceResult::Limit(out.why(explained, completed, unknown_outcomes));
                }
                let bytes = space.bytes() + others + racers[at].bytes();
                if !space.states.memory.hold(bytes) {
                    // The one that needs less may still succeed.
                    let largest = (0..racers.len()).max_by_key(|&racer| racers[racer].bytes());
                    racers.remove(largest.expect("one is running"));
                    let bytes = racers.iter().map(Racer::bytes).sum::<usize>() + space.bytes();
                    if racers.is_empty() || !space.states.memory.hold(bytes) {
                        return RaceResult::Limit(UnknownWhy::Memory { explained, completed, unknown_outcomes });
                    }
                    at = at.min(racers.len() - 1);
                }
            }
            at += 1;
        }
        turn *= 2;
    }
}
