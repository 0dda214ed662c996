//! Search through many seeds, on several threads if wanted: each run has one of its own. What is found does not depend
//! on the number of threads.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use checker::Verdict;
use node::raft::RuleCounts;

use super::{Outcome, simulate};
use crate::run::plan::Plan;

/// Maximum number of findings that are kept; more are counted.
const MAX_FOUND: usize = 1000;

/// Seeds to try, with one plan.
#[derive(Debug)]
pub(crate) struct Search {
    pub(crate) plan: Plan,
    pub(crate) seeds: Range<u64>,
    pub(crate) threads: usize,
    pub(crate) until_violation: bool,
}

/// Finding at one seed.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) seed: u64,
    pub(crate) outcome: Outcome,
}

/// Tally of the runs of a search.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) runs: u64,
    pub(crate) operations: u64,
    pub(crate) lasted_ns: u64,
    /// Number of runs whose history could not be decided.
    pub(crate) unknown: u64,
    pub(crate) findings: u64,
    /// Number of times that each rule of Raft decided something.
    pub(crate) rules: RuleCounts,
    /// Findings in ascending order of their seeds, up to a limit.
    pub(crate) found: Vec<Found>,
}

impl Tally {
    fn add(&mut self, seed: u64, outcome: Outcome) {
        self.runs += 1;
        self.operations += outcome.operations as u64;
        self.lasted_ns += outcome.lasted_ns;
        self.rules += outcome.rules;
        self.unknown += u64::from(outcome.verdict == Verdict::Unknown);
        if outcome.is_finding() {
            self.findings += 1;
            self.found.push(Found { seed, outcome });
            self.found.sort_by_key(|found| found.seed);
            self.found.truncate(MAX_FOUND);
        }
    }
}

impl Search {
    /// Tries the seeds in order; `report` is told the state of the tally after each run. With `until_violation`, no
    /// further run begins after a finding, and none after the lowest seed with one counts; nor does one once `stop`
    /// is true.
    pub(crate) fn run(&self, stop: &AtomicBool, mut report: impl FnMut(&Tally)) -> Tally {
        let next = AtomicU64::new(self.seeds.start);
        let mut tally = Tally::default();
        thread::scope(|scope| {
            let (results, received) = mpsc::sync_channel(self.threads);
            for _ in 0..self.threads.max(1) {
                let (results, next) = (results.clone(), &next);
                scope.spawn(move || {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= self.seeds.end || stop.load(Ordering::Relaxed) {
                            return;
                        }
                        let outcome = simulate(&of_seed(&self.plan, seed));
                        if self.until_violation && outcome.is_finding() {
                            next.fetch_max(self.seeds.end, Ordering::Relaxed);
                        }
                        if results.send((seed, outcome)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(results);
            // Outcomes that came before that of a lower seed.
            let (mut early, mut due) = (BTreeMap::new(), self.seeds.start);
            for (seed, outcome) in received {
                early.insert(seed, outcome);
                while !self.is_over(&tally)
                    && let Some(outcome) = early.remove(&due)
                {
                    tally.add(due, outcome);
                    due += 1;
                    report(&tally);
                }
            }
        });
        tally
    }

    /// Returns true if nothing counts that comes after these runs.
    fn is_over(&self, tally: &Tally) -> bool {
        self.until_violation && tally.findings > 0
    }

    /// Returns true if runs are missing in the tally that were asked for.
    pub(crate) fn is_cut_short(&self, tally: &Tally) -> bool {
        !self.is_over(tally) && tally.runs < self.seeds.end - self.seeds.start
    }
}

/// Returns the plan with another seed.
pub(crate) fn of_seed(plan: &Plan, seed: u64) -> Plan {
    Plan { seed, ..plan.clone() }.schedule()
}
