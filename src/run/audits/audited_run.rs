//! Facts of a run that its audits rest on.

use checker::Report;
use histories::History;

use crate::run::{
    availability::NodeAvailability,
    checkpoints::StateComparison,
    faults::FaultWindow,
    leadership::{Ballot, Reign, Span},
    plan::Plan,
};

/// Facts that audits rest on.
#[derive(Clone, Copy, Debug)]
pub(in crate::run) struct AuditedRun<'a> {
    pub(in crate::run) plan: &'a Plan,
    pub(in crate::run) history: &'a History,
    pub(in crate::run) report: &'a Report,
    /// Time in which clients were active.
    pub(in crate::run) load: Span,
    /// True if every node was read once more after it.
    pub(in crate::run) has_final_reads: bool,
    pub(in crate::run) availability: &'a [NodeAvailability],
    /// Times in which the host was too busy to let the harness go on.
    pub(in crate::run) host_stalls: &'a [Span],
    pub(in crate::run) states: Option<&'a StateComparison>,
    pub(in crate::run) reigns: &'a [Reign],
    pub(in crate::run) ballots: &'a [Ballot],
    pub(in crate::run) faults: &'a [FaultWindow],
}
