//! Data of nodes that is prepared once, and copied to each of them.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

/// Returns the folder of what `make` prepares for a system, in `folder`, which runs of a campaign share: whoever comes
/// first prepares it, in an empty folder and with a log, and the others wait.
pub(super) fn prepared(
    folder: &Path,
    name: &str,
    make: impl FnOnce(&Path, &Path) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    let [done, begun, log, lock] = ["", ".begun", ".log", ".lock"].map(|suffix| folder.join(format!("{name}{suffix}")));
    let cannot = || format!("preparing {name} in {}", folder.display());
    fs::create_dir_all(folder).with_context(cannot)?;
    let lock = File::create(lock).with_context(cannot)?;
    lock.lock().with_context(cannot)?;
    if !done.is_dir() {
        remove(&begun).and_then(|()| fs::create_dir(&begun)).with_context(cannot)?;
        make(&begun, &log)?;
        fs::rename(&begun, &done).with_context(cannot)?;
    }
    Ok(done)
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Copies what is in a folder to another one, which is there, with permissions.
///
/// # Errors
/// Fails at the first that cannot be copied, such as a socket.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, copied, kind) = (entry.path(), to.join(entry.file_name()), entry.file_type()?);
        if kind.is_dir() {
            fs::create_dir(&copied)?;
            copy(&path, &copied)?;
            fs::set_permissions(&copied, entry.metadata()?.permissions())?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&path)?, &copied)?;
        } else if kind.is_file() {
            fs::copy(&path, &copied)?;
        } else {
            return Err(io::Error::other(format!("{} is no file, folder or link", path.display())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::{fs::PermissionsExt as _, net::UnixListener};

    use super::*;

    #[test]
    fn what_is_prepared_once_is_made_by_the_first_alone_and_again_after_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        let fail = prepared(folder.path(), "store", |data, _| {
            fs::write(data.join("half"), "")?;
            anyhow::bail!("no space")
        });
        assert_eq!(fail.unwrap_err().to_string(), "no space");
        let make = |data: &Path, _: &Path| Ok(fs::write(data.join("made"), "")?);
        let done = prepared(folder.path(), "store", make).unwrap();
        assert!(done.join("made").exists() && !done.join("half").exists());
        let again = prepared(folder.path(), "store", |_, _| anyhow::bail!("made twice")).unwrap();
        assert_eq!(again, done);
    }

    #[test]
    fn a_copy_has_the_same_files_links_and_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
        fs::create_dir_all(from.join("db")).unwrap();
        fs::create_dir(&to).unwrap();
        fs::write(from.join("db/file"), "text").unwrap();
        fs::set_permissions(from.join("db/file"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(from.join("db"), fs::Permissions::from_mode(0o700)).unwrap();
        symlink("file", from.join("db/link")).unwrap();
        copy(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("db/link")).unwrap(), "text");
        let mode = |name: &str| fs::symlink_metadata(to.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("db"), mode("db/file")), (0o700, 0o600));
        assert!(fs::symlink_metadata(to.join("db/link")).unwrap().is_symlink());
        let _socket = UnixListener::bind(from.join("socket")).unwrap();
        fs::remove_dir_all(to.join("db")).unwrap();
        let refused = copy(&from, &to).unwrap_err().to_string();
        assert!(refused.ends_with("socket is no file, folder or link"), "{refused}");
    }
}
