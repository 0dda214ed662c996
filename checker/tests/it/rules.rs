//! Tests with one history per rule, accepted or rejected, and of the explanation of the rejected ones.

use checker::{Evidence, KeyReport, Limits, Memory, Method, Model, Options, Staleness, UnknownWhy, Verdict, check};
use histories::Value;

use crate::build::history;

fn report(text: &str) -> KeyReport {
    let report = check(&history(text), &Options::new(Model::Register));
    let [key] = &report.keys[..] else { panic!("one key, not {report:?}") };
    assert_eq!(report.verdict, key.verdict);
    key.clone()
}

fn accepted(text: &str) {
    let report = report(text);
    assert_eq!((report.verdict, report.method), (Verdict::Linearizable, Method::Zones), "{report:#?}");
}

fn rejected(text: &str) -> Evidence {
    let report = report(text);
    assert_eq!((report.verdict, report.method), (Verdict::NotLinearizable, Method::Zones), "{report:#?}");
    report.evidence.unwrap()
}

#[test]
fn a_stale_read() {
    let evidence = rejected(
        "3 invoke write@k3 41
         3 ok write@k3
         5 invoke write@k3 57
         5 ok write@k3
         7 invoke read@k3
         7 ok read@k3 41",
    );
    assert_eq!(
        evidence.claim,
        "read of k3 by process 7 at 0.004 s returned 41, although the write of 57 by process 5 had been \
         acknowledged at 0.003 s, 1 ms before the read began"
    );
    assert_eq!(
        evidence.reasons,
        [
            "the write of 41 by process 3 had been acknowledged at 0.001 s, before the write of 57 by process 5 was \
                invoked at \
            0.002 s: so 57 came after 41",
            "the write of 57 by process 5 had been acknowledged at 0.003 s, before this read was invoked at 0.004 s: \
            so it comes after 57 was set",
            "but it returned 41, which was set only once, and was replaced by then: so it must come before 57 was set",
        ]
    );
    assert_eq!(evidence.operations, [0, 1, 2]);
    assert_eq!(evidence.staleness, Some(Staleness { behind_ns: 1_000_000, writes: 1 }));
}

#[test]
fn of_several_stale_reads_the_stalest_is_told() {
    let evidence = rejected(
        "0 invoke write 1
         0 ok write
         0 invoke write 2
         0 ok write
         1 invoke read
         1 ok read 1
         0 invoke write 3
         0 ok write
         1 invoke read
         1 ok read 1",
    );
    assert_eq!(
        evidence.claim,
        "read of the register by process 1 at 0.008 s returned 1, although the write of 2 by process 0 had been \
         acknowledged at 0.003 s, \
         5 ms before the read began"
    );
    assert_eq!(evidence.operations, [0, 1, 4]);
    assert_eq!(evidence.staleness, Some(Staleness { behind_ns: 5_000_000, writes: 2 }));
}

#[test]
fn the_initial_value_cannot_come_back() {
    let evidence = rejected("0 invoke write 1\n 0 ok write\n 1 invoke read\n 1 ok read nil");
    assert_eq!(
        evidence.claim,
        "read of the register by process 1 at 0.002 s returned nil, although the write of 1 by process 0 had been \
         acknowledged at 0.001 s, \
         1 ms before the read began"
    );
    assert_eq!(
        evidence.reasons[0],
        "nil is what was there before anything was written, so the write of 1 by process 0 came after it"
    );
    accepted("0 invoke write 1\n 1 invoke read\n 1 ok read nil\n 0 ok write");
}

#[test]
fn a_read_that_another_read_makes_stale() {
    let evidence = rejected(
        "0 invoke write 1
         0 ok write
         0 invoke write 2
         1 invoke read
         1 ok read 2
         2 invoke read
         2 ok read 1
         0 ok write",
    );
    assert_eq!(
        evidence.claim,
        "read of the register by process 2 at 0.005 s returned 1, although process 1 had already read 2 at 0.004 s, \
         1 ms before the read began"
    );
    assert_eq!(evidence.operations, [0, 1, 2, 3]);
}

#[test]
fn a_value_that_goes_and_comes_back() {
    let evidence = rejected(
        "0 invoke write 1
         1 invoke write 2
         2 invoke read
         2 ok read 1
         2 invoke read
         2 ok read 2
         2 invoke read
         2 ok read 1
         0 ok write
         1 ok write",
    );
    assert_eq!(
        evidence.claim,
        "read of the register by process 2 at 0.006 s returned 1, although process 2 had already read 2 at 0.005 s \
        before that \
         read began: it went from 1 to 2 and back, and each was set only once"
    );
    assert_eq!(evidence.staleness, None, "no read is certainly stale: both writes were still open");
    assert_eq!(evidence.operations, [0, 1, 2, 3, 4]);
}

#[test]
fn what_was_there_at_first_is_not_said_to_have_been_set() {
    let stale = rejected("0 invoke write 1\n 0 ok write\n 1 invoke read\n 1 ok read nil");
    assert_eq!(
        stale.reasons[2],
        "but it returned nil, which was there only at first, and was replaced by then: so it must come before 1 was set"
    );
    let back = rejected("0 invoke write 1\n 1 invoke read\n 1 ok read 1\n 1 invoke read\n 1 ok read nil\n 0 ok write");
    assert!(!back.claim.contains("set only once") && !back.reasons.join(" ").contains("set only once"), "{back:?}");
}

#[test]
fn a_value_that_nobody_wrote() {
    let evidence = rejected("0 invoke write 1\n 0 ok write\n 1 invoke read\n 1 ok read 9");
    assert_eq!(evidence.claim, "read of the register by process 1 at 0.002 s returned 9, which nobody ever wrote");
    assert_eq!(evidence.operations, [1]);
}

#[test]
fn a_value_that_was_set_twice_is_not_said_to_have_been_set_once() {
    let search = |text: &str| {
        let report = report(text);
        assert_eq!(report.verdict, Verdict::NotLinearizable, "{report:#?}");
        report.evidence.unwrap()
    };
    let sequential = |calls: &str| {
        let call = |call: &str| format!("0 invoke {call}\n0 ok {}\n", call.split(' ').next().unwrap());
        calls.split(", ").map(call).collect::<String>() + "1 invoke read\n1 ok read 1"
    };
    let twice = search(&sequential("write 1, write 2, write 1, write 3"));
    assert_eq!(
        twice.claim,
        "read of the register by process 1 at 0.008 s returned 1, although the write of 3 by process 0 had been \
         acknowledged at 0.007 s, 1 ms before the read began"
    );
    assert!(twice.reasons[2].contains("returned 1, which nobody set again in time, and was replaced"), "{twice:?}");
    let chain = search(&sequential("write 1, cas 1 2, cas 2 1, cas 1 3"));
    assert!(chain.claim.starts_with("read of the register by process 1 at 0.008 s returned 1, "), "{chain:#?}");
    assert!(!chain.reasons.join(" ").contains("only once"), "{chain:#?}");
}

#[test]
fn text_that_was_replaced_is_not_said_to_have_never_been_written() {
    let events = "0 invoke write a\n 0 ok write\n 1 invoke write c\n 1 ok write\n 2 invoke append d\n 2 ok append
        3 invoke read\n 3 ok read a";
    let report = check(&history(events), &Options::new(Model::KeyValue));
    let evidence = report.keys[0].evidence.as_ref().expect("it is a violation");
    assert_eq!(
        evidence.claim,
        "read of the register by process 3 at 0.006 s returned \"a\", although the write of \"c\" by process 1 had \
            been \
        acknowledged at 0.003 s, 3 ms before the read began"
    );
    assert_eq!(evidence.operations, [0, 1, 3]);
}

#[test]
fn a_write_that_failed_and_was_seen() {
    let evidence = rejected("0 invoke write 9\n 0 fail write\n 1 invoke read\n 1 ok read 9");
    assert_eq!(
        evidence.claim,
        "read of the register by process 1 at 0.002 s returned 9, although the write of 9 by process 0 failed, \
         and nobody else wrote it"
    );
    assert_eq!(evidence.operations, [0, 1]);
    accepted("0 invoke write 9\n 0 fail write\n 1 invoke read\n 1 ok read nil");
}

#[test]
fn a_read_before_the_write_began() {
    let evidence = rejected("1 invoke read\n 1 ok read 9\n 0 invoke write 9\n 0 ok write");
    assert_eq!(
        evidence.claim,
        "read of the register by process 1 at 0.000 s returned 9, although the write of 9 by process 0 was only \
            invoked at 0.002 s, \
         1 ms after the read had ended"
    );
    accepted("1 invoke read\n 0 invoke write 9\n 1 ok read 9\n 0 ok write");
}

#[test]
fn an_unknown_write_takes_effect_at_any_time_after_it_began_or_never() {
    accepted("0 invoke write 1\n 0 info write\n 1 invoke read\n 1 ok read nil\n 1 invoke read\n 1 ok read 1");
    accepted("0 invoke write 1\n 0 info write\n 1 invoke read\n 1 ok read nil");
    accepted("0 invoke write 1\n 1 invoke read\n 1 ok read nil\n 1 invoke read\n 1 ok read 1");
    rejected("0 invoke write 1\n 0 info write\n 1 invoke read\n 1 ok read 1\n 1 invoke read\n 1 ok read nil");
    rejected("1 invoke read\n 1 ok read 1\n 0 invoke write 1\n 0 info write");
}

#[test]
fn cas_chains() {
    accepted("0 invoke cas nil 1\n 0 ok cas\n 0 invoke cas 1 2\n 0 ok cas\n 1 invoke read\n 1 ok read 2");
    accepted("0 invoke cas nil 1\n 0 info cas\n 1 invoke cas 1 2\n 1 ok cas");
    let evidence = rejected("0 invoke cas nil 1\n 1 invoke cas nil 2\n 0 ok cas\n 1 ok cas");
    assert_eq!(
        evidence.claim,
        "cas of the register from nil to 2 by process 1 at 0.001 s succeeded, although the cas from nil to 1 by \
        process 0 \
         took the same nil away, which was there only once"
    );
    let evidence = rejected("0 invoke cas 9 1\n 0 ok cas");
    assert_eq!(
        evidence.claim,
        "cas of the register from 9 to 1 by process 0 at 0.000 s succeeded, so it found 9, which nobody ever wrote"
    );
    let evidence = rejected("0 invoke cas 1 2\n 1 invoke cas 2 1\n 0 ok cas\n 1 ok cas");
    assert!(
        evidence.claim.contains("the cas from 1 to 2 by process 0, which set what it expected, expected what it set"),
        "{}",
        evidence.claim
    );
    assert_eq!(evidence.operations, [0, 1]);
    let evidence = rejected("0 invoke cas nil 1\n 0 ok cas\n 1 invoke read\n 1 ok read nil");
    let over = "the cas from nil to 1 by process 0 had been acknowledged at 0.001 s";
    assert!(evidence.claim.contains(over), "{}", evidence.claim);
    rejected("0 invoke cas 1 2\n 0 ok cas\n 1 invoke write 1\n 1 ok write");
}

#[test]
fn a_cas_that_did_not_match() {
    accepted("0 invoke write 1\n 0 ok write\n 1 invoke cas 5 6\n 1 fail cas found 1");
    rejected("0 invoke write 1\n 0 ok write\n 1 invoke cas 5 6\n 1 fail cas found nil");
    let evidence = rejected("0 invoke write 1\n 0 ok write\n 1 invoke cas 1 6\n 1 fail cas found 1");
    assert_eq!(
        evidence.claim,
        "cas of the register from 1 to 6 by process 1 at 0.002 s did not match, and yet found 1, the value that it \
        expected"
    );
    accepted("0 invoke write 1\n 0 ok write\n 1 invoke cas 5 6\n 1 fail cas mismatch");
    accepted("0 invoke cas 5 6\n 0 fail cas");
    // The zones cannot distinguish these two; the search can.
    let only_by_search = |text| {
        let report = report(text);
        assert_eq!(report.method, Method::Search, "{report:#?}");
        report.verdict
    };
    assert_eq!(only_by_search("0 invoke cas nil 1\n 0 fail cas mismatch"), Verdict::NotLinearizable);
    assert_eq!(
        only_by_search("0 invoke write 1\n 0 info write\n 1 invoke cas nil 6\n 1 fail cas mismatch"),
        Verdict::Linearizable,
        "the unknown write can have been there, though nobody read it"
    );
}

#[test]
fn keys_are_checked_apart_and_a_violation_outweighs_the_rest() {
    let two = history(
        "0 invoke write@b 1
         0 ok write@b
         1 invoke read@a
         1 ok read@a 1
         0 invoke read@b
         0 ok read@b 1",
    );
    let report = check(&two, &Options::new(Model::Register));
    let verdicts: Vec<(Value, Verdict)> = report.keys.iter().map(|key| (key.key.clone(), key.verdict)).collect();
    assert_eq!(verdicts, [("a".into(), Verdict::NotLinearizable), ("b".into(), Verdict::Linearizable)]);
    assert_eq!((report.verdict, report.operations), (Verdict::NotLinearizable, 3));
    let on_threads = check(&two, &Options { threads: 4, ..Options::new(Model::Register) });
    assert_eq!(on_threads, report);
}

#[test]
fn without_all_the_rest_is_not_checked_after_a_violation() {
    let text = "0 invoke read@a\n 0 ok read@a 1\n 0 invoke read@a\n 0 ok read@a 1\n 0 invoke read@b\n 0 ok read@b nil";
    let report = check(&history(text), &Options { all: false, ..Options::new(Model::Register) });
    assert_eq!(report.verdict, Verdict::NotLinearizable);
    assert_eq!(report.keys[1].why, Some(UnknownWhy::NotChecked));
}

#[test]
fn what_the_model_does_not_have_is_unknown() {
    let report = report("0 invoke append a\n 0 ok append");
    let why = UnknownWhy::Function { name: "append".into(), model: Some("register".into()) };
    assert_eq!(why.to_string(), "the model register has no function called append");
    assert_eq!((report.verdict, report.why), (Verdict::Unknown, Some(why)));
    let accepted = "0 invoke push a\n 0 fail push";
    assert_eq!(self::report(accepted).verdict, Verdict::Linearizable, "it did not happen");
}

#[test]
fn limits_make_it_unknown() {
    // All cas from one of five values to another, concurrently, and a read that none of them explains.
    let cas = |line: fn(u32) -> String| (0..25).map(line).collect::<Vec<String>>().concat();
    let writes = |line: fn(u32) -> String| (25..30).map(line).collect::<Vec<String>>().concat();
    let text = cas(|n| format!("{n} invoke cas {} {}\n", n % 5, n / 5))
        + &writes(|n| format!("{n} invoke write {}\n", n - 25))
        + &cas(|n| format!("{n} ok cas\n"))
        + &writes(|n| format!("{n} ok write\n"))
        + "0 invoke append x\n0 ok append\n0 invoke read\n0 ok read x";
    let history = history(&text);
    let check = |limits| check(&history, &Options { limits, ..Options::new(Model::KeyValue) }).keys[0].clone();
    let out_of_time = check(Limits { keep_going: &|| false, ..Limits::none() });
    assert!(matches!(out_of_time.why, Some(UnknownWhy::Time { completed: 32, .. })), "{out_of_time:?}");
    assert_eq!((out_of_time.verdict, out_of_time.method), (Verdict::Unknown, Method::Search));
    let out_of_memory = check(Limits { memory: &Memory::new(100_000), ..Limits::none() });
    assert!(matches!(out_of_memory.why, Some(UnknownWhy::Memory { .. })), "{out_of_memory:?}");
    assert!(out_of_memory.why.unwrap().to_string().starts_with("memory ran out after "));
}

#[test]
fn text_grows_at_its_end() {
    let check =
        |text, initial: Value| check(&history(text), &Options { initial, ..Options::new(Model::KeyValue) }).verdict;
    let appended = "0 invoke append a\n 0 ok append\n 0 invoke append b\n 0 ok append\n 1 invoke read\n 1 ok read ab";
    assert_eq!(check(appended, Value::Nil), Verdict::Linearizable);
    assert_eq!(check(appended, "".into()), Verdict::Linearizable);
    assert_eq!(check(appended, "x".into()), Verdict::NotLinearizable);
    let deleted = "0 invoke append a\n 0 ok append\n 0 invoke delete\n 0 ok delete\n 1 invoke read\n 1 ok read nil";
    assert_eq!(check(deleted, Value::Nil), Verdict::Linearizable);
    assert_eq!(check(&deleted.replace("read nil", "read a"), Value::Nil), Verdict::NotLinearizable);
}

#[test]
fn of_a_long_text_that_comes_back_the_few_that_show_it_are_named() {
    let mut text = String::new();
    for round in 0..200 {
        text +=
            &format!("0 invoke write v{round}\n 0 ok write\n 1 invoke append w{round}\n 2 invoke read\n 1 ok append\n");
        text += &format!(
            "2 ok read v{round}w{round}\n 0 invoke delete\n 0 ok delete\n 3 invoke append x\n 3 info append\n"
        );
    }
    text += "2 invoke read\n 2 ok read v198w198\n";
    // A new process for each append of unknown outcome.
    let mut unknown = 10;
    let lines = text.lines().map(str::trim).map(|line| {
        let line = line.strip_prefix("3 ").map_or_else(|| line.to_owned(), |line| format!("{unknown} {line}"));
        unknown += u32::from(line.contains("info"));
        line
    });
    let report = check(&history(&lines.collect::<Vec<_>>().join("\n")), &Options::new(Model::KeyValue));
    assert_eq!(report.verdict, Verdict::NotLinearizable);
    let operations = &report.keys[0].evidence.as_ref().unwrap().operations;
    // The write and the append of the 199th round, a delete or write after them, and the last read.
    assert!(operations.len() <= 5 && operations.contains(&(198 * 5)), "{:#?}", report.keys[0].evidence);
}

#[test]
fn repeated_values_are_told_in_the_same_words_where_the_few_operations_allow() {
    let text = "0 invoke write 1\n 0 ok write\n 0 invoke write 2\n 0 ok write\n 0 invoke write 1\n 0 ok write\n \
                0 invoke write 2\n 0 ok write\n 1 invoke read\n 1 ok read 1";
    let report = report(text);
    assert_eq!((report.verdict, report.method), (Verdict::NotLinearizable, Method::Search));
    let evidence = report.evidence.unwrap();
    assert_eq!(
        evidence.claim,
        "read of the register by process 1 at 0.008 s returned 1, although the write of 2 by process 0 had been \
         acknowledged at 0.007 s, \
         1 ms before the read began"
    );
    assert_eq!(evidence.operations, [2, 3, 4], "{evidence:#?}");
}

#[test]
fn a_value_from_long_ago_is_not_said_to_be_never_written() {
    let mut text = String::from("0 invoke write 1\n 0 ok write\n");
    for _ in 0..40 {
        text.push_str("0 invoke write 2\n 0 ok write\n 0 invoke write 3\n 0 ok write\n");
    }
    text.push_str("1 invoke read\n 1 ok read 1");
    let evidence = report(&text).evidence.unwrap();
    assert!(evidence.claim.contains("although the write of"), "{}", evidence.claim);
    assert_eq!(evidence.operations.len(), 3, "{evidence:#?}");
}
