//! Linearizability checker: decides whether a history is linearizable, and says why when it is not.
//!
//! It is pure: a [`histories::History`] in, a [`Report`] out. It touches no file, clock or network; time is limited
//! by a callback ([`Limits`]).

mod automaton;
mod check;
mod consistency;
mod doubt;
mod evidence;
mod generic;
mod instead;
mod memory;
mod model;
mod objects;
mod opinion;
mod options;
mod parts;
mod patience;
mod prefix;
mod prepare;
mod relevance;
mod report;
mod search;
mod shrink;
mod staleness;
mod transactions;
mod verify;
mod weight;
mod windows;
mod zones;

pub use check::{check, check_with};
pub use consistency::{Consistency, Ladder, Rung, Standing, Witness, consistency};
pub use instead::instead;
pub use memory::Memory;
pub use model::{Call, Specification};
pub use options::{Limits, Model, Options};
pub use prefix::{Prefix, longest_prefix};
pub use report::{Evidence, KeyReport, Method, Report, Staleness, UnknownWhy, Verdict};
pub use staleness::{Distribution, NodeStaleness, NotMeasured, Share, StaleReads, StalenessReport, staleness};
pub use transactions::{
    Anomaly, AnomalyKind, Because, Count, Level, LevelReport, Link, Orders, Status, TransactionReport,
    check_transactions, check_transactions_from,
};
pub use weight::Weak;
