//! File system operations of the storage: a trait, so that tests can substitute one that fails and forgets, and the
//! real implementation.

use std::{
    fmt::Debug,
    fs::{self, File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use nix::errno::Errno;

/// Directory of files. Clones refer to the same directory.
pub(crate) trait Medium: Clone + Debug + Send + Sync + 'static {
    /// An open file.
    type File: Debug + Send;

    /// Reads a whole file.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// Opens an empty file, new or not, to write to.
    fn create(&self, name: &str) -> io::Result<Self::File>;
    fn write_at(&self, file: &Self::File, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes the contents and the length of the file durable.
    fn sync(&self, file: &Self::File) -> io::Result<()>;
    /// Makes a file that is not open durable.
    fn sync_name(&self, name: &str) -> io::Result<()>;
    /// Renames a file, replacing the one that has the new name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes the file names durable.
    fn sync_dir(&self) -> io::Result<()>;

    /// Does something while the storage goes on; returns none if that is not possible now.
    fn beside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<Beside<T>> {
        thread::Builder::new().name("compaction".into()).spawn(work).ok().map(Beside::Thread)
    }
}

/// Work done while the storage goes on.
#[derive(Debug)]
pub(crate) enum Beside<T> {
    /// Thread that does it.
    Thread(JoinHandle<T>),
    /// Result of work that was done at once.
    Done(T),
}

impl<T> Beside<T> {
    /// Returns true if [`Self::result`] need not wait.
    pub(super) fn is_done(&self) -> bool {
        match self {
            Self::Thread(thread) => thread.is_finished(),
            Self::Done(_) => true,
        }
    }

    /// Waits for the result.
    ///
    /// # Errors
    /// Returns the panic of the work.
    pub(super) fn result(self) -> thread::Result<T> {
        match self {
            Self::Thread(thread) => thread.join(),
            Self::Done(result) => Ok(result),
        }
    }
}

/// Returns true if `error` says that descriptors have run out, in the process or in the system. This is no failure of
/// the disk, and it passes.
pub(super) fn lacks_descriptors(error: &io::Error) -> bool {
    error.raw_os_error().map(Errno::from_raw).is_some_and(|errno| matches!(errno, Errno::EMFILE | Errno::ENFILE))
}

/// Number of descriptors kept in reserve for the storage's files.
const SPARE_DESCRIPTORS: usize = 4;

/// Directory of the real file system.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Directory handle, kept open for syncing.
    handle: Arc<File>,
    spare: Arc<Mutex<Vec<File>>>,
}

impl Directory {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let handle = File::open(path)?;
        let spare = (0..SPARE_DESCRIPTORS).map(|_| handle.try_clone()).collect::<io::Result<_>>()?;
        Ok(Self { path: path.to_owned(), handle: Arc::new(handle), spare: Arc::new(Mutex::new(spare)) })
    }

    /// Opens a file, releasing a spare descriptor if no other is left.
    fn with_spare<T>(&self, open: impl Fn() -> io::Result<T>) -> io::Result<T> {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        while spare.len() < SPARE_DESCRIPTORS
            && let Ok(another) = self.handle.try_clone()
        {
            spare.push(another);
        }
        loop {
            match open() {
                Err(error) if lacks_descriptors(&error) && spare.pop().is_some() => {}
                result => return result,
            }
        }
    }
}

impl Medium for Directory {
    type File = File;

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.with_spare(|| File::open(self.path.join(name)))?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn create(&self, name: &str) -> io::Result<File> {
        self.with_spare(|| File::create(self.path.join(name)))
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_name(&self, name: &str) -> io::Result<()> {
        self.with_spare(|| OpenOptions::new().write(true).open(self.path.join(name)))?.sync_all()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.handle.sync_all()
    }
}

/// Creates the missing directories of `path` durably: each new one is synced into its parent. The parent of the first
/// existing directory is synced as well, since that directory may have been created just before a crash.
pub(super) fn create_directories(path: &Path) -> io::Result<()> {
    let above = |path: &Path| match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Some(PathBuf::from(".")),
        parent => parent.map(Path::to_owned),
    };
    if path.is_dir() {
        return match above(path).map(|above| sync_directory(&above)) {
            // The parent belongs to another user, so its entry is not ours to make durable.
            Some(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            synced => synced.unwrap_or(Ok(())),
        };
    }
    let Some(above) = above(path) else { return Err(io::ErrorKind::NotFound.into()) };
    create_directories(&above)?;
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        result => result?,
    }
    sync_directory(&above)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;

    #[test]
    fn missing_directories_are_made() {
        let dir = tempdir().unwrap();
        let deep = dir.path().join("a/b/c");
        create_directories(&deep).unwrap();
        create_directories(&deep).unwrap();
        assert!(deep.is_dir());
        fs::write(dir.path().join("file"), "").unwrap();
        assert!(create_directories(&dir.path().join("file/below")).is_err());
    }

    #[test]
    fn a_spare_descriptor_is_given_up_when_no_other_is_left() {
        let dir = tempdir().unwrap();
        let directory = Directory::open(dir.path()).unwrap();
        let left = std::cell::Cell::new(SPARE_DESCRIPTORS);
        let opened = directory.with_spare(|| {
            let spare = directory.spare.try_lock().is_err();
            assert!(spare, "nobody else takes what is given up");
            match left.get() {
                0 => Ok(7),
                more => {
                    left.set(more - 1);
                    Err(Errno::EMFILE.into())
                }
            }
        });
        assert_eq!(opened.unwrap(), 7);
        let never = directory.with_spare(|| Err::<(), _>(Errno::ENFILE.into()));
        assert!(lacks_descriptors(&never.unwrap_err()), "more than the spare ones there are not");
        directory.with_spare(|| Ok(())).unwrap();
        assert_eq!(directory.spare.lock().unwrap().len(), SPARE_DESCRIPTORS, "and they come back");
    }
}
