//! Read modes: names that belong to a system, what the system says of each, and what to expect of one under faults.

use std::{borrow::Cow, fmt, sync::Arc};

use nemesis::{FaultSpec, FaultSpecs};
use serde::{Deserialize, Serialize};

use super::Options;

/// Name of a read mode. Only a system knows what it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(crate) struct ReadMode(Arc<str>);

impl ReadMode {
    pub(crate) fn name(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ReadMode {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<String> for ReadMode {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<ReadMode> for String {
    fn from(read: ReadMode) -> Self {
        read.0.as_ref().to_owned()
    }
}

impl fmt::Display for ReadMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Description of a read mode by its system.
#[derive(Clone, Debug)]
pub(crate) struct ReadModeDescription {
    pub(crate) name: Cow<'static, str>,
    /// Its nature in a few words, for help texts.
    pub(crate) about: Cow<'static, str>,
    pub(crate) guarantee: Guarantee,
}

/// Guarantee of a read mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guarantee {
    /// Linearizable under every fault.
    Linearizable,
    /// Linearizable as long as clocks advance at about the same rate.
    LinearizableByClocks,
    /// Weaker: stale reads are allowed.
    Weaker,
}

/// Expectation from theory for a read mode under some faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Expectation {
    /// Violations must not occur.
    Holds,
    /// Runs may or may not find a violation.
    MayFail,
    /// Runs should find at least one violation.
    Fails,
}

/// Conditions under which reads take place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions<'a> {
    pub(crate) read: &'a ReadMode,
    /// Name of the workload.
    pub(crate) workload: &'a str,
    pub(crate) options: &'a Options,
    pub(crate) faults: &'a FaultSpecs,
}

impl Conditions<'_> {
    /// Returns true if one of the faults skews clocks.
    pub(crate) fn skew_clocks(&self) -> bool {
        self.faults.each().any(|fault| fault.kind().skews_clocks())
    }

    /// Returns true if one of the faults leaves a leader that others may have replaced within reach of clients.
    pub(crate) fn desert_a_leader(&self) -> bool {
        self.faults.each().any(FaultSpec::leaves_a_leader_deserted)
    }
}

impl Guarantee {
    /// Returns the expectation that follows from the guarantee alone.
    pub(crate) fn expected(self, conditions: &Conditions<'_>) -> Expectation {
        match self {
            Self::Linearizable => Expectation::Holds,
            Self::LinearizableByClocks if !conditions.skew_clocks() => Expectation::Holds,
            Self::LinearizableByClocks | Self::Weaker => Expectation::MayFail,
        }
    }
}
