//! Read uncommitted, for few transactions: decides if their writes can be ordered without interleaving.
//!
//! Only certain transactions count. Reads may return anything, and still show the order of lists. If everything read
//! of a list is a prefix of its longest read, each transaction's elements must be adjacent in it, and what is not in
//! it comes after it. Otherwise, one element comes before another if a read says so and none says the opposite. A
//! read says so if it has the first before the second, or without it.

use histories::ValueId;
use rustc_hash::{FxHashMap, FxHashSet};

use super::history::{MOST, SmallDecision, SmallHistory, SmallStep};
use crate::{
    UnknownWhy,
    sorted::sorted,
    transactions::{
        facts::common_prefix,
        indices::{KeyIndex, TransactionIndex},
        limit::Limit,
    },
};

/// Longest read of one list, and what each transaction may have added to it.
struct Order<'h> {
    list: &'h [ValueId],
    /// Number of additions of each value, by transaction.
    added: Vec<FxHashMap<ValueId, usize>>,
    /// Values that may have been added by a transaction that did not certainly commit.
    foreign: FxHashSet<ValueId>,
}

pub(super) fn decide(small: &SmallHistory<'_>, limit: &Limit<'_>) -> Result<SmallDecision, UnknownWhy> {
    let certain: Vec<TransactionIndex> = small.all().filter(|at| small.transaction(*at).certain).collect();
    let (mut orders, mut before) = (Vec::new(), vec![0_u64; small.transactions.len()]);
    for (key, claims) in small.claims().into_iter().enumerate() {
        let key = KeyIndex::from(key);
        let claims: Vec<&[ValueId]> =
            claims.into_iter().map(|claim| &claim[common_prefix(claim, &small.initial.list)..]).collect();
        let longest = claims.iter().copied().max_by_key(|claim| claim.len()).unwrap_or(&[]);
        if claims.iter().all(|claim| longest.starts_with(claim)) {
            orders.push(Order::new(small, key, longest));
            continue;
        }
        for (one, other) in pairs(small, key, &claims, &certain) {
            before[other.index()] |= one.bit();
        }
    }
    let mut search = UncommittedSearch { small, certain, orders, before, tried: FxHashSet::default(), limit };
    let places = vec![0; search.orders.len()];
    Ok(if search.rest(0, &places)? { SmallDecision::Explained(Vec::new()) } else { SmallDecision::Refuted })
}

fn added(small: &SmallHistory<'_>, at: TransactionIndex, key: KeyIndex) -> impl Iterator<Item = ValueId> {
    small.transaction(at).steps.iter().filter_map(move |step| match *step {
        SmallStep::Append { key: other, value } if other == key => Some(value),
        _ => None,
    })
}

/// Returns the pairs of transactions of which the first added something before the second, as far as reads agree.
fn pairs(
    small: &SmallHistory<'_>,
    key: KeyIndex,
    claims: &[&[ValueId]],
    certain: &[TransactionIndex],
) -> Vec<(TransactionIndex, TransactionIndex)> {
    let writer = |value: ValueId| {
        let mut all = small.all().filter(|at| added(small, *at, key).any(|other| other == value));
        let is_failed = small.failed(key).any(|other| other == value);
        all.next().filter(|first| !is_failed && all.next().is_none() && certain.contains(first))
    };
    let values: Vec<(ValueId, TransactionIndex)> = (certain.iter())
        .flat_map(|at| added(small, *at, key))
        .filter_map(|value| Some((value, writer(value)?)))
        .collect();
    let says = |one: ValueId, other: ValueId| {
        claims.iter().any(|claim| {
            let place = |value: ValueId| claim.iter().position(|element| *element == value);
            place(one).is_some_and(|first| place(other).is_none_or(|then| first < then))
        })
    };
    let mut pairs = Vec::new();
    for &(one, first) in &values {
        for &(other, then) in &values {
            if first != then && says(one, other) && !says(other, one) {
                pairs.push((first, then));
            }
        }
    }
    pairs
}

impl<'h> Order<'h> {
    fn new(small: &SmallHistory<'_>, key: KeyIndex, list: &'h [ValueId]) -> Self {
        let mut of_certain: FxHashSet<ValueId> = FxHashSet::default();
        let mut foreign = FxHashSet::default();
        let mut all = Vec::new();
        for at in small.all() {
            let mut counts = FxHashMap::default();
            for value in added(small, at, key) {
                *counts.entry(value).or_default() += 1;
                if small.transaction(at).certain {
                    of_certain.insert(value);
                } else {
                    foreign.insert(value);
                }
            }
            all.push(counts);
        }
        foreign.extend(small.failed(key));
        // A value that no certain transaction added can be anywhere.
        foreign.extend(list.iter().filter(|value| !of_certain.contains(value)));
        Self { list, added: all, foreign }
    }

    /// Returns all places up to which the list can have been written once this transaction has added its elements.
    fn after(&self, at: TransactionIndex, place: usize) -> Vec<usize> {
        let mut ends = Vec::new();
        self.consume(place, &mut self.added[at.index()].clone(), &mut ends);
        sorted(ends)
    }

    fn consume(&self, place: usize, left: &mut FxHashMap<ValueId, usize>, ends: &mut Vec<usize>) {
        let is_empty = left.values().all(|count| *count == 0);
        if is_empty || self.rest_is_foreign(place) {
            ends.push(if is_empty { place } else { self.list.len() });
        }
        let Some(&next) = self.list.get(place) else { return };
        if is_empty {
            return;
        }
        if left.get(&next).is_some_and(|count| *count > 0) {
            *left.entry(next).or_default() -= 1;
            self.consume(place + 1, left, ends);
            *left.entry(next).or_default() += 1;
        }
        if self.foreign.contains(&next) {
            self.consume(place + 1, left, ends);
        }
    }

    fn rest_is_foreign(&self, place: usize) -> bool {
        self.list[place..].iter().all(|value| self.foreign.contains(value))
    }
}

struct UncommittedSearch<'a, 'h> {
    small: &'a SmallHistory<'h>,
    certain: Vec<TransactionIndex>,
    orders: Vec<Order<'h>>,
    /// Transactions whose elements come before those of each transaction, as bits.
    before: Vec<u64>,
    tried: FxHashSet<(u64, Vec<usize>)>,
    limit: &'a Limit<'a>,
}

impl UncommittedSearch<'_, '_> {
    fn rest(&mut self, done: u64, places: &[usize]) -> Result<bool, UnknownWhy> {
        self.limit.step()?;
        if self.certain.iter().all(|at| done & at.bit() != 0) {
            return Ok(self.orders.iter().zip(places).all(|(order, place)| order.rest_is_foreign(*place)));
        }
        if !self.tried.insert((done, places.to_vec())) {
            return Ok(false);
        }
        debug_assert!(self.small.transactions.len() <= MOST, "they are told apart by bits");
        for at in self.certain.clone() {
            let waits = self.before[at.index()] & !done != 0;
            if done & at.bit() == 0 && !waits && self.place(done | at.bit(), at, 0, &mut places.to_vec())? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Goes through the lists from `number` on, trying each end that the transaction's elements can have there.
    fn place(
        &mut self,
        done: u64,
        at: TransactionIndex,
        number: usize,
        places: &mut Vec<usize>,
    ) -> Result<bool, UnknownWhy> {
        let Some(order) = self.orders.get(number) else { return self.rest(done, &places.clone()) };
        let saved = places[number];
        for end in order.after(at, saved) {
            places[number] = end;
            if self.place(done, at, number + 1, places)? {
                return Ok(true);
            }
        }
        places[number] = saved;
        Ok(false)
    }
}
