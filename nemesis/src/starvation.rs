//! Starvation of a node: a thread of its own stops all its processes and lets them go on in turn, so that they get only
//! a share of the processor, whatever the others of the host do.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::process_group::ProcessGroup;

/// Number of periods after which processes that have left the group are looked for again, which takes longer than a
/// signal.
const PERIODS_PER_SEARCH: u32 = 20;

/// Share of a period in which a node may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DutyCycle {
    /// Time for which it runs.
    pub(crate) runs: Duration,
    /// Time for which it then stands still.
    pub(crate) stands: Duration,
}

impl DutyCycle {
    /// Returns the cycle in which a node runs for a percentage, at most 100, of each period.
    pub(crate) fn new(cpu_percent: u8, period_ms: u64) -> Self {
        let period = Duration::from_millis(period_ms);
        let runs = period * u32::from(cpu_percent) / 100;
        Self { runs, stands: period.saturating_sub(runs) }
    }
}

/// Starvation in force. When this value is dropped, all processes go on, and no signal follows.
#[derive(Debug)]
pub(crate) struct Starvation {
    over: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Starvation {
    /// Begins to starve a group, which must not be reaped before the value is dropped.
    pub(crate) fn begin(group: ProcessGroup, cycle: DutyCycle) -> io::Result<Self> {
        let over = Arc::new((Mutex::new(false), Condvar::new()));
        let until = Arc::clone(&over);
        let thread = thread::Builder::new().name("starvation".into()).spawn(move || starve(&group, cycle, &until))?;
        Ok(Self { over, thread: Some(thread) })
    }
}

impl Drop for Starvation {
    fn drop(&mut self) {
        *self.over.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.over.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // It has nothing to report.
            thread.join().ok();
        }
    }
}

/// Stops a group and lets it go on in turn, until that is over. A signal fails only when nobody is left.
fn starve(group: &ProcessGroup, cycle: DutyCycle, over: &(Mutex<bool>, Condvar)) {
    let is_over_after = |time| {
        let over_yet = over.0.lock().unwrap_or_else(PoisonError::into_inner);
        *over.1.wait_timeout_while(over_yet, time, |over| !*over).unwrap_or_else(PoisonError::into_inner).0
    };
    let mut strays = BTreeSet::new();
    for period in (0..PERIODS_PER_SEARCH).cycle() {
        if period == 0 {
            strays = group.stop().unwrap_or_default();
        } else {
            group.signal_with(&strays, Signal::SIGSTOP).ok();
        }
        let was_over = is_over_after(cycle.stands);
        group.signal_with(&strays, Signal::SIGCONT).ok();
        if was_over || is_over_after(cycle.runs) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_each_period_is_left() {
        let ms = Duration::from_millis;
        assert_eq!(DutyCycle::new(20, 25), DutyCycle { runs: ms(5), stands: ms(20) });
        assert_eq!(DutyCycle::new(100, 10), DutyCycle { runs: ms(10), stands: ms(0) });
    }
}
