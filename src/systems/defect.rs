//! Planted defects, as results and reports tell of them: a run with one must never be taken for a run of the sound
//! system.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Rule that the nodes of a run break on purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PlantedDefect {
    pub(crate) name: String,
    /// Broken rule, in a sentence or two.
    pub(crate) about: String,
}

impl fmt::Display for PlantedDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "planted defect {}: {}", self.name, self.about)
    }
}
