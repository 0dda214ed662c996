//! Tests of the states that a crash may leave behind, byte by byte, and of those that it may not.

mod defects;

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use bytes::Bytes;
use proptest::prelude::*;
use tempfile::{TempDir, tempdir};

use super::{simulated::SimulatedMedium, *};
use crate::raft::{Entry, HardState, Membership, Payload, Term};

pub(super) const MEMBERS: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];

/// Opens the directory, as a new node if nothing is there.
fn open(dir: &Path) -> Result<(Storage, StoredState), StorageError> {
    open_with(dir, None)
}

fn open_with(dir: &Path, defect: Option<Defect>) -> Result<(Storage, StoredState), StorageError> {
    let new = !dir.join(WAL).exists() && !dir.join(SNAPSHOT).exists();
    Storage::open(dir, NodeId(1), &MEMBERS, if new { StartMode::New } else { StartMode::Restart }, defect)
}

/// Compacts, and waits for the end.
pub(super) fn compact<M: Medium>(storage: &mut Storage<M>, snapshot: &Snapshot) -> Result<(), StorageError> {
    let data = snapshot.data.clone();
    let last = (snapshot.last_index, snapshot.last_term);
    assert!(storage.begin_compaction(last, snapshot.membership.clone(), || data));
    assert_eq!(finish(storage)?, CompactionOutcome::Done(snapshot.clone()));
    Ok(())
}

pub(super) fn finish<M: Medium>(storage: &mut Storage<M>) -> Result<CompactionOutcome, StorageError> {
    let start = Instant::now();
    loop {
        if let Some(compacted) = storage.finish_compaction()? {
            return Ok(compacted);
        }
        assert!(start.elapsed() < Duration::from_secs(10), "the compaction ends");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn stored(dir: &Path) -> StoredState {
    open(dir).unwrap().1
}

fn entry(index: u64, term: u64) -> Entry {
    let payload = Payload::Command(Bytes::from(format!("command {index} of term {term}")));
    Entry { index: LogIndex(index), term: Term(term), payload }
}

pub(super) fn entries(indexes: std::ops::RangeInclusive<u64>, term: u64) -> Persist {
    Persist { entries: indexes.map(|index| entry(index, term)).collect(), ..Persist::default() }
}

fn vote(term: u64) -> HardState {
    HardState { term: Term(term), voted_for: Some(NodeId(2)) }
}

pub(super) fn snapshot(index: u64, term: u64) -> Snapshot {
    let (membership, data) = (Membership::of(MEMBERS), Bytes::from(format!("state at {index}")));
    Snapshot { last_index: LogIndex(index), last_term: Term(term), membership, data }
}

/// Returns a directory after three batches, with the end of the log and the state after each.
fn three_batches() -> (TempDir, Vec<(u64, StoredState)>) {
    let dir = tempdir().unwrap();
    let (mut storage, mut model) = open(dir.path()).unwrap();
    let mut steps = vec![(storage.end, model.clone())];
    let rewrite = Persist { truncate_from: Some(LogIndex(2)), ..entries(2..=3, 2) };
    for persist in [Persist { hard_state: Some(vote(1)), ..entries(1..=2, 1) }, rewrite, entries(4..=4, 2)] {
        storage.persist(&mut persist.clone()).unwrap();
        follow(&mut model, &persist);
        steps.push((storage.end, model.clone()));
    }
    (dir, steps)
}

/// Applies the contract of `Persist` in the simplest way.
pub(super) fn follow(model: &mut StoredState, persist: &Persist) {
    if let Some(hard_state) = persist.hard_state {
        model.hard_state = hard_state;
    }
    if let Some(snapshot) = &persist.snapshot {
        let agrees = |entry: &Entry| entry.index == snapshot.last_index && entry.term == snapshot.last_term;
        let keep = model.entries.iter().any(agrees);
        model.entries.retain(|entry| keep && entry.index > snapshot.last_index);
        model.snapshot = Some((**snapshot).clone());
    }
    if let Some(from) = persist.truncate_from {
        model.entries.retain(|entry| entry.index < from);
    }
    model.entries.extend(persist.entries.iter().cloned());
}

#[test]
fn what_was_made_durable_is_there_after_a_restart() {
    let (dir, steps) = three_batches();
    let stored = stored(dir.path());
    assert_eq!(stored, steps[3].1);
    assert_eq!(stored.hard_state, vote(1));
    assert_eq!(stored.entries.iter().map(|entry| entry.term.0).collect::<Vec<_>>(), [1, 2, 2, 2]);
}

#[test]
fn one_batch_is_one_fsync_and_nothing_is_none() {
    let dir = tempdir().unwrap();
    let (mut storage, _) = open(dir.path()).unwrap();
    storage.persist(&mut Persist { hard_state: Some(vote(1)), ..entries(1..=50, 1) }).unwrap();
    assert_eq!(storage.fsyncs(), 1);
    storage.persist(&mut Persist::default()).unwrap();
    assert_eq!(storage.fsyncs(), 1);
}

#[test]
fn a_log_cut_anywhere_recovers_to_its_last_whole_batch() {
    let (dir, steps) = three_batches();
    let path = dir.path().join(WAL);
    let whole = fs::read(&path).unwrap();
    for length in 0..=whole.len() {
        let disk = SimulatedMedium::holding(&[(WAL, &whole[..length])]);
        let expected = steps.iter().rev().find(|(end, _)| *end <= length as u64);
        match (disk.open_one(StartMode::Restart), expected) {
            (Ok((mut storage, stored)), Some((_, model))) => {
                assert_eq!(&stored, model, "cut at {length}");
                let next = stored.entries.last().map_or(1, |last| last.index.0 + 1);
                storage.persist(&mut entries(next..=next, 3)).unwrap();
                drop(storage);
                assert_eq!(disk.restart().1.entries.last(), Some(&entry(next, 3)), "goes on after the cut");
            }
            (Err(StorageError::Damaged { .. }), None) => {}
            (result, _) => panic!("cut at {length}: {result:?}"),
        }
    }
}

#[test]
fn a_tail_of_zeros_is_torn_too() {
    let (dir, steps) = three_batches();
    let path = dir.path().join(WAL);
    let mut bytes = fs::read(&path).unwrap();
    bytes.resize(bytes.len() + 5000, 0);
    fs::write(&path, &bytes).unwrap();
    assert_eq!(stored(dir.path()), steps[3].1);
    assert!(fs::metadata(&path).unwrap().len() <= steps[3].0, "the tail is gone from the disk");
}

/// Flips bits in marks, lengths, checksums and payloads of the first, a middle and the last record.
#[test]
fn any_flipped_bit_is_an_error_that_names_the_place() {
    let (dir, steps) = three_batches();
    let path = dir.path().join(WAL);
    let whole = fs::read(&path).unwrap();
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let disk = SimulatedMedium::holding(&[(WAL, &bytes)]);
        let start = steps.iter().rev().map(|(end, _)| *end).find(|end| *end <= (bit / 8) as u64).unwrap_or(0);
        match disk.open_one(StartMode::Restart) {
            Err(StorageError::Damaged { path, offset, .. }) => {
                assert_eq!((path, offset), (Path::new("simulated").join(WAL), start));
            }
            other => panic!("bit {bit}: {other:?}"),
        }
        assert_eq!(disk.read(WAL).unwrap(), bytes, "what was refused stays as it is");
    }
}

/// The tail of the log was lost without a report from the disk: this cannot be told from a torn write.
#[test]
fn a_last_batch_without_a_sector_passes_for_torn() {
    let dir = tempdir().unwrap();
    let (mut storage, _) = open(dir.path()).unwrap();
    storage.persist(&mut entries(1..=2, 1)).unwrap();
    let before = usize::try_from(storage.end).unwrap();
    storage.persist(&mut entries(3..=60, 1)).unwrap();
    drop(storage);
    let path = dir.path().join(WAL);
    let mut bytes = fs::read(&path).unwrap();
    bytes[before.next_multiple_of(512)..][..512].fill(0);
    fs::write(&path, &bytes).unwrap();
    assert_eq!(stored(dir.path()).entries, [entry(1, 1), entry(2, 1)]);
}

#[test]
fn a_damaged_or_missing_snapshot_is_an_error() {
    let dir = tempdir().unwrap();
    let (mut storage, _) = open(dir.path()).unwrap();
    storage.persist(&mut entries(1..=3, 1)).unwrap();
    compact(&mut storage, &snapshot(3, 1)).unwrap();
    drop(storage);
    let path = dir.path().join(SNAPSHOT);
    let (whole, log) = (fs::read(&path).unwrap(), fs::read(dir.path().join(WAL)).unwrap());
    let refused = |snapshot: &[u8], what: &str| {
        let opened = SimulatedMedium::holding(&[(SNAPSHOT, snapshot), (WAL, &log)]).open_one(StartMode::Restart);
        assert!(matches!(opened, Err(StorageError::Damaged { .. })), "{what}: {opened:?}");
    };
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        refused(&bytes, &format!("bit {bit}"));
    }
    for length in 0..whole.len() {
        refused(&whole[..length], &format!("cut at {length}"));
    }
    fs::remove_file(&path).unwrap();
    assert!(
        matches!(open(dir.path()), Err(StorageError::Damaged { .. })),
        "the log starts after a snapshot that is gone"
    );
    fs::write(&path, whole).unwrap();
    fs::remove_file(dir.path().join(WAL)).unwrap();
    assert!(open(dir.path()).is_err(), "a snapshot without term and vote");
}

#[test]
fn compaction_shrinks_the_log_and_keeps_what_comes_after() {
    let dir = tempdir().unwrap();
    let (mut storage, _) = open(dir.path()).unwrap();
    storage.persist(&mut Persist { hard_state: Some(vote(4)), ..entries(1..=100, 1) }).unwrap();
    let before = storage.end;
    compact(&mut storage, &snapshot(98, 1)).unwrap();
    assert!(storage.end < before / 10);
    storage.persist(&mut entries(101..=101, 1)).unwrap();
    drop(storage);
    let stored = stored(dir.path());
    assert_eq!((stored.hard_state, stored.snapshot), (vote(4), Some(snapshot(98, 1))));
    assert_eq!(stored.entries, [entry(99, 1), entry(100, 1), entry(101, 1)]);
}

#[test]
fn a_crash_between_snapshot_and_log_keeps_the_suffix_only_if_it_follows_on_the_snapshot() {
    for (last, kept) in
        [(snapshot(3, 1), vec![entry(4, 1), entry(5, 1)]), (snapshot(3, 2), vec![]), (snapshot(9, 2), vec![])]
    {
        let dir = tempdir().unwrap();
        let (mut storage, _) = open(dir.path()).unwrap();
        storage.persist(&mut Persist { hard_state: Some(vote(2)), ..entries(1..=5, 1) }).unwrap();
        let old_wal = fs::read(dir.path().join(WAL)).unwrap();
        let install =
            Persist { hard_state: Some(vote(3)), snapshot: Some(Box::new(last.clone())), ..Persist::default() };
        storage.persist(&mut install.clone()).unwrap();
        drop(storage);
        let finished = stored(dir.path());
        assert_eq!((finished.hard_state, &finished.entries), (vote(3), &kept));
        fs::write(dir.path().join(WAL), old_wal).unwrap();
        let crashed = stored(dir.path());
        assert_eq!((crashed.snapshot, crashed.entries), (Some(last), kept));
    }
}

#[test]
fn a_half_written_replacement_is_ignored() {
    let (dir, steps) = three_batches();
    for name in ["wal.new", "snapshot.new", "wal.made", "snapshot.made"] {
        fs::write(dir.path().join(name), b"half").unwrap();
    }
    assert_eq!(stored(dir.path()), steps[3].1);
}

#[test]
fn a_directory_has_one_node_for_life_and_one_process_at_a_time() {
    let dir = tempdir().unwrap();
    let first = open(dir.path()).unwrap();
    assert!(matches!(open(dir.path()), Err(StorageError::InUse { .. })));
    drop(first);
    let other_node = Storage::open(dir.path(), NodeId(2), &MEMBERS, StartMode::Restart, None).unwrap_err();
    assert!(
        other_node.to_string().ends_with("belongs to n1 of the cluster n1 n2 n3, not to n2 of the cluster n1 n2 n3")
    );
    let other_cluster = Storage::open(dir.path(), NodeId(1), &MEMBERS[..2], StartMode::Restart, None);
    assert!(matches!(other_cluster, Err(StorageError::Foreign { .. })));
    open(dir.path()).unwrap();
}

/// A step that a core could request, as numbers; `plan` makes it fit the log so far.
type Draw = (Option<u64>, u8, u8, u8);

fn plan(model: &StoredState, (term, cut, length, kind): Draw) -> Persist {
    let base = model.snapshot.as_ref().map_or(0, |snapshot| snapshot.last_index.0);
    let last = model.entries.last().map_or(base, |entry| entry.index.0);
    let hard_state = term.map(|more| vote(model.hard_state.term.0 + more));
    let term = hard_state.unwrap_or(model.hard_state).term.0;
    if kind < 40 {
        let (index, same) = (base + 1 + u64::from(cut) % 8, kind % 2 == 0);
        let known = model.entries.iter().find(|entry| entry.index.0 == index);
        let last_term = known.filter(|_| same).map_or(term + 1, |entry| entry.term.0);
        return Persist { hard_state, snapshot: Some(Box::new(snapshot(index, last_term))), ..Persist::default() };
    }
    let keep = last - u64::from(cut) % (last - base + 1);
    let truncate_from = (keep < last).then_some(LogIndex(keep + 1));
    Persist { hard_state, truncate_from, ..entries(keep + 1..=keep + u64::from(length % 5), term) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Checks that after any sequence and a crash that tears the last write anywhere, the directory holds all or
    /// nothing of that write.
    #[test]
    fn any_sequence_recovers_to_the_model(
        draws in prop::collection::vec(any::<Draw>(), 1..12), tear in any::<prop::sample::Index>()
    ) {
        let disk = SimulatedMedium::default();
        let (mut storage, mut model) = disk.open_one(StartMode::New).unwrap();
        for (term, cut, length, kind) in draws {
            let draw = (term.map(|more| more % 3), cut, length, kind);
            let persist = plan(&model, draw);
            let (before, length_before) = (model.clone(), storage.end);
            storage.persist(&mut persist.clone()).unwrap();
            follow(&mut model, &persist);
            drop(storage);
            if persist.snapshot.is_none() {
                let whole = disk.read(WAL).unwrap();
                let length_before = usize::try_from(length_before).unwrap();
                let length = length_before + tear.index(whole.len() - length_before + 1);
                let snapshot = disk.read(SNAPSHOT);
                let mut files = vec![(WAL, &whole[..length])];
                files.extend(snapshot.iter().map(|bytes| (SNAPSHOT, &bytes[..])));
                let torn = SimulatedMedium::holding(&files).restart().1;
                prop_assert_eq!(&torn, if length == whole.len() { &model } else { &before });
            }
            let (next, stored) = disk.restart();
            prop_assert_eq!(&stored, &model);
            storage = next;
        }
    }
}

#[test]
fn recovery_leaves_no_files_of_its_own() {
    let (dir, _) = three_batches();
    let (mut storage, _) = open(dir.path()).unwrap();
    compact(&mut storage, &snapshot(4, 2)).unwrap();
    let names: BTreeSet<_> = fs::read_dir(dir.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names, [LOCK, SNAPSHOT, WAL].map(Into::into).into());
}

#[test]
fn an_empty_directory_is_a_new_node_only_if_it_is_said_to_be() {
    let dir = tempdir().unwrap();
    let deep = dir.path().join("a/b");
    let start = |start_mode| Storage::open(&deep, NodeId(1), &MEMBERS, start_mode, None);
    assert!(matches!(start(StartMode::Restart), Err(StorageError::Empty { .. })));
    assert!(!dir.path().join("a").exists(), "nothing is made for a node that is refused");
    fs::create_dir_all(&deep).unwrap();
    let refused = start(StartMode::Restart).unwrap_err().to_string();
    assert!(refused.contains("holds no node") && refused.contains("its term, vote and log are lost"), "{refused}");
    drop(start(StartMode::New).unwrap());
    assert!(matches!(start(StartMode::New), Err(StorageError::NotEmpty { .. })), "it has a memory to keep");
    drop(start(StartMode::Restart).unwrap());
}

#[test]
fn the_log_goes_on_while_a_snapshot_is_made() {
    let dir = tempdir().unwrap();
    let (mut storage, mut model) = open(dir.path()).unwrap();
    let mut go_on = |storage: &mut Storage, persist: &Persist| {
        storage.persist(&mut persist.clone()).unwrap();
        follow(&mut model, persist);
    };
    go_on(&mut storage, &Persist { hard_state: Some(vote(1)), ..entries(1..=5, 1) });
    let (free, wait) = std::sync::mpsc::channel();
    let made = snapshot(4, 1);
    let data = made.data.clone();
    let state = move || {
        wait.recv().unwrap();
        data
    };
    assert!(storage.begin_compaction((LogIndex(4), Term(1)), Membership::of(MEMBERS), state));
    go_on(&mut storage, &entries(6..=7, 1));
    go_on(&mut storage, &Persist { truncate_from: Some(LogIndex(7)), hard_state: Some(vote(2)), ..entries(7..=8, 2) });
    assert_eq!(storage.finish_compaction().unwrap(), None);
    free.send(()).unwrap();
    assert_eq!(finish(&mut storage).unwrap(), CompactionOutcome::Done(made.clone()));
    follow(&mut model, &Persist { snapshot: Some(Box::new(made)), ..Persist::default() });
    drop(storage);
    assert_eq!(stored(dir.path()), model);
}

#[test]
fn a_snapshot_of_the_leaders_outruns_one_that_is_being_made() {
    let dir = tempdir().unwrap();
    let (mut storage, mut model) = open(dir.path()).unwrap();
    let (free, wait) = std::sync::mpsc::channel();
    let state = move || {
        wait.recv().unwrap();
        Bytes::from_static(b"late")
    };
    let steps = [
        Persist { hard_state: Some(vote(1)), ..entries(1..=5, 1) },
        Persist { snapshot: Some(Box::new(snapshot(9, 1))), ..Persist::default() },
        entries(10..=11, 1),
    ];
    storage.persist(&mut steps[0].clone()).unwrap();
    assert!(storage.begin_compaction((LogIndex(4), Term(1)), Membership::of(MEMBERS), state));
    storage.persist(&mut steps[1].clone()).unwrap();
    free.send(()).unwrap();
    assert_eq!(finish(&mut storage).unwrap(), CompactionOutcome::Abandoned);
    storage.persist(&mut steps[2].clone()).unwrap();
    drop(storage);
    for step in &steps {
        follow(&mut model, step);
    }
    assert_eq!(stored(dir.path()), model);
}

#[test]
fn whoever_drops_the_storage_waits_for_its_compaction() {
    let dir = tempdir().unwrap();
    let (mut storage, _) = open(dir.path()).unwrap();
    storage.persist(&mut entries(1..=5, 1)).unwrap();
    assert!(
        storage.begin_compaction((LogIndex(4), Term(1)), Membership::of(MEMBERS), || Bytes::from(vec![7; 3 << 20]))
    );
    drop(storage);
    assert_eq!(stored(dir.path()).entries.len(), 5, "it is as if it had not begun");
}
