//! Which values a read of one key can no longer return in any order of the operations.
//!
//! Let `v` be a value that a read returns, and `U` an operation that certainly changed the key and completed before the read began. If all
//! operations that could leave `v` behind completed before `U` was invoked, and none of them has an unknown outcome or is still open, then
//! each order has them before `U`, and `U` before the read: `v` was gone. In text, what tells `v` is its last token: text that ends in it
//! must have been made by its writer, and so, where each token is written once, before `U`.

use std::collections::BTreeMap;

use histories::Value;

/// What a key holds, and the token that was written last.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    pub(super) value: Value,
    /// Nothing holds none.
    pub(super) token: Option<u64>,
}

/// What is known of one key. Of unique values only the newest are remembered; of those forgotten nothing is claimed.
#[derive(Debug)]
pub(super) struct Proof {
    remembered: usize,
    writers: BTreeMap<u64, Writers>,
    replaced_at: Option<u64>,
}

/// All operations that could leave one token behind.
#[derive(Debug, Default)]
struct Writers {
    open: u32,
    unknown: bool,
    /// Index of the last completion.
    ended: Option<u64>,
    /// What the key held with this token, if it ever did.
    left: Value,
}

impl Proof {
    /// Remembers at most so many tokens.
    pub(super) fn new(remembered: usize) -> Self {
        Self { remembered, writers: BTreeMap::new(), replaced_at: None }
    }

    /// Index of the latest invocation among the changes that completed.
    pub(super) fn replaced_at(&self) -> Option<u64> {
        self.replaced_at
    }

    /// A writer of `token` was invoked.
    pub(super) fn begin(&mut self, token: u64) {
        self.writers.entry(token).or_default().open += 1;
        if self.writers.len() > self.remembered {
            self.writers.pop_first();
        }
    }

    /// The key changed to `held`.
    pub(super) fn holds(&mut self, held: &Held) {
        if let Some(writers) = held.token.and_then(|token| self.writers.get_mut(&token)) {
            writers.left = held.value.clone();
        }
    }

    /// A writer of `token` changed nothing.
    pub(super) fn cancel(&mut self, token: u64) {
        if let Some(writers) = self.writers.get_mut(&token) {
            writers.open -= 1;
        }
    }

    /// Nobody knows what came of a writer of `token`.
    pub(super) fn lose(&mut self, token: u64) {
        if let Some(writers) = self.writers.get_mut(&token) {
            writers.unknown = true;
        }
    }

    /// A change, of `token` if it leaves one, that was invoked at one index completed at another.
    pub(super) fn end(&mut self, token: Option<u64>, invoked: u64, completed: u64) {
        if let Some(writers) = token.and_then(|token| self.writers.get_mut(&token)) {
            writers.open -= 1;
            writers.ended = Some(completed);
        }
        self.replaced_at = self.replaced_at.max(Some(invoked));
    }

    /// Whether no read that began when [`Proof::replaced_at`] was `replaced_at`, and ends now, can return `held`.
    pub(super) fn is_stale(&self, held: &Held, replaced_at: Option<u64>) -> bool {
        let writers = held.token.and_then(|token| self.writers.get(&token));
        writers.is_some_and(|writers| writers.are_before(replaced_at))
    }

    /// The newest such value.
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
