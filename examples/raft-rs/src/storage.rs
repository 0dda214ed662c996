//! Log and hard state on disk: records that are read back at the start into the crate's `MemStorage`, from which the
//! library reads. Nothing is compacted: a run is short.

use std::path::Path;

use anyhow::bail;
use protobuf::Message as _;
use raft::{
    eraftpb::{Entry, HardState},
    storage::MemStorage,
};
use register::Records;

/// First bytes of records.
const ENTRY: u8 = 1;
const HARD_STATE: u8 = 2;

/// File of the log and the hard state.
#[derive(Debug)]
pub struct Disk(Records);

impl Disk {
    /// Opens the file in a folder, and reads it into a storage of these voters.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or is damaged.
    pub fn open(folder: &Path, voters: Vec<u64>) -> anyhow::Result<(Self, MemStorage)> {
        let memory = MemStorage::new_with_conf_state((voters, Vec::new()));
        let records = Records::open(folder, |record| {
            match record {
                [ENTRY, entry @ ..] => memory.wl().append(&[Entry::parse_from_bytes(entry)?])?,
                [HARD_STATE, state @ ..] => memory.wl().set_hardstate(HardState::parse_from_bytes(state)?),
                _ => bail!("there is no such record"),
            }
            Ok(())
        })?;
        Ok((Self(records), memory))
    }

    /// Appends entries and then the hard state, and makes them durable if they must be so before messages leave.
    ///
    /// # Errors
    /// Fails if the disk does; the node must then end.
    pub fn persist(&mut self, entries: &[Entry], state: Option<&HardState>, must_sync: bool) -> anyhow::Result<()> {
        let entries = entries.iter().map(|entry| record(ENTRY, entry));
        let records: Vec<_> = entries.chain(state.map(|state| record(HARD_STATE, state))).collect::<Result<_, _>>()?;
        self.0.append(records.iter().map(Vec::as_slice), must_sync)
    }
}

fn record(kind: u8, content: &impl protobuf::Message) -> anyhow::Result<Vec<u8>> {
    Ok([&[kind][..], &content.write_to_bytes()?].concat())
}

#[cfg(test)]
mod tests {
    use raft::Storage as _;

    use super::*;

    fn entry(index: u64, term: u64) -> Entry {
        Entry { index, term, data: vec![7; 100].into(), ..Entry::default() }
    }

    #[test]
    fn what_was_persisted_is_there_after_a_restart_with_overwritten_entries_gone() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Disk::open(folder.path(), vec![1, 2, 3]).unwrap();
        let state = HardState { term: 2, vote: 3, commit: 1, ..HardState::default() };
        let (mut disk, _) = open();
        disk.persist(&[entry(1, 1), entry(2, 1), entry(3, 1)], None, true).unwrap();
        disk.persist(&[entry(2, 2)], Some(&state), true).unwrap();
        let memory = open().1;
        assert_eq!(memory.initial_state().unwrap().hard_state, state);
        assert_eq!((memory.last_index().unwrap(), memory.term(2).unwrap()), (2, 2));
    }
}
