//! Checkpoints of the state at indices that all nodes share, so that somebody who asks them all can compare them.

use std::collections::VecDeque;

use crate::{
    kv::Machine,
    raft::{LogIndex, Term},
    request::Checkpoint,
};

/// Number of entries from one checkpoint to the next.
const EVERY: u64 = 32;
/// Number of checkpoints that are kept, the last ones.
const KEPT: usize = 32;

/// The last checkpoints of this process.
#[derive(Debug, Default)]
pub(super) struct Checkpoints(VecDeque<Checkpoint>);

impl Checkpoints {
    /// Notes the state after the entry that the machine applied last, of this term, if its index is one that all nodes
    /// note.
    pub(super) fn note(&mut self, machine: &Machine, term: Term) {
        if machine.applied().0.is_multiple_of(EVERY) {
            if self.0.len() == KEPT {
                self.0.pop_front();
            }
            self.0.push_back(checkpoint(machine, term));
        }
    }

    /// Returns the checkpoints, and the state as it is now, whatever its index.
    pub(super) fn with_current(&self, machine: &Machine, term: Term) -> Vec<Checkpoint> {
        let now = (machine.applied() > LogIndex(0)).then(|| checkpoint(machine, term));
        let now = now.filter(|now| self.0.back().is_none_or(|last| last.index != now.index));
        self.0.iter().cloned().chain(now).collect()
    }
}

fn checkpoint(machine: &Machine, term: Term) -> Checkpoint {
    Checkpoint { index: machine.applied(), term, digest: machine.digest() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::{Entry, Payload};

    #[test]
    fn the_last_checkpoints_are_kept_and_the_present_state_is_one() {
        let (mut machine, mut checkpoints) = (Machine::default(), Checkpoints::default());
        assert_eq!(checkpoints.with_current(&machine, Term(0)), []);
        let most = EVERY * (KEPT as u64 + 2);
        for index in 1..=most + 3 {
            machine.apply(&Entry { index: LogIndex(index), term: Term(7), payload: Payload::Noop }).unwrap();
            checkpoints.note(&machine, Term(7));
        }
        let indices: Vec<_> = checkpoints.with_current(&machine, Term(7)).iter().map(|it| it.index.0).collect();
        let expected: Vec<_> = (3..=KEPT as u64 + 2).map(|place| place * EVERY).chain([most + 3]).collect();
        assert_eq!(indices, expected);
    }
}
