//! Checks a history: each key by the method that fits it, several keys at once, with the verdicts merged at the end.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use histories::{History, Note};

use crate::{
    KeyReport, Limits, Method, Model, Options, Report, Specification, UnknownWhy, Verdict,
    budget::{Budget, Shortage},
    decision::Decision,
    drains::Drained,
    evidence,
    generic::{self, Object},
    objects::{
        self, MethodResult, Question,
        register::{Problem, Stage, by_search, specification::Register},
    },
    prepare::{KeySteps, Keys, Preparation, Preparer, Steps},
    properties,
    search::SearchResult,
    tally::Tally,
    verify::{RegisterByNumber, Verify},
    zones::{Zones, zones},
};

/// Decides whether `history` is linearizable: whether the operations of each key can be put in one order that
/// respects real time and explains every answer.
///
/// The answer is never a guess. If a limit is reached, the verdict is [`Verdict::Unknown`], unless another key is not
/// linearizable. If the checker contradicts itself or panics, that key alone is unknown, with
/// [`UnknownWhy::Internal`].
pub fn check(history: &History, options: &Options<'_>) -> Report {
    match Drained::of(history, options.model, &options.limits) {
        Ok(None) => check_as_read(history, options),
        Ok(Some(drained)) => drained.as_read(history, check_as_read(&drained.history, options)),
        Err(why) => Report::undecided(history.operations.len(), why),
    }
}

fn check_as_read(history: &History, options: &Options<'_>) -> Report {
    let operations = history.operations.len();
    let is_nameless = history.notes.iter().any(|note| matches!(note, Note::NoProcesses { .. }));
    if is_nameless && options.model.needs_processes() {
        return Report::undecided(operations, UnknownWhy::NoProcesses { model: options.model.name().to_owned() });
    }
    match (generic::as_values(history, &options.limits), options.model.begins_with(&options.initial)) {
        (Err(out), _) => Report::unknown(operations, out),
        (_, Err(allowed)) => Report::undecided(operations, UnknownWhy::Initial { allowed: allowed.to_owned() }),
        (Ok(history), Ok(())) => {
            let report = over_keys(&history, options, Some(options.model), || {
                let history = &*history;
                let mut preparer = Preparer::new(history, options.model.has_edits(), &options.initial);
                move |operations: &[u32]| match decide(history, options, &mut preparer, operations) {
                    no if no.verdict == Verdict::NotLinearizable => no.examined(history, options, operations),
                    decision => decision,
                }
            });
            let figures = if options.model == Model::SetFull {
                properties::set_figures(&history, &options.initial, &options.limits)
            } else {
                None
            };
            Report { figures, property: options.model.is_property().then(|| options.model.name().to_owned()), ..report }
        }
    }
}

/// Checks a history against a custom model, like [`check`]. [`Options::model`] and [`Options::initial`] are ignored.
/// A specification that contradicts itself or panics is reported as an internal error as well.
pub fn check_with(history: &History, specification: &impl Specification, options: &Options<'_>) -> Report {
    match generic::as_values(history, &options.limits) {
        Err(out) => Report::unknown(history.operations.len(), out),
        Ok(history) => over_keys(&history, options, None, || {
            |operations: &[u32]| by_model(&history, specification, options, operations)
        }),
    }
}

/// Fixed cost of each key, in steps.
const STEPS_PER_KEY: usize = 64;

/// Memory held for each key until all are decided, in bytes: its report and its place in the queue.
const KEY_BYTES: usize = size_of::<Option<KeyReport>>() + 2 * size_of::<usize>();

/// Splits a history by key, unless the model spans keys, and decides each. Each thread makes its own decider.
fn over_keys<D: FnMut(&[u32]) -> Decision>(
    history: &History,
    options: &Options<'_>,
    model: Option<Model>,
    decider: impl Fn() -> D + Sync,
) -> Report {
    let budget = Budget::new(&options.limits);
    let split = if model.is_some_and(Model::spans_keys) { Keys::joined } else { Keys::split };
    let keys = split(history, &budget).and_then(|keys| {
        budget.may_take(keys.len() * KEY_BYTES)?;
        Ok(keys)
    });
    match keys {
        Ok(keys) => decide_all(history, options, model, &keys, decider),
        Err(out) => Report::unknown(history.operations.len(), out),
    }
}

/// Decides all keys, largest first, and merges the verdicts. The report does not depend on how threads take turns: if
/// not all keys are asked for, those behind the first that is violated count as not checked, even if one of them was.
fn decide_all<D: FnMut(&[u32]) -> Decision>(
    history: &History,
    options: &Options<'_>,
    model: Option<Model>,
    keys: &Keys,
    decider: impl Fn() -> D + Sync,
) -> Report {
    let mut largest_first: Vec<usize> = (0..keys.len()).collect();
    largest_first.sort_by_key(|&key| std::cmp::Reverse(keys.operations(key).len()));
    let (next, decided) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (violated, is_late) = (AtomicUsize::new(usize::MAX), AtomicBool::new(false));
    let report_of = |key: usize, decision: Decision| {
        let operations = keys.operations(key);
        decision.report(history, model, keys.id(key), operations, keys.tally(history, key))
    };
    let reports = Mutex::new(vec![None; keys.len()]);
    let work = || {
        let mut decide = decider();
        let budget = Budget::new(&options.limits);
        loop {
            let rank = next.fetch_add(1, Ordering::Relaxed);
            let Some(&key) = largest_first.get(rank) else { break };
            let operations = keys.operations(key);
            let asked = if is_late.load(Ordering::Relaxed) {
                Err(Shortage::Time)
            } else {
                budget.steps(STEPS_PER_KEY + operations.len())
            };
            let decision = match asked {
                _ if rank > violated.load(Ordering::Relaxed) => Decision::unknown(UnknownWhy::NotChecked),
                Ok(()) => catch_unwind(AssertUnwindSafe(|| decide(operations))).unwrap_or_else(|panic| {
                    // The old decider may be in an inconsistent state.
                    decide = decider();
                    Decision::unknown(UnknownWhy::Internal { what: said(panic.as_ref()) })
                }),
                Err(out) => Decision::exhausted(out, history, operations),
            };
            if decision.verdict == Verdict::NotLinearizable && !options.all {
                violated.fetch_min(rank, Ordering::Relaxed);
            }
            if matches!(decision.why, Some(UnknownWhy::Time { .. })) {
                is_late.store(true, Ordering::Relaxed);
            }
            let report = report_of(key, decision);
            reports.lock().unwrap_or_else(PoisonError::into_inner)[key] = Some(report);
            (options.limits.decided)(decided.fetch_add(operations.len(), Ordering::Relaxed) + operations.len());
        }
    };
    let helpers = options.threads.min(keys.len()).saturating_sub(1);
    std::thread::scope(|scope| {
        for _ in 0..helpers {
            // If a thread cannot be spawned, the others do its work.
            if std::thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    let mut reports = reports.into_inner().unwrap_or_else(PoisonError::into_inner);
    for &key in largest_first.iter().skip(violated.into_inner().saturating_add(1)) {
        reports[key] = Some(report_of(key, Decision::unknown(UnknownWhy::NotChecked)));
    }
    merged(history, reports.into_iter().map(|report| report.expect("every key was taken by some thread")).collect())
}

/// Merges the reports of all keys.
fn merged(history: &History, keys: Vec<KeyReport>) -> Report {
    let verdict = keys.iter().map(|key| key.verdict).fold(Verdict::Linearizable, Verdict::merge);
    let answered = keys.iter().map(|key| key.answered).sum();
    let unanswered = keys.iter().map(|key| key.unanswered).sum();
    let tally = Tally { answered, unanswered };
    let weak = tally.weak(verdict, || keys.iter().any(|key| key.weak.is_none()));
    Report {
        verdict,
        why: None,
        operations: history.operations.len(),
        answered,
        unanswered,
        weak,
        keys,
        property: None,
        figures: None,
    }
}

/// Returns the message of a panic.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").to_owned()
}

/// Number of queries of the limits (a few thousand steps each) after which a search that can only find violations is
/// given up for one that finds orders.
const MAX_QUESTIONS: usize = 256;

/// Decides a key by the method of its own that the model has. Returns `None` if it does not fit these operations.
fn by_method(history: &History, options: &Options<'_>, operations: &[u32]) -> Option<Decision> {
    if options.search_only {
        return None;
    }
    let Options { model, ref initial, ref limits, keep_order, .. } = *options;
    let question = Question { history, initial, limits, keep_order };
    match objects::decide(model, &question, operations)? {
        MethodResult::Order(order) => Some(Decision::yes(Method::Object, options.keep_order.then_some(order))),
        MethodResult::Violation(evidence) => Some(Decision::no(Method::Object, evidence)),
        MethodResult::Unknown(UnknownWhy::Function { .. } | UnknownWhy::Unsupported { .. }) => None,
        MethodResult::Unknown(why) => Some(Decision::unknown(why)),
    }
}

/// Decides a key by the generic search, which uses only the specification.
fn by_model(history: &History, object: &dyn Object, options: &Options<'_>, operations: &[u32]) -> Decision {
    if let Err(why) = object.knows(history, operations) {
        return Decision::unknown(why);
    }
    match generic::judge(object, history, operations, &options.limits) {
        generic::Judgment::Order(order) => {
            Decision::confirmed(Method::Search, object, history, options, (operations, order))
        }
        generic::Judgment::Violation(small) => {
            let evidence = generic::evidence(history, object, &small, &options.limits);
            Decision::refuted(Method::Search, evidence)
        }
        generic::Judgment::UnexplainedValue(found) => {
            let evidence = generic::unexplained_evidence(history, object, &found, &options.limits);
            Decision::refuted(Method::Search, evidence)
        }
        generic::Judgment::Unknown(why) => Decision::unknown(why).by(Method::Search),
    }
}

/// Decides one key from the indexes of its operations.
pub(crate) fn decide(
    history: &History,
    options: &Options<'_>,
    preparer: &mut Preparer<'_>,
    operations: &[u32],
) -> Decision {
    if let Some(property) = options.model.property() {
        match properties::decide(property, history, &options.initial, &options.limits, operations) {
            Ok(None) => Decision::yes(Method::Property, None),
            Ok(Some(evidence)) => Decision::no(Method::Property, evidence),
            Err(why) => Decision::unknown(why),
        }
    } else if options.model.is_register() {
        by_register(history, options, preparer, operations)
            .unwrap_or_else(|out| Decision::exhausted(out, history, operations))
    } else {
        let object = options.model.specification(&options.initial);
        by_method(history, options, operations)
            .unwrap_or_else(|| by_model(history, object.as_ref(), options, operations))
    }
}

/// Decides one key of registers: by the zones of its values, else by the general search.
fn by_register(
    history: &History,
    options: &Options<'_>,
    preparer: &mut Preparer<'_>,
    operations: &[u32],
) -> Result<Decision, Shortage> {
    if let Some(steps) = preparer.single(operations)
        && let Some(decision) = by_zones(history, options, &steps, operations)?
    {
        return Ok(decision);
    }
    Ok(match preparer.prepare(operations, &Budget::new(&options.limits))? {
        Preparation::Steps(prepared) => by_zones(history, options, &prepared, operations)?
            .unwrap_or_else(|| by_general_search(history, options, &prepared, operations)),
        Preparation::UnknownOperation(unknown) => {
            let object = options.model.specification(&options.initial);
            Decision::unknown(object.knows(history, &[unknown]).expect_err("the model does not have it"))
        }
    })
}

/// Decides one key by the zones of its values. Returns `None` if these are not unique, or do not settle it.
fn by_zones(
    history: &History,
    options: &Options<'_>,
    steps: &impl Steps,
    operations: &[u32],
) -> Result<Option<Decision>, Shortage> {
    let found = if options.search_only { None } else { zones(steps, &Budget::new(&options.limits))? };
    Ok(match found {
        Some(Zones::Order(mut order)) => {
            for step in &mut order {
                *step = steps.operation(*step);
            }
            let register = RegisterByNumber(&options.initial);
            Some(Decision::confirmed(Method::Zones, &register, history, options, (operations, order)))
        }
        Some(Zones::Violation(violation, clusters)) => {
            let evidence = evidence::of_zones(history, options, steps, &violation, &clusters);
            Some(Decision::refuted(Method::Zones, evidence))
        }
        Some(Zones::Undecided) | None => None,
    })
}

/// Searches for an order in stages, cheapest first: a narrow search for an order; a violation near the step where
/// that was lost, or a violation even if changes of unknown outcome could occur any number of times; a wide search
/// for an order; the exact search.
fn by_general_search(history: &History, options: &Options<'_>, prepared: &KeySteps, operations: &[u32]) -> Decision {
    let Options { initial, limits, .. } = options;
    if let Err(out) = Budget::new(limits).may_take(Problem::bytes(prepared)) {
        return Decision::exhausted(out, history, operations);
    }
    let mut problem = Problem::new(history, initial, prepared, limits);
    let found = by_search(history, initial, prepared, limits, Stage::Narrow);
    let unexplained = match found {
        SearchResult::GaveUp(step) | SearchResult::Refuted(step) => evidence::of_unexplained_value(&problem, step),
        SearchResult::Order(_) | SearchResult::Limit(_) => None,
    };
    let lost = match found {
        SearchResult::GaveUp(step) if unexplained.is_none() => evidence::of_lost(&mut problem, step),
        _ => None,
    };
    if let Some(evidence) = unexplained.or(lost) {
        return Decision::refuted(Method::Search, evidence);
    }
    let found = match found {
        SearchResult::GaveUp(_) => by_wider_search(history, options, prepared),
        decided => decided,
    };
    match found {
        SearchResult::Order(order) => {
            let order: Vec<u32> = order.iter().map(|&step| prepared.operation(step)).collect();
            let register: &dyn Verify = match options.model {
                Model::KeyValue => &Register::new(initial, true),
                _ => &RegisterByNumber(initial),
            };
            Decision::confirmed(Method::Search, register, history, options, (operations, order))
        }
        SearchResult::Refuted(step) => Decision::refuted(Method::Search, evidence::of_search(&mut problem, step)),
        SearchResult::GaveUp(_) => unreachable!("the exact search gives nothing up"),
        SearchResult::Limit(why) => Decision::unknown(why).by(Method::Search),
    }
}

/// Searches where the narrow search found nothing: for a violation even if changes of unknown outcome could occur any
/// number of times, then widely for an order, then exactly.
fn by_wider_search(history: &History, options: &Options<'_>, prepared: &KeySteps) -> SearchResult {
    let Options { initial, limits, .. } = options;
    let relaxed = |limits: &Limits<'_>| by_search(history, initial, prepared, limits, Stage::Relaxed);
    let (mut found, _) = limits.within(MAX_QUESTIONS, relaxed);
    if !matches!(found, SearchResult::Refuted(_)) {
        found = by_search(history, initial, prepared, limits, Stage::Wide);
    }
    if matches!(found, SearchResult::GaveUp(_)) {
        found = by_search(history, initial, prepared, limits, Stage::Exact);
    }
    found
}

#[cfg(test)]
mod tests;
