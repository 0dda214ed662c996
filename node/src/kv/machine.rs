//! State machine that applies committed entries in order, each once. Deterministic: no clock, no randomness, no hash
//! order.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    Applied, Command, Found, Op,
    cells::{Cell, Cells},
    session::Sessions,
};
use crate::raft::{Entry, LogIndex, Payload};

/// Reason why the state machine cannot continue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MachineError {
    /// The Raft core skipped or repeated an entry.
    #[error("entry {found} follows on entry {applied}")]
    NotNext { applied: LogIndex, found: LogIndex },
    /// An entry cannot be decoded: it is from another version, or there is a bug.
    #[error("entry {0} cannot be read")]
    Entry(LogIndex),
    /// The snapshot cannot be decoded: it is from another version, or there is a bug.
    #[error("the snapshot at {0} cannot be read")]
    Snapshot(LogIndex),
}

/// Replicated state. Its encoding is the snapshot's data.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    cells: Cells,
    sessions: Sessions,
}

/// State machine after the entry at `applied`.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    state: State,
    applied: LogIndex,
}

impl Machine {
    /// Returns the index of the last applied entry.
    pub(crate) fn applied(&self) -> LogIndex {
        self.applied
    }

    /// Returns the current value at `key`.
    pub(crate) fn get(&self, key: &str) -> Found {
        match self.state.cells.get(key) {
            Some(cell) => Found { value: Some(cell.value.clone()), revision: cell.revision },
            None => Found { value: None, revision: LogIndex(0) },
        }
    }

    /// Applies the next entry; returns `None` for one without a command.
    ///
    /// # Errors
    /// Returns an error if the entry is not the next one, or cannot be read.
    pub(crate) fn apply(&mut self, entry: &Entry) -> Result<Option<Applied>, MachineError> {
        if entry.index.0 != self.applied.0 + 1 {
            return Err(MachineError::NotNext { applied: self.applied, found: entry.index });
        }
        let applied = match &entry.payload {
            Payload::Noop => None,
            Payload::Command(bytes) => {
                let command = postcard::from_bytes(bytes).map_err(|_| MachineError::Entry(entry.index))?;
                Some(self.execute(command, crc32c::crc32c(bytes), entry.index))
            }
        };
        self.applied = entry.index;
        Ok(applied)
    }

    fn execute(&mut self, command: Command, checksum: u32, at: LogIndex) -> Applied {
        let Some(session) = command.session else { return self.operate(command.op, at) };
        if let Some(applied) = self.state.sessions.replay(&session, checksum) {
            return applied;
        }
        let applied = self.operate(command.op, at);
        self.state.sessions.record(session, checksum, at, applied.clone());
        applied
    }

    fn operate(&mut self, op: Op, at: LogIndex) -> Applied {
        match op {
            Op::Get { key } => Applied::Got(self.get(&key)),
            Op::Put { key, value } => {
                self.state.cells.insert(key, Cell { value, revision: at });
                Applied::Put(at)
            }
            Op::Register => self.state.sessions.register(at),
            Op::Cas { key, from, to } => {
                let Found { value: observed, revision } = self.get(&key);
                let swapped = observed == from;
                if swapped {
                    self.state.cells.insert(key, Cell { value: to, revision: at });
                }
                Applied::Cas { swapped, observed, revision: if swapped { at } else { revision } }
            }
        }
    }

    /// Returns a function that encodes the current state as the data of a snapshot at `applied`, on any thread. The
    /// call itself is quick.
    pub(crate) fn freeze(&mut self) -> impl FnOnce() -> Bytes + Send + use<> {
        let state = State { cells: self.state.cells.freeze(), sessions: self.state.sessions.clone() };
        move || postcard::to_stdvec(&state).expect("the state is plain data").into()
    }

    /// Replaces the whole state by that of a snapshot at `last_index`.
    ///
    /// # Errors
    /// Returns an error if the snapshot cannot be read; the state is then unchanged.
    pub(crate) fn restore(&mut self, last_index: LogIndex, data: &[u8]) -> Result<(), MachineError> {
        self.state = postcard::from_bytes(data).map_err(|_| MachineError::Snapshot(last_index))?;
        self.applied = last_index;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        kv::{Json, Session},
        raft::Term,
    };

    fn value(value: &serde_json::Value) -> Json {
        Json::new(value).unwrap()
    }

    fn put(key: &str, to: u64) -> Op {
        Op::Put { key: key.into(), value: value(&json!(to)) }
    }

    fn cas(key: &str, from: Option<u64>, to: u64) -> Op {
        Op::Cas { key: key.into(), from: from.map(|from| value(&json!(from))), to: value(&json!(to)) }
    }

    fn apply(machine: &mut Machine, session: Option<(u64, u64)>, op: Op) -> Applied {
        let session = session.map(|(client, seq)| Session { client: LogIndex(client), seq });
        let payload = Payload::Command(Command { session, op }.encode());
        let entry = Entry { index: LogIndex(machine.applied().0 + 1), term: Term(1), payload };
        machine.apply(&entry).unwrap().unwrap()
    }

    fn found(to: u64, revision: u64) -> Found {
        Found { value: Some(value(&json!(to))), revision: LogIndex(revision) }
    }

    #[test]
    fn equal_values_have_one_form() {
        let one = serde_json::from_str(r#"{"b":[1, 2],"a":"x"}"#).unwrap();
        let other = serde_json::from_str(r#"{ "a" : "x", "b":[1,2] }"#).unwrap();
        assert_eq!(Json::new(&one), Json::new(&other));
        assert_ne!(Json::new(&json!(1)), Json::new(&json!("1")));
        assert_eq!(Json::new(&json!(null)), None);
    }

    #[test]
    fn absent_is_not_a_value() {
        let mut machine = Machine::default();
        assert_eq!(machine.get("k"), Found { value: None, revision: LogIndex(0) });
        assert_eq!(apply(&mut machine, None, Op::Get { key: "k".into() }), Applied::Got(machine.get("k")));
    }

    #[test]
    fn a_write_is_read_with_its_index_as_revision() {
        let mut machine = Machine::default();
        assert_eq!(apply(&mut machine, None, put("k", 5)), Applied::Put(LogIndex(1)));
        apply(&mut machine, None, put("other", 6));
        assert_eq!(machine.get("k"), found(5, 1));
    }

    #[test]
    fn cas_compares_when_it_is_applied_and_tells_what_it_found() {
        let mut machine = Machine::default();
        let swapped = |observed: Option<u64>, revision| Applied::Cas {
            swapped: true,
            observed: observed.map(|it| value(&json!(it))),
            revision: LogIndex(revision),
        };
        assert_eq!(apply(&mut machine, None, cas("k", None, 1)), swapped(None, 1));
        assert_eq!(
            apply(&mut machine, None, cas("k", None, 2)),
            Applied::Cas { swapped: false, observed: Some(value(&json!(1))), revision: LogIndex(1) }
        );
        assert_eq!(apply(&mut machine, None, cas("k", Some(1), 3)), swapped(Some(1), 3));
        assert_eq!(machine.get("k"), found(3, 3));
    }

    #[test]
    fn a_retry_gets_the_first_answer_and_changes_nothing() {
        let mut machine = Machine::default();
        assert_eq!(apply(&mut machine, None, Op::Register), Applied::Registered(LogIndex(1)));
        let first = apply(&mut machine, Some((1, 1)), cas("k", None, 1));
        apply(&mut machine, None, put("k", 9));
        assert_eq!(apply(&mut machine, Some((1, 1)), cas("k", None, 1)), first);
        assert_eq!(machine.get("k"), found(9, 3));
        apply(&mut machine, Some((1, 3)), put("k", 10));
        assert_eq!(apply(&mut machine, Some((1, 2)), put("k", 11)), Applied::OutOfSequence { latest: 3 });
        assert_eq!(machine.get("k"), found(10, 5));
    }

    /// A retry that comes after its session has expired must not overwrite later writes, nor be answered as if it had
    /// succeeded.
    #[test]
    fn a_retry_of_an_expired_session_changes_nothing_and_is_told_so_after_a_snapshot_too() {
        let mut machine = Machine::default();
        apply(&mut machine, None, Op::Register);
        apply(&mut machine, Some((1, 1)), put("k", 1));
        apply(&mut machine, None, put("k", 2));
        for _ in 0..crate::kv::session::MAX_CLIENTS {
            apply(&mut machine, None, Op::Register);
        }
        let mut other = Machine::default();
        other.restore(machine.applied(), &machine.freeze()()).unwrap();
        for machine in [&mut machine, &mut other] {
            for seq in [1, 2] {
                assert_eq!(apply(machine, Some((1, seq)), put("k", 1)), Applied::Expired);
            }
            assert_eq!(machine.get("k"), found(2, 3));
        }
    }

    #[test]
    fn a_snapshot_carries_values_revisions_and_sessions_and_replaces_all() {
        let mut machine = Machine::default();
        apply(&mut machine, None, Op::Register);
        let first = apply(&mut machine, Some((1, 1)), put("k", 1));
        let mut other = Machine::default();
        apply(&mut other, None, put("gone", 1));
        other.restore(machine.applied(), &machine.freeze()()).unwrap();
        assert_eq!(other.state, machine.state);
        assert_eq!(other.applied(), LogIndex(2));
        assert_eq!(apply(&mut other, Some((1, 1)), put("k", 1)), first, "still once after a restart from a snapshot");
    }

    #[test]
    fn an_unreadable_snapshot_or_entry_is_an_error_and_changes_nothing() {
        let mut machine = Machine::default();
        apply(&mut machine, None, put("k", 1));
        let state = machine.freeze()();
        assert_eq!(machine.restore(LogIndex(9), &[0xff; 3]), Err(MachineError::Snapshot(LogIndex(9))));
        let entry = Entry { index: LogIndex(2), term: Term(1), payload: Payload::Command(Bytes::from_static(&[9])) };
        assert_eq!(machine.apply(&entry), Err(MachineError::Entry(LogIndex(2))));
        assert_eq!((machine.freeze()(), machine.applied), (state, LogIndex(1)));
    }

    #[test]
    fn a_gap_and_a_repetition_are_refused() {
        let mut machine = Machine::default();
        let entry = |index| Entry { index: LogIndex(index), term: Term(1), payload: Payload::Noop };
        assert_eq!(machine.apply(&entry(1)), Ok(None));
        for index in [1, 3] {
            let refused = MachineError::NotNext { applied: LogIndex(1), found: LogIndex(index) };
            assert_eq!(machine.apply(&entry(index)), Err(refused));
        }
    }
}
