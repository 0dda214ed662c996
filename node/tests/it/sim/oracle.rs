//! Safety properties of the whole cluster (figure 3), checked from outside; panics on a violation.

use std::collections::BTreeMap;

use node::raft::{Entry, NodeId, Payload, Role, Status, Term};

use super::disk::Disk;

#[derive(Debug, Default)]
pub(crate) struct Oracle {
    leaders: BTreeMap<Term, NodeId>,
    /// Entries that any node ever stored, by index and term, with the term of the previous entry and the payload.
    entries: BTreeMap<(u64, Term), (Term, Payload)>,
    /// Term of each committed entry, and the state after it.
    committed: Vec<(Term, u64)>,
    /// Term of the first node that applied each entry: no earlier than the term in which it was committed.
    committed_by: Vec<Term>,
    /// Last index acknowledged to a client, by a write or a read.
    pub(crate) acknowledged: u64,
}

/// Returns the state after `entry`, from the state before it.
fn next_digest(before: u64, entry: &Entry) -> u64 {
    let mut digest = before ^ entry.term.0.rotate_left(40);
    if let Payload::Command(command) = &entry.payload {
        for byte in command {
            digest = (digest ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    digest.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(entry.index.0)
}

impl Oracle {
    /// Checks election safety: at most one leader in a term. Returns true if this leader is new.
    pub(crate) fn saw(&mut self, status: &Status) -> bool {
        if status.role != Role::Leader {
            return false;
        }
        match self.leaders.insert(status.term, status.id) {
            None => true,
            Some(other) => {
                assert_eq!(other, status.id, "election safety: two leaders in term {}", status.term);
                false
            }
        }
    }

    /// Checks log matching: index and term identify an entry and the term of the one before it. By induction they
    /// identify the whole log.
    pub(crate) fn stores(&mut self, log: &Disk, entries: &[Entry]) {
        for entry in entries {
            let before = log.term(entry.index.0 - 1).expect("an entry has one before it");
            let seen = (before, entry.payload.clone());
            let first = self.entries.entry((entry.index.0, entry.term)).or_insert_with(|| seen.clone());
            assert_eq!(*first, seen, "log matching at {}@{}", entry.index, entry.term);
        }
    }

    /// Checks leader completeness: a leader's log has every entry that was committed in an earlier term. (A late vote
    /// can elect a leader in a term that the others have left behind; it need not have entries committed since.)
    pub(crate) fn check_leader(&self, leader: &Status, log: &Disk) {
        for index in log.first_index()..=self.committed.len() as u64 {
            self.check_leader_has(leader, log, index);
        }
    }

    pub(crate) fn check_leader_has(&self, leader: &Status, log: &Disk, index: u64) {
        let position = usize::try_from(index - 1).unwrap();
        let (term, _) = self.committed[position];
        let has = index < log.first_index() || log.term(index) == Some(term);
        let must_have = leader.term >= self.committed_by[position];
        assert!(has || !must_have, "leader completeness: {leader} lacks the committed {index}@{term}");
    }

    /// Checks state machine safety: all nodes apply the same entry at an index. Returns the state after it, and
    /// whether this is the first node to apply it.
    pub(crate) fn applies(&mut self, by: Term, before: u64, entry: &Entry) -> (u64, bool) {
        let digest = next_digest(before, entry);
        let position = usize::try_from(entry.index.0 - 1).unwrap();
        if position == self.committed.len() {
            self.committed.push((entry.term, digest));
            self.committed_by.push(by);
            return (digest, true);
        }
        assert_eq!(self.committed[position], (entry.term, digest), "state machine safety at {}", entry.index);
        (digest, false)
    }

    /// Checks that a snapshot is the state that all other nodes had at its index.
    pub(crate) fn restores(&self, index: u64, term: Term, digest: u64) {
        let position = usize::try_from(index - 1).unwrap();
        assert_eq!(
            self.committed.get(position),
            Some(&(term, digest)),
            "state machine safety in the snapshot at {index}"
        );
    }

    pub(crate) fn acknowledge(&mut self, index: u64) {
        self.acknowledged = self.acknowledged.max(index);
    }
}
