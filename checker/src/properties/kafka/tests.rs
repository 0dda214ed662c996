//! Tests of logs.

use histories::{
    EventType::{self, Fail, Info, Invoke, Ok as Done},
    History, Value,
};
use rand::RngExt as _;

use super::{
    super::tests::{agreed, compare_where_known, decided, history},
    *,
};

mod simulated;
mod transactions;

fn list(values: impl IntoIterator<Item = Value>) -> Value {
    Value::List(values.into_iter().collect())
}

/// Returns the answer of a poll: offsets and values.
fn shown(pairs: &[(i64, i64)]) -> Value {
    list(pairs.iter().map(|(offset, value)| list([(*offset).into(), (*value).into()])))
}

/// Returns a history of sends and polls, each a value or an offset with its answer, by one process each.
fn logs(sends: &[(i64, i64)], polls: &[(i64, &[(i64, i64)])]) -> History {
    let sends = sends.iter().map(|(value, offset)| (SEND, Value::Int(*value), Value::Int(*offset)));
    let polls = polls.iter().map(|(from, pairs)| (POLL, Value::Int(*from), shown(pairs)));
    let all = (0..).zip(sends.chain(polls));
    let events =
        all.flat_map(|(process, (f, asked, answer))| [(process, Invoke, f, asked), (process, Done, f, answer)]);
    history(&events.collect::<Vec<_>>())
}

fn claim(history: &History) -> Option<String> {
    decided(&Kafka, history, &Value::Nil).unwrap().map(|evidence| evidence.claim)
}

#[test]
fn an_offset_has_one_value_and_a_value_one_offset() {
    let sends = [(10, 0), (11, 1), (12, 2)];
    assert_eq!(claim(&logs(&sends, &[(0, &[(0, 10), (1, 11)]), (1, &[]), (1, &[(1, 11), (2, 12)])])), None);
    for (sends, polls, expected) in [
        (
            &[(10, 0), (11, 0)][..],
            &[][..],
            "says that offset 0 has 11, although send by process 0 at 0.000 s says that it has 10",
        ),
        (
            &[(10, 0), (11, 1)],
            &[(0, &[(0, 11)][..])],
            "says that offset 0 has 11, although send by process 0 at 0.000 s says that it has 10",
        ),
        (
            &[(10, 0)],
            &[(1, &[(1, 10)])],
            "says that 10 is at offset 1, although send by process 0 at 0.000 s says that it is at offset 0",
        ),
        (&[(10, 0)], &[(0, &[(0, 10), (1, 77)])], "returned 77 at offset 1, which nobody ever sent"),
        (&sends, &[(1, &[(0, 10)])], "returned offset 0, although it had to go on after 0"),
        (
            &sends,
            &[(0, &[(1, 11), (0, 10)])],
            "began at offset 1, and skipped 10 at offset 0, which poll by process 3 at 0.006 s returned",
        ),
        (
            &sends,
            &[(1, &[(2, 12)])],
            "went from offset 0 to 2, and no poll shows 11, which send by process 1 at 0.002 s put at offset 1: it \
                was lost",
        ),
    ] {
        let found = claim(&logs(sends, polls)).unwrap_or_default();
        assert!(found.ends_with(expected), "{found} is not {expected}");
    }
    assert_eq!(claim(&logs(&[(10, 0), (12, 2)], &[(0, &[(0, 10), (2, 12)])])), None, "nobody knows what 1 has");
}

#[test]
fn what_a_process_sends_goes_forward() {
    let sends = |second: i64| {
        let send = |kind: EventType, value: i64| (0, kind, SEND, Value::Int(value));
        history(&[send(Invoke, 10), send(Done, 5), send(Invoke, 11), send(Done, second)])
    };
    assert_eq!(claim(&sends(7)), None);
    assert_eq!(
        claim(&sends(4)).as_deref(),
        Some(
            "send by process 0 at 0.002 s sent 11 to offset 4, although send by process 0 at 0.000 s had sent to \
                offset 5 before"
        )
    );
}

fn micro(parts: &[Value]) -> Value {
    list([list(parts.iter().cloned())])
}

/// Returns the answer of a poll by Jepsen's micro-operation: log 5 with these offsets.
fn jepsen_poll(pairs: &[(i64, i64)]) -> Value {
    let logs = Value::map(vec![(5.into(), shown(pairs))]).unwrap();
    micro(&[Value::keyword(POLL), logs])
}

/// Sends 10 to 12 to log 5, at offsets 0, 2 and 4, and polls twice, with an operation on some logs in between. Another
/// process polls all.
fn jepsen(first: &[(i64, i64)], between: Option<(EventType, &'static str, i64)>, second: &[(i64, i64)]) -> History {
    let send = |asked: Value| micro(&[Value::keyword(SEND), 5.into(), asked]);
    let mut events = Vec::new();
    for (value, offset) in [(10, 0), (11, 2), (12, 4)] {
        events.push((0, Invoke, SEND, send(value.into())));
        events.push((0, Done, SEND, send(list([Value::Int(offset), value.into()]))));
    }
    let asked = || micro(&[Value::keyword(POLL)]);
    events.extend([(1, Invoke, POLL, asked()), (1, Done, POLL, jepsen_poll(first))]);
    if let Some((kind, f, log)) = between {
        let asked = if f == POLL { asked() } else { list([log.into()]) };
        events.extend([(1, Invoke, f, asked.clone()), (1, kind, f, asked)]);
    }
    events.extend([(1, Invoke, POLL, asked()), (1, Done, POLL, jepsen_poll(second))]);
    events.extend([(2, Invoke, POLL, asked()), (2, Done, POLL, jepsen_poll(&[(0, 10), (2, 11), (4, 12)]))]);
    history(&events)
}

#[test]
fn a_process_reads_on_where_it_was_until_it_begins_anew() {
    let (first, last) = (&[(0, 10)][..], &[(4, 12)][..]);
    assert_eq!(claim(&jepsen(first, None, &[(2, 11), (4, 12)])), None);
    let skipped = "went on to offset 4 of log 5, after poll by process 1 at 0.006 s had come to 0, and skipped 11 at \
        offset 2, which poll by process 2";
    let back = "returned offset 0 of log 5, although poll by process 1 at 0.006 s had come to 4";
    for between in
        [None, Some((Done, ASSIGN, 5)), Some((Fail, ASSIGN, 6)), Some((Fail, POLL, 5)), Some((Info, POLL, 5))]
    {
        for (events, expected) in [(jepsen(first, between, last), skipped), (jepsen(last, between, first), back)] {
            let found = claim(&events).unwrap_or_default();
            assert!(found.contains(expected), "{between:?}: {found} is not {expected}");
        }
    }
    for between in [(Done, ASSIGN, 6), (Info, ASSIGN, 6), (Done, SUBSCRIBE, 5), (Done, CRASH, 5)] {
        assert_eq!(claim(&jepsen(first, Some(between), last)), None, "{between:?}");
        assert_eq!(claim(&jepsen(last, Some(between), first)), None, "{between:?}");
    }
    let unsent = claim(&jepsen(&[(0, 10)], None, &[(2, 11), (3, 13)]));
    assert_eq!(
        unsent.as_deref(),
        Some("poll by process 1 at 0.008 s returned 13 at offset 3 of log 5, which nobody ever sent")
    );
}

#[test]
fn a_poll_from_the_beginning_misses_nothing_that_is_known() {
    let (none, some) = (&[][..], &[(2, 11), (4, 12)][..]);
    assert_eq!(claim(&jepsen(none, Some((Done, ASSIGN, 5)), some)), None, "it may read from anywhere");
    assert_eq!(claim(&jepsen(none, Some((Fail, ASSIGN_FROM_BEGINNING, 5)), some)), None);
    assert_eq!(claim(&jepsen(none, Some((Done, ASSIGN_FROM_BEGINNING, 6)), some)), None);
    let skipped = "poll by process 1 at 0.010 s began at offset 2 of log 5, and skipped 10 at offset 0, which poll by \
        process 2 at \
        0.012 s returned";
    let skipping = jepsen(none, Some((Done, ASSIGN_FROM_BEGINNING, 5)), some);
    let evidence = decided(&Kafka, &skipping, &Value::Nil).unwrap().unwrap();
    assert_eq!(evidence.claim, skipped);
    assert!(evidence.operations.contains(&6), "the poll that shows it is among them: {:?}", evidence.operations);
    let all = &[(0, 10), (2, 11), (4, 12)];
    assert_eq!(claim(&jepsen(all, Some((Done, ASSIGN_FROM_BEGINNING, 5)), all)), None, "it reads all again");
}

#[test]
fn what_is_not_understood_is_named() {
    for (f, asked, answer) in [
        (POLL, Value::Nil, shown(&[])),
        (POLL, Value::Int(-1), shown(&[])),
        (POLL, 0.into(), 5.into()),
        (SEND, 7.into(), Value::Int(-1)),
        (SEND, micro(&[Value::keyword(SEND), 5.into(), 7.into()]), 5.into()),
    ] {
        let one = history(&[(0, Invoke, f, asked.clone()), (0, Done, f, answer)]);
        assert!(matches!(decided(&Kafka, &one, &Value::Nil), Err(UnknownWhy::Unsupported { .. })), "{f} {asked}");
    }
    let twice = decided(&Kafka, &logs(&[(10, 0), (10, 1)], &[]), &Value::Nil);
    assert!(matches!(twice, Err(UnknownWhy::Unsupported { what, .. }) if what == "10, which was sent twice"));
}

#[test]
fn both_definitions_agree() {
    let mut sent = 0;
    compare_where_known(&Kafka, &Value::Nil, 6, |random| {
        if random.random_range(0..2) == 0 {
            sent = (sent + 1) % 20;
            let offset = if random.random_range(0..8) == 0 { sent + 1 } else { sent };
            return (SEND, Value::Int(sent), Some(offset.into()));
        }
        let from = (sent - random.random_range(0..3)).max(0);
        let pairs = (from..=sent).filter(|_| random.random_range(0..6) > 0).map(|offset| (offset, offset));
        (POLL, Value::Int(from), Some(shown(&pairs.collect::<Vec<_>>())))
    });
}

/// Compares both definitions on what two processes send and poll by micro-operations, with fresh beginnings.
#[test]
fn both_definitions_agree_on_processes() {
    let mut counts = [0; 2];
    for seed in 0..2000 {
        let mut random = <rand_pcg::Pcg64 as rand::SeedableRng>::seed_from_u64(seed);
        let mut events = Vec::new();
        for value in 0..6 {
            let process = random.random_range(0..2);
            let kind = if random.random_range(0..8) == 0 { Fail } else { Done };
            let (f, asked, answer) = match random.random_range(0..11) {
                10 => (ASSIGN_FROM_BEGINNING, list([5.into()]), Value::Nil),
                0 => (ASSIGN, list([Value::Int(random.random_range(5..7))]), Value::Nil),
                1 => (SUBSCRIBE, Value::Nil, Value::Nil),
                2..6 => {
                    let send = |value: Value| micro(&[Value::keyword(SEND), 5.into(), value]);
                    (SEND, send(value.into()), send(list([Value::Int(value), value.into()])))
                }
                _ => {
                    let begin = random.random_range(0..=value);
                    let pairs = (begin..value).filter(|_| random.random_range(0..4) > 0).map(|offset| (offset, offset));
                    (POLL, micro(&[Value::keyword(POLL)]), jepsen_poll(&pairs.collect::<Vec<_>>()))
                }
            };
            let answer = if kind == Fail { asked.clone() } else { answer };
            events.extend([(process, Invoke, f, asked), (process, kind, f, answer)]);
        }
        let history = history(&events);
        let found = decided(&Kafka, &history, &Value::Nil).unwrap();
        counts[usize::from(agreed(&Kafka, &history, &Value::Nil, found.as_ref(), seed))] += 1;
    }
    assert!(counts.iter().all(|count| *count > 200), "the comparison is one-sided: {counts:?}");
}
