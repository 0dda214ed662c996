//! Frames on their way between simulated nodes, and what a node promises by sending one.

use crate::{
    frame::Frame,
    raft::{AppendResult, Body, LogIndex, Message, NodeId, Term},
};

/// Maximum number of frames whose memory a node keeps.
const MAX_SPARE: usize = 64;

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
    /// Packs a frame, in the memory of one that has arrived if there is any.
    pub(super) fn pack(frame: Frame, spare: &mut Vec<Self>) -> Self {
        match spare.pop() {
            Some(Self(mut memory)) => {
                *memory = frame;
                Self(memory)
            }
            None => Self(Box::new(frame)),
        }
    }

    /// Takes the frame out, and keeps its memory for others.
    pub(super) fn unpack(mut self, spare: &mut Vec<Self>) -> Frame {
        let frame = std::mem::replace(&mut *self.0, Frame::Ping);
        if spare.len() < MAX_SPARE {
            spare.push(self);
        }
        frame
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
    use crate::{raft::Change, request::Request};

    fn promise(body: Body) -> Option<Promise> {
        let message = Message { from: NodeId(1), to: NodeId(2), term: Term(3), body };
        Parcel::pack(Frame::Raft { id: 7, message }, &mut Vec::new()).promise()
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

    #[test]
    fn the_memory_of_frames_that_have_arrived_is_used_again() {
        let mut spare = Vec::new();
        let parcels: Vec<_> = (0..=MAX_SPARE as u64)
            .map(|id| {
                Parcel::pack(
                    Frame::Forward { id, request: Request::Change(Change::Remove { node: NodeId(1) }) },
                    &mut spare,
                )
            })
            .collect();
        for (parcel, id) in parcels.into_iter().zip(0..) {
            assert!(matches!(parcel.unpack(&mut spare), Frame::Forward { id: same, .. } if same == id));
        }
        assert_eq!(spare.len(), MAX_SPARE);
        assert!(matches!(*Parcel::pack(Frame::Ping, &mut spare).0, Frame::Ping));
        assert_eq!(spare.len(), MAX_SPARE - 1);
    }
}
