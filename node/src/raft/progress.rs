//! State that a leader keeps about one follower, and the mode in which it sends: one probe at a time until the logs
//! are known to match, then a window of messages, or a snapshot where the leader's log no longer reaches back far
//! enough (figure 2 `nextIndex` and `matchIndex`, §5.3, §7).

use std::collections::VecDeque;

use super::{LogIndex, Snapshot};

#[derive(Debug)]
pub(super) struct Progress {
    /// Last entry known to be durable there; never falls within one term.
    pub(super) matched: LogIndex,
    /// Next entry to send.
    pub(super) next: LogIndex,
    pub(super) mode: SendMode,
    /// Newest round that it has acknowledged.
    pub(super) acknowledged_round: u64,
    /// Newest round that was sent to it.
    pub(super) sent_round: u64,
}

#[derive(Debug)]
pub(super) enum SendMode {
    /// One message at a time, as the point at which the logs match is unknown.
    Probe { waiting: bool },
    /// Window of several messages, as the point at which the logs match is known. Holds the last index of each message
    /// in flight, and the newest round that was sent when this mode began.
    Replicate { inflight: VecDeque<LogIndex>, since: u64 },
    /// Transfer of a snapshot, as the follower needs entries that have been compacted.
    Snapshot(SnapshotTransfer),
}

/// Transfer of a snapshot, one chunk at a time.
#[derive(Debug)]
pub(super) struct SnapshotTransfer {
    /// Snapshot being sent; kept although the leader may compact again meanwhile, so that a transfer always ends.
    pub(super) snapshot: Snapshot,
    /// Number of bytes that the follower has.
    pub(super) offset: u64,
    /// True if the chunk at `offset` is in flight.
    pub(super) waiting: bool,
    /// True if a whole heartbeat interval passed without progress.
    stalled: bool,
}

impl Progress {
    /// Creates the state for a new leader, which assumes that every follower has its log (figure 2).
    pub(super) fn new(last_index: LogIndex) -> Self {
        Self {
            matched: LogIndex(0),
            next: LogIndex(last_index.0 + 1),
            mode: SendMode::Probe { waiting: false },
            acknowledged_round: 0,
            sent_round: 0,
        }
    }

    /// Records that the follower has our log up to `index`. `log_start` is the last index that only a snapshot can
    /// provide. Returns true if this was news.
    pub(super) fn on_matched(&mut self, index: LogIndex, log_start: LogIndex) -> bool {
        if index < self.matched {
            return false;
        }
        let advanced = index > self.matched;
        self.matched = index;
        let met = match &mut self.mode {
            SendMode::Probe { .. } => advanced || self.next.0 == index.0 + 1,
            SendMode::Snapshot(transfer) => index >= transfer.snapshot.last_index.min(log_start),
            SendMode::Replicate { inflight, .. } => {
                while inflight.front().is_some_and(|&last| last <= index) {
                    inflight.pop_front();
                }
                false
            }
        };
        if met {
            self.next = LogIndex(index.0 + 1);
            self.mode = SendMode::Replicate { inflight: VecDeque::new(), since: self.sent_round };
        }
        self.next = self.next.max(LogIndex(index.0 + 1));
        advanced || met
    }

    /// Returns true if a refusal is news: one at or below the match index is late, and so is one of another probe. A
    /// refusal from the round in which the logs were found to match may be late too; acting on it would send the
    /// whole window again, and cause as many late refusals. The next heartbeat shows what is really missing.
    pub(super) fn is_fresh_conflict(&self, refused: LogIndex, round: u64) -> bool {
        match self.mode {
            SendMode::Probe { .. } => refused.0 + 1 == self.next.0 && refused > self.matched,
            SendMode::Replicate { since, .. } => round > since && refused < self.next && refused > self.matched,
            SendMode::Snapshot(_) => false,
        }
    }

    /// Goes back to the index of the conflict hint, but never below what is known to match.
    pub(super) fn on_conflict(&mut self, next: LogIndex) {
        self.next = next.max(LogIndex(self.matched.0 + 1));
        self.mode = SendMode::Probe { waiting: false };
    }

    /// Records that the follower has `received` bytes of a snapshot. Returns true if the next chunk may be sent. A
    /// repeated answer must not send it twice, or each duplicate would circulate for ever.
    pub(super) fn on_chunk(&mut self, last_index: LogIndex, received: u64) -> bool {
        let SendMode::Snapshot(transfer) = &mut self.mode else { return false };
        let length = transfer.snapshot.data.len() as u64;
        if transfer.snapshot.last_index != last_index || received >= length {
            return false;
        }
        let advanced = received > transfer.offset;
        if advanced {
            (transfer.waiting, transfer.stalled) = (false, false);
        }
        transfer.offset = received;
        advanced
    }

    pub(super) fn begin_snapshot(&mut self, snapshot: Snapshot) {
        self.mode = SendMode::Snapshot(SnapshotTransfer { snapshot, offset: 0, waiting: false, stalled: false });
    }

    /// Handles a due heartbeat. A snapshot chunk without an answer may have been lost, so it may be sent again.
    pub(super) fn on_heartbeat(&mut self) {
        match &mut self.mode {
            // The heartbeat's `prev` is the last entry sent, so its answer reveals a lost message, probe or answer.
            SendMode::Probe { .. } | SendMode::Replicate { .. } => {}
            SendMode::Snapshot(transfer) if transfer.stalled => transfer.waiting = false,
            SendMode::Snapshot(transfer) => transfer.stalled = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::raft::{Membership, Term};

    fn replicating(matched: u64, sent: &[u64]) -> Progress {
        let mut progress = Progress::new(LogIndex(matched));
        assert!(progress.on_matched(LogIndex(matched), LogIndex(0)));
        let SendMode::Replicate { inflight, .. } = &mut progress.mode else { panic!("met: {progress:?}") };
        inflight.extend(sent.iter().map(|&index| LogIndex(index)));
        progress.next = LogIndex(sent.last().map_or(matched, |&last| last) + 1);
        progress
    }

    fn inflight(progress: &Progress) -> usize {
        match &progress.mode {
            SendMode::Replicate { inflight, .. } => inflight.len(),
            SendMode::Probe { .. } | SendMode::Snapshot(_) => panic!("not replicating: {progress:?}"),
        }
    }

    fn outgoing(progress: &Progress) -> (u64, bool) {
        match &progress.mode {
            SendMode::Snapshot(transfer) => (transfer.offset, transfer.waiting),
            SendMode::Probe { .. } | SendMode::Replicate { .. } => panic!("not sending: {progress:?}"),
        }
    }

    #[test]
    fn a_match_frees_the_window_and_never_falls() {
        let mut progress = replicating(4, &[6, 8, 9]);
        assert!(progress.on_matched(LogIndex(8), LogIndex(0)));
        assert_eq!((progress.matched.0, progress.next.0, inflight(&progress)), (8, 10, 1));
        assert!(!progress.on_matched(LogIndex(6), LogIndex(0)), "a late answer");
        assert_eq!((progress.matched.0, progress.next.0), (8, 10));
    }

    #[test]
    fn a_late_conflict_is_recognised() {
        let progress = replicating(4, &[6, 8]);
        assert!(!progress.is_fresh_conflict(LogIndex(4), 1), "matched since");
        assert!(progress.is_fresh_conflict(LogIndex(6), 1));
        assert!(!progress.is_fresh_conflict(LogIndex(6), 0), "of the round in which the logs met");
        assert!(!progress.is_fresh_conflict(LogIndex(9), 1), "never sent");
        let probe = Progress::new(LogIndex(7));
        assert!(probe.is_fresh_conflict(LogIndex(7), 0));
        assert!(!probe.is_fresh_conflict(LogIndex(5), 0), "of an earlier probe");
    }

    #[test]
    fn a_conflict_never_goes_below_the_match() {
        let mut progress = replicating(4, &[6, 8]);
        progress.on_conflict(LogIndex(2));
        assert_eq!((progress.matched.0, progress.next.0), (4, 5));
    }

    #[test]
    fn chunks_follow_the_follower_and_repeated_answers_send_nothing() {
        let mut progress = Progress::new(LogIndex(0));
        let data = Bytes::from_static(b"0123456789");
        progress.begin_snapshot(Snapshot {
            last_index: LogIndex(5),
            last_term: Term(1),
            membership: Membership::default(),
            data,
        });
        assert!(!progress.on_chunk(LogIndex(4), 4), "another snapshot");
        assert!(progress.on_chunk(LogIndex(5), 4));
        assert!(!progress.on_chunk(LogIndex(5), 4), "repeated");
        assert!(!progress.on_chunk(LogIndex(5), 0), "it restarted, or the answer is late");
        if let SendMode::Snapshot(transfer) = &mut progress.mode {
            transfer.waiting = true;
        }
        progress.on_heartbeat();
        assert_eq!(outgoing(&progress), (0, true), "the chunk may still be on its way");
        progress.on_heartbeat();
        assert_eq!(outgoing(&progress), (0, false), "a whole interval without progress");
    }

    #[test]
    fn a_transfer_ends_once_the_log_reaches_the_follower() {
        let snapshot = Snapshot {
            last_index: LogIndex(5),
            last_term: Term(1),
            membership: Membership::default(),
            data: Bytes::new(),
        };
        let mut progress = Progress::new(LogIndex(0));
        progress.begin_snapshot(snapshot);
        assert!(progress.on_matched(LogIndex(3), LogIndex(8)), "the match index grew");
        assert!(matches!(progress.mode, SendMode::Snapshot(_)), "but entry 4 is gone");
        assert_eq!(progress.next, LogIndex(4), "what matches is not sent again");
        assert!(progress.on_matched(LogIndex(5), LogIndex(8)));
        assert!(matches!(progress.mode, SendMode::Replicate { .. }), "the next transfer begins from here");
    }
}
