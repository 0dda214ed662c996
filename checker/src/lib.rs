//! Linearizability checker: decides whether a history is linearizable, and says why when it is not.
//!
//! It is pure: a [`histories::History`] in, a [`Report`] out. It touches no file, clock or network; time is limited
//! by a callback ([`Limits`]).

mod automaton;
mod budget;
mod causal;
mod check;
mod conflict_ranges;
mod consistency;
mod decision;
mod doubt;
mod drains;
mod evidence;
mod generic;
mod index;
mod liveness;
mod memory;
mod merge;
mod objects;
mod options;
#[cfg(test)]
#[path = "../tests/it/oracles.rs"]
mod oracles;
mod prefix;
mod prepare;
mod properties;
mod registers;
mod report;
mod rows;
mod search;
mod shrink;
mod sorted;
mod specification;
mod staleness;
mod state_words;
mod states;
mod tally;
mod transactions;
mod unknown;
mod verify;
mod weaker;
mod words;
mod zones;

pub use budget::Limits;
pub use check::{check, check_with};
pub use consistency::{Consistency, Hierarchy, HierarchyLevel, ModelStatus, Witness, consistency};
pub use evidence::wrong_transaction;
pub use memory::Memory;
pub use objects::Model;
pub use options::Options;
pub use prefix::{Prefix, longest_prefix};
pub use properties::bank_total;
pub use report::{Evidence, KeyReport, Method, Report, SetFigures, Staleness, Verdict, WeakVerdict};
pub use specification::{Call, Specification};
pub use staleness::{Distribution, NodeStaleness, Share, StaleReads, StalenessReport, UnmeasuredKeys, staleness};
pub use states::states;
pub use transactions::{
    Anomaly, AnomalyCount, AnomalyKind, Level, LevelReport, Link, LinkEvidence, Orders, Status, TransactionReport,
    check_transactions, check_transactions_from,
};
pub use unknown::UnknownWhy;
pub use weaker::weaker_models;
pub use words::{brief, short as operation_in_short};
