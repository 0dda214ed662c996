//! Sets: `add`, `remove` and `contains`, each of one element; for reads of the whole set see [`snapshots`].

use histories::{Outcome, Value, ValueId};

use super::{
    placement::place,
    snapshots,
    specification::{Set, SetFunction},
    switch::{SwitchResult, solve},
};
use crate::{
    UnknownWhy,
    generic::Object,
    merge::merge_orders,
    objects::{
        key::{Claim, Key, MethodResult, Violation, says_nothing},
        register::fewest_steps,
    },
    prepare::{Action, Step},
    sorted::sorted,
    specification::items,
    unknown::unsupported,
};

/// Bytes for each operation: a step with its element, and its place while these are sorted.
const BYTES: usize = 3 * (size_of::<Option<Step>>() + size_of::<ValueId>()) / 2;

/// Decides each element on its own: whether it is in the set does not depend on the others, so it is an object of its
/// own, and linearizability is local (Herlihy and Wing 1990, theorem 1). One element is a [`switch`](super::switch).
pub(super) fn decide(key: &Key<'_>) -> Result<MethodResult, UnknownWhy> {
    let is_snapshot = |&index: &u32| {
        let operation = key.operation(index);
        operation.outcome == Outcome::Ok && SetFunction::named(key.name(operation)) == Some(SetFunction::Read)
    };
    if key.operations.iter().any(is_snapshot) {
        return Ok(key.verified(&key.operations, whole(key)));
    }
    let _held = key.affords(key.operations.len() * BYTES)?;
    let mut by_element = Vec::with_capacity(key.operations.len());
    for &index in &key.operations {
        key.steps(1, 0)?;
        by_element.push((key.operation(index).input, step(key, index)?));
    }
    by_element.sort_by_key(|&(element, _)| element);
    let (mut orders, mut undecided) = (Vec::new(), None);
    for group in by_element.chunk_by(|a, b| a.0 == b.0) {
        key.steps(group.len(), 0)?;
        let steps: Vec<Step> = group.iter().filter_map(|&(_, step)| step).collect();
        match solve(&steps, key.limits) {
            SwitchResult::Order(order) => {
                let index = |place: &u32| steps[*place as usize].operation;
                let all: Vec<u32> = steps.iter().map(|step| step.operation).collect();
                match key.verified(&all, Ok(order.iter().map(index).collect())) {
                    MethodResult::Order(order) => orders.push(order),
                    other => return Ok(other),
                }
            }
            SwitchResult::Refuted(place) => {
                let operations: Vec<u32> = steps.iter().map(|step| step.operation).collect();
                return Ok(key.verified(&operations, Err(violation(key, &steps, place).into())));
            }
            SwitchResult::Limit(why @ UnknownWhy::Time { .. }) => return Err(why),
            SwitchResult::Limit(why) => undecided = Some(why),
        }
    }
    let order = if key.keep_order { merge_orders(key.history, &orders) } else { Vec::new() };
    Ok(undecided.map_or(MethodResult::Order(order), MethodResult::Unknown))
}

/// Decides a set that is read as a whole: first without its `contains` calls; if that has an order, these must have
/// places in it.
fn whole(key: &Key<'_>) -> Claim {
    let asks = |&&index: &&u32| SetFunction::named(key.name(key.operation(index))) == Some(SetFunction::Contains);
    let (looks, others): (Vec<u32>, Vec<u32>) = key.operations.iter().partition(|index| asks(index));
    if looks.is_empty() {
        return snapshots::check(key);
    }
    let set = Set::new(key.initial);
    set.knows(key.history, &looks)?;
    let looks: Vec<u32> = looks.into_iter().filter(|&look| key.operation(look).outcome == Outcome::Ok).collect();
    let order = snapshots::check(&key.of(others))?;
    let unplaced = "a set that is read as a whole and asked for elements in between";
    place(key, &set, &order, &looks)?.map_or_else(|| unsupported(unplaced), Ok)
}

/// Returns the effect of an operation on its element, whose value is 0 in its initial state and 1 otherwise. Returns
/// `None` for a look of unknown result.
fn step(key: &Key<'_>, index: u32) -> Result<Option<Step>, UnknownWhy> {
    let operation = key.operation(index);
    let certain = operation.outcome == Outcome::Ok;
    let answer = key.history.value(operation.output);
    let state = |present| u32::from(present != is_there_at_first(key, operation.input));
    let name = key.name(operation);
    let action = match (SetFunction::named(name).ok_or_else(|| key.lacks(operation))?, answer) {
        (SetFunction::Contains | SetFunction::Read, _) if !certain => return Ok(None),
        (SetFunction::Contains, &Value::Bool(present)) => Action::Read(state(present)),
        (SetFunction::Add, _) if says_nothing(operation) => Action::Write(state(true)),
        (SetFunction::Remove, _) if says_nothing(operation) => Action::Write(state(false)),
        (_, answer) => {
            return unsupported(format!("a set's {name} that answers {answer}"));
        }
    };
    Ok(Some(Step { operation: index, start: operation.invoked, end: key.end(index), action }))
}

fn is_there_at_first(key: &Key<'_>, element: ValueId) -> bool {
    items(key.initial).is_some_and(|items| items.contains(key.history.value(element)))
}

/// Describes a few of these steps that cannot be ordered.
fn violation(key: &Key<'_>, steps: &[Step], dead: u32) -> Violation {
    let fewest = fewest_steps(key.history, key.initial, steps.to_vec(), dead, key.limits);
    let reader = fewest.iter().filter(|step| step.action.is_read_only()).max_by_key(|step| step.end);
    let reader = reader.expect("writes alone can always be ordered");
    let element = key.history.value(key.operation(reader.operation).input);
    let who = key.who(&format!("contains {element}"), reader.operation);
    let answer = key.history.value(key.operation(reader.operation).output);
    let Action::Read(seen) = reader.action else { unreachable!("it looked") };
    let against = fewest.iter().filter(|step| step.end < reader.start && step.action == Action::Write(1 - seen));
    let against = against.max_by_key(|step| step.end);
    let back = |after: &Step| fewest.iter().any(|step| step.action == Action::Write(seen) && step.end > after.start);
    let against = against.filter(|change| !back(change));
    let operations = fewest.iter().map(|step| step.operation);
    if let Some(change) = against {
        let ended = key.ended(change.operation);
        let change = key.who_called(change.operation);
        let claim = format!("{who} returned {answer}, although {change} had been acknowledged at {ended}");
        let reasons = vec![format!("nothing that changed {element} back can have come between the two")];
        return Violation { reasons, ..Violation::new(operations.collect(), claim) };
    }
    if steps.iter().any(|step| step.action == Action::Write(seen) && step.start < reader.end) {
        let claim = format!("{who} returned {answer}, which no order of the adds and removes of {element} explains");
        return Violation::new(operations.collect(), claim);
    }
    let (needed, changed) =
        if *answer == Value::Bool(true) { (SetFunction::Add, "added") } else { (SetFunction::Remove, "removed") };
    let attempt = key.failed_attempt(element, |name| SetFunction::of_set(name) == Some(needed), reader.operation);
    let failed = attempt.map_or_else(
        || "nothing".to_owned(),
        |attempt| format!("{} failed, and nothing else", key.who_called(attempt)),
    );
    let claim = format!("{who} returned {answer}, although {failed} that began before it ended {changed} {element}");
    Violation::new(sorted(operations.chain(attempt)), claim)
}
