//! Number of unknown changes of each class that a configuration has used: lists of the non-zero counts, each list
//! stored once.

use rustc_hash::FxHashMap;

use crate::memory::{of_table, of_vec};

/// Number of a list of counts. Equal lists have equal numbers; 0 is the empty list.
pub(super) type CountsId = u32;

type List = Box<[(u32, u32)]>;

#[derive(Debug)]
pub(super) struct Counts {
    lists: Vec<List>,
    numbers: FxHashMap<List, CountsId>,
    totals: Vec<u32>,
    /// Bytes of the lists themselves, each of which is held twice.
    bytes: usize,
}

impl Counts {
    pub(super) fn new() -> Self {
        let empty = List::default();
        Self { lists: vec![empty.clone()], numbers: [(empty, 0)].into_iter().collect(), totals: vec![0], bytes: 0 }
    }

    fn number(&mut self, list: Vec<(u32, u32)>) -> CountsId {
        let list = List::from(list);
        if let Some(&known) = self.numbers.get(&list) {
            return known;
        }
        let number = CountsId::try_from(self.lists.len()).expect("the memory limit is reached long before");
        self.bytes += 2 * size_of_val(&*list);
        self.totals.push(list.iter().map(|&(_, count)| count).sum());
        self.lists.push(list.clone());
        self.numbers.insert(list, number);
        number
    }

    /// Returns the number of changes of `class` that were used.
    pub(super) fn of(&self, used: CountsId, class: u32) -> u32 {
        let list = &self.lists[used as usize];
        list.binary_search_by_key(&class, |&(class, _)| class).map_or(0, |at| list[at].1)
    }

    /// Returns the number of changes of all classes that were used.
    pub(super) fn total(&self, used: CountsId) -> u32 {
        self.totals[used as usize]
    }

    /// Returns the counts with one more of `class`.
    pub(super) fn use_up(&mut self, used: CountsId, class: u32) -> CountsId {
        let mut list = self.lists[used as usize].to_vec();
        match list.binary_search_by_key(&class, |&(class, _)| class) {
            Ok(at) => list[at].1 += 1,
            Err(at) => list.insert(at, (class, 1)),
        }
        self.number(list)
    }

    /// Returns the counts without the classes that are not `kept`.
    pub(super) fn keep(&mut self, used: CountsId, kept: impl Fn(u32) -> bool) -> CountsId {
        let list = &self.lists[used as usize];
        if list.iter().all(|&(class, _)| kept(class)) {
            return used;
        }
        let list = list.iter().copied().filter(|&(class, _)| kept(class)).collect();
        self.number(list)
    }

    /// Returns true if `a` has used no more of any class than `b`.
    pub(super) fn covers(&self, a: CountsId, b: CountsId) -> bool {
        if a == b || a == 0 {
            return true;
        }
        let (a, mut b) = (&self.lists[a as usize], self.lists[b as usize].iter());
        a.iter().all(|&(class, count)| b.any(|&(other, most)| other == class && count <= most))
    }

    /// Returns the memory held with `more` lists added, in bytes.
    pub(super) fn memory_bytes(&self, more: usize) -> usize {
        self.bytes + of_vec(&self.lists, more) + of_vec(&self.totals, more) + of_table(&self.numbers, more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_of_every_class_covers() {
        let mut counts = Counts::new();
        let two = counts.use_up(0, 2);
        let two_five = counts.use_up(two, 5);
        let five_two = counts.use_up(counts.of(0, 5), 5);
        let five_two = counts.use_up(five_two, 2);
        assert_eq!(two_five, five_two, "equal lists have one number");
        let twice = counts.use_up(two_five, 2);
        assert_eq!((counts.of(twice, 2), counts.of(twice, 5), counts.of(twice, 3), counts.total(twice)), (2, 1, 0, 3));
        assert!(counts.covers(two, two_five) && counts.covers(two_five, twice) && counts.covers(0, two));
        assert!(!counts.covers(two_five, two) && !counts.covers(twice, two_five) && !counts.covers(two, 0));
        assert_eq!(counts.keep(twice, |class| class == 5), counts.use_up(0, 5));
    }
}
