//! Counts of what a fault did to packets, as kept with a run.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Number of packets on the links of a fault while it was in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketCounts {
    /// Packets that came along.
    pub seen: u64,
    /// Those of them that the fault hit: lost, delayed, sent twice, changed, held back, or answered by a reset.
    pub hit: u64,
    /// Packets that were dropped as a queue was full: that of a link with a bandwidth, or the one for all.
    pub over_limit: u64,
    /// Packets of any link that the kernel dropped, as they came faster than they could be looked at.
    pub missed: u64,
}

impl fmt::Display for PacketCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seen, hit, over_limit, missed } = self;
        write!(f, "{hit} of {seen} packets")?;
        if over_limit + missed > 0 {
            write!(f, ", {} dropped at limits", over_limit + missed)?;
        }
        Ok(())
    }
}
