//! Planned faults: plain data, as kept with a run.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::{Fault, ResolvedFault};
use crate::trigger::Trigger;

/// Fault with its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedFault {
    /// Time of injection, from the start of the workload, or from its trigger.
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
    /// Event that it waits for, if it does not come at a given time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Trigger>,
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
        Self { at: Duration::ZERO, lasts: Duration::ZERO, fault, draw: 0, aim: None, when: None }
    }

    /// Returns the time of healing, from the start of the workload.
    pub fn until(&self) -> Duration {
        self.at + self.lasts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_of_old_are_read_and_what_is_not_set_is_not_written() {
        let old =
            r#"{"at":{"secs":1,"nanos":0},"lasts":{"secs":3,"nanos":5},"fault":{"kill":{"target":"bent"}},"draw":7}"#;
        let planned: PlannedFault = serde_json::from_str(old).unwrap();
        assert_eq!((planned.draw, &planned.aim, planned.when), (7, &None, None));
        assert_eq!(serde_json::to_string(&planned).unwrap(), old);
        let again = PlannedFault { aim: Some(Aim::Again(2)), ..planned };
        let kept = serde_json::to_string(&again).unwrap();
        assert_eq!(serde_json::from_str::<PlannedFault>(&kept).unwrap(), again);
    }
}
