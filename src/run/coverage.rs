//! Coverage of a run: whether it could have caught a violation. If nothing dangerous happened, it means little that
//! the history is linearizable.

use histories::{History, Operation, Outcome, Times};
use nemesis::FaultKind;
use serde::{Deserialize, Serialize};

use super::{
    availability::{self, NodeAvailability},
    faults::FaultWindow,
    leadership::{Reign, Span, deposed},
};
use crate::terminal::words::{counted, was_or_were};

/// Events in a run that could have led a wrong server into a violation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Coverage {
    /// Number of times that another node became leader.
    pub(crate) leader_changes: usize,
    pub(crate) deposed: DeposedCoverage,
    #[serde(default)]
    pub(crate) retired: RetiredCoverage,
    #[serde(default)]
    pub(crate) replaced: ReplacedCoverage,
    pub(crate) faults: Vec<FaultCoverage>,
    /// Number of acknowledged writes, including those by cas.
    pub(crate) writes: usize,
    /// Longest time in which no node answered a probe, neither of reads nor of writes. In a run without probes, the
    /// longest time in which no client's operation succeeded.
    pub(crate) longest_gap_ms: u64,
    /// Things that could not be seen, since the system does not tell them; empty if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) unseen: Vec<String>,
    /// Reasons why a verdict of linearizable would be weak evidence; empty if there are none.
    pub(crate) weak: Vec<String>,
}

/// Coverage of deposed leaders: nodes that still believed that they led while another node led a later term.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeposedCoverage {
    pub(crate) times: usize,
    /// Total time in which they were running and reachable by their clients.
    pub(crate) reachable_ms: u64,
    /// Reads pending on them at some moment of that time.
    pub(crate) reads_asked: usize,
    pub(crate) reads_answered: usize,
    /// Writes through other nodes that were acknowledged meanwhile.
    pub(crate) writes_elsewhere: usize,
}

/// Coverage of leaders that stepped down by themselves, while running, before another led, as they do where deposed
/// leaders do not linger. The reads and writes around that time would have exposed a leader that stepped down too late,
/// or voters that elected another too early.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RetiredCoverage {
    pub(crate) times: usize,
    /// Reads that these nodes were asked around the change.
    pub(crate) reads_asked: usize,
    /// Writes through other nodes that were acknowledged right after it.
    pub(crate) writes_elsewhere: usize,
}

/// Coverage of leaders that were ended by a fault, and replaced. A write that such a leader had acknowledged, and that
/// its successor lacks, would have been exposed by the reads after the change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReplacedCoverage {
    pub(crate) times: usize,
    /// Writes acknowledged right before such a leader ended.
    pub(crate) writes_before: usize,
    /// Reads that were answered right after another led.
    pub(crate) reads_after: usize,
}

/// Outcomes of the operations invoked while a fault was in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FaultCoverage {
    pub(crate) fault: String,
    #[serde(flatten)]
    pub(crate) span: Span,
    pub(crate) ok: usize,
    pub(crate) fail: usize,
    pub(crate) info: usize,
}

/// Statements of the nodes about who led.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leadership<'a> {
    pub(crate) reigns: &'a [Reign],
    /// True if a deposed leader may believe for long that it leads.
    pub(crate) linger: bool,
    /// Time before and after a change of leaders that counts as dangerous.
    pub(crate) around_ns: u64,
}

/// Number of answered operations below which a run says little, whatever happened meanwhile.
const FEW_OPERATIONS: usize = 100;

/// Measures the coverage of a run. `load` is the time in which clients were active. Without `leadership`, of which the
/// reason is given instead, nobody can say whether a deposed leader was asked; the coverage says so.
pub(crate) fn measure(
    history: &History,
    leadership: Result<Leadership<'_>, &'static str>,
    faults: &[FaultWindow],
    load: Span,
    availability: &[NodeAvailability],
) -> Coverage {
    let gap_ns = availability::longest_gap_ns(availability).unwrap_or_else(|| longest_gap_ns(history, load));
    let reigns = leadership.map_or(&[][..], |leadership| leadership.reigns);
    let mut coverage = Coverage {
        leader_changes: leader_changes(reigns),
        deposed: deposed_coverage(history, reigns, faults),
        retired: RetiredCoverage::default(),
        replaced: ReplacedCoverage::default(),
        faults: faults.iter().map(|window| fault_coverage(history, window)).collect(),
        writes: timed(history).filter(is_acknowledged_write).count(),
        longest_gap_ms: gap_ns / 1_000_000,
        unseen: Vec::new(),
        weak: Vec::new(),
    };
    if coverage.writes == 0 {
        coverage.weak.push("nothing was written".to_owned());
    }
    let answered = timed(history).filter(|timed| timed.operation.outcome == Outcome::Ok).count();
    if answered < FEW_OPERATIONS {
        coverage.weak.push(format!("only {} {} answered", counted(answered, "operation"), was_or_were(answered)));
    }
    match leadership {
        Ok(Leadership { linger, around_ns, .. }) => {
            let (retired, replaced) = successions(history, reigns, faults, around_ns);
            coverage.replaced = replaced;
            if !linger {
                coverage.retired = retired;
            }
            let why = weaknesses_of_leadership(&coverage);
            coverage.weak.extend(why.into_iter().map(str::to_owned));
        }
        Err(why) => coverage.unseen.push(format!("who led, and so whether a deposed leader was asked: {why}")),
    }
    coverage
}

fn weaknesses_of_leadership(coverage: &Coverage) -> Vec<&'static str> {
    let mut why = Vec::new();
    if coverage.leader_changes == 0 {
        why.push("the leader never changed");
    }
    let (deposed, retired, replaced) = (&coverage.deposed, coverage.retired, coverage.replaced);
    if replaced.writes_before > 0 && replaced.reads_after > 0 {
        return why; // a lost write would have been found
    }
    if deposed.reads_asked == 0 && retired.reads_asked == 0 {
        why.push("no deposed leader was asked for a read");
    } else if deposed.writes_elsewhere == 0 && retired.writes_elsewhere == 0 {
        why.push("nothing was written elsewhere while a deposed leader was asked");
    }
    why
}

fn leader_changes(reigns: &[Reign]) -> usize {
    let mut in_order: Vec<&Reign> = reigns.iter().collect();
    in_order.sort_by_key(|reign| reign.term);
    in_order.windows(2).filter(|pair| pair[0].node != pair[1].node).count()
}

fn deposed_coverage(history: &History, reigns: &[Reign], faults: &[FaultWindow]) -> DeposedCoverage {
    let mut sum = DeposedCoverage::default();
    for deposed in deposed(reigns) {
        let node = deposed.reign.node;
        let mut reachable = vec![deposed.span];
        for pause in
            faults.iter().filter(|fault| fault.is(FaultKind::silences_processes) && fault.nodes.contains(&node))
        {
            reachable = reachable.into_iter().flat_map(|span| span.without(pause.span)).collect();
        }
        let waiting = |times: Times| reachable.iter().any(|span| span.overlaps(times.invoked_ns, times.completed_ns));
        let within = |time_ns| reachable.iter().any(|span| span.contains(time_ns));
        let reads = timed(history).filter(|read| read.only_reads && read.node == node);
        sum.times += 1;
        sum.reachable_ms += reachable.iter().map(|span| span.length_ns()).sum::<u64>() / 1_000_000;
        sum.reads_asked += reads.clone().filter(|read| waiting(read.times)).count();
        sum.reads_answered +=
            reads.filter(|read| read.operation.outcome == Outcome::Ok && within(read.times.completed_ns)).count();
        sum.writes_elsewhere += timed(history)
            .filter(|write| {
                is_acknowledged_write(write) && write.node != node && deposed.span.contains(write.times.completed_ns)
            })
            .count();
    }
    sum
}

/// Measures the changes of leaders in which the old one knew, or was dead, before another led.
fn successions(
    history: &History,
    reigns: &[Reign],
    faults: &[FaultWindow],
    around_ns: u64,
) -> (RetiredCoverage, ReplacedCoverage) {
    let mut in_order: Vec<&Reign> = reigns.iter().collect();
    in_order.sort_by_key(|reign| reign.term);
    let (mut sum, mut replaced) = (RetiredCoverage::default(), ReplacedCoverage::default());
    for pair in in_order.windows(2) {
        let (old, new) = (pair[0], pair[1]);
        let dead = |fault: &FaultWindow| {
            fault.is(FaultKind::ends_processes)
                && fault.nodes.contains(&old.node)
                && fault.span.overlaps(old.span.until_ns, new.span.from_ns)
        };
        if old.node == new.node || old.span.until_ns > new.span.from_ns {
            continue;
        }
        let from_ns = old.span.until_ns.saturating_sub(around_ns);
        let after = Span { from_ns: new.span.from_ns, until_ns: new.span.from_ns.saturating_add(around_ns) };
        if faults.iter().any(dead) {
            let before = Span { from_ns, until_ns: old.span.until_ns };
            let is_before = |write: &TimedOperation<'_>| before.contains(write.times.completed_ns);
            let is_after = |read: &TimedOperation<'_>| {
                read.only_reads && read.operation.outcome == Outcome::Ok && after.contains(read.times.invoked_ns)
            };
            replaced.times += 1;
            replaced.writes_before += timed(history).filter(|it| is_acknowledged_write(it) && is_before(it)).count();
            replaced.reads_after += timed(history).filter(is_after).count();
            continue;
        }
        let around = Span { from_ns, ..after };
        sum.times += 1;
        sum.reads_asked += timed(history)
            .filter(|read| {
                let there = around.overlaps(read.times.invoked_ns, read.times.completed_ns);
                read.only_reads && read.node == old.node && there
            })
            .count();
        sum.writes_elsewhere += timed(history)
            .filter(|write| {
                is_acknowledged_write(write) && write.node != old.node && after.contains(write.times.completed_ns)
            })
            .count();
    }
    (sum, replaced)
}

/// Operation with its times and the node that was asked.
#[derive(Clone, Copy)]
struct TimedOperation<'a> {
    operation: &'a Operation,
    times: Times,
    node: u16,
    only_reads: bool,
}

/// Iterates over all operations.
fn timed(history: &History) -> impl Iterator<Item = TimedOperation<'_>> + Clone {
    history.operations.iter().enumerate().map(|(index, operation)| TimedOperation {
        operation,
        times: history.times(index),
        node: history.node(index),
        only_reads: workloads::only_reads(history, index),
    })
}

fn is_acknowledged_write(write: &TimedOperation<'_>) -> bool {
    write.operation.outcome == Outcome::Ok && !write.only_reads
}

fn fault_coverage(history: &History, window: &FaultWindow) -> FaultCoverage {
    let during = timed(history).filter(|during| window.span.contains(during.times.invoked_ns));
    let count = |wanted: &[Outcome]| during.clone().filter(|during| wanted.contains(&during.operation.outcome)).count();
    FaultCoverage {
        fault: window.words.clone(),
        span: window.span,
        ok: count(&[Outcome::Ok]),
        fail: count(&[Outcome::Fail, Outcome::Mismatch]),
        info: count(&[Outcome::Info]),
    }
}

fn longest_gap_ns(history: &History, load: Span) -> u64 {
    let mut successes: Vec<u64> = timed(history)
        .filter(|success| matches!(success.operation.outcome, Outcome::Ok | Outcome::Mismatch))
        .map(|success| success.times.completed_ns)
        .filter(|time_ns| load.contains(*time_ns))
        .chain([load.from_ns, load.until_ns])
        .collect();
    successes.sort_unstable();
    successes.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use histories::{Event, EventType, HistoryBuilder, Process};
    use nemesis::FaultKind;

    use super::{Coverage, DeposedCoverage, FEW_OPERATIONS, Leadership, ReplacedCoverage, RetiredCoverage, measure};
    use crate::run::{
        faults::FaultWindow,
        leadership::{Reign, Span},
    };

    const MS: u64 = 1_000_000;

    fn span(from_ms: u64, until_ms: u64) -> Span {
        Span { from_ns: from_ms * MS, until_ns: until_ms * MS }
    }

    fn on_n1(kind: FaultKind, from_ms: u64, until_ms: u64) -> FaultWindow {
        let words = format!("{} n1", kind.name());
        FaultWindow {
            kind: Some(kind),
            words,
            nodes: vec![1],
            grudge: nemesis::Grudge::default(),
            skew: None,
            span: span(from_ms, until_ms),
        }
    }

    /// Measures operations given as (function, node, invoked ms, completed ms, outcome), each by a process of its own,
    /// after enough others.
    fn coverage(
        operations: &[(&'static str, u16, u64, u64, EventType)],
        reigns: &[Reign],
        faults: &[FaultWindow],
        linger: bool,
    ) -> Coverage {
        let mut events = Vec::new();
        let others = [("read", 9, 0, 1, EventType::Ok); FEW_OPERATIONS];
        for (process, (f, node, invoked, completed, kind)) in (0..).zip(others.iter().chain(operations)) {
            for (time_ms, kind) in [(*invoked, EventType::Invoke), (*completed, *kind)] {
                let event = Event::new(Process::Client(process), kind, *f);
                events.push(Event { time: time_ms * MS, node: Some(*node), value: Some(1.into()), ..event });
            }
        }
        events.sort_by_key(|event| event.time);
        let mut builder = HistoryBuilder::default();
        for event in events {
            builder.push(event).unwrap();
        }
        let leadership = Leadership { reigns, linger, around_ns: 500 * MS };
        measure(&builder.finish(), Ok(leadership), faults, span(0, 1000), &[])
    }

    #[test]
    fn a_deposed_leader_is_measured_by_what_it_was_asked_and_what_others_wrote() {
        let reigns =
            [Reign { node: 1, term: 1, span: span(0, 900) }, Reign { node: 2, term: 2, span: span(300, 1000) }];
        let operations = [
            ("read", 1, 100, 200, EventType::Ok),
            ("read", 1, 400, 401, EventType::Ok),
            ("read", 1, 200, 500, EventType::Fail),
            ("read", 2, 400, 402, EventType::Ok),
            ("write", 2, 350, 360, EventType::Ok),
            ("write", 1, 350, 370, EventType::Info),
            ("write", 2, 950, 960, EventType::Ok),
        ];
        let found = coverage(&operations, &reigns, &[], true);
        let expected =
            DeposedCoverage { times: 1, reachable_ms: 600, reads_asked: 2, reads_answered: 1, writes_elsewhere: 1 };
        assert_eq!(found.deposed, expected);
        assert_eq!((found.leader_changes, found.writes, found.weak), (1, 2, Vec::new()));
        assert_eq!(found.longest_gap_ms, 558, "nothing succeeded from 402 to 960");
    }

    /// Tests coverage where deposed leaders do not linger: a leader that is cut off steps down before another leads, so
    /// no node is ever deposed without knowing it.
    #[test]
    fn a_leader_that_steps_down_was_asked_at_the_moment_of_danger() {
        let reigns =
            [Reign { node: 1, term: 1, span: span(0, 400) }, Reign { node: 2, term: 2, span: span(450, 1000) }];
        let operations = [
            ("read", 1, 390, 460, EventType::Fail),
            ("write", 2, 470, 480, EventType::Ok),
            ("write", 2, 960, 970, EventType::Ok),
        ];
        let found = coverage(&operations, &reigns, &[], false);
        assert_eq!(found.retired, RetiredCoverage { times: 1, reads_asked: 1, writes_elsewhere: 1 });
        assert!(found.weak.is_empty(), "{:?}", found.weak);
        let killed = on_n1(FaultKind::Kill, 400, 900);
        let found = coverage(&operations, &reigns, &[killed], false);
        assert_eq!(found.retired, RetiredCoverage::default(), "who is dead can answer nothing wrongly");
        assert_eq!(found.weak, ["no deposed leader was asked for a read"]);
        assert_eq!(found.replaced, ReplacedCoverage { times: 1, writes_before: 0, reads_after: 0 });
        let found = coverage(&operations, &reigns, &[], true);
        assert_eq!(found.weak, ["no deposed leader was asked for a read"]);
    }

    #[test]
    fn a_leader_that_dies_could_have_taken_acknowledged_writes_with_it() {
        let reigns =
            [Reign { node: 1, term: 1, span: span(0, 400) }, Reign { node: 2, term: 2, span: span(450, 1000) }];
        let killed = on_n1(FaultKind::Kill, 400, 900);
        let operations = [("write", 1, 350, 360, EventType::Ok), ("read", 2, 470, 480, EventType::Ok)];
        let found = coverage(&operations, &reigns, std::slice::from_ref(&killed), true);
        assert_eq!(found.replaced, ReplacedCoverage { times: 1, writes_before: 1, reads_after: 1 });
        assert_eq!(found.weak, [""; 0]);
        let found = coverage(&operations[..1], &reigns, &[killed], true);
        assert_eq!(found.weak, ["no deposed leader was asked for a read"], "nothing was read after it");
    }

    #[test]
    fn a_paused_leader_is_out_of_reach() {
        let reigns =
            [Reign { node: 1, term: 1, span: span(0, 900) }, Reign { node: 2, term: 2, span: span(300, 1000) }];
        let pause = on_n1(FaultKind::Pause, 100, 800);
        let found = coverage(&[("read", 1, 400, 500, EventType::Fail)], &reigns, &[pause], true);
        assert_eq!(found.deposed, DeposedCoverage { times: 1, reachable_ms: 100, ..DeposedCoverage::default() });
        assert_eq!(found.weak, ["nothing was written", "no deposed leader was asked for a read"]);
        assert_eq!((found.faults[0].ok, found.faults[0].fail, found.faults[0].info), (0, 1, 0));
    }

    #[test]
    fn a_system_that_does_not_say_who_leads_is_not_blamed_for_its_leaders() {
        let found = measure(&HistoryBuilder::default().finish(), Err("nobody says"), &[], span(0, 1000), &[]);
        assert_eq!(found.weak, ["nothing was written", "only 0 operations were answered"]);
        assert!(found.unseen[0].starts_with("who led"), "{:?}", found.unseen);
    }
}
