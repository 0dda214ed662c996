//! What is asked of the checker: the model, and when to give up.

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
};

use histories::Value;

/// What one key of the system is meant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Model {
    /// `read`, `write` and `cas`.
    Register,
    /// As `Register`, and `append` (adds text at the end; an absent value counts as empty text) and `delete` (makes the
    /// value [`Options::initial`] again).
    KeyValue,
    /// Several registers at once: `read` and `write` of values such as `{"x": 1}`, or Jepsen's `txn` with
    /// `[["r", "x", 1], ["w", "y", 2]]`. [`Options::initial`] is what each register holds, or a map of that.
    MultiRegister,
    /// `add`, `remove` and `contains` of an element, and `read` of all; begins with the elements of the list
    /// [`Options::initial`], if it is one, as all collections do.
    Set,
    /// `inc` (or `add`) and `dec`, by 1 or a given number, and `read`; begins with the number [`Options::initial`], or 0 where
    /// that is absent.
    Counter,
    /// First in, first out: `enqueue`, `dequeue` and `peek`. As in all collections, finding nothing is answered with `null`.
    Queue,
    /// `add`, and `take` of any element.
    Bag,
    /// Last in, first out: `push`, `pop` and `peek`.
    Stack,
    /// `insert` of whole numbers, and `poll` and `peek` of the smallest.
    PriorityQueue,
    /// `acquire`, and `release` by the process that holds it; free at first.
    Mutex,
    /// As `Mutex`, but `acquire` answers with a number, larger than all before and than [`Options::initial`], if that is one.
    FencedLock,
    /// `append` at the end, and `read` of the whole list.
    List,
}

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

static ROOMY: Memory = Memory::new(4 << 30);

/// When to give up: the verdict is then [`crate::Verdict::Unknown`] for the keys that are not decided yet. And whom to tell how far
/// the check is.
#[derive(Clone, Copy)]
pub struct Limits<'a> {
    /// Asked every few thousand steps, from any of the checking threads; `false` ends the check.
    pub keep_going: &'a (dyn Fn() -> bool + Sync),
    /// What the searches may hold, all threads together; the history itself does not count.
    pub memory: &'a Memory,
    /// Told after each key how many operations are decided by then, from any of the checking threads.
    pub decided: &'a (dyn Fn(usize) + Sync),
}

/// What to check, and how.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// What a key is.
    pub model: Model,
    /// What each key holds before anything was written, and what an absent key reads as.
    pub initial: Value,
    /// Check every key even after a violation was found; otherwise the keys that are left are reported as unknown.
    pub all: bool,
    /// Leave out the methods that fit only some histories, and decide by the general search: to compare them.
    pub search_only: bool,
    /// Report the order that was found: see [`crate::KeyReport::order`].
    pub keep_order: bool,
    /// When to give up.
    pub limits: Limits<'a>,
    /// How many keys are checked at once; at least 1.
    pub threads: usize,
}

impl Limits<'static> {
    /// No limit in time; 4 GiB, shared with all others that have no limit; nobody is told.
    pub fn none() -> Self {
        Self { keep_going: &|| true, memory: &ROOMY, decided: &|_| {} }
    }
}

impl Options<'static> {
    /// Every key of `model`, initially absent, on one thread and without a limit in time.
    pub fn new(model: Model) -> Self {
        Self {
            model,
            initial: Value::Nil,
            all: true,
            search_only: false,
            keep_order: false,
            limits: Limits::none(),
            threads: 1,
        }
    }
}

impl fmt::Debug for Limits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits").field("memory", &self.memory).finish_non_exhaustive()
    }
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
