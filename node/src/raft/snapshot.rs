//! Log compaction (§7): this node's own snapshots, and `InstallSnapshot` (figure 13) in chunks, which may be lost,
//! repeated and sent again from the start.

use bytes::{Bytes, BytesMut};

use super::{
    AppendResult, Body, LogIndex, Membership, NodeId, QuorumContact, Raft, Snapshot, Term, progress::SnapshotTransfer,
    rules::Rule,
};
use crate::defect::Defect;

/// Snapshot that has arrived in part. It is dropped when the term changes: another leader may encode the same state
/// in other bytes.
#[derive(Debug)]
pub(super) struct IncomingSnapshot {
    last_index: LogIndex,
    last_term: Term,
    data: BytesMut,
}

/// One chunk of a snapshot as received.
pub(super) struct Chunk {
    pub(super) last: (LogIndex, Term),
    pub(super) membership: Membership,
    pub(super) offset: u64,
    pub(super) data: Bytes,
    pub(super) done: bool,
    pub(super) round: u64,
}

impl SnapshotTransfer {
    pub(super) fn next_chunk(&self, chunk_bytes: usize, round: u64, quorum_contact: QuorumContact) -> Body {
        let length = self.snapshot.data.len();
        let start = usize::try_from(self.offset).map_or(length, |offset| offset.min(length));
        let end = start.saturating_add(chunk_bytes).min(length);
        Body::InstallSnapshot {
            last_included_index: self.snapshot.last_index,
            last_included_term: self.snapshot.last_term,
            membership: Box::new(self.snapshot.membership.clone()),
            offset: start as u64,
            data: self.snapshot.data.slice(start..end),
            done: end == length,
            round,
            quorum_contact,
        }
    }
}

impl Raft {
    /// Handles a chunk of a snapshot (figure 13, `InstallSnapshot` steps 2 to 8).
    pub(super) fn on_install_snapshot(&mut self, leader: NodeId, chunk: &Chunk) {
        let round = chunk.round;
        let (last_index, last_term) = chunk.last;
        // An old snapshot must not take the state back: the entries committed here already cover it.
        if last_index <= self.commit && !self.config.has(Defect::OldSnapshotInstalled) {
            let result = AppendResult::Matched(self.commit);
            return self.send(leader, Body::AppendEntriesResponse { result, round });
        }
        let (received, complete) = self.receive(chunk);
        if !complete {
            return self
                .send(leader, Body::InstallSnapshotResponse { last_included_index: last_index, received, round });
        }
        let incoming = self.incoming.take().expect("the last chunk was just received");
        let (membership, data) = (chunk.membership.clone(), incoming.data.freeze());
        self.install(Snapshot { last_index, last_term, membership, data });
        self.send(leader, Body::AppendEntriesResponse { result: AppendResult::Matched(last_index), round });
    }

    /// Adds a chunk if it is the next one. Returns how many bytes have arrived, and whether that is all.
    fn receive(&mut self, chunk: &Chunk) -> (u64, bool) {
        let (last_index, last_term) = chunk.last;
        let same = |incoming: &&mut IncomingSnapshot| (incoming.last_index, incoming.last_term) == chunk.last;
        let incoming = match self.incoming.as_mut().filter(same) {
            Some(incoming) => incoming,
            None if chunk.offset == 0 => {
                self.incoming.insert(IncomingSnapshot { last_index, last_term, data: BytesMut::new() })
            }
            None => return (0, false),
        };
        let expected = incoming.data.len() as u64;
        if chunk.offset != expected {
            return (expected, false);
        }
        incoming.data.extend_from_slice(&chunk.data);
        (incoming.data.len() as u64, chunk.done)
    }

    /// Replaces state and log by a newer snapshot; later log entries stay if the log agrees with it (figure 13, steps
    /// 6 to 8).
    fn install(&mut self, mut snapshot: Snapshot) {
        self.rules.count(Rule::SnapshotInstallation);
        if self.config.has(Defect::KeepsLogBehindSnapshot) {
            snapshot.last_term = self.log.term(snapshot.last_index).unwrap_or(snapshot.last_term);
        }
        let retained = self.log.compact(snapshot.last_index, snapshot.last_term);
        self.memberships.restore(snapshot.last_index, &snapshot.membership, retained);
        self.persist_snapshot(&snapshot, retained);
        if !retained {
            (self.durable, self.handed_over) = (LogIndex(0), LogIndex(0));
        }
        self.commit = snapshot.last_index;
        self.applied = snapshot.last_index;
        self.out.restore = Some(Box::new(snapshot.clone()));
        self.snapshot = Some(snapshot);
    }

    /// Hands the same change to the storage, whatever part of the log is already stored: after the snapshot, storage
    /// must hold exactly what is in memory.
    fn persist_snapshot(&mut self, snapshot: &Snapshot, retained: bool) {
        let after = LogIndex(snapshot.last_index.0 + 1);
        let persist = &mut self.out.persist;
        persist.snapshot = Some(Box::new(snapshot.clone()));
        if retained {
            persist.truncate_from = persist.truncate_from.map(|from| from.max(after));
            persist.entries.retain(|entry| entry.index >= after);
        } else {
            persist.truncate_from = Some(after);
            persist.entries.clear();
        }
    }

    /// Drops the log up to a snapshot of applied state that the caller has made durable, except for some trailing
    /// entries, so that a follower that lags a little needs no snapshot.
    pub(super) fn compact_to(&mut self, mut snapshot: Snapshot) {
        if self.snapshot.as_ref().is_some_and(|newest| snapshot.last_index <= newest.last_index) {
            return;
        }
        self.rules.count(Rule::Compaction);
        if self.config.defect.is_none() {
            let own = self.log.term(snapshot.last_index);
            assert!(snapshot.last_index <= self.applied, "only applied state can be in a snapshot");
            assert_eq!(own, Some(snapshot.last_term), "a snapshot of applied state ends with an entry of this log");
            let members = self.membership_at(snapshot.last_index);
            assert_eq!(*members, snapshot.membership, "a snapshot has the configuration of its last entry (§7)");
        }
        self.memberships.compact(snapshot.last_index);
        self.log.compact_but(snapshot.last_index, self.config.trailing_entries, self.config.trailing_bytes);
        self.durable = self.durable.max(snapshot.last_index);
        if self.config.has(Defect::SnapshotNamesWrongTerm) {
            snapshot.last_term = self.hard_state.term;
        }
        self.snapshot = Some(snapshot);
    }
}
