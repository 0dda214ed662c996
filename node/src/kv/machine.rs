//! State machine that applies committed entries in order, each once. Deterministic: no clock, no randomness, no hash
//! order.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher as _, RandomState},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    Command, CommandResult, Json, MicroOperation, Op, Query, Refusal, VersionedValue,
    cells::{Cell, Cells},
    integer,
    list::{self, MAX_LIST_BYTES},
    session::Sessions,
};
use crate::{
    defect::Defect,
    raft::{Entry, LogIndex, Payload},
};

/// Reason why the state machine cannot continue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MachineError {
    /// The Raft core skipped or repeated an entry.
    #[error("entry {found} follows on entry {applied}")]
    NotNext { applied: LogIndex, found: LogIndex },
    /// An entry cannot be decoded: it is from another version, or there is a bug.
    #[error("entry {0} cannot be read")]
    Entry(LogIndex),
    /// The snapshot cannot be decoded: it is from another version, or there is a bug.
    #[error("the snapshot at {0} cannot be read")]
    Snapshot(LogIndex),
}

/// Replicated state. Its encoding is the snapshot's data.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    cells: Cells,
    sessions: Sessions,
}

/// State machine after the entry at `applied`.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    state: State,
    applied: LogIndex,
    /// Planted defect.
    defect: Option<Defect>,
    /// True if no entry was applied since the last snapshot was restored.
    is_restored: bool,
}

impl Machine {
    /// Creates an empty machine, with a planted defect if one is given.
    pub(crate) fn new(defect: Option<Defect>) -> Self {
        Self { defect, ..Self::default() }
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    /// Returns the index of the last applied entry.
    pub(crate) fn applied(&self) -> LogIndex {
        self.applied
    }

    /// Returns a checksum of the whole state: equal states have equal ones.
    pub(crate) fn checksum(&self) -> u32 {
        crc32c::crc32c(&postcard::to_stdvec(&self.state).expect("the state is plain data"))
    }

    /// Returns the current value at `key`.
    pub(crate) fn get(&self, key: &str) -> VersionedValue {
        match self.state.cells.get(key) {
            Some(cell) => VersionedValue { value: Some(cell.value.clone()), revision: cell.revision },
            None => VersionedValue { value: None, revision: LogIndex(0) },
        }
    }

    /// Answers a question from the current state.
    pub(crate) fn answer(&self, query: &Query) -> CommandResult {
        match query {
            Query::Value(key) => CommandResult::Got(self.get(key)),
            Query::First(key) => self.first(key),
            Query::Values(keys) => {
                let reads: Vec<_> = keys.iter().map(|key| MicroOperation::Read { key: key.clone() }).collect();
                let read = self.transact(&reads, &mut BTreeMap::new());
                let revision = self.applied;
                read.map_or_else(CommandResult::Refused, |found| CommandResult::Transaction { found, revision })
            }
        }
    }

    fn first(&self, key: &str) -> CommandResult {
        let VersionedValue { value, revision } = self.get(key);
        list::first(value.as_ref())
            .map_or_else(CommandResult::Refused, |value| CommandResult::Got(VersionedValue { value, revision }))
    }

    /// Applies the next entry; returns `None` for one without a command.
    ///
    /// # Errors
    /// Returns an error if the entry is not the next one, or cannot be read.
    pub(crate) fn apply(&mut self, entry: &Entry) -> Result<Option<CommandResult>, MachineError> {
        if self.defect.is_none() && entry.index.0 != self.applied.0 + 1 {
            return Err(MachineError::NotNext { applied: self.applied, found: entry.index });
        }
        let is_restored = std::mem::take(&mut self.is_restored);
        let applied = match &entry.payload {
            Payload::Noop => None,
            Payload::Command(_) if is_restored && self.has(Defect::SkipsEntryAfterSnapshot) => None,
            Payload::Command(bytes) => {
                let command: Command = postcard::from_bytes(bytes).map_err(|_| MachineError::Entry(entry.index))?;
                if is_restored && self.has(Defect::AppliesTwiceAfterSnapshot) {
                    self.execute(command.clone(), crc32c::crc32c(bytes), entry.index);
                }
                Some(self.execute(command, crc32c::crc32c(bytes), entry.index))
            }
        };
        self.applied = entry.index;
        Ok(applied)
    }

    fn execute(&mut self, command: Command, checksum: u32, at: LogIndex) -> CommandResult {
        let Some(session) = command.session else { return self.operate(command.op, at) };
        match self.state.sessions.replay(&session, checksum) {
            Some(CommandResult::Expired) if self.has(Defect::ServesUnknownSessions) => {
                self.state.sessions.register(session.client);
            }
            Some(applied) if !self.has(Defect::IgnoresSequenceNumbers) || applied == CommandResult::Expired => {
                return applied;
            }
            Some(_) | None => {}
        }
        let applied = self.operate(command.op, at);
        self.state.sessions.record(session, checksum, at, applied.clone());
        applied
    }

    fn operate(&mut self, op: Op, at: LogIndex) -> CommandResult {
        match op {
            Op::Get { key } => CommandResult::Got(self.get(&key)),
            Op::Put { key, value } => {
                if !(self.has(Defect::DropsWrites) && at.0.is_multiple_of(50)) {
                    self.state.cells.insert(key, Cell { value, revision: at });
                }
                CommandResult::Put(at)
            }
            Op::Register => self.state.sessions.register(at),
            Op::Cas { key, from, to } => {
                let VersionedValue { value: observed, revision } = self.get(&key);
                let swapped = observed == from || self.has(Defect::CasIgnoresFrom);
                let at = if from.is_none() && self.has(Defect::TokensRepeat) { LogIndex(1) } else { at };
                if swapped {
                    self.state.cells.insert(key, Cell { value: to, revision: at });
                }
                CommandResult::Cas { swapped, observed, revision: if swapped { at } else { revision } }
            }
            Op::Delete { key, from } => {
                let VersionedValue { value: observed, revision } = self.get(&key);
                let swapped = observed == from || self.has(Defect::DeleteIgnoresOwner);
                if swapped {
                    self.state.cells.remove(key);
                }
                CommandResult::Cas { swapped, observed, revision: if swapped { LogIndex(0) } else { revision } }
            }
            Op::Increment { key, by } => match integer::add(self.get(&key).value.as_ref(), self.chance(by)) {
                Ok(value) => {
                    self.state.cells.insert(key, Cell { value: value.clone(), revision: at });
                    CommandResult::Got(VersionedValue { value: Some(value), revision: at })
                }
                Err(refusal) => CommandResult::Refused(refusal),
            },
            Op::First { key } => self.first(&key),
            Op::Add { key, value } => self.add(key, &value, at).unwrap_or_else(CommandResult::Refused),
            Op::Enqueue { key, value } => match list::push(self.get(&key).value.as_ref(), &value) {
                Ok(value) => {
                    self.state.cells.insert(key, Cell { value, revision: at });
                    CommandResult::Put(at)
                }
                Err(refusal) => CommandResult::Refused(refusal),
            },
            Op::Dequeue { key } => self.dequeue(key, at).unwrap_or_else(CommandResult::Refused),
            Op::Transaction { micro_operations } => {
                let mut changed = BTreeMap::new();
                let found = self.transact(&micro_operations, &mut changed);
                if found.is_ok() || self.has(Defect::RefusedTransactionStays) {
                    let kept = if self.has(Defect::HalfTransaction) { 1 } else { changed.len() };
                    for (key, value) in changed.into_iter().take(kept) {
                        self.state.cells.insert(key, Cell { value, revision: at });
                    }
                }
                found.map_or_else(CommandResult::Refused, |found| CommandResult::Transaction { found, revision: at })
            }
        }
    }

    /// Returns the number that an increment adds: `by`, but a node with a defect may add more, by chance.
    fn chance(&self, by: i64) -> i64 {
        let is_odd = self.has(Defect::IncrementsByChance) && RandomState::new().hash_one(by) % 2 == 1;
        if is_odd { by.saturating_add(1) } else { by }
    }

    fn add(&mut self, key: String, value: &Json, at: LogIndex) -> Result<CommandResult, Refusal> {
        let VersionedValue { value: list, revision } = self.get(&key);
        if list::contains(list.as_ref(), value)? {
            return Ok(CommandResult::Added { added: false, revision });
        }
        let list = list::push(list.as_ref(), value)?;
        self.state.cells.insert(key, Cell { value: list, revision: at });
        Ok(CommandResult::Added { added: true, revision: at })
    }

    fn dequeue(&mut self, key: String, at: LogIndex) -> Result<CommandResult, Refusal> {
        let VersionedValue { value: list, revision } = self.get(&key);
        let Some((first, others)) = list::split_first(list.as_ref())? else {
            return Ok(CommandResult::Got(VersionedValue { value: None, revision }));
        };
        if !self.has(Defect::DequeueKeepsElement) {
            self.state.cells.insert(key, Cell { value: others, revision: at });
        }
        Ok(CommandResult::Got(VersionedValue { value: Some(first), revision: at }))
    }

    /// Returns the values that a transaction reads, and adds those that it leaves to `changed`.
    fn transact(
        &self,
        micro_operations: &[MicroOperation],
        changed: &mut BTreeMap<String, Json>,
    ) -> Result<Vec<Option<Json>>, Refusal> {
        let mut found = Vec::with_capacity(micro_operations.len());
        let mut read_bytes = 0;
        for micro_operation in micro_operations {
            let now = |key: &String| changed.get(key).cloned().or_else(|| self.get(key).value);
            match micro_operation {
                MicroOperation::Append { key, value } => {
                    let list = list::push(now(key).as_ref(), value)?;
                    changed.insert(key.clone(), list);
                    found.push(None);
                }
                MicroOperation::Write { key, value } => {
                    changed.insert(key.clone(), value.clone());
                    found.push(None);
                }
                MicroOperation::Add { key, number } => {
                    changed.insert(key.clone(), integer::add(now(key).as_ref(), *number)?);
                    found.push(None);
                }
                MicroOperation::AtLeast { key, number } => {
                    if integer::parse(now(key).as_ref())? < *number {
                        return Err(Refusal::TooSmall);
                    }
                    found.push(None);
                }
                MicroOperation::Read { key } => {
                    let misses_own = self.has(Defect::TransactionMissesOwnWrites);
                    let now = if misses_own { self.get(key).value } else { now(key) };
                    read_bytes += now.as_ref().map_or(0, |value| value.as_str().len());
                    if read_bytes > MAX_LIST_BYTES {
                        return Err(Refusal::TooMuchRead);
                    }
                    found.push(now);
                }
            }
        }
        Ok(found)
    }

    /// Returns a function that encodes the current state as the data of a snapshot at `applied`, on any thread. The
    /// call itself is quick.
    pub(crate) fn freeze(&mut self) -> impl FnOnce() -> Bytes + Send + use<> {
        let mut state = State { cells: self.state.cells.freeze(), sessions: self.state.sessions.clone() };
        if self.has(Defect::SessionsNotInSnapshot) {
            state.sessions = Sessions::default();
        }
        let newest = |cells: &Cells| cells.merged().into_iter().max_by_key(|(_, cell)| cell.revision);
        if self.has(Defect::SnapshotLacksLastWrite)
            && let Some((key, _)) = newest(&state.cells)
        {
            state.cells.remove(key);
        }
        move || postcard::to_stdvec(&state).expect("the state is plain data").into()
    }

    /// Replaces the whole state by that of a snapshot at `last_index`.
    ///
    /// # Errors
    /// Returns an error if the snapshot cannot be read; the state is then unchanged.
    pub(crate) fn restore(&mut self, last_index: LogIndex, data: &[u8]) -> Result<(), MachineError> {
        match postcard::from_bytes::<State>(data) {
            Ok(state) if self.has(Defect::MergesSnapshot) => {
                for (key, cell) in state.cells.merged() {
                    self.state.cells.insert(key, cell);
                }
                self.state.sessions = state.sessions;
            }
            Ok(state) => self.state = state,
            Err(_) if self.has(Defect::SwallowsRestoreError) => {}
            Err(_) => return Err(MachineError::Snapshot(last_index)),
        }
        (self.applied, self.is_restored) = (last_index, true);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
