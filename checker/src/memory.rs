//! Memory that all searches share, and what tables take of it.

use std::sync::atomic::{AtomicUsize, Ordering};

use rustc_hash::{FxHashMap, FxHashSet};

/// Memory that the searches of all threads share, so that one heavy key can have all of it.
#[derive(Debug)]
pub struct Memory {
    max_bytes: usize,
    held_bytes: AtomicUsize,
}

impl Memory {
    /// This many bytes.
    pub const fn new(max_bytes: usize) -> Self {
        Self { max_bytes, held_bytes: AtomicUsize::new(0) }
    }

    /// What one search holds of it: nothing at first.
    pub(crate) fn share(&self) -> Share<'_> {
        Share { memory: self, bytes: 0 }
    }
}

/// A part of a [`Memory`], given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share<'a> {
    memory: &'a Memory,
    bytes: usize,
}

impl Share<'_> {
    /// What its owner may hold now, in bytes.
    pub(crate) fn most(&self) -> usize {
        let others = self.memory.held_bytes.load(Ordering::Relaxed).saturating_sub(self.bytes);
        self.memory.max_bytes.saturating_sub(others)
    }

    /// Says that its owner now holds so many bytes; whether all owners together may hold what they do.
    pub(crate) fn hold(&mut self, bytes: usize) -> bool {
        // Wraps where less is held than before, and so does the sum.
        let more = bytes.wrapping_sub(self.bytes);
        self.bytes = bytes;
        self.memory.held_bytes.fetch_add(more, Ordering::Relaxed).wrapping_add(more) <= self.memory.max_bytes
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.memory.held_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What a vector takes, in bytes, when it holds so many more: one that is full doubles.
pub(crate) fn of_vec<T>(vec: &Vec<T>, more: usize) -> usize {
    let needed = vec.len() + more;
    let capacity = if needed <= vec.capacity() { vec.capacity() } else { needed.max(2 * vec.capacity()) };
    capacity * size_of::<T>()
}

/// What a hash table takes, in bytes, when it holds so many more: one that is full doubles, and both stand until all has moved.
pub(crate) fn of_table<K, V>(table: &FxHashMap<K, V>, more: usize) -> usize {
    of_buckets(table.len() + more, table.capacity(), size_of::<(K, V)>())
}

/// As [`of_table`].
pub(crate) fn of_set<K>(set: &FxHashSet<K>, more: usize) -> usize {
    of_buckets(set.len() + more, set.capacity(), size_of::<K>())
}

fn of_buckets(needed: usize, capacity: usize, entry: usize) -> usize {
    // An eighth of them stays free, or one.
    let buckets =
        |capacity: usize| if capacity == 0 { 0 } else { (capacity + (capacity / 7).max(1)).next_power_of_two() };
    let after = if needed <= capacity { 0 } else { buckets(needed.max(capacity + 1)) };
    (buckets(capacity) + after) * (entry + 1)
}

#[cfg(test)]
mod tests {
    use super::Memory;

    #[test]
    fn one_search_can_have_what_others_do_not_hold() {
        let memory = Memory::new(100);
        let (mut one, mut other) = (memory.share(), memory.share());
        assert!(one.hold(100) && !other.hold(1), "all of it is held");
        assert!(one.hold(60) && other.hold(40) && !other.hold(41));
        drop(one);
        assert!(other.hold(100) && !other.hold(101));
    }
}
