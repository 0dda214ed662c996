//! Log replication (§5.3): sending by the leader, acceptance by the follower, and handling of the answer.

use super::{
    AppendResult, Body, Entry, LogIndex, NodeId, Raft, Term,
    commit::{follower_commit, may_commit},
    log::{Conflict, weight},
    node::{Leadership, State},
    progress::{Progress, SendMode},
    rules::Rule,
};
use crate::defect::Defect;

/// Contents of a received `AppendEntries`.
pub(super) struct AppendEntries {
    pub(super) prev: (LogIndex, Term),
    pub(super) entries: Vec<Entry>,
    pub(super) leader_commit: LogIndex,
    pub(super) round: u64,
}

impl Raft {
    /// Handles entries, or a heartbeat, from the leader of this term (figure 2, `AppendEntries` steps 2 to 5).
    pub(super) fn on_append_entries(&mut self, leader: NodeId, append: AppendEntries) {
        let (prev_index, mut prev_term) = append.prev;
        if self.config.has(Defect::SkipsTermCheck) {
            prev_term = self.log.term(prev_index).unwrap_or(prev_term);
        }
        if self.config.has(Defect::PurgedIsConflict) && prev_index < self.log.base_index() {
            self.truncate_from(self.log.first_index());
        }
        let result = match self.log.check_consistency(prev_index, prev_term) {
            Ok(()) => {
                let last_matched = LogIndex(prev_index.0 + append.entries.len() as u64);
                self.accept(append.entries);
                if self.config.has(Defect::TruncatesToMessageEnd) {
                    self.truncate_from(LogIndex(last_matched.max(self.log.base_index()).0 + 1));
                }
                self.note_matched(last_matched);
                self.follow_commit(append.leader_commit);
                // Committed entries equal the leader's log too (§5.4.3).
                AppendResult::Matched(last_matched.max(self.commit))
            }
            Err(Conflict { term, first }) => {
                self.rules.count(Rule::Inconsistency);
                AppendResult::Conflict { refused: prev_index, term, first }
            }
        };
        self.send(leader, Body::AppendEntriesResponse { result, round: append.round });
    }

    /// Records that the log equals that of this term's leader up to an index.
    fn note_matched(&mut self, index: LogIndex) {
        self.matched = self.matched.max((self.hard_state.term, index));
    }

    /// Follows the commit index of this term's leader, as far as the log is known to equal the leader's (figure 2,
    /// `AppendEntries` step 5).
    pub(super) fn follow_commit(&mut self, leader_commit: LogIndex) {
        let last_index = self.log.last_index();
        let matched = match self.matched {
            _ if self.config.has(Defect::CommitsUnmatched) => last_index,
            (term, index) if term == self.hard_state.term => index.min(last_index),
            _ => LogIndex(0),
        };
        self.commit = self.commit.max(follower_commit(leader_commit, matched));
    }

    /// Appends new entries; a conflicting old suffix is removed first (§5.3, figure 2 steps 3 and 4).
    fn accept(&mut self, entries: Vec<Entry>) {
        if let Some(conflict) = self.log.first_conflict(&entries)
            && !self.config.has(Defect::KeepsConflictingTail)
        {
            self.truncate_from(conflict);
        }
        for entry in entries {
            if entry.index > self.log.last_index() {
                self.append(entry);
            }
        }
    }

    /// Handles a follower's answer in this leader's term. Any answer confirms the leadership as of its round.
    pub(super) fn on_append_entries_response(&mut self, follower: NodeId, result: AppendResult, round: u64) {
        let (log_start, commit) = (self.log.base_index(), self.commit);
        let State::Leader(own) = &mut self.state else { return };
        let Some(progress) = own.followers.get_mut(&follower) else { return };
        match result {
            AppendResult::Matched(index) => self.unsent |= progress.on_matched(index, log_start),
            AppendResult::Conflict { refused, .. } if self.config.has(Defect::RefusalCountsAsMatched) => {
                self.unsent |= progress.on_matched(refused, log_start);
            }
            AppendResult::Conflict { refused, term, first }
                if progress.is_fresh_conflict(refused, round) || self.config.has(Defect::BelievesLateConflicts) =>
            {
                progress.on_conflict(self.log.next_after_conflict(refused, Conflict { term, first }));
                self.unsent = true;
            }
            AppendResult::Conflict { .. } => {}
        }
        let has_uncommitted = progress.matched > commit;
        self.on_acknowledged(follower, round);
        if has_uncommitted {
            self.commit_replicated();
        }
        self.advance_changes();
    }

    /// Records that a follower still followed this leader after `round` had begun.
    pub(super) fn on_acknowledged(&mut self, follower: NodeId, round: u64) {
        let State::Leader(own) = &mut self.state else { return };
        let newest = own.rounds.newest();
        let round = if self.config.has(Defect::AnyAnswerConfirms) { newest } else { round };
        if let Some(progress) = own.followers.get_mut(&follower)
            && (progress.acknowledged_round + 1..=newest).contains(&round)
        {
            progress.acknowledged_round = round;
            if round > own.rounds.acknowledged() {
                self.count_acknowledgements();
            }
        }
    }

    /// Finds the newest round that a quorum has acknowledged; the leader itself counts with the newest round.
    pub(super) fn count_acknowledgements(&mut self) {
        let membership = self.membership().clone();
        let State::Leader(own) = &mut self.state else { return };
        let of = |node: NodeId| match own.followers.get(&node) {
            Some(progress) => progress.acknowledged_round,
            None if node == self.config.id => own.rounds.newest(),
            None => 0,
        };
        let leasing = |quorum: usize| if self.config.has(Defect::LeaseByOneAnswer) { quorum.min(2) } else { quorum };
        let confirming = |quorum: usize| match self.config.defect {
            Some(Defect::LeaderConfirmsAlone) => 1,
            Some(Defect::OneAnswerConfirms) => quorum.min(2),
            _ => quorum,
        };
        let leased = membership.reached(leasing, of, &[]);
        let confirmed = if self.config.defect.is_none() { leased } else { membership.reached(confirming, of, &[]) };
        if own.rounds.acknowledge(leased) && self.config.has(Defect::LeaseFromReceipt) {
            own.rounds.restart_lease(self.now);
        }
        self.confirm_reads(confirmed);
    }

    /// Commits what a majority has stored durably and the term allows (§5.3, §5.4.2). The leader counts with what it
    /// has made durable itself.
    pub(super) fn advance_commit(&mut self) {
        self.commit_replicated();
        self.advance_changes();
    }

    /// Carries on a transfer of the leadership and a change of the members, as far as the logs and the commit index
    /// allow.
    fn advance_changes(&mut self) {
        self.advance_transfer();
        self.advance_membership();
    }

    fn commit_replicated(&mut self) {
        let State::Leader(own) = &self.state else { return };
        if self.commit >= self.log.last_index() {
            return; // as most of the time
        }
        let needed = |quorum: usize| match self.config.defect {
            Some(Defect::CommitsAlone) => 1,
            Some(Defect::CommitsByMinority) => (quorum - 1).max(1),
            _ => quorum,
        };
        let has = |node: NodeId| match own.followers.get(&node) {
            Some(progress) => progress.matched,
            None if node == self.config.id && self.config.has(Defect::CountsUnsyncedTail) => self.log.last_index(),
            None if node == self.config.id => self.durable,
            None => LogIndex(0),
        };
        let learners = self.membership().learners.keys().filter(|_| self.config.has(Defect::LearnersCount));
        let index = self.membership().reached(needed, has, &learners.copied().collect::<Vec<_>>());
        if index <= self.commit {
            return;
        }
        let may_commit = may_commit(self.log.term(index), self.hard_state.term);
        if may_commit || self.config.has(Defect::CommitsEarlierTerms) {
            self.rules.count(Rule::Commit);
            self.commit = index;
        } else {
            self.rules.count(Rule::EarlierTerm);
        }
    }

    /// Sends every follower whatever its mode allows now.
    pub(super) fn replicate(&mut self) {
        let State::Leader(own) = &mut self.state else { return };
        let mut followers = std::mem::take(&mut own.followers);
        let round = own.rounds.newest();
        for (&follower, progress) in &mut followers {
            self.replicate_to(follower, progress, round);
        }
        if let State::Leader(Leadership { followers: own, .. }) = &mut self.state {
            *own = followers;
        }
    }

    fn replicate_to(&mut self, follower: NodeId, progress: &mut Progress, round: u64) {
        loop {
            if !matches!(progress.mode, SendMode::Snapshot(_)) && progress.next <= self.log.base_index() {
                let snapshot = self.snapshot.clone().expect("a log that was compacted has a snapshot");
                if self.config.has(Defect::SendsNoSnapshot) {
                    progress.next = self.log.first_index();
                } else {
                    progress.begin_snapshot(snapshot);
                }
            }
            let wanted = match &progress.mode {
                SendMode::Probe { waiting } => !waiting,
                SendMode::Replicate { inflight, .. } => {
                    let bytes = self.log.bytes_between(progress.matched, LogIndex(progress.next.0 - 1));
                    inflight.len() < self.config.max_inflight
                        && (inflight.is_empty() || bytes < self.config.max_inflight_bytes)
                        && progress.next <= self.log.last_index()
                }
                SendMode::Snapshot(transfer) => !transfer.waiting,
            };
            if !wanted {
                break;
            }
            self.send_next(follower, progress, round);
        }
        if progress.sent_round < round {
            self.send_append(follower, progress, Vec::new(), round);
        }
    }

    /// Sends the next entries, the probe, or the next chunk.
    fn send_next(&mut self, follower: NodeId, progress: &mut Progress, round: u64) {
        let quorum_contact = self.quorum_contact();
        if let SendMode::Snapshot(transfer) = &mut progress.mode {
            transfer.waiting = true;
            progress.sent_round = round;
            let chunk = transfer.next_chunk(self.config.snapshot_chunk_bytes, round, quorum_contact);
            return self.send_early(follower, chunk);
        }
        let entries = self.next_batch(progress.next);
        let last = entries.last().map(|entry| entry.index);
        self.send_append(follower, progress, entries, round);
        match &mut progress.mode {
            SendMode::Probe { waiting } => *waiting = true,
            SendMode::Replicate { inflight, .. } => {
                let last = last.expect("replicates only what is there");
                inflight.push_back(last);
                progress.next = LogIndex(last.0 + 1);
                if self.config.has(Defect::SentCountsAsMatched) {
                    progress.matched = last;
                }
            }
            SendMode::Snapshot(_) => {}
        }
    }

    fn send_append(&mut self, follower: NodeId, progress: &mut Progress, entries: Vec<Entry>, round: u64) {
        let prev_log_index = match &progress.mode {
            SendMode::Probe { .. } | SendMode::Replicate { .. } => LogIndex(progress.next.0 - 1),
            // The matching index is unknown and not needed: this is only a heartbeat.
            SendMode::Snapshot(_) => LogIndex(0),
        };
        let prev_log_term = self.log.term(prev_log_index).unwrap_or_default();
        progress.sent_round = round;
        let (leader_commit, quorum_contact) = (self.commit, self.quorum_contact());
        let body = Body::AppendEntries { prev_log_index, prev_log_term, entries, leader_commit, round, quorum_contact };
        self.send_early(follower, body);
    }

    /// Returns as many entries from `first` on as fit in one message; at least one, if there is one.
    fn next_batch(&self, first: LogIndex) -> Vec<Entry> {
        let last = LogIndex(first.0.saturating_add(self.config.max_batch_entries as u64 - 1));
        let mut bytes = 0;
        let fits = |entry: &&Entry| {
            let alone = bytes == 0;
            bytes += weight(entry);
            alone || bytes <= self.config.max_batch_bytes
        };
        self.log.range(first, last).take_while(fits).cloned().collect()
    }
}
