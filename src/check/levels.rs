//! Levels of isolation by their names, and the initial values that transactions can have.

use checker::Level;
use clap::ValueEnum;
use histories::{History, MicroOperation, ReadResult, Value};

/// A level of isolation.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LevelName {
    /// one order of all transactions, with each between its begin and its end
    StrictSerializable,
    /// one order of all transactions that keeps the order of each process
    StrongSessionSerializable,
    /// one order of all transactions
    Serializable,
    /// each transaction reads one snapshot, and of two that change the same key, one sees the other
    SnapshotIsolation,
    /// no aborted or intermediate value is read
    ReadCommitted,
    /// writes of transactions do not interleave
    ReadUncommitted,
}

impl From<LevelName> for Level {
    fn from(name: LevelName) -> Self {
        match name {
            LevelName::StrictSerializable => Self::StrictSerializable,
            LevelName::StrongSessionSerializable => Self::StrongSessionSerializable,
            LevelName::Serializable => Self::Serializable,
            LevelName::SnapshotIsolation => Self::SnapshotIsolation,
            LevelName::ReadCommitted => Self::ReadCommitted,
            LevelName::ReadUncommitted => Self::ReadUncommitted,
        }
    }
}

/// Explains why transactions cannot begin with this value; nothing if they can: lists begin as a list, registers as any
/// other value.
pub(crate) fn initial_mismatch(history: &History, initial: &Value) -> Option<String> {
    let is_list = match initial {
        Value::Nil => return None,
        initial => matches!(initial, Value::List(_)),
    };
    let all = (0..history.transactions.len()).flat_map(|at| history.transactions.micro_operations(at));
    let misfits = all.filter_map(|micro| match micro {
        MicroOperation::Append { key, .. } | MicroOperation::Read { key, found: ReadResult::List(_) } if !is_list => {
            Some((key, "a list"))
        }
        MicroOperation::Write { key, .. } if is_list => Some((key, "a register")),
        MicroOperation::Read { key, found: ReadResult::Value(value) }
            if is_list && *history.value(value) != Value::Nil =>
        {
            Some((key, "a register"))
        }
        _ => None,
    });
    let (key, what) = misfits.into_iter().next()?;
    Some(format!("--initial {initial}: key {} is {what}, which cannot begin with it", history.value(key)))
}
