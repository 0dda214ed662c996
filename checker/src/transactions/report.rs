//! What is said of a history of transactions: which levels hold, and the anomalies that refute the others.

use std::fmt;

use histories::Value;
use serde::Serialize;

use crate::UnknownWhy;

/// A level of isolation, from the weakest to the strongest; each promises all that the ones before promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// PL-1: writes do not mix (no G0).
    ReadUncommitted,
    /// PL-2: and nothing aborted or intermediate is read (no G1).
    ReadCommitted,
    /// And each transaction reads one snapshot, and of two that change the same, one sees the other.
    SnapshotIsolation,
    /// PL-3: some order of all transactions explains everything.
    Serializable,
    /// And in that order, each process's transactions stand as it issued them.
    StrongSessionSerializable,
    /// And in that order, whatever was over before another began comes before it.
    StrictSerializable,
}

impl Level {
    /// All, from the strongest to the weakest.
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

/// What is known of a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It holds: from serializable on, there is an order that was replayed.
    Holds,
    /// An anomaly refutes it.
    Refuted,
    /// Nothing refutes it, but not everything that could was looked at: which version came when is not known of every key.
    NotRefuted,
    /// A limit was reached, or an operation has no meaning here.
    Unknown,
}

/// The kinds of anomalies, the worst first. Names of Adya (1999), and of Kingsbury and Alvaro (VLDB 2020).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum AnomalyKind {
    /// A cycle of overwrites.
    G0,
    /// A list has an element twice.
    #[serde(rename = "duplicate-elements")]
    DuplicateElements,
    /// Two reads of a list of which neither continues the other; or a list that has a transaction's elements in another order.
    #[serde(rename = "incompatible-order")]
    IncompatibleOrder,
    /// What nobody ever wrote was read.
    #[serde(rename = "unwritten-read")]
    UnwrittenRead,
    /// What a transaction wrote that did not happen was read.
    G1a,
    /// A transaction changed what another left behind that did not happen.
    #[serde(rename = "dirty-update")]
    DirtyUpdate,
    /// What a transaction itself replaced later was read by another.
    G1b,
    /// A cycle of overwrites and reads of what was written.
    G1c,
    /// A transaction contradicts itself: it does not read what it read or wrote before, or reads what it wrote only later.
    #[serde(rename = "internal")]
    Internal,
    /// Two transactions read the same version and both replaced it.
    #[serde(rename = "lost-update")]
    LostUpdate,
    /// A cycle with one read of what was overwritten.
    #[serde(rename = "G-single")]
    GSingle,
    /// A cycle with several such reads, none after another.
    #[serde(rename = "G-nonadjacent")]
    GNonadjacent,
    /// A cycle with several such reads.
    #[serde(rename = "G2-item")]
    G2Item,
    /// All orders of a few transactions were tried, and none explains them.
    #[serde(rename = "no-order")]
    NoOrder,
}

impl AnomalyKind {
    fn name(self) -> &'static str {
        match self {
            Self::G0 => "G0",
            Self::DuplicateElements => "duplicate-elements",
            Self::IncompatibleOrder => "incompatible-order",
            Self::UnwrittenRead => "unwritten-read",
            Self::G1a => "G1a",
            Self::DirtyUpdate => "dirty-update",
            Self::G1b => "G1b",
            Self::G1c => "G1c",
            Self::Internal => "internal",
            Self::LostUpdate => "lost-update",
            Self::GSingle => "G-single",
            Self::GNonadjacent => "G-nonadjacent",
            Self::G2Item => "G2-item",
            Self::NoOrder => "no-order",
        }
    }
}

/// Which order beside that of reads and writes an anomaly needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Orders {
    /// None.
    Data,
    /// That of each process.
    Process,
    /// That of real time.
    Realtime,
}

/// An anomaly with the operations that show it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Anomaly {
    /// Its name, as `G-single-realtime`.
    pub name: String,
    /// Without what it needs.
    pub kind: AnomalyKind,
    /// What it needs: a suffix of the name.
    pub orders: Orders,
    /// The weakest level that it refutes; it refutes all that are stronger too.
    pub refutes: Level,
    /// Indexes of `History::operations`; of a cycle, in its order.
    pub operations: Vec<usize>,
    /// What is wrong, in a sentence.
    pub claim: String,
    /// Of a cycle: why each must come before the next, and the last before the first.
    pub links: Vec<Link>,
}

impl Anomaly {
    pub(super) fn named(kind: AnomalyKind, orders: Orders) -> String {
        let suffix = match orders {
            Orders::Data => "",
            Orders::Process => "-process",
            Orders::Realtime => "-realtime",
        };
        format!("{}{suffix}", kind.name())
    }
}

/// Why one operation must come before another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Link {
    /// The earlier one.
    pub from: usize,
    /// The later one.
    pub to: usize,
    /// Why.
    pub because: Because,
    /// The same in a sentence.
    pub sentence: String,
}

/// What shows that one operation must come before another.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Because {
    /// ww: an operation read the one value before the other, or the one without the other.
    Overwritten {
        /// Which list.
        key: Value,
        /// What the earlier one added.
        value: Value,
        /// What the later one added.
        later: Value,
        /// Who read it.
        witness: usize,
    },
    /// wr: the later one read what the earlier one wrote.
    Read {
        /// Of which key.
        key: Value,
        /// What was read.
        value: Value,
    },
    /// rw: the earlier one read a list without what the later one added.
    Missed {
        /// Of which list.
        key: Value,
        /// What is missing.
        value: Value,
    },
    /// ww or rw of a register: the later one read what the earlier one had read or written, and replaced it.
    Replaced {
        /// Which register.
        key: Value,
        /// What was replaced; nil where nothing was written yet.
        value: Value,
        /// By what.
        later: Value,
    },
    /// rw: the earlier one read a register before anything was written to it.
    First {
        /// Which register.
        key: Value,
        /// What the later one wrote.
        later: Value,
        /// Who replaced the initial state, and that again, each having read what it replaced, up to what the earlier one wrote or read.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        chain: Vec<usize>,
    },
    /// ww or rw of a register: the earlier one wrote or read a version, and the later one wrote another, which came later: an
    /// operation that wrote or read the one was over before an operation began that wrote or read the other.
    Later {
        /// Which register.
        key: Value,
        /// The version that came first.
        value: Value,
        /// The version that came later.
        later: Value,
        /// An operation that wrote or read `value`.
        first: usize,
        /// An operation that wrote or read `later`.
        then: usize,
        /// That of real time; or that of processes, if one process issued both.
        orders: Orders,
        /// Who replaced what `first` wrote or read, and that again, each having read what it replaced, up to `value`.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        before: Vec<usize>,
        /// Who so replaced `later`, up to what `then` wrote or read.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        after: Vec<usize>,
    },
    /// One process issued both.
    Process,
    /// The earlier one was over before the later one began.
    Realtime,
}

/// What is known of one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LevelReport {
    /// Which.
    pub level: Level,
    /// Whether it holds.
    pub status: Status,
}

/// How many anomalies of a name there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// As [`Anomaly::name`].
    pub name: String,
    /// One for each cycle or transaction that was looked at: a lower bound.
    pub count: usize,
}

/// The verdict on a history of transactions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TransactionReport {
    /// How many transactions there are, whatever became of them.
    pub transactions: usize,
    /// How many of them are known to have happened.
    pub answered: usize,
    /// How many reads are known that these did.
    pub reads: usize,
    /// How often something read or written showed that one transaction comes before another: where there is nothing of it, that a level
    /// holds says little.
    pub dependencies: usize,
    /// From the strongest to the weakest.
    pub levels: Vec<LevelReport>,
    /// The clearest of each name first, then further ones, up to a limit.
    pub anomalies: Vec<Anomaly>,
    /// How many were found of each name.
    pub counts: Vec<Count>,
    /// Why levels are unknown, if some are.
    pub why: Option<UnknownWhy>,
    /// An order that explains everything, replayed: of the strongest level that holds, where that is serializable or stronger.
    /// Indexes of `History::operations`.
    #[serde(skip)]
    pub order: Option<Vec<u32>>,
}

impl TransactionReport {
    /// What is known of a level.
    pub fn status(&self, level: Level) -> Status {
        let found = self.levels.iter().find(|report| report.level == level);
        found.map_or(Status::Unknown, |report| report.status)
    }

    /// The strongest level that nothing refutes, and whether it holds for certain.
    pub fn strongest(&self) -> Option<LevelReport> {
        self.levels.iter().find(|report| matches!(report.status, Status::Holds | Status::NotRefuted)).copied()
    }
}
