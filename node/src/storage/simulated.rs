//! Simulated disk that fails and forgets, with every fault at every sync. Page cache and disk are separate; a failed
//! sync leaves the cache as it is and marks it clean (as Linux does); and a loss of power keeps any subset of the
//! sectors being written.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use nix::errno::Errno;
use rand_pcg::{
    Pcg64,
    rand_core::{Rng as _, SeedableRng as _},
};

use super::{
    Files, StartMode, Storage,
    image::Owner,
    medium::{Beside, Medium},
};
use crate::{defect::Defect, error::StorageError, host_clock::HostClock, raft::StoredState};

const PAGE_BYTES: usize = 512;
/// Share of syncs that are slow, one in so many, and the factor by which they are.
const SLOW_ONE_IN: u64 = 100;
const SLOW_FACTOR: u64 = 8;
const MILLION: u64 = 1_000_000;

/// A file: its pages in the cache, its pages on the disk, and the set of dirty pages.
#[derive(Clone, Debug, Default)]
struct Inode {
    cached: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
}

impl Inode {
    /// Writes those dirty pages to the disk that `chosen` selects.
    fn write_back(&mut self, mut chosen: impl FnMut() -> bool) {
        for page in std::mem::take(&mut self.dirty) {
            if chosen() {
                let (start, end) = (page * PAGE_BYTES, self.cached.len().min((page + 1) * PAGE_BYTES));
                self.durable.resize(self.durable.len().max(end), 0);
                self.durable[start..end].copy_from_slice(&self.cached[start..end]);
            }
        }
    }
}

/// Fault at a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiskFault {
    /// The process is killed before the sync takes effect.
    #[cfg(test)]
    Killed,
    /// The sync fails, and the dirty pages count as clean.
    Failed,
    /// Power is lost during the sync; the seed selects the pages that survive.
    PowerLost(u64),
}

/// Behaviour of a disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiskOptions {
    /// Shortest and longest time that most syncs take, in nanoseconds; one in a hundred takes eight times as long.
    pub sync_ns: (u64, u64),
    /// Number of syncs in a million that fail.
    pub failures_per_million: u32,
}

/// Random behaviour of a disk, on virtual time.
#[derive(Debug)]
struct Behaviour {
    options: DiskOptions,
    clock: HostClock,
    random: Pcg64,
    hindrance: Hindrance,
}

/// Hindrance of a disk by a fault, until it is healed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hindrance {
    /// None.
    #[default]
    None,
    /// Each sync takes longer by this time, in nanoseconds.
    Slow(u64),
    /// Each sync fails.
    Failing,
}

impl Behaviour {
    /// Lets the time of a sync pass; returns true if it fails.
    fn sync(&mut self) -> bool {
        let (shortest, longest) = self.options.sync_ns;
        let usual = shortest + self.random.next_u64() % (longest.saturating_sub(shortest) + 1);
        let factor = if self.random.next_u64().is_multiple_of(SLOW_ONE_IN) { SLOW_FACTOR } else { 1 };
        let delay = if let Hindrance::Slow(delay_ns) = self.hindrance { delay_ns } else { 0 };
        self.clock.pass(Duration::from_nanos(usual.saturating_mul(factor).saturating_add(delay)));
        let has_bad_luck = self.random.next_u64() % MILLION < self.options.failures_per_million.into();
        has_bad_luck || self.hindrance == Hindrance::Failing
    }
}

#[derive(Debug, Default)]
struct Disk {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    dirty_names: bool,
    syncs: usize,
    fault: Option<(usize, DiskFault)>,
    behaviour: Option<Behaviour>,
    /// True if there are no descriptors left for new files.
    full: bool,
}

impl Disk {
    /// Performs a sync, or the fault planned for it.
    fn sync(&mut self, inode: Option<usize>) -> io::Result<()> {
        self.syncs += 1;
        let fails = self.behaviour.as_mut().is_some_and(Behaviour::sync);
        let planned = self.fault.take_if(|(at, _)| *at == self.syncs).map(|(_, fault)| fault);
        let Some(fault) = planned.or(fails.then_some(DiskFault::Failed)) else {
            match inode {
                Some(inode) => self.inodes[inode].write_back(|| true),
                None => self.sync_names(),
            }
            return Ok(());
        };
        match (fault, inode) {
            #[cfg(test)]
            (DiskFault::Killed, _) => {}
            (DiskFault::Failed, Some(inode)) => self.inodes[inode].dirty.clear(),
            (DiskFault::Failed, None) => self.dirty_names = false,
            (DiskFault::PowerLost(seed), _) => self.lose_power(Some(seed)),
        }
        Err(Errno::EIO.into())
    }

    fn sync_names(&mut self) {
        if std::mem::take(&mut self.dirty_names) {
            self.durable_names = self.names.clone();
        }
    }

    /// Keeps what is durable, and a pseudo-random subset of the rest, chosen by `seed`; without one, nothing of it.
    fn lose_power(&mut self, seed: Option<u64>) {
        let mut state = seed;
        let mut chosen = move || {
            state.as_mut().is_some_and(|state| {
                *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                *state >> 63 == 1
            })
        };
        if chosen() {
            self.sync_names();
        }
        (self.names, self.dirty_names) = (self.durable_names.clone(), false);
        for inode in &mut self.inodes {
            inode.write_back(&mut chosen);
            inode.cached = inode.durable.clone();
        }
    }
}

/// Disk of one simulated node, which outlives its process. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct SimulatedMedium(Arc<Mutex<Disk>>);

impl SimulatedMedium {
    /// Creates an empty disk on the time of `clock`.
    pub(crate) fn new(options: DiskOptions, clock: HostClock, seed: u64) -> Self {
        let behaviour =
            Some(Behaviour { options, clock, random: Pcg64::seed_from_u64(seed), hindrance: Hindrance::None });
        Self(Arc::new(Mutex::new(Disk { behaviour, ..Disk::default() })))
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the disk as that of a node, with a planted defect of its storage if one is given.
    ///
    /// # Errors
    /// Returns an error as [`Storage::open`] does.
    pub(crate) fn open(
        &self,
        owner: Owner,
        start_mode: StartMode,
        defect: Option<Defect>,
    ) -> Result<(Storage<Self>, StoredState), StorageError> {
        let files = Files { dir: "simulated".into(), medium: self.clone(), defect };
        Storage::open_in(files, owner, start_mode, None)
    }

    /// Loses power now: what was synced stays, and of the rest what `seed` selects, or nothing without one.
    pub(crate) fn lose_power(&self, seed: Option<u64>) {
        let mut disk = self.disk();
        disk.fault = None;
        disk.lose_power(seed);
    }

    /// Loses power during the next sync but `after`.
    pub(crate) fn lose_power_after(&self, after: usize, seed: u64) {
        let mut disk = self.disk();
        disk.fault = Some((disk.syncs + 1 + after, DiskFault::PowerLost(seed)));
    }

    /// Hinders the disk from now on.
    pub(crate) fn hinder(&self, hindrance: Hindrance) {
        if let Some(behaviour) = &mut self.disk().behaviour {
            behaviour.hindrance = hindrance;
        }
    }

    /// Ends or begins the failures of syncs.
    pub(crate) fn fail(&self, failures_per_million: u32) {
        if let Some(behaviour) = &mut self.disk().behaviour {
            behaviour.options.failures_per_million = failures_per_million;
        }
    }
}

impl Medium for SimulatedMedium {
    type File = usize;

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let disk = self.disk();
        let inode = *disk.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(disk.inodes[inode].cached.clone())
    }

    fn create(&self, name: &str) -> io::Result<usize> {
        let mut disk = self.disk();
        if disk.full {
            return Err(Errno::EMFILE.into());
        }
        disk.inodes.push(Inode::default());
        let inode = disk.inodes.len() - 1;
        disk.names.insert(name.to_owned(), inode);
        disk.dirty_names = true;
        Ok(inode)
    }

    fn write_at(&self, file: &usize, bytes: &[u8], offset: u64) -> io::Result<()> {
        let inode = &mut self.disk().inodes[*file];
        let start = usize::try_from(offset).expect("the file is in memory");
        let end = start + bytes.len();
        inode.cached.resize(inode.cached.len().max(end), 0);
        inode.cached[start..end].copy_from_slice(bytes);
        inode.dirty.extend(start / PAGE_BYTES..end.div_ceil(PAGE_BYTES));
        Ok(())
    }

    fn sync(&self, file: &usize) -> io::Result<()> {
        self.disk().sync(Some(*file))
    }

    fn sync_name(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        let inode = *disk.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        disk.sync(Some(inode))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.disk();
        let inode = disk.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        disk.names.insert(to.to_owned(), inode);
        disk.dirty_names = true;
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        disk.dirty_names = true;
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.disk().sync(None)
    }

    /// Does the work at once, as there is one thread.
    fn beside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<Beside<T>> {
        Some(Beside::Done(work()))
    }
}

#[cfg(test)]
mod tests;
