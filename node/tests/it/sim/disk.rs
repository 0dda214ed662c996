//! Simulated disk: durable state, by the contract of `Persist`.

use node::raft::{Entry, HardState, LogIndex, Persist, Snapshot, StoredState, Term};

#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    pub(crate) hard_state: HardState,
    pub(crate) snapshot: Option<Snapshot>,
    entries: Vec<Entry>,
}

impl Disk {
    fn start(&self) -> u64 {
        self.snapshot.as_ref().map_or(0, |snapshot| snapshot.last_index.0)
    }

    pub(crate) fn first_index(&self) -> u64 {
        self.start() + 1
    }

    pub(crate) fn last_index(&self) -> u64 {
        self.start() + self.entries.len() as u64
    }

    pub(crate) fn last_term(&self) -> Term {
        self.term(self.last_index()).expect("the last index has a term")
    }

    pub(crate) fn term(&self, index: u64) -> Option<Term> {
        if index == self.start() {
            return Some(self.snapshot.as_ref().map_or(Term(0), |snapshot| snapshot.last_term));
        }
        let position = usize::try_from(index.checked_sub(self.start() + 1)?).ok()?;
        self.entries.get(position).map(|entry| entry.term)
    }

    /// Carries out `persist`, or, in a crash, only a prefix of it: without the entries after the first `entries`.
    pub(crate) fn carry_out(&mut self, persist: &Persist, entries: usize) {
        if let Some(hard_state) = persist.hard_state {
            self.hard_state = hard_state;
        }
        if let Some(snapshot) = &persist.snapshot {
            self.replace((**snapshot).clone());
        }
        if let Some(from) = persist.truncate_from {
            self.entries.retain(|entry| entry.index < from);
        }
        for entry in persist.entries.iter().take(entries) {
            assert_eq!(entry.index.0, self.last_index() + 1, "a gap in what is to be durable");
            self.entries.push(entry.clone());
        }
    }

    /// Replaces the snapshot; later entries stay only if the entry at its index has its term.
    fn replace(&mut self, snapshot: Snapshot) {
        if self.term(snapshot.last_index.0) == Some(snapshot.last_term) {
            self.entries.retain(|entry| entry.index > snapshot.last_index);
        } else {
            self.entries.clear();
        }
        self.snapshot = Some(snapshot);
    }

    pub(crate) fn compact(&mut self, snapshot: Snapshot) {
        assert!(snapshot.last_index > LogIndex(self.start()));
        self.replace(snapshot);
    }

    pub(crate) fn lose_last_entry(&mut self) {
        self.entries.pop();
    }

    pub(crate) fn stored(&self) -> StoredState {
        StoredState { hard_state: self.hard_state, snapshot: self.snapshot.clone(), entries: self.entries.clone() }
    }
}
