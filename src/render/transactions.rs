//! The report on transactions, in words.

use checker::{Anomaly, Level, Status, TransactionReport, WeakVerdict};
use histories::History;

use super::{
    Row,
    operations::{actor_in_words, micro_operations},
};
use crate::terminal::{
    Answer,
    words::{counted, grouped, push_line},
};

/// Describes the report on one history: whether `level` holds, the clearest anomaly that refutes it, and the counts of
/// all anomalies.
pub(crate) fn describe(
    history: &History,
    report: &TransactionReport,
    level: Level,
    weak: Option<WeakVerdict>,
) -> Answer {
    let mut summary = format!(": {}", counted(report.transactions, "transaction"));
    if report.answered < report.transactions {
        summary += &format!(", {} of them answered", grouped(report.answered));
    }
    summary.push('\n');
    if let Some(weak) = weak {
        push_line(&mut summary, format_args!("  weak evidence: {}, so this says nothing of the system", weak.reason()));
    }
    if let Some(why) = &report.why {
        push_line(&mut summary, format_args!("  {why}"));
    }
    let mut text = String::new();
    if let Some(anomaly) = report.anomalies.iter().find(|anomaly| anomaly.refutes <= level) {
        push_line(&mut summary, format_args!("\n  {}: {}", anomaly.name, anomaly.claim));
        text.push('\n');
        in_words(&mut text, history, anomaly);
    }
    if !report.counts.is_empty() {
        let counts = report.counts.iter().map(|count| format!("{} {}", grouped(count.count), count.name));
        push_line(&mut text, format_args!("\n  Found: {}", counts.collect::<Vec<_>>().join(", ")));
    }
    if report.status(level) != Status::Holds
        && let Some(strongest) = report.strongest()
    {
        let what = if strongest.status == Status::Holds { "that holds" } else { "that nothing refutes" };
        push_line(&mut text, format_args!("  The strongest level {what}: {}", strongest.level));
        if strongest.status == Status::NotRefuted {
            push_line(&mut text, format_args!("  (the order of the versions could not be determined for every key)"));
        }
    }
    Answer { verdict: verdict(report, level), summary, details: text, ..Answer::default() }
}

/// Tells whether `level` holds.
pub(crate) fn verdict(report: &TransactionReport, level: Level) -> String {
    match report.status(level) {
        Status::Holds => level.to_string(),
        Status::Refuted => format!("not {level}"),
        Status::NotRefuted => format!("unknown: nothing refutes that it is {level}"),
        Status::Unknown => "unknown".to_owned(),
    }
}

/// Returns the report as a row of the table of histories.
pub(crate) fn row(history: &History, report: &TransactionReport, level: Level, weak: Option<WeakVerdict>) -> Row {
    let violated = report.anomalies.iter().find(|anomaly| anomaly.refutes <= level);
    Row {
        verdict: verdict(report, level) + if weak.is_some() { " (weak)" } else { "" },
        violated: violated.map_or_else(|| "-".to_owned(), |anomaly| anomaly.name.clone()),
        keys: "-".to_owned(),
        operations: grouped(history.operations.len()),
        methods: "transactions".to_owned(),
    }
}

fn in_words(text: &mut String, history: &History, anomaly: &Anomaly) {
    for (number, &operation) in (1..).zip(&anomaly.operations) {
        push_line(text, format_args!("    T{number}  {}", transaction(history, operation)));
    }
    if !anomaly.links.is_empty() {
        push_line(text, format_args!("\n  Why no order can explain it:"));
        for (number, link) in (1..).zip(&anomaly.links) {
            push_line(text, format_args!("   {number}. {}", link.sentence));
        }
    }
}

fn transaction(history: &History, index: usize) -> String {
    format!("{}: {}", actor_in_words(history, index), micro_operations(history, index))
}
