//! Proof that a read of a key cannot return a value in any order of the operations.
//!
//! Let `v` be a value that a read returns, and `U` an operation that certainly changed the key and completed before the
//! read was invoked. If all operations that could leave `v` behind completed before `U` was invoked, and none of them
//! has an unknown outcome or is still open, then every order places them before `U`, and `U` before the read: `v` had
//! been replaced. A text is identified by its last token: a text that ends in it must have been produced by the writer
//! of the token, and so, as each token is written once, before `U`.

use std::collections::BTreeMap;

use histories::Value;

/// State of a key, and the token that was written last.
#[derive(Clone, Debug, Default)]
pub(super) struct HeldValue {
    pub(super) value: Value,
    /// The token; none while the key is absent.
    pub(super) token: Option<u64>,
}

/// Knowledge about one key. Of unique values only the newest are remembered; nothing is claimed about the others.
#[derive(Debug)]
pub(super) struct Proof {
    remembered: usize,
    writers: BTreeMap<u64, Writers>,
    replaced_at: Option<u64>,
}

/// Operations that could leave one token behind.
#[derive(Debug, Default)]
struct Writers {
    open: u32,
    unknown: bool,
    /// Index of the last completion.
    ended: Option<u64>,
    /// Value of the key with this token, if it ever had it.
    left: Value,
}

impl Proof {
    /// Creates the knowledge about a key, of at most `remembered` tokens.
    pub(super) fn new(remembered: usize) -> Self {
        Self { remembered, writers: BTreeMap::new(), replaced_at: None }
    }

    /// Returns the latest index of an invocation among the changes that completed.
    pub(super) fn replaced_at(&self) -> Option<u64> {
        self.replaced_at
    }

    /// Notes that a writer of `token` was invoked.
    pub(super) fn begin(&mut self, token: u64) {
        self.writers.entry(token).or_default().open += 1;
        if self.writers.len() > self.remembered {
            self.writers.pop_first();
        }
    }

    /// Notes that the key changed to `held`.
    pub(super) fn holds(&mut self, held: &HeldValue) {
        if let Some(writers) = held.token.and_then(|token| self.writers.get_mut(&token)) {
            writers.left = held.value.clone();
        }
    }

    /// Notes that a writer of `token` completed without a change.
    pub(super) fn cancel(&mut self, token: u64) {
        if let Some(writers) = self.writers.get_mut(&token) {
            writers.open -= 1;
        }
    }

    /// Notes that the outcome of a writer of `token` is unknown.
    pub(super) fn lose(&mut self, token: u64) {
        if let Some(writers) = self.writers.get_mut(&token) {
            writers.unknown = true;
        }
    }

    /// Notes that a change completed, with the indexes of its invocation and completion, and with the token that it
    /// leaves, if any.
    pub(super) fn end(&mut self, token: Option<u64>, invoked: u64, completed: u64) {
        if let Some(writers) = token.and_then(|token| self.writers.get_mut(&token)) {
            writers.open -= 1;
            writers.ended = Some(completed);
        }
        self.replaced_at = self.replaced_at.max(Some(invoked));
    }

    /// Returns true if no read that was invoked when [`Proof::replaced_at`] was `replaced_at`, and ends now, can return
    /// `held`.
    pub(super) fn is_stale(&self, held: &HeldValue, replaced_at: Option<u64>) -> bool {
        let writers = held.token.and_then(|token| self.writers.get(&token));
        writers.is_some_and(|writers| writers.are_before(replaced_at))
    }

    /// Returns the newest value that is stale in this sense.
    pub(super) fn stale_value(&self, replaced_at: Option<u64>) -> Option<Value> {
        let stale = |writers: &&Writers| writers.left != Value::Nil && writers.are_before(replaced_at);
        self.writers.values().filter(stale).max_by_key(|writers| writers.ended).map(|writers| writers.left.clone())
    }
}

impl Writers {
    fn are_before(&self, invoked: Option<u64>) -> bool {
        !self.unknown && self.open == 0 && self.ended.is_some() && self.ended < invoked
    }
}
