//! Paths inside a folder whose content others may have made: a store, a campaign, a run. Whatever the names in it, and
//! wherever links in it point, nothing outside of it is read, written or removed, and only regular files are opened.
//!
//! The path of the folder itself is trusted as typed, links included. Protection against others who change the folder
//! while a command runs is not attempted, as they could do harm without us.

use std::{
    env,
    ffi::OsString,
    fs::{self, File, FileType, OpenOptions},
    io::{self, Read as _, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Component, Path, PathBuf},
};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

use crate::{
    error::{ExitStatus, Failure},
    terminal,
};

/// Maximum size of files that are read as a whole (plans, records, results, logs).
const MAX_BYTES: u64 = 512 << 20;

/// A folder that no operation through this value leaves.
#[derive(Clone, Debug)]
pub(crate) struct ConfinedFolder {
    /// Absolute path without links.
    root: PathBuf,
}

impl ConfinedFolder {
    /// Opens the folder at a path as typed by the user.
    ///
    /// # Errors
    /// Fails if there is no such folder.
    pub(crate) fn of(folder: &Path) -> io::Result<Self> {
        let root = fs::canonicalize(folder)?;
        if root.is_dir() { Ok(Self { root }) } else { Err(io::ErrorKind::NotADirectory.into()) }
    }

    /// Opens the folder of a run, or of many, which the user has named.
    ///
    /// # Errors
    /// Fails like [`Self::of`], with what to do next.
    pub(crate) fn named(folder: &Path) -> anyhow::Result<Self> {
        Self::of(folder).map_err(|error| {
            let failure = Failure::new(ExitStatus::Unreadable, format!("{}: {error}", folder.display()));
            if error.kind() == io::ErrorKind::NotFound {
                return failure.hint("`schism run` makes a store, and `schism store ls` names the runs in it").into();
            }
            if error.kind() == io::ErrorKind::NotADirectory {
                return failure.hint("name the folder; `schism report` and `schism check` take a history alone").into();
            }
            failure.into()
        })
    }

    /// Returns the absolute path of the folder, without links.
    pub(crate) fn path(&self) -> &Path {
        &self.root
    }

    /// Returns the path of the folder for people: relative to the current directory if it is in there.
    pub(crate) fn shown(&self) -> PathBuf {
        let here = env::current_dir().unwrap_or_default();
        match self.root.strip_prefix(&here) {
            Ok(inside) if inside.as_os_str().is_empty() => ".".into(),
            Ok(inside) => inside.to_owned(),
            Err(_) => self.root.clone(),
        }
    }

    /// Returns the path of a name in the folder, which need not exist. The parents that exist are checked to be
    /// folders and not links; the last component is not checked.
    ///
    /// # Errors
    /// Fails if the name leads out of the folder.
    pub(crate) fn resolve(&self, name: impl AsRef<Path>) -> io::Result<PathBuf> {
        let mut path = self.root.clone();
        let mut missing = false;
        for (depth, part) in name.as_ref().components().enumerate() {
            let Component::Normal(part) = part else { return Err(leads_out("this is no name in the folder")) };
            if depth > 0 && !missing {
                missing = match fs::symlink_metadata(&path) {
                    Ok(found) if found.is_symlink() => return Err(is_link(&path)),
                    Ok(found) if !found.is_dir() => return Err(io::ErrorKind::NotADirectory.into()),
                    Ok(_) => false,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => true,
                    Err(error) => return Err(error),
                };
            }
            path.push(part);
        }
        Ok(path)
    }

    /// Opens a regular file in the folder for reading; none if it does not exist.
    ///
    /// # Errors
    /// Fails if the name leads out, or if it is a link, a pipe, a device or a folder.
    pub(crate) fn open(&self, name: impl AsRef<Path>) -> io::Result<Option<File>> {
        let path = self.resolve(name)?;
        // Non-blocking, as opening a pipe without a writer would block for ever.
        match OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(&path) {
            Ok(file) if file.metadata()?.is_file() => Ok(Some(file)),
            Ok(_) => Err(leads_out("this is no regular file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(_) if fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink()) => Err(is_link(&path)),
            Err(error) => Err(error),
        }
    }

    /// Returns the path of a regular file in the folder; none if it does not exist.
    ///
    /// # Errors
    /// Fails like [`ConfinedFolder::open`].
    pub(crate) fn file(&self, name: impl AsRef<Path>) -> io::Result<Option<PathBuf>> {
        let path = self.resolve(&name)?;
        Ok(self.open(name)?.map(|_| path))
    }

    /// Returns true if a regular file of this name is in the folder.
    pub(crate) fn has(&self, name: impl AsRef<Path>) -> bool {
        self.file(name).is_ok_and(|found| found.is_some())
    }

    /// Reads a file in the folder; none if it does not exist.
    ///
    /// # Errors
    /// Fails like [`ConfinedFolder::open`], or if the file is larger than any that schism writes.
    pub(crate) fn read(&self, name: impl AsRef<Path>) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = self.open(name)? else { return Ok(None) };
        let mut content = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut content)?;
        if content.len() as u64 > MAX_BYTES {
            return Err(leads_out("this is larger than any file that schism writes here"));
        }
        Ok(Some(content))
    }

    /// Opens a folder in this folder; none if it does not exist.
    ///
    /// # Errors
    /// Fails if the name leads out, or is not a folder.
    pub(crate) fn folder(&self, name: impl AsRef<Path>) -> io::Result<Option<Self>> {
        let path = self.resolve(name)?;
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() => Err(is_link(&path)),
            Ok(found) if found.is_dir() => Ok(Some(Self { root: path })),
            Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens a folder in this folder, and makes it if it does not exist.
    ///
    /// # Errors
    /// Fails like [`ConfinedFolder::folder`], or if the folder cannot be made.
    pub(crate) fn make(&self, name: impl AsRef<Path>) -> io::Result<Self> {
        let path = self.resolve(&name)?;
        if let Some(folder) = self.folder(&name)? {
            return Ok(folder);
        }
        fs::create_dir_all(&path)?;
        Ok(Self { root: path })
    }

    /// Creates a file in the folder, replacing whatever had this name.
    ///
    /// # Errors
    /// Fails if the name leads out, or if the file cannot be created.
    pub(crate) fn create(&self, name: impl AsRef<Path>) -> io::Result<File> {
        let path = self.resolve(name)?;
        remove_file(&path)?;
        OpenOptions::new().write(true).create_new(true).open(&path)
    }

    /// Removes a file, or a link without following it; does nothing if it does not exist.
    ///
    /// # Errors
    /// Fails if the name leads out, if it is a folder, or if it cannot be removed.
    pub(crate) fn remove(&self, name: impl AsRef<Path>) -> io::Result<()> {
        remove_file(&self.resolve(name)?)
    }

    /// Removes a folder with its content; does nothing if it does not exist. Links in it are removed, not followed.
    ///
    /// # Errors
    /// Fails if the name leads out, or if something cannot be removed.
    pub(crate) fn remove_all(&self, name: impl AsRef<Path>) -> io::Result<()> {
        match fs::remove_dir_all(self.resolve(name)?) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Returns the names in the folder, sorted, with their types.
    ///
    /// # Errors
    /// Fails if the folder cannot be read.
    pub(crate) fn entries(&self) -> io::Result<Vec<(OsString, FileType)>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            entries.push((entry.file_name(), entry.file_type()?));
        }
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(entries)
    }
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn leads_out(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

fn is_link(path: &Path) -> io::Error {
    let name = path.file_name().unwrap_or_default().display();
    leads_out(&format!("{name} is a link, and links in here are not followed"))
}

/// Turns an I/O error into a failure: a file in a folder is not as schism would have left it, or cannot be read.
pub(crate) fn refused(path: &Path) -> impl FnOnce(io::Error) -> anyhow::Error + use<> {
    let path = path.to_owned();
    move |error| Failure::new(ExitStatus::Unreadable, format!("{}: {error}", path.display())).into()
}

/// Writes a file in a folder like [`terminal::write_whole`], even if others have written to the folder: a link of this
/// name is replaced, not followed.
///
/// # Errors
/// Fails like [`terminal::write_whole`], or if the name leads out of the folder.
pub(crate) fn write_inside(
    folder: &ConfinedFolder,
    name: impl AsRef<Path>,
    write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>,
) -> anyhow::Result<ExitStatus> {
    let target = folder.resolve(&name).map_err(refused(&folder.path().join(name)))?;
    terminal::replace(&target, &target, write)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use nix::{sys::stat::Mode, unistd::mkfifo};

    use super::ConfinedFolder;

    /// Makes a folder with links to another one, which must stay unchanged.
    fn folder() -> (tempfile::TempDir, ConfinedFolder) {
        let dir = tempfile::tempdir().unwrap();
        let (inner, outer) = (dir.path().join("inner"), dir.path().join("outer"));
        for made in [&inner, &outer, &inner.join("a"), &outer.join("a")] {
            fs::create_dir(made).unwrap();
        }
        fs::write(inner.join("a/file"), "mine").unwrap();
        fs::write(outer.join("a/file"), "theirs").unwrap();
        symlink("../outer", inner.join("folder-link")).unwrap();
        symlink("../outer/a/file", inner.join("file-link")).unwrap();
        symlink("nowhere", inner.join("dead-link")).unwrap();
        let inside = ConfinedFolder::of(&inner).unwrap();
        (dir, inside)
    }

    const OUT: [&str; 9] = [
        "..",
        "../outer/a/file",
        "a/../../outer/a/file",
        "/etc/passwd",
        "folder-link/a/file",
        "folder-link/a",
        "file-link/x",
        "a/../a/file",
        "folder-link/../outer",
    ];

    #[test]
    fn no_name_leads_out() {
        let (dir, inside) = folder();
        for name in OUT {
            assert!(inside.open(name).is_err(), "{name}");
            assert!(inside.read(name).is_err(), "{name}");
            assert!(inside.file(name).is_err(), "{name}");
            assert!(inside.folder(name).is_err(), "{name}");
            assert!(inside.make(name).is_err(), "{name}");
            assert!(inside.create(name).is_err(), "{name}");
            assert!(inside.remove(name).is_err(), "{name}");
            assert!(inside.remove_all(name).is_err(), "{name}");
            assert!(!inside.has(name), "{name}");
        }
        assert_eq!(fs::read_to_string(dir.path().join("outer/a/file")).unwrap(), "theirs");
        assert_eq!(inside.read("a/file").unwrap().unwrap(), b"mine");
        assert!(inside.read("a/other").unwrap().is_none() && inside.read("b/other").unwrap().is_none());
    }

    #[test]
    fn a_link_is_removed_or_replaced_itself() {
        let (dir, inside) = folder();
        assert!(
            inside.open("file-link").is_err()
                && inside.folder("folder-link").is_err()
                && inside.open("dead-link").is_err()
        );
        fs::write(dir.path().join("outer/precious"), "x").unwrap();
        inside.remove_all("folder-link").unwrap();
        drop(inside.create("file-link").unwrap());
        inside.remove("dead-link").unwrap();
        assert!(dir.path().join("outer/precious").exists());
        assert_eq!(fs::read_to_string(dir.path().join("outer/a/file")).unwrap(), "theirs");
        assert_eq!(inside.entries().unwrap().len(), 2, "a, and file-link, which is a file now");
    }

    #[test]
    fn only_regular_files_are_opened() {
        let (_dir, inside) = folder();
        mkfifo(&inside.path().join("pipe"), Mode::S_IRWXU).unwrap();
        assert!(inside.open("pipe").is_err() && inside.open("a").is_err());
        assert!(ConfinedFolder::of(Path::new("/dev")).unwrap().open("zero").is_err());
    }
}
