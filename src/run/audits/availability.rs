//! Audit of availability: nobody is answered, neither probes nor clients, for longer than faults explain. Probes alone
//! would blame a node that is merely slower than they are patient.

use std::time::Duration;

use histories::{History, Outcome};

use super::{audited_run::AuditedRun, finding::Finding};
use crate::{
    run::{
        availability::{Answers, NodeAvailability, common_outages},
        faults::FaultWindow,
        leadership::Span,
    },
    terminal::words::seconds,
};

/// Times by which availability is judged.
#[derive(Clone, Copy, Debug)]
struct Times {
    /// Interval between two probes.
    probe: Duration,
    /// Longest time in which a system recovers from a fault, and longest outage that needs no explanation.
    recovery: Duration,
}

/// Judges the outages that probes found.
pub(super) fn audit(run: &AuditedRun<'_>) -> Finding {
    let AuditedRun { plan, history, availability, load, .. } = *run;
    let Some(recovery) = plan.system().recovers_within(&plan.settings) else {
        return Finding::not_checked("the system does not say within which time it recovers from a fault");
    };
    let times = Times { probe: plan.system().timing(&plan.settings).probe, recovery };
    let answers = Answered { probes: availability, operations_ns: successes_ns(history) };
    let causes = Causes { faults: run.faults, host_stalls: run.host_stalls, size: usize::from(plan.nodes) };
    judge(&answers, causes, load, times)
}

/// Causes for which nodes may not answer.
#[derive(Clone, Copy)]
struct Causes<'a> {
    faults: &'a [FaultWindow],
    host_stalls: &'a [Span],
    /// Number of nodes.
    size: usize,
}

impl Causes<'_> {
    /// Returns the spans in which these explain that no node answers.
    fn explained(&self, recovery_ns: u64) -> impl Iterator<Item = Span> {
        let stalls = self.host_stalls.iter().map(move |stall| stall.and_after(recovery_ns));
        let by_fault = move |fault| explained_by(fault, self.faults, self.size, recovery_ns);
        self.faults.iter().flat_map(by_fault).chain(stalls)
    }
}

/// Answers in a run.
struct Answered<'a> {
    probes: &'a [NodeAvailability],
    /// Times at which operations succeeded, ascending.
    operations_ns: Vec<u64>,
}

fn successes_ns(history: &History) -> Vec<u64> {
    let operations = history.operations.iter().enumerate();
    let successes = operations.filter(|(_, it)| matches!(it.outcome, Outcome::Ok | Outcome::Mismatch));
    let mut times_ns: Vec<u64> = successes.map(|(index, _)| history.times(index).completed_ns).collect();
    times_ns.sort_unstable();
    times_ns
}

impl Answered<'_> {
    /// Returns the parts of an outage of the probes between operations that succeeded.
    fn silences(&self, outage: Span) -> Vec<Span> {
        let within = self.operations_ns.iter().copied().filter(|time_ns| outage.contains(*time_ns));
        let ends: Vec<u64> = [outage.from_ns].into_iter().chain(within).chain([outage.until_ns]).collect();
        ends.array_windows().map(|&[from_ns, until_ns]| Span { from_ns, until_ns }).collect()
    }
}

fn judge(answers: &Answered<'_>, causes: Causes<'_>, load: Span, times: Times) -> Finding {
    let Some(outages) = common_outages(answers.probes) else { return Finding::not_checked("the run had no probes") };
    let possible = u128::from(load.length_ns()) / times.probe.as_nanos().max(1);
    let was_late = |answers: &Answers| u128::from(answers.probes) * 2 < possible;
    if answers.probes.iter().any(|node| was_late(&node.reads) || was_late(&node.writes)) {
        return Finding::not_checked("the host was too busy to probe the nodes in time");
    }
    let recovery_ns = u64::try_from(times.recovery.as_nanos()).unwrap_or(u64::MAX);
    let unexplained = |span: Span| {
        causes
            .explained(recovery_ns)
            .fold(vec![span], |parts, hole| parts.into_iter().flat_map(|part| part.without(hole)).collect())
    };
    let longest = |spans: Vec<Span>| spans.into_iter().max_by_key(|span| span.length_ns());
    let judged: u64 = unexplained(load).iter().map(|span| span.length_ns()).sum();
    let outages = outages.iter().map(|outage| Span { until_ns: outage.until_ns.min(load.until_ns), ..*outage });
    let silences = outages.flat_map(|outage| answers.silences(outage));
    let worst = longest(silences.flat_map(unexplained).collect()).filter(|outage| outage.length_ns() > recovery_ns);
    if load.length_ns() <= recovery_ns {
        let least = seconds(recovery_ns);
        return Finding::not_checked(format!("the load was no longer than the {least} that recovery may take"));
    }
    if worst.is_none() && judged <= recovery_ns {
        return Finding::not_checked("faults, stalls of the host and their aftermath take up the whole load");
    }
    let sentence = |outage: Span| {
        let said = format!(
            "Nobody was answered from {} to {}, longer than the {} that recovery may take, and no fault explains it",
            seconds(outage.from_ns),
            seconds(outage.until_ns),
            seconds(recovery_ns)
        );
        (outage.from_ns + recovery_ns, said)
    };
    Finding::of_moments(worst.map(sentence).into_iter().collect(), || {
        format!("{} of the load that no fault explains", seconds(judged))
    })
}

/// Returns the spans in which a fault explains that no node answers: its whole time and what recovery takes after it,
/// or, if it only takes a minority away and comes alone, what recovery takes after its beginning and after its end. One
/// of a disk, or of no known kind, explains all that comes after it, as a node may not come back from it.
fn explained_by(fault: &FaultWindow, all: &[FaultWindow], size: usize, recovery_ns: u64) -> Vec<Span> {
    let Span { from_ns, until_ns } = fault.span;
    let after = |from_ns: u64| Span { from_ns, until_ns: from_ns.saturating_add(recovery_ns) };
    if !fault.is(|kind| !kind.needs_disk()) {
        return vec![Span { until_ns: u64::MAX, ..fault.span }];
    }
    let alone = all.iter().filter(|other| other.span.overlaps(from_ns, until_ns)).count() == 1;
    let takes_nodes_away = fault.is(|kind| kind.ends_processes() || kind.silences_processes());
    let is_minority = !fault.nodes.is_empty() && fault.nodes.len() * 2 < size;
    if alone && takes_nodes_away && is_minority {
        vec![after(from_ns), after(until_ns)]
    } else {
        vec![fault.span.and_after(recovery_ns)]
    }
}

#[cfg(test)]
mod tests {
    use nemesis::FaultKind;

    use super::*;

    const MS: u64 = 1_000_000;
    const LOAD: Span = Span { from_ns: 0, until_ns: 20_000 * MS };
    const NOTHING: Causes<'_> = Causes { faults: &[], host_stalls: &[], size: 3 };

    fn span((from_ms, until_ms): (u64, u64)) -> Span {
        Span { from_ns: from_ms * MS, until_ns: until_ms * MS }
    }

    /// Returns what three nodes answered that all had this outage, of so many probes of each kind.
    fn nodes(outage: (u64, u64), probes: u64) -> Vec<NodeAvailability> {
        let answers = Answers { probes, answered: 1, outages: vec![span(outage)] };
        (1..=3).map(|node| NodeAvailability { node, reads: answers.clone(), writes: answers.clone() }).collect()
    }

    fn fault(kind: FaultKind, hit: &[u16], during: (u64, u64)) -> FaultWindow {
        let (nodes, span) = (hit.to_vec(), span(during));
        let (words, grudge) = (kind.name().to_owned(), nemesis::Grudge::default());
        FaultWindow { kind: Some(kind), words, nodes, grudge, skew: None, span }
    }

    fn judged(outage: (u64, u64), faults: &[FaultWindow]) -> Finding {
        let times = Times { probe: Duration::from_millis(80), recovery: Duration::from_secs(3) };
        let answers = Answered { probes: &nodes(outage, 200), operations_ns: vec![500 * MS] };
        judge(&answers, Causes { faults, host_stalls: &[], size: 3 }, LOAD, times)
    }

    #[test]
    fn an_outage_is_a_violation_if_it_lasts_longer_than_faults_explain() {
        let killed = [fault(FaultKind::Kill, &[2], (1000, 12_000))];
        assert_eq!(judged((1100, 4500), &killed).evidence(), [""; 0], "recovery from the beginning takes time");
        let said = "Nobody was answered from 4.000 s to 9.000 s, longer than the 3.000 s that recovery may take, and \
            no fault explains it";
        assert_eq!(judged((1100, 9000), &killed).evidence(), [said]);
        let times = Times { probe: Duration::from_millis(80), recovery: Duration::from_secs(3) };
        let slow = Answered { probes: &nodes((1100, 9000), 200), operations_ns: vec![6500 * MS, 8000 * MS] };
        let causes = Causes { faults: &killed, host_stalls: &[], size: 3 };
        assert_eq!(judge(&slow, causes, LOAD, times).evidence(), [""; 0], "it was slow, but there");
        let cut = [fault(FaultKind::Partition, &[], (1000, 12_000))];
        assert_eq!(judged((1100, 14_500), &cut).evidence(), [""; 0], "a partition may leave no majority");
        assert_eq!(judged((1100, 19_000), &cut).evidence().len(), 1);
        let disk = [fault(FaultKind::DiskCorrupt, &[1], (0, 1000)), fault(FaultKind::Kill, &[2], (4000, 9000))];
        assert_eq!(judged((4000, 19_000), &disk).evidence(), [""; 0], "a node with a broken disk stays away");
        let most = [fault(FaultKind::Kill, &[1, 2], (1000, 12_000))];
        assert_eq!(judged((1100, 14_500), &most).evidence(), [""; 0], "no majority is left");
        let both = [killed[0].clone(), fault(FaultKind::Pause, &[1], (4000, 10_000))];
        assert_eq!(judged((1100, 12_500), &both).evidence(), [""; 0], "together they leave none");
    }

    #[test]
    fn a_stall_of_the_host_explains_what_follows_it() {
        let times = Times { probe: Duration::from_millis(80), recovery: Duration::from_secs(3) };
        let answers = Answered { probes: &nodes((1000, 5000), 200), operations_ns: Vec::new() };
        assert_eq!(judge(&answers, NOTHING, LOAD, times).evidence().len(), 1);
        let during =
            |stall| judge(&answers, Causes { host_stalls: &[span(stall)], ..NOTHING }, LOAD, times).evidence().len();
        assert_eq!([during((1500, 1560)), during((8000, 8060))], [0, 1], "a stall before or during the outage alone");
    }

    #[test]
    fn what_cannot_be_told_is_not_checked() {
        let times = Times { probe: Duration::from_millis(80), recovery: Duration::from_secs(3) };
        let why = |finding: Finding| serde_json::to_string(&finding).unwrap();
        let judged_by =
            |probes: &[NodeAvailability]| judge(&Answered { probes, operations_ns: Vec::new() }, NOTHING, LOAD, times);
        let busy = judged_by(&nodes((1000, 9000), 100));
        assert!(why(busy).contains("too busy"));
        assert!(why(judged_by(&[])).contains("no probes"));
        let all = [fault(FaultKind::Clock, &[1], (0, 18_000))];
        assert!(why(judged((0, 18_000), &all)).contains("the whole load"));
        let short = judge(
            &Answered { probes: &nodes((0, 0), 200), operations_ns: Vec::new() },
            NOTHING,
            span((0, 3000)),
            times,
        );
        assert!(why(short).contains("the load was no longer than the 3.000 s that recovery may take"));
        assert_eq!(
            why(judged((0, 0), &[])),
            r#"{"verdict":"holds","looked_at":"20.000 s of the load that no fault explains"}"#
        );
    }
}
