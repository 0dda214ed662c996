//! Disk of a node: a file system of our own, in memory and behind FUSE, that knows what was fsynced. So the power of a
//! node can be cut, and its disk can be slow, full, read-only, faulty or damaged, for any program.

mod content;
mod damage;
mod fate;
mod fault;
mod filesystem;
mod image;
mod mount;
mod state;
#[cfg(test)]
mod tests;
mod unsynced;

pub use self::fault::{Damage, DiskFault, EntryRule, LossMode};
pub(crate) use self::mount::{Disk, FUSE};
