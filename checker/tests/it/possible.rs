//! Tests of the answers that a correct system could have given instead of those that show a violation.

use checker::{Model, Options, Verdict, check};
use histories::{EventType, History, Value};

use crate::{
    build::history,
    oracles::share_of,
    random::{self, Kind, paired},
};

const HISTORIES: u64 = 100_000;

/// Returns the possible answers reported for the only key, which is not linearizable.
fn possible(history: &History, model: Model) -> Option<String> {
    let report = check(history, &Options::new(model));
    assert_eq!(report.verdict, Verdict::NotLinearizable, "{history:#?}");
    report.keys[0].evidence.clone().unwrap().possible
}

#[track_caller]
fn assert_possible(text: &str, with: Option<&str>) {
    let said = with.map(|with| format!("A correct system would have answered the read by process {with}"));
    assert_eq!(possible(&history(text), Model::Register), said, "{text}");
}

#[test]
fn what_was_there_or_was_being_written() {
    let written = "1 invoke write 1
        1 ok write
        1 invoke write 2
        1 ok write";
    assert_possible(&format!("{written}\n2 invoke read\n2 ok read 1"), Some("2 with 2"));
    assert_possible(&format!("{written}\n2 invoke read\n2 ok read 7"), Some("2 with 2"));
    assert_possible("2 invoke read\n2 ok read 7", Some("2 with nil"));
    let beside = format!("{written}\n3 invoke write 3\n2 invoke read\n2 ok read 1\n3 ok write");
    assert_possible(&beside, Some("2 with 2 or 3"));
    let unknown = format!("4 invoke write 4\n4 info write\n{written}\n2 invoke read\n2 ok read 1");
    assert_possible(&unknown, Some("2 with 2 or 4"));
    let failed = format!("4 invoke write 4\n4 fail write\n{written}\n2 invoke read\n2 ok read 4");
    assert_possible(&failed, Some("2 with 2"));
    let many = (3..8).fold(written.to_owned(), |text, value| text + &format!("\n{value} invoke write {value}"));
    let many = format!("{many}\n2 invoke read\n2 ok read 1");
    assert_possible(&many, Some("2 with 2, or one of 5 values written with unknown outcome"));
}

#[test]
fn what_was_there_at_first_counts_though_nobody_names_it() {
    let history = history("1 invoke read\n1 ok read 7\n2 invoke write 8");
    let report = check(&history, &Options { initial: Value::Int(9), ..Options::new(Model::Register) });
    let said = report.keys[0].evidence.clone().unwrap().possible;
    assert_eq!(said.as_deref(), Some("A correct system would have answered the read by process 1 with 9"));
}

#[test]
fn what_others_saw_counts_too() {
    let turned = "1 invoke write 1
        2 invoke write 2
        3 invoke read
        3 ok read 1
        3 invoke read
        3 ok read 2
        3 invoke read
        3 ok read 1
        1 ok write
        2 ok write";
    assert_possible(turned, Some("3 at 0.006 s with 2"));
}

#[test]
fn what_later_operations_rule_out_is_not_named() {
    let text = "1 invoke write 1
        1 ok write
        3 invoke write 2
        2 invoke read
        2 ok read 7";
    assert_possible(text, Some("2 with 1 or 2"));
    assert_possible(&format!("{text}\n4 invoke read\n4 ok read 1"), Some("2 with 1"));
    assert_possible(&format!("{text}\n3 ok write\n4 invoke read\n4 ok read 2"), Some("2 with 1 or 2"));
}

#[test]
fn where_no_answer_explains_the_rest_the_sentence_is_about_the_operations_shown() {
    let text = "1 invoke write 1\n1 ok write\n2 invoke read\n2 ok read 7\n3 invoke read\n3 ok read 8";
    let said = possible(&history(text), Model::Register);
    let expected =
        "By what had been written by then, a correct system would have answered the read by process 2 with 1";
    assert_eq!(said.as_deref(), Some(expected));
}

#[test]
fn of_several_reads_by_one_process_the_time_tells_which() {
    let text = "1 invoke write 1\n1 ok write\n1 invoke write 2\n3 invoke read\n3 ok read 2\n3 invoke read\n3 ok read 1";
    assert_possible(text, Some("3 at 0.005 s with 2"));
}

#[test]
fn a_cas_sets_and_asks_too() {
    let chain = "1 invoke write 1\n1 ok write\n1 invoke cas 1 2\n1 ok cas\n2 invoke read\n2 ok read 1";
    assert_possible(chain, Some("2 with 2"));
    let beside = chain.replace("2 invoke", "3 invoke cas 2 3\n2 invoke");
    assert_possible(&beside, Some("2 with 2 or 3"));
    let other = chain.replace("2 invoke", "3 invoke cas 5 3\n3 info cas\n2 invoke");
    assert_possible(&other, Some("2 with 2"));
    let late = other.replace("cas 5 3", "cas 1 3");
    assert_possible(&late, Some("2 with 2"));
}

#[test]
fn without_a_read_and_of_text_nothing_is_said() {
    let both = "1 invoke cas nil 1\n2 invoke cas nil 2\n1 ok cas\n2 ok cas";
    assert_possible(both, None);
    let appended = history("1 invoke append a\n1 ok append\n2 invoke read\n2 ok read b");
    assert_eq!(possible(&appended, Model::KeyValue), None);
}

/// Checks that the answer of a correct register is among those reported.
#[test]
fn what_a_real_register_answered_is_among_it() {
    let mut told = 0;
    for seed in 0..share_of(HISTORIES) {
        let kind = if seed.is_multiple_of(2) { Kind::Unique } else { Kind::Repeated(3) };
        let mut events = random::simulated(kind, 97 << 32 | seed, 9).events;
        let Some(read) = events.iter().rposition(|event| event.kind == EventType::Ok && event.f == "read") else {
            continue;
        };
        let right = events[read].value.replace(Value::Int(-1)).unwrap_or_default();
        let Some(said) = possible(&paired(events), Model::Register) else { continue };
        let (_, values) = said.split_once(" with ").unwrap();
        if !values.contains("one of") {
            let named: Vec<&str> = values.split(", ").flat_map(|some| some.split(" or ")).collect();
            assert!(named.contains(&&*right.to_string()), "seed {seed}: {said}, not {right}");
            told += 1;
        }
    }
    assert!(told * 2 > share_of(HISTORIES), "{told}");
}
