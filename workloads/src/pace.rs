//! Pace of the operations of all workers together.

use std::time::Duration;

use crate::random::Random;

/// Maximum lag behind the rate that is caught up at once; operations that were due earlier are skipped.
const MAX_LAG: Duration = Duration::from_millis(100);

/// Schedule of operations with random gaps, whose mean is given by the rate. Times count from the start of the load.
#[derive(Debug)]
pub struct Pace {
    mean: Option<Duration>,
    due: Duration,
    gaps: Random,
}

impl Pace {
    /// Creates a schedule of `rate` operations per second; 0 means no limit.
    pub fn new(rate: u32, seed: u64) -> Self {
        let mean = (rate > 0).then(|| Duration::from_secs(1) / rate);
        Self { mean, due: Duration::ZERO, gaps: Random::new(seed, "pace") }
    }

    /// Returns the time of the next operation, which may lie before `now`.
    pub fn next(&mut self, now: Duration) -> Duration {
        let Some(mean) = self.mean else { return now };
        let due = self.due.max(now.saturating_sub(MAX_LAG));
        // Uniform between zero and twice the mean, in steps of a thousandth of the mean.
        self.due = due + mean * self.gaps.below(2001) / 1000;
        due
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{MAX_LAG, Pace};

    #[test]
    fn the_mean_is_the_rate() {
        let start = Duration::ZERO;
        let mut pace = Pace::new(1000, 3);
        let last = (0..=10_000).map(|_| pace.next(start)).last().expect("there are some");
        let seconds = last.saturating_sub(start).as_secs_f64();
        assert!((9.5..10.5).contains(&seconds), "{seconds}");
    }

    #[test]
    fn times_do_not_go_back() {
        let start = Duration::ZERO;
        let mut pace = Pace::new(10, 3);
        let times: Vec<_> = (0..100).map(|_| pace.next(start)).collect();
        assert!(times.is_sorted());
    }

    #[test]
    fn what_was_missed_is_not_made_up_for() {
        let start = Duration::ZERO;
        let later = start + Duration::from_mins(1);
        let mut pace = Pace::new(100, 3);
        assert_eq!(pace.next(later), later.saturating_sub(MAX_LAG));
        let at_once = (0..6000).take_while(|_| pace.next(later) <= later).count();
        assert!(at_once <= 30, "{at_once} operations follow at once");
    }

    #[test]
    fn without_a_rate_everybody_may_act_now() {
        let start = Duration::ZERO;
        let mut pace = Pace::new(0, 3);
        assert_eq!(pace.next(start + MAX_LAG), start + MAX_LAG);
    }
}
