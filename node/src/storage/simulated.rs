//! Simulated disk that fails and forgets, with every fault at every sync. Page cache and disk are separate; a failed
//! sync leaves the cache as it is and marks it clean (as Linux does); and a loss of power keeps any subset of the
//! sectors being written.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use nix::errno::Errno;

use super::{tests::*, *};
use crate::raft::{Entry, HardState, Term};

const PAGE_BYTES: usize = 512;

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
enum DiskFault {
    /// The process is killed before the sync takes effect.
    Killed,
    /// The sync fails, and the dirty pages count as clean.
    Failed,
    /// Power is lost during the sync; the seed selects the pages that survive.
    PowerLost(u64),
}

#[derive(Debug, Default)]
struct Disk {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    dirty_names: bool,
    syncs: usize,
    fault: Option<(usize, DiskFault)>,
    /// True if there are no descriptors left for new files.
    full: bool,
}

impl Disk {
    /// Performs a sync, or the fault planned for it.
    fn sync(&mut self, inode: Option<usize>) -> io::Result<()> {
        self.syncs += 1;
        let Some((_, fault)) = self.fault.take_if(|(at, _)| *at == self.syncs) else {
            match inode {
                Some(inode) => self.inodes[inode].write_back(|| true),
                None => self.sync_names(),
            }
            return Ok(());
        };
        match (fault, inode) {
            (DiskFault::Killed, _) => {}
            (DiskFault::Failed, Some(inode)) => self.inodes[inode].dirty.clear(),
            (DiskFault::Failed, None) => self.dirty_names = false,
            (DiskFault::PowerLost(seed), _) => self.lose_power(seed),
        }
        Err(Errno::EIO.into())
    }

    fn sync_names(&mut self) {
        if std::mem::take(&mut self.dirty_names) {
            self.durable_names = self.names.clone();
        }
    }

    /// Keeps what is durable, and a pseudo-random subset of the rest, chosen by `seed`.
    fn lose_power(&mut self, seed: u64) {
        let mut state = seed;
        let mut chosen = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 63 == 1
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

#[derive(Clone, Debug, Default)]
pub(super) struct SimulatedMedium(Arc<Mutex<Disk>>);

impl SimulatedMedium {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap()
    }

    /// Creates a disk that holds these files, durably.
    pub(super) fn holding(files: &[(&str, &[u8])]) -> Self {
        let simulated = Self::default();
        for (name, bytes) in files {
            let inode = simulated.create(name).unwrap();
            simulated.write_at(&inode, bytes, 0).unwrap();
            simulated.sync(&inode).unwrap();
        }
        simulated.sync_dir().unwrap();
        simulated
    }

    pub(super) fn open(&self, start_mode: StartMode) -> Result<(Storage<Self>, StoredState), StorageError> {
        let files = Files { dir: "simulated".into(), medium: self.clone(), defect: None };
        Storage::open_in(files, Owner { id: NodeId(1), members: MEMBERS.to_vec() }, start_mode, None)
    }

    pub(super) fn restart(&self) -> (Storage<Self>, StoredState) {
        self.open(StartMode::Restart).unwrap()
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
        let start = usize::try_from(offset).unwrap();
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
}

/// Operation of a node on its storage.
#[derive(Clone, Debug)]
enum Step {
    Persist(Persist),
    Compact(Snapshot),
}

/// Returns entries that fill several sectors each.
fn large(indexes: std::ops::RangeInclusive<u64>, term: u64) -> Vec<Entry> {
    let mut entries = entries(indexes, term).entries;
    for entry in &mut entries {
        let text = format!("{} of {}. ", entry.index, entry.term).repeat(90);
        entry.payload = crate::raft::Payload::Command(text.into());
    }
    entries
}

/// Returns a sequence with every kind of step, among them a compaction and a snapshot from the leader.
fn life() -> Vec<Step> {
    let persist = |persist| Step::Persist(persist);
    let hard_state = |term| Some(HardState { term: Term(term), voted_for: Some(NodeId(2)) });
    vec![
        persist(Persist { hard_state: hard_state(1), ..Persist::default() }),
        persist(Persist { entries: large(1..=3, 1), ..Persist::default() }),
        persist(Persist {
            truncate_from: Some(LogIndex(3)),
            entries: large(3..=5, 2),
            hard_state: hard_state(2),
            ..Persist::default()
        }),
        Step::Compact(snapshot(4, 2)),
        persist(Persist { entries: large(6..=6, 2), ..Persist::default() }),
        persist(Persist { hard_state: hard_state(3), snapshot: Some(snapshot(9, 3)), ..Persist::default() }),
        persist(Persist { entries: large(10..=11, 3), ..Persist::default() }),
    ]
}

fn follow_step(model: &StoredState, step: &Step) -> StoredState {
    let mut model = model.clone();
    match step {
        Step::Persist(persist) => follow(&mut model, persist),
        Step::Compact(snapshot) => {
            follow(&mut model, &Persist { snapshot: Some(snapshot.clone()), ..Persist::default() });
        }
    }
    model
}

fn carry_out(storage: &mut Storage<SimulatedMedium>, step: &Step) -> Result<(), StorageError> {
    match step {
        Step::Persist(persist) => storage.persist(persist),
        Step::Compact(snapshot) => compact(storage, snapshot),
    }
}

/// Runs all steps of [`life`] until something goes wrong. Returns the states that may be found afterwards, the last
/// one reported durable and the one in progress, and the storage, if there is one.
fn live(disk: &SimulatedMedium) -> (Vec<StoredState>, Option<Storage<SimulatedMedium>>) {
    let mut model = StoredState::default();
    let Ok((mut storage, found)) = disk.open(StartMode::New) else { return (vec![model], None) };
    assert_eq!(found, model);
    for step in life() {
        let next = follow_step(&model, &step);
        if carry_out(&mut storage, &step).is_err() {
            // The parts of a snapshot installation become durable one by one: the term comes first.
            let mut states = vec![model.clone(), next.clone()];
            states.push(StoredState { hard_state: next.hard_state, ..model });
            return (states, Some(storage));
        }
        model = next;
    }
    (vec![model], Some(storage))
}

fn syncs_of_a_life() -> usize {
    let disk = SimulatedMedium::default();
    live(&disk);
    disk.disk().syncs
}

fn with_fault(at: usize, fault: DiskFault) -> SimulatedMedium {
    let disk = SimulatedMedium::default();
    disk.disk().fault = Some((at, fault));
    disk
}

/// After a kill or a failed fsync the cache shows more than the disk holds. The state that a restarted node recovers
/// must still be there after a loss of power.
#[test]
fn what_a_restarted_node_believes_is_durable() {
    for at in 1..=syncs_of_a_life() {
        for fault in [DiskFault::Killed, DiskFault::Failed] {
            let disk = with_fault(at, fault);
            let (states, storage) = live(&disk);
            drop(storage);
            let opened = disk.open(StartMode::Restart);
            let Ok((storage, believed)) = opened else {
                assert!(matches!(opened, Err(StorageError::Empty { .. })), "{fault:?} at {at}: {opened:?}");
                assert_eq!(states, [StoredState::default()], "it had not even begun");
                continue;
            };
            assert!(states.contains(&believed), "{fault:?} at {at}: {believed:?}");
            drop(storage);
            disk.disk().lose_power(0);
            assert_eq!(disk.restart().1, believed, "{fault:?} at {at}");
        }
    }
}

/// Repeats the test with fsyncs that fail during the restart, too.
#[test]
fn a_restart_that_fails_is_not_believed_by_the_next() {
    for at in 1..=syncs_of_a_life() {
        for second in 1..=6 {
            let disk = with_fault(at, DiskFault::Failed);
            let (states, storage) = live(&disk);
            drop(storage);
            let before = disk.disk().syncs;
            disk.disk().fault = Some((before + second, DiskFault::Failed));
            drop(disk.open(StartMode::Restart));
            disk.disk().fault = None;
            let Ok((storage, believed)) = disk.open(StartMode::Restart) else { continue };
            assert!(states.contains(&believed), "{at}, {second}: {believed:?}");
            drop(storage);
            disk.disk().lose_power(0);
            assert_eq!(disk.restart().1, believed, "{at}, {second}");
        }
    }
}

/// Tries many subsets of the sectors being written: the last step is there completely or not at all, and never looks
/// like damage.
#[test]
fn a_loss_of_power_leaves_all_or_nothing_of_the_last_step() {
    for at in 1..=syncs_of_a_life() {
        for seed in 0..40 {
            let disk = with_fault(at, DiskFault::PowerLost(seed));
            let (states, storage) = live(&disk);
            drop(storage);
            match disk.open(StartMode::Restart) {
                Ok((_, found)) => assert!(states.contains(&found), "at {at}, seed {seed}: {found:?}"),
                Err(StorageError::Empty { .. }) => {
                    assert_eq!(states, [StoredState::default()], "it had not even begun");
                }
                Err(other) => panic!("at {at}, seed {seed}: {other}"),
            }
        }
    }
}

#[test]
fn after_a_failure_nothing_is_taken_any_more() {
    let disk = SimulatedMedium::default();
    let (mut storage, _) = disk.open(StartMode::New).unwrap();
    let next = disk.disk().syncs + 1;
    disk.disk().fault = Some((next, DiskFault::Failed));
    assert!(matches!(storage.persist(&entries(1..=1, 1)), Err(StorageError::Io { action: "syncing", .. })));
    assert!(matches!(storage.persist(&entries(2..=2, 1)), Err(StorageError::Failed { .. })));
}

/// Running out of descriptors is no failure of the disk: the log continues, and the snapshot is made later.
#[test]
fn a_compaction_without_descriptors_is_given_up_and_nothing_else() {
    let disk = SimulatedMedium::default();
    let (mut storage, _) = disk.open(StartMode::New).unwrap();
    storage.persist(&entries(1..=5, 1)).unwrap();
    disk.disk().full = true;
    assert!(storage.begin_compaction((LogIndex(4), Term(1)), || snapshot(4, 1).data));
    assert_eq!(finish(&mut storage).unwrap(), CompactionOutcome::Abandoned);
    storage.persist(&entries(6..=6, 1)).unwrap();
    disk.disk().full = false;
    compact(&mut storage, &snapshot(4, 1)).unwrap();
    assert_eq!(disk.restart().1.entries, entries(5..=6, 1).entries);
}
