//! Audit of acknowledged writes: once all faults are healed, each is read on some node, or something that may have come
//! after it. Judged by definition, from the last reads alone, so that it also says something where a checker runs out
//! of its limits.

use std::collections::{BTreeMap, BTreeSet};

use checker::Model;
use histories::{Function, History, Operation, Outcome, Value, ValueId};

use super::finding::Finding;
use crate::{
    check::options_of,
    run::plan::Plan,
    systems::Guarantee,
    terminal::words::{counted, plain, reads_of},
};

/// Maximum number of lost writes that are named.
const MAX_NAMED: usize = 5;

/// Judges the final reads of a run, which began at this time; none if there were none.
pub(super) fn audit(plan: &Plan, history: &History, since_ns: Option<u64>) -> Finding {
    let read = plan.system().describe_read(&plan.read);
    if read.is_none_or(|read| read.guarantee == Guarantee::Weaker) {
        return Finding::not_checked(format!("{} may be old", reads_of(plan.read.name())));
    }
    let kind = match options_of(plan.workload()).map(|options| options.model) {
        Some(Model::Register) => Kind::Register,
        Some(Model::Set | Model::SetFull) => Kind::Set,
        _ => return Finding::not_checked(format!("nothing is known of what remains in workload {}", plan.workload)),
    };
    let Some(since_ns) = since_ns else {
        return Finding::not_checked("the run had no final reads");
    };
    let keys = keys_of(history, since_ns);
    let judged: Vec<_> = keys.values().filter(|key| key.read_on.len() == usize::from(plan.nodes)).collect();
    if judged.is_empty() {
        return Finding::not_checked("no key was read on all nodes at the end");
    }
    let lost: Vec<usize> = judged.iter().flat_map(|key| key.lost(history, kind)).collect();
    let named = lost.iter().take(MAX_NAMED).map(|write| sentence(history, *write));
    let more = lost.len().checked_sub(MAX_NAMED).filter(|more| *more > 0).map(|more| format!("and {more} more"));
    let writes: usize = judged.iter().map(|key| key.acknowledged.len()).sum();
    Finding::of(named.chain(more).collect(), || {
        format!("{} of {}", counted(writes, "write"), counted(judged.len(), "key"))
    })
}

/// Kind of object that the keys are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Register,
    /// Set whose elements are never removed.
    Set,
}

/// Operations on one key, as places in the history.
#[derive(Debug, Default)]
struct KeyOperations {
    acknowledged: Vec<usize>,
    /// Changes by the value that they set, of whatever outcome but a certain failure; none where several set the same.
    setters: BTreeMap<ValueId, Option<usize>>,
    /// Values of the final reads, and the nodes on which they were read.
    found: BTreeSet<ValueId>,
    read_on: BTreeSet<u16>,
}

fn keys_of(history: &History, since_ns: u64) -> BTreeMap<ValueId, KeyOperations> {
    let mut keys: BTreeMap<ValueId, KeyOperations> = BTreeMap::new();
    for (index, operation) in history.operations.iter().enumerate() {
        let key = keys.entry(operation.key).or_default();
        if operation.function == Function::Read {
            if operation.outcome == Outcome::Ok && history.times(index).invoked_ns >= since_ns {
                key.found.insert(operation.output);
                key.read_on.insert(history.node(index));
            }
        } else if matches!(operation.outcome, Outcome::Ok | Outcome::Info) {
            let set = value_set(operation);
            key.setters.entry(set).and_modify(|setter| *setter = None).or_insert(Some(index));
            if operation.outcome == Outcome::Ok {
                key.acknowledged.push(index);
            }
        }
    }
    keys
}

fn value_set(operation: &Operation) -> ValueId {
    if operation.function == Function::Cas { operation.to } else { operation.input }
}

impl KeyOperations {
    /// Returns the acknowledged writes that no final read can be later than.
    fn lost(&self, history: &History, kind: Kind) -> Vec<usize> {
        let lost = |write: &&usize| match kind {
            Kind::Register => self.found.iter().all(|found| self.is_older(history, *found, **write)),
            Kind::Set => {
                let element = history.value(value_set(&history.operations[**write]));
                let has = |found: &ValueId| match history.value(*found) {
                    Value::List(elements) => elements.contains(element),
                    _ => true, // nothing is known of an answer that is no set
                };
                !self.found.iter().any(has)
            }
        };
        self.acknowledged.iter().filter(lost).copied().collect()
    }

    /// Returns true if a value was certainly replaced by the write, for good: it was there at first, or the one
    /// operation that set it was over before the write began.
    fn is_older(&self, history: &History, found: ValueId, write: usize) -> bool {
        match self.setters.get(&found) {
            None => found == ValueId::NIL,
            Some(None) => false,
            Some(Some(setter)) => {
                let setter = &history.operations[*setter];
                setter.outcome == Outcome::Ok && setter.completed < history.operations[write].invoked
            }
        }
    }
}

fn sentence(history: &History, write: usize) -> String {
    let operation = &history.operations[write];
    format!(
        "The {} of {} to {}, which n{} acknowledged, is on no node after all faults were healed, nor anything that may \
         have come after it",
        history.function_name(operation.function),
        history.value(value_set(operation)),
        plain(history.value(operation.key)),
        history.node(write),
    )
}

#[cfg(test)]
mod tests {
    use histories::{Event, EventType, HistoryBuilder, Process};

    use super::*;

    /// Judges operations of k1 on one node, one after the other: function, value, outcome. All that follow on `healed`
    /// come after the load.
    fn judged(workload: &str, operations: &[(&'static str, Value, EventType)], read: &str) -> Finding {
        let (mut builder, mut time, mut until_ns) = (HistoryBuilder::default(), 0, 0);
        for (process, (f, value, kind)) in (0..).zip(operations) {
            if *f == "healed" {
                until_ns = time + 1;
                continue;
            }
            for kind in [EventType::Invoke, *kind] {
                time += 10;
                let event = Event::new(Process::Client(process), kind, *f);
                let value = Some(value.clone()).filter(|_| *f != "read" || kind == EventType::Ok);
                builder.push(Event { time, node: Some(1), key: Some("k1".into()), value, ..event }).unwrap();
            }
        }
        let plan = Plan { nodes: 1, workload: workload.to_owned(), read: read.into(), ..Plan::default() };
        audit(&plan, &builder.finish(), Some(until_ns))
    }

    const OK: EventType = EventType::Ok;

    fn healed() -> (&'static str, Value, EventType) {
        ("healed", Value::Nil, OK)
    }

    #[test]
    fn a_register_that_ends_with_an_older_value_has_lost_a_write() {
        let write = |value: i64, kind| ("write", Value::Int(value), kind);
        let read = |value: Value| ("read", value, OK);
        let both = [write(1, OK), write(2, OK), healed()];
        let ended = |last: Value| judged("register", &[&both[..], &[read(last)]].concat(), "quorum");
        assert_eq!(ended(2.into()), Finding::Holds { looked_at: "2 writes of 1 key".to_owned() });
        assert_eq!(ended(1.into()).evidence().len(), 1);
        assert!(ended(1.into()).evidence()[0].starts_with("The write of 2 to k1, which n1 acknowledged"));
        assert_eq!(ended(Value::Nil).evidence().len(), 2, "the first value is older than both");
        assert_eq!(ended(9.into()).evidence(), [""; 0], "nobody knows when that was written");
        let unknown = [write(1, EventType::Info), write(2, OK), healed(), read(1.into())];
        assert_eq!(judged("register", &unknown, "quorum").evidence(), [""; 0], "it may have come late");
        let weak = judged("register", &[&both[..], &[read(1.into())]].concat(), "local");
        assert_eq!(weak, Finding::not_checked("local reads may be old"));
        assert!(matches!(judged("register", &both, "quorum"), Finding::NotChecked { .. }));
    }

    #[test]
    fn an_element_that_no_node_has_was_lost() {
        let add = |value: i64| ("add", Value::Int(value), OK);
        let ended = |elements: &[i64]| {
            let found = Value::List(elements.iter().map(|element| Value::Int(*element)).collect());
            judged("set", &[add(1), add(2), healed(), ("read", found, OK)], "quorum")
        };
        assert_eq!(ended(&[2, 1]), Finding::Holds { looked_at: "2 writes of 1 key".to_owned() });
        assert!(ended(&[1]).evidence()[0].contains("The add of 2"));
    }

    #[test]
    fn other_workloads_are_not_guessed_at() {
        let found = judged("queue", &[], "quorum");
        assert_eq!(found, Finding::not_checked("nothing is known of what remains in workload queue"));
    }
}
