//! The report of the checker, in words.

use checker::{Evidence, KeyReport, Ladder, Report, UnknownWhy, Verdict, Weak, Witness};
use histories::{FailedCasCounts, Function, History, Outcome, Value, ValueId};

use super::harmless::{self, does_harm};

/// Describes the report on one history: the verdict, and for a violation the clearest evidence.
pub(crate) fn describe(history: &History, report: &Report) -> String {
    let mut text = format!("{}: {}\n", report.verdict, counts_in_words(report));
    text.push_str(&weakness(report));
    let violated: Vec<&KeyReport> = of(report, Verdict::NotLinearizable);
    if let Some((key, evidence)) = clearest(&violated) {
        evidence_in_words(&mut text, history, evidence);
        let others = violated.iter().filter(|other| other.key != key.key).map(|other| other.key.to_string());
        let others: Vec<String> = others.collect();
        if !others.is_empty() {
            line(&mut text, format_args!("\n  Not linearizable either: {}.", shortened(&others)));
        }
    }
    text.push_str(&doubts(report));
    if let Some(why) = &report.why {
        line(&mut text, format_args!("  {why}"));
    }
    let unknown = of(report, Verdict::Unknown);
    let reasons = unknown.iter().filter_map(|key| key.why.as_ref().map(|why| (key, why)));
    let (skipped, undecided): (Vec<_>, Vec<_>) = reasons.partition(|(_, why)| **why == UnknownWhy::NotChecked);
    for (key, why) in undecided.iter().take(3) {
        let of = if key.key == Value::Nil { String::new() } else { format!(" for key {}", plain(&key.key)) };
        line(&mut text, format_args!("  unknown{of}: {why}"));
    }
    if !skipped.is_empty() {
        line(
            &mut text,
            format_args!("\n  {} not checked any more; --all checks every key", counted(skipped.len(), "key")),
        );
    }
    text
}

/// Describes the number of operations checked, and their outcomes if not all were answered.
pub(crate) fn counts_in_words(report: &Report) -> String {
    let Report { operations, answered, unanswered, .. } = *report;
    let all = format!("{} on {}", counted(operations, "operation"), counted(report.keys.len(), "key"));
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
    let weak: Vec<(&KeyReport, Weak)> = report.keys.iter().filter_map(|key| Some((key, key.weak?))).collect();
    if let Some(why) = report.weak {
        line(&mut text, format_args!("  weak evidence: {}, so this says nothing of the system", why.reason()));
    } else if let Some((_, why)) = weak.first() {
        let names: Vec<String> = weak.iter().map(|(key, _)| plain(&key.key)).collect();
        let of = format!("{} of {}", grouped(weak.len()), counted(report.keys.len(), "key"));
        line(&mut text, format_args!("  weak evidence on {of} ({}): {}", shortened(&names), why.reason()));
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
        let of = if key.key == Value::Nil { String::new() } else { format!(" for key {}", plain(&key.key)) };
        line(&mut text, format_args!("\n  note{of}, on which no verdict rests: {said}"));
    }
    let more = doubted.count().saturating_sub(MAX_DOUBTS);
    if more > 0 {
        line(&mut text, format_args!("  ({} more with such a note; --json has them all)", counted(more, "key")));
    }
    text
}

/// Returns the evidence that is easiest to understand: the most outdated read, or else the first evidence there is.
pub(crate) fn clearest<'a>(violated: &[&'a KeyReport]) -> Option<(&'a KeyReport, &'a Evidence)> {
    let with_evidence = violated.iter().filter_map(|key| key.evidence.as_ref().map(|evidence| (*key, evidence)));
    with_evidence.rev().max_by_key(|(_, evidence)| evidence.staleness.map(|staleness| staleness.behind_ns))
}

/// Makes the ladder agree with the report on linearizability, with the same evidence.
pub(crate) fn place_on(ladder: &mut Ladder, report: &Report) {
    let violated = of(report, Verdict::NotLinearizable);
    if let Some((key, Evidence { operations, claim, .. })) = clearest(&violated) {
        let key = Some(key.key.clone()).filter(|key| *key != Value::Nil);
        ladder.refute(Witness { operations: operations.clone(), key, claim: claim.clone() }, violated.len());
    }
}

/// Returns the keys with this verdict.
pub(crate) fn of(report: &Report, verdict: Verdict) -> Vec<&KeyReport> {
    report.keys.iter().filter(|key| key.verdict == verdict).collect()
}

/// Maximum number of operations shown: the last ones.
const MAX_OPERATIONS: usize = 24;

fn evidence_in_words(text: &mut String, history: &History, evidence: &Evidence) {
    line(text, format_args!("\n  {}", evidence.claim));
    if !evidence.reasons.is_empty() {
        line(text, format_args!("\n  Why no order can explain it:"));
        for (number, reason) in (1..).zip(&evidence.reasons) {
            line(text, format_args!("   {number}. {reason}"));
        }
    }
    for said in evidence.possible.iter().chain(&evidence.revisions) {
        line(text, format_args!("\n  {said}."));
    }
    line(text, format_args!("\n  {}:", what_contradicts(evidence)));
    let skipped = evidence.operations.len().saturating_sub(MAX_OPERATIONS);
    if skipped > 0 {
        line(text, format_args!("    ({skipped} earlier ones; --json names them all)"));
    }
    for &place in &evidence.operations[skipped..] {
        line(text, format_args!("    {}", operation_in_words(history, place)));
    }
}

/// States that the operations of the evidence contradict each other, alone or together with something else.
pub(crate) fn what_contradicts(evidence: &Evidence) -> String {
    match &evidence.besides {
        None => "These operations alone already contradict each other".to_owned(),
        Some(besides) => format!("These operations contradict each other, {besides}"),
    }
}

/// Describes one operation with its process and times.
pub(crate) fn operation_in_words(history: &History, index: usize) -> String {
    let operation = &history.operations[index];
    let key =
        if operation.key == ValueId::NIL { String::new() } else { format!(" {}", plain(history.value(operation.key))) };
    let function = harmless::line(history.function_name(operation.function));
    let what = format!("{function}{key}{}", harmless::line(&values_in_words(history, index)));
    format!("{what:<28} {}", actor_in_words(history, index))
}

/// Describes the process, the node, and the times of invocation and completion.
pub(super) fn actor_in_words(history: &History, index: usize) -> String {
    let (operation, times) = (&history.operations[index], history.times(index));
    let node = match history.node(index) {
        0 => String::new(),
        node => format!(" on n{node}"),
    };
    let ended = || moment(history, times.completed_ns, operation.completed);
    let end = match operation.outcome {
        Outcome::Ok | Outcome::Mismatch => format!("to {}", ended()),
        Outcome::Fail => format!("failed at {}", ended()),
        Outcome::Info => "outcome unknown".to_owned(),
    };
    format!(
        "process {}{node}, {} {end}",
        history.process(operation.process),
        moment(history, times.invoked_ns, operation.invoked)
    )
}

/// Formats a time as `4.182 s`, or `event 17` if the history has no times.
pub(super) fn moment(history: &History, time_ns: u64, rank: u32) -> String {
    if history.has_times() { seconds(time_ns) } else { format!("event {rank}") }
}

/// Describes the input and output of an operation; for a transaction, its micro-operations.
pub(crate) fn values_in_words(history: &History, index: usize) -> String {
    if history.transactions.at(index).is_some() {
        return format!(" {}", super::transactions::micro_operations(history, index));
    }
    let operation = &history.operations[index];
    let value = |id| history.value(id);
    match (operation.function, operation.outcome) {
        (Function::Read, Outcome::Ok) => format!(" -> {}", value(operation.output)),
        (Function::Read | Function::Delete, _) => String::new(),
        (Function::Cas, outcome) => {
            let swap = format!(" {} => {}", value(operation.input), value(operation.to));
            match outcome {
                Outcome::Mismatch if operation.output == ValueId::UNKNOWN => format!("{swap}, found another value"),
                Outcome::Mismatch => format!("{swap}, found {}", value(operation.output)),
                Outcome::Ok | Outcome::Fail | Outcome::Info => swap,
            }
        }
        (Function::Write | Function::Append, _) => format!(" {}", value(operation.input)),
        (Function::Other(_), outcome) => {
            let shown = |id| Some(value(id)).filter(|value| **value != Value::Nil);
            let asked = shown(operation.input).map_or_else(String::new, |asked| format!(" {asked}"));
            // An output that only repeats the input is no answer.
            let answer =
                shown(operation.output).filter(|_| outcome == Outcome::Ok && operation.output != operation.input);
            asked + &answer.map_or_else(String::new, |answer| format!(" -> {answer}"))
        }
    }
}

/// Describes how failed cas were interpreted, if the verdict may depend on it.
pub(crate) fn failed_cas(history: &History, verdict: Verdict) -> Option<String> {
    let FailedCasCounts { mismatch, nothing } = history.failed_cas;
    match verdict {
        Verdict::NotLinearizable if mismatch > 0 => Some(format!(
            "{} cas failed without a word of what was found, and count as having found another value than was expected; with --failed-cas \
             nothing they did not happen",
            grouped(mismatch)
        )),
        Verdict::Linearizable | Verdict::Unknown if nothing > 0 => Some(format!(
            "{} cas failed without a word of what was found, and count as not having happened; with --failed-cas mismatch they found another \
             value than was expected",
            grouped(nothing)
        )),
        _ => None,
    }
}

/// Formats a key for people: text without quotes.
pub(crate) fn plain(key: &Value) -> String {
    match key {
        Value::Str(text) => text.chars().map(|c| if does_harm(c) { '?' } else { c }).collect(),
        other => other.to_string(),
    }
}

/// Formats a duration in ns: in ms if it is shorter than a second.
#[allow(clippy::cast_precision_loss, reason = "milliseconds to a tenth")]
pub(crate) fn lasting(time_ns: u64) -> String {
    if time_ns < 1_000_000_000 { format!("{:.1} ms", time_ns as f64 / 1e6) } else { seconds(time_ns) }
}

/// Formats nanoseconds as seconds, to the millisecond.
pub(crate) fn seconds(time_ns: u64) -> String {
    format!("{}.{:03} s", time_ns / 1_000_000_000, time_ns / 1_000_000 % 1000)
}

/// Formats 1234567 as 1,234,567.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a number with its noun: "1 key", "2 keys".
pub(crate) fn counted(number: usize, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}

fn shortened(names: &[String]) -> String {
    const MOST: usize = 10;
    let shown = names.iter().take(MOST).map(|name| name.trim_matches('"')).collect::<Vec<_>>().join(", ");
    if names.len() > MOST { format!("{shown} and {} more", names.len() - MOST) } else { shown }
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let all = arguments.to_string();
    let said = all.trim_start_matches('\n');
    // Only leading line breaks may start a new line.
    text.push_str(&all[..all.len() - said.len()]);
    text.push_str(&harmless::line(said));
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::{counted, grouped, plain, seconds};

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(counted(1, "key"), "1 key");
        assert_eq!(counted(1200, "key"), "1,200 keys");
        assert_eq!(seconds(4_182_999_999), "4.182 s");
    }

    #[test]
    fn a_key_cannot_drive_the_terminal() {
        assert_eq!(plain(&"a\u{1b}[31mb\n".into()), "a?[31mb?");
    }
}
