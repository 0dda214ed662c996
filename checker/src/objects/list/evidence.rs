//! Evidence that a list has no order: few operations, and sentences about them.
//!
//! A list from which all but some elements are struck out is a list of the others: so a violation that concerns few
//! elements can be shown by their appends and a few reads.

use histories::{Outcome, Value};
use rustc_hash::FxHashSet;

use super::{
    method::{initial, order, seen},
    specification::{List, appends},
    violation::ListViolation,
};
use crate::objects::key::{Key, OTHER_ELEMENTS, Others, Scope, SolveError, Violation};

/// Maximum number of operations that are looked at while the evidence is shrunk, over all attempts.
const MAX_SEARCHED: usize = 200_000;

/// Maximum length of a list that is written out.
const MAX_SHOWN: usize = 8;

impl ListViolation {
    /// Describes the violation, with operations that show it.
    pub(super) fn describe(self, key: &Key<'_>) -> Violation {
        match self {
            Self::NotInitial(read) => {
                let claim = format!("{}, although the list began with {}", returned(key, read), shown(initial(key)));
                Violation::new(vec![read], claim)
            }
            Self::Fork(one, other) => fork(key, one, other),
            Self::Stale { read, longest } => stale(key, read, longest).unwrap_or_else(|| repeated(key, read, longest)),
            Self::Missing { place, needed_by, longest } => {
                missing(key, place, needed_by, longest).unwrap_or_else(|| repeated(key, needed_by, longest))
            }
        }
    }
}

/// Formats a read with its answer: `read by process 3 at 1.200 s returned [1, 2]`.
fn returned(key: &Key<'_>, read: u32) -> String {
    format!("{} returned {}", key.who("read", read), shown(list(key, read)))
}

fn list<'a>(key: &Key<'a>, read: u32) -> &'a [Value] {
    seen(key, read).expect("it is a read that returned a list")
}

fn shown(list: &[Value]) -> String {
    match list {
        [first, second, .., last] if list.len() > MAX_SHOWN => {
            format!("[{first},{second},…,{last}] ({} elements)", list.len())
        }
        _ => Value::List(list.to_vec()).to_string(),
    }
}

/// Returns all appends of this element.
fn appends_of(key: &Key<'_>, element: &Value) -> Vec<u32> {
    let Some(id) = key.history.values.find(element) else { return Vec::new() };
    let is_one = |index: &u32| {
        let operation = key.operation(*index);
        operation.input == id && appends(key.name(operation)) == Some(true)
    };
    key.operations.iter().copied().filter(is_one).collect()
}

fn about(elements: Vec<Value>, operations: Vec<u32>, claim: String, reasons: Vec<String>) -> Violation {
    let others = Others {
        assumption: OTHER_ELEMENTS,
        elements: Some(elements),
        specification: |initial, elements| Box::new(List::of_only(initial, elements)),
    };
    Violation { reasons, scope: Scope::Beside(others), ..Violation::new(operations, claim) }
}

fn fork(key: &Key<'_>, one: u32, other: u32) -> Violation {
    let (earlier, later) =
        if key.operation(one).completed < key.operation(other).completed { (one, other) } else { (other, one) };
    let (a, b) = (list(key, earlier), list(key, later));
    let at = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let claim = format!(
        "{}, although {}: two lists of which none begins with the other",
        returned(key, later),
        returned(key, earlier)
    );
    let place = at + 1;
    let reason = format!(
        "they differ first at place {place}, where the first has {} and the second {}; what was appended stays",
        b[at], a[at]
    );
    let mut operations = vec![earlier, later];
    operations.extend(appends_of(key, &a[at]));
    operations.extend(appends_of(key, &b[at]));
    about(vec![a[at].clone(), b[at].clone()], operations, claim, vec![reason]).unless_repeated(key, &[earlier, later])
}

impl Violation {
    /// Extends the scope to all elements if an element that tells the lists apart occurs more than once in one of
    /// them.
    fn unless_repeated(mut self, key: &Key<'_>, reads: &[u32]) -> Self {
        let Scope::Beside(Others { elements: Some(elements), .. }) = &self.scope else { return self };
        let once = |element: &Value, read: u32| list(key, read).iter().filter(|other| *other == element).count() <= 1;
        if elements.iter().any(|element| reads.iter().any(|&read| !once(element, read))) {
            self.scope = Scope::Whole;
        }
        self
    }
}

/// Describes an earlier append or read that this read misses, if a single one shows it.
fn stale(key: &Key<'_>, read: u32, longest: u32) -> Option<Violation> {
    let seen_then = list(key, read);
    let start = key.operation(read).invoked;
    let longest = list(key, longest);
    let then: FxHashSet<&Value> = seen_then.iter().collect();
    let before = key.operations.iter().copied().filter(|&index| {
        let operation = key.operation(index);
        operation.outcome == Outcome::Ok && operation.completed < start
    });
    let lacks = |&index: &u32| {
        let operation = key.operation(index);
        if appends(key.name(operation)) == Some(false) {
            return list(key, index).len() > seen_then.len();
        }
        !then.contains(key.history.value(operation.input))
    };
    let against = before.filter(lacks).min_by_key(|&index| key.operation(index).completed)?;
    let operation = key.operation(against);
    if appends(key.name(operation)) == Some(true) {
        let element = key.history.value(operation.input);
        let claim = format!(
            "{}, although {} had been acknowledged at {}",
            returned(key, read),
            key.who_called(against),
            key.ended(against)
        );
        let reason = match longest.iter().position(|other| other == element) {
            Some(place) => format!(
                "{element} was appended as element {}, as a longer list shows; this one ends before it",
                place + 1
            ),
            None => format!("no list that was read has {element}: it is lost"),
        };
        return Some(about(vec![element.clone()], vec![against, read], claim, vec![reason]));
    }
    let longer = list(key, against);
    let extra = longer[seen_then.len()..].iter().find(|element| !then.contains(element))?;
    let claim = format!(
        "{}, although {} had already returned {} at {}",
        returned(key, read),
        key.who("read", against),
        shown(longer),
        key.ended(against)
    );
    let mut operations = appends_of(key, extra);
    operations.extend([against, read]);
    let reason = format!("{extra} was in the list by then, and what was appended stays");
    Some(about(vec![extra.clone()], operations, claim, vec![reason]))
}

/// Describes a read of an element that cannot have been appended by then, or two appends whose order a read
/// contradicts. Returns `None` if elements that are appended more than once make it more complicated.
fn missing(key: &Key<'_>, place: usize, needed_by: u32, longest: u32) -> Option<Violation> {
    let all = list(key, longest);
    let element = &all[place];
    let appended = appends_of(key, element);
    let times = all[..=place].iter().filter(|other| *other == element).count();
    let reader = if appends(key.name(key.operation(needed_by))) == Some(false) { needed_by } else { longest };
    let end = key.operation(reader).completed;
    let begun: Vec<u32> = appended.iter().copied().filter(|&index| key.operation(index).invoked < end).collect();
    if begun.len() + initial(key).iter().filter(|other| *other == element).count() < times {
        let (why, others) = match (begun.len(), appended.get(begun.len())) {
            (0, Some(&first)) if times == 1 => {
                let why = format!(
                    "although {}, which first appended {element}, only began after the read had ended at {}",
                    key.who_called(first),
                    key.ended(reader)
                );
                (why, Some(first))
            }
            (0, _) if times == 1 => {
                let (why, attempt) = key.never_added(element, |name| appends(name) == Some(true), "appended", reader);
                (format!("with {element}, {why}"), attempt)
            }
            (count, _) => {
                let why = format!(
                    "in which {element} stands {times} times, although only {count} append{} of it had begun by the \
                    time the read ended at {}",
                    if count == 1 { "" } else { "s" },
                    key.ended(reader)
                );
                (why, None)
            }
        };
        let claim = format!("{}, {why}", returned(key, reader));
        let operations = begun.into_iter().chain(others).chain([reader]).collect();
        return Some(about(vec![element.clone()], operations, claim, Vec::new()));
    }
    let earlier = key.history.value(key.operation(needed_by).input);
    let (&[second], [_]) = (&begun[..], &appends_of(key, earlier)[..]) else { return None };
    if times > 1 || initial(key).contains(earlier) || all.iter().filter(|other| *other == earlier).count() > 1 {
        return None;
    }
    let ended = key.ended(needed_by);
    let began = format!("before {} began", key.who_called(second));
    let order = match all.iter().position(|other| other == earlier) {
        Some(later) => format!("with {element} as element {} and {earlier} only as element {}", place + 1, later + 1),
        None => format!("with {element} and without {earlier}"),
    };
    let claim = format!(
        "{}, {order}, although {} had been acknowledged at {ended}, {began}",
        returned(key, longest),
        key.who_called(needed_by)
    );
    let elements = vec![element.clone(), earlier.clone()];
    Some(about(elements, vec![needed_by, second, longest], claim, Vec::new()))
}

/// Describes everything that began before one of these operations ended, without the reads that are not needed.
fn repeated(key: &Key<'_>, last: u32, longest: u32) -> Violation {
    let end = key.operation(last).completed.max(key.operation(longest).completed);
    let began = |index: &u32| key.operation(*index).invoked < end;
    let operations = key.operations.iter().copied().filter(began).collect();
    let mut smaller = key.of(operations);
    let mut searched = 0;
    for at in (0..smaller.operations.len()).rev() {
        searched += smaller.operations.len();
        if smaller.steps(smaller.operations.len(), 0).is_err() {
            break;
        }
        let index = smaller.operations[at];
        if searched > MAX_SEARCHED || index == last || appends(key.name(key.operation(index))) == Some(true) {
            continue;
        }
        smaller.operations.remove(at);
        if !matches!(order(&smaller), Err(SolveError::Violation(_))) {
            smaller.operations.insert(at, index);
        }
    }
    let operation = key.operation(last);
    let claim = if appends(key.name(operation)) == Some(true) {
        format!("{} was acknowledged, which no order of the operations before it explains", key.who_called(last))
    } else {
        format!("{}, which no order of the operations before it explains", returned(key, last))
    };
    Violation::new(smaller.operations, claim)
}
