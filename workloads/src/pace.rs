//! When the next operation is due, over all workers together.

use std::time::Duration;

use tokio::time::Instant;

use crate::random::Random;

/// How far behind its rate a run may catch up at once; what is later than that is left out.
const MAX_LAG: Duration = Duration::from_millis(100);

/// Spreads operations over time: between two of them lies a random time with the mean that the rate demands.
#[derive(Debug)]
pub(crate) struct Pace {
    mean: Option<Duration>,
    due: Instant,
    gaps: Random,
}

impl Pace {
    /// `rate` operations each second; 0 is as fast as it goes.
    pub(crate) fn new(rate: u32, start: Instant, seed: u64) -> Self {
        let mean = (rate > 0).then(|| Duration::from_secs(1) / rate);
        Self { mean, due: start, gaps: Random::new(seed, "pace") }
    }

    /// When the caller may act; `now` at the earliest is up to the caller.
    pub(crate) fn next(&mut self, now: Instant) -> Instant {
        let Some(mean) = self.mean else { return now };
        let due = self.due.max(now.checked_sub(MAX_LAG).unwrap_or(now));
        // Uniform between nothing and twice the mean, in thousandths of it.
        self.due = due + mean * self.gaps.below(2001) / 1000;
        due
    }
}
