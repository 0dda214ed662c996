//! Shrinking of a plan that shows a violation: fewer faults, fewer clients, a shorter time, a smaller cluster, a calmer
//! network. Whatever is left out, the run still shows one.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{search::of_seed, simulate};
use crate::run::plan::{Plan, Simulation};

/// Maximum number of runs that are tried.
const MAX_RUNS: usize = 400;
/// Number of seeds that are tried with each smaller plan, the plan's own first.
const SEEDS: u64 = 8;
/// Shortest time of a load, ms.
const SHORTEST_MS: u64 = 1000;

/// Returns a smaller plan that still shows a finding, and the number of runs that it took to find it. Once `stop` is
/// set, it is the smallest so far.
pub(crate) fn shrunk(plan: &Plan, stop: &AtomicBool) -> (Plan, usize) {
    let (mut best, mut runs) = (plan.clone(), 0);
    loop {
        let smaller = smaller(&best).into_iter().find_map(|candidate| {
            (0..SEEDS).find_map(|more| {
                if stop.load(Ordering::Relaxed) {
                    return None;
                }
                runs += 1;
                let tried = of_seed(&candidate, best.seed + more);
                (runs <= MAX_RUNS && simulate(&tried).is_finding()).then_some(tried)
            })
        });
        match smaller {
            Some(smaller) => best = smaller,
            None => return (best, runs.min(MAX_RUNS)),
        }
    }
}

/// Returns plans that are smaller by one step, those that leave out most first.
fn smaller(plan: &Plan) -> Vec<Plan> {
    let mut all = Vec::new();
    let conditions = plan.simulation.clone().unwrap_or_default();
    let with = |conditions: Simulation| Plan { simulation: Some(conditions), ..plan.clone() };
    let kept = conditions.kept_faults.clone().unwrap_or_else(|| (0..plan.schedule.len()).collect());
    let with_kept = |kept: Vec<usize>| with(Simulation { kept_faults: Some(kept), ..conditions.clone() });
    if plan.nodes > 3 {
        all.push(Plan { nodes: plan.nodes - 2, ..plan.clone() });
    }
    if !kept.is_empty() {
        all.push(with_kept(Vec::new()));
        all.extend((0..kept.len()).filter(|_| kept.len() > 1).map(|place| {
            let mut fewer = kept.clone();
            fewer.remove(place);
            with_kept(fewer)
        }));
    }
    for shorter_ms in [plan.time_limit_ms / 2, plan.time_limit_ms * 3 / 4] {
        if shorter_ms >= SHORTEST_MS {
            all.push(Plan { time_limit_ms: shorter_ms / 100 * 100, ..plan.clone() });
        }
    }
    for fewer in [plan.concurrency / 2, plan.concurrency - 1] {
        if fewer > 0 {
            all.push(Plan { concurrency: fewer, ..plan.clone() });
        }
    }
    if plan.keys > 1 {
        all.push(Plan { keys: 1, ..plan.clone() });
    }
    let Simulation { retry, kept_faults, .. } = conditions.clone();
    let calm = Simulation { retry, kept_faults, ..Simulation::calm() };
    if calm != conditions {
        all.push(with(calm));
    }
    all
}
