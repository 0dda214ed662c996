//! Counter that grows and shrinks, and only has to be right in the end: a final `read` shows the sum of all
//! acknowledged additions, with any of those of unknown outcome. Earlier reads may show anything.

use histories::{Operation, Outcome, Value};

use super::{
    FewCalls, Key, Property, Violation,
    final_reads::{ADD, ADDITIONS, FinalReads, READ, is_final_read},
};
use crate::{UnknownWhy, sorted::sorted, specification::Call, unknown::unsupported};

/// Maximum number of sums that additions of unknown outcome may make.
const MAX_SUMS: usize = 1 << 16;

/// Property that reads in the end show a possible sum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PnCounter;

impl Property for PnCounter {
    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        match call.function {
            ADD if matches!(call.input, Value::Int(_)) => Ok(()),
            ADD | READ if call.function == ADD || !call.asks_for_nothing() => Err(call.unsupported_input()),
            READ if matches!(call.output, None | Some(Value::Nil | Value::Int(_))) => Ok(()),
            READ => Err(call.unsupported_output()),
            _ => Err(call.unknown_function()),
        }
    }

    fn violation(&self, key: &Key<'_>) -> Result<Option<Violation>, UnknownWhy> {
        let number = |operation: &Operation| whole(key.history.value(operation.input));
        let acknowledged: Vec<(u32, &Operation)> = key.answered(ADD).collect();
        let certain = whole(key.initial) + acknowledged.iter().map(|(_, add)| number(add)).sum::<i128>();
        let mut finals = FinalReads::of(key)?;
        let mut is_judged = acknowledged.is_empty();
        let is_unknown = |add: &Operation| add.outcome == Outcome::Info && key.call(add).function == ADD;
        let mut unknown = key.all().filter(|(_, add)| is_unknown(add)).peekable();
        let mut sums = vec![certain];
        for (index, read) in finals.candidates.clone() {
            key.step()?;
            while let Some((_, add)) = unknown.next_if(|(_, add)| add.invoked < read.completed) {
                key.steps(sums.len())?;
                sums = sorted(sums.iter().flat_map(|sum| [*sum, sum + number(add)]));
                if sums.len() > MAX_SUMS {
                    return unsupported(format!("additions of unknown outcome that make more than {MAX_SUMS} sums"));
                }
            }
            let shown = whole(key.history.value(read.output));
            let is_right = sums.binary_search(&shown).is_ok();
            let is_final = is_right || finals.has(read);
            is_judged |= is_final;
            if is_final && !is_right {
                let possible = match &sums[..] {
                    [only] => format!("must be at {only}"),
                    all => format!(
                        "must be at one of {} sums from {} to {}, depending on additions of unknown outcome",
                        all.len(),
                        all[0],
                        all[all.len() - 1]
                    ),
                };
                let claim = format!(
                    "{} returned {shown}, although it began after all acknowledged additions, with which the counter \
                        {possible}",
                    key.who(index)
                );
                return Ok(Some(Violation::with_changes(&[index], ADDITIONS, key.changes(ADD), claim)));
            }
        }
        if is_judged {
            return Ok(None);
        }
        unsupported("a history in which no final read begins after the last acknowledged addition")
    }

    fn is_violated_by(&self, few: &FewCalls<'_>) -> bool {
        let adds: Vec<_> = few.calls.iter().filter(|(_, call)| call.function == ADD).collect();
        let is_wrong = |(read, call): &(Operation, Call<'_>)| {
            let mut possible = vec![whole(few.initial)];
            for (add, call) in &adds {
                let with: Vec<i128> = possible.iter().map(|sum| sum + whole(call.input)).collect();
                match add.outcome {
                    Outcome::Ok => possible = with,
                    Outcome::Info if add.invoked < read.completed => possible = sorted([possible, with].concat()),
                    _ => {}
                }
            }
            !possible.contains(&call.output.map_or(0, whole))
        };
        (0..few.calls.len()).any(|at| is_final_read(few, at) && is_wrong(&few.calls[at]))
    }
}

/// Returns a number; what is absent counts as 0.
fn whole(value: &Value) -> i128 {
    if let Value::Int(number) = value { i128::from(*number) } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use histories::{
        Event,
        EventType::{self, Fail, Info, Invoke, Ok as Done},
        History, HistoryBuilder, Process,
    };
    use rand::{RngExt as _, SeedableRng as _};
    use rand_pcg::Pcg64;

    use super::{
        super::{
            decide,
            tests::{agreed, compare_where_known, decided, history},
        },
        *,
    };
    use crate::Limits;

    /// Adds 5 and -2 for certain, 10 perhaps, and reads twice; the first read begins before the last addition ends.
    fn read_as(early: i64, last: i64) -> History {
        history(&[
            (0, Invoke, ADD, 5.into()),
            (0, Done, ADD, 5.into()),
            (1, Invoke, ADD, 10.into()),
            (1, Info, ADD, 10.into()),
            (2, Invoke, ADD, (-2).into()),
            (3, Invoke, READ, Value::Nil),
            (2, Done, ADD, (-2).into()),
            (3, Done, READ, early.into()),
            (4, Invoke, READ, Value::Nil),
            (4, Done, READ, last.into()),
        ])
    }

    #[test]
    fn only_final_reads_must_be_a_possible_sum() {
        for last in [3, 13] {
            assert_eq!(decided(&PnCounter, &read_as(1000, last), &Value::Nil), Ok(None));
        }
        let evidence = decided(&PnCounter, &read_as(3, 5), &Value::Nil).unwrap().unwrap();
        assert_eq!((evidence.operations, evidence.besides), (vec![0, 1, 2, 4], None), "with what was added");
        let claim = "read by process 4 at 0.008 s returned 5, although it began after all acknowledged additions, with \
            which the counter must be at one of 2 sums from 3 to 13, depending on additions of unknown outcome";
        assert_eq!(evidence.claim, claim);
        assert_eq!(decided(&PnCounter, &read_as(3, 5), &2.into()), Ok(None), "it began with 2");
    }

    /// Adds 5, reads once it is over, and does this in the end.
    fn after_a_stale_read(reader: u64, last: &[(u64, EventType, &'static str, Value)]) -> History {
        let mut events = vec![
            (0, Invoke, ADD, 5.into()),
            (0, Done, ADD, 5.into()),
            (reader, Invoke, READ, Value::Nil),
            (reader, Done, READ, 0.into()),
        ];
        events.extend(last.iter().cloned());
        history(&events)
    }

    #[test]
    fn a_read_of_the_load_may_be_stale_after_the_last_addition() {
        let read = |process, shown: i64| [(process, Invoke, READ, Value::Nil), (process, Done, READ, shown.into())];
        let all = [read(0, 5), read(1, 5)].concat();
        assert_eq!(decided(&PnCounter, &after_a_stale_read(1, &all), &Value::Nil), Ok(None));
        let lost = [read(0, 5), read(1, 0)].concat();
        let evidence = decided(&PnCounter, &after_a_stale_read(1, &lost), &Value::Nil).unwrap().unwrap();
        assert_eq!(evidence.operations, [0, 3], "the read with the addition");
        // Without a final read by process 1, that of another tells that its read was of the load.
        let one = [read(0, 5), read(0, 5)].concat();
        assert_eq!(decided(&PnCounter, &after_a_stale_read(1, &one), &Value::Nil), Ok(None));
        let failed = [(1, Invoke, READ, Value::Nil), (1, Fail, READ, Value::Nil)];
        let unknown = decided(&PnCounter, &after_a_stale_read(1, &failed), &Value::Nil);
        assert!(matches!(unknown, Err(UnknownWhy::Unsupported { .. })));
    }

    #[test]
    fn reads_that_are_called_final_are_the_final_ones() {
        let judged = |marked: [bool; 3]| {
            let mut builder = HistoryBuilder::default();
            for ((process, shown), is_final) in [(1, 0), (2, 5), (3, 7)].into_iter().zip(marked) {
                if process == 1 {
                    for kind in [Invoke, Done] {
                        let add = Event::new(Process::Client(0), kind, ADD);
                        builder.push(Event { value: Some(5.into()), ..add }).unwrap();
                    }
                }
                for (kind, value) in [(Invoke, Value::Nil), (Done, shown.into())] {
                    let read = Event::new(Process::Client(process), kind, READ);
                    builder.push(Event { value: Some(value), is_final, ..read }).unwrap();
                }
            }
            let found = decided(&PnCounter, &builder.finish(), &Value::Nil).unwrap();
            found.map(|evidence| evidence.operations)
        };
        assert_eq!(judged([false, true, false]), None, "the others may be of the load");
        assert_eq!(judged([false, true, true]), Some(vec![0, 3]));
        assert_eq!(judged([false; 3]), Some(vec![0, 1]), "without the word, each is the last of its process");
    }

    #[test]
    fn a_counter_that_is_read_before_the_load_is_over_is_not_judged() {
        let mut builder = HistoryBuilder::default();
        let events = [(1, "k0", ADD, 5, 5), (2, "k0", READ, 0, 3), (3, "k1", ADD, 1, 1)];
        for (process, key, f, asked, answer) in events {
            for (kind, value) in [(Invoke, asked), (Done, answer)] {
                let value = if f == READ && kind == Invoke { Value::Nil } else { Value::Int(value) };
                let event = Event::new(Process::Client(process), kind, f);
                builder.push(Event { key: Some(key.into()), value: Some(value), ..event }).unwrap();
            }
        }
        let history = builder.finish();
        let found = decide(&PnCounter, &history, &Value::Nil, &Limits::none(), &[0, 1]);
        assert!(matches!(found, Err(UnknownWhy::Unsupported { .. })), "{found:?}");
    }

    /// Compares both definitions on processes that go on.
    #[test]
    fn both_definitions_agree_on_processes() {
        let mut counts = [0; 2];
        for seed in 0..2000 {
            let mut random = Pcg64::seed_from_u64(seed);
            let (mut events, mut open) = (Vec::new(), BTreeMap::new());
            for _ in 0..random.random_range(4..20) {
                let process = random.random_range(0..3);
                let (kind, f) = match (open.remove(&process), random.random_range(0..6)) {
                    (Some(f), 0) => (Fail, f),
                    (Some(f), _) => (Done, f),
                    (None, 0) => (Invoke, ADD),
                    (None, _) => (Invoke, READ),
                };
                if kind == Invoke {
                    open.insert(process, f);
                }
                let value = if f == READ && kind != Done { Value::Nil } else { 1.into() };
                events.push((process, kind, f, value));
            }
            let history = history(&events);
            let Ok(found) = decided(&PnCounter, &history, &Value::Nil) else { continue };
            counts[usize::from(agreed(&PnCounter, &history, &Value::Nil, found.as_ref(), seed))] += 1;
        }
        assert!(counts.iter().all(|count| *count > 200), "the comparison is one-sided: {counts:?}");
    }

    #[test]
    fn without_a_read_in_the_end_nobody_knows() {
        let never = history(&[(0, Invoke, ADD, 5.into()), (0, Done, ADD, 5.into())]);
        assert!(matches!(decided(&PnCounter, &never, &Value::Nil), Err(UnknownWhy::Unsupported { .. })));
    }

    #[test]
    fn both_definitions_agree() {
        compare_where_known(&PnCounter, &Value::Nil, 5, |random| match random.random_range(0..2) {
            0 => (ADD, Value::Int(random.random_range(-1..3)), Some(Value::Nil)),
            _ => (READ, Value::Nil, Some(Value::Int(random.random_range(0..3)))),
        });
    }
}
