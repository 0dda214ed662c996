//! Memory budget that all methods share, and estimates of the memory of tables.

use std::{
    cell::Cell,
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
};

use histories::{Edn, Value};
use rustc_hash::{FxHashMap, FxHashSet};

/// Memory budget shared by all methods on all threads, so that one hard key can use all of it.
pub struct Memory {
    max_bytes: usize,
    /// Sum of the bytes that the owners of shares report as held.
    held_bytes: AtomicUsize,
    /// Bytes that were promised but may not show in a measurement yet.
    promised_bytes: AtomicUsize,
    in_use: Option<Box<dyn Fn() -> usize + Send + Sync>>,
}

impl Memory {
    /// Limits what the methods hold, by their own account, to this many bytes. The history does not count.
    pub const fn new(max_bytes: usize) -> Self {
        Self { max_bytes, held_bytes: AtomicUsize::new(0), promised_bytes: AtomicUsize::new(0), in_use: None }
    }

    /// Limits the memory counted by `in_use` to this many bytes. `in_use` is called every few thousand steps and
    /// before each large allocation.
    pub fn measured(max_bytes: usize, in_use: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        Self { in_use: Some(Box::new(in_use)), ..Self::new(max_bytes) }
    }

    /// Returns true if `more` bytes can be taken now.
    pub fn has_room(&self, more: usize) -> bool {
        let used = self.in_use.as_ref().map_or_else(|| self.held_bytes.load(Ordering::Relaxed), |in_use| in_use());
        // Promised memory is soon part of what is in use, so it counts only against requests for more.
        let promised = if more == 0 { 0 } else { self.promised_bytes.load(Ordering::Relaxed) };
        used.saturating_add(promised).saturating_add(more) <= self.max_bytes
    }

    /// Returns true if the memory in use is measured, so that there is no need to estimate it long in advance.
    pub(crate) fn is_measured(&self) -> bool {
        self.in_use.is_some()
    }

    /// Opens the share of one search, which holds nothing at first.
    pub(crate) fn share(&self) -> Share<'_> {
        Share { memory: self, bytes: 0, promise: Promise::new(self) }
    }

    /// Returns the bytes that searches leave free for keys that need little.
    fn spare_bytes(&self) -> usize {
        self.max_bytes / 32
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}

/// Bytes that the owner may take before asking again.
#[derive(Debug)]
pub(crate) struct Promise<'a> {
    memory: &'a Memory,
    bytes: Cell<usize>,
}

impl<'a> Promise<'a> {
    pub(crate) fn new(memory: &'a Memory) -> Self {
        Self { memory, bytes: Cell::new(0) }
    }

    /// Replaces the promise by one of this many bytes and returns true if there is room for it. What was promised
    /// before is either taken by now or no longer wanted.
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

/// Part of a [`Memory`], given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share<'a> {
    memory: &'a Memory,
    bytes: usize,
    promise: Promise<'a>,
}

impl Share<'_> {
    /// Returns the number of bytes that the owner may hold now.
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

    /// Records that the owner holds this many bytes, or will before it asks again. Returns true if it may.
    pub(crate) fn hold(&mut self, bytes: usize) -> bool {
        let growth = bytes.saturating_sub(self.bytes);
        let held = self.account(bytes);
        match self.memory.in_use {
            Some(_) => self.promise.renew(growth + self.memory.spare_bytes()),
            None => held <= self.memory.max_bytes,
        }
    }

    /// Records that the owner holds this many bytes, for which there was room. Returns the bytes that all owners hold
    /// together.
    pub(crate) fn account(&mut self, bytes: usize) -> usize {
        // The difference wraps if less is held than before, and the sum wraps back.
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

/// Returns the bytes that a vector takes with `more` elements added: a full one doubles.
pub(crate) fn of_vec<T>(vec: &Vec<T>, more: usize) -> usize {
    let needed = vec.len() + more;
    let capacity = if needed <= vec.capacity() { vec.capacity() } else { needed.max(2 * vec.capacity()) };
    capacity * size_of::<T>()
}

/// Returns the bytes that a hash table takes with `more` entries added: a full one doubles, and both tables exist
/// until all entries have moved.
pub(crate) fn of_table<K, V>(table: &FxHashMap<K, V>, more: usize) -> usize {
    of_buckets(table.len() + more, table.capacity(), size_of::<(K, V)>())
}

/// Returns the bytes that a hash set takes, like [`of_table`].
pub(crate) fn of_set<K>(set: &FxHashSet<K>, more: usize) -> usize {
    of_buckets(set.len() + more, set.capacity(), size_of::<K>())
}

fn of_buckets(needed: usize, capacity: usize, entry: usize) -> usize {
    // An eighth of the buckets stays free, at least one.
    let buckets =
        |capacity: usize| if capacity == 0 { 0 } else { (capacity + (capacity / 7).max(1)).next_power_of_two() };
    let after = if needed <= capacity { 0 } else { buckets(needed.max(capacity + 1)) };
    (buckets(capacity) + after) * (entry + 1)
}

/// Returns the bytes that these values take, each with `place` bytes of whatever holds it.
pub(crate) fn of_values<'v>(values: impl IntoIterator<Item = &'v Value>, place: usize) -> usize {
    values.into_iter().map(|value| place + of_value(value)).sum()
}

/// Returns the bytes that an ordered map or set takes whose keys are these values. Its smallest node has room for
/// eleven entries, and half of each may be free.
pub(crate) fn of_tree<'v>(keys: impl IntoIterator<Item = &'v Value>, entry: usize) -> usize {
    12 * entry + of_values(keys, 2 * entry)
}

/// Returns the bytes that a value takes beside its own size.
fn of_value(value: &Value) -> usize {
    const VALUE: usize = size_of::<Value>();
    match value {
        Value::Nil | Value::Bool(_) | Value::Int(_) => 0,
        Value::Number(_) => 2 * VALUE,
        Value::Str(text) => text.len(),
        Value::List(items) => of_values(items, VALUE),
        Value::Map(map) => map.iter().map(|(key, value)| 2 * VALUE + of_value(key) + of_value(value)).sum(),
        Value::Edn(edn) => {
            size_of::<Edn>()
                + match &**edn {
                    Edn::Keyword(text) | Edn::Symbol(text) => text.len(),
                    Edn::Char(_) => 0,
                    Edn::Set(items) => of_values(items, VALUE),
                    Edn::Tagged(tag, value) => tag.len() + of_value(value),
                }
        }
    }
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
