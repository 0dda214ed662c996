//! Sets that only grow, by elements that are added once each, and that are read as a whole. Takes O(n log n) and the
//! total size of the sets that were read.
//!
//! Any two sets that were read are equal, or one contains the other: they form a chain. Each operation has a *level*
//! in it: the level of a read is its set; that of an add lies right below the first set with its element, or above
//! all sets. In every order an operation of a lower level comes first; and in any order by level every answer is
//! right, whatever the order within a level. So there is an order if and only if no operation of a lower level begins
//! after one of a higher level has ended. An add of unknown outcome that was never observed did not happen.
//!
//! A set from which all but some elements are struck out is a set of the others, so a violation can be shown with few
//! elements.

use histories::{Outcome, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use super::specification::{Set, SetFunction};
use crate::{
    UnknownWhy,
    objects::key::{Claim, Key, OTHER_ELEMENTS, Others, Scope, SolveError, Violation, says_nothing},
    specification::items,
    unknown::unsupported,
};

/// Operation with its level: twice the number of distinct sets below it, and one more for an add.
#[derive(Clone, Copy)]
struct LeveledOperation {
    level: usize,
    operation: u32,
}

/// Decides one such set. Any other set is reported as unsupported.
pub(super) fn check(key: &Key<'_>) -> Claim {
    let (adds, mut reads) = gather(key)?;
    let placed = place(key, &adds, &mut reads)?;
    let mut last: Option<LeveledOperation> = None;
    for &now in &placed {
        if let Some(last) = last
            && key.operation(now.operation).completed < key.operation(last.operation).invoked
        {
            return Err(too_late(key, &adds, &reads, last, now).into());
        }
        let begins_last = last.is_none_or(|last| last.operation < now.operation);
        last = if begins_last { Some(now) } else { last };
    }
    Ok(placed.iter().map(|placed| placed.operation).collect())
}

/// Returns the add of each element, and the reads.
#[allow(clippy::type_complexity, reason = "a pair that is taken apart at once")]
fn gather<'a>(key: &Key<'a>) -> Result<(FxHashMap<&'a Value, u32>, Vec<u32>), UnknownWhy> {
    let (mut adds, mut reads) = (FxHashMap::default(), Vec::new());
    let _held = key.affords(key.operations.len() * 64)?;
    for &index in &key.operations {
        key.steps(1, 0)?;
        let operation = key.operation(index);
        match SetFunction::named(key.name(operation)) {
            Some(SetFunction::Read) if operation.outcome != Outcome::Ok => {}
            Some(SetFunction::Read) if items(key.history.value(operation.output)).is_some() => reads.push(index),
            Some(SetFunction::Add) if says_nothing(operation) => {
                if adds.insert(key.history.value(operation.input), index).is_some() {
                    return unsupported("a set that is read as a whole and to which something is added twice");
                }
            }
            Some(_) => return unsupported("a set that is read as a whole and asked anything but to add"),
            None => return Err(key.lacks(operation)),
        }
    }
    if initial(key).iter().any(|element| adds.contains_key(element)) {
        return unsupported("a set that is read as a whole and to which something is added twice");
    }
    Ok((adds, reads))
}

fn initial<'a>(key: &Key<'a>) -> &'a [Value] {
    items(key.initial).unwrap_or_default()
}

fn seen<'a>(key: &Key<'a>, read: u32) -> &'a [Value] {
    items(key.history.value(key.operation(read).output)).expect("it saw a set")
}

/// Returns all operations that took place by their levels, and then by their starts; or a violation if the reads do
/// not fit each other or the adds. Sorts the reads by size.
fn place(key: &Key<'_>, adds: &FxHashMap<&Value, u32>, reads: &mut [u32]) -> Result<Vec<LeveledOperation>, SolveError> {
    reads.sort_by_key(|&read| seen(key, read).len());
    let mut now: FxHashSet<&Value> = initial(key).iter().collect();
    let mut placed = Vec::with_capacity(key.operations.len());
    let (mut level, mut before) = (0, None);
    for &read in &*reads {
        let set = seen(key, read);
        key.steps(1 + set.len(), 0)?;
        let elements: FxHashSet<&Value> = set.iter().collect();
        if elements.len() < set.len() {
            let mut before = FxHashSet::default();
            let again = set.iter().find(|element| !before.insert(*element)).expect("there are fewer different ones");
            let claim = format!("{} returned {again} twice", key.who("read", read));
            return Err(Violation::new(vec![read], claim).into());
        }
        if let Some(lost) = now.iter().find(|element| !elements.contains(*element)) {
            return Err(not_in_a_row(key, adds, before, read, lost).into());
        }
        let new = set.iter().filter(|element| !now.contains(element));
        let mut newer = Vec::with_capacity(set.len() - now.len());
        for element in new {
            let Some(&add) = adds.get(element) else {
                let adds = |name: &str| SetFunction::named(name) == Some(SetFunction::Add);
                let (why, attempt) = key.never_added(element, adds, "added", read);
                let claim = format!("{} returned {element}, {why}", key.who("read", read));
                return Err(about(&[element], attempt.into_iter().chain([read]).collect(), claim).into());
            };
            newer.push((element, add));
        }
        level += usize::from(!newer.is_empty()) * 2;
        for (element, add) in newer {
            now.insert(element);
            placed.push(LeveledOperation { level: level - 1, operation: add });
        }
        placed.push(LeveledOperation { level, operation: read });
        before = Some(read);
    }
    let unseen = adds.iter().filter(|(element, _)| !now.contains(*element)).map(|(_, &add)| add);
    let unseen = unseen.filter(|&add| key.operation(add).outcome == Outcome::Ok);
    placed.extend(unseen.map(|operation| LeveledOperation { level: level + 1, operation }));
    placed.sort_unstable_by_key(|placed| (placed.level, placed.operation));
    Ok(placed)
}

fn about(elements: &[&Value], operations: Vec<u32>, claim: String) -> Violation {
    let others = Others {
        assumption: OTHER_ELEMENTS,
        elements: Some(elements.iter().map(|&element| element.clone()).collect()),
        specification: |initial, elements| Box::new(Set::of_only(initial, elements)),
    };
    Violation { scope: Scope::Beside(others), ..Violation::new(operations, claim) }
}

/// Describes two reads, each with an element that the other lacks, or one that lacks an initial element.
fn not_in_a_row(
    key: &Key<'_>,
    adds: &FxHashMap<&Value, u32>,
    before: Option<u32>,
    read: u32,
    lost: &Value,
) -> Violation {
    let who = key.who("read", read);
    let Some(&add) = adds.get(lost) else {
        let claim = format!("{who} lacked {lost}, although the set began with it and nothing was removed");
        return about(&[lost], vec![read], claim);
    };
    let before = before.expect("what was added was read before");
    let there: FxHashSet<&Value> = seen(key, before).iter().collect();
    let other = seen(key, read).iter().find(|element| !there.contains(element));
    let other = other.expect("it is no smaller, and lacks something");
    let claim = format!(
        "{who} returned {other} without {lost}, although {} returned {lost} without {other}: one of the two had been \
        there before the other",
        key.who("read", before)
    );
    let operations = [add, before, read].into_iter().chain(adds.get(other).copied()).collect();
    about(&[lost, other], operations, claim)
}

/// Describes an operation of a `lower` level that began after one of a `higher` level had ended.
fn too_late(
    key: &Key<'_>,
    adds: &FxHashMap<&Value, u32>,
    reads: &[u32],
    lower: LeveledOperation,
    higher: LeveledOperation,
) -> Violation {
    let (low, high) = (lower.operation, higher.operation);
    let ended = key.ended(high);
    let element = |index: u32| key.history.value(key.operation(index).input);
    match (lower.level % 2 == 1, higher.level % 2 == 1) {
        (false, true) => {
            let claim = format!(
                "{} lacked {}, although {} had been acknowledged at {ended}",
                key.who("read", low),
                element(high),
                key.who_called(high)
            );
            about(&[element(high)], vec![high, low], claim)
        }
        (false, false) => {
            let there: FxHashSet<&Value> = seen(key, low).iter().collect();
            let lost = seen(key, high).iter().find(|element| !there.contains(element));
            let lost = lost.expect("it is the larger one of the two");
            let claim = format!(
                "{} lacked {lost}, although {} had returned it at {ended}",
                key.who("read", low),
                key.who("read", high)
            );
            about(&[lost], vec![adds[lost], high, low], claim)
        }
        (true, false) => {
            let claim = format!(
                "{} returned {}, although {}, which added it, only began after that read had ended at {ended}",
                key.who("read", high),
                element(low),
                key.who_called(low)
            );
            about(&[element(low)], vec![high, low], claim)
        }
        (true, true) => {
            let has = |&&read: &&u32| seen(key, read).contains(element(low));
            let read = *reads.iter().find(has).expect("the level is that of a set that was read");
            let claim = format!(
                "{} returned {} without {}, although {} had been acknowledged at {ended}, before {} began",
                key.who("read", read),
                element(low),
                element(high),
                key.who_called(high),
                key.who_called(low)
            );
            about(&[element(low), element(high)], vec![high, low, read], claim)
        }
    }
}
