//! Rules that each output of a node must keep.

use super::*;

impl Cluster {
    /// Checks that the outputs describe the log that the core believes it has; a leader's must be complete.
    pub(super) fn check_output(&mut self, host: usize, output: &Output) {
        let own = &mut self.hosts[host];
        let status = own.raft.as_ref().expect("it runs").status();
        let led = std::mem::replace(&mut own.leads, status.leader == Some(status.id));
        assert!(!(led && own.leads && output.persist.truncate_from.is_some()), "leader append-only");
        own.log.carry_out(&output.persist, usize::MAX);
        self.oracle.stores(&own.log, &output.persist.entries);
        let described = (own.log.first_index(), own.log.last_index(), own.log.last_term(), own.log.hard_state.term);
        let believed = (status.snapshot_index.0 + 1, status.last_index.0, status.last_term, status.term);
        assert_eq!(described, believed, "the output describes another log than the core's");
        self.stats.changes += changes_in(&output.committed).min(u64::from(own.leads));
        self.stats.truncations += u64::from(output.persist.truncate_from.is_some());
        self.stats.snapshots_received += u64::from(output.persist.snapshot.is_some());
        if own.leads && !led {
            self.oracle.check_leader(&status, &own.log);
        }
        if self.defect == Defect::SlowClock && own.leads != led {
            let permille = if own.leads { 200 } else { 1000 };
            own.clock = Clock { permille, started: self.now, showed: own.clock.read(self.now).0 };
        }
    }

    /// Checks leader completeness for leaders that were elected before the entry was known to be committed.
    pub(super) fn check_leaders_have(&self, index: u64) {
        for host in self.hosts.iter().filter(|host| host.leads) {
            let status = host.raft.as_ref().map(Raft::status);
            if let Some(status) = status.filter(|status| status.leader == Some(status.id)) {
                self.oracle.check_leader_has(&status, &host.log, index);
            }
        }
    }

    /// Checks that the promises of a message are on disk when it leaves.
    pub(super) fn check_promise(&self, host: usize, message: &Message) {
        let disk = &self.hosts[host].disk;
        if matches!(message.body, Body::RequestVoteResponse { pre: true, .. } | Body::RequestVote { pre: true, .. }) {
            return;
        }
        assert!(disk.hard_state.term >= message.term, "sent in a term that is not durable: {message:?}");
        if disk.hard_state.term > message.term {
            return;
        }
        match message.body {
            Body::RequestVoteResponse { granted: true, .. } => {
                assert_eq!(disk.hard_state.voted_for, Some(message.to), "{message:?}");
            }
            Body::AppendEntriesResponse { result: AppendResult::Matched(index), .. } => {
                assert!(index.0 <= disk.last_index(), "claims more than is durable: {message:?}");
            }
            _ => {}
        }
    }
}
