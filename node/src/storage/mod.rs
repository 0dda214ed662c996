//! What survives a restart: one log file and one snapshot file in a directory of the node's own.
//!
//! A log of our own rather than an embedded store: what a torn tail, a damaged record or an answer before the fsync does to a
//! cluster is the very thing that this node is there to be tested for, so it should be a page of code that can be read. All that is made
//! durable together is one record, written with one `write` and one `fdatasync`; since nothing more is written before that has returned,
//! only the last record can be torn by a crash. Recovery cuts such a tail off. A damaged record with a sound one behind it is no
//! crash's work but a lost promise, and an error.
//!
//! Both files are replaced whole: written under another name, fsynced, renamed, the directory fsynced. A snapshot comes first, then a
//! log that starts after it; a crash in between leaves a log that reaches back too far, which recovery trims. The first record of
//! the log names the node and its cluster, so that no other node uses the directory.

mod frame;
mod image;

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use self::image::{Batch, Image, Owner, Start};
use crate::{
    error::StorageError,
    raft::{LogIndex, NodeId, Persist, Snapshot, Stored},
};

const LOCK: &str = "lock";
const WAL: &str = "wal";
const SNAPSHOT: &str = "snapshot";

/// The directory of a node, open and locked.
#[derive(Debug)]
pub(crate) struct Storage {
    dir: PathBuf,
    /// Held as long as the node lives.
    _lock: File,
    owner: Owner,
    wal: File,
    /// Where the next record goes.
    end: u64,
    image: Image,
    fsyncs: u64,
}

impl Storage {
    /// Opens the directory, creating it if missing, and reads what it holds.
    ///
    /// # Errors
    /// If another process or another node has it, or a file is damaged or cannot be used.
    pub(crate) fn open(dir: &Path, id: NodeId, members: &[NodeId]) -> Result<(Self, Stored), StorageError> {
        let lock = lock(dir)?;
        let owner = Owner { id, members: members.to_vec() };
        let snapshot = read_snapshot(&dir.join(SNAPSHOT))?;
        let path = dir.join(WAL);
        let (image, wal, end) = match fs::read(&path) {
            Ok(bytes) => {
                let (image, end) = recover(&path, &bytes, &owner, snapshot.as_ref())?;
                let wal = OpenOptions::new().write(true).open(&path).map_err(failed("opening", &path))?;
                if end < bytes.len() as u64 {
                    wal.set_len(end).map_err(failed("cutting the torn tail of", &path))?;
                    wal.sync_all().map_err(failed("syncing", &path))?;
                }
                (image, wal, end)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && snapshot.is_none() => {
                let image = Image::default();
                let (wal, end) = write_wal(dir, &owner, LogIndex(0), &image)?;
                (image, wal, end)
            }
            Err(source) => return Err(failed("reading", &path)(source)),
        };
        let stored = Stored { hard_state: image.hard_state, snapshot, entries: image.entries.clone() };
        Ok((Self { dir: dir.to_owned(), _lock: lock, owner, wal, end, image, fsyncs: 0 }, stored))
    }

    /// How often the disk was asked to make something durable.
    pub(crate) fn fsyncs(&self) -> u64 {
        self.fsyncs
    }

    /// Makes all of `persist` durable.
    ///
    /// # Errors
    /// If it could not; nobody knows then what is durable, and the node must stop.
    pub(crate) fn persist(&mut self, persist: &Persist) -> Result<(), StorageError> {
        let Some(snapshot) = &persist.snapshot else {
            return self.append(Batch {
                hard_state: persist.hard_state,
                truncate_from: persist.truncate_from,
                entries: persist.entries.clone(),
            });
        };
        // The term first: a crash before the log is replaced must not leave a snapshot from a later term than the node remembers.
        self.append(Batch { hard_state: persist.hard_state, ..Batch::default() })?;
        write_snapshot(&self.dir, snapshot)?;
        let rest = Batch { hard_state: None, truncate_from: persist.truncate_from, entries: persist.entries.clone() };
        self.replace_log(snapshot, rest)
    }

    /// Lets a snapshot of the node's own state stand for the log up to its last index.
    ///
    /// # Errors
    /// As [`persist`](Self::persist).
    pub(crate) fn compact(&mut self, snapshot: &Snapshot) -> Result<(), StorageError> {
        write_snapshot(&self.dir, snapshot)?;
        self.replace_log(snapshot, Batch::default())
    }

    fn append(&mut self, batch: Batch) -> Result<(), StorageError> {
        if batch == Batch::default() {
            return Ok(());
        }
        let mut record = Vec::new();
        frame::append(&mut record, self.end, &encode(&batch));
        let path = self.dir.join(WAL);
        self.image.add(batch).map_err(damaged(&path, self.end))?;
        self.wal.write_all_at(&record, self.end).map_err(failed("writing", &path))?;
        self.wal.sync_data().map_err(failed("syncing", &path))?;
        self.fsyncs += 1;
        self.end += record.len() as u64;
        Ok(())
    }

    fn replace_log(&mut self, snapshot: &Snapshot, rest: Batch) -> Result<(), StorageError> {
        let path = self.dir.join(WAL);
        self.image.start_after(snapshot).and_then(|()| self.image.add(rest)).map_err(damaged(&path, self.end))?;
        (self.wal, self.end) = write_wal(&self.dir, &self.owner, snapshot.last_index, &self.image)?;
        self.fsyncs += 4; // two files, and the directory after each
        Ok(())
    }
}

/// Creates the directory if it is missing, and takes its lock.
fn lock(dir: &Path) -> Result<File, StorageError> {
    if !dir.exists() {
        fs::create_dir_all(dir).map_err(failed("creating", dir))?;
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_dir(parent)?;
        }
    }
    let path = dir.join(LOCK);
    let lock = File::create(&path).map_err(failed("creating", &path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StorageError::InUse { path: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed("locking", &path)(source)),
    }
}

/// What the log file says, and where its last sound record ends.
fn recover(
    path: &Path,
    bytes: &[u8],
    owner: &Owner,
    snapshot: Option<&Snapshot>,
) -> Result<(Image, u64), StorageError> {
    let at = |offset: usize| damaged(path, offset as u64);
    // A log file appears under its name only with its first record durable: that one cannot be torn.
    let (first, mut end) = frame::read(bytes, 0).ok_or_else(|| at(0)("its first record".into()))?;
    let start: Start = decode(first).map_err(at(0))?;
    if start.owner != *owner {
        let path = path.parent().unwrap_or(path).to_owned();
        return Err(StorageError::Foreign { path, found: start.owner.to_string(), expected: owner.to_string() });
    }
    let mut image = Image { hard_state: start.hard_state, entries: Vec::new() };
    image.add(Batch { entries: start.entries, ..Batch::default() }).map_err(at(0))?;
    while let Some((payload, next)) = frame::read(bytes, end) {
        image.add(decode(payload).map_err(at(end))?).map_err(at(end))?;
        end = next;
    }
    if frame::any_after(bytes, end) {
        return Err(at(end)("a record, with sound ones behind it".into()));
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
    Ok((image, end as u64))
}

fn write_wal(dir: &Path, owner: &Owner, base: LogIndex, image: &Image) -> Result<(File, u64), StorageError> {
    let start = Start { owner: owner.clone(), base, hard_state: image.hard_state, entries: image.entries.clone() };
    replace(dir, WAL, &encode(&start))
}

fn write_snapshot(dir: &Path, snapshot: &Snapshot) -> Result<(), StorageError> {
    replace(dir, SNAPSHOT, &encode(snapshot)).map(drop)
}

fn read_snapshot(path: &Path) -> Result<Option<Snapshot>, StorageError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed("reading", path)(source)),
    };
    match frame::read(&bytes, 0) {
        Some((payload, end)) if end == bytes.len() => decode(payload).map(Some).map_err(damaged(path, 0)),
        _ => Err(damaged(path, 0)("its only record".into())),
    }
}

/// Replaces the file `name` by one record, durably and at once: a crash leaves the old one or the new one. Returns the new file and its
/// length.
fn replace(dir: &Path, name: &str, payload: &[u8]) -> Result<(File, u64), StorageError> {
    let mut record = Vec::new();
    frame::append(&mut record, 0, payload);
    let (new, path) = (dir.join(format!("{name}.new")), dir.join(name));
    let mut file = File::create(&new).map_err(failed("creating", &new))?;
    file.write_all(&record).map_err(failed("writing", &new))?;
    file.sync_all().map_err(failed("syncing", &new))?;
    fs::rename(&new, &path).map_err(failed("renaming to", &path))?;
    sync_dir(dir)?;
    Ok((file, record.len() as u64))
}

fn sync_dir(dir: &Path) -> Result<(), StorageError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("syncing", dir))
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).expect("what is stored is plain data")
}

fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<T, String> {
    postcard::from_bytes(payload).map_err(|_| "a sound record that this version cannot read".into())
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StorageError {
    move |source| StorageError::Io { action, path: path.to_owned(), source }
}

fn damaged(path: &Path, offset: u64) -> impl FnOnce(String) -> StorageError {
    move |problem| StorageError::Damaged { path: path.to_owned(), offset, problem }
}

#[cfg(test)]
mod tests;
