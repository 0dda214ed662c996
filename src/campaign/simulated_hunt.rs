//! Hunts for planted defects on virtual time: of each, seed after seed under the faults that fit, on one thread.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use checker::{Share, Verdict};
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::hunt::median;
use crate::{
    run::plan::Plan,
    simulate::{Outcome, of_seed, simulate},
    store::SchemaVersion,
};

/// Limits of the search for one defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SearchLimits {
    /// Number of seeds that are tried in any case; with a defect, more until one finds something.
    pub(crate) seeds: u64,
    /// Processor time after which no other seed is tried, ms.
    pub(crate) within_ms: u64,
}

/// Results of a hunt on virtual time, as stored in `simulated.json`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SimulatedHunt {
    pub(crate) schema_version: SchemaVersion,
    pub(crate) version: String,
    pub(crate) limits: SearchLimits,
    /// Results by the command that was tried, of a node with a defect or of the sound one.
    pub(crate) searches: BTreeMap<String, SimulatedCatch>,
}

/// Findings among the seeds of one plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SimulatedCatch {
    /// Share of the runs with any sign of a defect.
    pub(crate) caught: Share,
    pub(crate) runs: u64,
    /// Numbers of runs by their signs, of which one may have several: a verdict, a rule of Raft that the nodes broke, a
    /// cluster that did not recover or a node that ended by itself.
    pub(crate) violations: u64,
    pub(crate) broken_rules: u64,
    pub(crate) unavailable: u64,
    /// The first finding: its seed, the processor time until then in ms, and what it found.
    pub(crate) first: Option<FirstFinding>,
    /// Processor time of all runs, ms.
    pub(crate) took_ms: u64,
    /// Medians over the findings, of the virtual time and the number of operations until the first sign of a run.
    pub(crate) time_ms: Option<u64>,
    pub(crate) operations: Option<usize>,
}

/// First finding of a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FirstFinding {
    pub(crate) seed: u64,
    pub(crate) after_ms: u64,
    pub(crate) what: String,
}

impl SimulatedCatch {
    /// Tries the seeds of a plan from 0 on; none if that was stopped.
    fn search(plan: &Plan, limits: SearchLimits, stop: &AtomicBool) -> Option<Self> {
        let (began, mut outcomes, mut first) = (processor_time(), Vec::new(), None);
        let is_sound = plan.defect().is_none();
        let took_ms = || u64::try_from(processor_time().saturating_sub(began).as_millis()).unwrap_or(u64::MAX);
        for seed in 0.. {
            let is_found = first.is_some();
            if took_ms() >= limits.within_ms || (seed >= limits.seeds && (is_found || is_sound)) {
                break;
            }
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            let outcome = simulate(&of_seed(plan, seed));
            if !is_found && let Some(what) = outcome.finding() {
                first = Some(FirstFinding { seed, after_ms: took_ms(), what });
            }
            outcomes.push(outcome);
        }
        Some(Self::of(&outcomes, first, took_ms()))
    }

    fn of(outcomes: &[Outcome], first: Option<FirstFinding>, took_ms: u64) -> Self {
        let count = |is: &dyn Fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| is(outcome)).count();
        let signs: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.first_sign).collect();
        Self {
            caught: Share::new(count(&Outcome::is_finding), outcomes.len()),
            runs: outcomes.len() as u64,
            violations: count(&|outcome| outcome.verdict == Verdict::NotLinearizable) as u64,
            broken_rules: count(&|outcome| outcome.broken.is_some()) as u64,
            unavailable: count(&|outcome| outcome.problem.is_some()) as u64,
            first,
            took_ms,
            time_ms: median(signs.iter().map(|sign| sign.time_ms).collect()),
            operations: median(signs.iter().map(|sign| sign.operations).collect()),
        }
    }

    /// Describes the findings in a few words: how many runs, the interval of their share, and by what.
    pub(crate) fn words(&self) -> Vec<String> {
        let Self { caught: Share { count, low, high, .. }, runs, .. } = self;
        let signs = [
            (self.violations, "by verdict"),
            (self.broken_rules, "by a broken rule"),
            (self.unavailable, "not recovered"),
        ];
        let head = [format!("{count} of {runs}"), format!("{:.1} to {:.1} %", low * 100.0, high * 100.0)];
        let signs = signs.iter().filter(|(count, _)| *count > 0).map(|(count, sign)| format!("{count} {sign}"));
        head.into_iter().chain(signs).collect()
    }
}

/// Searches with each of these plans that `hunt` has no results of, `at_once` at a time; `report` is told the hunt
/// after each.
///
/// # Errors
/// Fails as `report` does; the search under way on other threads is then stopped.
pub(crate) fn carry_out(
    hunt: &mut SimulatedHunt,
    plans: Vec<Plan>,
    at_once: usize,
    stop: &AtomicBool,
    report: impl Fn(&SimulatedHunt) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<()> {
    let limits = hunt.limits;
    let mut known: BTreeSet<String> = hunt.searches.keys().cloned().collect();
    let mut left: Vec<Plan> = plans.into_iter().filter(|plan| known.insert(plan.command())).collect();
    left.reverse();
    let (left, hunt, failed) = (Mutex::new(left), Mutex::new(hunt), Mutex::new(None));
    thread::scope(|scope| {
        for _ in 0..at_once.max(1) {
            scope.spawn(|| {
                while let Some(plan) = held(&left).pop()
                    && let Some(found) = SimulatedCatch::search(&plan, limits, stop)
                {
                    let mut hunt = held(&hunt);
                    hunt.searches.insert(plan.command(), found);
                    if let Err(error) = report(&hunt) {
                        *held(&failed) = Some(error);
                        return;
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

fn held<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the processor time that this thread has taken.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
