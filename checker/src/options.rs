//! Options of a check: the model, the initial value, and how thorough it is.

use histories::Value;

use crate::{Limits, Model};

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
