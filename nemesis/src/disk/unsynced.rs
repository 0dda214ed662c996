//! Changes to files and folders that are not durable yet, in their order.

use std::ffi::OsString;
use std::sync::Arc;

use super::content::Content;

/// Unit in which a disk writes: a torn write ends between two.
const SECTOR: u64 = 512;
/// Memory that a change takes beyond its bytes.
const OVERHEAD_BYTES: usize = 64;

/// Number of a file, folder or link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Inode(pub(super) u64);

/// Changes, each with its number in the order of all changes of a disk.
#[derive(Debug, Clone)]
pub(super) struct Unsynced<T>(Vec<(u64, T)>);

impl<T> Default for Unsynced<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Unsynced<T> {
    pub(super) fn push(&mut self, sequence: u64, change: T) {
        self.0.push((sequence, change));
    }

    pub(super) fn take(&mut self) -> Vec<(u64, T)> {
        std::mem::take(&mut self.0)
    }

    pub(super) fn first(&self) -> Option<u64> {
        self.sequences().next()
    }

    pub(super) fn sequences(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|(sequence, _)| *sequence)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, change)| change)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Change to a file.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Write { offset: u64, bytes: Arc<[u8]> },
    Resize { size: u64 },
    Zero { offset: u64, length: u64 },
}

impl Change {
    pub(super) fn apply(&self, content: &mut Content) {
        match self {
            Self::Write { offset, bytes } => content.write(*offset, bytes),
            Self::Resize { size } => content.resize(*size),
            Self::Zero { offset, length } => content.zero(*offset, *length),
        }
    }

    /// Returns the first byte that it may have changed.
    pub(super) fn from(&self) -> u64 {
        match self {
            Self::Write { offset, .. } | Self::Zero { offset, .. } => *offset,
            Self::Resize { size } => *size,
        }
    }

    /// Returns the number of bytes from there on that it may have changed.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Write { bytes, .. } => bytes.len() as u64,
            Self::Resize { .. } => u64::MAX,
            Self::Zero { length, .. } => *length,
        }
    }

    /// Returns the place up to which a file must be able to reach.
    pub(super) fn end(&self) -> u64 {
        match self {
            Self::Resize { size } => *size,
            Self::Write { .. } => self.from().saturating_add(self.length()),
            Self::Zero { .. } => 0,
        }
    }

    /// Returns the memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        OVERHEAD_BYTES + if let Self::Write { bytes, .. } = self { bytes.len() } else { 0 }
    }

    /// Returns the part of a write that ends at a border between sectors, by a random number; nothing of other changes.
    pub(super) fn torn(&self, draw: u64) -> Self {
        let nothing = |offset| Self::Zero { offset, length: 0 };
        let Self::Write { offset, bytes } = self else { return nothing(0) };
        let first = offset / SECTOR;
        let sectors = (offset + bytes.len() as u64).div_ceil(SECTOR) - first;
        let end = (first + draw % sectors.max(1)) * SECTOR;
        match usize::try_from(end.saturating_sub(*offset)) {
            Ok(length @ 1..) => Self::Write { offset: *offset, bytes: bytes[..length].into() },
            _ => nothing(*offset),
        }
    }
}

/// Change to the entries of one folder or two.
#[derive(Debug, Clone)]
pub(super) enum EntryChange {
    Add { folder: Inode, name: OsString, inode: Inode },
    Remove { folder: Inode, name: OsString },
    Move { from: Inode, name: OsString, to: Inode, new_name: OsString, inode: Inode },
}

impl EntryChange {
    /// Returns the inode that it names.
    pub(super) fn inode(&self) -> Option<Inode> {
        match self {
            Self::Add { inode, .. } | Self::Move { inode, .. } => Some(*inode),
            Self::Remove { .. } => None,
        }
    }

    /// Returns what is left of it once a folder was synchronised by itself.
    pub(super) fn without(self, synced: Inode) -> Option<Self> {
        match self {
            Self::Add { folder, .. } | Self::Remove { folder, .. } if folder == synced => None,
            Self::Move { from, to, .. } if from == synced && to == synced => None,
            Self::Move { from, to, new_name, inode, .. } if from == synced => {
                Some(Self::Add { folder: to, name: new_name, inode })
            }
            Self::Move { from, name, to, .. } if to == synced => Some(Self::Remove { folder: from, name }),
            other => Some(other),
        }
    }
}
