//! Rank up to which each value of a register can be observed: values that are not observed later need not be told
//! apart.

use crate::prepare::{Action, Step, Val};

/// Rank, for each value, of the last completion of a step that can observe it.
#[derive(Debug, Default)]
pub(crate) struct Liveness {
    asked_until: Vec<u32>,
}

impl Liveness {
    /// Computes the ranks for a key without appends that has `values` values.
    ///
    /// A step that certainly took place expects what it finds until it completes. A cas of unknown outcome expects
    /// its old value only for as long as its new value can be observed: if no step observes what it did, leaving it
    /// out changes nothing, because the next change after it does not observe the value either (otherwise that would
    /// be an observer).
    pub(crate) fn new(steps: &[Step], values: usize) -> Self {
        let mut asked_until = vec![0; values];
        // Latest completion of a `NotEqual`, and the latest among those of other values.
        let (mut last, mut last_other) = ((None, 0), (None, 0));
        let mut unknown = Vec::new();
        for step in steps {
            match step.action {
                Action::Read(value) => raise(&mut asked_until, value, step.end),
                Action::Cas { from, .. } if step.is_certain() => raise(&mut asked_until, from, step.end),
                Action::Cas { from, to } => unknown.push((from, to, step.start)),
                Action::NotEqual(value) if last.0 == Some(value) => last.1 = last.1.max(step.end),
                Action::NotEqual(value) if step.end > last.1 => (last_other, last) = (last, (Some(value), step.end)),
                Action::NotEqual(value) if step.end > last_other.1 => last_other = (Some(value), step.end),
                Action::NotEqual(_) | Action::Write(_) | Action::Contradiction(_) | Action::Append(_) => {}
            }
        }
        for (value, until) in (0..).zip(&mut asked_until) {
            *until = (*until).max(if last.0 == Some(value) { last_other.1 } else { last.1 });
        }
        loop {
            let mut changed = false;
            for &(from, to, start) in unknown.iter().rev() {
                let until = asked_until[to as usize];
                if until > start && until > asked_until[from as usize] {
                    asked_until[from as usize] = until;
                    changed = true;
                }
            }
            if !changed {
                return Self { asked_until };
            }
        }
    }

    /// Returns the rank after which no step expects `value`.
    pub(crate) fn asked_until(&self, value: Val) -> u32 {
        self.asked_until[value as usize]
    }
}

fn raise(asked_until: &mut [u32], value: Val, rank: u32) {
    let until = &mut asked_until[value as usize];
    *until = (*until).max(rank);
}
