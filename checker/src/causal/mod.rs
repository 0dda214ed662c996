//! Causal consistency over all keys, in the weak form: CC of Bouajjani, Enea, Guerraoui and Hamza, "On verifying
//! causal consistency", 2017, whose bad patterns are complete for unique values. The causal order is the transitive
//! closure of session order and of "each change before the operations that find its value". The history is causally
//! consistent unless
//! - an operation finds a value that was never set;
//! - the causal order has a cycle;
//! - an operation finds a value although another change of that key lies between that change and the operation in the
//!   causal order (for the initial value: although any change of the key precedes the operation).
//!
//! A cas looks at what it found and then sets. Each look is explained by itself: two sessions, or even one, may see
//! unrelated changes in either order, so causal consistency neither implies a session guarantee nor follows from one.
//!
//! # Test
//! Vector clocks with an entry for each session that sets something, as in AWDIT (Møldrup and Pavlogiannis 2025):
//! O(n·k) for k such sessions. A session advances until it looks at a change that has no clock yet, and the change
//! wakes it. A session that is never woken waits on a cycle. For a look at `v`, it suffices to test for each session
//! whether its last change of the key that the reader knows of has `v`'s change in its past.

mod accesses;
mod claim;

use histories::History;
use rustc_hash::FxHashMap;

use crate::{
    Memory,
    budget::{Budget, Shortage},
    index::OptionalIndex,
    prepare::{Action, Step, Val},
};
pub(crate) use accesses::causal_violation;
pub(crate) use claim::causal_claim;

/// Kind of access to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccessKind {
    /// The step finds the value.
    Look,
    /// The step sets the value.
    Set,
}

/// Returns the values that a step touches, in order.
pub(crate) fn touches(step: &Step) -> impl Iterator<Item = (Val, AccessKind)> {
    let (look, set) = match step.action {
        Action::Read(value) => (Some(value), None),
        Action::Write(value) => (None, Some(value)),
        Action::Cas { from, to } => (Some(from), Some(to)),
        Action::NotEqual(_) | Action::Contradiction(_) | Action::Append(_) => (None, None),
    };
    look.map(|value| (value, AccessKind::Look)).into_iter().chain(set.map(|value| (value, AccessKind::Set)))
}

/// Access of one operation to a value. Values are numbered over all keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AccessEvent {
    /// Index of the operation in the history.
    pub operation: u32,
    /// Process of the operation.
    pub process: u32,
    /// Number of the value.
    pub value: u32,
    /// Kind of access; the look of a cas comes before its set.
    pub touch: AccessKind,
    /// True if the outcome of the operation is known.
    pub certain: bool,
}

impl AccessEvent {
    /// Returns the accesses of a step, with its values numbered from `offset`.
    pub(crate) fn of(history: &History, step: &Step, offset: u32) -> impl Iterator<Item = Self> {
        let (operation, certain) = (step.operation, step.is_certain());
        let process = history.operations[operation as usize].process;
        touches(step).map(move |(value, touch)| Self { operation, process, value: value + offset, touch, certain })
    }

    /// Sorts events by session, each look of an operation before what it sets.
    pub(crate) fn sort(events: &mut [Self]) {
        events.sort_unstable_by_key(|event| (event.process, event.operation, event.touch == AccessKind::Set));
    }
}

/// Events that took place.
#[derive(Debug, Default)]
pub(crate) struct AccessEvents {
    pub events: Vec<AccessEvent>,
    /// Key of each value.
    pub keys: Vec<u32>,
    /// Initial value of each key.
    pub initial: Vec<u32>,
}

/// Reason why no causal order explains everything. Operations are given by index.
#[derive(Debug)]
pub(crate) enum CausalViolation {
    /// Look at a value that was never set.
    Unset { reader: u32 },
    /// Look at an overwritten value: the reader knows of the newer change, which has the change that was found in its
    /// past (`None`: the initial value). `way` are the operations that show this.
    Overwritten { reader: u32, writer: Option<u32>, newer: u32, way: Vec<u32> },
    /// Cycle: each of these operations must come before the next.
    Ring { ring: Vec<u32> },
    /// Failure to check: the clocks would take this many bytes.
    TooMany { bytes: usize },
}

/// Change of a value: its session (none if it was not changed), its position among the changes of the session (from
/// 1), and its event.
#[derive(Clone, Copy)]
struct SessionChange {
    session: OptionalIndex,
    number: u32,
    event: u32,
}

struct CausalSweep<'a> {
    all: &'a AccessEvents,
    /// Start of each session's events, and the end of the last.
    starts: Vec<usize>,
    /// Number of each session among those that change something.
    changers: Vec<OptionalIndex>,
    /// Change that set each value.
    changes: Vec<SessionChange>,
    /// Values that each changing session sets, in order.
    sets: Vec<Vec<u32>>,
    /// Changes of each changing session as (key, number, value), sorted by key and number.
    by_key: Vec<Vec<(u32, u32, u32)>>,
    /// Clocks of all changes passed so far, one after the other.
    clocks: Vec<u32>,
    /// Index of the clock of each value's change, once it was passed.
    clock_of: Vec<OptionalIndex>,
    /// Sessions that wait for the change of each value.
    waiting: FxHashMap<u32, Vec<u32>>,
    /// Position of each session, and its current clock.
    at: Vec<(usize, Box<[u32]>)>,
}

/// Returns the reason why `all`, session by session, is not causally consistent, or `None` if it is.
pub(crate) fn find_causal_violation(
    all: &AccessEvents,
    memory: &Memory,
    budget: &Budget<'_>,
) -> Result<Option<CausalViolation>, Shortage> {
    let mut sweep = match CausalSweep::new(all, memory) {
        Ok(sweep) => sweep,
        Err(bytes) => return Ok(Some(CausalViolation::TooMany { bytes })),
    };
    let sessions = u32::try_from(sweep.at.len()).expect("processes are u32");
    let mut ready: Vec<u32> = (0..sessions).rev().collect();
    while let Some(session) = ready.pop() {
        let found = sweep.go_on(session, &mut ready, budget)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok((0..sessions).find(|&session| sweep.is_stuck(session)).map(|session| sweep.ring(session)))
}

impl<'a> CausalSweep<'a> {
    fn new(all: &'a AccessEvents, memory: &Memory) -> Result<Self, usize> {
        let mut starts = vec![0];
        starts.extend((1..all.events.len()).filter(|&at| all.events[at - 1].process != all.events[at].process));
        starts.push(all.events.len());
        let mut changers = vec![OptionalIndex::NONE; starts.len() - 1];
        let mut changes = vec![SessionChange { session: OptionalIndex::NONE, number: 0, event: 0 }; all.keys.len()];
        let mut sets: Vec<Vec<u32>> = Vec::new();
        let mut by_key: Vec<Vec<(u32, u32, u32)>> = Vec::new();
        for (session, bounds) in starts.windows(2).enumerate() {
            let mut own = Vec::new();
            for at in bounds[0]..bounds[1] {
                let AccessEvent { value, touch, .. } = all.events[at];
                if touch == AccessKind::Set {
                    let number = u32::try_from(own.len() + 1).expect("operations are counted by u32");
                    let changer = u32::try_from(by_key.len()).expect("processes are u32");
                    let event = u32::try_from(at).expect("operations are counted by u32");
                    changes[value as usize] = SessionChange { session: changer.into(), number, event };
                    own.push((all.keys[value as usize], number, value));
                }
            }
            if !own.is_empty() {
                sets.push(own.iter().map(|&(_, _, value)| value).collect());
                own.sort_unstable();
                changers[session] = u32::try_from(by_key.len()).expect("processes are u32").into();
                by_key.push(own);
            }
        }
        let entries = sets.iter().map(Vec::len).sum::<usize>() * sets.len();
        let bytes = (entries + changers.len() * sets.len()) * size_of::<u32>();
        if !memory.share().hold(bytes) {
            return Err(bytes);
        }
        let clock = vec![0; sets.len()].into_boxed_slice();
        let at = starts[..starts.len() - 1].iter().map(|&start| (start, clock.clone())).collect();
        let (clocks, clock_of) = (Vec::with_capacity(entries), vec![OptionalIndex::NONE; all.keys.len()]);
        Ok(Self { all, starts, changers, changes, sets, by_key, clocks, clock_of, waiting: FxHashMap::default(), at })
    }

    /// Returns the clock of the change that set `value`, if it has been passed.
    fn clock(&self, value: u32) -> Option<&[u32]> {
        let (start, width) = (self.clock_of[value as usize].get()?, self.sets.len());
        Some(&self.clocks[start as usize * width..][..width])
    }

    /// Returns the last change of `key` by a changing session, among its changes numbered after `after` up to
    /// `until`.
    fn newest(&self, session: usize, key: u32, after: u32, until: u32) -> Option<u32> {
        /// Number of changes that are looked at one by one; usually there are fewer.
        const FEW: u32 = 8;
        let near = after.max(until.saturating_sub(FEW));
        let recent = &self.sets[session][near as usize..until as usize];
        let of_key = |&&value: &&u32| self.all.keys[value as usize] == key;
        if near == after || recent.iter().any(|value| of_key(&value)) {
            return recent.iter().rev().find(of_key).copied();
        }
        let own = &self.by_key[session];
        let last = own.partition_point(|&(k, number, _)| (k, number) <= (key, near));
        own[..last].last().filter(|&&(k, number, _)| k == key && number > after).map(|&(_, _, value)| value)
    }

    fn is_stuck(&self, session: u32) -> bool {
        self.at[session as usize].0 < self.starts[session as usize + 1]
    }

    /// Advances a session as far as possible.
    fn go_on(
        &mut self,
        session: u32,
        ready: &mut Vec<u32>,
        budget: &Budget<'_>,
    ) -> Result<Option<CausalViolation>, Shortage> {
        while self.is_stuck(session) {
            budget.steps(self.sets.len())?;
            let (at, knows) = &mut self.at[session as usize];
            let AccessEvent { operation, value, touch, .. } = self.all.events[*at];
            if touch == AccessKind::Set {
                let own = self.changers[session as usize].get().expect("it changes something");
                knows[own as usize] = self.changes[value as usize].number;
                let clock = u32::try_from(self.clocks.len() / knows.len()).expect("operations are counted by u32");
                self.clock_of[value as usize] = clock.into();
                self.clocks.extend_from_slice(knows);
                ready.extend(self.waiting.remove(&value).into_iter().flatten());
            } else if self.changes[value as usize].session.get().is_none() {
                if self.all.initial[self.all.keys[value as usize] as usize] != value {
                    return Ok(Some(CausalViolation::Unset { reader: operation }));
                }
                if let Some(found) = self.overwritten(session, value) {
                    return Ok(Some(found));
                }
            } else {
                let width = self.sets.len();
                let Some(start) = self.clock_of[value as usize].get() else {
                    self.waiting.entry(value).or_default().push(session);
                    return Ok(None);
                };
                let clock = &self.clocks[start as usize * width..][..width];
                knows.iter_mut().zip(clock).for_each(|(knows, &other)| *knows = (*knows).max(other));
                if let Some(found) = self.overwritten(session, value) {
                    return Ok(Some(found));
                }
            }
            self.at[session as usize].0 += 1;
        }
        Ok(None)
    }

    /// Returns the violation if the session, which looks at `value`, knows of a change of that key with `value`'s
    /// change in its past.
    fn overwritten(&self, session: u32, value: u32) -> Option<CausalViolation> {
        let (at, knows) = &self.at[session as usize];
        let change = self.changes[value as usize];
        let clock = self.clock(value);
        let key = self.all.keys[value as usize];
        for (other, &known_now) in knows.iter().enumerate() {
            let known_then = clock.map_or(0, |clock| clock[other]);
            if known_now <= known_then {
                continue;
            }
            let Some(newer) = self.newest(other, key, known_then, known_now) else { continue };
            let knows_it = change
                .session
                .get()
                .is_none_or(|session| self.clock(newer).is_some_and(|clock| clock[session as usize] >= change.number));
            if knows_it {
                let newer = self.changes[newer as usize].event as usize;
                let writer = change.session.get().map(|_| change.event as usize);
                let mut way = self.way(newer, *at);
                if let Some(writer) = writer {
                    way.extend(self.way(writer, newer));
                }
                let of = |at: usize| self.all.events[at].operation;
                let (reader, writer, newer) = (of(*at), writer.map(of), of(newer));
                return Some(CausalViolation::Overwritten { reader, writer, newer, way });
            }
        }
        None
    }

    /// Returns operations that show that event `from` precedes event `to`: both ends of each step from a change to
    /// its reader.
    fn way(&self, from: usize, to: usize) -> Vec<u32> {
        let events = &self.all.events;
        let mut came: FxHashMap<usize, usize> = FxHashMap::default();
        let mut open = std::collections::VecDeque::from([to]);
        'search: while let Some(at) = open.pop_front() {
            // Go back along the session, and from its looks to the changes that they found.
            let process = events[at].process;
            for before in (0..=at).rev().take_while(|&before| events[before].process == process) {
                if before == from {
                    came.entry(before).or_insert(at);
                    break 'search;
                }
                if before != at && came.contains_key(&before) {
                    break;
                }
                if before != at {
                    came.insert(before, at);
                }
                let change = self.changes[events[before].value as usize];
                if events[before].touch == AccessKind::Look && change.session.get().is_some() {
                    let writer = change.event as usize;
                    if !came.contains_key(&writer) && writer != to {
                        came.insert(writer, before);
                        open.push_back(writer);
                        if writer == from {
                            break 'search;
                        }
                    }
                }
            }
        }
        let mut way = vec![from];
        while let Some(&next) = came.get(way.last().expect("it begins with one")) {
            way.push(next);
            if next == to {
                break;
            }
        }
        way.into_iter().map(|at| events[at].operation).collect()
    }

    /// Returns the cycle of sessions that wait for each other, found from a session that waits.
    fn ring(&self, session: u32) -> CausalViolation {
        let mut order = Vec::new();
        let mut seen = FxHashMap::default();
        let mut session = session as usize;
        while !seen.contains_key(&session) {
            seen.insert(session, order.len());
            let reader = &self.all.events[self.at[session].0];
            let change = self.changes[reader.value as usize];
            order.push([reader.operation, self.all.events[change.event as usize].operation]);
            session =
                self.changers.iter().position(|&changer| changer == change.session).expect("it changes something");
        }
        CausalViolation::Ring { ring: order.split_off(seen[&session]).into_flattened() }
    }
}

/// Extends operations that contradict causal consistency by others that prove that those of unknown outcome took
/// place: each of these needs an observer of the value it set, and not all observers may be of unknown outcome
/// themselves.
pub(crate) fn show(all: &[AccessEvent], gathered: &mut Vec<u32>) {
    let find = |gathered: &[u32], values: &[u32]| {
        let sees = |event: &&AccessEvent| {
            event.touch == AccessKind::Look && values.contains(&event.value) && !gathered.contains(&event.operation)
        };
        all.iter().filter(sees).max_by_key(|event| event.certain).map(|event| event.operation)
    };
    let sets =
        |operation: u32| all.iter().filter(move |event| event.touch == AccessKind::Set && event.operation == operation);
    let mut at = 0;
    while at < gathered.len() {
        let operation = gathered[at];
        at += 1;
        let Some(set) = sets(operation).find(|event| !event.certain) else { continue };
        let sees = |event: &AccessEvent| event.touch == AccessKind::Look && event.value == set.value;
        let is_seen =
            |event: &AccessEvent| event.operation != operation && gathered.contains(&event.operation) && sees(event);
        if !all.iter().any(is_seen) {
            gathered.extend(find(gathered, &[set.value]));
        }
    }
    while !all.iter().any(|event| event.certain && gathered.contains(&event.operation)) {
        let values: Vec<u32> =
            gathered.iter().flat_map(|&operation| sets(operation)).map(|event| event.value).collect();
        let Some(seer) = find(gathered, &values) else { return };
        gathered.push(seer);
    }
}
