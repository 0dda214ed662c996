//! Tests of events that name no process.

use crate::{History, NEVER, Note, read_bytes};

fn read(events: &[&str]) -> Result<History, String> {
    let text = events.iter().fold(String::new(), |text, event| text + "{:type " + event + "}\n");
    read_bytes("h", text.as_bytes(), None).map_err(|error| error.to_string())
}

/// Returns begin and end of each operation, and the number of those whose begin is unsure.
fn ranks(events: &[&str]) -> (Vec<(u32, u32)>, usize) {
    let history = read(events).unwrap_or_else(|error| panic!("{error}"));
    let [Note::NoProcesses { unsure }] = history.notes[..] else { panic!("{:?}", history.notes) };
    let mut processes: Vec<u32> = history.operations.iter().map(|operation| operation.process).collect();
    processes.sort_unstable();
    assert_eq!(processes, (0..).take(processes.len()).collect::<Vec<u32>>(), "each is a client of its own");
    (history.operations.iter().map(|operation| (operation.invoked, operation.completed)).collect(), unsure)
}

#[test]
fn a_completion_belongs_to_the_operation_of_its_function_and_arguments() {
    let events = [
        ":invoke :f :read :value nil",
        ":invoke :f :write :value 4",
        ":invoke :f :write :value 5",
        ":ok :f :write :value 5",
        ":info :f :write :value 4",
        ":ok :f :read :value #{5}",
        ":invoke :f :read",
    ];
    assert_eq!(ranks(&events), (vec![(0, 5), (1, NEVER), (2, 3), (6, NEVER)], 0));
}

#[test]
fn transactions_are_told_by_their_micro_operations() {
    let events = [
        ":invoke :f :read :value [[:r 0 nil] [:r 1 nil]]",
        ":invoke :f :read :value [[:r 1 nil] [:r 0 nil]]",
        ":invoke :value [[:w 0 1]]",
        ":ok :f :read :value [[:r 1 nil] [:r 0 1]]",
        ":ok :value [[:w 0 1]]",
        ":fail :f :read :value nil",
    ];
    assert_eq!(ranks(&events).0, [(0, 5), (1, 3), (2, 4)]);
}

#[test]
fn of_operations_that_ask_for_the_same_each_counts_from_the_first() {
    let read = ":invoke :f :read :value nil";
    let events = [read, ":invoke :f :write :value 1", read, ":ok :f :read :value []", ":ok :f :read :value [1]"];
    let (ranks, unsure) = ranks(&events);
    assert_eq!(unsure, 1);
    assert_eq!(ranks, [(0, 3), (1, 4), (2, NEVER)], "the second begins before the write");
}

#[test]
fn what_nobody_can_tell_is_named() {
    let writes = [":invoke :f :write :value 4", ":invoke :f :write :value 5"];
    for (rest, why) in [
        (":fail :f :write", "h:3: write is completed, of which 2 are open: without a process"),
        (":ok :f :read :value 4", "h:3: read is completed, which nobody invoked"),
        (":ok :f :write :value 4 :process 0", "h:3:1: expected no process"),
    ] {
        let said = read(&[writes[0], writes[1], rest]).expect_err("nobody can tell");
        assert!(said.contains(why), "{rest}: {said}");
    }
    let said = read(&[":invoke :f :write :value 4 :process 0", writes[1]]).expect_err("some have one");
    assert!(said.contains("expected a process in the operation, as operations before it have one"), "{said}");
    let said = read(&[":ok :f :write :value 4"]).expect_err("it never began");
    assert!(said.contains("expected an invocation before this completion"), "{said}");
}

#[test]
fn an_answer_may_be_that_of_an_operation_with_another_argument() {
    let asked = [":invoke :f :contains :value nil", ":invoke :f :contains :value 5"];
    let said = read(&[asked[0], asked[1], ":ok :f :contains :value false"]).expect_err("nobody can tell whose");
    assert!(said.contains("contains is completed, of which 2 are open"), "{said}");
    assert_eq!(ranks(&[asked[0], ":ok :f :contains :value false", asked[1]]), (vec![(0, 1), (2, NEVER)], 0));
}

#[test]
fn json_and_the_nemesis_are_read_as_well() {
    let text = r#"[{"type":"invoke","f":"write","value":1},{"process":"nemesis","type":"info","f":"kill"},
        {"type":"ok","f":"write","value":1}]"#;
    let history = read_bytes("h", text.as_bytes(), None).unwrap();
    assert_eq!((history.operations.len(), history.others.len()), (1, 1));
    assert_eq!(history.operations[0].completed, 2);
}
