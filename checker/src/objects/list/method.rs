//! Lists that only grow: `append` at the end, and `read` of the whole list. Takes O(n log n) and the total length of
//! the lists that were read, even if equal elements are appended.

use std::{cmp::Reverse, collections::BinaryHeap};

use histories::{Outcome, Value, ValueId};
use rustc_hash::FxHashMap;

use super::{specification::appends, violation::ListViolation};
use crate::{
    objects::{
        growth::{Growth, sweep},
        key::{Key, SolveError, says_nothing},
    },
    unknown::unsupported,
};

/// Returns an order of one list, or the violation; exact, with appends of unknown outcome.
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
pub(super) fn order(key: &Key<'_>) -> Result<Vec<u32>, SolveError<ListViolation>> {
    for &index in &key.operations {
        key.steps(1, 0)?;
        let operation = key.operation(index);
        let name = key.name(operation);
        match appends(name) {
            None => return Err(key.lacks(operation).into()),
            Some(true) if says_nothing(operation) => {}
            Some(false) if operation.outcome == Outcome::Info || seen(key, index).is_some() => {}
            Some(_) => return unsupported(format!("such a {name} of a list")),
        }
    }
    let _held = key.affords(key.operations.len() * 120)?;
    let longest = longest(key)?;
    let begin = initial(key).len();
    let list: &[Value] = longest.map_or(initial(key), |read| seen(key, read).expect("it is a read with a list"));
    let _list = key.affords(list.len() * 60)?;
    let id = |element: &Value| key.history.values.find(element).unwrap_or(ValueId::UNKNOWN);
    let list: Vec<ValueId> = list.iter().map(id).collect();
    let mut elements: FxHashMap<ValueId, Element> = FxHashMap::default();
    for (place, &element) in list.iter().enumerate().skip(begin) {
        elements.entry(element).or_default().places.push(place);
    }
    let mut growing = ListSweep { longest, list, elements, growth: Growth::new(key, begin) };
    sweep(key, &mut growing, ListSweep::begin, ListSweep::complete)?;
    Ok(growing.growth.order)
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
fn longest(key: &Key<'_>) -> Result<Option<u32>, SolveError<ListViolation>> {
    let reads = || key.operations.iter().copied().filter(|&index| is_read(key, index));
    let of = |read| seen(key, read).unwrap_or_default();
    let Some(longest) = reads().max_by_key(|&read| (of(read).len(), Reverse(read))) else { return Ok(None) };
    let list = of(longest);
    if !list.starts_with(initial(key)) {
        return Err(SolveError::Violation(ListViolation::NotInitial(longest)));
    }
    for read in reads() {
        key.steps(1 + of(read).len(), 0)?;
        if of(read).len() < initial(key).len() {
            return Err(SolveError::Violation(ListViolation::NotInitial(read)));
        }
        if !list.starts_with(of(read)) {
            return Err(SolveError::Violation(ListViolation::Fork(read, longest)));
        }
    }
    Ok(Some(longest))
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
    /// Longest read, and the list that it returned.
    longest: Option<u32>,
    list: Vec<ValueId>,
    elements: FxHashMap<ValueId, Element>,
    /// Growth of the list, beyond `list` if elements were appended to that.
    growth: Growth<'a, usize>,
}

impl ListSweep<'_> {
    fn begin(&mut self, index: u32) {
        let key = self.growth.key;
        let operation = key.operation(index);
        if appends(key.name(operation)) == Some(true) {
            self.elements.entry(operation.input).or_default().open.push(Reverse((key.end(index), index)));
        } else if let Some(seen) = seen(key, index) {
            self.growth.begin_read(index, seen.len());
        }
    }

    /// Lets the list grow to this length, at most to that of the longest list, before the operation at `index`
    /// completes.
    fn grow(&mut self, length: usize, index: u32) -> Result<(), ListViolation> {
        while self.growth.size < length {
            let place = self.growth.size;
            let element = self.elements.get_mut(&self.list[place]).expect("each element of the list has places");
            let Some(Reverse((_, append))) = element.open.pop() else {
                return Err(ListViolation::Missing { place, needed_by: index, longest: self.longest.unwrap_or(index) });
            };
            element.taken += 1;
            self.growth.grow(append);
        }
        Ok(())
    }

    fn complete(&mut self, index: u32) -> Result<(), ListViolation> {
        let key = self.growth.key;
        if self.growth.has_happened(index) {
            return Ok(());
        }
        if let Some(seen) = seen(key, index).filter(|_| is_read(key, index)) {
            self.grow(seen.len(), index)?;
            let longest = self.longest.unwrap_or(index);
            let is_stale = !self.growth.has_happened(index);
            return if is_stale { Err(ListViolation::Stale { read: index, longest }) } else { Ok(()) };
        }
        let input = key.operation(index).input;
        let element = &self.elements[&input];
        if let Some(&place) = element.places.get(element.taken) {
            return self.grow(place + 1, index);
        }
        self.grow(self.list.len(), index)?;
        let element = self.elements.get_mut(&input).expect("it has begun");
        element.open.pop().expect("of those that took no place, the one that ends first is this");
        self.growth.grow(index);
        Ok(())
    }
}
