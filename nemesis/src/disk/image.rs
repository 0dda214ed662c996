//! Files of a disk twice: as programs see them, and as they would be after a power loss. Pure; the face that the kernel
//! knows is in `filesystem.rs`.
//!
//! Data is durable once its file was synchronised. Entries of directories are durable, by the rule of ext4, once
//! anything was synchronised, since that commits the journal; strictly, once their directory was. Owners, permissions
//! and times are not forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::time::SystemTime;

use nix::errno::Errno;

use super::content::{Content, PAGE};
use super::fate::Fate;
use super::fault::{EntryRule, LossMode};
use super::unsynced::{Change, EntryChange, Inode, Unsynced};
use crate::random::Random;

pub(super) const ROOT: Inode = Inode(1);

/// Bytes of unsynced changes to files, above which the oldest are written back, as a kernel would.
const MOST_UNSYNCED_BYTES: usize = 64 << 20;
/// Unsynced changes to entries, above which they are committed.
const MOST_UNSYNCED_ENTRIES: usize = 1 << 16;
/// Maximum size of a file; a sparse one takes less.
const MAX_FILE_BYTES: u64 = 1 << 40;

/// Owner, permissions and times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attributes {
    pub(super) permissions: u16,
    pub(super) user: u32,
    pub(super) group: u32,
    pub(super) accessed: SystemTime,
    pub(super) modified: SystemTime,
    pub(super) changed: SystemTime,
}

/// Kind of an inode, with what it holds.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    File(File),
    Folder(Folder),
    /// Symbolic link with its target.
    Link(OsString),
    /// Socket or pipe, by its type as in `st_mode`.
    Special(u32),
}

#[derive(Debug, Clone, Default)]
pub(super) struct File {
    pub(super) now: Content,
    durable: Content,
    unsynced: Unsynced<Change>,
}

type Entries = BTreeMap<OsString, Inode>;

#[derive(Debug, Clone, Default)]
pub(super) struct Folder {
    now: Entries,
    durable: Entries,
}

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) attributes: Attributes,
    /// Entries that name it.
    pub(super) links: u32,
    /// References that the kernel holds.
    known: u64,
}

/// Files of one disk.
#[derive(Debug, Clone)]
pub(super) struct Image {
    rule: EntryRule,
    capacity_bytes: usize,
    nodes: BTreeMap<Inode, Node>,
    made: u64,
    /// Number of changes so far.
    changes: u64,
    unsynced_entries: Unsynced<EntryChange>,
    unsynced_bytes: usize,
    pages: usize,
    /// Inodes that no entry names any more.
    orphans: BTreeSet<Inode>,
}

impl Image {
    pub(super) fn new(rule: EntryRule, capacity_bytes: usize, attributes: Attributes) -> Self {
        let root = Node { kind: Kind::Folder(Folder::default()), attributes, links: 1, known: 1 };
        let nodes = BTreeMap::from([(ROOT, root)]);
        let (unsynced_entries, orphans) = <_>::default();
        let (made, changes, unsynced_bytes, pages) = (ROOT.0, 0, 0, 0);
        Self { rule, capacity_bytes, nodes, made, changes, unsynced_entries, unsynced_bytes, pages, orphans }
    }

    /// Returns the number of pages of the disk, and of those that are free.
    pub(super) fn space(&self) -> (usize, usize) {
        let all = self.capacity_bytes / PAGE;
        (all, all.saturating_sub(self.pages))
    }

    pub(super) fn node(&self, inode: Inode) -> Result<&Node, Errno> {
        self.nodes.get(&inode).ok_or(Errno::ENOENT)
    }

    pub(super) fn attributes_mut(&mut self, inode: Inode) -> Result<&mut Attributes, Errno> {
        self.nodes.get_mut(&inode).map(|node| &mut node.attributes).ok_or(Errno::ENOENT)
    }

    pub(super) fn file(&self, inode: Inode) -> Result<&File, Errno> {
        match &self.node(inode)?.kind {
            Kind::File(file) => Ok(file),
            Kind::Folder(_) => Err(Errno::EISDIR),
            Kind::Link(_) | Kind::Special(_) => Err(Errno::EINVAL),
        }
    }

    fn file_mut(&mut self, inode: Inode) -> Result<&mut File, Errno> {
        self.file(inode)?;
        match self.nodes.get_mut(&inode).map(|node| &mut node.kind) {
            Some(Kind::File(file)) => Ok(file),
            _ => Err(Errno::ENOENT),
        }
    }

    /// Returns what a folder has now, in order of names.
    pub(super) fn entries(&self, folder: Inode) -> Result<&Entries, Errno> {
        match &self.node(folder)?.kind {
            Kind::Folder(folder) => Ok(&folder.now),
            _ => Err(Errno::ENOTDIR),
        }
    }

    pub(super) fn find(&self, folder: Inode, name: &OsStr) -> Result<Inode, Errno> {
        self.entries(folder)?.get(name).copied().ok_or(Errno::ENOENT)
    }

    /// Notes that the kernel was told of an inode once more.
    pub(super) fn know(&mut self, inode: Inode) {
        if let Some(node) = self.nodes.get_mut(&inode) {
            node.known += 1;
        }
    }

    /// Notes that the kernel has forgotten an inode so many times.
    pub(super) fn forget(&mut self, inode: Inode, times: u64) {
        if let Some(node) = self.nodes.get_mut(&inode) {
            node.known = node.known.saturating_sub(times);
        }
        if self.orphans.contains(&inode) && self.unsynced_entries.is_empty() {
            self.remove_orphans();
        }
    }

    pub(super) fn create(
        &mut self,
        folder: Inode,
        name: &OsStr,
        kind: Kind,
        attributes: Attributes,
    ) -> Result<Inode, Errno> {
        if self.entries(folder)?.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        self.made += 1;
        let inode = Inode(self.made);
        self.nodes.insert(inode, Node { kind, attributes, links: 0, known: 0 });
        self.change_entry(EntryChange::Add { folder, name: name.into(), inode });
        Ok(inode)
    }

    pub(super) fn link(&mut self, inode: Inode, folder: Inode, name: &OsStr) -> Result<(), Errno> {
        if matches!(self.node(inode)?.kind, Kind::Folder(_)) {
            return Err(Errno::EPERM);
        }
        if self.entries(folder)?.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        self.change_entry(EntryChange::Add { folder, name: name.into(), inode });
        Ok(())
    }

    pub(super) fn remove_file(&mut self, folder: Inode, name: &OsStr) -> Result<(), Errno> {
        if self.entries(self.find(folder, name)?).is_ok() {
            return Err(Errno::EISDIR);
        }
        self.change_entry(EntryChange::Remove { folder, name: name.into() });
        Ok(())
    }

    pub(super) fn remove_folder(&mut self, folder: Inode, name: &OsStr) -> Result<(), Errno> {
        if !self.entries(self.find(folder, name)?)?.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.change_entry(EntryChange::Remove { folder, name: name.into() });
        Ok(())
    }

    /// Moves an entry, in place of another one unless that shall be kept. The kernel has refused what would make a
    /// folder its own parent.
    pub(super) fn rename(
        &mut self,
        (from, name): (Inode, &OsStr),
        (to, new_name): (Inode, &OsStr),
        keep: bool,
    ) -> Result<(), Errno> {
        let inode = self.find(from, name)?;
        if let Some(replaced) = self.entries(to)?.get(new_name).copied() {
            match (self.entries(inode), self.entries(replaced)) {
                _ if keep => return Err(Errno::EEXIST),
                (Ok(_), Err(_)) => return Err(Errno::ENOTDIR),
                (Err(_), Ok(_)) => return Err(Errno::EISDIR),
                (Ok(_), Ok(entries)) if !entries.is_empty() => return Err(Errno::ENOTEMPTY),
                _ if replaced == inode => return Ok(()),
                _ => {}
            }
        }
        let (name, new_name) = (name.into(), new_name.into());
        self.change_entry(EntryChange::Move { from, name, to, new_name, inode });
        Ok(())
    }

    fn change_entry(&mut self, change: EntryChange) {
        self.changes += 1;
        let entries = |folder: Inode, nodes: &BTreeMap<Inode, Node>, name: &OsStr| {
            nodes.get(&folder).and_then(|node| match &node.kind {
                Kind::Folder(folder) => folder.now.get(name).copied(),
                _ => None,
            })
        };
        let lost = match &change {
            EntryChange::Remove { folder, name } => entries(*folder, &self.nodes, name),
            EntryChange::Move { to, new_name, .. } => entries(*to, &self.nodes, new_name),
            EntryChange::Add { inode, .. } => {
                self.nodes.entry(*inode).and_modify(|node| node.links += 1);
                self.orphans.remove(inode);
                None
            }
        };
        if let Some(lost) = lost
            && let Some(node) = self.nodes.get_mut(&lost)
        {
            node.links -= 1;
            if node.links == 0 {
                self.orphans.insert(lost);
            }
        }
        apply(&mut self.nodes, &change, |folder| &mut folder.now);
        self.unsynced_entries.push(self.changes, change);
        if self.unsynced_entries.len() > MOST_UNSYNCED_ENTRIES {
            self.commit();
        }
    }

    /// Writes to a file.
    ///
    /// # Errors
    /// Fails with `ENOSPC` if the disk is full, or `EFBIG`.
    pub(super) fn write(&mut self, inode: Inode, offset: u64, bytes: &[u8]) -> Result<(), Errno> {
        let more = self.file(inode)?.now.missing(offset, bytes.len());
        if more > self.space().1 {
            self.commit(); // What nobody needs any more makes place.
            if more > self.space().1 {
                return Err(Errno::ENOSPC);
            }
        }
        self.change(inode, Change::Write { offset, bytes: bytes.into() })
    }

    pub(super) fn resize(&mut self, inode: Inode, size: u64) -> Result<(), Errno> {
        self.change(inode, Change::Resize { size })
    }

    pub(super) fn zero(&mut self, inode: Inode, offset: u64, length: u64) -> Result<(), Errno> {
        self.change(inode, Change::Zero { offset, length })
    }

    fn change(&mut self, inode: Inode, change: Change) -> Result<(), Errno> {
        if change.end() > MAX_FILE_BYTES {
            return Err(Errno::EFBIG);
        }
        self.changes += 1;
        let sequence = self.changes;
        let file = self.file_mut(inode)?;
        let before = file.now.pages();
        change.apply(&mut file.now);
        let (after, bytes) = (file.now.pages(), change.bytes());
        file.unsynced.push(sequence, change);
        self.pages = self.pages + after - before;
        self.unsynced_bytes += bytes;
        while self.unsynced_bytes > MOST_UNSYNCED_BYTES {
            self.write_back_oldest();
        }
        Ok(())
    }

    fn write_back_oldest(&mut self) {
        let first = |node: &Node| match &node.kind {
            Kind::File(file) => file.unsynced.first(),
            _ => None,
        };
        let oldest = self.nodes.iter().filter_map(|(inode, node)| Some((first(node)?, *inode))).min();
        match oldest {
            Some((_, inode)) => self.synchronise(inode),
            None => self.unsynced_bytes = 0,
        }
    }

    /// Makes the data of a file durable, and by the rule of ext4 all entries.
    pub(super) fn sync(&mut self, inode: Inode) {
        self.synchronise(inode);
        if self.rule == EntryRule::Ext4 {
            self.commit();
        }
    }

    fn synchronise(&mut self, inode: Inode) {
        if let Ok(file) = self.file_mut(inode) {
            let changes = file.unsynced.take();
            for (_, change) in &changes {
                file.durable.share(&file.now, change.from(), change.length());
            }
            self.unsynced_bytes -= changes.iter().map(|(_, change)| change.bytes()).sum::<usize>();
        }
    }

    /// Takes the data of a file as written without its being durable, as Linux does after an error.
    pub(super) fn fail_to_sync(&mut self, inode: Inode) {
        if let Ok(file) = self.file_mut(inode) {
            let bytes = file.unsynced.take().iter().map(|(_, change)| change.bytes()).sum::<usize>();
            self.unsynced_bytes -= bytes;
        }
    }

    /// Returns true if the data of a file is not durable yet.
    pub(super) fn is_unsynced(&self, inode: Inode) -> bool {
        self.file(inode).is_ok_and(|file| !file.unsynced.is_empty())
    }

    /// Makes the entries of a folder durable, and by the rule of ext4 all others too.
    pub(super) fn sync_folder(&mut self, inode: Inode) {
        if self.rule == EntryRule::Ext4 {
            return self.commit();
        }
        if let Some(Node { kind: Kind::Folder(folder), .. }) = self.nodes.get_mut(&inode) {
            folder.durable.clone_from(&folder.now);
        }
        for (sequence, change) in self.unsynced_entries.take() {
            if let Some(rest) = change.without(inode) {
                self.unsynced_entries.push(sequence, rest);
            }
        }
        self.remove_orphans();
    }

    /// Returns the files that are not empty.
    pub(super) fn files(&self) -> Vec<Inode> {
        let is_file = |node: &Node| matches!(&node.kind, Kind::File(file) if file.now.size() > 0);
        self.nodes.iter().filter(|(_, node)| is_file(node)).map(|(inode, _)| *inode).collect()
    }

    /// Changes a file that has nothing unsynced, durably.
    pub(super) fn edit(&mut self, inode: Inode, edit: impl FnOnce(&mut Content)) {
        if let Ok(file) = self.file_mut(inode) {
            edit(&mut file.now);
            file.durable = file.now.clone();
        }
    }

    /// Makes everything durable.
    pub(super) fn sync_all(&mut self) {
        for inode in self.nodes.keys().copied().collect::<Vec<_>>() {
            self.synchronise(inode);
        }
        self.commit();
    }

    /// Makes all entries durable, as a commit of the journal does.
    fn commit(&mut self) {
        for (_, change) in self.unsynced_entries.take() {
            apply(&mut self.nodes, &change, |folder| &mut folder.durable);
        }
        self.remove_orphans();
    }

    /// Removes inodes that nobody can reach, neither now nor after a power loss.
    fn remove_orphans(&mut self) {
        if self.orphans.is_empty() {
            return;
        }
        let mut held: BTreeSet<Inode> = self.unsynced_entries.iter().filter_map(EntryChange::inode).collect();
        if self.rule == EntryRule::Strict {
            let durable = self.nodes.values().filter_map(|node| match &node.kind {
                Kind::Folder(folder) => Some(folder.durable.values()),
                _ => None,
            });
            held.extend(durable.flatten());
        }
        let is_free = |inode: &Inode, node: &Node| node.known == 0 && !held.contains(inode);
        let free: Vec<Inode> = self.orphans.iter().copied().collect();
        for inode in free {
            if self.nodes.get(&inode).is_none_or(|node| is_free(&inode, node)) {
                self.fail_to_sync(inode);
                self.pages -= self.file(inode).map_or(0, |file| file.now.pages());
                self.nodes.remove(&inode);
                self.orphans.remove(&inode);
            }
        }
    }

    /// Forgets what is not durable, but for what the mode lets through. The kernel must know of no inode any more.
    pub(super) fn lose_power(&mut self, mode: LossMode, random: &mut Random) {
        let entries = self.unsynced_entries.take();
        let mut changes: BTreeMap<u64, Option<Inode>> = entries.iter().map(|(at, _)| (*at, None)).collect();
        for (inode, node) in &self.nodes {
            if let Kind::File(file) = &node.kind {
                changes.extend(file.unsynced.sequences().map(|at| (at, Some(*inode))));
            }
        }
        let fate = Fate::draw(mode, self.rule, &changes, random);
        for node in self.nodes.values_mut() {
            node.known = 0;
            if let Kind::File(file) = &mut node.kind {
                for (at, change) in file.unsynced.take() {
                    if fate.kept.contains(&at) {
                        change.apply(&mut file.durable);
                    } else if let Some((torn, draw)) = fate.torn
                        && torn == at
                    {
                        change.torn(draw).apply(&mut file.durable);
                    }
                }
                file.now = file.durable.clone();
            }
        }
        for (at, change) in entries {
            if fate.kept.contains(&at) {
                apply(&mut self.nodes, &change, |folder| &mut folder.durable);
            }
        }
        self.unsynced_bytes = 0;
        self.begin_anew();
    }

    /// Makes the durable entries those that programs see, and removes what these do not reach.
    fn begin_anew(&mut self) {
        let mut links: BTreeMap<Inode, u32> = BTreeMap::from([(ROOT, 1)]);
        let mut to_visit = vec![ROOT];
        while let Some(inode) = to_visit.pop() {
            if let Some(Node { kind: Kind::Folder(folder), .. }) = self.nodes.get_mut(&inode) {
                folder.now.clone_from(&folder.durable);
                for inode in folder.now.values() {
                    *links.entry(*inode).or_default() += 1;
                    if links[inode] == 1 {
                        to_visit.push(*inode);
                    }
                }
            }
        }
        self.nodes.retain(|inode, _| links.contains_key(inode));
        self.orphans.clear();
        self.pages = 0;
        for (inode, node) in &mut self.nodes {
            node.links = links[inode];
            if let Kind::File(file) = &node.kind {
                self.pages += file.now.pages();
            }
        }
    }
}

/// Applies a change to one of the two sets of entries.
fn apply(nodes: &mut BTreeMap<Inode, Node>, change: &EntryChange, which: impl Fn(&mut Folder) -> &mut Entries) {
    let mut set = |folder: &Inode, name: &OsStr, inode: Option<Inode>| {
        if let Some(Node { kind: Kind::Folder(folder), .. }) = nodes.get_mut(folder) {
            match inode {
                Some(inode) => which(folder).insert(name.into(), inode),
                None => which(folder).remove(name),
            };
        }
    };
    match change {
        EntryChange::Add { folder, name, inode } => set(folder, name, Some(*inode)),
        EntryChange::Remove { folder, name } => set(folder, name, None),
        EntryChange::Move { from, name, to, new_name, inode } => {
            set(from, name, None);
            set(to, new_name, Some(*inode));
        }
    }
}
