//! Tests of the states that are told along a linearization, for every object.

use checker::{Model, Options, check, states};
use histories::Value;

use crate::build::history;

/// Returns the states along the order of a history whose operations come one after another.
fn told(model: Model, initial: Value, text: &str) -> Vec<String> {
    let history = history(text);
    let options = Options { initial, keep_order: true, ..Options::new(model) };
    let report = check(&history, &options);
    let order = report.keys[0].order.as_ref().unwrap_or_else(|| panic!("{model:?} has no order: {report:?}"));
    let told = states(&history, &options, &[order]).pop().unwrap();
    told.unwrap_or_else(|| panic!("{model:?} has no states along {order:?}: {report:?}"))
}

/// Makes a history in which calls come one after another: `7 add 1` or `7 read -> 3`.
fn calls(calls: &[&str]) -> String {
    let events = |call: &&str| {
        let (asked, answer) = call.split_once(" -> ").map_or((*call, None), |(asked, answer)| (asked, Some(answer)));
        let (process, what) = asked.split_once(' ').unwrap();
        let function = what.split(' ').next().unwrap();
        let done = answer.map_or_else(|| what.to_owned(), |answer| format!("{function} {answer}"));
        format!("{process} invoke {what}\n{process} ok {done}\n")
    };
    calls.iter().map(events).collect()
}

#[test]
fn every_object_tells_its_states() {
    use Model::{
        Bag, Comments, Counter, FencedLock, KeyValue, List, MultiRegister, Mutex, PriorityQueue, Queue, Register,
        Semaphore, Set, Stack,
    };
    let rows: [(Model, &[&str], &[&str]); 14] = [
        (Register, &["0 write 1", "0 read -> 1", "0 cas 1 2"], &["1", "1", "2"]),
        (KeyValue, &["0 write a", "0 append b", "0 delete"], &["\"a\"", "\"ab\"", "nil"]),
        (
            MultiRegister,
            &["0 txn [[w,x,1]]", "0 txn [[r,x,1],[w,y,2]]"],
            &["\"x\": 1, others nil", "\"x\": 1, \"y\": 2, others nil"],
        ),
        (Set, &["0 add 2", "0 add 1", "0 remove 2", "0 read -> [1]"], &["{2}", "{1, 2}", "{1}", "{1}"]),
        (Comments, &["0 write 2", "0 read -> [2]"], &["{2}", "{2}"]),
        (Counter, &["0 add 5", "0 dec", "0 read -> 4"], &["5", "4", "4"]),
        (Queue, &["0 enqueue 1", "0 enqueue 2", "0 dequeue -> 1"], &["[1]", "[1, 2]", "[2]"]),
        (Bag, &["0 add 1", "0 add 1", "0 take -> 1"], &["{1}", "{1 ×2}", "{1}"]),
        (Stack, &["0 push 1", "0 push 2", "0 pop -> 2"], &["[1]", "[1, 2]", "[1]"]),
        (PriorityQueue, &["0 insert 5", "0 insert 3", "0 poll -> 3"], &["[5]", "[3, 5]", "[5]"]),
        (List, &["0 append 1", "0 append 2", "0 read -> [1,2]"], &["[1]", "[1, 2]", "[1, 2]"]),
        (Mutex, &["7 acquire", "7 release"], &["held by process 7", "free"]),
        (FencedLock, &["7 acquire -> 3", "7 release"], &["held by process 7 with token 3", "free"]),
        (Semaphore, &["7 acquire", "7 release"], &["0 free, 1 held by process 7", "1 free"]),
    ];
    for model in Model::ALL.iter().filter(|model| !model.is_property()) {
        let (_, asked, expected) = rows.iter().find(|(of, ..)| of == model).unwrap_or_else(|| panic!("add {model:?}"));
        assert_eq!(told(*model, Value::Nil, &calls(asked)), *expected, "{model:?}");
    }
}

#[test]
fn large_states_are_told_by_the_end_that_matters() {
    let asked = |function: &str| (1..=10).map(|value| format!("0 {function} {value}")).collect::<Vec<_>>();
    for (model, function, expected) in [
        (Model::Queue, "enqueue", "[1, 2, 3, 4, 5, 6, 7, 8, … 2 more]"),
        (Model::Stack, "push", "[2 more …, 3, 4, 5, 6, 7, 8, 9, 10]"),
        (Model::Set, "add", "{1, 2, 3, 4, 5, 6, 7, 8, … 2 more}"),
    ] {
        let asked = asked(function);
        let told = told(model, Value::Nil, &calls(&asked.iter().map(String::as_str).collect::<Vec<_>>()));
        assert_eq!(told[9], expected);
    }
    let long = told(Model::Register, Value::Nil, &calls(&[&format!("0 write {}", "x".repeat(200))]));
    assert_eq!(long[0].chars().count(), 81, "{}", long[0]);
    assert!(long[0].ends_with("x…"), "{}", long[0]);
}

#[test]
fn states_begin_with_what_the_object_begins_with() {
    let begins = Value::List(vec![7.into(), 8.into()]);
    assert_eq!(told(Model::Queue, begins, &calls(&["0 dequeue -> 7"])), ["[8]"]);
    assert_eq!(told(Model::Counter, 3.into(), &calls(&["0 inc"])), ["4"]);
}

#[test]
fn an_order_that_the_object_does_not_allow_has_no_states() {
    let history = history(&calls(&["0 write 1", "0 read -> 1"]));
    let register = states(&history, &Options::new(Model::Register), &[&[1, 0], &[0, 1]]);
    assert_eq!(register, [None, Some(vec!["1".to_owned(), "1".to_owned()])]);
    assert_eq!(states(&history, &Options::new(Model::Bank), &[&[0, 1]]), [None], "a property has none");
}
