//! Tests of the reduction of problems, against the oracle.

use histories::Value;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use super::{
    super::stages::by_specification,
    oracle,
    random::{self, Kind},
    *,
};
use crate::{
    budget::Budget,
    oracles::share_of,
    prepare::{Keys, Preparer},
};

/// Runs `test` on many problems, telling it whether each can be ordered, and counts how often it returned true.
fn on_random_problems(histories: u64, mut test: impl FnMut(&mut Problem<'_>, bool) -> bool) -> u64 {
    let mut hits = 0;
    let kinds = [Kind::Unique, Kind::Repeated(2), Kind::Repeated(3), Kind::Text, Kind::Grown, Kind::Parts, Kind::Mixed];
    for (seed, kind) in (0..share_of(histories)).zip(kinds.into_iter().cycle()) {
        let is_grown = matches!(kind, Kind::Grown | Kind::Parts);
        let history = random::history(kind, 77 << 32 | seed, if is_grown { 11 } else { 8 });
        let keys = Keys::split(&history, &Budget::endless()).unwrap();
        let has_edits = matches!(kind, Kind::Text | Kind::Mixed) || is_grown;
        let mut preparer = Preparer::new(&history, has_edits, &Value::Nil);
        let prepared = preparer.prepare(keys.operations(0), &Budget::endless()).unwrap().steps().unwrap();
        let limits = Limits::none();
        let truth = oracle::is_linearizable(&history, &Value::Nil);
        hits += u64::from(test(&mut Problem::new(&history, &Value::Nil, &prepared, &limits), truth));
    }
    hits
}

#[test]
fn a_window_of_what_can_be_ordered_can_be_ordered() {
    let impossible = on_random_problems(40_000, |problem, truth| {
        let steps = &problem.prepared.steps;
        if has_appends(steps) {
            return false;
        }
        let ends: Vec<u32> = steps.iter().filter(|step| step.is_certain()).map(|step| step.end).collect();
        let mut any = false;
        for end in ends {
            for width in [2, 4, 8] {
                let window = problem.window(end.saturating_sub(width), end);
                if problem.is_impossible(&window) {
                    any = true;
                    assert!(!truth, "{window:?} of {:#?}", problem.prepared.steps);
                }
            }
        }
        any
    });
    assert!(impossible * 40 > share_of(40_000), "only {impossible} windows showed anything");
}

#[test]
fn what_came_since_a_write_of_a_text_can_be_ordered_if_all_can() {
    let impossible = on_random_problems(200_000, |problem, truth| {
        let steps = &problem.prepared.steps;
        let dead: Vec<u32> = (0..).zip(steps).filter(|(_, step)| step.is_certain()).map(|(index, _)| index).collect();
        let mut any = false;
        for dead in dead.into_iter().filter(|_| has_appends(steps)) {
            for reset in problem.resets(dead).collect::<Vec<u32>>() {
                let window = problem.since(reset, steps[dead as usize].end);
                if problem.is_impossible(&window) {
                    any = true;
                    assert!(!truth, "{window:?} of {steps:#?}");
                }
            }
        }
        any
    });
    assert!(impossible * 400 > share_of(200_000), "only {impossible}");
}

#[test]
fn what_may_go_may_go_in_any_order() {
    on_random_problems(40_000, |problem, truth| {
        let mut kept: Vec<u32> = (0..).take(problem.prepared.steps.len()).collect();
        let mut place = 0;
        while kept.len() > 1 && place < 40 {
            place += 7;
            let at = place % kept.len();
            let is_look = problem.prepared.steps[kept[at] as usize].action.is_read_only();
            if is_look || problem.may_go(kept[at], &kept) {
                kept.remove(at);
                if problem.is_impossible(&kept) {
                    assert!(!truth, "{kept:?} of {:#?}", problem.prepared.steps);
                }
            }
        }
        true
    });
}

#[test]
fn steps_that_may_all_go_leave_an_order_where_there_was_one() {
    let mut rng = Pcg64::seed_from_u64(78);
    let mut left_out = 0;
    on_random_problems(40_000, |problem, truth| {
        let all: Vec<u32> = (0..).take(problem.prepared.steps.len()).collect();
        for _ in 0..4 {
            let fewer: Vec<u32> = all.iter().copied().filter(|_| rng.random_bool(0.7)).collect();
            let is_change = |step: &&u32| !problem.prepared.steps[**step as usize].action.is_read_only();
            let changes = all.iter().filter(is_change).count() - fewer.iter().filter(is_change).count();
            if truth && changes > 1 && problem.may_all_go(&all, &fewer) {
                left_out += 1;
                assert!(!problem.is_impossible(&fewer), "{fewer:?} of {:#?}", problem.prepared.steps);
            }
        }
        true
    });
    assert!(left_out * 40 > share_of(40_000), "only {left_out} times could several changes go");
}

#[test]
fn no_stage_says_what_the_oracle_denies_and_the_exact_one_always_says() {
    let mut decided = [0; 4];
    on_random_problems(400_000, |problem, truth| {
        let Problem { history, initial, prepared, limits, .. } = *problem;
        assert_eq!(by_specification(history, initial, prepared, limits), Some(truth), "{:#?}", prepared.steps);
        for (stage, decided) in [Stage::Narrow, Stage::Wide, Stage::Relaxed, Stage::Exact].into_iter().zip(&mut decided)
        {
            match by_search(history, initial, prepared, limits, stage) {
                SearchResult::Order(_) => assert!(truth, "{stage:?}: {:#?}", prepared.steps),
                SearchResult::Refuted(_) => assert!(!truth, "{stage:?}: {:#?}", prepared.steps),
                SearchResult::GaveUp(_) => {
                    assert_ne!(stage, Stage::Exact);
                    continue;
                }
                SearchResult::Limit(why) => panic!("{why}"),
            }
            *decided += 1;
        }
        true
    });
    assert!(decided.iter().all(|&decided| decided * 8 > share_of(400_000)), "too little decided: {decided:?}");
}
