//! Planted defects of the core: each test shows the broken rule with the defect, and that it holds without.

mod elections;
mod leases;
mod members;
mod reads;
mod replication;
mod snapshots;

use node::Defect;

use super::*;

/// Creates a node as [`Node::with_log`] does, with a planted defect if one is given.
fn node(members: u64, term: u64, log: &[u64], defect: Option<Defect>) -> Node {
    let mut node = Node::new(Config { defect, ..config(1, members) }, stored(term, None, log));
    node.ms = 1_000;
    node
}

/// Creates a leader of the term after `term`, before anybody has answered.
fn leader(members: u64, term: u64, log: &[u64], defect: Option<Defect>) -> Node {
    let mut node = node(members, term, log, defect);
    node.win();
    node
}

/// Returns the refusal of entries behind `refused`.
fn refusal(refused: u64) -> Body {
    let result = AppendResult::Conflict { refused: LogIndex(refused), term: None, first: LogIndex(1) };
    Body::AppendEntriesResponse { result, round: 1 }
}
