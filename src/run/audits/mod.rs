//! Audits: properties of a run that are judged beside its history, each with a verdict of its own. What a system does
//! not offer is not checked, and said so.

mod acknowledged_writes;
mod availability;
mod finding;
mod leaders;
mod replicas;
mod revisions;

use checker::Report;
use histories::History;

pub(crate) use self::finding::{Audit, AuditKind, Finding};
use super::{faults::FaultWindow, leadership::Reign, plan::Plan, results::LiveResults};

/// Facts that audits rest on.
#[derive(Clone, Copy, Debug)]
pub(super) struct AuditedRun<'a> {
    pub(super) plan: &'a Plan,
    pub(super) history: &'a History,
    pub(super) report: &'a Report,
    pub(super) live: &'a LiveResults,
    pub(super) reigns: &'a [Reign],
    pub(super) faults: &'a [FaultWindow],
}

/// Makes all audits of a run.
pub(super) fn audits(run: AuditedRun<'_>) -> Vec<Audit> {
    let AuditedRun { plan, history, report, live, reigns, faults } = run;
    let system = plan.system();
    let states = live.states.as_ref();
    let findings = [
        (AuditKind::Revisions, revisions::audit(plan, history, report)),
        (AuditKind::AcknowledgedWrites, acknowledged_writes::audit(plan, history, live)),
        (AuditKind::ReplicaStates, replicas::audit_states(states)),
        (AuditKind::LogMatching, replicas::audit_logs(states)),
        (AuditKind::Leaders, leaders::audit(system.elects_once_a_term(), reigns)),
        (AuditKind::Availability, availability::audit(plan, history, live, faults)),
    ];
    findings.map(|(kind, finding)| Audit { kind, finding }).into()
}
