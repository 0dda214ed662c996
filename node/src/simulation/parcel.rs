//! Frames on their way between simulated nodes, and what a node promises by sending one.

use crate::{
    frame::Frame,
    raft::{AppendResult, Body, LogIndex, Message, NodeId, Term},
};

/// Frame on its way between two nodes.
#[derive(Clone, Debug)]
pub struct Parcel(pub(super) Box<Frame>);

/// Promise that a node makes to another by sending a message, and must keep over a restart (Raft, figure 2, persistent
/// state).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// Term that the node has reached.
    pub term: Term,
    /// Candidate that has its vote in this term.
    pub vote: Option<NodeId>,
    /// Index up to which its log has what the leader of this term has.
    pub matched: Option<LogIndex>,
}

impl Parcel {
    pub(super) fn new(frame: Frame) -> Self {
        Self(Box::new(frame))
    }

    /// Returns true if it is a message of Raft, which bears to be delivered twice. A request that is forwarded does
    /// not: the link's protocol (TCP) delivers it once or never.
    pub fn bears_repetition(&self) -> bool {
        matches!(*self.0, Frame::Raft { .. })
    }

    /// Returns what the sender promises by it; nothing by a pre-vote, or by what may leave before the disk has synced.
    pub fn promise(&self) -> Option<Promise> {
        let Frame::Raft { message: Message { from, to, term, body }, .. } = &*self.0 else { return None };
        let (vote, matched) = match body {
            Body::RequestVote { pre: false, .. } => (Some(*from), None),
            Body::RequestVoteResponse { pre: false, granted: true } => (Some(*to), None),
            Body::AppendEntriesResponse { result: AppendResult::Matched(index), .. } => (None, Some(*index)),
            Body::AppendEntriesResponse { result: AppendResult::Conflict { .. }, .. }
            | Body::RequestVoteResponse { granted: false, .. }
            | Body::InstallSnapshotResponse { .. } => (None, None),
            Body::RequestVote { pre: true, .. }
            | Body::RequestVoteResponse { pre: true, granted: true }
            | Body::AppendEntries { .. }
            | Body::InstallSnapshot { .. }
            | Body::TimeoutNow
            | Body::ReadIndex { .. }
            | Body::ReadIndexResponse { .. } => return None,
        };
        Some(Promise { term: *term, vote, matched })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promise(body: Body) -> Option<Promise> {
        let message = Message { from: NodeId(1), to: NodeId(2), term: Term(3), body };
        Parcel::new(Frame::Raft { id: 7, message }).promise()
    }

    #[test]
    fn votes_and_answers_to_entries_promise_and_nothing_that_leaves_early_does() {
        let of = |vote, matched| Some(Promise { term: Term(3), vote, matched });
        let ask = |pre| Body::RequestVote { pre, transfer: false, last_log_index: LogIndex(4), last_log_term: Term(2) };
        assert_eq!((promise(ask(false)), promise(ask(true))), (of(Some(NodeId(1)), None), None));
        let vote = |pre, granted| Body::RequestVoteResponse { pre, granted };
        assert_eq!((promise(vote(false, true)), promise(vote(true, true))), (of(Some(NodeId(2)), None), None));
        assert_eq!(promise(vote(false, false)), of(None, None));
        let matched = Body::AppendEntriesResponse { result: AppendResult::Matched(LogIndex(9)), round: 1 };
        assert_eq!(promise(matched), of(None, Some(LogIndex(9))));
        assert_eq!(promise(Body::ReadIndex { context: 1 }), None);
    }
}
