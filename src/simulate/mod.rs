//! Runs on virtual time: the nodes of our own system, clients, faults, recorder and checker in one thread, all from one
//! seed. The same plan gives the same bytes, on every machine.

mod clients;
mod faults;
mod network;
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
    search::{Found, Search, Tally},
    shrink::shrunk,
};
use crate::run::{
    Cost, FinishedRun, LiveResults, RunFiles, RunLocation, RunStart, Span, plan::Plan, quick_verdict, store_run,
};

/// Outcome of a simulated run.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    /// Reason why the run could not be carried out to its end, or the cluster did not recover.
    pub(crate) problem: Option<String>,
    pub(crate) operations: usize,
    /// Virtual duration of the run, from its first event to its last.
    pub(crate) lasted_ns: u64,
    /// Number of times that each rule of Raft decided something.
    pub(crate) rules: RuleCounts,
}

impl Outcome {
    /// Returns true if the run shows that something is wrong with the system.
    pub(crate) fn is_finding(&self) -> bool {
        self.verdict == Verdict::NotLinearizable || self.problem.is_some()
    }
}

/// Carries out a plan, and judges what its clients saw. A node that panics is a finding, too.
pub(crate) fn simulate(plan: &Plan) -> Outcome {
    let conditions = plan.simulation.clone().unwrap_or_default();
    let failed = |problem: String| Outcome {
        verdict: Verdict::Unknown,
        problem: Some(problem),
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
        Ok(Ok(finished)) => Outcome {
            verdict: quick_verdict(plan, &finished.recorded.history, &Limits::none()),
            problem: finished.not_recovered,
            operations: finished.recorded.history.operations.len(),
            lasted_ns: finished.end_ns,
            rules: finished.rules,
        },
    }
}

fn judge(plan: &Plan, history: &History) -> Verdict {
    if let Some(options) = options_of(plan.workload()) {
        return checker::check(history, &Options { all: false, ..options }).verdict;
    }
    as_report(history, &checker::check_transactions(history, &checker::Limits::none())).verdict
}

/// Carries out a plan, and stores it like a run of real processes.
///
/// # Errors
/// Fails if the run cannot be carried out to its end, or a file cannot be written.
pub(crate) fn simulate_and_store(plan: &Plan, place: &RunLocation) -> anyhow::Result<FinishedRun> {
    let conditions = plan.simulation.clone().unwrap_or_default();
    let finished = world::run(plan, &conditions, true)?;
    let live = LiveResults {
        start: RunStart { leader_after_ms: finished.origin_ns / 1_000_000, origin_mono_ns: finished.origin_ns },
        load: Some(Span { from_ns: 0, until_ns: plan.time_limit_ms * 1_000_000 }),
        not_recovered: finished.not_recovered,
        cost: Cost { messages: finished.messages, fsyncs: finished.fsyncs },
        ..LiveResults::default()
    };
    let history = finished.recorded.lines.unwrap_or_default();
    store_run(plan, place, RunFiles { history, logs: finished.logs, live })
}

#[cfg(test)]
mod tests;
