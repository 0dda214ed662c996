//! State of a mounted disk: its image, the faults in force, and what these let through.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime};

use fuser::{FileAttr, FileType, INodeNo, Request};
use nix::errno::Errno;
use nix::libc;

use super::image::{Attributes, Image, Kind, Node};
use super::unsynced::Inode;

/// Length of a page, and of a block that a program should write at once.
pub(super) const PAGE_BYTES: u32 = 4096;

/// Faults of a disk in force.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) delay: Option<Duration>,
    pub(super) refusals: BTreeSet<Refusal>,
    pub(super) death: Option<Death>,
    /// True if a process was refused something since then, or killed.
    pub(super) were_felt: bool,
}

impl Faults {
    fn check(&mut self, refusal: Refusal) -> Result<(), Errno> {
        if !self.refusals.contains(&refusal) {
            return Ok(());
        }
        self.were_felt = true;
        Err(match refusal {
            Refusal::Sync => Errno::EIO,
            Refusal::Growth => Errno::ENOSPC,
            Refusal::Change => Errno::EROFS,
        })
    }
}

/// Request that a disk refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    /// Making anything durable.
    Sync,
    /// Holding more than now.
    Growth,
    /// Any change.
    Change,
}

/// Death of the processes at an fsync to come.
pub(super) struct Death {
    /// Number of fsyncs up to that one.
    pub(super) left: u32,
    pub(super) kill: Box<dyn FnOnce() + Send>,
}

/// Disk with the faults in force.
pub(super) struct State {
    pub(super) image: Image,
    pub(super) faults: Faults,
    /// Number of the mount that it serves; earlier ones get nothing any more.
    pub(super) mount: u64,
    pub(super) listings: BTreeMap<u64, Vec<Listed>>,
    pub(super) opened: u64,
}

/// Entry of a folder that is being read.
#[derive(Clone)]
pub(super) struct Listed {
    pub(super) name: OsString,
    pub(super) inode: Inode,
    pub(super) kind: FileType,
}

/// State that the threads of a disk share.
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    /// Signalled when faults have changed.
    pub(super) changed: Condvar,
}

impl Shared {
    pub(super) fn new(image: Image) -> Self {
        let state = State { image, faults: Faults::default(), mount: 0, listings: BTreeMap::new(), opened: 0 };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn with<T>(
        &self,
        mount: u64,
        work: impl FnOnce(&mut State) -> Result<T, Errno>,
    ) -> Result<T, fuser::Errno> {
        let mut state = self.state.lock().map_err(|_| fuser::Errno::EIO)?;
        if state.mount != mount {
            return Err(fuser::Errno::ENOTCONN);
        }
        work(&mut state).map_err(|errno| fuser::Errno::from_i32(errno as i32))
    }

    /// Waits as long as each fsync is delayed, but no longer than `delay`.
    pub(super) fn wait(&self, delay: Duration) {
        let until = Instant::now() + delay;
        let Ok(mut state) = self.state.lock() else { return };
        while state.faults.delay.is_some() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            match self.changed.wait_timeout(state, left) {
                Ok((again, _)) => state = again,
                Err(_) => return,
            }
        }
    }

    /// Makes a file or folder durable, as far as faults let it.
    pub(super) fn synchronise(&self, mount: u64, inode: Inode) -> Result<(), fuser::Errno> {
        self.with(mount, |State { image, faults, .. }| {
            faults.check(Refusal::Sync).inspect_err(|_| image.fail_to_sync(inode))?;
            if image.is_unsynced(inode) {
                faults.check(Refusal::Change)?;
            }
            match image.node(inode)?.kind {
                Kind::Folder(_) => image.sync_folder(inode),
                _ => image.sync(inode),
            }
            Ok(())
        })
    }
}

impl State {
    /// Checks that files may be changed.
    pub(super) fn check_writable(&mut self) -> Result<(), Errno> {
        self.faults.check(Refusal::Change)
    }

    /// Checks that the disk may take more than it has.
    pub(super) fn check_space(&mut self) -> Result<(), Errno> {
        self.check_writable()?;
        self.faults.check(Refusal::Growth)
    }

    pub(super) fn create(
        &mut self,
        folder: INodeNo,
        name: &OsStr,
        kind: Kind,
        mode: u32,
        of: &Request,
    ) -> Result<FileAttr, Errno> {
        self.check_space()?;
        let attributes = new_attributes(mode, of);
        let inode = self.image.create(Inode(folder.0), name, kind, attributes)?;
        self.touch(folder);
        self.tell(inode)
    }

    /// Returns what the kernel is told of an inode that it did not know or knows already.
    pub(super) fn tell(&mut self, inode: Inode) -> Result<FileAttr, Errno> {
        self.image.know(inode);
        Ok(told(inode, self.image.node(inode)?))
    }

    pub(super) fn touch(&mut self, inode: INodeNo) {
        if let Ok(attributes) = self.image.attributes_mut(Inode(inode.0)) {
            attributes.modified = SystemTime::now();
            attributes.changed = attributes.modified;
        }
    }

    pub(super) fn write(&mut self, inode: Inode, offset: u64, bytes: &[u8]) -> Result<(), Errno> {
        self.check_writable()?;
        let now = &self.image.file(inode)?.now;
        let grows = offset + bytes.len() as u64 > now.size() || now.missing(offset, bytes.len()) > 0;
        if grows {
            self.check_space()?;
        }
        self.image.write(inode, offset, bytes)?;
        self.touch(INodeNo(inode.0));
        Ok(())
    }

    pub(super) fn allocate(&mut self, inode: Inode, offset: u64, length: u64, mode: i32) -> Result<(), Errno> {
        const ZEROS: i32 = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_ZERO_RANGE;
        if mode & !(ZEROS | libc::FALLOC_FL_KEEP_SIZE) != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        if mode & libc::FALLOC_FL_PUNCH_HOLE == 0 {
            self.check_space()?;
        } else {
            self.check_writable()?;
        }
        let size = self.image.file(inode)?.now.size();
        if mode & ZEROS != 0 {
            self.image.zero(inode, offset, length)?;
        }
        let end = offset.checked_add(length).ok_or(Errno::EFBIG)?;
        if mode & libc::FALLOC_FL_KEEP_SIZE == 0 && end > size {
            self.image.resize(inode, end)?;
        }
        self.touch(INodeNo(inode.0));
        Ok(())
    }

    /// Lists a folder as it is now, with itself and its parent, of which the kernel knows better.
    pub(super) fn list(&self, folder: Inode) -> Result<Vec<Listed>, Errno> {
        let own = [".", ".."].map(|name| Listed { name: name.into(), inode: folder, kind: FileType::Directory });
        let listed = |(name, inode): (&OsString, &Inode)| {
            let kind = file_type(&self.image.node(*inode)?.kind);
            Ok(Listed { name: name.clone(), inode: *inode, kind })
        };
        let entries = self.image.entries(folder)?.iter().map(listed);
        own.into_iter().map(Ok).chain(entries).collect()
    }
}

pub(super) fn new_attributes(mode: u32, of: &Request) -> Attributes {
    let now = SystemTime::now();
    let permissions = permissions(mode);
    Attributes { permissions, user: of.uid(), group: of.gid(), accessed: now, modified: now, changed: now }
}

pub(super) fn permissions(mode: u32) -> u16 {
    u16::try_from(mode & 0o7777).expect("twelve bits fit")
}

fn file_type(kind: &Kind) -> FileType {
    match kind {
        Kind::File(_) => FileType::RegularFile,
        Kind::Folder(_) => FileType::Directory,
        Kind::Link(_) => FileType::Symlink,
        Kind::Special(libc::S_IFIFO) => FileType::NamedPipe,
        Kind::Special(_) => FileType::Socket,
    }
}

pub(super) fn told(inode: Inode, node: &Node) -> FileAttr {
    let (size, blocks) = match &node.kind {
        Kind::File(file) => (file.now.size(), file.now.pages() as u64 * 8),
        Kind::Folder(_) => (u64::from(PAGE_BYTES), 8),
        Kind::Link(target) => (target.len() as u64, 0),
        Kind::Special(_) => (0, 0),
    };
    let Attributes { permissions, user, group, accessed, modified, changed } = node.attributes;
    FileAttr {
        ino: INodeNo(inode.0),
        size,
        blocks,
        atime: accessed,
        mtime: modified,
        ctime: changed,
        crtime: changed,
        kind: file_type(&node.kind),
        perm: permissions,
        nlink: node.links,
        uid: user,
        gid: group,
        rdev: 0,
        blksize: PAGE_BYTES,
        flags: 0,
    }
}
