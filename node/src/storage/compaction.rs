//! Compaction beside the running log. Another thread writes the snapshot and a log that starts after it, each under a
//! temporary name; batches appended meanwhile go to the old log, and are added to the new one before it replaces the
//! old.

use std::{mem, panic};

use bytes::Bytes;

use super::{
    Files, SNAPSHOT, Storage, WAL, append_record, encode, failed,
    image::{ChangeRecord, StartRecord},
    medium::{Beside, Medium, lacks_descriptors},
};
use crate::{
    error::StorageError,
    raft::{LogIndex, Membership, Snapshot, Term},
};

pub(super) const MADE_SNAPSHOT: &str = "snapshot.made";
pub(super) const MADE_WAL: &str = "wal.made";
/// Names of files that a process may leave behind which ended before it gave them their own.
pub(super) const LEFTOVERS: [&str; 4] = [MADE_SNAPSHOT, MADE_WAL, "snapshot.new", "wal.new"];

/// Compaction in progress.
#[derive(Debug)]
pub(super) struct Compaction<M: Medium> {
    /// Writing of the files; `None` once it was waited for.
    writing: Option<Beside<Result<NewFiles<M>, StorageError>>>,
    /// Batches appended since the compaction began.
    since: Vec<ChangeRecord>,
}

/// Two durable files that have not been renamed yet.
#[derive(Debug)]
struct NewFiles<M: Medium> {
    snapshot: Snapshot,
    wal: M::File,
    end: u64,
}

/// Outcome of a compaction.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CompactionOutcome {
    /// The snapshot durably replaces the log up to its last index.
    Done(Snapshot),
    /// The compaction was given up without effect: the leader's snapshot was faster, or there were no descriptors
    /// left for the files.
    Abandoned,
}

impl<M: Medium> Compaction<M> {
    /// Records a batch that goes to the old log meanwhile.
    pub(super) fn add(&mut self, batch: ChangeRecord) {
        self.since.push(batch);
    }
}

impl<M: Medium> Drop for Compaction<M> {
    /// Waits for the end: nothing must be written to a directory that may belong to another process by then.
    fn drop(&mut self) {
        if let Some(writing) = self.writing.take() {
            writing.result().ok(); // nobody needs what it made
        }
    }
}

impl<M: Medium> Storage<M> {
    /// Returns true if a compaction has begun that [`finish_compaction`](Self::finish_compaction) has not ended.
    pub(crate) fn is_compacting(&self) -> bool {
        self.compaction.is_some()
    }

    /// Begins to replace the log up to `last`, where `membership` is in force, by a snapshot of the node's own state,
    /// which `state` encodes while the storage goes on. Returns false if that is not possible now.
    pub(crate) fn begin_compaction(
        &mut self,
        last: (LogIndex, Term),
        membership: Membership,
        state: impl FnOnce() -> Bytes + Send + 'static,
    ) -> bool {
        let (last_index, last_term) = last;
        let after = self.image.entries.partition_point(|entry| entry.index <= last_index);
        let start = StartRecord {
            owner: self.owner.clone(),
            base: last_index,
            hard_state: self.image.hard_state,
            entries: self.image.entries[after..].to_vec(),
        };
        let files = self.files.clone();
        let make = move || {
            let snapshot = Snapshot { last_index, last_term, membership, data: state() };
            files.write_new(MADE_SNAPSHOT, &encode(&snapshot))?;
            let (wal, end) = files.write_new(MADE_WAL, &encode(&start))?;
            Ok(NewFiles { snapshot, wal, end })
        };
        let writing = self.files.medium.beside(make);
        self.compaction = writing.map(|writing| Compaction { writing: Some(writing), since: Vec::new() });
        self.is_compacting()
    }

    /// Replaces the old files by those of a finished compaction; returns `None` until it has finished.
    ///
    /// # Errors
    /// Returns an error if writing or replacing the files failed; the consequences are those of
    /// [`persist`](Self::persist).
    pub(crate) fn finish_compaction(&mut self) -> Result<Option<CompactionOutcome>, StorageError> {
        let finished = |compaction: &mut Compaction<M>| compaction.writing.as_ref().is_none_or(Beside::is_done);
        let Some(mut compaction) = self.compaction.take_if(finished) else { return Ok(None) };
        let Some(writing) = compaction.writing.take() else { return Ok(None) };
        let made = writing.result().unwrap_or_else(|panicked| panic::resume_unwind(panicked));
        let since = mem::take(&mut compaction.since);
        self.unless_failed(|storage| match made {
            Ok(made) => storage.take_over(made, since),
            Err(StorageError::Io { action: "creating", source, .. }) if lacks_descriptors(&source) => {
                Ok(CompactionOutcome::Abandoned)
            }
            Err(error) => Err(error),
        })
        .map(Some)
    }

    fn take_over(&mut self, made: NewFiles<M>, since: Vec<ChangeRecord>) -> Result<CompactionOutcome, StorageError> {
        let NewFiles { snapshot, wal, end } = made;
        if snapshot.last_index <= self.snapshot_index {
            self.files.remove_leftovers();
            return Ok(CompactionOutcome::Abandoned);
        }
        let path = self.files.path(MADE_WAL);
        let mut records = Vec::new();
        for batch in since {
            let offset = end + records.len() as u64;
            append_record(&mut records, offset, &batch, &path)?;
        }
        if !records.is_empty() {
            self.files.medium.write_at(&wal, &records, end).map_err(failed("writing", &path))?;
            self.files.medium.sync(&wal).map_err(failed("syncing", &path))?;
        }
        self.files.give_name(MADE_SNAPSHOT, SNAPSHOT)?;
        self.files.give_name(MADE_WAL, WAL)?;
        self.image.start_after(&snapshot).map_err(super::damaged(&path, end))?;
        self.snapshot_index = snapshot.last_index;
        (self.wal, self.end) = (wal, end + records.len() as u64);
        self.late.clear();
        self.fsyncs += 5; // two files, what was added to one, and the directory after each
        Ok(CompactionOutcome::Done(snapshot))
    }
}

impl<M: Medium> Files<M> {
    /// Removes the leftovers of a crash or of a compaction that was given up; failures are ignored, as leftovers do
    /// no harm.
    pub(super) fn remove_leftovers(&self) {
        for name in LEFTOVERS {
            self.medium.remove(name).ok();
        }
    }
}
