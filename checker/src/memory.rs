//! Memory that all methods share, and what tables take of it.

use std::{
    cell::Cell,
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
};

use rustc_hash::{FxHashMap, FxHashSet};

/// Memory that all methods on all threads share, so that one heavy key can have all of it.
pub struct Memory {
    max_bytes: usize,
    /// What owners of shares said that they hold.
    held_bytes: AtomicUsize,
    /// What may be taken at any moment, and nobody has measured yet.
    promised_bytes: AtomicUsize,
    in_use: Option<Box<dyn Fn() -> usize + Send + Sync>>,
}

impl Memory {
    /// This many bytes for what the methods hold, by their own account; the history does not count.
    pub const fn new(max_bytes: usize) -> Self {
        Self { max_bytes, held_bytes: AtomicUsize::new(0), promised_bytes: AtomicUsize::new(0), in_use: None }
    }

    /// This many bytes for all that `in_use` counts, which is asked every few thousand steps and before anything large is made.
    pub fn measured(max_bytes: usize, in_use: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        Self { in_use: Some(Box::new(in_use)), ..Self::new(max_bytes) }
    }

    /// Whether as many bytes more may be taken now.
    pub fn has_room(&self, more: usize) -> bool {
        let used = self.in_use.as_ref().map_or_else(|| self.held_bytes.load(Ordering::Relaxed), |in_use| in_use());
        // Promises are among what is in use soon after they were given: they count only for who wants more.
        let promised = if more == 0 { 0 } else { self.promised_bytes.load(Ordering::Relaxed) };
        used.saturating_add(promised).saturating_add(more) <= self.max_bytes
    }

    /// Whether it is known what is in use, so that nothing needs to be estimated long before.
    pub(crate) fn is_measured(&self) -> bool {
        self.in_use.is_some()
    }

    /// What one search holds of it: nothing at first.
    pub(crate) fn share(&self) -> Share<'_> {
        Share { memory: self, bytes: 0, promise: Promise::new(self) }
    }

    /// What searches leave to keys that need little: they can take all there is.
    fn spare_bytes(&self) -> usize {
        self.max_bytes / 32
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}

/// What somebody may take until he asks again.
#[derive(Debug)]
pub(crate) struct Promise<'a> {
    memory: &'a Memory,
    bytes: Cell<usize>,
}

impl<'a> Promise<'a> {
    pub(crate) fn new(memory: &'a Memory) -> Self {
        Self { memory, bytes: Cell::new(0) }
    }

    /// Whether as many bytes may be taken now; what was promised before is taken, or not wanted any more.
    pub(crate) fn renew(&self, bytes: usize) -> bool {
        self.memory.promised_bytes.fetch_sub(self.bytes.replace(0), Ordering::Relaxed);
        let is_given = self.memory.has_room(bytes);
        if is_given && bytes > 0 {
            self.memory.promised_bytes.fetch_add(bytes, Ordering::Relaxed);
            self.bytes.set(bytes);
        }
        is_given
    }
}

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        self.memory.promised_bytes.fetch_sub(self.bytes.get(), Ordering::Relaxed);
    }
}

/// A part of a [`Memory`], given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share<'a> {
    memory: &'a Memory,
    bytes: usize,
    promise: Promise<'a>,
}

impl Share<'_> {
    /// What its owner may hold now, in bytes.
    pub(crate) fn most(&self) -> usize {
        let Memory { max_bytes, ref held_bytes, ref promised_bytes, ref in_use } = *self.memory;
        match in_use {
            Some(in_use) => {
                let used = in_use() + promised_bytes.load(Ordering::Relaxed) + self.memory.spare_bytes();
                self.bytes + max_bytes.saturating_sub(used)
            }
            None => max_bytes.saturating_sub(held_bytes.load(Ordering::Relaxed).saturating_sub(self.bytes)),
        }
    }

    /// Says that its owner now holds, or will before it asks again, so many bytes; whether it may.
    pub(crate) fn hold(&mut self, bytes: usize) -> bool {
        let growth = bytes.saturating_sub(self.bytes);
        let held = self.account(bytes);
        match self.memory.in_use {
            Some(_) => self.promise.renew(growth + self.memory.spare_bytes()),
            None => held <= self.memory.max_bytes,
        }
    }

    /// Says that its owner now holds so many bytes, for which there was room; how many all hold.
    pub(crate) fn account(&mut self, bytes: usize) -> usize {
        // Wraps where less is held than before, and so does the sum.
        let more = bytes.wrapping_sub(self.bytes);
        self.bytes = bytes;
        self.memory.held_bytes.fetch_add(more, Ordering::Relaxed).wrapping_add(more)
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
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::{Memory, Promise};

    #[test]
    fn one_search_can_have_what_others_do_not_hold() {
        let memory = Memory::new(100);
        let (mut one, mut other) = (memory.share(), memory.share());
        assert!(one.hold(100) && !other.hold(1), "all of it is held");
        assert!(one.hold(60) && other.hold(40) && !other.hold(41));
        drop(one);
        assert!(other.hold(100) && !other.hold(101));
    }

    #[test]
    fn what_is_measured_counts_and_what_was_promised_to_others() {
        let used = Arc::new(AtomicUsize::new(40));
        let memory = Memory::measured(100, {
            let used = Arc::clone(&used);
            move || used.load(Ordering::Relaxed)
        });
        let (one, other) = (Promise::new(&memory), Promise::new(&memory));
        assert!(one.renew(50) && !other.renew(50) && other.renew(10));
        used.store(90, Ordering::Relaxed);
        assert!(one.renew(0), "what it was promised, it has taken");
        assert!(!one.renew(1), "the other may take the rest");
        drop(other);
        assert!(one.renew(10) && !memory.has_room(1));
        used.store(101, Ordering::Relaxed);
        assert!(!one.renew(0));
    }

    #[test]
    fn a_search_leaves_some_of_what_is_measured() {
        let memory = Memory::measured(320, || 20);
        let mut share = memory.share();
        assert_eq!(share.most(), 290);
        assert!(share.hold(290) && !share.hold(600));
    }
}
