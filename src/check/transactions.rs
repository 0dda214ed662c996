//! Transactions: the level that they must keep, and the findings.

use std::borrow::Cow;

use checker::{
    Anomaly, Evidence, KeyReport, Level, Method, Report, Status, TransactionReport, UnknownWhy, Verdict, WeakVerdict,
    check_transactions_from,
};
use histories::{History, Note, Outcome, Value};

use super::{budget::Budget, judging::JudgingOptions};
use crate::error::ExitStatus;

/// Findings about the transactions of a history.
pub(crate) struct JudgedTransactions<'a> {
    /// History as it was judged, with all its keys as one.
    pub(crate) history: Cow<'a, History>,
    pub(crate) status: ExitStatus,
    pub(crate) report: TransactionReport,
    /// Level that the transactions must keep.
    pub(crate) level: Level,
    /// Reason why a positive verdict is no evidence, if it is weak.
    pub(crate) weak: Option<WeakVerdict>,
}

/// Judges transactions by the level that they must keep.
pub(crate) fn judge<'a>(history: &'a History, judging: &JudgingOptions, budget: &Budget) -> JudgedTransactions<'a> {
    let level = judging.level();
    let are_several = history.operations.windows(2).any(|pair| pair[0].key != pair[1].key);
    let history = history.with_keys_joined();
    let initial = judging.initial_of_transactions();
    let mut report =
        budget.within(history.operations.len(), |limits| check_transactions_from(&history, initial, limits));
    if are_several && level == Level::StrongSessionSerializable {
        // Of each key alone a process may have an order that it has not of all together.
        let what = "the order of each process over several independent keys".to_owned();
        report.why = Some(UnknownWhy::Unsupported { what, model: None });
        report.levels.iter_mut().for_each(|found| found.status = Status::Unknown);
        report.anomalies.clear();
        report.counts.clear();
    }
    if history.notes.iter().any(|note| matches!(note, Note::NoProcesses { .. })) {
        leave_sessions_open(&mut report, level);
    }
    let weak = if report.status(level) == Status::Holds { weak(&report) } else { None };
    let status = match report.status(level) {
        Status::Holds => ExitStatus::Linearizable,
        Status::Refuted => ExitStatus::NotLinearizable,
        Status::NotRefuted | Status::Unknown => ExitStatus::Unknown,
    };
    let is_internal = matches!(report.why, Some(UnknownWhy::Internal { .. }));
    let status = if is_internal { ExitStatus::Internal } else { status };
    JudgedTransactions { history, status, report, level, weak }
}

/// Makes the order of each process unknown, unless real time implies it, in a history whose operations name no process.
fn leave_sessions_open(report: &mut TransactionReport, level: Level) {
    let session = Level::StrongSessionSerializable;
    if report.status(Level::StrictSerializable) == Status::Holds || report.status(session) != Status::Holds {
        return;
    }
    report.levels.iter_mut().filter(|found| found.level == session).for_each(|found| found.status = Status::Unknown);
    if level == session {
        report.why = Some(UnknownWhy::NoProcesses { model: "strong session serializable".to_owned() });
    }
}

/// Returns the clearest anomaly that refutes a level.
pub(crate) fn refuting(report: &TransactionReport, level: Level) -> Option<&Anomaly> {
    report.anomalies.iter().find(|anomaly| anomaly.refutes <= level)
}

/// Returns the report on a level in the terms of linearizability, with all keys as one object: the clearest anomaly is
/// the evidence.
pub(crate) fn as_report(history: &History, found: &TransactionReport, level: Level) -> Report {
    let verdict = match found.status(level) {
        Status::Holds => Verdict::Linearizable,
        Status::Refuted => Verdict::NotLinearizable,
        Status::NotRefuted | Status::Unknown => Verdict::Unknown,
    };
    let evidence = refuting(found, level).map(|anomaly| {
        let mut operations = anomaly.operations.clone();
        operations.sort_unstable();
        Evidence {
            operations,
            claim: format!("{}: {}", anomaly.name, anomaly.claim),
            reasons: anomaly.links.iter().map(|link| link.sentence.clone()).collect(),
            ..Evidence::default()
        }
    });
    let (operations, answered) = (history.operations.len(), found.answered);
    let unanswered = history.operations.iter().filter(|operation| operation.outcome == Outcome::Info).count();
    let weak = if verdict == Verdict::Linearizable { weak(found) } else { None };
    let (why, order, revisions) = (found.why.clone(), None, None);
    let (key, method) = (Value::Nil, Method::Object);
    let keys = vec![KeyReport {
        key,
        verdict,
        why,
        method,
        operations,
        answered,
        unanswered,
        weak,
        evidence,
        order,
        revisions,
    }];
    Report { verdict, why: None, keys, operations, answered, unanswered, weak, property: None, figures: None }
}

/// Returns the reason why a level that holds is no evidence, if there is one.
fn weak(report: &TransactionReport) -> Option<WeakVerdict> {
    match report {
        TransactionReport { answered: 0, .. } => Some(WeakVerdict::NothingAnswered),
        TransactionReport { reads: 0, .. } => Some(WeakVerdict::NothingRead),
        // How often a read found a value that was written twice could have been wrong.
        TransactionReport { dependencies: 0, written_twice: None, .. } => Some(WeakVerdict::NothingRelated),
        _ => None,
    }
}
