//! Contents of the log file in memory: its records, and their combined effect.

use serde::{Deserialize, Serialize};

use crate::raft::{Entry, HardState, LogIndex, NodeId, Snapshot};

/// Node and cluster that a directory belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    pub(crate) id: NodeId,
    pub(crate) members: Vec<NodeId>,
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of the cluster", self.id)?;
        self.members.iter().try_for_each(|id| write!(f, " {id}"))
    }
}

/// First record of each log file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StartRecord {
    pub(super) owner: Owner,
    /// Last index of the log that is in the snapshot file, which must reach at least this far.
    pub(super) base: LogIndex,
    pub(super) hard_state: HardState,
    pub(super) entries: Vec<Entry>,
}

/// Further record of a log file: the changes that were made durable together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ChangeRecord {
    pub(super) hard_state: Option<HardState>,
    pub(super) truncate_from: Option<LogIndex>,
    pub(super) entries: Vec<Entry>,
}

/// Combined effect of the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) hard_state: HardState,
    /// Entries of the log, without a gap.
    pub(super) entries: Vec<Entry>,
}

impl Image {
    /// Adds one record, and returns the memory of its entries.
    ///
    /// # Errors
    /// Returns a sentence if the entries would have a gap.
    pub(super) fn add(&mut self, mut batch: ChangeRecord) -> Result<Vec<Entry>, String> {
        self.hard_state = batch.hard_state.unwrap_or(self.hard_state);
        if let Some(from) = batch.truncate_from {
            self.entries.truncate(self.entries.partition_point(|entry| entry.index < from));
        }
        for entry in batch.entries.drain(..) {
            if let Some(last) = self.entries.last()
                && entry.index.0 != last.index.0 + 1
            {
                return Err(format!("entry {} follows on entry {}", entry.index, last.index));
            }
            self.entries.push(entry);
        }
        Ok(batch.entries)
    }

    /// Replaces the log up to the last index of `snapshot` (§7): later entries stay if they follow the entry that the
    /// snapshot ends with.
    ///
    /// # Errors
    /// Returns a sentence if there is a gap between the snapshot and the first entry.
    pub(super) fn start_after(&mut self, snapshot: &Snapshot) -> Result<(), String> {
        let behind = self.entries.partition_point(|entry| entry.index <= snapshot.last_index);
        let same_history = match behind.checked_sub(1) {
            Some(at) => self.entries[at].index == snapshot.last_index && self.entries[at].term == snapshot.last_term,
            None => true,
        };
        self.entries.drain(..if same_history { behind } else { self.entries.len() });
        match self.entries.first() {
            Some(first) if first.index.0 != snapshot.last_index.0 + 1 => {
                Err(format!("the log starts at entry {}, the snapshot ends at {}", first.index, snapshot.last_index))
            }
            _ => Ok(()),
        }
    }
}
