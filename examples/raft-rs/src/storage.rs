//! Log and hard state on disk: a file of records, read back at the start into the crate's `MemStorage`, from which the
//! library reads. Nothing is compacted: a run is short.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    path::Path,
};

use anyhow::{Context as _, bail};
use protobuf::Message as _;
use raft::{
    eraftpb::{Entry, HardState},
    storage::MemStorage,
};

/// Length of the header of a record, bytes.
const HEADER: usize = 9;
const ENTRY: u8 = 1;
const HARD_STATE: u8 = 2;

/// File of the log and the hard state.
#[derive(Debug)]
pub struct Disk(File);

impl Disk {
    /// Opens the file `log` in a folder, and reads it into a storage of these voters. A record that is cut short was
    /// never acknowledged, and is cut off.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or a whole record is damaged.
    pub fn open(folder: &Path, voters: Vec<u64>) -> anyhow::Result<(Self, MemStorage)> {
        let path = folder.join("log");
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
        File::open(folder)?.sync_all()?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let memory = MemStorage::new_with_conf_state((voters, Vec::new()));
        let mut rest = &content[..];
        while let Some(record) = Record::split_off(&mut rest).with_context(|| path.display().to_string())? {
            match record.kind {
                ENTRY => memory.wl().append(&[Entry::parse_from_bytes(record.content)?])?,
                HARD_STATE => memory.wl().set_hardstate(HardState::parse_from_bytes(record.content)?),
                other => bail!("{}: there is no record of kind {other}", path.display()),
            }
        }
        file.set_len(u64::try_from(content.len() - rest.len())?)?;
        file.sync_all()?;
        Ok((Self(file), memory))
    }

    /// Appends entries and then the hard state, and makes them durable if they must be so before messages leave.
    ///
    /// # Errors
    /// Fails if the disk does; the node must then end.
    pub fn persist(&mut self, entries: &[Entry], state: Option<&HardState>, must_sync: bool) -> anyhow::Result<()> {
        let mut records = Vec::new();
        for entry in entries {
            Record { kind: ENTRY, content: &entry.write_to_bytes()? }.push_to(&mut records)?;
        }
        if let Some(state) = state {
            Record { kind: HARD_STATE, content: &state.write_to_bytes()? }.push_to(&mut records)?;
        }
        self.0.write_all(&records)?;
        if must_sync {
            self.0.sync_data()?;
        }
        Ok(())
    }
}

/// Record of the file, behind a header of its kind, its length and its checksum.
struct Record<'a> {
    kind: u8,
    content: &'a [u8],
}

impl<'a> Record<'a> {
    /// Splits the first record off `bytes`; none if it is cut short.
    fn split_off(bytes: &mut &'a [u8]) -> anyhow::Result<Option<Self>> {
        let Some((header, rest)) = bytes.split_at_checked(HEADER) else { return Ok(None) };
        let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let Some((content, after)) = rest.split_at_checked(number(1) as usize) else { return Ok(None) };
        if crc32fast::hash(content) != number(5) {
            bail!("a record is damaged");
        }
        *bytes = after;
        Ok(Some(Self { kind: header[0], content }))
    }

    fn push_to(&self, records: &mut Vec<u8>) -> anyhow::Result<()> {
        records.push(self.kind);
        records.extend(u32::try_from(self.content.len())?.to_le_bytes());
        records.extend(crc32fast::hash(self.content).to_le_bytes());
        records.extend(self.content);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

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

    #[test]
    fn a_torn_record_is_cut_off_and_a_damaged_one_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let (mut disk, _) = Disk::open(folder.path(), vec![1]).unwrap();
        disk.persist(&[entry(1, 1)], None, true).unwrap();
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, [&whole[..], &whole[..length]].concat()).unwrap();
            assert_eq!(Disk::open(folder.path(), vec![1]).unwrap().1.last_index().unwrap(), 1);
            assert_eq!(fs::read(&path).unwrap(), whole, "{length}");
        }
        let mut damaged = whole;
        *damaged.last_mut().unwrap() ^= 1;
        fs::write(&path, damaged).unwrap();
        let refused = Disk::open(folder.path(), vec![1]).err().unwrap();
        assert!(format!("{refused:#}").ends_with("a record is damaged"), "{refused:#}");
    }
}
