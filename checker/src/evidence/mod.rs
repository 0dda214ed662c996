//! Evidence that a key is not linearizable: the few steps that show it, and sentences about them.

mod gather;
pub(crate) mod possible;
pub(crate) mod revisions;
mod sentences;
mod stale;
mod subject;

use histories::{History, Operation};

use crate::{
    Evidence, Limits, Options, UnknownWhy,
    budget::Budget,
    generic::{ViolationOrigin, second_opinion::refute},
    objects::register::{Problem, by_specification, specification::Register},
    prepare::{Action, KeySteps, Preparation, Preparer, Step, Steps},
    report::MAX_EVIDENCE,
    shrink::MAX_CHANGES_SHOWN,
    sorted::sorted,
    staleness::bounds::BYTES,
    verify::register_calls,
    words::Words,
    zones::{Clusters, ZoneViolation, Zones, zones},
};

/// Assumption about the rest of the history that is stated if a cas counts as a write.
const CAS_AS_WRITE: &str = "where a cas counts as a write if only others set what it expected";

pub(crate) use gather::GatheredSteps;
use sentences::Description;
pub(crate) use sentences::saw;
pub use subject::wrong_transaction;

/// Returns evidence for a violation of the zones. Among several violations the stalest read is reported, since it is
/// the clearest and its staleness is certain. If no read is certainly stale, the first violation found is reported.
pub(crate) fn of_zones(
    history: &History,
    options: &Options<'_>,
    steps: &dyn Steps,
    violation: &ZoneViolation,
    clusters: &Clusters,
) -> Result<Evidence, UnknownWhy> {
    let is_order = matches!(violation, ZoneViolation::Inversion { .. } | ZoneViolation::Meeting { .. });
    let budget = Budget::new(&options.limits);
    let bytes = clusters.len() as usize * BYTES;
    let may_search = is_order && budget.ask().and_then(|()| budget.may_take(bytes)).is_ok();
    let stale = if may_search { stale::stalest(history, steps, clusters) } else { None };
    let (gathered, wanted) = match &stale {
        Some(stale) => gather::of_stale(steps, clusters, stale),
        None => gather::of_violation(steps, clusters, violation),
    };
    let failed = if matches!(violation, ZoneViolation::NeverSet { .. }) { steps.failed() } else { Vec::new() };
    let prepared = prepare_gathered(history, options, steps, clusters, &gathered, failed);
    let operation = |step: u32| steps.step(step).map(|step| step.operation);
    let places = |of: &[u32]| -> Vec<u32> {
        let place =
            |&step: &u32| (0..).zip(&prepared.steps).find(|(_, other)| Some(other.operation) == operation(step));
        of.iter().filter_map(place).map(|(place, _)| place).collect()
    };
    let mut problem = Problem::new(history, &options.initial, &prepared, &options.limits);
    let gathered = problem.minimal(places(&gathered), &places(&wanted));
    let mut evidence = describe_with_setters(&mut problem, gathered)?;
    if let (Some(small), Some(whole)) = (&mut evidence.staleness, stale) {
        small.writes = small.writes.max(whole.staleness.writes);
    }
    Ok(evidence)
}

/// Prepares the kept steps without the rest of a long history, but with the setters of what their cas expect: whether
/// there are any decides what such a cas means without them.
fn prepare_gathered(
    history: &History,
    options: &Options<'_>,
    steps: &dyn Steps,
    clusters: &Clusters,
    gathered: &[u32],
    failed: Vec<u32>,
) -> KeySteps {
    let gathered = || gathered.iter().filter_map(|&step| steps.step(step));
    // Setters of what a cas expects, setters of what these expect, and so on, as long as they are few.
    let setter = |step: Step| match step.action {
        Action::Cas { from, .. } => clusters[from].writer.get(),
        _ => None,
    };
    let chain = |step: Step| {
        let next = move |&step: &Step| steps.step(setter(step)?);
        std::iter::successors(next(&step), next).take(MAX_EVIDENCE)
    };
    let setters = gathered().flat_map(chain);
    let operations = sorted(gathered().chain(setters).map(|step| step.operation).chain(failed));
    // There are few of them, so no limit applies.
    let budget = Budget::new(&Limits::none());
    let prepared = Preparer::new(history, options.model.has_edits(), &options.initial).prepare(&operations, &budget);
    prepared.ok().and_then(Preparation::steps).expect("what was a step is one")
}

/// Returns evidence with all steps that belong to this very violation; others may also show that there is no order.
pub(crate) fn whole(
    problem: &Problem<'_>,
    violation: &ZoneViolation,
    clusters: &Clusters,
) -> Result<Evidence, UnknownWhy> {
    describe(problem, &gather::of_violation(problem.prepared, clusters, violation).0)
}

/// Returns evidence for a violation that the general search found: no configuration survives the completion of
/// `dead`.
pub(crate) fn of_search(problem: &mut Problem<'_>, dead: usize) -> Result<Evidence, UnknownWhy> {
    let gathered = problem.around(u32::try_from(dead).expect("steps are numbered by u32"));
    describe_with_setters(problem, gathered)
}

/// Returns evidence for a search that lost all configurations at the completion of `lost` after giving some up.
/// Returns `None` if the steps before that do not prove by themselves that there is no order.
pub(crate) fn of_lost(problem: &mut Problem<'_>, lost: usize) -> Option<Result<Evidence, UnknownWhy>> {
    let gathered = problem.near(u32::try_from(lost).expect("steps are numbered by u32"))?;
    Some(describe_with_setters(problem, gathered))
}

/// Returns evidence of a step that found a value which cannot have been made by the time it ended. Returns `None` if
/// it can, or if deciding that takes too long.
pub(crate) fn of_unexplained_value(problem: &Problem<'_>, step: usize) -> Option<Result<Evidence, UnknownWhy>> {
    let step = u32::try_from(step).expect("steps are numbered by u32");
    // A step that set the value too late belongs to the evidence.
    let late = problem.setter_after(step);
    problem.cannot_have_been_made(step).then(|| {
        let made_of = problem.edits_before(step).filter(|edits| edits.len() <= MAX_CHANGES_SHOWN).unwrap_or_default();
        describe(problem, &sorted(made_of.into_iter().chain([step]).chain(late)))
    })
}

/// Describes the kept steps in words, with the setters of what their cas expect if these make them stand alone.
///
/// # Errors
/// The reason, if the second opinion disagrees or cannot decide.
fn describe_with_setters(problem: &mut Problem<'_>, kept: Vec<u32>) -> Result<Evidence, UnknownWhy> {
    let decisive = sorted(kept.iter().map(|&step| problem.prepared.steps[step as usize].operation as usize));
    let gathered = problem.with_setters(kept);
    let evidence = describe(problem, &gathered)?;
    Ok(if decisive.len() < gathered.len() { Evidence { decisive, ..evidence } } else { evidence })
}

/// Describes the kept steps in words, after the second opinion has confirmed them.
///
/// # Errors
/// The reason, if the second opinion disagrees or cannot decide.
fn describe(problem: &Problem<'_>, gathered: &[u32]) -> Result<Evidence, UnknownWhy> {
    let alone = problem.alone(gathered);
    let words = Words { history: problem.history, initial: problem.initial, prepared: &alone };
    // The zones decide a few steps without querying the time. If many steps are left, the description has less
    // detail.
    let description = match zones(&alone, &Budget::new(problem.limits)) {
        Ok(Some(Zones::Violation(ZoneViolation::NeverSet { value, observer }, _)))
            if !problem.cannot_have_been_made(gathered[observer as usize]) =>
        {
            sentences::gone(&words, value, &alone.steps[observer as usize])
        }
        Ok(Some(Zones::Violation(ZoneViolation::NeverSet { value, observer }, _))) if problem.grows() => {
            sentences::never_made(&words, value, &alone.steps[observer as usize])
        }
        Ok(Some(Zones::Violation(violation, clusters))) => {
            sentences::of_violation(&words, &violation, &clusters, problem.repeats(&alone))
        }
        Ok(Some(Zones::Order(_) | Zones::Undecided) | None) | Err(_) => sentences::of_steps(&words),
    };
    let Description { claim, reasons, staleness, failed } = description;
    let operations = alone.steps.iter().map(|step| step.operation).chain(failed);
    let operations = sorted(operations.map(|index| index as usize));
    let these: Vec<Operation> = operations.iter().map(|&index| problem.history.operations[index]).collect();
    let calls = register_calls(problem.history, problem.initial, &these);
    let another = || by_specification(problem.history, problem.initial, &alone, problem.limits);
    refute(
        &Register::new(problem.initial, true),
        &these,
        &calls,
        ViolationOrigin::OtherMethod,
        another,
        problem.limits,
    )
    .map_err(|doubt| doubt.why(operations.len(), &claim))?;
    let is_relaxed =
        gathered.iter().zip(&alone.steps).any(|(&index, step)| problem.prepared.steps[index as usize] != *step);
    let besides = is_relaxed.then(|| CAS_AS_WRITE.to_owned());
    Ok(Evidence { operations, besides, claim, reasons, staleness, ..Evidence::default() })
}
