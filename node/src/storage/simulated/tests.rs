//! Tests of the storage on a disk that fails and forgets.

use super::{
    super::{tests::*, *},
    *,
};
use crate::raft::{Entry, HardState, LogIndex, Membership, NodeId, Persist, Snapshot, Term};

impl SimulatedMedium {
    /// Creates a disk that holds these files, durably.
    pub(in super::super) fn holding(files: &[(&str, &[u8])]) -> Self {
        let simulated = Self::default();
        for (name, bytes) in files {
            let inode = simulated.create(name).unwrap();
            simulated.write_at(&inode, bytes, 0).unwrap();
            simulated.sync(&inode).unwrap();
        }
        simulated.sync_dir().unwrap();
        simulated
    }

    pub(in super::super) fn open_one(
        &self,
        start_mode: StartMode,
    ) -> Result<(Storage<Self>, StoredState), StorageError> {
        self.open(Owner { id: NodeId(1), members: MEMBERS.to_vec() }, start_mode, None)
    }

    pub(in super::super) fn restart(&self) -> (Storage<Self>, StoredState) {
        self.open_one(StartMode::Restart).unwrap()
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
        persist(Persist { hard_state: hard_state(3), snapshot: Some(Box::new(snapshot(9, 3))), ..Persist::default() }),
        persist(Persist { entries: large(10..=11, 3), ..Persist::default() }),
    ]
}

fn follow_step(model: &StoredState, step: &Step) -> StoredState {
    let mut model = model.clone();
    match step {
        Step::Persist(persist) => follow(&mut model, persist),
        Step::Compact(snapshot) => {
            follow(&mut model, &Persist { snapshot: Some(Box::new(snapshot.clone())), ..Persist::default() });
        }
    }
    model
}

fn carry_out(storage: &mut Storage<SimulatedMedium>, step: &Step) -> Result<(), StorageError> {
    match step {
        Step::Persist(persist) => storage.persist(&mut persist.clone()),
        Step::Compact(snapshot) => compact(storage, snapshot),
    }
}

/// Runs all steps of [`life`] until something goes wrong. Returns the states that may be found afterwards, the last
/// one reported durable and the one in progress, and the storage, if there is one.
fn live(disk: &SimulatedMedium) -> (Vec<StoredState>, Option<Storage<SimulatedMedium>>) {
    let mut model = StoredState::default();
    let Ok((mut storage, found)) = disk.open_one(StartMode::New) else { return (vec![model], None) };
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
            let opened = disk.open_one(StartMode::Restart);
            let Ok((storage, believed)) = opened else {
                assert!(matches!(opened, Err(StorageError::Empty { .. })), "{fault:?} at {at}: {opened:?}");
                assert_eq!(states, [StoredState::default()], "it had not even begun");
                continue;
            };
            assert!(states.contains(&believed), "{fault:?} at {at}: {believed:?}");
            drop(storage);
            disk.disk().lose_power(PowerLoss::Sectors(0));
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
            drop(disk.open_one(StartMode::Restart));
            disk.disk().fault = None;
            let Ok((storage, believed)) = disk.open_one(StartMode::Restart) else { continue };
            assert!(states.contains(&believed), "{at}, {second}: {believed:?}");
            drop(storage);
            disk.disk().lose_power(PowerLoss::Sectors(0));
            assert_eq!(disk.restart().1, believed, "{at}, {second}");
        }
    }
}

/// Tries many parts of what is being written: the last step is there completely or not at all, and never looks
/// like damage.
#[test]
fn a_loss_of_power_leaves_all_or_nothing_of_the_last_step() {
    for at in 1..=syncs_of_a_life() {
        let kinds = [PowerLoss::Part, PowerLoss::Torn, PowerLoss::Reordered, PowerLoss::Sectors];
        for (seed, kind) in (0..40).zip(kinds.iter().cycle()) {
            let disk = with_fault(at, DiskFault::PowerLost(kind(seed)));
            let (states, storage) = live(&disk);
            drop(storage);
            match disk.open_one(StartMode::Restart) {
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
    let (mut storage, _) = disk.open_one(StartMode::New).unwrap();
    let next = disk.disk().syncs + 1;
    disk.disk().fault = Some((next, DiskFault::Failed));
    assert!(matches!(storage.persist(&mut entries(1..=1, 1)), Err(StorageError::Io { action: "syncing", .. })));
    assert!(matches!(storage.persist(&mut entries(2..=2, 1)), Err(StorageError::Failed { .. })));
}

/// Running out of descriptors is no failure of the disk: the log continues, and the snapshot is made later.
#[test]
fn a_compaction_without_descriptors_is_given_up_and_nothing_else() {
    let disk = SimulatedMedium::default();
    let (mut storage, _) = disk.open_one(StartMode::New).unwrap();
    storage.persist(&mut entries(1..=5, 1)).unwrap();
    disk.disk().full = true;
    assert!(storage.begin_compaction((LogIndex(4), Term(1)), Membership::of(MEMBERS), || snapshot(4, 1).data));
    assert_eq!(finish(&mut storage).unwrap(), CompactionOutcome::Abandoned);
    storage.persist(&mut entries(6..=6, 1)).unwrap();
    disk.disk().full = false;
    compact(&mut storage, &snapshot(4, 1)).unwrap();
    assert_eq!(disk.restart().1.entries, entries(5..=6, 1).entries);
}
