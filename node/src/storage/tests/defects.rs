//! Planted defects of the storage: each test shows the broken rule with the defect, and that it holds without.

use super::*;

/// Makes two batches durable, changes the log file, and returns the state after a restart; none if it is refused.
fn restarted(defect: Option<Defect>, change: impl Fn(&mut Vec<u8>)) -> Option<StoredState> {
    let dir = tempdir().unwrap();
    let (mut storage, _) = open_with(dir.path(), defect).unwrap();
    storage.persist(&mut Persist { hard_state: Some(vote(1)), ..entries(1..=2, 1) }).unwrap();
    storage.persist(&mut entries(3..=3, 1)).unwrap();
    drop(storage);
    let path = dir.path().join(WAL);
    let mut bytes = fs::read(&path).unwrap();
    change(&mut bytes);
    fs::write(&path, bytes).unwrap();
    open_with(dir.path(), defect).ok().map(|(_, stored)| stored)
}

/// Returns true if the log ends with entry `last` after that; 0 if it is empty.
fn ends_with(stored: Option<StoredState>, last: u64) -> bool {
    stored.is_some_and(|stored| stored.entries.last().map_or(0, |entry| entry.index.0) == last)
}

#[test]
fn a_write_without_an_fsync() {
    assert!(Defect::NoFsync.is_shown_by(|defect| {
        let dir = tempdir().unwrap();
        let (mut storage, _) = open_with(dir.path(), defect).unwrap();
        storage.persist(&mut entries(1..=1, 1)).unwrap();
        storage.fsyncs() == 0
    }));
}

#[test]
fn a_record_that_is_written_with_the_next_one() {
    assert!(Defect::WritesLate.is_shown_by(|defect| ends_with(restarted(defect, |_| {}), 2)));
}

#[test]
fn a_last_record_that_is_left_out() {
    assert!(Defect::LosesLastRecord.is_shown_by(|defect| ends_with(restarted(defect, |_| {}), 2)));
}

#[test]
fn a_log_that_is_forgotten() {
    assert!(Defect::RestartForgetsLog.is_shown_by(|defect| ends_with(restarted(defect, |_| {}), 0)));
}

#[test]
fn a_damaged_record_that_is_cut_off() {
    let damage = |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() ^= 4;
    assert!(Defect::CutsDamagedRecord.is_shown_by(|defect| ends_with(restarted(defect, damage), 2)));
}

#[test]
fn a_log_dropped_for_its_torn_end() {
    let tear = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 1);
    assert!(Defect::TornTailDropsLog.is_shown_by(|defect| ends_with(restarted(defect, tear), 0)));
}
