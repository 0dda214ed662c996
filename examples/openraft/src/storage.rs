//! The log, on disk and in memory, and the state machine, in memory: after a start, it is made anew from the log.
//! Nothing is compacted, and there are no snapshots: a run is short.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    io::{self, Cursor},
    ops::RangeBounds,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use openraft::{
    BasicNode, Entry, EntryPayload, LogId, LogState, RaftLogReader, RaftSnapshotBuilder, Snapshot, SnapshotMeta,
    StorageError, StorageIOError, StoredMembership, Vote,
    storage::{LogFlushed, RaftLogStorage, RaftStateMachine},
};
use register::{Outcome, Records, Registers};
use serde::{Deserialize, Serialize};

use crate::Types;

type Result<T, E = StorageError<u64>> = std::result::Result<T, E>;

/// Change of the log, as it is on disk.
#[derive(Serialize, Deserialize)]
enum Record {
    Vote(Vote<u64>),
    Entry(Entry<Types>),
    /// Removal of all entries from this index on.
    Truncate(u64),
}

/// Log of a node.
#[derive(Clone, Debug)]
pub struct Log(Arc<Mutex<LogContent>>);

#[derive(Debug)]
struct LogContent {
    disk: Records,
    state: LogInMemory,
}

#[derive(Debug, Default)]
struct LogInMemory {
    vote: Option<Vote<u64>>,
    entries: BTreeMap<u64, Entry<Types>>,
}

impl LogInMemory {
    fn take(&mut self, record: Record) {
        match record {
            Record::Vote(vote) => self.vote = Some(vote),
            Record::Entry(entry) => drop(self.entries.insert(entry.log_id.index, entry)),
            Record::Truncate(from) => drop(self.entries.split_off(&from)),
        }
    }
}

impl Log {
    /// Opens the log in a folder.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let mut state = LogInMemory::default();
        let disk = Records::open(folder, |bytes| {
            state.take(serde_json::from_slice(bytes)?);
            Ok(())
        })?;
        Ok(Self(Arc::new(Mutex::new(LogContent { disk, state }))))
    }

    fn content(&self) -> MutexGuard<'_, LogContent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes changes durable, and then carries them out.
    fn change(&self, records: Vec<Record>) -> anyhow::Result<()> {
        let mut content = self.content();
        let bytes: Vec<Vec<u8>> = records.iter().map(serde_json::to_vec).collect::<std::result::Result<_, _>>()?;
        let appended = content.disk.append(bytes.iter().map(Vec::as_slice), true);
        appended.expect("a node whose disk fails must not go on");
        for record in records {
            content.state.take(record);
        }
        Ok(())
    }
}

fn io_error(error: &anyhow::Error) -> io::Error {
    io::Error::other(format!("{error:#}"))
}

impl RaftLogReader<Types> for Log {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + Send>(
        &mut self,
        range: R,
    ) -> Result<Vec<Entry<Types>>> {
        Ok(self.content().state.entries.range(range).map(|(_, entry)| entry.clone()).collect())
    }
}

impl RaftLogStorage<Types> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>> {
        let last_log_id = self.content().state.entries.last_key_value().map(|(_, entry)| entry.log_id);
        Ok(LogState { last_purged_log_id: None, last_log_id })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<u64>) -> Result<()> {
        self.change(vec![Record::Vote(*vote)]).map_err(|error| StorageIOError::write_vote(&io_error(&error)).into())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote<u64>>> {
        Ok(self.content().state.vote)
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<Types>) -> Result<()>
    where
        I: IntoIterator<Item = Entry<Types>> + Send,
        I::IntoIter: Send,
    {
        let durable = self.change(entries.into_iter().map(Record::Entry).collect());
        callback.log_io_completed(durable.map_err(|error| io_error(&error)));
        Ok(())
    }

    async fn truncate(&mut self, log_id: LogId<u64>) -> Result<()> {
        self.change(vec![Record::Truncate(log_id.index)])
            .map_err(|error| StorageIOError::write_logs(&io_error(&error)).into())
    }

    async fn purge(&mut self, _log_id: LogId<u64>) -> Result<()> {
        unreachable!("only what is in a snapshot is purged")
    }
}

/// State machine of a node.
#[derive(Clone, Debug, Default)]
pub struct Machine(Arc<Mutex<MachineState>>);

#[derive(Debug, Default)]
struct MachineState {
    registers: Registers,
    applied: Option<LogId<u64>>,
    membership: StoredMembership<u64, BasicNode>,
}

impl Machine {
    pub fn read(&self, key: &str) -> Outcome {
        self.state().registers.read(key)
    }

    fn state(&self) -> MutexGuard<'_, MachineState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogId<u64>>, StoredMembership<u64, BasicNode>)> {
        let state = self.state();
        Ok((state.applied, state.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Outcome>>
    where
        I: IntoIterator<Item = Entry<Types>> + Send,
        I::IntoIter: Send,
    {
        let mut state = self.state();
        let apply = |entry: Entry<Types>| {
            state.applied = Some(entry.log_id);
            match entry.payload {
                EntryPayload::Normal(command) => return state.registers.apply(command),
                EntryPayload::Membership(membership) => {
                    state.membership = StoredMembership::new(Some(entry.log_id), membership);
                }
                EntryPayload::Blank => {}
            }
            Outcome::Done
        };
        Ok(entries.into_iter().map(apply).collect())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>> {
        unreachable!("nobody makes snapshots")
    }

    async fn install_snapshot(
        &mut self,
        _meta: &SnapshotMeta<u64, BasicNode>,
        _snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<()> {
        unreachable!("nobody makes snapshots")
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Types>>> {
        Ok(None)
    }
}

impl RaftSnapshotBuilder<Types> for Machine {
    async fn build_snapshot(&mut self) -> Result<Snapshot<Types>> {
        unreachable!("`SnapshotPolicy::Never`, and nobody asks for one")
    }
}

#[cfg(test)]
mod tests {
    use openraft::CommittedLeaderId;

    use super::*;

    #[test]
    fn vote_and_log_are_there_after_a_restart_with_truncated_entries_gone() {
        let folder = tempfile::tempdir().unwrap();
        let entry = |term, index| {
            let log_id = LogId::new(CommittedLeaderId::new(term, 1), index);
            Record::Entry(Entry { log_id, payload: EntryPayload::Blank })
        };
        let log = Log::open(folder.path()).unwrap();
        log.change(vec![entry(1, 0), entry(1, 1), entry(1, 2), Record::Vote(Vote::new(2, 3))]).unwrap();
        log.change(vec![Record::Truncate(1), entry(2, 1)]).unwrap();
        let reopened = Log::open(folder.path()).unwrap();
        let state = &reopened.content().state;
        assert_eq!(state.vote, Some(Vote::new(2, 3)));
        let terms: Vec<u64> = state.entries.values().map(|entry| entry.log_id.leader_id.term).collect();
        assert_eq!(terms, [1, 2]);
    }
}
