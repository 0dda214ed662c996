//! Table tests of each specification: the calls that it allows, one after another, and those that it refuses.

use histories::Value;

use super::container::collection::Collection;
use crate::specification::{Call, Specification};

const NIL: Value = Value::Nil;

fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

/// Checks each line, such as `3 push 1 -> true`: process, function, argument (optional) and answer (unknown if
/// missing), with `!` at the end if the answer is impossible, and `?` if the model does not have such calls.
fn follow<S: Specification>(object: &S, lines: &[&str]) {
    let mut state = object.initial();
    for line in lines {
        let (line, expected) = match line.strip_suffix(['!', '?']) {
            Some(rest) => (rest.trim(), line.chars().last()),
            None => (*line, None),
        };
        let (asked, answer) =
            line.split_once("->").map_or((line, None), |(asked, answer)| (asked, Some(value(answer))));
        let mut words = asked.trim().splitn(3, ' ');
        let process = words.next().unwrap().parse().unwrap();
        let function = words.next().unwrap();
        let input = words.next().map_or(NIL, value);
        let call = Call { function, input: &input, to: &NIL, output: answer.as_ref(), mismatch: false, process };
        assert_eq!(object.accepts(&call).is_err(), expected == Some('?'), "{line}");
        if expected == Some('?') {
            continue;
        }
        let before = state.clone();
        let mut next = state.clone();
        assert_eq!(object.apply(&mut next, &call), expected.is_none(), "{line} in {before:?}");
        if expected.is_none() {
            assert!(!object.is_read_only(&call) || next == before, "{line} says that it changes nothing");
            state = next;
            let unknown = Call { output: None, ..call };
            assert!(object.apply(&mut before.clone(), &unknown), "{line} without its answer");
        }
    }
}

#[test]
fn registers() {
    use super::register::specification::Register;
    follow(
        &Register::new(&NIL, false),
        &[
            "0 read -> null",
            "0 write 1",
            "0 read -> null !",
            "0 append \"a\" ?",
            "0 read 1 -> 1",
            "0 read 1 ?",
            "0 read 2 -> 1 ?",
            "0 read [7,null] -> [7,1] ?",
        ],
    );
    follow(
        &Register::new(&NIL, true),
        &[
            "0 append \"a\"",
            "0 append 1",
            "0 read -> \"a1\"",
            "0 delete",
            "0 read -> null",
            "0 pop ?",
            "0 append [1] ?",
            "0 append {} ?",
            "0 delete \"k\" ?",
        ],
    );
    let (one, two) = (Value::Int(1), Value::Int(2));
    let cas = |output, mismatch| Call { function: "cas", input: &one, to: &two, output, mismatch, process: 0 };
    let after = |call: &Call<'_>, mut value| Register::new(&NIL, false).apply(&mut value, call).then_some(value);
    assert_eq!(after(&cas(None, false), Value::Int(1)), Some(Value::Int(2)));
    assert_eq!(after(&cas(None, false), NIL), None);
    assert_eq!(after(&cas(None, true), NIL), Some(NIL));
    assert_eq!(after(&cas(None, true), Value::Int(1)), None);
    assert_eq!(after(&cas(Some(&two), true), Value::Int(2)), Some(Value::Int(2)));
    assert_eq!(after(&cas(Some(&two), true), NIL), None);
}

#[test]
fn many_registers_at_once() {
    use super::multi_register::specification::MultiRegister;
    let lines = [
        "0 read -> {\"x\":null}",
        "0 write {\"x\":1,\"y\":2}",
        "0 read -> {\"y\":2,\"x\":1}",
        "0 read -> {\"x\":1,\"y\":null} !",
        "0 txn [[\"r\",\"x\",null],[\"w\",\"x\",3]] -> [[\"r\",\"x\",1],[\"w\",\"x\",3]]",
        "0 txn [[\"w\",\"x\",4],[\"r\",\"x\",null]] -> [[\"w\",\"x\",4],[\"r\",\"x\",3]] !",
        "0 txn [[\"read\",\"x\",null]]",
        "0 write 1 ?",
        "0 read {\"x\":null} -> {\"x\":3}",
        "0 read {\"x\":3} -> {\"x\":3}",
        "0 read {\"y\":null} -> {\"x\":3} ?",
        "0 read {\"x\":1} -> {\"x\":3} ?",
        "0 read \"x\" -> {\"x\":3} ?",
        "0 read [\"x\"] ?",
        "0 txn [1] ?",
        "0 read -> 1 ?",
        "0 cas ?",
    ];
    follow(&MultiRegister::new(&NIL), &lines);
    let initial = value("{\"x\":7}");
    let object = MultiRegister::new(&initial);
    follow(&object, &["0 read -> {\"x\":7,\"y\":null}", "0 write {\"x\":1}", "0 read -> {\"x\":7} !"]);
    let mut state = object.initial();
    for number in [1, 7] {
        let input = value(&format!("{{\"x\":{number}}}"));
        let call = Call { function: "write", input: &input, to: &NIL, output: None, mismatch: false, process: 0 };
        assert!(object.apply(&mut state, &call));
        assert_eq!(object.part(&call), Some("x".into()));
    }
    assert_eq!(state, object.initial(), "equal contents are equal states");
}

#[test]
fn sets() {
    let lines = [
        "0 add 1 -> null",
        "0 add 1 -> true !",
        "0 add 1 -> false",
        "0 insert 2 -> true",
        "0 contains 2 -> true",
        "0 contains 3 -> true !",
        "0 read -> [2,1]",
        "0 read -> [1]  !",
        "0 read -> [1,1] !",
        "0 remove 1 -> true",
        "0 remove 1 -> false",
        "0 remove 2 -> false !",
        "0 add 1 -> 5 ?",
        "0 read -> null ?",
        "0 contains 1 -> 1 ?",
        "0 read 1 -> [1] ?",
        "0 read [[1,2],null] ?",
        "0 pop ?",
    ];
    follow(&super::set::specification::Set::new(&NIL), &lines);
    follow(&super::set::specification::Set::new(&value("[1,2]")), &["0 read -> [1,2]"]);
    follow(&super::set::specification::Set::new(&NIL), &["0 write 1 -> null ?"]);
}

#[test]
fn counters() {
    let lines = [
        "0 inc",
        "0 add 4",
        "0 dec",
        "0 dec 2",
        "0 read -> 2",
        "0 read -> 3 !",
        "0 inc 1 -> 7 ?",
        "0 inc [] ?",
        "0 add ?",
        "0 read 7 -> 2 ?",
        "0 read 7 ?",
        "0 read 2 -> 2",
        "0 pop ?",
    ];
    follow(&super::counter::specification::Counter::new(&NIL), &lines);
    follow(
        &super::counter::specification::Counter::among_others(&Value::Int(5)),
        &["0 inc", "0 read -> 5 !", "0 read -> 9", "0 read -> 8 !"],
    );
}

#[test]
fn queues_stacks_and_the_like() {
    let fifo = [
        "0 enqueue 2",
        "0 enqueue 1 -> true",
        "0 dequeue -> 1 !",
        "0 peek -> 2",
        "0 peek -> 1 !",
        "0 dequeue -> 2",
        "0 dequeue",
        "0 dequeue -> 1 !",
        "0 dequeue -> null",
        "0 dequeue",
        "0 enqueue null ?",
        "0 enqueue 1 -> false ?",
        "0 dequeue 1 -> 2 ?",
        "0 dequeue 1 ?",
        "0 peek [7,null] ?",
        "0 read ?",
    ];
    follow(&Collection::<super::queue::specification::Queue>::new(&NIL), &fifo);
    follow(
        &Collection::<super::queue::specification::Queue>::new(&value("[1,2]")),
        &["0 dequeue -> 2 !", "0 dequeue -> 1"],
    );
    let lifo = [
        "0 push 1",
        "0 push 2",
        "0 top -> 2",
        "0 pop -> 1 !",
        "0 pop -> 2",
        "0 pop -> null !",
        "0 pop",
        "0 pop -> null",
    ];
    follow(&Collection::<super::stack::specification::Stack>::new(&NIL), &lifo);
    let smallest_first = [
        "0 insert 10",
        "0 insert 9",
        "0 insert 9",
        "0 poll -> 10 !",
        "0 min -> 9",
        "0 poll -> 9",
        "0 poll",
        "0 poll -> 10",
        "0 poll -> 10 !",
        "0 poll -> null",
        "0 insert \"a\" ?",
    ];
    follow(&Collection::<super::priority_queue::specification::PriorityQueue>::new(&NIL), &smallest_first);
    follow(&Collection::<super::priority_queue::specification::PriorityQueue>::new(&value("[\"a\"]")), &["0 poll ?"]);
}

#[test]
fn a_take_of_unknown_outcome_took_something_if_the_bag_is_found_empty() {
    let lines = [
        "0 add 1",
        "0 add 2",
        "0 add 2",
        "0 take -> 3 !",
        "0 take -> 2",
        "0 take",
        "0 take -> null !",
        "0 take -> 2",
        "0 take -> 1 !",
        "0 take -> null",
        "0 add 1",
        "0 take -> null !",
        "0 take -> 1",
        "0 peek ?",
    ];
    follow(&Collection::<super::bag::specification::Bag>::new(&NIL), &lines);
}

#[test]
fn locks() {
    let lines = [
        "1 acquire -> false !",
        "1 acquire",
        "2 acquire",
        "2 release",
        "1 acquire -> null !",
        "2 lock -> true !",
        "2 lock -> false",
        "2 release -> null !",
        "2 release -> false",
        "1 release -> false !",
        "1 unlock -> true",
        "1 release -> null !",
        "2 acquire -> 3 ?",
        "2 acquire 7 ?",
        "1 release 7 ?",
        "2 acquire 7 -> 7 ?",
        "2 read ?",
    ];
    follow(&super::mutex::specification::Mutex, &lines);
}

#[test]
fn tokens_only_grow() {
    let lines = [
        "1 acquire -> 5 !",
        "1 acquire -> 6",
        "2 acquire -> 7 !",
        "2 release !",
        "1 release 5 !",
        "1 release 6 -> true",
        "2 acquire",
        "2 release",
        "1 acquire -> 7 !",
        "1 acquire -> 8",
        "1 release",
        "2 acquire -> null ?",
        "2 acquire 1 -> 9 ?",
        "2 acquire 1 ?",
        "2 release -> 3 ?",
        "2 release [] ?",
        "2 read ?",
    ];
    follow(&super::fenced_lock::specification::FencedLock::new(&Value::Int(5)), &lines);
    let lines = ["1 acquire", "1 release 3", "2 acquire -> 3 !", "2 acquire -> 4"];
    follow(&super::fenced_lock::specification::FencedLock::new(&NIL), &lines);
}

#[test]
fn lists() {
    let lines = [
        "0 read -> null",
        "0 read -> []",
        "0 append 1",
        "0 append 1",
        "0 read -> [1] !",
        "0 read -> null !",
        "0 read -> [1,1]",
        "0 append 1 -> 3 ?",
        "0 read 1 -> [] ?",
        "0 read [7,null] ?",
        "0 read -> 3 ?",
        "0 pop ?",
    ];
    follow(&super::list::specification::List::new(&NIL), &lines);
    follow(&super::list::specification::List::new(&value("[0]")), &["0 append 1", "0 read -> [0,1]"]);
}

#[test]
fn what_each_model_begins_with() {
    use crate::Model::*;
    let all = ["null", "5", "0.5", "\"\"", "true", "[]", "[1]", "[1,1]", "[null]", "[\"a\"]", "{\"x\":1}"];
    for (model, allowed) in [
        (Register, &all[..]),
        (MultiRegister, &all),
        (KeyValue, &all[..5]),
        (Set, &["null", "[]", "[1]", "[null]", "[\"a\"]"]),
        (List, &["null", "[]", "[1]", "[1,1]", "[null]", "[\"a\"]"]),
        (Queue, &["null", "[]", "[1]", "[1,1]", "[\"a\"]"]),
        (Bag, &["null", "[]", "[1]", "[1,1]", "[\"a\"]"]),
        (Stack, &["null", "[]", "[1]", "[1,1]", "[\"a\"]"]),
        (PriorityQueue, &["null", "[]", "[1]", "[1,1]"]),
        (Counter, &["null", "5"]),
        (FencedLock, &["null", "5"]),
        (Mutex, &["null"]),
    ] {
        for json in all {
            assert_eq!(model.begins_with(&value(json)).is_ok(), allowed.contains(&json), "{model:?} {json}");
        }
    }
    let initial = value("{\"x\":7}");
    let object = super::multi_register::specification::MultiRegister::new(&initial);
    follow(
        &object,
        &["0 txn [[\"r\",0,null]] -> [[\"r\",0,null]] ?", "0 txn [[\"r\",\"y\",null]] -> [[\"r\",\"y\",null]]"],
    );
}
