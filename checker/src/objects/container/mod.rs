//! Containers: the common part of queues, stacks, priority queues and bags in which each value is put in once. It
//! finds the operations of each value, when it was certainly inside, and which values a take of unknown outcome may
//! have removed.
//!
//! Moments are gaps between events: gap `g` follows the key's event number `g`. An operation that starts at event `s`
//! and ends at event `e` can take effect in the gaps `s..e`. A value is certainly inside in the gaps
//! `put_end..take_start`.

pub(super) mod collection;
pub(super) mod gaps;
pub(super) mod names;
mod smaller;
mod words;

use histories::{NEVER, Outcome, Value, ValueId};
use rustc_hash::FxHashMap;

use super::key::{Claim, Key, SolveError, Violation, says_nothing};
use crate::{
    UnknownWhy,
    index::{OptionalIndex, indices},
    specification::items,
    unknown::unsupported,
};
use names::Names;

pub(super) use smaller::decide;

/// Kind of container.
pub(super) struct ContainerKind {
    /// Name for messages.
    pub noun: &'static str,
    /// Names of its functions.
    pub names: &'static Names,
    /// Method that finds an order of everything, or the reason why there is none. Exact if nothing has an unknown
    /// outcome.
    pub solve: fn(&Key<'_>, &Container) -> Claim,
    /// Ranks of an item that decide whether a value, if it is inside when the take of another one begins, must have
    /// been removed before that one: it must if its first rank is greater than the second rank of the other.
    pub blocks: fn(&Item) -> (u64, u64),
    /// True if a value may be put in more than once: then the k-th put of it by start belongs to the k-th take of it
    /// by end. Only for kinds in which the order of takes of different values does not matter.
    pub may_repeat: bool,
    /// True if `solve` finds places for peeks at the value that would be taken next.
    pub may_peek: bool,
}

/// Value with the operations that put it in and took it out, and their times.
#[derive(Clone, Copy)]
pub(super) struct Item {
    pub value: ValueId,
    /// Number, or 0 if the value is not a number; used only by priority queues.
    pub number: i64,
    /// Index of the operation that put it in.
    pub put: u32,
    /// Index of the operation that took it out, if any did.
    pub take: OptionalIndex,
    pub put_start: u32,
    /// End of the put; no later than `take_end`.
    pub put_end: u32,
    /// Start of the take; no earlier than `put_start`.
    pub take_start: u32,
    pub take_end: u32,
    /// Range of its peeks among all peeks, and in `peeked` their last start, which is no later than `take_start`.
    pub peeks: (u32, u32),
    pub peeked: u32,
}

impl Item {
    pub(super) fn is_taken(&self) -> bool {
        self.take.get().is_some()
    }

    /// Returns the operation that took it out, where it is known that one did.
    pub(super) fn taker(&self) -> u32 {
        self.take.get().expect("something took it out")
    }

    /// Returns the operations that put it in and took it out.
    pub(super) fn operations(&self) -> impl Iterator<Item = u32> + use<> {
        [self.put].into_iter().chain(self.take.get())
    }
}

/// Peek that found the value that would be taken next.
#[derive(Clone, Copy)]
pub(super) struct Peek {
    pub operation: u32,
    pub start: u32,
    pub end: u32,
}

/// Take (or peek) that found the container empty.
#[derive(Clone, Copy)]
pub(super) struct Empty {
    pub operation: u32,
    pub start: u32,
    pub end: u32,
}

indices! {
    /// Place of an item among the items.
    Place,
}

/// Puts of each value, in the order of their starts.
struct Puts {
    /// Item that the next take of each value gets; the last one stays.
    first: FxHashMap<ValueId, Place>,
    /// Next item of the same value after each item.
    next: Vec<OptionalIndex<Place>>,
}

/// History of one container.
pub(super) struct Container {
    /// Name for messages.
    noun: &'static str,
    names: &'static Names,
    pub items: Vec<Item>,
    pub empties: Vec<Empty>,
    /// Peeks by the values that they found.
    peeks: Vec<Peek>,
    /// Number of gaps; each event number is less.
    pub gaps: u32,
    /// Takes of unknown outcome by their starts: (start, operation).
    adrift: Vec<(u32, u32)>,
    /// True if some value was put in more than once.
    repeats: bool,
}

/// Decides one container of values that are put in once each.
///
/// A put of unknown outcome whose value was never taken need not have happened: without its value, every take still
/// finds what it found. A take of unknown outcome may have removed a value that no other took. Some values must have
/// been removed, since something was taken that could not be taken while they were inside: whichever take removed
/// such a value began before that other take ended. So a schedule by earliest deadline first finds a take for each of
/// them, or there are too few takes in every order. With these takes assigned, an order is an order. If there is
/// none, the values whose takes are known may still have none by themselves, which is a violation. Anything else is
/// not decided here.
///
/// A peek at the value that would be taken next shows that it was inside: it was put in by the end of the peek, and
/// is taken after its start. A violation is not made smaller here.
fn decide_once(key: &Key<'_>, kind: &ContainerKind) -> Claim {
    let mut container = Container::gather(key, kind)?;
    match container.decide(key, kind) {
        // Other pairs of puts and takes may have an order.
        Err(SolveError::Violation(_)) if container.repeats => kind.refuse_repeats(),
        claim => claim,
    }
}

impl ContainerKind {
    /// Refuses a value that is put in more than once.
    fn refuse_repeats<T, E: From<UnknownWhy>>(&self) -> Result<T, E> {
        unsupported(format!("a {} with a value that is put in more than once", self.noun))
    }
}

impl Container {
    fn decide(&mut self, key: &Key<'_>, kind: &ContainerKind) -> Claim {
        if self.adrift.is_empty() {
            return (kind.solve)(key, self);
        }
        self.assign(key, kind)?;
        match (kind.solve)(key, self) {
            Err(SolveError::Violation(_)) => {}
            claim => return claim,
        }
        let known = |item: &Item| item.take.get().is_some_and(|take| key.operation(take).outcome == Outcome::Ok);
        self.items.retain(known);
        (kind.solve)(key, self)?;
        unsupported(format!("a {} with takes of unknown outcome", kind.noun))
    }

    fn gather(key: &Key<'_>, kind: &ContainerKind) -> Result<Self, SolveError> {
        if items(key.initial).is_some_and(|items| !items.is_empty()) {
            return unsupported(format!("a {} that is not empty at first", kind.noun));
        }
        let (spans, events) = spans(key)?;
        let gaps = events + 4;
        let (items, empties, adrift) = (Vec::new(), Vec::new(), Vec::new());
        let peeks = Vec::new();
        let mut container =
            Self { noun: kind.noun, names: kind.names, items, empties, peeks, gaps, adrift, repeats: false };
        let (mut takes, mut peeks) = (Vec::new(), Vec::new());
        for (&index, &(start, end)) in key.operations.iter().zip(&spans) {
            key.steps(1, 0)?;
            let operation = key.operation(index);
            let name = key.name(operation);
            if kind.names.put.contains(&name) {
                let value = operation.input;
                let says_nothing = says_nothing(operation) || *key.history.value(operation.output) == Value::Bool(true);
                if value == ValueId::NIL || !says_nothing {
                    return unsupported(format!("such a {name}"));
                }
                let number = if let Value::Int(number) = *key.history.value(value) { number } else { 0 };
                let (take_start, take_end) = (events + 2, events + 3);
                let (put, put_start, put_end, take) = (index, start, end, OptionalIndex::NONE);
                let (peeks, peeked) = ((0, 0), 0);
                container.items.push(Item {
                    value,
                    number,
                    put,
                    take,
                    put_start,
                    put_end,
                    take_start,
                    take_end,
                    peeks,
                    peeked,
                });
            } else if kind.names.take.contains(&name) {
                takes.push((index, start, end));
            } else if kind.may_peek && kind.names.peek.contains(&name) {
                peeks.push(Peek { operation: index, start, end });
            } else {
                return Err(key.lacks(operation).into());
            }
        }
        let mut puts = container.puts(kind)?;
        if container.repeats {
            takes.sort_unstable_by_key(|&(_, _, end)| end);
        }
        for (index, start, end) in takes {
            key.steps(1, 0)?;
            let operation = key.operation(index);
            if operation.outcome == Outcome::Ok && operation.output == ValueId::UNKNOWN {
                return unsupported(format!("{} that says not what it took", key.name(operation)));
            }
            container.take(key, &mut puts, index, start, end)?;
        }
        container.peek(key, &puts, peeks)?;
        container.adrift.sort_unstable();
        let was_seen = |item: &Item| item.is_taken() || item.peeks.0 < item.peeks.1;
        let happened = |item: &Item| was_seen(item) || key.operation(item.put).outcome == Outcome::Ok;
        container.items.retain(happened);
        Ok(container)
    }

    /// Finds the puts of each value.
    fn puts(&mut self, kind: &ContainerKind) -> Result<Puts, UnknownWhy> {
        let mut puts = Puts { first: FxHashMap::default(), next: vec![OptionalIndex::NONE; self.items.len()] };
        for (place, item) in self.items.iter().enumerate().rev() {
            let next = puts.first.insert(item.value, place.into());
            puts.next[place] = next.into();
            self.repeats |= next.is_some();
        }
        if self.repeats && !kind.may_repeat {
            return kind.refuse_repeats();
        }
        Ok(puts)
    }

    fn take(&mut self, key: &Key<'_>, puts: &mut Puts, index: u32, start: u32, end: u32) -> Result<(), Violation> {
        let operation = key.operation(index);
        if operation.outcome != Outcome::Ok {
            self.adrift.push((start, index));
            return Ok(());
        }
        if operation.output == ValueId::NIL {
            self.empties.push(Empty { operation: index, start, end });
            return Ok(());
        }
        let Some(first) = puts.first.get_mut(&operation.output) else {
            let (value, who) = (key.history.value(operation.output), key.who(key.name(operation), index));
            let (why, attempt) = key.never_added(value, |name| self.names.put.contains(&name), "put in", index);
            let operations = attempt.into_iter().chain([index]).collect();
            return Err(Violation::new(operations, format!("{who} returned {value}, {why}")));
        };
        let place = first.index();
        let item = &mut self.items[place];
        if item.is_taken() || end < item.put_start {
            return Err(self.taken_too_often(key, place, index, end));
        }
        *first = puts.next[place].get().unwrap_or(*first);
        (item.take, item.take_start, item.take_end) = (index.into(), start.max(item.put_start), end);
        item.put_end = item.put_end.min(end);
        Ok(())
    }

    /// Assigns each peek to the value that it found.
    fn peek(&mut self, key: &Key<'_>, puts: &Puts, peeks: Vec<Peek>) -> Result<(), SolveError> {
        let mut found: Vec<(usize, Peek)> = Vec::with_capacity(peeks.len());
        for peek in peeks {
            key.steps(1, 0)?;
            let operation = key.operation(peek.operation);
            let (who, value) = (|| key.who(key.name(operation), peek.operation), key.history.value(operation.output));
            match operation.output {
                _ if operation.outcome != Outcome::Ok => continue,
                ValueId::UNKNOWN => {
                    return unsupported(format!("a look into a {} that says not what it found", self.noun));
                }
                ValueId::NIL => {
                    let Peek { operation, start, end } = peek;
                    self.empties.push(Empty { operation, start, end });
                    continue;
                }
                _ => {}
            }
            let Some(place) = puts.first.get(&operation.output).map(|place| place.index()) else {
                let (why, attempt) =
                    key.never_added(value, |name| self.names.put.contains(&name), "put in", peek.operation);
                let claim = format!("{} returned {value}, {why}", who());
                let operations = attempt.into_iter().chain([peek.operation]).collect();
                return Err(Violation::new(operations, claim).into());
            };
            let item = &mut self.items[place];
            if peek.end < item.put_start || (item.is_taken() && peek.start > item.take_end) {
                let why = if peek.end < item.put_start {
                    format!("{} only began at {}", key.who_called(item.put), key.began(item.put))
                } else {
                    let taker = item.taker();
                    format!(
                        "{} had taken it out by {}",
                        key.who(key.name(key.operation(taker)), taker),
                        key.ended(taker)
                    )
                };
                let claim = format!("{} returned {value}, although {why}", who());
                let operations = item.operations().chain([peek.operation]).collect();
                return Err(Violation::new(operations, claim).into());
            }
            item.put_end = item.put_end.min(peek.end);
            item.peeked = item.peeked.max(peek.start);
            item.take_start = item.take_start.max(peek.start);
            found.push((place, peek));
        }
        found.sort_by_key(|&(place, peek)| (place, peek.operation));
        let number = |of: usize| u32::try_from(of).expect("a history has fewer operations than 2^32");
        for group in found.chunk_by(|a, b| a.0 == b.0) {
            let first = number(self.peeks.len());
            self.peeks.extend(group.iter().map(|&(_, peek)| peek));
            self.items[group[0].0].peeks = (first, number(self.peeks.len()));
        }
        Ok(())
    }

    /// Returns the peeks at this item, in the order of their starts.
    pub(super) fn peeks(&self, item: &Item) -> &[Peek] {
        &self.peeks[item.peeks.0 as usize..item.peeks.1 as usize]
    }

    /// Returns true if there are any peeks.
    pub(super) fn has_peeks(&self) -> bool {
        !self.peeks.is_empty()
    }

    /// Assigns a take of unknown outcome to every value that must have been removed and that no other took.
    fn assign(&mut self, key: &Key<'_>, kind: &ContainerKind) -> Result<(), SolveError> {
        let due = self.deadlines(key, kind)?;
        for (number, &(deadline, place, _)) in due.iter().enumerate() {
            match self.adrift.get(number) {
                Some(&(start, take)) if start < deadline => {
                    let item = &mut self.items[place];
                    (item.take, item.take_start) = (take.into(), start.max(item.put_start).max(item.peeked));
                    item.take_end = self.gaps - 3;
                }
                _ => return Err(self.too_few(key, kind, &due[..=number]).into()),
            }
        }
        Ok(())
    }

    /// Returns the values that no known take removed, but which must be gone before some operation ends, earliest
    /// first: the time of that end, the value's place, and that operation.
    fn deadlines(&self, key: &Key<'_>, kind: &ContainerKind) -> Result<Vec<(u32, usize, u32)>, UnknownWhy> {
        let size = self.gaps as usize;
        // For all takes that begin at this event or later, the one that ends first: a Fenwick tree, from the end.
        let mut first_end = vec![(NEVER, OptionalIndex::NONE); size + 1];
        let add = |tree: &mut Vec<(u32, OptionalIndex)>, start: u32, end: u32, operation: u32| {
            let mut at = size - start as usize;
            while at <= size {
                tree[at] = tree[at].min((end, operation.into()));
                at += at & at.wrapping_neg();
            }
        };
        for empty in &self.empties {
            add(&mut first_end, empty.start, empty.end, empty.operation);
        }
        let mut order: Vec<(u64, bool, usize)> = Vec::with_capacity(self.items.len());
        for (place, item) in self.items.iter().enumerate() {
            let (first, second) = (kind.blocks)(item);
            let is_taken = item.is_taken();
            order.push((if is_taken { second } else { first }, is_taken, place));
        }
        order.sort_unstable();
        let mut due = Vec::new();
        for (_, is_taken, place) in order {
            key.steps(1, 0)?;
            let item = &self.items[place];
            if is_taken {
                add(&mut first_end, item.take_start, item.take_end, item.taker());
                continue;
            }
            let mut at = size - item.put_end as usize;
            let mut first = (NEVER, OptionalIndex::NONE);
            while at > 0 {
                first = first.min(first_end[at]);
                at &= at - 1;
            }
            due.extend(first.1.get().map(|operation| (first.0, place, operation)));
        }
        due.sort_unstable();
        Ok(due)
    }

    /// Returns a minimal set of these items that cover the gaps from `start` to `end` by being certainly inside. All
    /// of these gaps must be covered.
    pub(super) fn chain<'a>(items: impl Iterator<Item = &'a Item>, start: u32, end: u32) -> Vec<&'a Item> {
        let mut inside: Vec<&Item> = items
            .filter(|item| item.put_end < item.take_start && item.put_end < end && item.take_start > start)
            .collect();
        inside.sort_unstable_by_key(|item| item.put_end);
        let mut inside = inside.into_iter().peekable();
        let (mut chain, mut at) = (Vec::new(), start);
        while at < end {
            let mut best: Option<&Item> = None;
            while let Some(item) = inside.next_if(|item| item.put_end <= at) {
                best = best.filter(|best| best.take_start >= item.take_start).or(Some(item));
            }
            let best = best.filter(|best| best.take_start > at).expect("all of these gaps are covered");
            chain.push(best);
            at = best.take_start;
        }
        chain
    }
}

/// Returns the start and the end of each operation, numbered by the key's own events, and the number of events.
fn spans(key: &Key<'_>) -> Result<(Vec<(u32, u32)>, u32), UnknownWhy> {
    let _held = key.affords(key.operations.len() * 160)?;
    let mut events: Vec<(u32, u32, bool)> = Vec::with_capacity(2 * key.operations.len());
    for (place, &index) in (0_u32..).zip(&key.operations) {
        key.steps(1, 0)?;
        let operation = key.operation(index);
        events.push((operation.invoked, place, false));
        if operation.outcome == Outcome::Ok {
            events.push((operation.completed, place, true));
        }
    }
    events.sort_unstable();
    let count = u32::try_from(events.len()).expect("ranks are u32");
    let mut spans = vec![(0, count + 1); key.operations.len()];
    for (rank, (_, place, is_end)) in (0_u32..).zip(events) {
        key.steps(1, 0)?;
        let span = &mut spans[place as usize];
        if is_end {
            span.1 = rank;
        } else {
            span.0 = rank;
        }
    }
    Ok((spans, count))
}
