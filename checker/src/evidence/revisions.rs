//! Revisions that the store itself reported: what they say about a violation, and where they cannot be right.
//!
//! No verdict rests on them: a store that breaks its promises may also report wrong revisions.

use std::{cmp::Reverse, collections::BinaryHeap};

use histories::{Function, History, Operation, Outcome, ValueId};

use crate::Verdict;
use crate::words::short;

/// Operation whose answer came with a revision. Ordered by revision; for the same revision a change is greater than a
/// look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RevisedOperation {
    revision: u64,
    /// True if it set the value with this revision, false if it observed it.
    is_change: bool,
    index: usize,
}

impl RevisedOperation {
    fn of(history: &History, index: usize) -> Option<Self> {
        let Operation { function, outcome, .. } = history.operations[index];
        let is_answered = matches!(outcome, Outcome::Ok | Outcome::Mismatch) && !matches!(function, Function::Other(_));
        let revision = history.revision(index).filter(|_| is_answered)?;
        Some(Self { revision, is_change: outcome == Outcome::Ok && function != Function::Read, index })
    }

    fn operation<'a>(&self, history: &'a History) -> &'a Operation {
        &history.operations[self.index]
    }

    /// Formats the operation with its revision: `the write of 57 is its revision 812`.
    fn describe(&self, history: &History) -> String {
        let relation = if self.is_change { "is its revision" } else { "was answered at revision" };
        format!("{} {relation} {}", short(history, self.index), self.revision)
    }
}

/// Returns what the revisions of a violation's operations (of one key, ascending) say about it: the last operation
/// whose revision is lower than that of an operation that was over before it began.
pub(crate) fn beside(history: &History, operations: &[usize]) -> Option<String> {
    let numbered = operations.iter().filter_map(|&index| RevisedOperation::of(history, index));
    let (earlier, later) = backwards(history, numbered).last()?;
    let (before, after) = (earlier.describe(history), later.describe(history));
    Some(format!(
        "The store itself numbered them: {before}, and {after}, {} earlier",
        earlier.revision - later.revision
    ))
}

/// Returns a contradiction among the revisions of the operations of one key (ascending), or between them and the
/// verdict.
pub(crate) fn contradiction(history: &History, operations: &[u32], verdict: Verdict) -> Option<String> {
    let numbered = || operations.iter().filter_map(|&index| RevisedOperation::of(history, index as usize));
    if let Some([a, b]) = twice(history, numbered()) {
        let (revision, a, b) = (a.revision, short(history, a.index), short(history, b.index));
        return Some(format!(
            "The store's own revisions contradict each other: {a} and {b} are both its revision {revision}"
        ));
    }
    // An absent value has no revision of its own, and may have been deleted.
    let present = numbered().filter(|looked| looked.operation(history).output != ValueId::NIL);
    let (earlier, later) = backwards(history, present).next().filter(|_| verdict == Verdict::Linearizable)?;
    Some(format!(
        "The store's own revisions are not consistent with real time: {}, and {}, although that began after the other \
        had ended",
        earlier.describe(history),
        later.describe(history)
    ))
}

/// Returns two changes to different values with the same revision.
fn twice(history: &History, numbered: impl Iterator<Item = RevisedOperation>) -> Option<[RevisedOperation; 2]> {
    let mut changes: Vec<RevisedOperation> = numbered.filter(|one| one.is_change).collect();
    changes.sort_unstable();
    let set = |change: &RevisedOperation| match *change.operation(history) {
        Operation { function: Function::Cas, to, .. } => to,
        Operation { input, .. } => input,
    };
    changes.array_windows().copied().find(|[a, b]| a.revision == b.revision && set(a) != set(b))
}

/// Returns each operation whose revision is lower than that of one that was over before it began, after the operation
/// with the highest such revision.
fn backwards(
    history: &History,
    numbered: impl Iterator<Item = RevisedOperation>,
) -> impl Iterator<Item = (RevisedOperation, RevisedOperation)> {
    let (mut open, mut highest) = (BinaryHeap::new(), None);
    numbered.filter_map(move |later| {
        let Operation { invoked, completed, .. } = *later.operation(history);
        while let Some(&Reverse((_, ended))) = open.peek().filter(|Reverse((end, _))| *end < invoked) {
            highest = highest.max(Some(ended));
            open.pop();
        }
        open.push(Reverse((completed, later)));
        highest.filter(|earlier: &RevisedOperation| earlier.revision > later.revision).map(|earlier| (earlier, later))
    })
}
