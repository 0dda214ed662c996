//! Histories in the form of Jepsen's test of Kafka, right and wrong by each anomaly that it knows.

use histories::{History, read_bytes};

use super::claim;

/// Builds a history of these events, each `process type function value`, with other fields after the value.
fn edn(events: &[&str]) -> History {
    let line = |event: &&str| {
        let mut words = event.splitn(4, ' ');
        let [process, kind, f, value] = [(); 4].map(|()| words.next().expect("an event has four words"));
        format!("{{:process {process}, :type :{kind}, :f :{f}, :value {value}}}\n")
    };
    let text: String = events.iter().map(line).collect();
    read_bytes("h", text.as_bytes(), None).expect("the history is read")
}

/// Judges a history that holds, and the same one once `right` is replaced by `wrong`, which violates it by this claim.
fn judged(events: &[&str], right: &str, wrong: &str, expected: &str) {
    assert_eq!(claim(&edn(events)), None, "{events:?}");
    assert!(events.iter().any(|event| event.contains(right)), "{right} is nowhere");
    let events: Vec<String> = events.iter().map(|event| event.replace(right, wrong)).collect();
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    let found = claim(&edn(&events)).unwrap_or_default();
    assert!(found.contains(expected), "{found} lacks {expected}");
}

#[test]
fn an_aborted_value_is_polled_by_nobody_who_commits() {
    judged(
        &[
            "0 invoke txn [[:send :x 2] [:send :y 3]]",
            "0 ok txn [[:send :x [0 2]] [:send :y [0 3]]]",
            "1 invoke txn [[:poll]]",
            "1 ok txn [[:poll {:x [[0 2]]}]]",
        ],
        "0 ok",
        "0 fail",
        "transaction by process 1 at event 2 returned 2 at offset 0 of log :x, although transaction by process 0 at \
            event 0, \
        which sent it, failed (G1a)",
    );
    // Who fails may have seen it; Jepsen looks at those that commit only.
    let failed = [
        "0 invoke send [[:send :x 2]]",
        "0 fail send [[:send :x [0 2]]]",
        "1 invoke poll [[:poll]]",
        "1 fail poll [[:poll {:x [[0 2]]}]]",
    ];
    assert_eq!(claim(&edn(&failed)), None);
}

#[test]
fn nobody_polls_what_it_sends_itself() {
    judged(
        &["0 invoke txn [[:send :x 1] [:poll]]", "0 ok txn [[:send :x [0 1]] [:poll {}]]"],
        "{}",
        "{:x [[0 1]]}",
        "transaction by process 0 at event 0 returned 1 at offset 0 of log :x, which it sent itself, before it was \
            committed",
    );
}

#[test]
fn polls_within_a_transaction_go_forward_and_skip_nothing() {
    let events = [
        "1 invoke send [[:send :x 10] [:send :x 11] [:send :x 13]]",
        "1 ok send [[:send :x [1 10]] [:send :x [2 11]] [:send :x [4 13]]]",
        "0 invoke txn [[:poll] [:poll]]",
        "0 ok txn [[:poll {:x [[1 10]]}] [:poll {:x [[2 11] [4 13]]}]]",
        "2 invoke poll [[:poll]]",
        "2 ok poll [[:poll {:x [[1 10] [2 11]]}]]",
    ];
    let skipped = "went from offset 1 to 4 of log :x, and skipped 11 at offset 2, which poll by process 2 at";
    let back = "returned offset 1 of log :x, although it had to go on after 2";
    judged(&events, "[2 11] [4 13]", "[4 13]", skipped);
    judged(&events, "[1 10]]}] [:poll {:x [[2 11]", "[2 11]]}] [:poll {:x [[1 10]", back);
    judged(
        &events,
        "[:poll {:x [[2 11] [4 13]]}]",
        "[:poll {:x [[1 10]]}]",
        "returned offset 1 of log :x, although it had to go on after 1",
    );
    // Neither failure nor a subscription excuses it.
    let failed =
        events.map(|event| if event.starts_with("0 ok") { event.replacen("ok", "fail", 1) } else { event.into() });
    judged(&failed.each_ref().map(String::as_str), "[2 11] [4 13]", "[4 13]", skipped);
    let subscribed = [&["0 invoke subscribe [:x]", "0 ok subscribe [:x]"][..], &events].concat();
    judged(&subscribed, "[2 11] [4 13]", "[4 13]", skipped);
    // A rebalancing of just that log does.
    for (keys, expected) in [("[:x :y]", None), ("[:y]", Some(skipped))] {
        let log = format!("[4 13]]}}]], :rebalance-log ({{:type :revoked, :keys {keys}}})");
        let events = events.map(|event| event.replace("[2 11] [4 13]]}]]", &log));
        let found = claim(&edn(&events.each_ref().map(String::as_str)));
        assert_eq!(found.is_some(), expected.is_some(), "{keys}");
        assert!(expected.is_none_or(|expected| found.as_ref().is_some_and(|it| it.contains(expected))), "{found:?}");
    }
}

#[test]
fn sends_within_a_transaction_go_forward() {
    let events = ["0 invoke txn [[:send :x 1] [:send :x 2]]", "0 ok txn [[:send :x [1 1]] [:send :x [3 2]]]"];
    judged(&events, "[1 1]", "[5 1]", "sent 2 to offset 3 of log :x, although it had sent to offset 5 before");
    // Others may send in between, and offsets may be known from polls alone.
    judged(
        &[
            "0 invoke send [[:send :y 4] [:send :y 2]]",
            "0 info send [[:send :y 4] [:send :y 2]]",
            "1 invoke send [[:send :y 3]]",
            "1 info send [[:send :y 3]]",
            "2 invoke poll [[:poll]]",
            "2 ok poll [[:poll {:y [[2 4] [3 3] [4 2]]}]]",
        ],
        "[[2 4] [3 3] [4 2]]",
        "[[2 2] [3 3] [4 4]]",
        "send by process 0 at event 0 sent 2 to offset 2 of log :y, although it had sent to offset 4 before",
    );
}

#[test]
fn sends_of_a_process_go_forward_from_one_transaction_to_the_next() {
    judged(
        &[
            "0 invoke txn [[:send :x 1]]",
            "0 ok txn [[:send :x [3 1]]]",
            "0 invoke txn [[:send :x 2]]",
            "0 ok txn [[:send :x [4 2]]]",
        ],
        "[4 2]",
        "[2 2]",
        "transaction by process 0 at event 2 sent 2 to offset 2 of log :x, although transaction by process 0 at event \
            0 had \
        sent to offset 3 before",
    );
}

#[test]
fn a_value_before_one_that_is_polled_is_lost_if_no_poll_shows_it() {
    let events = [
        "0 invoke txn [[:send :x 1]]",
        "0 ok txn [[:send :x [0 1]]]",
        "0 invoke txn [[:send :x 2] [:send :x 4]]",
        "0 ok txn [[:send :x [1 2]] [:send :x [3 4]]]",
        "1 invoke txn [[:send :x 3]]",
        "1 info txn [[:send :x 3]]",
        "2 invoke txn [[:poll]]",
        "2 fail txn [[:poll {:x [[0 1]]}]]",
        "3 invoke txn [[:poll]]",
        "3 ok txn [[:poll {:x [[1 2] [2 3]]}]]",
    ];
    let lost = "transaction by process 0 at event 0 put 1 at offset 0 of log :x, but no poll shows it, although \
        transaction by process 3 at event 8 shows offset 2: it was lost";
    judged(&events, "{:x [[0 1]]}", "{}", lost);
    // Nobody knows what a poll without an answer showed.
    let unknown = events.map(|event| event.replace("2 fail txn [[:poll {:x [[0 1]]}]]", "2 info txn [[:poll]]"));
    assert_eq!(claim(&edn(&unknown.each_ref().map(String::as_str))), None);
}

/// Transaction of unknown outcome: it counts once something of it was polled.
#[test]
fn a_transaction_of_unknown_outcome_counts_as_a_whole_once_one_value_is_polled() {
    judged(
        &[
            "0 invoke txn [[:send :x 1] [:send :y 1]]",
            "0 info txn [[:send :x 1] [:send :y [0 1]]]",
            "1 invoke send [[:send :y 2]]",
            "1 info send [[:send :y 2]]",
            "2 invoke poll [[:poll]]",
            "2 fail poll [[:poll {:x [[0 1]]}]]",
            "3 invoke poll [[:poll]]",
            "3 ok poll [[:poll {:y [[1 2]]}]]",
        ],
        "2 fail",
        "2 ok",
        "put 1 at offset 0 of log :y, but no poll shows it",
    );
    judged(
        &[
            "0 invoke send [[:send :x 1] [:send :y 1]]",
            "0 info send [[:send :x [0 1]] [:send :y 1]]",
            "1 invoke send [[:send :x 2]]",
            "1 ok send [[:send :x [0 2]]]",
            "2 invoke poll [[:poll]]",
            "2 ok poll [[:poll {}]]",
        ],
        "{}",
        "{:y [[5 1]]}",
        "send by process 1 at event 2 says that offset 0 of log :x has 2, although send by process 0 at event 0 says \
            that it \
        has 1",
    );
}

#[test]
fn what_an_aborted_transaction_polls_is_at_its_offset_all_the_same() {
    judged(
        &[
            "0 invoke send [[:send :x 0]]",
            "0 ok send [[:send :x [1 0]]]",
            "0 invoke send [[:send :x 1]]",
            "0 fail send [[:send :x [2 1]]]",
            "1 invoke poll [[:poll]]",
            "1 fail poll [[:poll {:x [[1 0] [12 1]]}]]",
        ],
        "[1 0] [12 1]",
        "[11 0] [12 1]",
        "says that 0 is at offset 11 of log :x, although send by process 0 at event 0 says that it is at offset 1",
    );
}

/// After an abort, a process polls what it polled before once more.
#[test]
fn an_aborted_transaction_leaves_its_process_where_it_was() {
    let events = [
        "0 invoke send [[:send :x 0] [:send :x 1] [:send :x 2] [:send :x 3]]",
        "0 ok send [[:send :x [0 0]] [:send :x [1 1]] [:send :x [2 2]] [:send :x [3 3]]]",
        "1 invoke txn [[:poll]]",
        "1 ok txn [[:poll {:x [[0 0]]}]]",
        "1 invoke txn [[:poll]]",
        "1 fail txn [[:poll {:x [[1 1] [2 2]]}]]",
        "1 invoke txn [[:poll]]",
        "1 ok txn [[:poll {:x [[1 1] [2 2] [3 3]]}]]",
    ];
    judged(
        &events,
        "[1 1] [2 2] [3 3]",
        "[3 3]",
        "went on to offset 3 of log :x, after transaction by process 1 at event 2 had come to 0, and skipped 1 at \
            offset 1, \
        which transaction by process 1 at event 4 returned",
    );
    judged(&events, "fail txn [[:poll {:x [[1 1] [2 2]]}]]", "fail txn [[:poll {:x [[2 2]]}]]", "had come to 0, and");
    judged(&events, "fail txn [[:poll {:x [[1 1] [2 2]]}]]", "info txn [[:poll {:x [[2 2]]}]]", "had come to 0, and");
    let subscribed = [&events[..4], &["1 invoke subscribe [:x]", "1 ok subscribe [:x]"], &events[4..]].concat();
    let skipped: Vec<String> = subscribed.iter().map(|event| event.replace("[1 1] [2 2] [3 3]", "[3 3]")).collect();
    assert_eq!(claim(&edn(&skipped.iter().map(String::as_str).collect::<Vec<_>>())), None, "others may have it");
}

#[test]
fn transactions_do_not_poll_what_each_other_sent() {
    judged(
        &[
            "0 invoke txn [[:send :x 1] [:poll]]",
            "1 invoke txn [[:send :y 2] [:poll]]",
            "0 ok txn [[:send :x [0 1]] [:poll {}]]",
            "1 ok txn [[:send :y [0 2]] [:poll {:x [[0 1]]}]]",
        ],
        "[:poll {}]",
        "[:poll {:y [[0 2]]}]",
        "transaction by process 0 at event 0 polled 2 of log :y, which transaction by process 1 at event 1 sent; that \
            one \
        polled 1 of log :x, which the first sent (G1c)",
    );
    // By real time: 2 polls what 1 sends, which polls what 0 sends, which begins after 2 has ended.
    let events = [
        "1 invoke txn [[:send :y 2] [:poll]]",
        "2 invoke txn [[:poll]]",
        "2 ok txn [[:poll {:y [[0 2]]}]]",
        "0 invoke txn [[:send :x 1]]",
        "0 ok txn [[:send :x [0 1]]]",
        "1 ok txn [[:send :y [0 2]] [:poll {}]]",
    ];
    let late = "transaction by process 2 at event 1 polled 2 of log :y, which transaction by process 1 at event 0 \
        sent; \
        that one polled 1 of log :x, which transaction by process 0 at event 3 sent, although that one only began \
        after the first had ended at event 2 (G1c)";
    judged(&events, "[:poll {}]", "[:poll {:x [[0 1]]}]", late);
}

/// Orders of sends in which nothing is wrong for Jepsen: G0, G1c by orders of sends, and sends of others in between.
#[test]
fn sends_of_transactions_may_interleave() {
    let events = [
        "0 invoke txn [[:send :x 1] [:send :y 1]]",
        "1 invoke txn [[:send :x 2] [:send :y 2]]",
        "0 ok txn [[:send :x [0 1]] [:send :y [1 1]]]",
        "1 ok txn [[:send :x [1 2]] [:send :y [0 2]]]",
        "2 invoke txn [[:send :z 5] [:poll]]",
        "3 invoke txn [[:send :z 6]]",
        "3 ok txn [[:send :z [0 6]]]",
        "2 ok txn [[:send :z [1 5]] [:poll {:z [[0 6]]}]]",
    ];
    assert_eq!(claim(&edn(&events)), None);
}
