//! Both searches in turn, on one thread, each for a number of steps that doubles, the sweep for fewer: whichever ends first decides,
//! so that the answer takes at most some ten times as long as by the better one, and is the same every time.

use histories::History;

use super::{depth::Depth, space::Space, states::States, sweep::Sweep};
use crate::{
    Limits, UnknownWhy,
    model::{Call, Specification},
    patience::Patience,
};

/// Work of the first turn, and so much more for each completion: enough for an order that is never in doubt.
const FIRST_TURN: usize = 4096;
const FIRST_TURN_PER_COMPLETION: usize = 32;

/// Work between two questions to the caller whether to go on.
const WORK_PER_QUESTION: usize = 2048;

/// What a search found.
pub(crate) enum Found {
    /// Indexes of operations, in an order that explains everything.
    Order(Vec<u32>),
    /// No order explains even what happened until this rank.
    Dead(u32),
    /// A limit was reached.
    Limit(UnknownWhy),
}

/// How one of the searches ended: by an order of items, or before a completion that none reaches.
pub(super) enum End {
    Order(Vec<u32>),
    Dead(u32),
}

/// How long a search may go on before it lets others.
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

    /// Depth first alone.
    pub(super) fn depth() -> Vec<Self> {
        vec![Self::Depth(Depth::default())]
    }

    fn run<S: Specification>(&mut self, space: &mut Space<'_, '_, S>, slice: Slice) -> Option<End> {
        match self {
            Self::Depth(depth) => depth.run(space, slice),
            Self::Sweep(sweep) => sweep.run(space, slice),
        }
    }

    /// Of a turn: one in so many. Where the sweep is the better one, it is so by far.
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

/// Looks for an order of the operations with these indexes; where `is_optional`, what is certain need not take effect.
pub(super) fn search<'a, S: Specification>(
    states: &mut States<'a, S>,
    history: &'a History,
    operations: &[u32],
    is_optional: impl Fn(u32) -> bool,
    limits: &Limits<'_>,
) -> Found {
    let asks_who = states.object.asks_who();
    let calls = operations.iter().map(|&index| {
        let operation = history.operations[index as usize];
        (index, operation, Call::of(history, &operation, asks_who))
    });
    match Space::new(states, calls, is_optional, &Patience::new(limits)) {
        Ok(space) => run(space, Racer::all(), limits),
        Err(out) => Found::Limit(out.among(history, operations)),
    }
}

/// Lets these searches race.
pub(super) fn run<S: Specification>(mut space: Space<'_, '_, S>, mut racers: Vec<Racer>, limits: &Limits<'_>) -> Found {
    let found = race(&mut space, &mut racers, limits);
    limits.give_back((space, racers));
    found
}

pub(super) fn race<S: Specification>(
    space: &mut Space<'_, '_, S>,
    racers: &mut Vec<Racer>,
    limits: &Limits<'_>,
) -> Found {
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
                        return Found::Order(items.into_iter().map(|item| space.index(item)).collect());
                    }
                    Some(End::Dead(due)) => return Found::Dead(space.end(due)),
                    None => {}
                }
                explained = explained.max(racers[at].farthest() as usize);
                let (completed, unknown_outcomes) = (space.completions(), space.unknown_outcomes());
                if let Err(out) = limits.ask() {
                    return Found::Limit(out.why(explained, completed, unknown_outcomes));
                }
                let bytes = space.bytes() + others + racers[at].bytes();
                if !space.states.memory.hold(bytes) {
                    // The one that needs less may still come through.
                    let largest = (0..racers.len()).max_by_key(|&racer| racers[racer].bytes());
                    racers.remove(largest.expect("one is running"));
                    let bytes = racers.iter().map(Racer::bytes).sum::<usize>() + space.bytes();
                    if racers.is_empty() || !space.states.memory.hold(bytes) {
                        return Found::Limit(UnknownWhy::Memory { explained, completed, unknown_outcomes });
                    }
                    at = at.min(racers.len() - 1);
                }
            }
            at += 1;
        }
        turn *= 2;
    }
}
