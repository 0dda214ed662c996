//! Durable state of a node: one log file and one snapshot file in a directory of its own.
//!
//! The log is written here rather than with an embedded store: the node exists to test the effects of a torn tail, a
//! damaged record or an answer before the fsync, so this should be a page of code that can be read. Changes that
//! become durable together are one record, written with one `write` and one `fdatasync`; since nothing more is
//! written before that has returned, a crash can tear only the last record.
//!
//! *Torn or damaged.* Recovery cuts off a last record in a state that a crash can leave: its end is missing, or a
//! whole sector of it is zeros. Such a record was not acknowledged, or the disk broke its promise. Any other
//! difference from what was written (a flipped bit, even in a length; a broken record with others behind it) cannot
//! be the result of a crash; data that was durable has been lost. This is an error and the node stays down, since a
//! node that forgot its promises is worse than one that is down. Some cases cannot be told apart: a file that was
//! later cut at a record or within the last one, and sectors of the last record that were later zeroed, look like a
//! torn write; a disk that lost a whole file looks like an emptied directory. A last record that reached the disk as
//! neither its bytes nor zeros (old contents of the sectors, where a file system exposes them) is refused although
//! nothing acknowledged was in it.
//!
//! *Readable does not mean durable.* After a crash of the process, or a failed fsync, the page cache shows bytes that
//! may never have reached the disk, and a second fsync would succeed without writing them. So opening rewrites the
//! recovered log to a new file, and the node starts once that is durable; the old file is never appended to again.
//! After any failure the storage refuses all further work.
//!
//! Both files are replaced as a whole: written under another name, fsynced, renamed, the directory fsynced. The
//! snapshot comes first, then a log that starts after it; a crash in between leaves a log that reaches back too far,
//! which recovery trims. The first record of the log names the node and its cluster, so that no other node uses the
//! directory.
//!
//! Compaction writes both files on a thread of its own (`compaction`), while the log continues.

mod compaction;
mod image;
mod medium;
mod record;
mod simulated;

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use self::{
    compaction::{Compaction, LEFTOVERS},
    image::{ChangeRecord, Image, StartRecord},
    medium::create_directories,
    record::{FileContent, HEADER_BYTES},
};
use crate::{
    defect::Defect,
    error::StorageError,
    raft::{Entry, LogIndex, NodeId, Persist, Snapshot, StoredState},
};

pub(crate) use compaction::CompactionOutcome;
pub(crate) use image::Owner;
pub(crate) use medium::{Directory, Medium};
pub(crate) use simulated::SimulatedMedium;
pub use simulated::{DiskOptions, Hindrance, PowerLoss};

const LOCK: &str = "lock";
const WAL: &str = "wal";
const SNAPSHOT: &str = "snapshot";
/// Space that is made for a record, which most do not exceed.
const USUAL_BYTES: usize = 256;
/// Bytes of a large file that are written at once. The file is synced after every `SYNC_EVERY_BYTES`, so that a
/// concurrent fsync of the log never waits for much more than that.
const PIECE_BYTES: usize = 1 << 20;
const SYNC_EVERY_BYTES: u64 = 4 << 20;

/// Expected state of a node's disk at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartMode {
    /// New node that has never run: its directory must hold no state.
    New,
    /// Node that has run before: its directory must hold its state.
    Restart,
}

/// Directory of a node, open and locked.
#[derive(Debug)]
pub(crate) struct Storage<M: Medium = Directory> {
    // Declared before the lock, which must be released only once no thread writes to the directory.
    compaction: Option<Compaction<M>>,
    files: Files<M>,
    owner: Owner,
    wal: M::File,
    /// Path of `wal`, for error messages.
    wal_path: PathBuf,
    /// Offset of the next record.
    end: u64,
    image: Image,
    /// Last entry that the snapshot on the disk replaces.
    snapshot_index: LogIndex,
    fsyncs: u64,
    /// Record that a node with a defect writes only along with the next one.
    late: Vec<u8>,
    /// Set once something failed: from then on it is unknown what is durable.
    failed: bool,
    /// Lock of the directory, held as long as the node lives.
    _lock: Option<File>,
}

/// Files of the directory, with its path for error messages.
#[derive(Clone, Debug)]
struct Files<M> {
    dir: PathBuf,
    medium: M,
    /// Planted defect of the storage.
    defect: Option<Defect>,
}

impl Storage {
    /// Opens the directory and reads its contents; creates it for a new node. The returned state is durable.
    ///
    /// # Errors
    /// Returns an error if another process or another node uses the directory, if a file is damaged or unusable, if
    /// there is no state although the node has run before, or if there is some although it has not.
    pub(crate) fn open(
        dir: &Path,
        id: NodeId,
        members: &[NodeId],
        start_mode: StartMode,
        defect: Option<Defect>,
    ) -> Result<(Self, StoredState), StorageError> {
        match start_mode {
            StartMode::New => {
                create_directories(dir).map_err(failed("creating", dir))?;
                check_unoccupied(dir)?;
            }
            StartMode::Restart if dir.try_exists().map_err(failed("looking for", dir))? => {}
            StartMode::Restart => return Err(StorageError::Empty { path: dir.to_owned() }),
        }
        let lock = lock(dir)?;
        let medium = Directory::open(dir).map_err(failed("opening", dir))?;
        let files = Files { dir: dir.to_owned(), medium, defect };
        Self::open_in(files, Owner { id, members: members.to_vec() }, start_mode, Some(lock))
    }
}

impl<M: Medium> Storage<M> {
    fn open_in(
        files: Files<M>,
        owner: Owner,
        start_mode: StartMode,
        lock: Option<File>,
    ) -> Result<(Self, StoredState), StorageError> {
        files.remove_leftovers();
        files.medium.sync_dir().map_err(failed("syncing", &files.dir))?;
        let (snapshot, bytes) = (files.read_snapshot()?, files.read(WAL)?);
        let image = match (&bytes, start_mode) {
            (Some(_), StartMode::New) => return Err(StorageError::NotEmpty { path: files.dir }),
            (Some(bytes), StartMode::Restart) => files.recover(bytes, &owner, snapshot.as_ref())?,
            (None, _) if snapshot.is_some() => {
                return Err(failed("reading", &files.path(WAL))(io::ErrorKind::NotFound.into()));
            }
            (None, StartMode::New) => Image::default(),
            (None, StartMode::Restart) => return Err(StorageError::Empty { path: files.dir }),
        };
        drop(bytes);
        let snapshot_index = snapshot.as_ref().map_or(LogIndex(0), |snapshot| snapshot.last_index);
        let (wal, end) = files.replace(WAL, &encode(&start(&owner, snapshot_index, &image)))?;
        let stored = StoredState { hard_state: image.hard_state, snapshot, entries: image.entries.clone() };
        let storage = Self {
            compaction: None,
            wal_path: files.path(WAL),
            files,
            owner,
            wal,
            end,
            image,
            snapshot_index,
            fsyncs: 0,
            late: Vec::new(),
            failed: false,
            _lock: lock,
        };
        Ok((storage, stored))
    }

    /// Returns the number of fsyncs so far.
    pub(crate) fn fsyncs(&self) -> u64 {
        self.fsyncs
    }

    /// Returns the approximate size of the log file in bytes.
    pub(crate) fn log_bytes(&self) -> u64 {
        self.end
    }

    /// Makes all of `persist` durable, and leaves nothing of it but memory for the next.
    ///
    /// # Errors
    /// Returns an error if it could not; what is durable is then unknown, and the node must stop.
    pub(crate) fn persist(&mut self, persist: &mut Persist) -> Result<(), StorageError> {
        self.unless_failed(|storage| storage.carry_out(persist))
    }

    fn carry_out(&mut self, persist: &mut Persist) -> Result<(), StorageError> {
        let Persist { hard_state, snapshot, truncate_from, entries } = std::mem::take(persist);
        let Some(snapshot) = snapshot else {
            persist.entries = self.append(ChangeRecord { hard_state, truncate_from, entries })?;
            return Ok(());
        };
        // The term goes first: a crash before the log is replaced must not leave a snapshot from a later term than
        // the stored one.
        self.append(ChangeRecord { hard_state, ..ChangeRecord::default() })?;
        self.files.replace(SNAPSHOT, &encode(&snapshot))?;
        self.snapshot_index = snapshot.last_index;
        let cut = ChangeRecord { truncate_from, ..ChangeRecord::default() };
        let rest = ChangeRecord { entries, ..ChangeRecord::default() };
        let at = damaged(&self.wal_path, self.end);
        let image = &mut self.image;
        image.add(cut).and_then(|_| image.start_after(&snapshot)).and_then(|()| image.add(rest)).map_err(at)?;
        let start = start(&self.owner, snapshot.last_index, &self.image);
        (self.wal, self.end) = self.files.replace(WAL, &encode(&start))?;
        self.late.clear();
        self.fsyncs += 4; // two files, and the directory after each
        Ok(())
    }

    /// Performs an action unless an earlier one failed, and remembers if this one fails.
    fn unless_failed<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T, StorageError>) -> Result<T, StorageError> {
        if self.failed {
            return Err(StorageError::Failed { path: self.files.dir.clone() });
        }
        act(self).inspect_err(|_| self.failed = true)
    }

    /// Appends a record to the log, and returns the memory of its entries.
    fn append(&mut self, batch: ChangeRecord) -> Result<Vec<Entry>, StorageError> {
        if batch == ChangeRecord::default() {
            return Ok(batch.entries);
        }
        let (path, mut record) = (&self.wal_path, Vec::new());
        append_record(&mut record, self.end + self.late.len() as u64, &batch, path)?;
        if let Some(compaction) = &mut self.compaction {
            compaction.add(batch.clone());
        }
        let spare = self.image.add(batch).map_err(damaged(path, self.end))?;
        if self.files.defect == Some(Defect::WritesLate) {
            std::mem::swap(&mut record, &mut self.late);
        }
        self.files.medium.write_at(&self.wal, &record, self.end).map_err(failed("writing", path))?;
        if self.files.defect != Some(Defect::NoFsync) {
            self.files.medium.sync(&self.wal).map_err(failed("syncing", path))?;
            self.fsyncs += 1;
        }
        self.end += record.len() as u64;
        Ok(spare)
    }
}

impl<M: Medium> Files<M> {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Reads a whole file; `None` if it does not exist.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StorageError> {
        match self.medium.read(name) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(failed("reading", &self.path(name))(source)),
        }
    }

    fn read_snapshot(&self) -> Result<Option<Snapshot>, StorageError> {
        let path = self.path(SNAPSHOT);
        let Some(bytes) = self.read(SNAPSHOT)? else { return Ok(None) };
        self.medium.sync_name(SNAPSHOT).map_err(failed("syncing", &path))?;
        match record::read(&bytes, 0) {
            FileContent::Record(payload, end) if end == bytes.len() => {
                decode(payload).map(Some).map_err(damaged(&path, 0))
            }
            _ => Err(damaged(&path, 0)("its only record".into())),
        }
    }

    /// Reads the contents of a log file up to its last sound record.
    fn recover(&self, bytes: &[u8], owner: &Owner, snapshot: Option<&Snapshot>) -> Result<Image, StorageError> {
        let path = self.path(WAL);
        let at = |offset: usize| damaged(&path, offset as u64);
        // A log file gets its name only once its first record is durable, so that record cannot be torn.
        let FileContent::Record(first, mut end) = record::read(bytes, 0) else {
            return Err(at(0)("its first record".into()));
        };
        let start: StartRecord = decode(first).map_err(at(0))?;
        if start.owner != *owner {
            let path = self.dir.clone();
            return Err(StorageError::Foreign { path, found: start.owner.to_string(), expected: owner.to_string() });
        }
        let mut image = Image { hard_state: start.hard_state, entries: Vec::new() };
        image.add(ChangeRecord { entries: start.entries, ..ChangeRecord::default() }).map_err(at(0))?;
        loop {
            match record::read(bytes, end) {
                FileContent::Record(_, next) if next == bytes.len() && self.defect == Some(Defect::LosesLastRecord) => {
                    break;
                }
                FileContent::Record(payload, next) => {
                    image.add(decode(payload).map_err(at(end))?).map_err(at(end))?;
                    end = next;
                }
                FileContent::End => break,
                FileContent::Torn | FileContent::Damaged if self.defect == Some(Defect::CutsDamagedRecord) => break,
                FileContent::Torn if self.defect == Some(Defect::TornTailDropsLog) => {
                    image.entries.clear();
                    break;
                }
                FileContent::Torn if !record::any_after(bytes, end) => break,
                FileContent::Torn => return Err(at(end)("a broken record, with sound ones behind it".into())),
                FileContent::Damaged => return Err(at(end)("a complete record with a wrong checksum".into())),
            }
        }
        if self.defect == Some(Defect::RestartForgetsLog) {
            image.entries.clear();
        }
        let nothing = Snapshot::default();
        let snapshot = snapshot.unwrap_or(&nothing);
        if snapshot.last_index < start.base {
            return Err(at(0)(format!(
                "it goes on after entry {}, but the snapshot ends at {}",
                start.base, snapshot.last_index
            )));
        }
        image.start_after(snapshot).map_err(at(0))?;
        Ok(image)
    }

    /// Replaces the file `name` by one record, durably and atomically: a crash leaves the old file or the new one.
    /// Returns the new file and its length.
    fn replace(&self, name: &str, payload: &[u8]) -> Result<(M::File, u64), StorageError> {
        let new = format!("{name}.new");
        let written = self.write_new(&new, payload)?;
        self.give_name(&new, name)?;
        Ok(written)
    }

    /// Writes one record to a new file and makes the contents durable, but not the name. Returns the file and its
    /// length.
    fn write_new(&self, name: &str, payload: &[u8]) -> Result<(M::File, u64), StorageError> {
        let path = self.path(name);
        let (header, end) = record::enclose(0, payload).ok_or_else(|| too_large(&path, payload.len()))?;
        let file = self.medium.create(name).map_err(failed("creating", &path))?;
        let (mut offset, mut synced) = (0, 0);
        for piece in [&header[..]].into_iter().chain(payload.chunks(PIECE_BYTES)).chain([&end[..]]) {
            self.medium.write_at(&file, piece, offset).map_err(failed("writing", &path))?;
            offset += piece.len() as u64;
            if offset - synced >= SYNC_EVERY_BYTES {
                self.medium.sync(&file).map_err(failed("syncing", &path))?;
                synced = offset;
            }
        }
        self.medium.sync(&file).map_err(failed("syncing", &path))?;
        Ok((file, offset))
    }

    /// Renames a durable file over another, durably.
    fn give_name(&self, from: &str, to: &str) -> Result<(), StorageError> {
        self.medium.rename(from, to).map_err(failed("renaming to", &self.path(to)))?;
        self.medium.sync_dir().map_err(failed("syncing", &self.dir))
    }
}

/// Takes the lock of a directory.
fn lock(dir: &Path) -> Result<File, StorageError> {
    let path = dir.join(LOCK);
    let lock = File::create(&path).map_err(failed("creating", &path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StorageError::InUse { path: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed("locking", &path)(source)),
    }
}

/// Returns the first record of a log that holds all of `image`.
fn start(owner: &Owner, base: LogIndex, image: &Image) -> StartRecord {
    StartRecord { owner: owner.clone(), base, hard_state: image.hard_state, entries: image.entries.clone() }
}

/// Appends the record of a value, which will be at byte `offset` of its file.
fn append_record(out: &mut Vec<u8>, offset: u64, value: &impl Serialize, path: &Path) -> Result<(), StorageError> {
    let (start, mut record) = (out.len(), std::mem::take(out));
    record.reserve(USUAL_BYTES);
    record.extend_from_slice(&[0; HEADER_BYTES]);
    record = postcard::to_extend(value, record).expect("what is stored is plain data");
    let payload = &record[start + HEADER_BYTES..];
    let (header, end) = record::enclose(offset, payload).ok_or_else(|| too_large(path, payload.len()))?;
    record[start..][..HEADER_BYTES].copy_from_slice(&header);
    record.extend_from_slice(&end);
    *out = record;
    Ok(())
}

fn too_large(path: &Path, bytes: usize) -> StorageError {
    StorageError::TooLarge { path: path.to_owned(), bytes, limit: record::MAX_PAYLOAD_BYTES }
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).expect("what is stored is plain data")
}

fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<T, String> {
    postcard::from_bytes(payload).map_err(|_| "a sound record that this version cannot read".into())
}

/// Checks that a directory holds nothing but what a node may have left there, even one that was killed early on.
fn check_unoccupied(dir: &Path) -> Result<(), StorageError> {
    let of_nodes = [LOCK, WAL, SNAPSHOT].into_iter().chain(LEFTOVERS);
    // A file system of its own may have the folder of what its repair has found.
    let known: Vec<_> = of_nodes.chain(["lost+found"]).collect();
    for entry in fs::read_dir(dir).map_err(failed("listing", dir))? {
        let name = entry.map_err(failed("listing", dir))?.file_name().to_string_lossy().into_owned();
        if !known.contains(&&*name) {
            return Err(StorageError::Occupied { path: dir.to_owned(), name });
        }
    }
    Ok(())
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StorageError {
    move |source| StorageError::Io { action, path: path.to_owned(), source }
}

fn damaged(path: &Path, offset: u64) -> impl FnOnce(String) -> StorageError {
    move |problem| StorageError::Damaged { path: path.to_owned(), offset, problem }
}

#[cfg(test)]
mod tests;
