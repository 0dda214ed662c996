//! Way in which a node is asked to end: a signal, or a command.

use std::fmt;

use nix::sys::signal::Signal;
use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};

use super::text::NodeText;

/// Signals that may ask a node to end.
const SIGNALS: [Signal; 6] =
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2];

/// Signal to the processes of a node, or command that asks it.
#[derive(Clone, Debug)]
pub(in super::super) enum StopTable {
    Signal(Signal),
    Command(Vec<NodeText>),
}

impl StopTable {
    pub(super) fn command(&self) -> Option<&Vec<NodeText>> {
        match self {
            Self::Signal(_) => None,
            Self::Command(command) => Some(command),
        }
    }
}

impl Default for StopTable {
    fn default() -> Self {
        Self::Signal(SIGNALS[0])
    }
}

impl<'de> Deserialize<'de> for StopTable {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(StopVisitor)
    }
}

struct StopVisitor;

impl<'de> Visitor<'de> for StopVisitor {
    type Value = StopTable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = SIGNALS.iter().map(|signal| signal.as_str()).collect();
        write!(f, "a signal, {}, or a command, such as [\"storectl\", \"stop\"]", names.join(", "))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<StopTable, E> {
        let found = SIGNALS.into_iter().find(|signal| signal.as_str() == name);
        found.map(StopTable::Signal).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(name), &self))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut words: A) -> Result<StopTable, A::Error> {
        let mut command = Vec::new();
        while let Some(word) = words.next_element()? {
            command.push(word);
        }
        Ok(StopTable::Command(command))
    }
}
