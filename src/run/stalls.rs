//! Stalls of the host: times in which it was too busy to let the harness, and so perhaps the nodes, go on. They excuse
//! a system that did not answer, as a pause of all nodes would.

use std::{
    convert::Infallible,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use super::{availability::time_ns, leadership::Span};

/// Interval in which the harness looks whether it is late.
const TICK: Duration = Duration::from_millis(10);

/// Clock that notices how late it is.
#[derive(Debug)]
pub(super) struct StallWatch {
    /// Time 0 of the history.
    origin: Instant,
    /// Delay from which on a tick tells of a stall.
    limit: Duration,
    found: Mutex<Vec<Span>>,
}

impl StallWatch {
    /// Creates a watch for stalls that last at least as long as half a probe waits.
    pub(super) fn new(origin: std::time::Instant, probe: Duration) -> Self {
        Self { origin: Instant::from_std(origin), limit: probe / 2, found: Mutex::default() }
    }

    /// Watches until dropped.
    pub(super) async fn keep_watching(&self) -> Infallible {
        loop {
            let due = Instant::now() + TICK;
            sleep_until(due).await;
            self.note(due, Instant::now());
        }
    }

    /// Notes a tick that was due at one time and came at another.
    fn note(&self, due: Instant, came: Instant) {
        if came.saturating_duration_since(due) >= self.limit {
            let [from_ns, until_ns] = [due, came].map(|at| time_ns(self.origin, at));
            let stall = Span { from_ns, until_ns };
            self.found.lock().unwrap_or_else(PoisonError::into_inner).push(stall);
        }
    }

    /// Returns the stalls so far.
    pub(super) fn found(&self) -> Vec<Span> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_late_is_a_stall() {
        let origin = std::time::Instant::now();
        let watch = StallWatch::new(origin, Duration::from_millis(100));
        let at = |ms| Instant::from_std(origin) + Duration::from_millis(ms);
        watch.note(at(10), at(59));
        watch.note(at(70), at(120));
        assert_eq!(watch.found(), [Span { from_ns: 70_000_000, until_ns: 120_000_000 }]);
    }
}
