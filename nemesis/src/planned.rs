//! Planned faults: plain data, as kept with a run.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::{Fault, ResolvedFault};

/// Fault with its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedFault {
    /// Time of injection, from the start of the workload.
    pub at: Duration,
    /// Time for which it stays in force.
    pub lasts: Duration,
    /// Fault to inject.
    pub fault: Fault,
    /// Random number that decides the choices left open until injection.
    pub draw: u64,
    /// Nodes that it hits, if neither the target nor the draw decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aim: Option<Aim>,
}

/// Nodes of a planned fault that are known from another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aim {
    /// These, as in an earlier run.
    These(ResolvedFault),
    /// Those that the fault at this place of the schedule, counted from 0, has hit.
    Again(usize),
}

impl PlannedFault {
    /// Returns a fault without a duration at the start of the workload.
    pub fn of(fault: Fault) -> Self {
        Self { at: Duration::ZERO, lasts: Duration::ZERO, fault, draw: 0, aim: None }
    }

    /// Returns the time of healing, from the start of the workload.
    pub fn until(&self) -> Duration {
        self.at + self.lasts
    }
}
