//! The report on transactions, in words.

use checker::{Anomaly, Level, Link, LinkEvidence, Status, TransactionReport, UnknownWhy, WeakVerdict};
use histories::{History, MicroOperation, Value};

use super::{
    Row,
    operations::{actor_in_words, micro_operations, micro_operations_in_words},
};
use crate::{
    check::transactions::refuting,
    terminal::{
        Answer,
        words::{counted, grouped, plain, push_line},
    },
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
    let is_why = matches!(report.why, Some(UnknownWhy::WrittenTwice { .. }));
    if let Some(said) = report.written_twice.as_ref().filter(|_| !is_why) {
        push_line(&mut summary, format_args!("  note: {said}"));
    }
    let mut text = String::new();
    if let Some(anomaly) = refuting(report, level) {
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
    let violated = refuting(report, level);
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

/// Describes a transaction with its process, times and micro-operations.
pub(crate) fn transaction(history: &History, index: usize) -> String {
    format!("{}: {}", actor_in_words(history, index), micro_operations_in_words(history, index).join(", "))
}

/// Reason why one transaction comes before another, by its usual name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dependency {
    /// Write-write: the later one replaced, or wrote after, what the earlier one wrote.
    Ww,
    /// Write-read: the later one read what the earlier one wrote.
    Wr,
    /// Read-write, an anti-dependency: the earlier one read what the later one replaced.
    Rw,
    Process,
    Realtime,
}

impl Dependency {
    pub(crate) fn of(history: &History, link: &Link) -> Self {
        let written = match &link.evidence {
            LinkEvidence::Overwritten { .. } => true,
            LinkEvidence::Missed { .. } => false,
            LinkEvidence::Replaced { key, value, .. } | LinkEvidence::Later { key, value, .. } => {
                wrote(history, link.from, key, value)
            }
            LinkEvidence::First { chain, .. } => chain.last() == Some(&link.from),
            LinkEvidence::Read { .. } => return Self::Wr,
            LinkEvidence::Process => return Self::Process,
            LinkEvidence::Realtime => return Self::Realtime,
        };
        if written { Self::Ww } else { Self::Rw }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ww => "ww",
            Self::Wr => "wr",
            Self::Rw => "rw",
            Self::Process => "process order",
            Self::Realtime => "real time",
        }
    }

    /// Returns the name of its class in pictures.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Realtime => "realtime",
            Self::Ww | Self::Wr | Self::Rw => self.name(),
        }
    }
}

/// Returns true if a transaction wrote a value to a register.
fn wrote(history: &History, operation: usize, of: &Value, what: &Value) -> bool {
    micro_operations(history, operation).any(|micro| match micro {
        MicroOperation::Write { key, value } => history.value(key) == of && history.value(value) == what,
        MicroOperation::Append { .. } | MicroOperation::Read { .. } => false,
    })
}

/// Describes a link between two transactions in a few words: `rw k3: 57 was missed`.
pub(crate) fn label(history: &History, link: &Link) -> String {
    let name = Dependency::of(history, link).name();
    let (key, what) = match &link.evidence {
        LinkEvidence::Overwritten { key, value, later, .. } | LinkEvidence::Later { key, value, later, .. } => {
            (key, format!("{value} before {later}"))
        }
        LinkEvidence::Read { key, value } => (key, format!("{value} was read")),
        LinkEvidence::Missed { key, value } => (key, format!("{value} was missed")),
        LinkEvidence::Replaced { key, value, later } => (key, format!("{value} replaced by {later}")),
        LinkEvidence::First { key, later, chain } if chain.is_empty() => (key, format!("nothing yet, then {later}")),
        LinkEvidence::First { key, later, .. } => (key, format!("an earlier version, then {later}")),
        LinkEvidence::Process => {
            return format!("{name}: process {}", history.process(history.operations[link.from].process));
        }
        LinkEvidence::Realtime => return format!("{name}: over before the other began"),
    };
    format!("{name} {}: {what}", plain(key))
}

/// Returns the key that a link is about; none if it is about time.
fn key_of(link: &Link) -> Option<&Value> {
    match &link.evidence {
        LinkEvidence::Overwritten { key, .. }
        | LinkEvidence::Read { key, .. }
        | LinkEvidence::Missed { key, .. }
        | LinkEvidence::Replaced { key, .. }
        | LinkEvidence::First { key, .. }
        | LinkEvidence::Later { key, .. } => Some(key),
        LinkEvidence::Process | LinkEvidence::Realtime => None,
    }
}

/// Returns, for each micro-operation of a transaction, whether one of the links is about its key.
pub(crate) fn micro_operations_on<'a>(
    history: &History,
    index: usize,
    links: impl Iterator<Item = &'a Link>,
) -> Vec<bool> {
    let keys: Vec<&Value> = links.filter_map(key_of).collect();
    let key = |micro| match micro {
        MicroOperation::Append { key, .. } | MicroOperation::Write { key, .. } | MicroOperation::Read { key, .. } => {
            history.value(key)
        }
    };
    micro_operations(history, index).map(|micro| keys.contains(&key(micro))).collect()
}
