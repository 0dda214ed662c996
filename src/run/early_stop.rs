//! Watch over a run: its history is judged while it grows, and the load ends with the first violation.
//!
//! An operation that is still open may take effect at any later time, so a violation in a beginning of a history is one
//! of the whole. Properties that only the end of a history decides are refused before the run starts.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use checker::{Limits, Verdict};
use histories::{Format, Recorder};
use tokio::sync::watch;

use super::{judge::quick_report, meter::Meter, plan::Plan, results::StoppedEarly};

/// Interval at which the history is judged, unless that takes long.
const EVERY: Duration = Duration::from_millis(500);
/// Pause after judging, in multiples of the time that it took, as it takes processors from the nodes.
const PAUSE_FACTOR: u32 = 3;
/// Time limit of the checker each time.
const CHECK_LIMIT: Duration = Duration::from_secs(30);
/// Maximum size of a history that is judged before its end, in bytes.
const MAX_BYTES: u64 = 1 << 30;

/// Watch over a run.
#[derive(Debug)]
pub(super) struct EarlyStop {
    plan: Plan,
    path: PathBuf,
    recorder: Arc<Recorder>,
    /// Time 0 of the history.
    origin: Instant,
    stopper: watch::Sender<bool>,
    found: OnceLock<StoppedEarly>,
}

impl EarlyStop {
    pub(super) fn new(
        plan: &Plan,
        path: PathBuf,
        recorder: Arc<Recorder>,
        origin: Instant,
        stopper: watch::Sender<bool>,
    ) -> Self {
        Self { plan: plan.clone(), path, recorder, origin, stopper, found: OnceLock::new() }
    }

    /// Returns the moment at which the load was ended, if it was.
    pub(super) fn found(&self) -> Option<StoppedEarly> {
        self.found.get().copied()
    }

    /// Judges the history again and again, if the plan asks for it; after the first violation, ends the load and waits
    /// until dropped.
    ///
    /// # Errors
    /// Returns an error if the history cannot be written or read.
    pub(super) async fn keep_judging(&self, meter: &Meter) -> anyhow::Error {
        let mut pause = EVERY;
        while self.plan.stop_on_violation && self.found().is_none() {
            tokio::time::sleep(pause).await;
            let began = Instant::now();
            match self.judge(meter).await {
                Err(error) => return error,
                Ok(None) => {}
                Ok(Some(operations)) => {
                    let after_ms = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
                    self.found.get_or_init(|| StoppedEarly { after_ms, operations });
                    self.stopper.send(true).ok(); // nobody is left to be stopped
                }
            }
            pause = EVERY.max(began.elapsed() * PAUSE_FACTOR);
        }
        std::future::pending().await
    }

    /// Judges the history as it is now, and the nodes' states. Returns the number of operations that had begun, if
    /// there is a violation.
    async fn judge(&self, meter: &Meter) -> anyhow::Result<Option<usize>> {
        self.recorder.flush()?;
        let (plan, path) = (self.plan.clone(), self.path.clone());
        let judging = tokio::task::spawn_blocking(move || -> anyhow::Result<(Verdict, usize)> {
            let size = fs::metadata(&path).with_context(|| format!("looking at {}", path.display()))?.len();
            if size > MAX_BYTES {
                return Ok((Verdict::Unknown, 0));
            }
            let mut bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
            let whole_lines = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            bytes.truncate(whole_lines);
            let history = histories::read_bytes(&path.display().to_string(), &bytes, Some(Format::JsonLines))?;
            let end = Instant::now() + CHECK_LIMIT;
            let limits = Limits { keep_going: &|| Instant::now() < end, ..Limits::none() };
            Ok((quick_report(&plan, &history, &limits).verdict, history.operations.len()))
        });
        let (verdict, operations) = judging.await.context("the checker ended in a panic")??;
        let differ = meter.states().is_some_and(|states| states.has_conflict());
        Ok((verdict == Verdict::NotLinearizable || differ).then_some(operations))
    }
}
