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
        "a poll shows 2, whose send failed (G1a)",
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
        "a transaction polls 1, which it sent itself",
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
    let skipped = "11 at offset 2 of log :x is skipped: a poll shows it, and one goes from 1 to 4";
    let back = "a poll shows offset 1 of log :x, though it goes on after 2";
    judged(&events, "[2 11] [4 13]", "[4 13]", skipped);
    judged(&events, "[1 10]]}] [:poll {:x [[2 11]", "[2 11]]}] [:poll {:x [[1 10]", back);
    judged(
        &events,
        "[:poll {:x [[2 11] [4 13]]}]",
        "[:poll {:x [[1 10]]}]",
        "offset 1 of log :x, though it goes on after 1",
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
        assert_eq!(found.as_deref(), expected, "{keys}");
    }
}

#[test]
fn sends_within_a_transaction_go_forward() {
    let events = ["0 invoke txn [[:send :x 1] [:send :x 2]]", "0 ok txn [[:send :x [1 1]] [:send :x [3 2]]]"];
    judged(&events, "[1 1]", "[5 1]", "a process sends to offset 3 of log :x, after 5");
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
        "a process sends to offset 2 of log :y, after 4",
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
        "a process sends to offset 2 of log :x, after 3",
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
    judged(&events, "{:x [[0 1]]}", "{}", "1 at offset 0 of log :x was lost: no poll shows it, and one shows offset 2");
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
        "1 at offset 0 of log :y was lost",
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
        "offset 0 has 1 and also 2 (log :x)",
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
        "0 is at offset 1 and also at 11 (log :x)",
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
        "1 at offset 1 of log :x is skipped: a poll shows it, and one goes from 0 to 3",
    );
    judged(&events, "fail txn [[:poll {:x [[1 1] [2 2]]}]]", "fail txn [[:poll {:x [[2 2]]}]]", "goes from 0 to 2");
    judged(&events, "fail txn [[:poll {:x [[1 1] [2 2]]}]]", "info txn [[:poll {:x [[2 2]]}]]", "goes from 0 to 2");
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
        "each of 2 transactions polls what another of them sent (G1c)",
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
    judged(&events, "[:poll {}]", "[:poll {:x [[0 1]]}]", "depends on one that began only after it had ended (G1c)");
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
