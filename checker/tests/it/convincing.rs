//! Evidence that a stranger can follow: what is shown, or said, rules the answer out.

use checker::{Model, Options, UnknownWhy, check};
use histories::{Event, EventType, Process, Value};

use crate::{build::history, random::paired};

/// Returns the claim and the reasons of the violation, and the number of its operations.
fn told(model: Model, text: &str) -> (String, Vec<String>, usize) {
    let report = check(&history(text), &Options::new(model));
    let evidence = report.keys[0].evidence.clone().unwrap();
    (evidence.claim, evidence.reasons, evidence.operations.len())
}

#[test]
fn what_was_added_to_a_counter_is_shown_with_a_read_out_of_its_reach() {
    let added = "0 invoke add 2\n0 ok add 2\n1 invoke add 3\n1 ok add 3\n2 invoke dec\n";
    let read = |seen: i64| told(Model::Counter, &format!("{added}3 invoke read\n3 ok read {seen}"));
    let who = |seen| format!("read by process 3 at 0.005 s returned {seen}, although the counter began at 0 and");
    let (claim, _, shown) = read(6);
    assert_eq!((claim, shown), (who(6) + " can have come to 5 at most by then", 4));
    let (claim, _, shown) = read(3);
    assert_eq!((claim, shown), (who(3) + " must have come to 4 at least by then", 4));
    let wide = |seen: i64| {
        let adds = (0..30).fold(String::new(), |adds, at| format!("{adds}{at} invoke add 2\n{at} ok add 2\n"));
        told(Model::Counter, &format!("{adds}99 invoke read\n99 ok read {seen}"))
    };
    let (claim, _, shown) = wide(61);
    assert!(claim.ends_with("can have come to 60 at most by then"), "{claim}");
    assert_eq!(shown, 1, "the sentence counts them instead");
    assert!(wide(59).0.ends_with("must have come to 60 at least by then"));
}

#[test]
fn an_element_that_was_never_added_or_removed_is_told_as_that() {
    let beside = "0 invoke add 2\n1 invoke remove 2\n0 ok add 2\n";
    let (claim, _, shown) = told(Model::Set, &format!("{beside}3 invoke contains 1\n3 ok contains true"));
    let who = "contains 1 by process 3 at 0.003 s returned";
    assert_eq!((claim, shown), (format!("{who} true, although nothing that began before it ended added 1"), 1));
}

#[test]
fn an_answer_that_no_change_explains_is_shown_with_all_that_could_have_led_to_it() {
    let both = "0 invoke add 2\n1 invoke add 5\n";
    let (_, reasons, shown) = told(Model::Counter, &format!("{both}2 invoke read\n2 ok read 3"));
    assert_eq!((shown, reasons.len()), (3, 2), "{reasons:#?}");
    let many = (0..20).fold(String::new(), |many, at| format!("{many}{at} invoke add 2\n"));
    let (_, reasons, shown) = told(Model::Counter, &format!("{many}99 invoke read\n99 ok read 3"));
    assert_eq!(shown, 1);
    let expected = "the other 20 changes that could matter do not help, whichever of them had taken effect by then";
    assert_eq!(reasons, [expected]);
}

#[test]
fn a_change_that_contradicts_by_itself_is_shown_with_those_that_could_have_allowed_it() {
    let text = "1 invoke acquire\n1 ok acquire\n2 invoke release\n2 ok release";
    let (claim, reasons, shown) = told(Model::Semaphore, text);
    let expected = "release by process 2 at 0.002 s was acknowledged, which no order of the operations before it \
                    explains";
    assert_eq!((&*claim, reasons.len(), shown), (expected, 1, 2));
    let (claim, reasons, _) = told(Model::Semaphore, "2 invoke release\n2 ok release\n1 invoke acquire");
    let expected = "release by process 2 at 0.000 s was acknowledged, although nothing that could matter to it had \
                    begun by the time it ended";
    assert_eq!((&*claim, reasons.len()), (expected, 0));
    let (claim, ..) = told(Model::Counter, "2 invoke read\n2 ok read 1\n1 invoke dec\n1 ok dec");
    assert!(
        claim.ends_with("returned 1, although the counter began at 0 and can have come to 0 at most by then"),
        "{claim}"
    );
}

#[test]
fn a_drain_is_told_as_a_drain() {
    let put = "0 invoke enqueue 1\n0 ok enqueue 1\n0 invoke enqueue 2\n0 ok enqueue 2\n";
    let drained = |model, rest: &str| {
        let report = check(&history(&format!("{put}{rest}")), &Options::new(model));
        let key = &report.keys[0];
        assert_eq!((report.operations, report.answered, key.operations), (3, 3, 3), "a drain is one operation");
        let evidence = key.evidence.clone().unwrap();
        assert!(!format!("{evidence:?}").contains("dequeue"), "{evidence:#?}");
        (evidence.claim, evidence.reasons)
    };
    for model in [Model::Queue, Model::Bag, Model::PriorityQueue] {
        let (claim, _) = drained(model, "1 invoke drain\n1 ok drain [1,3]");
        assert_eq!(claim, "drain by process 1 at 0.004 s returned 3, which nobody ever put in");
        let (claim, _) = drained(model, "1 invoke drain\n1 ok drain [1]");
        let noun = model.name().replace('-', " ");
        let expected = format!(
            "drain by process 1 at 0.004 s found nothing more in the end, although the {noun} was not empty at any \
            moment of it"
        );
        assert!(claim == expected || model == Model::PriorityQueue, "{claim}");
        let (claim, _) = drained(model, "1 invoke drain\n1 ok drain [1,1,2]");
        assert_eq!(claim, "drain by process 1 at 0.004 s returned 1 twice");
    }
    let (claim, reasons) = drained(Model::Queue, "1 invoke drain\n1 ok drain [2,1]");
    let expected = "drain by process 1 at 0.004 s returned 2, although 1 had been put in before 2 and was still in the \
                    queue";
    assert_eq!((&*claim, &*reasons[1]), (expected, "it returned 1 only after 2"));
}

#[test]
fn a_drain_that_overlaps_others_is_told_as_its_own_process() {
    let text = "7 invoke drain\n0 invoke enqueue 1\n0 ok enqueue 1\n7 ok drain [1,3,4]";
    let (claim, ..) = told(Model::Queue, text);
    assert_eq!(claim, "drain by process 7 at 0.000 s returned 3, which nobody ever put in");
}

#[test]
fn a_drain_without_an_answer_is_unknown() {
    for text in ["0 invoke drain\n0 info drain", "0 invoke drain\n0 ok drain", "0 invoke drain"] {
        let why = check(&history(text), &Options::new(Model::Queue)).keys[0].why.clone().unwrap().to_string();
        assert_eq!(why, "the model queue has no place for a drain without a list of elements", "{text}");
    }
    let stack = check(&history("0 invoke drain\n0 ok drain [1]"), &Options::new(Model::Stack));
    assert!(matches!(stack.keys[0].why, Some(UnknownWhy::Function { .. })));
}

#[test]
fn a_register_among_several_is_named_with_the_value_that_nobody_left_there() {
    let two = transaction_reads(1);
    assert!(two.ends_with("but nothing that may have happened ever left 7 in y"), "{two}");
    let own = transaction_reads(0);
    assert!(own.ends_with("ever left 7 in x between its own write of 2 and its read"), "{own}");
}

#[test]
fn a_failed_write_to_several_registers_is_named_where_a_read_returns_what_it_would_have_left() {
    let writes = |value: i64| Value::List(vec![micro("w", "x", value.into()), micro("w", "y", 1.into())]);
    let reads = |value| Value::List(vec![micro("r", "x", value)]);
    let event = |client, kind, value| Event { value: Some(value), ..Event::new(Process::Client(client), kind, "txn") };
    let fails = |value| [event(0, EventType::Invoke, writes(value)), event(0, EventType::Fail, writes(value))];
    let looks = [event(1, EventType::Invoke, reads(Value::Nil)), event(1, EventType::Ok, reads(7.into()))];
    let shown = |events: Vec<Event<'static>>| {
        let report = check(&paired(events), &Options::new(Model::MultiRegister));
        let evidence = report.keys[0].evidence.clone().unwrap();
        (evidence.claim, evidence.operations)
    };
    let (claim, operations) = shown([fails(3), fails(7), looks.clone()].concat());
    assert!(claim.contains("although transaction [7 to x, 1 to y] by process 0 "), "{claim}");
    assert!(claim.ends_with(" failed, and nothing that may have happened ever left 7 in x"), "{claim}");
    assert_eq!(operations, [1, 2]);
    let (claim, operations) = shown([looks, fails(7)].concat());
    assert!(claim.ends_with(", but nothing that may have happened ever left 7 in x"), "{claim}");
    assert_eq!(operations, [0]);
}

#[test]
fn a_failed_enqueue_is_named_where_values_repeat() {
    let twice = "0 invoke enqueue 1\n0 ok enqueue 1\n0 invoke enqueue 1\n0 ok enqueue 1\n";
    let (claim, _, shown) =
        told(Model::Queue, &format!("{twice}0 invoke enqueue 3\n0 fail enqueue 3\n1 invoke dequeue\n1 ok dequeue 3"));
    let expected = "dequeue by process 1 at 0.006 s answered 3, although enqueue 3 by process 0 at 0.004 s failed, and \
                    nothing that may have happened ever left 3 there";
    assert_eq!((&*claim, shown), (expected, 2));
}

fn micro(f: &str, register: &str, value: Value) -> Value {
    Value::List(vec![f.into(), register.into(), value])
}

/// Returns the claim about a transaction that writes 2 to x and then reads 7 from one of x and y.
fn transaction_reads(register: usize) -> String {
    let asked = |value: Value| Value::List(vec![micro("w", "x", 2.into()), micro("r", ["x", "y"][register], value)]);
    let event = |kind, value| Event { value: Some(value), ..Event::new(Process::Client(0), kind, "txn") };
    let history = paired([event(EventType::Invoke, asked(Value::Nil)), event(EventType::Ok, asked(7.into()))]);
    check(&history, &Options::new(Model::MultiRegister)).keys[0].evidence.clone().unwrap().claim
}
