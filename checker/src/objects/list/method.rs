//! Lists that only grow: `append` at the end, and `read` of the whole list. Takes O(n log n) and the total length of
//! the lists that were read, even if equal elements are appended.

use std::{cmp::Reverse, collections::BinaryHeap};

use histories::{NEVER, Outcome, Value, ValueId};
use rustc_hash::FxHashMap;

use super::{evidence::ListViolation, specification::appends};
use crate::{
    UnknownWhy,
    objects::key::{Claim, Key, says_nothing},
};

/// Decides one list, exactly, with appends of unknown outcome.
///
/// The final list begins with each list that was read, so each of these begins with all shorter ones, and the longest
/// shows what the list was at each length. The length is then a counter with distinguishable increments: each place
/// of the longest list needs an append of its element. As for a [counter](crate::objects::counter), the sweep lets the
/// list grow only when it must: when an append completes that is not in it yet, which takes the next place of its
/// element, or one after the longest list if there is none; or when a read completes that saw more. A place takes the
/// open append of its element that ends first.
///
/// Sound: the result is an order. Complete: the list is never longer than in any order. If an append takes a place
/// when it completes, then all earlier places of its element had been filled, in every order by then, each by an
/// append that ends before this one, or at a time when this one had not begun: so in every order as many appends of
/// the element have places as here. If a place has no append when it must be filled, then in every order the same
/// number had begun, and the places before used them all. An append of unknown outcome that nothing needs did not
/// happen.
pub(super) fn decide(key: &Key<'_>) -> Result<Claim, UnknownWhy> {
    Ok(match order(key)? {
        Ok(order) => Claim::Order(order),
        Err(wrong) => Claim::Violation(wrong.told(key)),
    })
}

/// Returns an order, or the violation.
pub(super) fn order(key: &Key<'_>) -> Result<Result<Vec<u32>, ListViolation>, UnknownWhy> {
    for &index in &key.operations {
        key.steps(1, 0)?;
        let operation = key.operation(index);
        let name = key.name(operation);
        match appends(name) {
            None => return Err(key.lacks(operation)),
            Some(true) if says_nothing(operation) => {}
            Some(false) if operation.outcome == Outcome::Info || seen(key, index).is_some() => {}
            Some(_) => return Err(UnknownWhy::Unsupported { what: format!("such a {name} of a list") }),
        }
    }
    let _held = key.affords(key.operations.len() * 120)?;
    let longest = match longest(key)? {
        Ok(longest) => longest,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let begin = initial(key).len();
    let list: &[Value] = longest.map_or(initial(key), |read| seen(key, read).expect("it is a read with a list"));
    let _list = key.affords(list.len() * 60)?;
    let id = |element: &Value| key.history.values.find(element).unwrap_or(ValueId::UNKNOWN);
    let list: Vec<ValueId> = list.iter().map(id).collect();
    let mut sweep = ListSweep {
        key,
        level: begin,
        elements: FxHashMap::default(),
        list,
        waiting: BinaryHeap::new(),
        happened: vec![false; key.operations.len()],
        order: Vec::new(),
    };
    for place in begin..sweep.list.len() {
        sweep.elements.entry(sweep.list[place]).or_default().places.push(place);
    }
    sweep.run(longest)
}

/// Returns the initial list.
pub(super) fn initial<'a>(key: &Key<'a>) -> &'a [Value] {
    if let Value::List(items) = key.initial { items } else { &[] }
}

/// Returns the list that a read returned, if it is a list and known.
pub(super) fn seen<'a>(key: &Key<'a>, read: u32) -> Option<&'a [Value]> {
    let operation = key.operation(read);
    match key.history.value(operation.output) {
        _ if operation.outcome != Outcome::Ok => None,
        Value::List(items) => Some(items),
        Value::Nil => Some(&[]),
        _ => None,
    }
}

/// Returns the first of the longest reads, after comparing all shorter ones with it.
fn longest(key: &Key<'_>) -> Result<Result<Option<u32>, ListViolation>, UnknownWhy> {
    let reads = || key.operations.iter().copied().filter(|&index| is_read(key, index));
    let of = |read| seen(key, read).unwrap_or_default();
    let Some(longest) = reads().max_by_key(|&read| (of(read).len(), Reverse(read))) else { return Ok(Ok(None)) };
    let list = of(longest);
    if !list.starts_with(initial(key)) {
        return Ok(Err(ListViolation::NotInitial(longest)));
    }
    for read in reads() {
        key.steps(1 + of(read).len(), 0)?;
        if of(read).len() < initial(key).len() {
            return Ok(Err(ListViolation::NotInitial(read)));
        }
        if !list.starts_with(of(read)) {
            return Ok(Err(ListViolation::Fork(read, longest)));
        }
    }
    Ok(Ok(Some(longest)))
}

fn is_read(key: &Key<'_>, index: u32) -> bool {
    let operation = key.operation(index);
    operation.outcome == Outcome::Ok && appends(key.name(operation)) == Some(false)
}

/// Appends and places of equal elements.
#[derive(Default)]
struct Element {
    /// Appends that have begun and taken no place yet, by their ends.
    open: BinaryHeap<Reverse<(u32, u32)>>,
    /// Places in the longest list, ascending.
    places: Vec<usize>,
    taken: usize,
}

struct ListSweep<'a> {
    key: &'a Key<'a>,
    /// Longest list that was read.
    list: Vec<ValueId>,
    /// Current length of the list; more than that of `list` if elements were appended to it.
    level: usize,
    elements: FxHashMap<ValueId, Element>,
    /// Reads that have begun and saw more, by the length that they saw.
    waiting: BinaryHeap<Reverse<(usize, u32)>>,
    /// True for the operations, by their place in the key, that have taken effect.
    happened: Vec<bool>,
    order: Vec<u32>,
}

impl ListSweep<'_> {
    fn run(mut self, longest: Option<u32>) -> Result<Result<Vec<u32>, ListViolation>, UnknownWhy> {
        let key = self.key;
        let certain = |&index: &u32| key.operation(index).outcome == Outcome::Ok;
        let mut ends: Vec<u32> = key.operations.iter().copied().filter(certain).collect();
        ends.sort_unstable_by_key(|&index| key.operation(index).completed);
        let mut begun = key.operations.iter().copied().peekable();
        for (explained, index) in ends.into_iter().enumerate() {
            key.steps(1, explained)?;
            let end = key.operation(index).completed;
            while let Some(next) = begun.next_if(|&next| key.operation(next).invoked < end) {
                self.begin(next);
            }
            if let Err(place) = self.complete(index) {
                return Ok(Err(match place {
                    None => ListViolation::Stale { read: index, longest: longest.unwrap_or(index) },
                    Some(place) => {
                        ListViolation::Missing { place, needed_by: index, longest: longest.unwrap_or(index) }
                    }
                }));
            }
        }
        Ok(Ok(self.order))
    }

    fn happen(&mut self, index: u32) {
        let place = self.key.operations.binary_search(&index).expect("it is one of the key's operations");
        self.happened[place] = true;
        self.order.push(index);
    }

    fn has_happened(&self, index: u32) -> bool {
        self.key.operations.binary_search(&index).is_ok_and(|place| self.happened[place])
    }

    fn begin(&mut self, index: u32) {
        let operation = self.key.operation(index);
        if appends(self.key.name(operation)) == Some(true) {
            let end = if operation.outcome == Outcome::Ok { operation.completed } else { NEVER };
            self.elements.entry(operation.input).or_default().open.push(Reverse((end, index)));
        } else if let Some(seen) = seen(self.key, index) {
            match seen.len() {
                length if length == self.level => self.happen(index),
                length if length > self.level => self.waiting.push(Reverse((length, index))),
                _ => {}
            }
        }
    }

    /// Lets the list grow to this length, at most to that of the longest list. Returns the first place that no append
    /// can fill, as an error.
    fn grow(&mut self, length: usize) -> Result<(), usize> {
        while self.level < length {
            let element = self.elements.get_mut(&self.list[self.level]).expect("each element of the list has places");
            let Reverse((_, append)) = element.open.pop().ok_or(self.level)?;
            element.taken += 1;
            self.level += 1;
            self.happen(append);
            self.answer();
        }
        Ok(())
    }

    /// Lets the reads take effect that saw the list as it is now.
    fn answer(&mut self) {
        while let Some(&Reverse((length, read))) = self.waiting.peek()
            && length == self.level
        {
            self.waiting.pop();
            self.happen(read);
        }
    }

    /// Completes an operation. If it cannot complete, returns the place that it needs and that no append can fill, or
    /// `None` if the list was too long already when the read began.
    fn complete(&mut self, index: u32) -> Result<(), Option<usize>> {
        if self.has_happened(index) {
            return Ok(());
        }
        if let Some(seen) = seen(self.key, index).filter(|_| is_read(self.key, index)) {
            self.grow(seen.len())?;
            return if self.has_happened(index) { Ok(()) } else { Err(None) };
        }
        let element = &self.elements[&self.key.operation(index).input];
        if let Some(&place) = element.places.get(element.taken) {
            return Ok(self.grow(place + 1)?);
        }
        self.grow(self.list.len())?;
        let element = self.elements.get_mut(&self.key.operation(index).input).expect("it has begun");
        element.open.pop().expect("of those that took no place, the one that ends first is this");
        self.level += 1;
        self.happen(index);
        Ok(())
    }
}
