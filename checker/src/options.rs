//! What is asked of the checker: the model, and when to give up.

use std::{fmt, mem::ManuallyDrop};

use histories::Value;

use crate::{
    memory::Memory,
    patience::{OutOf, Patience},
};

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
    /// `inc` and `dec`, by 1 or a given number, `add` and `subtract` of a number, and `read`; begins with the number [`Options::initial`], or 0 where
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

static ROOMY: Memory = Memory::new(4 << 30);

/// When to give up: the verdict is then [`crate::Verdict::Unknown`] for the keys that are not decided yet. And whom to tell how far
/// the check is.
#[derive(Clone, Copy)]
pub struct Limits<'a> {
    /// Asked every few thousand steps, from any of the checking threads; `false` ends the check.
    pub keep_going: &'a (dyn Fn() -> bool + Sync),
    /// What may be held, all threads together.
    pub memory: &'a Memory,
    /// Whether a search that `keep_going` ended leaves what it held to the end of the process: giving millions of states back can take
    /// half the time that it took to find them.
    pub abandon: bool,
    /// Told after each key how many operations are decided by then, from any of the checking threads.
    pub decided: &'a (dyn Fn(usize) + Sync),
}

/// What to check, and how.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Options<'a> {
    /// What a key is.
    pub model: Model,
    /// Nobody said that this is the model: where the operations of a key speak against it, the key is unknown instead of not linearizable.
    pub guessed: bool,
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
        Self { keep_going: &|| true, memory: &ROOMY, abandon: false, decided: &|_| {} }
    }
}

impl Limits<'_> {
    /// Gives back what a search held, or leaves it where time has run out.
    pub(crate) fn give_back<T>(&self, held: T) {
        let held = ManuallyDrop::new(held);
        if !self.abandon || (self.keep_going)() {
            drop(ManuallyDrop::into_inner(held));
        }
    }

    /// Whether there is time and memory to go on.
    pub(crate) fn ask(&self) -> Result<(), OutOf> {
        Patience::new(self).ask()
    }
}

impl Options<'static> {
    /// Every key of `model`, initially absent, on one thread and without a limit in time.
    pub fn new(model: Model) -> Self {
        Self {
            model,
            guessed: false,
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
