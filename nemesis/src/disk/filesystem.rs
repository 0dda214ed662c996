//! Face of a disk that the kernel knows: its answers to the requests of FUSE.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, FileAttr, FileHandle, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, OpenFlags, RenameFlags,
    ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite,
    Request, TimeOrNow, WriteFlags,
};
use nix::errno::Errno;
use nix::libc;

use super::image::{File, Folder, Image, Kind};
use super::state::{Listed, PAGE_BYTES, Refusal, Shared, State, permissions, told};
use super::unsynced::Inode;

/// Time for which the kernel may believe what it was told: nobody changes files behind its back.
const BELIEVED: Duration = Duration::from_hours(1);
/// Maximum length of a name, as everywhere in Linux.
const MAX_NAME: u32 = 255;

/// One mount of a disk.
pub(super) struct Mount {
    pub(super) shared: Arc<Shared>,
    pub(super) number: u64,
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

fn entry(reply: ReplyEntry, result: Result<FileAttr, fuser::Errno>) {
    match result {
        Ok(attributes) => reply.entry(&BELIEVED, &attributes, Generation(0)),
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
            Ok(attributes) => reply.attr(&BELIEVED, &attributes),
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
            Ok(attributes) => reply.attr(&BELIEVED, &attributes),
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
            Ok(attributes) => {
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
        let closed = self.with(|state| {
            state.listings.remove(&handle.0);
            Ok(())
        });
        done(reply, closed);
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let space = self.with(|state| {
            let (all, free) = state.image.space();
            Ok((all as u64, if state.faults.refusals.contains(&Refusal::Growth) { 0 } else { free as u64 }))
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
