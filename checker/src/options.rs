//! Options of a check: the model, the initial value, and how thorough it is.

use histories::Value;

use crate::Limits;

/// Type of the object under each key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Model {
    /// Register with `read`, `write` and `cas`.
    Register,
    /// `Register` with `append` (adds text at the end; an absent value counts as empty text) and `delete` (sets the
    /// value back to [`Options::initial`]).
    KeyValue,
    /// Several registers that are accessed together: `read` and `write` of values such as `{"x": 1}`, or Jepsen's
    /// `txn` with `[["r", "x", 1], ["w", "y", 2]]`. [`Options::initial`] is the value of each register, or a map from
    /// registers to values.
    MultiRegister,
    /// Set with `add`, `remove` and `contains` of an element, and `read` of all elements. If [`Options::initial`] is
    /// a list, the set begins with its elements, as do all collections.
    Set,
    /// Counter with `inc` and `dec`, by 1 or a given number, `add` and `subtract` of a number, and `read`. Begins
    /// with the number [`Options::initial`], or 0 if that is absent.
    Counter,
    /// Queue, first in, first out: `enqueue`, `dequeue` and `peek`. As in all collections, the answer is `null` if it
    /// is empty.
    Queue,
    /// Bag with `add`, and `take` of any element.
    Bag,
    /// Stack, last in, first out: `push`, `pop` and `peek`.
    Stack,
    /// Priority queue with `insert` of integers, and `poll` and `peek` of the smallest.
    PriorityQueue,
    /// Lock with `acquire`, and `release` by the process that holds it. Free at first.
    Mutex,
    /// `Mutex` whose `acquire` answers with a fencing token: a number larger than all before it, and than
    /// [`Options::initial`] if that is a number.
    FencedLock,
    /// List with `append` at the end, and `read` of the whole list.
    List,
}

/// Model of the history, limits, and how to check it.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Options<'a> {
    /// Type of the object under each key.
    pub model: Model,
    /// True if the model was guessed. A key whose operations do not fit it is then unknown instead of not
    /// linearizable.
    pub guessed: bool,
    /// Value of each key before the first write, and what a read of an absent key returns.
    pub initial: Value,
    /// True to check every key even after a violation was found; otherwise the remaining keys are reported as
    /// unknown.
    pub all: bool,
    /// True to use the general search only, without the methods for special cases: for comparing them.
    pub search_only: bool,
    /// True to report the order that was found, in [`crate::KeyReport::order`].
    pub keep_order: bool,
    /// Limits of the check.
    pub limits: Limits<'a>,
    /// Number of keys that are checked at once; at least 1.
    pub threads: usize,
}

impl Options<'static> {
    /// Checks every key of `model`, initially absent, on one thread without a time limit.
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
