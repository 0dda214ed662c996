//! The report of the checker, in words.

use checker::{Evidence, KeyReport, Model, Report, UnknownWhy, Verdict, WeakVerdict};
use histories::History;

use super::operations::operation_in_words;
use crate::{
    check::evidence::{clearest, keys_with},
    terminal::{
        Answer,
        words::{counted, grouped, named_key, plain, push_line},
    },
};

/// Describes the report on one history: the verdict, and for a violation the clearest evidence.
pub(crate) fn describe(history: &History, report: &Report) -> Answer {
    with_doubts(history, report, &doubts(report))
}

/// Describes the report like [`describe`], without the store's revisions, which an audit found wrong.
pub(crate) fn describe_audited(history: &History, report: &Report) -> Answer {
    with_doubts(history, report, "")
}

fn with_doubts(history: &History, report: &Report, doubts: &str) -> Answer {
    let verdict = report.verdict_in_words();
    let mut summary = format!(": {}\n{}", counts_in_words(report), weakness(report));
    let mut text = String::new();
    let violated: Vec<&KeyReport> = keys_with(report, Verdict::NotLinearizable);
    if let Some((key, evidence)) = clearest(&violated) {
        push_line(&mut summary, format_args!("\n  {}", evidence.claim));
        evidence_in_words(&mut text, history, report, evidence);
        let others = violated.iter().filter(|other| other.key != key.key).map(|other| other.key.to_string());
        let others: Vec<String> = others.collect();
        if !others.is_empty() {
            push_line(&mut text, format_args!("\n  {}: {}.", other_violations(report), shortened(&others)));
        }
    }
    if let Some(figures) = &report.figures {
        push_line(&mut text, format_args!("  {}", super::sets::figures(figures)));
    }
    text.push_str(doubts);
    if let Some(why) = &report.why {
        push_line(&mut text, format_args!("  {why}"));
    }
    let unknown = keys_with(report, Verdict::Unknown);
    let reasons = unknown.iter().filter_map(|key| key.why.as_ref().map(|why| (key, why)));
    let (skipped, undecided): (Vec<_>, Vec<_>) = reasons.partition(|(_, why)| **why == UnknownWhy::NotChecked);
    for (key, why) in undecided.iter().take(3) {
        let of = named_key(&key.key).map_or_else(String::new, |key| format!(" for {key}"));
        push_line(&mut text, format_args!("  unknown{of}: {why}"));
    }
    if !skipped.is_empty() {
        push_line(&mut text, format_args!("\n  {} not checked; --all checks every key", counted(skipped.len(), "key")));
    }
    Answer { verdict, summary, details: text, ..Answer::default() }
}

/// Describes the number of operations checked, and their outcomes if not all were answered.
pub(crate) fn counts_in_words(report: &Report) -> String {
    let Report { operations, answered, unanswered, .. } = *report;
    let spans_keys = Model::ALL.iter().any(|it| it.spans_keys() && report.property.as_deref() == Some(it.name()));
    let keys = if spans_keys { "all keys together".to_owned() } else { counted(report.keys.len(), "key") };
    let all = format!("{} on {keys}", counted(operations, "operation"));
    if answered == operations || report.keys.is_empty() {
        return all;
    }
    let failed = operations - answered - unanswered;
    let others = [(unanswered, "of unknown outcome"), (failed, "failed")];
    let others =
        others.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{} {what}", grouped(*count)));
    let parts: Vec<String> = std::iter::once(format!("{} answered", grouped(answered))).chain(others).collect();
    format!("{all}: {}", parts.join(", "))
}

/// Warns if a positive verdict is weak evidence, on all keys or on some.
fn weakness(report: &Report) -> String {
    let mut text = String::new();
    let weak: Vec<(&KeyReport, WeakVerdict)> = report.keys.iter().filter_map(|key| Some((key, key.weak?))).collect();
    if let Some(why) = report.weak {
        push_line(&mut text, format_args!("  weak evidence: {}, so this says nothing of the system", why.reason()));
    } else if let Some((_, why)) = weak.first() {
        let names: Vec<String> = weak.iter().map(|(key, _)| plain(&key.key)).collect();
        let of = format!("{} of {}", grouped(weak.len()), counted(report.keys.len(), "key"));
        push_line(&mut text, format_args!("  weak evidence on {of} ({}): {}", shortened(&names), why.reason()));
    }
    text
}

/// Maximum number of keys whose impossible revisions are described: the first ones.
const MAX_DOUBTS: usize = 3;

/// Describes where the store's own revisions cannot be right.
fn doubts(report: &Report) -> String {
    let mut text = String::new();
    let doubted = report.keys.iter().filter_map(|key| key.revisions.as_ref().map(|said| (key, said)));
    for (key, said) in doubted.clone().take(MAX_DOUBTS) {
        let of = named_key(&key.key).map_or_else(String::new, |key| format!(" for {key}"));
        push_line(&mut text, format_args!("\n  note{of}, which does not affect the verdict: {said}"));
    }
    let more = doubted.count().saturating_sub(MAX_DOUBTS);
    if more > 0 {
        push_line(&mut text, format_args!("  ({} more with such a note; --json has them all)", counted(more, "key")));
    }
    text
}

/// Maximum number of operations shown.
const MAX_OPERATIONS: usize = 24;

fn evidence_in_words(text: &mut String, history: &History, report: &Report, evidence: &Evidence) {
    if !evidence.reasons.is_empty() {
        push_line(text, format_args!("\n  Why no order can explain it:"));
        for (number, reason) in (1..).zip(&evidence.reasons) {
            push_line(text, format_args!("   {number}. {reason}"));
        }
    }
    for said in evidence.possible.iter().chain(&evidence.revisions) {
        push_line(text, format_args!("\n  {said}."));
    }
    push_line(text, format_args!("\n  {}:", contradiction_in_words(report, evidence)));
    let shown = evidence.clearest(history, &evidence.operations, MAX_OPERATIONS);
    let left_out = evidence.operations.len() - shown.len();
    if left_out > 0 {
        push_line(text, format_args!("    ({} left out; --json names all)", counted(left_out, "operation")));
    }
    for place in shown {
        push_line(text, format_args!("    {}", operation_in_words(history, place)));
    }
}

/// Introduces the keys, other than the one shown, that have a violation.
pub(crate) fn other_violations(report: &Report) -> &'static str {
    if report.property.is_some() { "Violated as well" } else { "Not linearizable either" }
}

/// States that the operations of the evidence contradict each other, or violate a property, alone or together with
/// something else.
pub(crate) fn contradiction_in_words(report: &Report, evidence: &Evidence) -> String {
    match &evidence.besides {
        None if report.property.is_some() => "These operations alone already violate it".to_owned(),
        None => "These operations alone already contradict each other".to_owned(),
        Some(besides) if report.property.is_some() => format!("These operations violate it, {besides}"),
        Some(besides) => format!("These operations contradict each other, {besides}"),
    }
}

fn shortened(names: &[String]) -> String {
    const MAX_NAMES: usize = 10;
    let shown = names.iter().take(MAX_NAMES).map(|name| name.trim_matches('"')).collect::<Vec<_>>().join(", ");
    if names.len() > MAX_NAMES { format!("{shown} and {} more", names.len() - MAX_NAMES) } else { shown }
}

#[cfg(test)]
mod tests {
    use checker::{Model, Options, check};
    use histories::{Event, EventType, HistoryBuilder, Process};

    use super::{describe, describe_audited};

    #[test]
    fn revisions_that_an_audit_found_wrong_are_not_noted_as_if_they_did_not_matter() {
        let mut builder = HistoryBuilder::default();
        for (process, f, revision) in [(1, "write", 7), (2, "read", 5)] {
            for kind in [EventType::Invoke, EventType::Ok] {
                let event = Event::new(Process::Client(process), kind, f);
                let revision = (kind == EventType::Ok).then_some(revision);
                builder.push(Event { value: Some(1.into()), revision, ..event }).unwrap();
            }
        }
        let history = builder.finish();
        let report = check(&history, &Options::new(Model::Register));
        assert!(describe(&history, &report).details.contains("which does not affect the verdict"));
        assert!(!describe_audited(&history, &report).details.contains("revision"));
    }
}
