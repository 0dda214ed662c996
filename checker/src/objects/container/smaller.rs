//! Decision of a container, shrinking of its violations, and the takes of unknown outcome that belong to one.

use histories::{Outcome, ValueId};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{ContainerKind, decide_once};
use crate::{
    generic::{SmallViolation, tell},
    objects::key::{Claim, Key, SolveError, Violation},
    shrink::minimal,
    sorted::sorted,
};

/// Decides one container of values that are put in once each. Shrinks a violation, or adds the takes of unknown
/// outcome that belong to it.
pub(in crate::objects) fn decide(key: &Key<'_>, kind: &ContainerKind) -> Claim {
    let peeks = |index: &u32| kind.names.peek.contains(&key.name(key.operation(*index)));
    match decide_once(key, kind) {
        Err(SolveError::Violation(_)) if key.operations.iter().any(peeks) => {
            Err(key.unexplained()?.unwrap_or_else(|| smaller(key, kind)).into())
        }
        Err(SolveError::Violation(mut violation)) => {
            add_adrift(key, kind, &mut violation.operations);
            Err(violation.into())
        }
        claim => claim,
    }
}

/// Adds the takes of unknown outcome that may have removed a value of these operations: with a different answer of
/// one of them, a value that no other took might have to be gone. As many as there are values suffice, those that
/// began first, because they have no ends; and none that began after everything else ended.
fn add_adrift(key: &Key<'_>, kind: &ContainerKind, operations: &mut Vec<u32>) {
    let is_of = |names: &[&str], index: u32| names.contains(&key.name(key.operation(index)));
    let ends =
        operations.iter().map(|&index| key.operation(index)).filter(|operation| operation.outcome == Outcome::Ok);
    let end = ends.map(|operation| operation.completed).max().unwrap_or(0);
    let values = operations.iter().filter(|&&index| is_of(kind.names.put, index)).count();
    let is_adrift = |index: &u32| {
        let operation = key.operation(*index);
        operation.outcome != Outcome::Ok && operation.invoked < end && is_of(kind.names.take, *index)
    };
    let mut adrift: Vec<u32> = key.operations.iter().copied().filter(is_adrift).collect();
    adrift.sort_unstable_by_key(|&index| key.operation(index).invoked);
    *operations = sorted(operations.drain(..).chain(adrift.into_iter().take(values)));
}

/// Shrinks a violation in which peeks may be involved to fewer values and peeks that have no order either. An order
/// of a container stays an order without all operations about some values, and without any peeks.
fn smaller(key: &Key<'_>, kind: &ContainerKind) -> Violation {
    let is_of = |names: &[&str], index: u32| names.contains(&key.name(key.operation(index)));
    let is_adrift = |&index: &u32| is_of(kind.names.take, index) && key.operation(index).outcome != Outcome::Ok;
    let (adrift, others): (Vec<u32>, Vec<u32>) = key.operations.iter().copied().partition(is_adrift);
    let mut of_value: FxHashMap<ValueId, Vec<u32>> = FxHashMap::default();
    let mut units: Vec<Vec<u32>> = Vec::new();
    let mut looks: Vec<u32> = Vec::new();
    for index in others {
        let operation = key.operation(index);
        let is_put = is_of(kind.names.put, index);
        let value = if is_put { operation.input } else { operation.output };
        if is_of(kind.names.peek, index) {
            looks.push(index);
        } else if is_put || value != ValueId::NIL {
            of_value.entry(value).or_default().push(index);
        } else {
            units.push(vec![index]);
        }
    }
    units.extend(of_value.into_values());
    units.sort_unstable();
    let fails = |units: &[Vec<u32>], looks: &[u32]| {
        let values: FxHashSet<ValueId> = units
            .iter()
            .flatten()
            .flat_map(|&index| [key.operation(index).input, key.operation(index).output])
            .collect();
        let sees = |&&look: &&u32| {
            let seen = key.operation(look).output;
            seen == ValueId::NIL || values.contains(&seen)
        };
        let mut all: Vec<u32> =
            units.iter().flatten().chain(looks.iter().filter(sees)).chain(&adrift).copied().collect();
        all.sort_unstable();
        key.steps(all.len(), 0).ok()?;
        Some(matches!(decide_once(&key.of(all), kind), Err(SolveError::Violation(_))))
    };
    let units = minimal(units, |units| fails(units, &looks));
    let looks = minimal(looks.clone(), |looks| fails(&units, looks));
    let mut operations: Vec<u32> = units.into_iter().flatten().chain(looks).collect();
    let last = operations
        .iter()
        .copied()
        .max_by_key(|&index| (key.operation(index).outcome == Outcome::Ok, key.operation(index).completed));
    let last = last.expect("nothing at all has an order");
    let found = key.operation(last).output;
    let decisive = operations.iter().copied().filter(|&index| key.operation(index).input != found).collect();
    add_adrift(key, kind, &mut operations);
    let small = SmallViolation { shown: operations, decisive, last, others: Vec::new() };
    let (claim, reasons) = tell(key.history, &small);
    Violation { reasons, ..Violation::new(small.shown, claim) }
}
