//! Progress of a load.

use std::sync::atomic::{AtomicU64, Ordering};

use histories::EventType;

/// Counters of the operations completed so far, readable during the run.
#[derive(Debug, Default)]
pub struct Progress {
    ok: AtomicU64,
    fail: AtomicU64,
    info: AtomicU64,
}

impl Progress {
    /// Returns the number of operations that took effect.
    pub fn ok(&self) -> u64 {
        self.ok.load(Ordering::Relaxed)
    }

    /// Returns the number of operations that did not take effect.
    pub fn fail(&self) -> u64 {
        self.fail.load(Ordering::Relaxed)
    }

    /// Returns the number of operations with unknown outcome.
    pub fn info(&self) -> u64 {
        self.info.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self, kind: EventType) {
        let counter = match kind {
            EventType::Ok => &self.ok,
            EventType::Fail => &self.fail,
            EventType::Info => &self.info,
            EventType::Invoke => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
