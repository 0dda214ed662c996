//! Semaphore: `acquire` of a permit, or of several at once, and `release` by a process that holds as many. Either may
//! answer `false`: not enough permits were free, or held. The general search decides it.

use std::{collections::BTreeMap, fmt};

use histories::{History, Value};

use super::{
    definition::Definition,
    mutex::specification::{acquires, was_refused},
};
use crate::{
    UnknownWhy,
    specification::{Call, Specification},
};

pub(super) static DEFINITION: Definition = Definition {
    initial: ("a number of permits, at least 0, or null for 1", |initial| permits(initial).is_some()),
    // A permit that one process holds is not free for others.
    is_informative: |_| true,
    needs_processes: true,
    ..Definition::new(
        "semaphore",
        "acquire of one of --initial permits, and release by a process that holds it",
        |initial| Box::new(Semaphore { permits: permits(initial).unwrap_or(0) }),
    )
};

#[derive(Debug)]
struct Semaphore {
    permits: u64,
}

/// Permits that are free, and those that each process holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Permits {
    free: u64,
    held: BTreeMap<u32, u64>,
}

/// Returns the number of permits that an initial value stands for, if it is one.
fn permits(initial: &Value) -> Option<u64> {
    match *initial {
        Value::Nil => Some(1),
        Value::Int(permits) => u64::try_from(permits).ok(),
        _ => None,
    }
}

/// Returns the number of permits that the call is about, if its argument is one: at least 1.
fn count(call: &Call<'_>) -> Option<u64> {
    permits(call.input).filter(|count| *count > 0)
}

impl Specification for Semaphore {
    type State = Permits;

    fn initial(&self) -> Permits {
        Permits { free: self.permits, held: BTreeMap::new() }
    }

    fn state_bytes(&self, state: &Permits) -> usize {
        size_of::<Permits>() + state.held.len() * 2 * size_of::<(u32, u64)>()
    }

    fn write_state(&self, permits: &Self::State, history: &History, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "{} free", permits.free)?;
        permits
            .held
            .iter()
            .try_for_each(|(&process, held)| write!(out, ", {held} held by process {}", history.process(process)))
    }

    fn apply(&self, state: &mut Permits, call: &Call<'_>) -> bool {
        let (Some(acquires), Some(count)) = (acquires(call.function), count(call)) else { return false };
        let held = state.held.get(&call.process).copied().unwrap_or(0);
        let is_possible = count <= if acquires { state.free } else { held };
        if !is_possible {
            return was_refused(call) || call.output.is_none();
        }
        let (free, held) =
            if acquires { (state.free - count, held + count) } else { (state.free + count, held - count) };
        state.free = free;
        if held == 0 {
            state.held.remove(&call.process);
        } else {
            state.held.insert(call.process, held);
        }
        !was_refused(call)
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        match acquires(call.function) {
            None => Err(call.unknown_function()),
            Some(_) if count(call).is_none() => Err(call.unsupported_input()),
            Some(_) if call.says_nothing() || matches!(call.output, Some(Value::Bool(_))) => Ok(()),
            Some(_) => Err(call.unsupported_output()),
        }
    }

    fn is_read_only(&self, call: &Call<'_>) -> bool {
        was_refused(call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_permits_are_held_as_there_are() {
        let (semaphore, nil) = (Semaphore { permits: 2 }, Value::Nil);
        let mut state = semaphore.initial();
        for (process, function, input, output, is_possible) in [
            (1, "acquire", Value::Nil, Value::Nil, true),
            (2, "acquire", Value::Int(2), Value::Bool(true), false),
            (2, "acquire", Value::Int(2), Value::Bool(false), true),
            (2, "acquire", Value::Nil, Value::Bool(false), false),
            (2, "release", Value::Nil, Value::Nil, false),
            (2, "release", Value::Nil, Value::Bool(false), true),
            (2, "acquire", Value::Int(1), Value::Bool(true), true),
            (3, "acquire", Value::Nil, Value::Nil, false),
            (1, "release", Value::Int(2), Value::Nil, false),
            (1, "release", Value::Nil, Value::Nil, true),
            (2, "acquire", Value::Nil, Value::Nil, true),
            (2, "release", Value::Int(2), Value::Nil, true),
            (3, "acquire", Value::Int(2), Value::Nil, true),
        ] {
            let call = Call { function, input: &input, to: &nil, output: Some(&output), mismatch: false, process };
            assert_eq!(semaphore.accepts(&call), Ok(()));
            let mut next = state.clone();
            assert_eq!(semaphore.apply(&mut next, &call), is_possible, "{call:?} in {state:?}");
            if is_possible {
                state = next;
            }
        }
    }

    #[test]
    fn calls_that_it_does_not_have_are_refused_by_name() {
        let (semaphore, nil) = (Semaphore { permits: 2 }, Value::Nil);
        for (function, input, output) in [
            ("acquire", Value::Int(0), Value::Nil),
            ("release", Value::Int(-1), Value::Nil),
            ("acquire", Value::from("a"), Value::Nil),
            ("acquire", Value::Nil, Value::Int(3)),
            ("read", Value::Nil, Value::Nil),
        ] {
            let call = Call { function, input: &input, to: &nil, output: Some(&output), mismatch: false, process: 0 };
            assert!(semaphore.accepts(&call).is_err(), "{call:?}");
        }
        assert_eq!(
            [Value::Int(3), Value::Nil, Value::Int(-1), "a".into()].map(|initial| permits(&initial)),
            [Some(3), Some(1), None, None]
        );
    }
}
