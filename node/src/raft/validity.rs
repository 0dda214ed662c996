//! Checks that refuse messages no correct member can have sent, before any other rule acts on them. A term is
//! durable, so a single absurd term would permanently end elections in the whole cluster.

use thiserror::Error;

use super::{AppendResult, Body, Entry, LogIndex, Message, NodeId, Payload, Term};

/// Maximum difference between the term of a message and this node's. Elections take an election timeout each: to fall
/// this far behind, a node would have to sleep for more than a year, even with timeouts of 10 ms and no leader in all
/// that time.
const MAX_TERM_STEP: u64 = 1 << 32;
/// Last index that any log can have; indexes computed from it stay far from overflow.
const MAX_INDEX: LogIndex = LogIndex(1 << 62);

/// Reason why a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidMessage {
    /// A term that is too far ahead of this node's.
    #[error("{from} sends term {term}, which is more than {MAX_TERM_STEP} elections after term {own}")]
    Term {
        /// Sender of the message.
        from: NodeId,
        /// Term that it claims.
        term: Term,
        /// Term of this node.
        own: Term,
    },
    /// An index that no log can have.
    #[error("{from} names entry {index}, which no log can have")]
    Index {
        /// Sender of the message.
        from: NodeId,
        /// Index that it names.
        index: LogIndex,
    },
    /// Entries, or a snapshot, that cannot be part of a leader's log in the message's term.
    #[error("{from} sends entries that cannot stand in a log of term {term}, at {index}")]
    Entry {
        /// Sender of the message.
        from: NodeId,
        /// Term of the message.
        term: Term,
        /// Index at which the leader's log would be broken.
        index: LogIndex,
    },
}

impl Message {
    /// Checks whether a node in the term `own` may believe this message.
    pub(super) fn check(&self, own: Term) -> Result<(), InvalidMessage> {
        let &Self { from, term, .. } = self;
        if term.0.saturating_sub(own.0) > MAX_TERM_STEP {
            return Err(InvalidMessage::Term { from, term, own });
        }
        let index = self.body.last_index_named();
        if index > MAX_INDEX {
            return Err(InvalidMessage::Index { from, index });
        }
        self.body.break_in_log(term).map_or(Ok(()), |index| Err(InvalidMessage::Entry { from, term, index }))
    }
}

impl Body {
    /// Returns the greatest index that the message names; 0 if none.
    fn last_index_named(&self) -> LogIndex {
        match self {
            Self::RequestVote { last_log_index, .. } => *last_log_index,
            Self::AppendEntries { prev_log_index, leader_commit, entries, .. } => {
                let entries = entries.iter().map(|entry| entry.index);
                entries.fold((*prev_log_index).max(*leader_commit), LogIndex::max)
            }
            Self::AppendEntriesResponse { result: AppendResult::Matched(index), .. }
            | Self::ReadIndexResponse { index: Some(index), .. } => *index,
            Self::AppendEntriesResponse { result: AppendResult::Conflict { refused, first, .. }, .. } => {
                (*refused).max(*first)
            }
            Self::InstallSnapshot { last_included_index, .. }
            | Self::InstallSnapshotResponse { last_included_index, .. } => *last_included_index,
            Self::RequestVoteResponse { .. }
            | Self::TimeoutNow
            | Self::ReadIndex { .. }
            | Self::ReadIndexResponse { index: None, .. } => LogIndex(0),
        }
    }

    /// Returns the first index at which a leader's log of `term` would be broken by the message's contents: indexes
    /// must have no gap, terms must neither fall nor exceed `term`, and configurations must have voters.
    fn break_in_log(&self, term: Term) -> Option<LogIndex> {
        match self {
            Self::AppendEntries { prev_log_index, prev_log_term, entries, .. } => {
                let mut last = (*prev_log_index, *prev_log_term);
                let mut follows = |entry: &Entry| {
                    let (index, before) = std::mem::replace(&mut last, (entry.index, entry.term));
                    let sound = !matches!(&entry.payload, Payload::Membership(members) if !members.is_sound());
                    entry.index.0 == index.0 + 1 && entry.term >= before && sound
                };
                let broken = entries.iter().find(|entry| !follows(entry)).map(|entry| entry.index);
                broken.or_else(|| (last.1 > term).then_some(last.0))
            }
            Self::InstallSnapshot { last_included_index, last_included_term, membership, .. } => {
                (last_included_term > &term || !membership.is_sound()).then_some(*last_included_index)
            }
            _ => None,
        }
    }
}
