//! Audits: properties of a run that are judged beside its history, each with a verdict of its own. What a system does
//! not offer is not checked, and said so.

mod acknowledged_writes;
mod audited_run;
mod availability;
mod finding;
mod leaders;
mod replicas;
mod revisions;
mod votes;

pub(super) use self::audited_run::AuditedRun;
pub(crate) use self::finding::{Audit, AuditKind, Finding};

/// Makes all audits of a run.
pub(super) fn audits(run: AuditedRun<'_>) -> Vec<Audit> {
    let AuditedRun { plan, history, report, load, has_final_reads, states, reigns, ballots, faults, .. } = run;
    let since_ns = has_final_reads.then_some(load.until_ns);
    let elects_once_a_term = plan.system().elects_once_a_term();
    let findings = [
        (AuditKind::Revisions, revisions::audit(plan, history, report)),
        (AuditKind::AcknowledgedWrites, acknowledged_writes::audit(plan, history, since_ns)),
        (AuditKind::ReplicaStates, replicas::audit_states(states)),
        (AuditKind::LogMatching, replicas::audit_logs(states)),
        (AuditKind::Leaders, leaders::audit(elects_once_a_term, reigns)),
        (AuditKind::Votes, votes::audit(elects_once_a_term, ballots, faults)),
        (AuditKind::Availability, availability::audit(&run)),
    ];
    findings.map(|(kind, finding)| Audit { kind, finding }).into()
}
