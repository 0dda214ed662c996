//! Models that require a version order of each key: sequential consistency per key and the four session guarantees
//! (Terry et al., "Session guarantees for weakly consistent replicated data", 1994; in the form of Viotti and
//! Vukolić, "Consistency in non-transactional distributed storage systems", 2016; for one register).
//!
//! # Definitions
//! A *version order* is a total order of the values that came about, the initial one first, in which a value that a
//! cas set comes right after the one that the cas found. A cas looks at what it found and then sets; a session is the
//! sequence of operations of one process.
//! - *Monotonic reads*: in some version order no look of a session finds an older value than a look of it before.
//! - *Monotonic writes*: in some version order the values that a session sets come in the order in which it sets
//!   them.
//! - *Read your writes*: in some version order no look finds an older value than one that its session had set.
//! - *Writes follow reads*: in some version order the values that a session sets are newer than all that it had
//!   found.
//! - *Sequential* (per key; also called coherent): some order of all steps keeps the order of each session and
//!   explains every look. That is all four in one and the same version order: given one, put each value's setter
//!   before its looks, and the cas that leaves it after them; conversely, a sequential order yields a version order.
//!
//! # Test
//! Values linked by cas are one node: nothing comes between them. Where a session touches `a` and later `b`, in the
//! ways that the model is about, `a` must not be newer than `b` (and must be older if `b` is set): an edge, or a
//! comparison inside one chain. An order exists if and only if no comparison fails and there is no cycle. Where the
//! earlier touches are of the same kind as the later ones (or all touches count), neighbours suffice, as "not newer"
//! is transitive. Otherwise ([`Pairs::Before`]) each target needs an edge from every source before it: helper nodes
//! stand for all sources so far, so the number of edges stays linear.
//!
//! # Suspects
//! The order of the zones is nearly a version order: in a linearizable history it is one for all models. So one sweep
//! over the steps that can contradict it finds those that do, and the test is made only on the values between those
//! (`conflict_ranges.rs`).

use histories::History;
use rustc_hash::FxHashMap;

use super::{
    graph::{StepEdge, ring},
    key::ViolatedKey,
};
use crate::{
    Consistency,
    budget::{Budget, Shortage},
    causal::{AccessKind, touches},
    conflict_ranges::ConflictRanges,
    index::OptionalIndex,
    prepare::INITIAL,
};

/// Pair of steps of one session: the second must not touch an older value than the first.
pub(super) type Pair = (u32, u32);

/// Pairs of touches of a session that a model compares.
#[derive(Clone, Copy)]
enum Pairs {
    /// Pairs of each touch that counts with the next one.
    Next(fn(AccessKind) -> bool),
    /// Pairs of each touch of this kind with all later ones of the other kind.
    Before(AccessKind),
}

/// Models in the order of [`suspects`].
pub(super) const VERSION_MODELS: [Consistency; 5] = [
    Consistency::SequentialPerKey,
    Consistency::MonotonicReads,
    Consistency::MonotonicWrites,
    Consistency::ReadYourWrites,
    Consistency::WritesFollowReads,
];

/// Position in the order of the zones: a chain, and a position in it.
type VersionPlace = (OptionalIndex, u32);

/// Newest positions touched by a session so far. `looked` and `set` hold that of the last look (set), and the newest
/// of all looks (sets).
#[derive(Clone, Copy, Default)]
struct Newest {
    touched: Option<VersionPlace>,
    looked: [Option<VersionPlace>; 2],
    set: [Option<VersionPlace>; 2],
}

/// Returns for each of [`VERSION_MODELS`] the windows in which the order of the zones violates it.
pub(super) fn suspects(
    history: &History,
    key: &ViolatedKey<'_>,
    budget: &Budget<'_>,
) -> Result<[ConflictRanges; VERSION_MODELS.len()], Shortage> {
    let mut sessions: FxHashMap<u32, Newest> = FxHashMap::default();
    let mut suspects: [Vec<(u32, u32)>; VERSION_MODELS.len()] = Default::default();
    for &index in &key.suspects {
        budget.step()?;
        let step = key.step(index);
        let newest = sessions.entry(history.operations[step.operation as usize].process).or_default();
        for (value, touch) in touches(step) {
            let place = key.chains[value as usize];
            let older = |before: Option<VersionPlace>| {
                before.filter(|&before| place < before || place == before && touch == AccessKind::Set)
            };
            let Newest { touched, looked, set } = *newest;
            let compared = match touch {
                AccessKind::Look => [touched, looked[0], None, set[1], None],
                AccessKind::Set => [touched, None, set[0], None, looked[1]],
            };
            for (suspects, before) in suspects.iter_mut().zip(compared) {
                suspects.extend(older(before).and_then(|before| Some((place.0.get()?, before.0.get()?))));
            }
            let own = if touch == AccessKind::Look { &mut newest.looked } else { &mut newest.set };
            *own = [Some(place), own[1].max(Some(place))];
            newest.touched = Some(place);
        }
    }
    Ok(suspects.map(ConflictRanges::new))
}

/// Returns pairs of touches that no version order allows together, or `None` if some version order meets `level`.
/// `suspects` are the windows in which the order of the zones violates that model.
pub(super) fn refute(
    history: &History,
    key: &ViolatedKey<'_>,
    level: Consistency,
    suspects: &ConflictRanges,
    budget: &Budget<'_>,
) -> Result<Option<Vec<Pair>>, Shortage> {
    if suspects.is_empty() {
        return Ok(None);
    }
    let pairs = match level {
        Consistency::MonotonicReads => Pairs::Next(|touch| touch == AccessKind::Look),
        Consistency::MonotonicWrites => Pairs::Next(|touch| touch == AccessKind::Set),
        Consistency::ReadYourWrites => Pairs::Before(AccessKind::Set),
        Consistency::WritesFollowReads => Pairs::Before(AccessKind::Look),
        _ => Pairs::Next(|_| true),
    };
    // A step has at most two touches, and usually up to three edges.
    budget.may_take(key.suspects.len() * (2 * size_of::<(u32, SessionAccess)>() + 3 * size_of::<StepEdge>()))?;
    let mut all: Vec<(u32, SessionAccess)> = Vec::new();
    for &index in &key.suspects {
        budget.step()?;
        let step = key.step(index);
        let process = history.operations[step.operation as usize].process;
        all.extend(touches(step).filter_map(|(value, touch)| {
            let (chain, place) = key.chains[value as usize];
            Some((process, SessionAccess { step: index, block: suspects.number(chain.get()?)?, place, touch }))
        }));
    }
    all.sort_by_key(|&(process, _)| process);
    let initial = key.chains[INITIAL as usize].0.get().and_then(|chain| suspects.number(chain));
    let mut build = Build::new(suspects.len, initial);
    for session in all.chunk_by(|a, b| a.0 == b.0) {
        budget.steps(session.len())?;
        let touched = session.iter().map(|&(_, touched)| touched);
        let found = match pairs {
            Pairs::Next(counts) => build.next(touched.filter(|touched| counts(touched.touch))),
            Pairs::Before(source) => build.before(touched, source),
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(ring(build.nodes, &build.edges, budget)?.map(|ring| pairs_of(&ring)))
}

/// Returns the pairs behind the edges of a cycle: edges to and from helper nodes name one step or none.
fn pairs_of(ring: &[StepEdge]) -> Vec<Pair> {
    let begin = ring.iter().position(|edge| edge.first.get().is_some()).unwrap_or(0);
    let (mut pairs, mut first) = (Vec::new(), None);
    for edge in ring.iter().cycle().skip(begin).take(ring.len()) {
        first = edge.first.get().or(first);
        pairs.extend(first.zip(edge.second.get()));
    }
    pairs
}

#[derive(Clone, Copy)]
struct SessionAccess {
    step: u32,
    /// Chain of the value; `place` is its position in the chain.
    block: u32,
    place: u32,
    touch: AccessKind,
}

impl SessionAccess {
    /// Returns true if this touch must not come after position `place` of its own chain.
    fn is_behind(&self, place: u32) -> bool {
        place > self.place || place == self.place && self.touch == AccessKind::Set
    }
}

/// Source of the current session, and the helper node that stands for it and all sources before it.
#[derive(Clone, Copy)]
struct Source {
    touched: SessionAccess,
    helper: u32,
}

/// Sources of one session in one chain.
#[derive(Clone, Copy, Default)]
struct ChainSources {
    /// Number of the session, counted from 1.
    session: u32,
    /// First source in this chain, by its number within the session.
    first: usize,
    /// Furthest position along the chain, and the step that touched it.
    furthest: (u32, u32),
    /// Number of the session's sources for which this chain has edges of its own.
    linked: usize,
}

struct Build {
    /// Chain of the initial value, before which nothing can come.
    initial: Option<u32>,
    edges: Vec<StepEdge>,
    nodes: u32,
    session: u32,
    sources: Vec<Source>,
    /// Sources seen in each chain.
    seen: Vec<ChainSources>,
}

impl Build {
    fn new(chains: u32, initial: Option<u32>) -> Self {
        let seen = vec![ChainSources::default(); chains as usize];
        Self { initial, edges: Vec::new(), nodes: chains, session: 0, sources: Vec::new(), seen }
    }

    /// Adds edges between neighbours. Returns a pair that fails by itself.
    fn next(&mut self, touched: impl Iterator<Item = SessionAccess>) -> Option<Vec<Pair>> {
        let mut last: Option<SessionAccess> = None;
        for next in touched {
            let Some(before) = last.replace(next) else { continue };
            let fails = if before.block == next.block {
                next.is_behind(before.place)
            } else {
                Some(next.block) == self.initial
            };
            if fails {
                return Some(vec![(before.step, next.step)]);
            }
            if before.block != next.block {
                self.edges.push(StepEdge {
                    from: before.block,
                    to: next.block,
                    first: before.step.into(),
                    second: next.step.into(),
                });
            }
        }
        None
    }

    /// Adds edges from all sources of one session to each later target. Returns pairs that fail by themselves.
    fn before(&mut self, touched: impl Iterator<Item = SessionAccess>, source: AccessKind) -> Option<Vec<Pair>> {
        self.session += 1;
        self.sources.clear();
        // Last target in a chain that also had a source: the chain, the step, and the number of sources at that time.
        let mut returned: Option<(u32, u32, usize)> = None;
        for next in touched {
            if next.touch == source {
                self.source(next);
            } else if let Some(pairs) = self.target(next, &mut returned) {
                return Some(pairs);
            }
        }
        None
    }

    fn source(&mut self, touched: SessionAccess) {
        let count = self.sources.len();
        let seen = &mut self.seen[touched.block as usize];
        if seen.session != self.session {
            *seen = ChainSources { session: self.session, first: count, furthest: (0, touched.step), linked: 0 };
        }
        seen.furthest = seen.furthest.max((touched.place, touched.step));
        let last = self.sources.last().copied();
        if last.is_some_and(|last| last.touched.block == touched.block) {
            return;
        }
        let helper = self.nodes;
        self.nodes += 1;
        self.edges.push(StepEdge {
            from: touched.block,
            to: helper,
            first: touched.step.into(),
            second: OptionalIndex::NONE,
        });
        if let Some(last) = last {
            self.edges.push(StepEdge {
                from: last.helper,
                to: helper,
                first: OptionalIndex::NONE,
                second: OptionalIndex::NONE,
            });
        }
        self.sources.push(Source { touched, helper });
    }

    fn target(&mut self, target: SessionAccess, returned: &mut Option<(u32, u32, usize)>) -> Option<Vec<Pair>> {
        let (to, second) = (target.block, target.step);
        let seen = self.seen[to as usize];
        let is_source = seen.session == self.session;
        if is_source && target.is_behind(seen.furthest.0) {
            return Some(vec![(seen.furthest.1, second)]);
        }
        if Some(to) == self.initial {
            let other = self.sources.iter().rev().find(|source| source.touched.block != to);
            return other.map(|source| vec![(source.touched.step, second)]);
        }
        let before = if is_source { seen.first } else { self.sources.len() };
        if let Some(last) = self.sources[..before].last() {
            self.edges.push(StepEdge { from: last.helper, to, first: OptionalIndex::NONE, second: second.into() });
        }
        if !is_source {
            return None;
        }
        if let Some((chain, step, count)) = *returned
            && chain != to
            && seen.first < count
        {
            // Each of the two chains had a source before a target of the other.
            let first = |chain: u32| self.sources[self.seen[chain as usize].first].touched.step;
            return Some(vec![(first(to), step), (first(chain), second)]);
        }
        for source in &self.sources[seen.first.max(seen.linked)..] {
            let from = source.touched.block;
            if from != to {
                self.edges.push(StepEdge { from, to, first: source.touched.step.into(), second: second.into() });
            }
        }
        self.seen[to as usize].linked = self.sources.len();
        *returned = Some((to, second, self.sources.len()));
        None
    }
}
