//! Setup by a process in its new namespaces: user maps, mounts, loopback.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::Mode;
use nix::unistd::{getegid, geteuid, write};

/// Number of the ordinary user and group that every system has a name for: `nobody`.
const ORDINARY: u32 = 65534;

/// User and group maps that make the caller root or an ordinary user of a new user namespace, and of nothing else. They
/// can be applied between fork and exec.
#[derive(Debug, Clone)]
pub(crate) struct UserMaps {
    users: String,
    groups: String,
}

impl UserMaps {
    /// Maps root inside to the caller outside.
    pub(crate) fn of_caller() -> Self {
        Self::to_caller(0)
    }

    /// Maps an ordinary user inside to the caller outside.
    pub(crate) fn of_ordinary() -> Self {
        Self::to_caller(ORDINARY)
    }

    fn to_caller(inside: u32) -> Self {
        Self { users: format!("{inside} {} 1", geteuid()), groups: format!("{inside} {} 1", getegid()) }
    }

    /// Returns the ways to get namespaces, the best first: root may need no user namespace, but does not always have
    /// the capabilities.
    pub(crate) fn to_try() -> Vec<Option<Self>> {
        let by_user_namespace = Some(Self::of_caller());
        if is_root() { vec![None, by_user_namespace] } else { vec![by_user_namespace] }
    }

    /// Writes the maps; to be called by the process in the new namespace itself. Allocates nothing.
    pub(crate) fn apply(&self) -> nix::Result<()> {
        let put = |path: &'static std::ffi::CStr, text: &str| {
            let file = open(path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
            write(&file, text.as_bytes()).map(drop)
        };
        put(c"/proc/self/setgroups", "deny")?;
        put(c"/proc/self/uid_map", &self.users)?;
        put(c"/proc/self/gid_map", &self.groups)
    }
}

/// Makes all mounts private: later mounts are not seen by the host, and the host's not here.
pub(crate) fn make_mounts_private() -> nix::Result<()> {
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
}

/// Mounts a `/proc` that shows the processes of this PID namespace. Containers that mask parts of theirs forbid it;
/// the old one is then sufficient, as only `/proc/self` and `/proc/net` are needed.
pub(crate) fn mount_proc() {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>).ok();
}

/// Mounts an empty writable folder over `/run` and binds its previous contents into it, except for the names of
/// network namespaces and the xtables lock: `ip netns` and iptables need both of these writable and separate from the
/// host's. Makes the folder where there is none, as in an empty container.
pub(crate) fn mount_run() -> io::Result<()> {
    let made = || fs::create_dir_all("/run").and_then(|()| fs::canonicalize("/run"));
    let run = fs::canonicalize("/var/run").or_else(|_| fs::canonicalize("/run")).or_else(|_| made())?;
    let folder = File::open(&run)?;
    let covered = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("schism"), &run, Some("tmpfs"), flags, Some("mode=0755,size=16m"))?;
    for entry in fs::read_dir(&covered)?.flatten() {
        let name = entry.file_name();
        if name != "netns" && name != "xtables.lock" {
            // An entry that cannot be bound matters only to programs that look for it.
            show(&entry, &run.join(name)).ok();
        }
    }
    Ok(())
}

fn show(entry: &fs::DirEntry, at: &Path) -> io::Result<()> {
    let kind = entry.file_type()?;
    if kind.is_symlink() {
        return symlink(fs::read_link(entry.path())?, at);
    }
    if kind.is_dir() {
        fs::create_dir(at)?;
    } else {
        File::create(at)?;
    }
    mount(Some(&entry.path()), at, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)?;
    Ok(())
}

/// Returns true if the effective user is root, which does not imply root's capabilities.
pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}
