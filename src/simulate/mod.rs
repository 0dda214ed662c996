//! Runs on virtual time: the nodes of our own system, clients, faults, recorder and checker in one thread, all from one
//! seed. The same plan gives the same bytes, on every machine.

mod clients;
mod faults;
mod invariants;
mod member;
mod network;
#[cfg(test)]
#[path = "../../checker/tests/it/oracles.rs"]
pub(crate) mod oracles;
mod queue;
mod record;
mod search;
mod shrink;
mod world;

use std::panic::{self, AssertUnwindSafe};

use checker::{Limits, Verdict};
use node::raft::RuleCounts;

pub(crate) use self::{
    faults::impossible,
    invariants::BrokenRule,
    search::{Found, Search, Tally, of_seed},
    shrink::shrunk,
    world::SimulationError,
};
use crate::run::{
    Cost, FinishedRun, FirstSign, LiveResults, RunFiles, RunLocation, RunStart, Span, plan::Plan, quick_report,
    store_run,
};

/// Outcome of a simulated run.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    /// Reason why the run could not be carried out to its end, or the cluster did not recover.
    pub(crate) problem: Option<String>,
    pub(crate) operations: usize,
    /// First rule of Raft that the nodes broke, whatever clients saw.
    pub(crate) broken: Option<BrokenRule>,
    /// Moment at which a violation was complete, or the rule broken.
    pub(crate) first_sign: Option<FirstSign>,
    /// Virtual duration of the run, from its first event to its last.
    pub(crate) lasted_ns: u64,
    /// Number of times that each rule of Raft decided something.
    pub(crate) rules: RuleCounts,
}

impl Outcome {
    /// Returns true if the run shows that something is wrong with the system.
    pub(crate) fn is_finding(&self) -> bool {
        self.verdict == Verdict::NotLinearizable || self.broken.is_some() || self.problem.is_some()
    }

    /// Describes what the run found; none if it found nothing.
    pub(crate) fn finding(&self) -> Option<String> {
        let violation = (self.verdict == Verdict::NotLinearizable).then(|| "not linearizable".to_owned());
        let broken = self.broken.as_ref().map(|broken| format!("broken rule: {broken}"));
        violation.into_iter().chain(broken).chain(self.problem.clone()).reduce(|all, next| format!("{all}; {next}"))
    }
}

/// Carries out a plan, and judges what its clients saw. A node that panics is a finding, too.
pub(crate) fn simulate(plan: &Plan) -> Outcome {
    let conditions = plan.simulation.clone().unwrap_or_default();
    let failed = |problem: String| Outcome {
        verdict: Verdict::Unknown,
        problem: Some(problem),
        broken: None,
        first_sign: None,
        operations: 0,
        lasted_ns: 0,
        rules: RuleCounts::default(),
    };
    match panic::catch_unwind(AssertUnwindSafe(|| world::run(plan, &conditions, false))) {
        Err(panic) => {
            let said = panic.downcast_ref::<String>().cloned();
            let said = said.or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned()));
            failed(format!("a panic: {}", said.unwrap_or_default()))
        }
        Ok(Err(error)) => failed(format!("{:#}", anyhow::Error::new(error))),
        Ok(Ok(finished)) => {
            let history = &finished.recorded.history;
            let report = quick_report(plan, history, &Limits::none());
            let broken_ns = finished.broken.as_ref().map(|broken| broken.at_ns.saturating_sub(finished.origin_ns));
            let of_rule = broken_ns.map(|at_ns| FirstSign::at_time(history, at_ns / 1_000_000));
            let signs = [FirstSign::of(history, &report.keys, None), of_rule];
            Outcome {
                verdict: report.verdict,
                problem: finished.not_recovered,
                broken: finished.broken,
                first_sign: signs.into_iter().flatten().min_by_key(|sign| sign.time_ms),
                operations: history.operations.len(),
                lasted_ns: finished.end_ns,
                rules: finished.rules,
            }
        }
    }
}

/// Carries out a plan, and stores it like a run of real processes.
///
/// # Errors
/// Fails if the run cannot be carried out to its end, or a file cannot be written.
pub(crate) fn simulate_and_store(
    plan: &Plan,
    place: &RunLocation,
    before_storing: impl FnOnce(),
) -> anyhow::Result<FinishedRun> {
    let conditions = plan.simulation.clone().unwrap_or_default();
    let finished = world::run(plan, &conditions, true)?;
    before_storing();
    let live = LiveResults {
        start: RunStart {
            leader_after_ms: finished.origin_ns / 1_000_000,
            origin_mono_ns: finished.origin_ns,
            began_unix_s: None,
        },
        load: Some(Span { from_ns: 0, until_ns: plan.time_limit_ms * 1_000_000 }),
        not_recovered: finished.not_recovered,
        broken_rule: finished.broken.map(|broken| broken.to_string()),
        cost: Cost { messages: finished.messages, fsyncs: finished.fsyncs },
        ..LiveResults::default()
    };
    let history = finished.recorded.lines.unwrap_or_default();
    store_run(plan, place, RunFiles { history, logs: finished.logs, live })
}

#[cfg(test)]
mod tests;
