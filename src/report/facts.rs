//! Facts that a page can show, and the sections that show them.

use checker::{
    Anomaly, Evidence, Hierarchy, KeyReport, Level, Prefix, Report, StalenessReport, TransactionReport,
    wrong_transaction,
};
use histories::{History, NEVER, Operation, Times, Value};
use maud::Markup;

use crate::{
    check::{
        evidence::{FoundOrder, clearest_first},
        transactions::refuting,
    },
    render::transactions,
    run::{FaultWindow, FinishedRun, MessageLog, Reign, Span, cut_off},
    terminal::words::seconds,
};

/// Maximum number of violated keys of which the evidence is shown.
const MAX_VIOLATIONS: usize = 20;
/// Duration of an event in pictures of histories without times.
pub(super) const EVENT_NS: u64 = 1_000_000;

/// Everything that a page can show.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    /// Name of the run or history, in a few words.
    pub(crate) name: String,
    /// Command that repeats the run, or checks the history again.
    pub(crate) command: String,
    /// True if the page lies in the folder of the run, so that it can link to the files there.
    pub(crate) is_in_folder: bool,
    /// The run, if the history comes from one.
    pub(crate) run: Option<&'a FinishedRun>,
    pub(crate) history: &'a History,
    pub(crate) report: &'a Report,
    /// Findings about the transactions, if these are some.
    pub(crate) transactions: Option<TransactionFacts<'a>>,
    pub(crate) hierarchy: Option<&'a Hierarchy>,
    pub(crate) staleness: Option<&'a StalenessReport>,
    pub(crate) fault_windows: &'a [FaultWindow],
    pub(crate) reigns: &'a [Reign],
    /// Violated keys that are shown, the clearest first.
    pub(crate) violations: Vec<Violation<'a>>,
    /// A linearization of each linearizable key, where one is known.
    pub(crate) orders: Vec<FoundOrder>,
    /// Messages between the nodes around the evidence; empty if the nodes did not trace them.
    pub(crate) message_log: MessageLog,
    /// Messages around the moment at which the node that gave the wrong answer was deposed; empty if it never was.
    pub(crate) deposition_log: MessageLog,
}

/// Violated key with its evidence.
#[derive(Clone, Debug)]
pub(crate) struct Violation<'a> {
    pub(crate) key: &'a Value,
    pub(crate) evidence: &'a Evidence,
    /// Longest prefix of the evidence that can be ordered.
    pub(crate) prefix: Option<Prefix>,
}

/// Findings about transactions, and the level that they must keep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TransactionFacts<'a> {
    pub(crate) report: &'a TransactionReport,
    pub(crate) level: Level,
}

impl<'a> Facts<'a> {
    /// Returns what is known of any history that was judged.
    pub(crate) fn of(name: String, command: String, history: &'a History, report: &'a Report) -> Self {
        Self {
            name,
            command,
            is_in_folder: false,
            run: None,
            history,
            report,
            transactions: None,
            hierarchy: None,
            staleness: None,
            fault_windows: &[],
            reigns: &[],
            violations: Vec::new(),
            orders: Vec::new(),
            message_log: MessageLog::default(),
            deposition_log: MessageLog::default(),
        }
    }

    /// Returns the verdict in words: `linearizable`, or `not serializable`.
    pub(crate) fn verdict_in_words(&self) -> String {
        let of_transactions = |TransactionFacts { report, level }| transactions::verdict(report, level);
        self.transactions.map_or_else(|| self.report.verdict_in_words(), of_transactions)
    }

    /// Returns the anomaly of transactions that is easiest to understand, of those that refute the level.
    pub(crate) fn anomaly(&self) -> Option<&Anomaly> {
        self.transactions.and_then(|TransactionFacts { report, level }| refuting(report, level))
    }

    /// Adds the violated keys, with what `prefix` says of how far their evidence can be ordered.
    #[must_use]
    pub(crate) fn with_violations(self, prefix: impl Fn(&Value, &Evidence) -> Option<Prefix>) -> Self {
        let all = clearest_first(self.report).into_iter().take(MAX_VIOLATIONS);
        let violation = |(key, evidence): (&'a KeyReport, &'a Evidence)| Violation {
            prefix: prefix(&key.key, evidence),
            key: &key.key,
            evidence,
        };
        Self { violations: all.map(violation).collect(), ..self }
    }

    /// Returns the evidence that is easiest to understand.
    pub(crate) fn evidence(&self) -> Option<&Evidence> {
        self.violations.first().map(|violation| violation.evidence)
    }

    /// Returns the operations of that evidence.
    pub(crate) fn evidence_operations(&self) -> &[usize] {
        self.evidence().map_or(&[], |evidence| &evidence.operations)
    }

    /// Returns the operations that the claim of some evidence is about, with the one presented as wrong; all of it if
    /// it does not tell them apart.
    pub(super) fn decisive(&self, evidence: &Evidence) -> Vec<usize> {
        let Evidence { operations, decisive, .. } = evidence;
        let wrong = evidence.subject(self.history);
        let is_decisive = |index: &usize| decisive.is_empty() || decisive.contains(index) || Some(*index) == wrong;
        operations.iter().copied().filter(is_decisive).collect()
    }

    /// Returns those of the operations that a node acknowledged which was cut off from every majority, with the time
    /// for which it was.
    pub(super) fn cut_off(&self, operations: &[usize]) -> Vec<(usize, Span)> {
        let Some(run) = self.run else { return Vec::new() };
        let fault = |index: usize| cut_off(self.history, index, run.plan.nodes, self.fault_windows);
        operations.iter().filter_map(|&index| Some((index, fault(index)?.span))).collect()
    }

    /// Returns the operation that the claim of that evidence is about, which is presented as the wrong one.
    pub(crate) fn wrong_operation(&self) -> Option<usize> {
        self.evidence()?.subject(self.history)
    }

    /// Returns the operation that a picture of some evidence marks as wrong: the one that the claim is about; of a
    /// cycle of transactions only one that the claim names, as otherwise none is more wrong than another.
    pub(super) fn marked(&self, evidence: &Evidence) -> Option<usize> {
        match self.transactions {
            None => evidence.subject(self.history),
            Some(_) => wrong_transaction(self.history, &evidence.operations, &evidence.claim),
        }
    }

    /// Returns the moment at which the last operation of that evidence was over, so that the violation was complete.
    pub(crate) fn violated_ns(&self) -> Option<u64> {
        let over_ns = |&index: &usize| match self.history.operations[index].completed {
            NEVER => self.times(index).invoked_ns,
            _ => self.times(index).completed_ns,
        };
        self.evidence_operations().iter().map(over_ns).max()
    }

    /// Returns the moment at which the node that gave the wrong answer was deposed without knowing it: a leader of a
    /// later term took over while it still believed that it led. Of several such moments, the last one before the
    /// answer.
    pub(crate) fn deposed_ns(&self) -> Option<u64> {
        let wrong = self.wrong_operation()?;
        let (node, asked_ns) = (self.history.node(wrong), self.times(wrong).invoked_ns);
        let depositions = self.reigns.iter().filter(|reign| reign.node == node).filter_map(|reign| {
            let newer = self.reigns.iter().filter(|other| other.term > reign.term).map(|other| other.span.from_ns);
            newer.min().filter(|newer_ns| (reign.span.from_ns..reign.span.until_ns).contains(newer_ns))
        });
        depositions.filter(|deposed_ns| *deposed_ns <= asked_ns).max()
    }

    /// Returns the times of invocation and completion of an operation; in a history without times, each event lasts
    /// [`EVENT_NS`].
    pub(crate) fn times(&self, index: usize) -> Times {
        if self.history.has_times() {
            return self.history.times(index);
        }
        let Operation { invoked, completed, .. } = self.history.operations[index];
        Times { invoked_ns: u64::from(invoked) * EVENT_NS, completed_ns: u64::from(completed) * EVENT_NS }
    }

    /// Formats a time in seconds, or as the number of an event if the history has no times.
    pub(crate) fn moment(&self, time_ns: u64) -> String {
        if self.history.has_times() { seconds(time_ns) } else { format!("event {}", time_ns / EVENT_NS) }
    }

    /// Returns the time of the last event in the history.
    pub(crate) fn end_ns(&self) -> u64 {
        let last_ns = |index: usize| match self.history.operations[index].completed {
            NEVER if !self.history.has_times() => self.times(index).invoked_ns,
            _ => self.times(index).completed_ns,
        };
        let ends = (0..self.history.operations.len()).map(last_ns);
        ends.chain(self.history.others.iter().map(|event| event.time)).max().unwrap_or_default()
    }
}

/// One section of the page.
pub(crate) struct Section {
    /// Anchor that links point to.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    /// Renders the section; none if there is nothing to show.
    pub(crate) body: fn(&Facts<'_>) -> Option<Markup>,
}
