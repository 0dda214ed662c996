//! Faults in the history: their events as they begin and end, and reading these back.

use std::{collections::BTreeMap, time::Duration};

use histories::{Event, EventType, Process, Value};
use nemesis::{FaultKind, Grudge, Outcome, PacketCounts, ResolvedFault, SkewWay};

use super::leadership::Span;
use crate::terminal::words::plain;

/// Word for clocks skewed through vDSOs.
const BY_VDSO: &str = "vdso";

/// A fault with the span in which it was in force.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FaultWindow {
    /// Kind of fault; none if the history names one that does not exist.
    pub(crate) kind: Option<FaultKind>,
    /// Description of the fault and its targets.
    pub(crate) words: String,
    /// Nodes that were killed or paused, or whose clock was changed.
    pub(crate) nodes: Vec<u16>,
    /// Packets that were dropped, if this is a partition.
    pub(crate) grudge: Grudge,
    /// Change to the clocks, if this is a clock fault.
    pub(crate) skew: Option<ClockSkew>,
    pub(crate) span: Span,
}

impl FaultWindow {
    /// Returns true if the fault is known to be of a kind like this.
    pub(crate) fn is(&self, like_this: impl Fn(FaultKind) -> bool) -> bool {
        self.kind.is_some_and(like_this)
    }

    /// Returns true if the times that nodes write to their logs are skewed too.
    pub(crate) fn skews_logs(&self) -> bool {
        self.skew.is_some_and(|skew| skew.is_by_vdso)
    }
}

/// Change to a clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ClockSkew {
    /// Seconds counted by the clock per true second.
    pub(crate) rate: f64,
    /// Jump at the beginning of the fault, in seconds.
    pub(crate) jump_s: f64,
    /// True if programs were skewed through their vDSOs: over a restart, and not after the fault.
    pub(crate) is_by_vdso: bool,
}

/// Returns the event that a fault is about to be injected.
pub(crate) fn attempt_event(kind: FaultKind, fault: &str) -> Event<'static> {
    event(format!("start-{kind}"), [("fault", fault.into())], None)
}

/// Returns the event of the outcome of injecting the fault at this place of the schedule.
pub(crate) fn outcome_event(kind: FaultKind, place: usize, outcome: &Outcome) -> Event<'static> {
    let (name, installed, why) = match outcome {
        Outcome::Installed { id, fault } => ("installed", Some((id, fault)), None),
        Outcome::Indeterminate { id, fault, why } => ("indeterminate", Some((id, fault)), Some(why.as_str())),
        Outcome::Skipped { why } => ("skipped", None, Some(why.as_str())),
    };
    let mut value = vec![("outcome", name.into())];
    if let Some((id, fault)) = installed {
        let nodes = fault.nodes().map(|node| Value::Int(node.0.into())).collect();
        value.extend([
            ("id", Value::Int(id.0.into())),
            ("fault", fault.to_string().as_str().into()),
            ("nodes", Value::List(nodes)),
            ("place", Value::Int(i64::try_from(place).unwrap_or(i64::MAX))),
            ("hit", serde_json::to_string(fault).expect("faults are plain data").as_str().into()),
        ]);
        if let ResolvedFault::Clock { skew, .. } = fault {
            value.extend([("rate", Value::from_f64(skew.rate)), ("jump_s", Value::from_f64(jump_s(skew.jump_ns)))]);
            value.extend((skew.by == Some(SkewWay::Vdso)).then(|| ("by", BY_VDSO.into())));
        }
    }
    event(format!("start-{kind}"), value, why)
}

/// Returns the event that a fault is about to be healed (`healed` false, `error` none), that it was healed, or why it
/// could not be, and what one of packets did to them. A fault whose beginning could not be recorded has no kind.
pub(crate) fn heal_event(
    kind: Option<FaultKind>,
    id: nemesis::FaultId,
    healed: bool,
    counts: Option<PacketCounts>,
    error: Option<&str>,
) -> Event<'static> {
    let mut value = vec![("id", Value::Int(id.0.into()))];
    if healed {
        value.push(("outcome", "healed".into()));
    }
    if let Some(PacketCounts { seen, hit, over_limit, missed }) = counts {
        let all = [("seen", seen), ("hit", hit), ("over_limit", over_limit), ("missed", missed)];
        let count = |(name, count)| (name, Value::Int(i64::try_from(count).unwrap_or(i64::MAX)));
        value.push(("packets", Value::Map(all.map(count).into_iter().collect())));
    }
    let kind = kind.map_or("fault", FaultKind::name);
    event(format!("stop-{kind}"), value, error)
}

fn event<'a>(f: String, fields: impl IntoIterator<Item = (&'a str, Value)>, error: Option<&str>) -> Event<'static> {
    let value = Some(Value::Map(fields.into_iter().collect()));
    let error = error.map(|why| why.to_owned().into());
    Event { value, error, ..Event::new(Process::nemesis(), EventType::Info, f) }
}

fn jump_s(jump_ns: i64) -> f64 {
    let length = Duration::from_nanos(jump_ns.unsigned_abs()).as_secs_f64();
    if jump_ns < 0 { -length } else { length }
}

/// Returns the faults of a history, in order of their beginnings; one that was never healed lasts to `end_ns`.
pub(crate) fn fault_windows(events: &[Event<'_>], end_ns: u64) -> Vec<FaultWindow> {
    let mut fault_windows: BTreeMap<i64, FaultWindow> = BTreeMap::new();
    for event in events {
        let Some(Value::Map(fields)) = &event.value else { continue };
        let field = |name: &str| fields.named(name);
        let (Some(Value::Int(id)), Some(_)) = (field("id"), field("outcome")) else { continue };
        if let Some(kind) = event.f.strip_prefix("start-") {
            let words = field("fault").map_or_else(String::new, plain);
            let nodes = match field("nodes") {
                Some(Value::List(nodes)) => nodes.iter().filter_map(number).collect(),
                _ => Vec::new(),
            };
            let span = Span { from_ns: event.time, until_ns: end_ns };
            let number = |name| field(name).and_then(Value::as_f64);
            let is_by_vdso = field("by").map(plain).as_deref() == Some(BY_VDSO);
            let skew = number("rate").zip(number("jump_s"));
            let skew = skew.map(|(rate, jump_s)| ClockSkew { rate, jump_s, is_by_vdso });
            let grudge = field("hit").and_then(grudge).unwrap_or_default();
            let kind = FaultKind::from_name(kind);
            fault_windows.insert(*id, FaultWindow { kind, words, nodes, grudge, skew, span });
        } else if event.f.starts_with("stop-")
            && let Some(window) = fault_windows.get_mut(id)
        {
            window.span.until_ns = event.time;
        }
    }
    fault_windows.into_values().collect()
}

/// Returns the offset of a node's clock from true time in seconds, positive if ahead. It is 0 again after a restart of
/// the node, or, of a clock skewed through vDSOs, after the fault. A strobe counts as its jump.
pub(crate) fn clock_offset_s(fault_windows: &[FaultWindow], node: u16, time_ns: u64) -> f64 {
    let mine = || fault_windows.iter().filter(|window| window.nodes.contains(&node));
    let restarts = mine().filter(|window| window.is(FaultKind::ends_processes)).map(|window| window.span.until_ns);
    let since_ns = restarts.filter(|until_ns| *until_ns <= time_ns).max().unwrap_or_default();
    let drift = |window: &FaultWindow| {
        let Some(skew) = window.skew else { return 0.0 };
        let since_ns = if skew.is_by_vdso { 0 } else { since_ns };
        if skew.is_by_vdso && window.span.until_ns <= time_ns {
            return 0.0;
        }
        let (from_ns, until_ns) = (window.span.from_ns.max(since_ns), window.span.until_ns.min(time_ns));
        let skewed_s = Duration::from_nanos(until_ns.saturating_sub(from_ns)).as_secs_f64();
        let jumped = (since_ns..time_ns).contains(&window.span.from_ns);
        (skew.rate - 1.0) * skewed_s + if jumped { skew.jump_s } else { 0.0 }
    };
    mine().map(drift).sum()
}

/// Returns what a partition drops, from the fault as it hit.
fn grudge(hit: &Value) -> Option<Grudge> {
    match serde_json::from_str(&plain(hit)).ok()? {
        ResolvedFault::Partition { grudge, .. } => Some(grudge),
        _ => None,
    }
}

fn number(value: &Value) -> Option<u16> {
    match value {
        Value::Int(number) => u16::try_from(*number).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Instant};

    use nemesis::{FaultId, FaultKind, Grudge, NodeId, Outcome, ResolvedFault, Skew, SkewWay};

    use super::{
        super::leadership::Span, ClockSkew, FaultWindow, attempt_event, clock_offset_s, fault_windows, heal_event,
        outcome_event,
    };

    #[test]
    fn what_is_written_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.jsonl");
        let recorder = histories::Recorder::create(&path, Instant::now()).unwrap();
        let kill = ResolvedFault::Kill { nodes: BTreeSet::from([NodeId(2), NodeId(4)]) };
        let record = |event| recorder.record(event).unwrap();
        record(attempt_event(FaultKind::Kill, "kill a random minority"));
        record(outcome_event(FaultKind::Kill, 0, &Outcome::Installed { id: FaultId(1), fault: kill.clone() }));
        record(outcome_event(FaultKind::Pause, 0, &Outcome::Skipped { why: "no leader".to_owned() }));
        record(heal_event(Some(FaultKind::Kill), FaultId(1), false, None, None));
        record(heal_event(Some(FaultKind::Kill), FaultId(1), true, None, None));
        record(outcome_event(FaultKind::Kill, 0, &Outcome::Installed { id: FaultId(2), fault: kill }));
        let skew = Skew { rate: 0.2, jump_ns: -1_500_000_000, by: Some(SkewWay::Vdso), ..Skew::NONE };
        let clock = ResolvedFault::Clock { nodes: BTreeSet::from([NodeId(1)]), skew };
        record(outcome_event(FaultKind::Clock, 0, &Outcome::Installed { id: FaultId(3), fault: clock }));
        recorder.flush().unwrap();
        let lines = std::fs::read_to_string(&path).unwrap();
        let events: Vec<_> =
            lines.lines().map(|line| serde_json::from_str::<histories::Event<'_>>(line).unwrap()).collect();
        let mut found = fault_windows(&events, u64::MAX);
        assert_eq!(found.pop().unwrap().skew, Some(ClockSkew { rate: 0.2, jump_s: -1.5, is_by_vdso: true }));
        let expected = |from: usize, until_ns| FaultWindow {
            kind: Some(FaultKind::Kill),
            words: "kill n2 n4".to_owned(),
            nodes: vec![2, 4],
            grudge: Grudge::default(),
            skew: None,
            span: Span { from_ns: events[from].time, until_ns },
        };
        assert_eq!(found, [expected(1, events[4].time), expected(5, u64::MAX)]);
    }

    fn window(kind: FaultKind, skew: Option<ClockSkew>, from_ns: u64, until_ns: u64) -> FaultWindow {
        let (words, nodes, grudge) = (String::new(), vec![1], Grudge::default());
        FaultWindow { kind: Some(kind), words, nodes, grudge, skew, span: Span { from_ns, until_ns } }
    }

    #[test]
    fn clocks_drift_while_they_are_bent_and_begin_anew_with_the_node() {
        const SECOND: u64 = 1_000_000_000;
        let slow = ClockSkew { rate: 0.5, jump_s: -1.0, is_by_vdso: false };
        let fault_windows = [
            window(FaultKind::Clock, Some(slow), SECOND, 5 * SECOND),
            window(FaultKind::Kill, None, 6 * SECOND, 7 * SECOND),
        ];
        for (at_s, expected_s) in [(0, 0.0), (1, 0.0), (3, -2.0), (5, -3.0), (6, -3.0), (7, 0.0)] {
            let found_s = clock_offset_s(&fault_windows, 1, at_s * SECOND);
            assert!((found_s - expected_s).abs() < 1e-9, "{found_s} at {at_s} s");
        }
        assert!(clock_offset_s(&fault_windows, 2, 3 * SECOND).abs() < 1e-9, "another node's clock is honest");
    }

    #[test]
    fn clocks_skewed_through_vdsos_stay_so_over_a_restart_and_are_right_after_the_fault() {
        const SECOND: u64 = 1_000_000_000;
        let slow = ClockSkew { rate: 0.5, jump_s: -1.0, is_by_vdso: true };
        let fault_windows = [
            window(FaultKind::Clock, Some(slow), SECOND, 7 * SECOND),
            window(FaultKind::Kill, None, 2 * SECOND, 3 * SECOND),
        ];
        for (at_s, expected_s) in [(1, 0.0), (3, -2.0), (5, -3.0), (7, 0.0), (9, 0.0)] {
            let found_s = clock_offset_s(&fault_windows, 1, at_s * SECOND);
            assert!((found_s - expected_s).abs() < 1e-9, "{found_s} at {at_s} s");
        }
    }
}
