//! Faults in the history: how they are written down as they come and go, and how they are read back.

use std::collections::BTreeMap;

use histories::{Event, RecordError, Recorder, Value};
use nemesis::{NodeId, Outcome, Resolved};

use super::beliefs::Span;
use crate::ui::verdict::plain;

/// A fault that was in force for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FaultWindow {
    /// `kill`, `pause`, `partition` or `clock`.
    pub(crate) kind: String,
    /// What was done to whom, in words.
    pub(crate) words: String,
    /// The nodes that were killed or paused, or whose clock was bent.
    pub(crate) nodes: Vec<u16>,
    pub(crate) span: Span,
}

/// Writes that a fault is about to be injected.
pub(crate) fn record_attempt(recorder: &Recorder, kind: &str, fault: &str) -> Result<(), RecordError> {
    recorder.nemesis(&format!("start-{kind}"), map([("fault", fault.into())]), None).map(drop)
}

/// Writes what came of that.
pub(crate) fn record_outcome(recorder: &Recorder, kind: &str, outcome: &Outcome) -> Result<(), RecordError> {
    let f = format!("start-{kind}");
    let (name, installed, why) = match outcome {
        Outcome::Installed { id, fault } => ("installed", Some((id, fault)), None),
        Outcome::Indeterminate { id, fault, why } => ("indeterminate", Some((id, fault)), Some(why.as_str())),
        Outcome::Skipped { why } => ("skipped", None, Some(why.as_str())),
    };
    let mut value = vec![("outcome", name.into())];
    if let Some((id, fault)) = installed {
        let nodes = nodes_of(fault).map(|node| Value::Int(node.0.into())).collect();
        value.extend([
            ("id", Value::Int(id.0.into())),
            ("fault", fault.to_string().as_str().into()),
            ("nodes", Value::List(nodes)),
        ]);
    }
    recorder.nemesis(&f, map(value), why).map(drop)
}

/// Writes that a fault is about to be healed (`error` is `None` and `healed` false), or that it was, or why it could not be.
pub(crate) fn record_heal(
    recorder: &Recorder,
    kind: &str,
    id: nemesis::FaultId,
    healed: bool,
    error: Option<&str>,
) -> Result<(), RecordError> {
    let mut value = vec![("id", Value::Int(id.0.into()))];
    if healed {
        value.push(("outcome", "healed".into()));
    }
    recorder.nemesis(&format!("stop-{kind}"), map(value), error).map(drop)
}

fn nodes_of(fault: &Resolved) -> impl Iterator<Item = NodeId> {
    let nodes = match fault {
        Resolved::Kill { nodes } | Resolved::Pause { nodes } | Resolved::Clock { nodes, .. } => Some(nodes),
        Resolved::Partition { .. } => None,
    };
    nodes.into_iter().flatten().copied()
}

/// The faults of a history, in the order in which they came; one that was never healed lasts to `end_ns`.
pub(crate) fn windows(events: &[Event<'_>], end_ns: u64) -> Vec<FaultWindow> {
    let mut windows: BTreeMap<i64, FaultWindow> = BTreeMap::new();
    for event in events {
        let Some(Value::Map(fields)) = &event.value else { continue };
        let field = |name: &str| fields.iter().find(|(known, _)| **known == *name).map(|(_, value)| value);
        let (Some(Value::Int(id)), Some(_)) = (field("id"), field("outcome")) else { continue };
        if let Some(kind) = event.f.strip_prefix("start-") {
            let words = field("fault").map_or_else(String::new, plain);
            let nodes = match field("nodes") {
                Some(Value::List(nodes)) => nodes.iter().filter_map(number).collect(),
                _ => Vec::new(),
            };
            let span = Span { from_ns: event.time, until_ns: end_ns };
            windows.insert(*id, FaultWindow { kind: kind.to_owned(), words, nodes, span });
        } else if event.f.starts_with("stop-")
            && let Some(window) = windows.get_mut(id)
        {
            window.span.until_ns = event.time;
        }
    }
    windows.into_values().collect()
}

fn number(value: &Value) -> Option<u16> {
    match value {
        Value::Int(number) => u16::try_from(*number).ok(),
        _ => None,
    }
}

fn map<'a>(fields: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Map(fields.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Instant};

    use nemesis::{FaultId, NodeId, Outcome, Resolved};

    use super::{FaultWindow, record_attempt, record_heal, record_outcome, windows};

    #[test]
    fn what_is_written_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.jsonl");
        let recorder = histories::Recorder::create(&path, Instant::now()).unwrap();
        let kill = Resolved::Kill { nodes: BTreeSet::from([NodeId(2), NodeId(4)]) };
        record_attempt(&recorder, "kill", "kill a random minority").unwrap();
        record_outcome(&recorder, "kill", &Outcome::Installed { id: FaultId(1), fault: kill.clone() }).unwrap();
        record_outcome(&recorder, "pause", &Outcome::Skipped { why: "no leader".to_owned() }).unwrap();
        record_heal(&recorder, "kill", FaultId(1), false, None).unwrap();
        record_heal(&recorder, "kill", FaultId(1), true, None).unwrap();
        record_outcome(&recorder, "kill", &Outcome::Installed { id: FaultId(2), fault: kill }).unwrap();
        let lines = std::fs::read_to_string(&path).unwrap();
        let events: Vec<_> =
            lines.lines().map(|line| serde_json::from_str::<histories::Event<'_>>(line).unwrap()).collect();
        let found = windows(&events, u64::MAX);
        let expected = |from: usize, until_ns| FaultWindow {
            kind: "kill".to_owned(),
            words: "kill n2 n4".to_owned(),
            nodes: vec![2, 4],
            span: super::Span { from_ns: events[from].time, until_ns },
        };
        assert_eq!(found, [expected(1, events[4].time), expected(5, u64::MAX)]);
    }
}
