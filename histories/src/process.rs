//! Processes: clients, by number or by name, and the nemesis.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{Number, Value, value::Edn};

/// Process that acts in a history. A client process has at most one operation open; after `info` it never comes back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Process {
    /// A client, by number.
    Client(u64),
    /// A client, by name: text, a keyword or a symbol, or a whole number beyond 63 bits. The text `"1"` differs from
    /// the number 1.
    Named(Box<Value>),
    /// The process that injects faults: `nemesis`, as text or keyword, or −1, as Jepsen writes it in some files. Every
    /// other process is a client.
    Nemesis,
}

/// Error for a value that names no process.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a process is a number from 0 on, or a name (text, a keyword or a symbol), not {0}; only \"nemesis\", :nemesis \
    and -1 are no clients"
)]
pub struct ProcessError(Value);

impl Process {
    /// Returns the process that injects faults.
    pub fn nemesis() -> Self {
        Self::Nemesis
    }

    /// Returns the process that a source names by this value.
    ///
    /// # Errors
    /// Returns an error if the value cannot name a process.
    pub fn from_value(value: Value) -> Result<Self, ProcessError> {
        let is_name = match &value {
            Value::Int(-1) => return Ok(Self::Nemesis),
            Value::Int(number) => return u64::try_from(*number).map(Self::Client).map_err(|_| ProcessError(value)),
            Value::Str(name) if **name == *"nemesis" => return Ok(Self::Nemesis),
            Value::Str(_) => true,
            Value::Number(number) => matches!(&**number, Number::Whole(decimal) if !decimal.is_negative()),
            Value::Edn(edn) => match &**edn {
                Edn::Keyword(name) if **name == *"nemesis" => return Ok(Self::Nemesis),
                Edn::Keyword(_) | Edn::Symbol(_) => true,
                _ => false,
            },
            _ => false,
        };
        if is_name { Ok(Self::Named(Box::new(value))) } else { Err(ProcessError(value)) }
    }

    /// Returns the value by which a source names the process.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Client(number) => Value::from_u64(*number),
            Self::Named(name) => (**name).clone(),
            Self::Nemesis => "nemesis".into(),
        }
    }

    /// Returns true if the process is a client.
    pub fn is_client(&self) -> bool {
        *self != Self::Nemesis
    }
}

/// Formats the bare number or name, as it reads in `process 7`, `process "writer-1"`, `process :w`.
impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(number) => write!(f, "{number}"),
            Self::Named(name) => write!(f, "{name}"),
            Self::Nemesis => f.write_str("nemesis"),
        }
    }
}

impl Serialize for Process {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Client(number) => serializer.serialize_u64(*number),
            Self::Named(name) => name.serialize(serializer),
            Self::Nemesis => serializer.serialize_str("nemesis"),
        }
    }
}

impl<'de> Deserialize<'de> for Process {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_value(Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
