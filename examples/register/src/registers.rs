//! The replicated state: registers of integers by key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Operation on a register, as the log has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    Read { key: String },
    Write { key: String, value: i64 },
    Cas { key: String, from: i64, to: i64 },
}

/// Result of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Value(Option<i64>),
    Done,
    /// A cas changed nothing, since the register has this value.
    Mismatch(Option<i64>),
}

/// Registers; those that nobody wrote are absent.
#[derive(Debug, Default)]
pub struct Registers(BTreeMap<String, i64>);

impl Registers {
    /// Returns the value of a register.
    #[must_use]
    pub fn read(&self, key: &str) -> Outcome {
        Outcome::Value(self.0.get(key).copied())
    }

    /// Carries out an operation.
    pub fn apply(&mut self, command: Command) -> Outcome {
        match command {
            Command::Read { key } => self.read(&key),
            Command::Write { key, value } => {
                self.0.insert(key, value);
                Outcome::Done
            }
            Command::Cas { key, from, to } => match self.0.get_mut(&key) {
                Some(value) if *value == from => {
                    *value = to;
                    Outcome::Done
                }
                found => Outcome::Mismatch(found.copied()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cas_changes_only_the_value_that_it_expects() {
        let mut registers = Registers::default();
        let key = || "k".to_owned();
        let mut cas = |from, to| registers.apply(Command::Cas { key: key(), from, to });
        assert_eq!(cas(1, 2), Outcome::Mismatch(None));
        assert_eq!(registers.apply(Command::Write { key: key(), value: 1 }), Outcome::Done);
        assert_eq!(registers.apply(Command::Cas { key: key(), from: 1, to: 2 }), Outcome::Done);
        assert_eq!(registers.apply(Command::Cas { key: key(), from: 1, to: 3 }), Outcome::Mismatch(Some(2)));
        assert_eq!(registers.apply(Command::Read { key: key() }), Outcome::Value(Some(2)));
    }
}
