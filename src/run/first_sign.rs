//! First sign of a violation in a history: the moment at which it was complete.

use checker::{Evidence, KeyReport};
use histories::{History, NEVER, Outcome, ValueId};
use serde::{Deserialize, Serialize};

/// Maximum number of operations of a history in which the first of all violations is looked for. In a longer one, it is
/// the first of those that were found.
const MAX_OPERATIONS: usize = 50_000;

/// Moment in a run at which a violation is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FirstSign {
    /// Time since the beginning of the history.
    pub(crate) time_ms: u64,
    /// Number of operations that had begun by then.
    pub(crate) operations: usize,
}

impl FirstSign {
    /// Finds the first violation: the end of the shortest beginning of the history that `is_violated`, if beginnings
    /// can be judged, which those of transactions cannot, or else of the evidence for one of these keys that was
    /// complete first. None if there is no violation, or if the history has no times.
    pub(crate) fn of(
        history: &History,
        keys: &[KeyReport],
        is_violated: Option<&dyn Fn(&History) -> bool>,
    ) -> Option<Self> {
        let evidence = keys.iter().filter_map(|key| key.evidence.as_ref());
        let complete = |evidence: &Evidence| {
            let ranks = evidence.operations.iter().filter_map(|index| history.operations.get(*index));
            ranks.map(|it| if it.completed == NEVER { it.invoked } else { it.completed }).max()
        };
        let mut end = evidence.filter_map(complete).min().filter(|_| history.has_times())? + 1;
        let has_beginnings = history.operations.len() <= MAX_OPERATIONS && history.transactions.is_empty();
        if let Some(is_violated) = is_violated.filter(|_| has_beginnings) {
            let mut sound = 0;
            while sound + 1 < end {
                let middle = sound.midpoint(end);
                if is_violated(&beginning(history, middle)) {
                    end = middle;
                } else {
                    sound = middle;
                }
            }
        }
        Some(Self::at(history, end))
    }

    /// Returns a moment of a history that has times.
    pub(crate) fn at_time(history: &History, time_ms: u64) -> Self {
        let has_begun = |index: &usize| history.times(*index).invoked_ns / 1_000_000 <= time_ms;
        Self { time_ms, operations: (0..history.operations.len()).filter(has_begun).count() }
    }

    /// Returns the moment of the last event before this rank.
    fn at(history: &History, end: u32) -> Self {
        let mut sign = Self { time_ms: 0, operations: 0 };
        for (index, operation) in history.operations.iter().enumerate().filter(|(_, it)| it.invoked < end) {
            let times = history.times(index);
            let time_ns = if operation.completed < end { times.completed_ns } else { times.invoked_ns };
            sign = Self { time_ms: sign.time_ms.max(time_ns / 1_000_000), operations: sign.operations + 1 };
        }
        sign
    }
}

/// Returns the events of a history before this rank: what was open then may take effect at any later time.
fn beginning(history: &History, end: u32) -> History {
    let mut beginning = history.clone();
    beginning.operations.retain(|operation| operation.invoked < end);
    for open in beginning.operations.iter_mut().filter(|operation| operation.completed >= end) {
        (open.completed, open.outcome, open.output) = (NEVER, Outcome::Info, ValueId::UNKNOWN);
    }
    beginning
}

#[cfg(test)]
mod tests {
    use checker::{Model, Options, Verdict};
    use histories::{Event, EventType, HistoryBuilder, Process, Value};

    use super::*;

    #[test]
    fn the_first_of_several_violations_is_found_at_the_end_of_its_last_operation() {
        let mut builder = HistoryBuilder::default();
        let mut ms = 0;
        for (process, (f, value)) in
            (0..).zip([("write", 1), ("write", 2), ("read", 2), ("read", 1), ("write", 3), ("read", 2), ("read", 1)])
        {
            for kind in [EventType::Invoke, EventType::Ok] {
                ms += 10;
                let event = Event::new(Process::Client(process), kind, f);
                let value = (kind == EventType::Ok || f == "write").then(|| value.into());
                builder.push(Event { time: ms * 1_000_000, key: Some("k1".into()), value, ..event }).unwrap();
            }
        }
        let history = builder.finish();
        let check = |history: &History| checker::check(history, &Options::new(Model::Register));
        let is_violated = |history: &History| check(history).verdict == Verdict::NotLinearizable;
        let report = check(&history);
        let first = FirstSign::of(&history, &report.keys, Some(&is_violated));
        assert_eq!(first, Some(FirstSign { time_ms: 80, operations: 4 }));
        let found = FirstSign::of(&history, &report.keys, None).unwrap();
        assert!(found.time_ms >= 80 && found.operations >= 4, "{found:?}");
        assert_eq!(FirstSign::of(&history, &[], Some(&is_violated)), None);
    }

    #[test]
    fn beginnings_of_transactions_are_not_judged() {
        let mut builder = HistoryBuilder::default();
        let mut ms = 0;
        for (process, access) in (0..).zip([["w", "x", "1"], ["r", "x", "0"]]) {
            for kind in [EventType::Invoke, EventType::Ok] {
                ms += 10;
                let access = Value::List(access.into_iter().map(Value::from).collect());
                let event = Event::new(Process::Client(process), kind, "txn");
                let value = Some(Value::List(vec![access]));
                builder.push(Event { time: ms * 1_000_000, value, ..event }).unwrap();
            }
        }
        let history = builder.finish();
        assert!(!history.transactions.is_empty());
        let report = checker::check(&history, &Options::new(Model::MultiRegister));
        let first = FirstSign::of(&history, &report.keys, Some(&|_| panic!("it was judged")));
        assert!(first.is_some_and(|sign| sign.operations == 2), "{first:?}");
    }

    #[test]
    fn a_beginning_keeps_what_had_begun_and_leaves_it_open() {
        let mut builder = HistoryBuilder::default();
        for (process, kind) in
            [(1, EventType::Invoke), (2, EventType::Invoke), (1, EventType::Ok), (2, EventType::Fail)]
        {
            let event = Event::new(Process::Client(process), kind, "write");
            builder.push(Event { value: Some(1.into()), ..event }).unwrap();
        }
        let history = builder.finish();
        let outcomes = |end| beginning(&history, end).operations.iter().map(|it| it.outcome).collect::<Vec<_>>();
        assert_eq!(outcomes(1), [Outcome::Info]);
        assert_eq!(outcomes(3), [Outcome::Ok, Outcome::Info], "one that failed later was open");
        assert_eq!(outcomes(4), [Outcome::Ok, Outcome::Fail]);
    }
}
