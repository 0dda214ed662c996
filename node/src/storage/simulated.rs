//! Simulated disk that fails and forgets, with every fault at every sync. Page cache and disk are separate; a failed
//! sync leaves the cache as it is and marks it clean (as Linux does); and a loss of power keeps a part of what was
//! not synced. Names are durable only once the folder is synced, which is all that POSIX promises.

mod unsynced;

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use nix::errno::Errno;
use rand_pcg::{
    Pcg64,
    rand_core::{Rng as _, SeedableRng as _},
};

pub use self::unsynced::PowerLoss;
use self::unsynced::{Change, Durable};
use super::{
    Files, StartMode, Storage,
    image::Owner,
    medium::{Beside, Medium},
};
use crate::{defect::Defect, error::StorageError, host_clock::HostClock, raft::StoredState};

/// Share of syncs that are slow, one in so many, and the factor by which they are.
const SLOW_ONE_IN: u64 = 100;
const SLOW_FACTOR: u64 = 8;
const MILLION: u64 = 1_000_000;

/// Fault at a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiskFault {
    /// The process is killed before the sync takes effect.
    #[cfg(test)]
    Killed,
    /// The sync fails, and the dirty pages count as clean.
    Failed,
    /// Power is lost during the sync.
    PowerLost(PowerLoss),
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
    /// Files as their readers see them.
    cached: Vec<Vec<u8>>,
    names: BTreeMap<String, usize>,
    durable: Durable,
    unsynced: Vec<Change>,
    /// Entries of the folder that a failed sync left behind: durable with the next sync after another change of it.
    left_behind: Vec<Change>,
    syncs: usize,
    fault: Option<(usize, DiskFault)>,
    behaviour: Option<Behaviour>,
    /// True if there are no descriptors left for new files.
    full: bool,
}

impl Disk {
    /// Performs the sync of a file, or of the folder, or the fault planned for it.
    fn sync(&mut self, file: Option<usize>) -> io::Result<()> {
        self.syncs += 1;
        let fails = self.behaviour.as_mut().is_some_and(Behaviour::sync);
        let planned = self.fault.take_if(|(at, _)| *at == self.syncs).map(|(_, fault)| fault);
        let fault = planned.or(fails.then_some(DiskFault::Failed));
        match fault {
            #[cfg(test)]
            Some(DiskFault::Killed) => {}
            Some(DiskFault::PowerLost(loss)) => self.lose_power(loss),
            None | Some(DiskFault::Failed) => {
                let ended = self.unsynced.extract_if(.., |change| change.file() == file);
                if fault.is_none() {
                    ended.for_each(|change| change.apply(&mut self.durable));
                } else {
                    // What a failed sync should have written counts as clean.
                    self.left_behind.extend(ended.filter(|change| change.file().is_none()));
                }
            }
        }
        fault.map_or(Ok(()), |_| Err(Errno::EIO.into()))
    }

    fn change_folder(&mut self, change: Change) {
        self.unsynced.append(&mut self.left_behind);
        self.unsynced.push(change);
    }

    /// Keeps what is durable, and of the rest what this loss leaves.
    fn lose_power(&mut self, loss: PowerLoss) {
        self.left_behind.clear();
        loss.decide(&std::mem::take(&mut self.unsynced), &mut self.durable);
        self.names = self.durable.names.clone();
        self.cached.clone_from(&self.durable.files);
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

    /// Loses power now: what was synced stays, and of the rest what the loss leaves.
    pub(crate) fn lose_power(&self, loss: PowerLoss) {
        let mut disk = self.disk();
        disk.fault = None;
        disk.lose_power(loss);
    }

    /// Loses power during the next sync but `after`.
    pub(crate) fn lose_power_after(&self, after: usize, loss: PowerLoss) {
        let mut disk = self.disk();
        disk.fault = Some((disk.syncs + 1 + after, DiskFault::PowerLost(loss)));
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
        let file = *disk.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(disk.cached[file].clone())
    }

    fn create(&self, name: &str) -> io::Result<usize> {
        let mut disk = self.disk();
        if disk.full {
            return Err(Errno::EMFILE.into());
        }
        let file = disk.cached.len();
        disk.cached.push(Vec::new());
        disk.durable.files.push(Vec::new());
        disk.names.insert(name.to_owned(), file);
        disk.change_folder(Change::Add { name: name.to_owned(), file });
        Ok(file)
    }

    fn write_at(&self, file: &usize, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut disk = self.disk();
        let offset = usize::try_from(offset).expect("the file is in memory");
        let (cached, end) = (&mut disk.cached[*file], offset + bytes.len());
        cached.resize(cached.len().max(end), 0);
        cached[offset..end].copy_from_slice(bytes);
        disk.unsynced.push(Change::Write { file: *file, offset, bytes: bytes.into() });
        Ok(())
    }

    fn sync(&self, file: &usize) -> io::Result<()> {
        self.disk().sync(Some(*file))
    }

    fn sync_name(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        let file = *disk.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        disk.sync(Some(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.disk();
        let file = disk.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        disk.names.insert(to.to_owned(), file);
        disk.change_folder(Change::Move { from: from.to_owned(), to: to.to_owned(), file });
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        disk.change_folder(Change::Remove { name: name.to_owned() });
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
