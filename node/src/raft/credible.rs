//! What no member that keeps to the protocol can have sent: refused before any rule looks at it, for the rules would believe it. A term is
//! durable, so that one absurd term would otherwise end the elections of a whole cluster for good.

use thiserror::Error;

use super::{AppendResult, Body, Entry, LogIndex, Message, NodeId, Term};

/// How far a term may be ahead of this node's. Elections take an election timeout each: a node that slept through so many of them slept
/// for more than a year, even with timeouts of 10 ms and no leader in all that time.
const MAX_TERM_STEP: u64 = 1 << 32;
/// The last index of any log; what is counted on from here stays far from the end of the numbers.
const MAX_INDEX: LogIndex = LogIndex(1 << 62);

/// Why a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Incredible {
    /// Its term is too far from this node's.
    #[error("{from} speaks of term {term}, which is more than {MAX_TERM_STEP} elections after term {own}")]
    Term {
        /// Who sent it.
        from: NodeId,
        /// What it says.
        term: Term,
        /// This node's.
        own: Term,
    },
    /// It names an entry that no log can have.
    #[error("{from} speaks of entry {index}, which no log can have")]
    Index {
        /// Who sent it.
        from: NodeId,
        /// What it says.
        index: LogIndex,
    },
    /// Its entries, or its snapshot, cannot be part of a leader's log in its term.
    #[error("{from} sends entries that cannot stand in a log of term {term}, at {index}")]
    Entry {
        /// Who sent it.
        from: NodeId,
        /// In which term.
        term: Term,
        /// Where its log would be broken.
        index: LogIndex,
    },
}

impl Message {
    /// Whether a node in the term `own` may believe it.
    pub(super) fn check(&self, own: Term) -> Result<(), Incredible> {
        let &Self { from, term, .. } = self;
        if term.0.saturating_sub(own.0) > MAX_TERM_STEP {
            return Err(Incredible::Term { from, term, own });
        }
        let index = self.body.last_index_named();
        if index > MAX_INDEX {
            return Err(Incredible::Index { from, index });
        }
        self.body.break_in_log(term).map_or(Ok(()), |index| Err(Incredible::Entry { from, term, index }))
    }
}

impl Body {
    /// The greatest index that it names; 0 if none.
    fn last_index_named(&self) -> LogIndex {
        match self {
            Self::RequestVote { last_log_index, .. } => *last_log_index,
            Self::AppendEntries { prev_log_index, leader_commit, entries, .. } => {
                let entries = entries.iter().map(|entry| entry.index);
                entries.fold((*prev_log_index).max(*leader_commit), LogIndex::max)
            }
            Self::Appended { result: AppendResult::Matched(index), .. }
            | Self::ReadIndexed { index: Some(index), .. } => *index,
            Self::Appended { result: AppendResult::Conflict { refused, first, .. }, .. } => (*refused).max(*first),
            Self::InstallSnapshot { last_included_index, .. } | Self::SnapshotChunk { last_included_index, .. } => {
                *last_included_index
            }
            Self::Vote { .. } | Self::ReadIndex { .. } | Self::ReadIndexed { index: None, .. } => LogIndex(0),
        }
    }

    /// Where a log of `term` would be broken by what it brings: indexes without a gap, terms that never fall, none of a term to come.
    fn break_in_log(&self, term: Term) -> Option<LogIndex> {
        match self {
            Self::AppendEntries { prev_log_index, prev_log_term, entries, .. } => {
                let mut last = (*prev_log_index, *prev_log_term);
                let mut follows = |entry: &Entry| {
                    let (index, before) = std::mem::replace(&mut last, (entry.index, entry.term));
                    entry.index.0 == index.0 + 1 && entry.term >= before
                };
                let broken = entries.iter().find(|entry| !follows(entry)).map(|entry| entry.index);
                broken.or_else(|| (last.1 > term).then_some(last.0))
            }
            Self::InstallSnapshot { last_included_index, last_included_term, .. } => {
                (last_included_term > &term).then_some(*last_included_index)
            }
            _ => None,
        }
    }
}
