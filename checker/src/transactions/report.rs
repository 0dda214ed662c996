//! Report on a history of transactions: the levels that hold, and the anomalies that refute the others.

use std::fmt;

use histories::Value;
use serde::Serialize;

use crate::UnknownWhy;

/// Isolation level, in order from the weakest to the strongest; each implies all weaker ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Read uncommitted, PL-1: writes of transactions do not interleave (no G0).
    ReadUncommitted,
    /// Read committed, PL-2: additionally, no aborted or intermediate version is read (no G1).
    ReadCommitted,
    /// Snapshot isolation: additionally, each transaction reads from one snapshot, and of two that change the same
    /// key, one sees the other.
    SnapshotIsolation,
    /// Serializable, PL-3: some order of all transactions explains everything.
    Serializable,
    /// Strong session serializable: in addition, that order keeps the order of each process's transactions.
    StrongSessionSerializable,
    /// Strict serializable: in addition, that order respects real time.
    StrictSerializable,
}

impl Level {
    /// Levels from the strongest to the weakest.
    pub const ALL: [Self; 6] = [
        Self::StrictSerializable,
        Self::StrongSessionSerializable,
        Self::Serializable,
        Self::SnapshotIsolation,
        Self::ReadCommitted,
        Self::ReadUncommitted,
    ];
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ReadUncommitted => "read uncommitted",
            Self::ReadCommitted => "read committed",
            Self::SnapshotIsolation => "snapshot isolation",
            Self::Serializable => "serializable",
            Self::StrongSessionSerializable => "strong session serializable",
            Self::StrictSerializable => "strict serializable",
        })
    }
}

/// Result for a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The level holds: from serializable on, there is an order that was replayed.
    Holds,
    /// An anomaly refutes the level.
    Refuted,
    /// Open: no anomaly refutes the level, but it is not proved, because the order of versions is not known for every
    /// key.
    NotRefuted,
    /// The level is undecided: a limit was reached, or an operation is not a transaction.
    Unknown,
}

/// Kind of anomaly, the worst first. Names by Adya (1999), and by Kingsbury and Alvaro (VLDB 2020).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "&'static str")]
pub enum AnomalyKind {
    /// Cycle of write-write dependencies.
    G0,
    /// List that contains an element twice.
    DuplicateElements,
    /// Reads of a list of which neither continues the other, or a list that has a transaction's elements in a
    /// different order.
    IncompatibleOrder,
    /// Read of a value that was never written.
    UnwrittenRead,
    /// Aborted read: of a value written by a transaction that failed.
    G1a,
    /// Change of a version that was written by a transaction that failed.
    DirtyUpdate,
    /// Intermediate read: of a version that its own transaction replaced later.
    G1b,
    /// Cycle of write-write and write-read dependencies.
    G1c,
    /// Transaction that contradicts itself: it does not read what it read or wrote before, or reads what it wrote
    /// only later.
    Internal,
    /// Pair of transactions that read the same version and both replaced it.
    LostUpdate,
    /// Cycle with one anti-dependency (a read of a version that was overwritten).
    GSingle,
    /// Cycle with several anti-dependencies, no two of them adjacent.
    GNonadjacent,
    /// Cycle with several anti-dependencies.
    G2Item,
    /// Transactions without any order that explains them: all orders were tried.
    NoOrder,
}

impl From<AnomalyKind> for &'static str {
    fn from(kind: AnomalyKind) -> Self {
        match kind {
            AnomalyKind::G0 => "G0",
            AnomalyKind::DuplicateElements => "duplicate-elements",
            AnomalyKind::IncompatibleOrder => "incompatible-order",
            AnomalyKind::UnwrittenRead => "unwritten-read",
            AnomalyKind::G1a => "G1a",
            AnomalyKind::DirtyUpdate => "dirty-update",
            AnomalyKind::G1b => "G1b",
            AnomalyKind::G1c => "G1c",
            AnomalyKind::Internal => "internal",
            AnomalyKind::LostUpdate => "lost-update",
            AnomalyKind::GSingle => "G-single",
            AnomalyKind::GNonadjacent => "G-nonadjacent",
            AnomalyKind::G2Item => "G2-item",
            AnomalyKind::NoOrder => "no-order",
        }
    }
}

/// Order that an anomaly needs besides that of reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Orders {
    /// Data dependencies only.
    Data,
    /// Process order.
    Process,
    /// Real time.
    Realtime,
}

/// Anomaly with the operations that show it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Anomaly {
    /// Name, such as `G-single-realtime`.
    pub name: String,
    /// Kind, without the suffix for `orders`.
    pub kind: AnomalyKind,
    /// Order that it needs: a suffix of the name.
    pub orders: Orders,
    /// Weakest level that it refutes; it also refutes all stronger ones.
    pub refutes: Level,
    /// Indexes of `History::operations`; for a cycle, in its order.
    pub operations: Vec<usize>,
    /// Claim of what is wrong, in a sentence.
    pub claim: String,
    /// Reasons, for a cycle, why each operation must come before the next, and the last before the first.
    pub links: Vec<Link>,
}

impl Anomaly {
    pub(super) fn named(kind: AnomalyKind, orders: Orders) -> String {
        let suffix = match orders {
            Orders::Data => "",
            Orders::Process => "-process",
            Orders::Realtime => "-realtime",
        };
        format!("{}{suffix}", <&str>::from(kind))
    }
}

/// Reason why one operation must come before another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Link {
    /// Operation that comes first.
    pub from: usize,
    /// Operation that comes later.
    pub to: usize,
    /// Evidence in the history.
    #[serde(rename = "because")]
    pub evidence: LinkEvidence,
    /// Sentence that describes it.
    pub sentence: String,
}

/// Evidence that one operation must come before another.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum LinkEvidence {
    /// Write-write dependency of a list: an operation read the earlier value before the later one, or without it.
    Overwritten {
        /// Key of the list.
        key: Value,
        /// Value that the earlier operation added.
        value: Value,
        /// Value that the later operation added.
        later: Value,
        /// Operation that read the list.
        witness: usize,
    },
    /// Write-read dependency: the later operation read what the earlier one wrote.
    Read {
        /// Key that was read.
        key: Value,
        /// Value that was read.
        value: Value,
    },
    /// Anti-dependency of a list: the earlier operation read it without what the later one added.
    Missed {
        /// Key of the list.
        key: Value,
        /// Value that is missing.
        value: Value,
    },
    /// Dependency (ww or rw) of a register: the later operation read what the earlier one had read or written, and
    /// replaced it.
    Replaced {
        /// Key of the register.
        key: Value,
        /// Value that was replaced; nil if none was written yet.
        value: Value,
        /// Value that replaced it.
        later: Value,
    },
    /// Anti-dependency (rw): the earlier operation read a register before anything was written to it.
    First {
        /// Key of the register.
        key: Value,
        /// Value that the later operation wrote.
        later: Value,
        /// Operations that replaced the initial value and its successors, each having read what it replaced, up to
        /// what the earlier operation wrote or read.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        chain: Vec<usize>,
    },
    /// Dependency (ww or rw) of a register by time: the earlier operation wrote or read a version, and the later one
    /// wrote another, which came later, because an operation that wrote or read the former was over before one began
    /// that wrote or read the latter.
    Later {
        /// Key of the register.
        key: Value,
        /// Version that came first.
        value: Value,
        /// Version that came later.
        later: Value,
        /// Operation that wrote or read `value`.
        first: usize,
        /// Operation that wrote or read `later`.
        then: usize,
        /// Order of the two: real time, or process order if one process issued both.
        orders: Orders,
        /// Operations that replaced what `first` wrote or read and its successors, each having read what it replaced,
        /// up to `value`.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        before: Vec<usize>,
        /// Operations that likewise replaced `later`, up to what `then` wrote or read.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        after: Vec<usize>,
    },
    /// Process order: one process issued both operations.
    Process,
    /// Real time: the earlier operation was over before the later one began.
    Realtime,
}

/// Result for one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LevelReport {
    /// Isolation level.
    pub level: Level,
    /// Result for the level.
    pub status: Status,
}

/// Number of anomalies of one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AnomalyCount {
    /// Name, as in [`Anomaly::name`].
    pub name: String,
    /// Number of anomalies found, one for each cycle or transaction that was examined: a lower bound.
    pub count: usize,
}

/// Verdict on a history of transactions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TransactionReport {
    /// Number of transactions of any outcome.
    pub transactions: usize,
    /// Number of transactions that are known to have committed.
    pub answered: usize,
    /// Number of reads with a known result in these.
    pub reads: usize,
    /// Number of dependencies between transactions that reads and writes show. If there are none, it says little that
    /// a level holds.
    pub dependencies: usize,
    /// Results for the levels, from the strongest to the weakest.
    pub levels: Vec<LevelReport>,
    /// Anomalies: the clearest of each name first, then further ones, up to a limit.
    pub anomalies: Vec<Anomaly>,
    /// Number of anomalies of each name.
    pub counts: Vec<AnomalyCount>,
    /// Reason why levels are unknown, if some are.
    pub why: Option<UnknownWhy>,
    /// Sentence about a value that more than one change may have written, so that reads of it show no dependency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_twice: Option<String>,
    /// Order that explains everything, replayed, for the strongest level that holds, if that is serializable or
    /// stronger. Indexes of `History::operations`.
    #[serde(skip)]
    pub order: Option<Vec<u32>>,
}

impl TransactionReport {
    /// Returns the result for a level.
    pub fn status(&self, level: Level) -> Status {
        let found = self.levels.iter().find(|report| report.level == level);
        found.map_or(Status::Unknown, |report| report.status)
    }

    /// Returns the strongest level that no anomaly refutes, with its result.
    pub fn strongest(&self) -> Option<LevelReport> {
        self.levels.iter().find(|report| matches!(report.status, Status::Holds | Status::NotRefuted)).copied()
    }
}
