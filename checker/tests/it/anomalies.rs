//! Tests of each named anomaly, in histories written by hand after Adya (1999) and Kingsbury and Alvaro (VLDB 2020).

use checker::{AnomalyKind, Level, Limits, Status, TransactionReport, check_transactions};
use histories::{History, read_bytes};

/// Parses a history from lines such as `0 1 4 ok append x 1; r x 1 2; w y 3; r z nil`: process, begin, end, type of the
/// completion, micro-operations. An end of `-` never comes.
fn history(text: &str) -> History {
    let mut events: Vec<(u32, String)> = Vec::new();
    for row in text.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let words: Vec<&str> = row.splitn(5, ' ').collect();
        let [process, begin, end, kind, micros] = words[..] else { panic!("{row}") };
        let value = |filled: bool| {
            let micros: Vec<String> = micros.split(';').map(|micro| shown(micro.trim(), filled)).collect();
            format!("[{}]", micros.join(","))
        };
        let line = |time: &str, kind: &str, value: &str| {
            let time = time.parse::<u64>().unwrap() * 1_000_000;
            format!("{{\"time\":{time},\"process\":{process},\"type\":\"{kind}\",\"f\":\"txn\",\"value\":{value}}}\n")
        };
        events.push((begin.parse().unwrap(), line(begin, "invoke", &value(false))));
        if let Ok(time) = end.parse() {
            events.push((time, line(end, kind, &value(true))));
        }
    }
    events.sort();
    read_bytes("h", events.into_iter().map(|(_, line)| line).collect::<String>().as_bytes(), None).unwrap()
}

fn shown(micro: &str, filled: bool) -> String {
    let words: Vec<&str> = micro.split(' ').collect();
    let found = match (words[0], &words[2..]) {
        ("r", _) if !filled => "null".to_owned(),
        ("r", ["nil"]) => "null".to_owned(),
        ("r", ["=", value]) => (*value).to_owned(),
        ("r", list) => format!("[{}]", list.join(",")),
        (_, value) => value[0].to_owned(),
    };
    format!("[\"{}\",\"{}\",{found}]", words[0], words[1])
}

pub(crate) fn check(text: &str) -> TransactionReport {
    check_transactions(&history(text), &Limits::none())
}

/// Returns the names of the anomalies found, and the strongest level that is left.
fn judged(text: &str) -> (Vec<String>, Option<Level>) {
    let report = check(text);
    let names = report.counts.iter().map(|count| count.name.clone()).collect();
    (names, report.strongest().map(|strongest| strongest.level))
}

#[track_caller]
fn assert_judged(text: &str, names: &[&str], strongest: Option<Level>) {
    assert_eq!(judged(text), (names.iter().map(|name| (*name).to_owned()).collect(), strongest), "{text}");
}

#[test]
fn what_is_right_keeps_every_level() {
    assert_judged(
        "0 0 3 ok append x 1; r x 1; append y 5
         1 1 4 ok r x nil; r y
         2 5 7 ok append x 2; r x 1 2
         1 6 - info append y 6
         0 8 9 ok r y 5 6",
        &[],
        Some(Level::StrictSerializable),
    );
}

#[test]
fn overwrites_in_a_circle_are_g0() {
    assert_judged(
        "0 0 9 ok append x 1; append y 1
         1 0 9 ok append x 2; append y 2
         2 10 11 ok r x 1 2; r y 2 1",
        &["G0"],
        None,
    );
}

#[test]
fn reading_what_did_not_happen_is_g1a_and_building_on_it_a_dirty_update() {
    assert_judged("0 0 1 fail append x 1\n1 2 3 ok r x 1", &["G1a"], Some(Level::ReadUncommitted));
    assert_judged(
        "0 0 1 fail append x 1\n1 2 3 ok append x 2\n2 4 5 ok r x 1 2",
        &["G1a", "dirty-update"],
        Some(Level::ReadUncommitted),
    );
    let half = "0 0 1 fail append x 1; append x 2\n1 2 3 ok r x 1";
    assert_judged(half, &["G1a"], Some(Level::ReadUncommitted));
    assert_judged("0 0 1 fail w x 1\n1 2 3 ok r x = 1", &["G1a"], Some(Level::ReadUncommitted));
    assert_judged("0 0 1 ok append x 1\n1 2 3 ok r x 1 2", &["unwritten-read"], Some(Level::ReadUncommitted));
    assert_judged("0 0 1 ok w x 1\n1 2 3 ok r x = 2", &["unwritten-read"], Some(Level::ReadUncommitted));
    let report = check("0 0 1 ok append x 1\n1 2 3 ok r x 1\n2 4 5 ok r x 1 2\n3 6 7 ok r x 1 2 3");
    let readers: Vec<&[usize]> = report.anomalies.iter().map(|anomaly| &*anomaly.operations).collect();
    assert_eq!(readers, [[2], [3]], "each is told of the first that read it");
}

#[test]
fn reading_between_two_changes_of_one_transaction_is_g1b() {
    let (names, strongest) = judged("0 0 9 ok append x 1; append x 2\n1 1 8 ok r x 1\n2 10 11 ok r x 1 2");
    assert!(names.contains(&"G1b".to_owned()), "{names:?}");
    assert_eq!(strongest, Some(Level::ReadUncommitted));
    assert_judged("0 0 9 ok w x 1; w x 2\n1 1 8 ok r x = 1", &["G1b"], Some(Level::ReadUncommitted));
}

#[test]
fn reading_each_others_writes_is_g1c() {
    assert_judged("0 0 9 ok append x 1; r y 1\n1 0 9 ok append y 1; r x 1", &["G1c"], Some(Level::ReadUncommitted));
    assert_judged("0 0 9 ok w x 1; r y = 1\n1 0 9 ok w y 1; r x = 1", &["G1c"], Some(Level::ReadUncommitted));
}

#[test]
fn a_register_that_goes_back_is_told_by_the_time_at_which_its_versions_were_there() {
    let stale = "0 0 1 ok w x 1\n0 2 3 ok w x 2\n1 4 5 ok r x = 1";
    assert_judged(stale, &["G0-realtime"], Some(Level::StrongSessionSerializable));
    let missed = "process 0 ended a transaction with 2 at 0.003 s, before process 1 began one with 1 at 0.004 s";
    let told: Vec<String> = check(stale).anomalies[0].links.iter().map(|link| link.sentence.clone()).collect();
    assert!(told.iter().any(|sentence| sentence.contains(missed)), "{told:#?}");
    assert_judged("0 0 1 ok w x 1\n1 2 3 ok r x nil", &["G-single-realtime"], Some(Level::StrongSessionSerializable));
    assert_judged("0 0 9 ok w x 1; w y 1\n1 0 9 ok r x = 1; r y nil", &["G-single"], Some(Level::ReadCommitted));
    // Two processes observe two versions in opposite orders.
    let seen = "1 0 7 ok r x = 2\n1 8 20 ok r x = 1";
    for (written, name) in
        [("0 6 20 ok w x 2", "G0-process"), ("2 0 20 ok w x 2\n0 6 20 ok r x = 2; w x 3", "G0-process")]
    {
        let (names, strongest) = judged(&format!("0 0 5 ok w x 1\n{written}\n{seen}"));
        assert!(names.contains(&name.to_owned()), "{names:?}");
        assert_eq!(strongest, Some(Level::Serializable));
    }
}

#[test]
fn seeing_half_of_a_transaction_is_g_single() {
    assert_judged("0 0 9 ok append x 1; append y 1\n1 0 9 ok r x 1; r y", &["G-single"], Some(Level::ReadCommitted));
}

#[test]
fn two_that_replace_the_same_version_lose_an_update() {
    assert_judged(
        "0 0 9 ok r x; append x 1\n1 0 9 ok r x; append x 2\n2 10 11 ok r x 1 2",
        &["lost-update", "G-single"],
        Some(Level::ReadCommitted),
    );
    let (names, strongest) = judged("0 0 9 ok r x nil; w x 1\n1 0 9 ok r x nil; w x 2");
    assert!(names.contains(&"lost-update".to_owned()), "{names:?}");
    assert_eq!(strongest, Some(Level::ReadCommitted));
}

#[test]
fn write_skew_is_g2_and_keeps_snapshots() {
    assert_judged(
        "0 0 9 ok r x; r y; append x 1\n1 0 9 ok r x; r y; append y 1\n2 10 11 ok r x 1; r y 1",
        &["G2-item"],
        Some(Level::SnapshotIsolation),
    );
}

#[test]
fn a_long_fork_is_g_nonadjacent() {
    let (names, strongest) =
        judged("0 0 9 ok append x 1\n1 0 9 ok append y 1\n2 0 9 ok r x 1; r y\n3 0 9 ok r x; r y 1");
    assert_eq!((names, strongest), (vec!["G-nonadjacent".to_owned()], Some(Level::ReadCommitted)));
}

#[test]
fn what_a_process_did_before_must_be_seen_or_it_is_a_process_anomaly() {
    assert_judged(
        "0 0 1 ok append x 1\n0 2 3 ok r x\n1 4 5 ok r x 1",
        &["G-single-process"],
        Some(Level::Serializable),
    );
}

#[test]
fn what_was_acknowledged_must_be_seen_or_it_is_a_realtime_anomaly() {
    assert_judged(
        "0 0 1 ok append x 1\n1 2 3 ok r x\n2 4 5 ok r x 1",
        &["G-single-realtime"],
        Some(Level::StrongSessionSerializable),
    );
    assert_judged("0 0 1 ok append x 1\n1 2 3 ok r x", &["G-single-realtime"], Some(Level::StrongSessionSerializable));
    assert_judged(
        "0 0 1 ok append x 1\n1 2 3 ok append x 2\n2 4 5 ok r x 2 1",
        &["G0-realtime"],
        Some(Level::StrongSessionSerializable),
    );
}

#[test]
fn a_transaction_that_contradicts_itself_is_internal() {
    for text in [
        "0 0 1 ok append x 1; r x",
        "0 0 1 ok r x; append x 1; r x",
        "0 0 1 ok append x 1; append x 2; r x 2 1",
        "0 0 1 ok w x 1; r x nil",
        "0 0 1 ok w x 1; w y 2; r x = 1; w x 3; r x = 1",
    ] {
        assert_judged(text, &["internal"], Some(Level::ReadCommitted));
    }
    assert_judged("0 0 1 ok r x 1; append x 1", &["internal"], Some(Level::ReadUncommitted));
    assert_judged("0 0 1 ok r x = 1; w x 1", &["internal"], Some(Level::ReadUncommitted));
}

#[test]
fn lists_that_do_not_grow_are_named() {
    let writes = "0 0 1 ok append x 1\n0 2 3 ok append x 2\n";
    assert_judged(&format!("{writes}1 4 5 ok r x 1 1"), &["duplicate-elements"], None);
    assert_judged(
        &format!("{writes}1 4 5 ok r x 1 2\n2 4 5 ok r x 2"),
        &["incompatible-order"],
        Some(Level::ReadUncommitted),
    );
    assert_judged(
        "0 0 1 ok append x 1; append x 2\n1 4 5 ok r x 2",
        &["incompatible-order"],
        Some(Level::ReadUncommitted),
    );
}

#[test]
fn what_nobody_knows_happened_only_if_it_was_read() {
    let unknown = "0 0 - info append x 1; append y 1\n";
    assert_judged(&format!("{unknown}1 2 3 ok r x"), &[], Some(Level::StrictSerializable));
    assert_judged(&format!("{unknown}1 2 3 ok r x\n1 4 5 ok r x 1; r y 1"), &[], Some(Level::StrictSerializable));
    assert_judged(&format!("{unknown}1 2 3 ok r x 1; r y"), &["G-single"], Some(Level::ReadCommitted));
}

#[test]
fn what_cannot_be_judged_is_unknown() {
    let report = check("0 0 1 ok append x 1; w x 2");
    assert_eq!(report.status(Level::ReadUncommitted), Status::Unknown);
    assert!(report.why.unwrap().to_string().contains("both a list and a register"));
    let failed = "0 0 1 fail append x 1\n1 2 3 ok append x 1\n2 4 5 ok r x 1";
    assert_judged(failed, &[], Some(Level::StrictSerializable));
}

/// Checks that a value written twice does not hide anomalies elsewhere.
#[test]
fn a_value_that_was_written_twice_is_named_and_all_else_is_judged() {
    let twice = "0 0 1 ok append x 1\n1 0 1 ok append x 1\n";
    let others: Vec<String> = (2..12).map(|process| format!("{process} 0 1 ok append z {process}\n")).collect();
    let others = others.concat();
    assert_judged(&format!("{twice}{others}2 2 3 ok r x 1 1"), &[], Some(Level::StrictSerializable));
    let report = check(&format!("{twice}{others}2 2 3 ok r x 1 1 1"));
    assert_eq!(report.counts[0].name, "duplicate-elements");
    // Both appends were acknowledged and only one is there, but no certain rule refutes that.
    let report = check(&format!("{twice}{others}2 2 3 ok r x 1"));
    assert_eq!(report.status(Level::StrictSerializable), Status::NotRefuted);
    assert!(report.why.unwrap().to_string().contains("1 was appended to x more than once"));
    let stale = "3 4 5 ok append y 3\n4 6 7 ok r y";
    let report = check(&format!("{twice}{others}2 2 3 ok r x 1\n{stale}"));
    assert_eq!(report.status(Level::StrictSerializable), Status::Refuted);
    // In a register it is unknown which of the two writes was read.
    let registers = "0 0 1 ok w x 1\n1 2 3 ok w x 2\n2 4 5 ok w x 1\n";
    assert_judged(&format!("{registers}{others}2 6 7 ok r x = 1"), &[], Some(Level::StrictSerializable));
}

/// Checks that lists are judged before registers, whatever the order of their keys.
#[test]
fn values_that_were_written_twice_to_a_list_and_a_register_do_not_depend_on_which_key_comes_first() {
    let others: Vec<String> = (3..13).map(|process| format!("{process} 0 1 ok append z {process}\n")).collect();
    for list in ["x", "y"] {
        let first = format!("append {list} 1; append {list} 1");
        let [a, b] = if list == "x" { [&*first, "r r nil; w r 2"] } else { ["r r nil; w r 2", &*first] };
        let right = format!("0 0 1 ok {a}\n1 0 1 ok {b}\n{}2 2 3 ok r {list} 1 1; w r 2", others.concat());
        assert_judged(&right, &[], Some(Level::StrictSerializable));
        let few = format!("0 0 1 ok {a}\n1 0 1 ok {b}\n2 2 3 ok r {list} 1 1; w r 2");
        assert_judged(&few, &[], Some(Level::StrictSerializable));
        let lost = format!("{few}\n3 4 5 ok r r nil");
        assert_eq!(check(&lost).status(Level::StrictSerializable), Status::Refuted, "{lost}");
    }
}

#[test]
fn what_reads_say_that_contradict_their_transaction_counts() {
    // Cases of Elle: a cycle of reads, one of whose transactions also read something else before.
    assert_judged(
        "0 0 9 ok append x 1; r y 1\n1 0 9 ok r x; r x 1; append y 1",
        &["G1c", "internal"],
        Some(Level::ReadUncommitted),
    );
    assert_judged(
        "0 0 9 ok w x 1; r y = 1\n1 0 9 ok r x nil; r x = 1; w y 1",
        &["G1c", "internal"],
        Some(Level::ReadUncommitted),
    );
    assert_judged("0 0 9 fail append x 1\n1 0 9 ok r x; r x 1", &["G1a", "internal"], Some(Level::ReadUncommitted));
    let between = "0 0 9 ok append x 1; append x 2\n1 0 9 ok r x; r x 1";
    assert_judged(between, &["G1b", "internal", "G-single"], Some(Level::ReadUncommitted));
    assert_judged("0 0 9 fail w x 1\n1 0 9 ok r x nil; r x = 1", &["G1a", "internal"], Some(Level::ReadUncommitted));
}

#[test]
fn what_reads_agree_on_counts_though_they_are_of_two_orders() {
    let writes =
        "0 0 9 ok append x 1; append y 1\n1 0 9 ok append x 2; append y 2\n2 0 9 ok append x 3\n3 0 9 ok append x 4\n";
    let others: Vec<String> = (4..12).map(|process| format!("{process} 0 9 ok append z {process}\n")).collect();
    let others = others.concat();
    for others in ["", &others] {
        let mixed = format!("{writes}{others}20 10 11 ok r x 1 2 3; r y 2 1\n21 10 11 ok r x 1 2 4");
        assert_judged(&mixed, &["G0", "incompatible-order"], None);
    }
    let report = check(&format!("{writes}{others}20 10 11 ok r x 1 2 3\n21 10 11 ok r x 1 2 4"));
    assert_eq!(report.status(Level::ReadCommitted), Status::Refuted);
    assert_eq!(report.status(Level::ReadUncommitted), Status::NotRefuted, "not everything was looked at");
}

#[test]
fn another_writer_has_no_place_between_a_read_and_the_write_that_replaced_it() {
    let text = "0 0 1 ok w x 3\n1 2 20 ok r x = 3; w x 4\n0 3 4 ok w x 5\n0 5 6 ok r x = 4";
    let report = check(text);
    assert_eq!(report.status(Level::StrictSerializable), Status::Refuted);
    assert!(report.anomalies[0].links.len() > 1, "{report:#?}");
    // The same holds if both are later members of chains.
    let longer = "0 0 1 ok w x 3\n1 2 20 ok r x = 3; w x 4\n2 2 20 ok r x = 4; w x 6\n0 3 4 ok w x 5\n0 5 6 ok r x = 6";
    assert_eq!(check(longer).status(Level::StrictSerializable), Status::Refuted);
}

#[test]
fn a_stale_read_is_told_edge_by_edge() {
    let report = check("0 1000 1200 ok append k3 4\n1 1300 1400 ok r k3");
    let anomaly = &report.anomalies[0];
    assert_eq!((anomaly.kind, anomaly.operations.len()), (AnomalyKind::GSingle, 2));
    let sentences: Vec<&str> = anomaly.links.iter().map(|link| &*link.sentence).collect();
    let missed = sentences.iter().any(|s| s.contains("read k3 at 1.300 s without 4, which"));
    let before = sentences.iter().any(|s| s.contains("had ended at 1.200 s, before"));
    assert!(missed && before, "{sentences:#?}");
}

/// Checks that nothing recurses on a component that is one long ring, or on long chains of real time.
#[test]
fn long_chains_do_not_overflow_the_stack() {
    const LENGTH: u32 = 50_000;
    let row = |at: u32| format!("{at} 0 9 ok append k{at} 1; r k{} 1", (at + 1) % LENGTH);
    let ring: Vec<String> = (0..LENGTH).map(row).collect();
    let report = check(&ring.join(
        "
",
    ));
    assert_eq!(report.anomalies[0].operations.len(), LENGTH as usize);
    assert_eq!(report.strongest().map(|strongest| strongest.level), Some(Level::ReadUncommitted));
}

#[test]
fn time_that_runs_out_is_unknown_and_keeps_what_was_found() {
    let limits = Limits { keep_going: &|| false, ..Limits::none() };
    let report = check_transactions(&history("0 0 1 ok append x 1; r x"), &limits);
    assert_eq!(report.status(Level::SnapshotIsolation), Status::Refuted);
    assert_eq!(report.status(Level::ReadCommitted), Status::Unknown);
}
