//! Sentences of the evidence: the claim of what is wrong, and the reasons why one operation must come before another,
//! until they form a cycle.

use super::stale;
use crate::{
    Staleness,
    prepare::{Action, INITIAL, Step, Val},
    words::{Words, apart},
    zones::{Clusters, ZoneViolation},
};
use histories::{Function, Value, ValueId};

/// Evidence in words.
#[derive(Debug, Default)]
pub(super) struct Description {
    pub claim: String,
    pub reasons: Vec<String>,
    pub staleness: Option<Staleness>,
    /// Operations that did not take place, and that the claim is about.
    pub failed: Vec<u32>,
}

/// Describes a violation that the zones found in just these steps; `repeats` if others set the same values.
pub(super) fn of_violation(
    words: &Words<'_>,
    violation: &ZoneViolation,
    clusters: &Clusters,
    repeats: bool,
) -> Description {
    let step = |index: u32| &words.prepared.steps[index as usize];
    let setter = |value: Val| step(clusters[value].writer.get().expect("a cas set it"));
    match *violation {
        ZoneViolation::Contradiction { step: index } => {
            let step = step(index);
            let claim = format!(
                "{} did not match, and yet {}, the value that it expected",
                words.who(step),
                words.answer(step)
            );
            Description { claim, ..Description::default() }
        }
        ZoneViolation::NeverSet { value, observer } => never_set(words, value, step(observer)),
        ZoneViolation::TwoCas { .. } | ZoneViolation::Ring { .. } if repeats => of_steps(words),
        ZoneViolation::TwoCas { from, to } => two_cas(words, from, to.map(setter)),
        ZoneViolation::Ring { ref values } => {
            ring(words, &values.iter().map(|&value| setter(value)).collect::<Vec<_>>())
        }
        ZoneViolation::Inversion { later, earlier } => {
            of_stalest(words, clusters, repeats).unwrap_or_else(|| inversion(words, step(later), step(earlier)))
        }
        ZoneViolation::Meeting { first_ends, last_begins, .. } => {
            of_stalest(words, clusters, repeats).unwrap_or_else(|| meeting(words, first_ends, last_begins, repeats))
        }
    }
}

/// Formats a read value: `returned 41`, or `found 41` for a cas.
pub(crate) fn saw(words: &Words<'_>, step: &Step) -> String {
    match step.action {
        Action::Cas { from, .. } => format!("found {}", words.value(from)),
        _ => words.answer(step),
    }
}

/// Describes the stalest read, if one is certainly stale.
fn of_stalest(words: &Words<'_>, clusters: &Clusters, repeats: bool) -> Option<Description> {
    let stale = stale::stalest(words.history, words.prepared, clusters)?;
    let step = |index: u32| &words.prepared.steps[index as usize];
    let (reader, proof) = (step(stale.reader), step(stale.new_proof));
    let (old, new) = (words.value(stale.old), words.value(stale.new));
    let noun = words.noun(reader);
    let distance = apart(words.history, stale.staleness.behind_ns, "before");
    let (who, done) = (words.who(reader), words.was_done(proof));
    let answer = saw(words, reader);
    let claim = format!("{who} {answer}, although {done}, {distance} the {noun} began");
    let new_setter = step(clusters[stale.new].writer.get().expect("the newer value was set"));
    let short = words.short(new_setter);
    let follows = if clusters.between(stale.old, stale.new).contains(&stale.new) {
        format!("{new} was set by cas from {old}, so it came after {old}")
    } else if let Some(proof) = stale.old_proof {
        let (done, began) = (words.was_done(step(proof)), words.began(new_setter));
        format!("{done}, before {short} was invoked at {began}: so {new} came after {old}")
    } else {
        format!("{old} is what was there before anything was written, so {short} came after it")
    };
    let began = words.began(reader);
    let once = match stale.old {
        _ if repeats => "nobody set again in time",
        INITIAL => "was there only at first",
        _ => "was set only once",
    };
    let reasons = vec![
        follows,
        format!("{done}, before this {noun} was invoked at {began}: so it comes after {new} was set"),
        format!("but it {answer}, which {once}, and was replaced by then: so it must come before {new} was set"),
    ];
    Some(Description { claim, reasons, staleness: Some(stale.staleness), failed: Vec::new() })
}

/// Describes a read of a value that was there at another time, but not then.
pub(super) fn gone(words: &Words<'_>, value: Val, observer: &Step) -> Description {
    let claim =
        format!("{} {}, which cannot have been there by then", words.who(observer), observed(words, value, observer));
    Description { claim, ..Description::default() }
}

/// Describes a look at a text that no write and no appends can have made, or only those that did not take place.
pub(super) fn never_made(words: &Words<'_>, value: Val, observer: &Step) -> Description {
    let written = never_set(words, value, observer);
    if !written.failed.is_empty() {
        return written;
    }
    let claim = format!(
        "{} {}, which no write and no appends that began before it ended can have made",
        words.who(observer),
        observed(words, value, observer)
    );
    Description { claim, ..Description::default() }
}

/// Formats an answer with the value that it shows: `took effect, so it found 41`.
fn observed(words: &Words<'_>, value: Val, observer: &Step) -> String {
    match observer.action {
        Action::Cas { .. } => format!("{}, so it found {}", words.answer(observer), words.value(value)),
        _ => words.answer(observer),
    }
}

/// Describes a read of a value that was never set, or only by an operation that did not take place.
fn never_set(words: &Words<'_>, value: Val, observer: &Step) -> Description {
    let saw = observed(words, value, observer);
    let who = words.who(observer);
    let id = words.prepared.values[value as usize];
    let text = |id: ValueId| if let Value::Str(text) = words.history.value(id) { Some(&**text) } else { None };
    let failed = words.prepared.failed.iter().copied().filter(|&index| {
        let operation = &words.history.operations[index as usize];
        let set = if operation.function == Function::Cas { operation.to } else { operation.input };
        let would_show = match operation.function {
            Function::Append => id.and_then(text).zip(text(set)).is_some_and(|(found, end)| found.ends_with(end)),
            function => id == Some(set) && set != ValueId::UNKNOWN && function != Function::Read,
        };
        would_show && operation.invoked < words.operation(observer).completed
    });
    let is_append = |index: &u32| words.history.operations[*index as usize].function == Function::Append;
    let Some(index) = failed.min_by_key(is_append) else {
        return Description { claim: format!("{who} {saw}, which nobody ever wrote"), ..Description::default() };
    };
    let failed = Step { operation: index, ..*observer };
    let attempt = words.short(&failed);
    if is_append(&index) {
        let claim =
            format!("{who} {saw}, although {attempt}, which could have led to it, failed, and nothing else can have");
        return Description { claim, failed: vec![index], ..Description::default() };
    }
    let claim = format!("{who} {saw}, although {attempt} failed, and nobody else wrote it");
    let reasons = vec![
        format!("{attempt} ended as failed: it did not happen, and never will"),
        format!("but {} was there to be seen, so it did happen", words.value(value)),
    ];
    Description { claim, reasons, staleness: None, failed: vec![index] }
}

fn two_cas(words: &Words<'_>, from: Val, both: [&Step; 2]) -> Description {
    let [first, second] = both;
    let from = words.value(from);
    let claim = format!(
        "{} {}, although {} took the same {from} away, which was there only once",
        words.who(second),
        words.answer(second),
        words.short(first),
    );
    let after =
        |a: &Step, b: &Step| format!("{} replaced {from}, so {} must come before it", words.short(a), words.short(b));
    Description { claim, reasons: vec![after(first, second), after(second, first)], ..Description::default() }
}

fn ring(words: &Words<'_>, steps: &[&Step]) -> Description {
    let claim = match steps {
        [one] => format!("{} {}, although nobody else ever set what it expected", words.who(one), words.answer(one)),
        [first, other] => format!(
            "{} {}, although {}, which set what it expected, expected what it set",
            words.who(first),
            words.answer(first),
            words.short(other)
        ),
        [first, ..] => format!(
            "{} {}, although what it expected can only have been set after it, by way of {} other cas",
            words.who(first),
            words.answer(first),
            steps.len() - 1
        ),
        [] => unreachable!("a ring has at least one value"),
    };
    let next = steps.iter().cycle().skip(1);
    let reasons = (steps.iter().zip(next))
        .map(|(step, next)| {
            format!("{} must come before {}, which expects what it set", words.short(step), words.short(next))
        })
        .collect();
    Description { claim, reasons, ..Description::default() }
}

/// Describes an inversion: `later` found what only `earlier` makes possible, but was over when `earlier` began.
fn inversion(words: &Words<'_>, later: &Step, earlier: &Step) -> Description {
    let (l, e) = (words.times(later.operation), words.times(earlier.operation));
    let distance = apart(words.history, e.invoked_ns.saturating_sub(l.completed_ns), "after");
    let (who, answer, noun) = (words.who(later), words.answer(later), words.noun(later));
    let (short, began) = (words.short(earlier), words.began(earlier));
    let claim =
        format!("{who} {answer}, although {short} was only invoked at {began}, {distance} the {noun} had ended");
    let reasons = vec![
        format!(
            "{} ended at {}, before {short} was invoked: so it comes before",
            words.short(later),
            words.ended(later)
        ),
        if stale::level(later).is_some_and(|seen| Some(seen) == stale::level(earlier)) {
            format!("but it could only happen after {short}")
        } else {
            format!("but it could only happen after {short}, by way of the cas between")
        },
    ];
    Description { claim, reasons, ..Description::default() }
}

/// Describes two values that must each come before the other, with no read that is certainly stale by itself.
fn meeting(words: &Words<'_>, first_ends: [Option<u32>; 2], last_begins: [u32; 2], repeats: bool) -> Description {
    let step = |index: u32| &words.prepared.steps[index as usize];
    // The initial value, if it is one of them, or else the side whose last look came last: there the value came back.
    let initial = first_ends.iter().position(Option::is_none);
    let back = initial.unwrap_or_else(|| usize::from(step(last_begins[1]).start > step(last_begins[0]).start));
    let (again, between) = (step(last_begins[back]), step(last_begins[1 - back]));
    let other = step(first_ends[1 - back].expect("one of the two is not the initial value"));
    let seen = |step: &Step| stale::level(step).map_or_else(String::new, |value| words.value(value));
    let once = match initial {
        _ if repeats => "and nobody set it back in time",
        Some(_) => "and nobody set it back",
        None => "and each was set only once",
    };
    let claim = format!(
        "{} {}, although {} before that {} began: it went from {} to {} and back, {once}",
        words.who(again),
        words.answer(again),
        words.was_done(other),
        words.noun(again),
        seen(again),
        seen(other),
    );
    let came_before = |done: &Step, next: &Step| {
        format!(
            "{}, before {} was invoked at {}: so {} came before {}",
            words.was_done(done),
            words.short(next),
            words.began(next),
            seen(done),
            seen(next)
        )
    };
    let first = first_ends[back].map_or_else(
        || format!("{} is what was there before anything was written, so it comes first", words.value(INITIAL)),
        |first| came_before(step(first), between),
    );
    Description { claim, reasons: vec![first, came_before(other, again)], ..Description::default() }
}

/// Maximum number of steps that are described one by one.
const MAX_LISTED: usize = 12;

/// Describes steps that only exhaustive search shows to be impossible.
pub(super) fn of_steps(words: &Words<'_>) -> Description {
    let steps = &words.prepared.steps;
    let looks = |step: &&Step| step.is_certain() && !matches!(step.action, Action::Write(_) | Action::Append(_));
    let last = steps.iter().filter(looks).max_by_key(|step| step.end).or(steps.last());
    let claim = last.map_or_else(String::new, |step| {
        format!(
            "{} {}, which no order of the {} operations that could matter to it explains",
            words.who(step),
            words.answer(step),
            steps.len()
        )
    });
    let listed = if steps.len() <= MAX_LISTED { &steps[..] } else { &[] };
    let reasons = (listed.iter())
        .map(|step| {
            let end = if step.is_certain() {
                format!("{} at {}", words.answer(step), words.ended(step))
            } else {
                "its outcome is unknown".to_owned()
            };
            format!("{}: {end}", words.who(step))
        })
        .chain(std::iter::once(
            "every order that respects these times was tried, and each contradicts one of these answers".to_owned(),
        ))
        .collect();
    Description { claim, reasons, ..Description::default() }
}
