//! Generator of workloads with one read of a key and, in the rest of the operations, changes of it.

use std::fmt;

use crate::{Action, Answer, Generator, Mix, Request, keys::Keys, random::Random};

/// Generator of reads, all of them alike, and of changes that do not depend on the answers.
pub(crate) struct Mixed<C> {
    functions: Random,
    keys: Keys,
    read_percent: u8,
    read: Action,
    change: C,
}

impl<C: FnMut(&mut Random) -> Action> Mixed<C> {
    /// Creates the generator of the workload `name`, whose changes `change` draws.
    pub(crate) fn new(seed: u64, name: &str, mix: &Mix, read: Action, change: C) -> Self {
        Self {
            functions: Random::new(seed, &format!("{name} function")),
            keys: Keys::new(seed, &format!("{name} key"), mix),
            read_percent: mix.read_percent,
            read,
            change,
        }
    }
}

impl<C> fmt::Debug for Mixed<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mixed").field("keys", &self.keys).field("read", &self.read).finish_non_exhaustive()
    }
}

impl<C: FnMut(&mut Random) -> Action + Send> Generator for Mixed<C> {
    fn next(&mut self, _worker: u16) -> Request {
        let key = self.keys.draw();
        if self.functions.below(100) < u32::from(self.read_percent) {
            return Request::new(key, self.read.clone());
        }
        self.keys.count_change(key);
        Request::new(key, (self.change)(&mut self.functions))
    }

    fn observe(&mut self, _worker: u16, request: &Request, answer: &Answer) {
        self.keys.observe(request, answer);
    }

    fn keys(&self) -> Vec<u32> {
        self.keys.all()
    }
}
