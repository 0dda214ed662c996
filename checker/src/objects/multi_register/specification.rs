//! Registers that are read and written together: `read` and `write` with values such as `{"x": 1, "y": 2}`, or
//! Jepsen's `txn` with `[["r", "x", 1], ["w", "y", 2]]`, applied one after the other.

use std::{collections::BTreeMap, fmt};

use histories::{History, Map, Value};

use crate::{
    UnknownWhy,
    memory::{of_tree, of_values},
    specification::{Call, Specification},
    unknown::unsupported,
    words::{brief, key_name},
};

#[derive(Debug)]
pub(crate) struct MultiRegister<'a> {
    initial: &'a Value,
}

/// Access of a call to one register.
enum RegisterAccess {
    /// Read of a register, with the value it held if that is known.
    Read(Value, Option<Value>),
    Write(Value, Value),
}

impl<'a> MultiRegister<'a> {
    /// Makes registers from their initial values: a map from registers to values, or one value for all.
    pub(crate) fn new(initial: &'a Value) -> Self {
        Self { initial }
    }

    fn at_first(&self, register: &Value) -> Value {
        match self.initial {
            // An initial value given on a command line has text in place of keywords.
            Value::Map(pairs) => {
                let named = || register.name().and_then(|name| pairs.named(name));
                pairs.get(register).or_else(named).cloned().unwrap_or_default()
            }
            all => all.clone(),
        }
    }
}

/// Returns the accesses of the call in their order, or `None` if its argument or answer does not have the right form.
fn accesses(call: &Call<'_>) -> Option<Vec<RegisterAccess>> {
    match (call.function, call.input, call.output) {
        ("write", Value::Map(pairs), _) => {
            Some(pairs.iter().map(|(name, value)| RegisterAccess::Write(name.clone(), value.clone())).collect())
        }
        ("read", asked, None) => matches!(asked, Value::Nil | Value::Map(_)).then(Vec::new),
        ("read", asked, Some(Value::Map(pairs))) => asks_for(asked, pairs).then(|| {
            pairs.iter().map(|(name, value)| RegisterAccess::Read(name.clone(), Some(value.clone()))).collect()
        }),
        ("txn", Value::List(_), Some(Value::List(done))) => done.iter().map(|part| access(part, true)).collect(),
        ("txn", Value::List(asked), _) => asked.iter().map(|part| access(part, false)).collect(),
        _ => None,
    }
}

/// Returns true if a read with this argument can be answered with these registers: the argument is nil, or names each
/// of them, with nil or with the answer.
fn asks_for(asked: &Value, answered: &Map) -> bool {
    match asked {
        Value::Nil => true,
        Value::Map(names) => {
            let fits = |(name, value): &(Value, Value)| {
                answered.get(name).is_some_and(|answer| *value == Value::Nil || value == answer)
            };
            names.len() == answered.len() && names.iter().all(fits)
        }
        _ => false,
    }
}

/// Parses a micro-operation: `["r", "x", 1]` or `["w", "x", 1]`.
fn access(part: &Value, is_answer: bool) -> Option<RegisterAccess> {
    let Value::List(part) = part else { return None };
    let [function, register, value] = part.as_slice() else { return None };
    match function.name()? {
        "r" | "read" => Some(RegisterAccess::Read(register.clone(), is_answer.then(|| value.clone()))),
        "w" | "write" => Some(RegisterAccess::Write(register.clone(), value.clone())),
        _ => None,
    }
}

/// Returns the value that stands for a register with its content.
fn setting(register: Value, value: Value) -> Value {
    Value::List(vec![register, value])
}

/// Returns true if the call was answered with the content of some register.
pub(crate) fn reads(call: &Call<'_>) -> bool {
    let held = |access: &RegisterAccess| matches!(access, RegisterAccess::Read(_, Some(_)));
    accesses(call).is_some_and(|accesses| accesses.iter().any(held))
}

impl Specification for MultiRegister<'_> {
    /// Registers whose value differs from the initial one.
    type State = BTreeMap<Value, Value>;

    fn initial(&self) -> Self::State {
        BTreeMap::new()
    }

    fn state_bytes(&self, registers: &Self::State) -> usize {
        size_of::<Self::State>()
            + of_tree(registers.keys(), size_of::<(Value, Value)>())
            + of_values(registers.values(), 0)
    }

    fn write_state(&self, registers: &Self::State, _: &History, out: &mut dyn fmt::Write) -> fmt::Result {
        for (register, value) in registers {
            write!(out, "{register}: {value}, ")?;
        }
        match self.initial {
            Value::Map(_) => out.write_str("others as at first"),
            all => write!(out, "{} {all}", if registers.is_empty() { "all" } else { "others" }),
        }
    }

    fn apply(&self, registers: &mut Self::State, call: &Call<'_>) -> bool {
        accesses(call).is_some_and(|accesses| {
            accesses.into_iter().all(|access| match access {
                RegisterAccess::Read(_, None) => true,
                RegisterAccess::Read(register, Some(seen)) => match registers.get(&register) {
                    Some(value) => *value == seen,
                    None => self.at_first(&register) == seen,
                },
                RegisterAccess::Write(register, value) if value == self.at_first(&register) => {
                    registers.remove(&register);
                    true
                }
                RegisterAccess::Write(register, value) => {
                    registers.insert(register, value);
                    true
                }
            })
        })
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        let is_unnamed = |access: &RegisterAccess| {
            let (RegisterAccess::Read(register, _) | RegisterAccess::Write(register, _)) = access;
            register.name().is_none() && matches!(self.initial, Value::Map(pairs) if pairs.get(register).is_none())
        };
        if matches!(self.initial, Value::Map(_)) && accesses(call).is_some_and(|all| all.iter().any(is_unnamed)) {
            return unsupported("a register that has no name, where each begins with what its name says");
        }
        match call.function {
            "write" if !call.says_nothing() => Err(call.unsupported_output()),
            "read" | "write" | "txn" if accesses(call).is_some() => Ok(()),
            "read" if !matches!(call.input, Value::Nil | Value::Map(_)) => Err(call.unsupported_input()),
            "read" => Err(call.unsupported_output()),
            "write" | "txn" => Err(call.unsupported_input()),
            _ => Err(call.unknown_function()),
        }
    }

    fn is_read_only(&self, call: &Call<'_>) -> bool {
        accesses(call).is_some_and(|accesses| accesses.iter().all(|access| matches!(access, RegisterAccess::Read(..))))
    }

    fn part(&self, call: &Call<'_>) -> Option<Value> {
        let accesses = accesses(call)?;
        let mut registers =
            accesses.iter().map(|(RegisterAccess::Read(register, _) | RegisterAccess::Write(register, _))| register);
        let first = registers.next()?;
        registers.all(|register| register == first).then(|| first.clone())
    }

    fn finds(&self, call: &Call<'_>) -> Vec<Value> {
        let (mut own, mut found) = (BTreeMap::new(), Vec::new());
        for access in accesses(call).unwrap_or_default() {
            match access {
                RegisterAccess::Write(register, value) => {
                    own.insert(register, value);
                }
                RegisterAccess::Read(_, None) => {}
                RegisterAccess::Read(register, Some(seen)) => match own.get(&register) {
                    Some(written) if *written == seen => {}
                    // Such a value cannot have been left by any call.
                    Some(written) => found.push(Value::List(vec![register, seen, written.clone()])),
                    None if seen == self.at_first(&register) => {}
                    None => found.push(setting(register, seen)),
                },
            }
        }
        found
    }

    fn leaves(&self, call: &Call<'_>) -> Vec<Value> {
        let mut last = BTreeMap::new();
        for access in accesses(call).unwrap_or_default() {
            if let RegisterAccess::Write(register, value) = access {
                last.insert(register, value);
            }
        }
        last.into_iter().map(|(register, value)| setting(register, value)).collect()
    }

    fn found_in_words(&self, found: &Value) -> String {
        match found {
            Value::List(parts) => match parts.as_slice() {
                [register, seen] => format!("{} in {}", brief(seen), key_name(register)),
                [register, seen, written] => {
                    let (seen, written, register) = (brief(seen), brief(written), key_name(register));
                    format!("{seen} in {register} between its own write of {written} and its read")
                }
                _ => found.to_string(),
            },
            _ => found.to_string(),
        }
    }

    fn depends_on_process(&self) -> bool {
        false
    }
}
