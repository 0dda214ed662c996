//! Face of an image that the kernel knows: its answers to the requests of FUSE, and the faults in force.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use fuser::{
    BsdFileFlags, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, OpenFlags,
    RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs,
    ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use nix::errno::Errno;
use nix::libc;

use super::image::{Attributes, File, Folder, Image, Kind, Node};
use super::unsynced::Inode;

/// Time for which the kernel may believe what it was told: nobody changes files behind its back.
const BELIEVED: Duration = Duration::from_hours(1);
/// Maximum length of a name, as everywhere in Linux.
const MAX_NAME: u32 = 255;
const PAGE_BYTES: u32 = 4096;

/// Faults of a disk in force.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) delay: Option<Duration>,
    pub(super) fails: bool,
    pub(super) is_full: bool,
    pub(super) is_read_only: bool,
    pub(super) death: Option<Death>,
    /// True if a process was refused something since then, or killed.
    pub(super) were_felt: bool,
}

impl Faults {
    fn refuse(&mut self, so_it_is: bool, errno: Errno) -> Result<(), Errno> {
        self.were_felt |= so_it_is;
        if so_it_is { Err(errno) } else { Ok(()) }
    }
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
    listings: BTreeMap<u64, Vec<Listed>>,
    opened: u64,
}

/// Entry of a folder that is being read.
#[derive(Clone)]
struct Listed {
    name: OsString,
    inode: Inode,
    kind: FileType,
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

    fn with<T>(&self, mount: u64, work: impl FnOnce(&mut State) -> Result<T, Errno>) -> Result<T, fuser::Errno> {
        let mut state = self.state.lock().map_err(|_| fuser::Errno::EIO)?;
        if state.mount != mount {
            return Err(fuser::Errno::ENOTCONN);
        }
        work(&mut state).map_err(|errno| fuser::Errno::from_i32(errno as i32))
    }

    /// Waits as long as each fsync is delayed, but no longer than `delay`.
    fn wait(&self, delay: Duration) {
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
    fn synchronise(&self, mount: u64, inode: Inode) -> Result<(), fuser::Errno> {
        self.with(mount, |State { image, faults, .. }| {
            if faults.fails {
                image.fail_to_sync(inode);
            }
            faults.refuse(faults.fails, Errno::EIO)?;
            faults.refuse(faults.is_read_only && image.is_unsynced(inode), Errno::EROFS)?;
            match image.node(inode)?.kind {
                Kind::Folder(_) => image.sync_folder(inode),
                _ => image.sync(inode),
            }
            Ok(())
        })
    }
}

/// One mount of a disk.
pub(super) struct Mount {
    pub(super) shared: Arc<Shared>,
    pub(super) number: u64,
}

impl State {
    /// Checks that files may be changed.
    fn check_writable(&mut self) -> Result<(), Errno> {
        self.faults.refuse(self.faults.is_read_only, Errno::EROFS)
    }

    /// Checks that the disk may take more than it has.
    fn check_space(&mut self) -> Result<(), Errno> {
        self.check_writable()?;
        self.faults.refuse(self.faults.is_full, Errno::ENOSPC)
    }

    fn create(&mut self, folder: INodeNo, name: &OsStr, kind: Kind, mode: u32, of: &Request) -> Result<Told, Errno> {
        self.check_space()?;
        let attributes = new_attributes(mode, of);
        let inode = self.image.create(Inode(folder.0), name, kind, attributes)?;
        self.touch(folder);
        self.tell(inode)
    }

    /// Returns what the kernel is told of an inode that it did not know or knows already.
    fn tell(&mut self, inode: Inode) -> Result<Told, Errno> {
        self.image.know(inode);
        Ok(told(inode, self.image.node(inode)?))
    }

    fn touch(&mut self, inode: INodeNo) {
        if let Ok(attributes) = self.image.attributes_mut(Inode(inode.0)) {
            attributes.modified = SystemTime::now();
            attributes.changed = attributes.modified;
        }
    }

    fn write(&mut self, inode: Inode, offset: u64, bytes: &[u8]) -> Result<(), Errno> {
        self.check_writable()?;
        let now = &self.image.file(inode)?.now;
        let grows = offset + bytes.len() as u64 > now.size() || now.missing(offset, bytes.len()) > 0;
        self.faults.refuse(self.faults.is_full && grows, Errno::ENOSPC)?;
        self.image.write(inode, offset, bytes)?;
        self.touch(INodeNo(inode.0));
        Ok(())
    }

    fn allocate(&mut self, inode: Inode, offset: u64, length: u64, mode: i32) -> Result<(), Errno> {
        const ZEROS: i32 = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_ZERO_RANGE;
        if mode & !(ZEROS | libc::FALLOC_FL_KEEP_SIZE) != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        if mode & libc::FALLOC_FL_PUNCH_HOLE == 0 {
            self.check_space()?
        } else {
            self.check_writable()?
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
    fn list(&self, folder: Inode) -> Result<Vec<Listed>, Errno> {
        let own = [".", ".."].map(|name| Listed { name: name.into(), inode: folder, kind: FileType::Directory });
        let listed = |(name, inode): (&OsString, &Inode)| {
            let kind = file_type(&self.image.node(*inode)?.kind);
            Ok(Listed { name: name.clone(), inode: *inode, kind })
        };
        let entries = self.image.entries(folder)?.iter().map(listed);
        own.into_iter().map(Ok).chain(entries).collect()
    }
}

/// What the kernel is told of an inode.
struct Told(FileAttr);

fn new_attributes(mode: u32, of: &Request) -> Attributes {
    let now = SystemTime::now();
    let permissions = permissions(mode);
    Attributes { permissions, user: of.uid(), group: of.gid(), accessed: now, modified: now, changed: now }
}

fn permissions(mode: u32) -> u16 {
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

fn told(inode: Inode, node: &Node) -> Told {
    let (size, blocks) = match &node.kind {
        Kind::File(file) => (file.now.size(), file.now.pages() as u64 * 8),
        Kind::Folder(_) => (u64::from(PAGE_BYTES), 8),
        Kind::Link(target) => (target.len() as u64, 0),
        Kind::Special(_) => (0, 0),
    };
    let Attributes { permissions, user, group, accessed, modified, changed } = node.attributes;
    Told(FileAttr {
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
    })
}

impl Mount {
    fn with<T>(&self, work: impl FnOnce(&mut State) -> Result<T, Errno>) -> Result<T, fuser::Errno> {
        self.shared.with(self.number, work)
    }

    /// Answers an fsync: late if each is delayed, and after the death of the processes if it is the one for that.
    fn sync(&self, inode: INodeNo, answer: impl FnOnce(Result<(), fuser::Errno>) + Send + 'static) {
        let begun = self.with(|state| {
            let left = state.faults.death.as_mut().map(|death| {
                death.left = death.left.saturating_sub(1);
                death.left
            });
            let death = if left == Some(0) { state.faults.death.take() } else { None };
            state.faults.were_felt |= death.is_some();
            Ok((state.faults.delay, death))
        });
        match begun {
            Err(errno) => answer(Err(errno)),
            Ok((_, Some(death))) => {
                // The process that waits for the answer is dead before it can read it.
                (death.kill)();
                answer(Err(fuser::Errno::EIO));
            }
            Ok((None, None)) => answer(self.shared.synchronise(self.number, Inode(inode.0))),
            Ok((Some(delay), None)) => {
                let (shared, number) = (Arc::clone(&self.shared), self.number);
                // Where there can be no thread, the answer is dropped, which is an error for who asked.
                let late = move || {
                    shared.wait(delay);
                    answer(shared.synchronise(number, Inode(inode.0)));
                };
                thread::Builder::new().name("slow fsync".into()).spawn(late).ok();
            }
        }
    }

    fn remove(&self, folder: INodeNo, reply: ReplyEmpty, remove: impl FnOnce(&mut Image, Inode) -> Result<(), Errno>) {
        let removed = self.with(|state| {
            state.check_writable()?;
            remove(&mut state.image, Inode(folder.0))?;
            state.touch(folder);
            Ok(())
        });
        done(reply, removed);
    }
}

fn done(reply: ReplyEmpty, result: Result<(), fuser::Errno>) {
    match result {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(errno),
    }
}

fn entry(reply: ReplyEntry, result: Result<Told, fuser::Errno>) {
    match result {
        Ok(Told(attributes)) => reply.entry(&BELIEVED, &attributes, Generation(0)),
        Err(errno) => reply.error(errno),
    }
}

fn data(reply: ReplyData, result: Result<Vec<u8>, fuser::Errno>) {
    match result {
        Ok(bytes) => reply.data(&bytes),
        Err(errno) => reply.error(errno),
    }
}

impl Filesystem for Mount {
    fn lookup(&self, _: &Request, folder: INodeNo, name: &OsStr, reply: ReplyEntry) {
        entry(
            reply,
            self.with(|state| {
                let inode = state.image.find(Inode(folder.0), name)?;
                state.tell(inode)
            }),
        );
    }

    fn forget(&self, _: &Request, inode: INodeNo, times: u64) {
        // A mount that is served no more has nothing to forget.
        self.with(|state| {
            state.image.forget(Inode(inode.0), times);
            Ok(())
        })
        .ok();
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.with(|state| Ok(told(Inode(inode.0), state.image.node(Inode(inode.0))?))) {
            Ok(Told(attributes)) => reply.attr(&BELIEVED, &attributes),
            Err(errno) => reply.error(errno),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        inode: INodeNo,
        mode: Option<u32>,
        user: Option<u32>,
        group: Option<u32>,
        size: Option<u64>,
        accessed: Option<TimeOrNow>,
        modified: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let time = |given: TimeOrNow| match given {
            TimeOrNow::SpecificTime(time) => time,
            TimeOrNow::Now => SystemTime::now(),
        };
        let changed = self.with(|state| {
            state.check_writable()?;
            if let Some(size) = size {
                state.image.resize(Inode(inode.0), size)?;
                state.touch(inode);
            }
            let attributes = state.image.attributes_mut(Inode(inode.0))?;
            attributes.permissions = mode.map_or(attributes.permissions, permissions);
            attributes.user = user.unwrap_or(attributes.user);
            attributes.group = group.unwrap_or(attributes.group);
            attributes.accessed = accessed.map_or(attributes.accessed, time);
            attributes.modified = modified.map_or(attributes.modified, time);
            attributes.changed = SystemTime::now();
            Ok(told(Inode(inode.0), state.image.node(Inode(inode.0))?))
        });
        match changed {
            Ok(Told(attributes)) => reply.attr(&BELIEVED, &attributes),
            Err(errno) => reply.error(errno),
        }
    }

    fn readlink(&self, _: &Request, inode: INodeNo, reply: ReplyData) {
        data(
            reply,
            self.with(|state| match &state.image.node(Inode(inode.0))?.kind {
                Kind::Link(target) => Ok(target.as_encoded_bytes().to_vec()),
                _ => Err(Errno::EINVAL),
            }),
        );
    }

    fn mknod(&self, of: &Request, folder: INodeNo, name: &OsStr, mode: u32, _: u32, _: u32, reply: ReplyEntry) {
        let kind = match mode & libc::S_IFMT {
            libc::S_IFREG => Ok(Kind::File(File::default())),
            special @ (libc::S_IFIFO | libc::S_IFSOCK) => Ok(Kind::Special(special)),
            _ => Err(Errno::EPERM),
        };
        entry(reply, self.with(|state| state.create(folder, name, kind?, mode, of)));
    }

    fn mkdir(&self, of: &Request, folder: INodeNo, name: &OsStr, mode: u32, _: u32, reply: ReplyEntry) {
        entry(reply, self.with(|state| state.create(folder, name, Kind::Folder(Folder::default()), mode, of)));
    }

    fn symlink(&self, of: &Request, folder: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        entry(reply, self.with(|state| state.create(folder, name, Kind::Link(target.into()), 0o777, of)));
    }

    fn create(&self, of: &Request, folder: INodeNo, name: &OsStr, mode: u32, _: u32, _: i32, reply: ReplyCreate) {
        match self.with(|state| state.create(folder, name, Kind::File(File::default()), mode, of)) {
            Ok(Told(attributes)) => {
                let flags = FopenFlags::FOPEN_KEEP_CACHE;
                reply.created(&BELIEVED, &attributes, Generation(0), FileHandle(0), flags);
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn unlink(&self, _: &Request, folder: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.remove(folder, reply, |image, folder| image.remove_file(folder, name));
    }

    fn rmdir(&self, _: &Request, folder: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.remove(folder, reply, |image, folder| image.remove_folder(folder, name));
    }

    fn rename(
        &self,
        _: &Request,
        from: INodeNo,
        name: &OsStr,
        to: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let keep = flags.contains(RenameFlags::RENAME_NOREPLACE);
        let is_known = (flags - RenameFlags::RENAME_NOREPLACE).is_empty();
        let renamed = self.with(|state| {
            state.check_writable()?;
            if !is_known {
                return Err(Errno::EINVAL);
            }
            state.image.rename((Inode(from.0), name), (Inode(to.0), new_name), keep)?;
            state.touch(from);
            state.touch(to);
            Ok(())
        });
        done(reply, renamed);
    }

    fn link(&self, _: &Request, inode: INodeNo, folder: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let linked = self.with(|state| {
            state.check_space()?;
            state.image.link(Inode(inode.0), Inode(folder.0), name)?;
            state.touch(folder);
            state.tell(Inode(inode.0))
        });
        entry(reply, linked);
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
    }

    fn read(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        data(reply, self.with(|state| Ok(state.image.file(Inode(inode.0))?.now.read(offset, size as usize))));
    }

    fn write(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        bytes: &[u8],
        _: WriteFlags,
        flags: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let answer = move |result| match result {
            Ok(()) => reply.written(length),
            Err(errno) => reply.error(errno),
        };
        match self.with(|state| state.write(Inode(inode.0), offset, bytes)) {
            Ok(()) if flags.0 & (libc::O_SYNC | libc::O_DSYNC) != 0 => self.sync(inode, answer),
            result => answer(result),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, inode: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(inode, move |result| done(reply, result));
    }

    fn fsyncdir(&self, _: &Request, inode: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(inode, move |result| done(reply, result));
    }

    fn opendir(&self, _: &Request, folder: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let opened = self.with(|state| {
            let listed = state.list(Inode(folder.0))?;
            state.opened += 1;
            state.listings.insert(state.opened, listed);
            Ok(state.opened)
        });
        match opened {
            Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::empty()),
            Err(errno) => reply.error(errno),
        }
    }

    fn readdir(&self, _: &Request, folder: INodeNo, handle: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let listed = self.with(|state| {
            if offset == 0 {
                let listed = state.list(Inode(folder.0))?;
                state.listings.insert(handle.0, listed);
            }
            let all = state.listings.get(&handle.0).ok_or(Errno::EBADF)?;
            Ok(all.iter().skip(usize::try_from(offset).unwrap_or(usize::MAX)).cloned().collect::<Vec<_>>())
        });
        match listed {
            Ok(listed) => {
                for (next, Listed { name, inode, kind }) in (offset + 1..).zip(listed) {
                    if reply.add(INodeNo(inode.0), next, kind, name) {
                        break;
                    }
                }
                reply.ok();
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn releasedir(&self, _: &Request, _: INodeNo, handle: FileHandle, _: OpenFlags, reply: ReplyEmpty) {
        done(reply, self.with(|state| Ok(drop(state.listings.remove(&handle.0)))));
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let space = self.with(|state| {
            let (all, free) = state.image.space();
            Ok((all as u64, if state.faults.is_full { 0 } else { free as u64 }))
        });
        match space {
            Ok((all, free)) => {
                reply.statfs(all, free, free, all, all, PAGE_BYTES, MAX_NAME, PAGE_BYTES);
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn fallocate(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        done(reply, self.with(|state| state.allocate(Inode(inode.0), offset, length, mode)));
    }
}
