//! Tests of `schism check` on histories in the forms of Jepsen's workloads and of elle-cli's examples: what is right
//! holds, and what is wrong does not.

use crate::support::{CommandResult, file, run};

/// Judges a history of these events, without their braces, by a model.
fn check(model: &str, events: &[&str], others: &[&str]) -> CommandResult {
    let text = events.iter().fold(String::new(), |text, event| text + "{:type " + event + "}\n");
    let (dir, _) = file(text);
    run(dir.path(), &[&["check", "--model", model], others, &["history.jsonl"]].concat())
}

/// Judges a history that must hold, and fail once `right` is replaced by `wrong` wherever it occurs.
fn judged(model: &str, events: &[&str], right: &str, wrong: &str) -> CommandResult {
    let ended = check(model, events, &[]);
    assert_eq!(ended.code, Some(0), "{model}: {ended:?}");
    assert!(events.iter().any(|event| event.contains(right)), "{model}: {right} is nowhere");
    let events: Vec<String> = events.iter().map(|event| event.replace(right, wrong)).collect();
    let ended = check(model, &events.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    assert_eq!(ended.code, Some(1), "{model}, {wrong}: {ended:?}");
    ended
}

#[test]
fn long_forks_need_no_processes() {
    let forked = judged(
        "long-fork",
        &[
            ":invoke, :f :read, :value [[:r 0 nil] [:r 1 nil] [:r 2 nil]]",
            ":ok, :f :read, :value [[:r 0 1] [:r 1 nil] [:r 2 nil]]",
            ":invoke, :f :read, :value [[:r 2 nil] [:r 0 nil] [:r 1 nil]]",
            ":ok, :f :read, :value [[:r 2 1] [:r 0 1] [:r 1 nil]]",
            ":invoke, :f :write, :value [[:w 0 1]]",
            ":invoke, :f :write, :value [[:w 1 1]]",
            ":invoke, :f :write, :value [[:w 2 1]]",
        ],
        "[[:r 0 1] [:r 1 nil] [:r 2 nil]]",
        "[[:r 0 nil] [:r 1 1] [:r 2 nil]]",
    );
    assert!(forked.out.contains("no operation names its process"), "{forked:?}");
}

#[test]
fn sessions_of_transactions_need_processes() {
    // The second transaction misses the first, which ended before it began.
    let events = [
        ":invoke, :value [[:w 0 1]]",
        ":ok, :value [[:w 0 1]]",
        ":invoke, :value [[:r 0 nil]]",
        ":ok, :value [[:r 0 nil]]",
    ];
    for (level, code) in [("strict-serializable", 1), ("strong-session-serializable", 2), ("serializable", 0)] {
        let ended = check("rw-register", &events, &["--level", level]);
        assert_eq!(ended.code, Some(code), "{level}: {ended:?}");
        assert!(code != 2 || ended.out.contains("and strong session serializable depends on"), "{ended:?}");
    }
}

#[test]
fn comments_need_no_processes() {
    let events = [
        ":invoke, :f :read, :value nil",
        ":invoke, :f :write, :value 25",
        ":ok, :f :write, :value 25",
        ":invoke, :f :write, :value 30",
        ":ok, :f :write, :value 30",
        ":ok, :f :read, :value #{25 30}",
    ];
    for model in ["causal-reverse", "comments"] {
        judged(model, &events, "#{25 30}", "#{30}");
    }
    // The read may have come before the second write.
    let ended = check(
        "causal-reverse",
        &events.map(|event| if event.contains('#') { ":ok, :f :read, :value #{25}" } else { event }),
        &[],
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn what_depends_on_processes_is_unknown_without_them() {
    let ended =
        check("mutex", &[":invoke, :f :acquire", ":ok, :f :acquire", ":invoke, :f :acquire", ":ok, :f :acquire"], &[]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.out.contains("no operation names its process, and mutex depends on"), "{ended:?}");
}

#[test]
fn a_set_is_read_whose_reads_are_answered_without_the_key() {
    let events = [
        ":invoke, :f :add, :value [0 0], :process 0",
        ":ok, :f :add, :value [0 0], :process 0",
        ":invoke, :f :add, :value [0 1], :process 0",
        ":ok, :f :add, :value [0 1], :process 0",
        ":invoke, :f :read, :value [0 nil], :process 0",
        ":ok, :f :read, :value [0 1], :process 0",
        ":invoke, :f :add, :value [0 2], :process 0",
        ":ok, :f :add, :value [0 2], :process 0",
        ":invoke, :f :read, :value [0 nil], :process 1",
        ":ok, :f :read, :value (0 1 2), :process 1",
    ];
    let lost = judged("set-full", &events, "(0 1 2)", "[2]");
    assert!(lost.out.contains("reads ask for [key, null] and are answered without the key"), "{lost:?}");
}

#[test]
fn a_value_that_nobody_wrote_is_a_violation_of_registers_in_transactions() {
    judged(
        "rw-register",
        &[
            ":invoke, :f :txn, :value [[:w :x 2]], :process 0, :index 1",
            ":ok, :f :txn, :value [[:w :x 2]], :process 0, :index 2",
            ":invoke, :f :txn, :value [[:r :x nil]], :process 0, :index 3",
            ":ok, :f :txn, :value [[:r :x 2]], :process 0, :index 4",
        ],
        "[:r :x 2]",
        "[:r :x 3]",
    );
}

#[test]
fn registers_of_the_causal_test_begin_with_zero() {
    let events = [
        ":invoke, :f :read-init, :value [0 nil], :process 0",
        ":ok, :f :read-init, :value [0 0], :process 0, :position 1, :link :init",
        ":invoke, :f :write, :value [0 1], :process 0",
        ":ok, :f :write, :value [0 1], :process 0, :position 2, :link 1",
        ":invoke, :f :read, :value [0 nil], :process 0",
        ":ok, :f :read, :value [0 1], :process 0, :position 3, :link 2",
        ":invoke, :f :read-init, :value [1 nil], :process 1",
        ":ok, :f :read-init, :value [1 0], :process 1, :position 1, :link :init",
    ];
    judged("causal", &events, ":ok, :f :read, :value [0 1]", ":ok, :f :read, :value [0 0]");
    judged("causal", &events, ":ok, :f :read-init, :value [1 0]", ":ok, :f :read-init, :value [1 7]");
    judged("causal", &events, ":ok, :f :read-init, :value [1 0]", ":ok, :f :read-init, :value [1 nil]");
    let unlinked = judged("causal", &events, ":position 3, :link 2", ":position 3, :link 1");
    assert!(
        unlinked.out.contains("says that it came after position 1, but the last that was answered before"),
        "{unlinked:?}"
    );
    judged("causal", &events, ":position 2, :link 1", ":position 4, :link 1");
}

#[test]
fn a_wrong_link_is_found_in_every_form_of_a_history() {
    let (dir, _) = file(
        "{:type :invoke, :f :write, :value [0 1], :process 0}\n\
         {:type :ok, :f :write, :value [0 1], :process 0, :position 1, :link :init}\n\
         {:type :invoke, :f :read, :value [0 nil], :process 0}\n\
         {:type :ok, :f :read, :value [0 1], :process 0, :position 2, :link 1}\n\
         {:type :invoke, :f :read, :value [0 nil], :process 0}\n\
         {:type :ok, :f :read, :value [0 1], :process 0, :position 3, :link 1}\n",
    );
    let ends = |code, args: &[&str]| {
        let ended = run(dir.path(), args);
        assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
        ended.out
    };
    let forms = ["history.jsonl", "lines.jsonl", "maps.edn", "binary.columns"];
    for pair in forms.windows(2) {
        ends(0, &["convert", pair[0], pair[1]]);
    }
    ends(1, &["shrink", "--model", "causal", "maps.edn", "-o", "shrunk.jsonl"]);
    let claim = "came after position 1, but the last that was answered before, read of key 0 by process 0 at event ";
    for form in forms.into_iter().chain(["shrunk.jsonl"]) {
        let out = ends(1, &["check", "--model", "causal", form]);
        assert!(out.contains(claim), "{form}: {out}");
    }
}

#[test]
fn of_the_inserts_of_a_key_one_at_most_succeeds() {
    let events = [
        ":invoke, :f :insert, :value [0 [nil 1]], :process 0",
        ":invoke, :f :insert, :value [0 [2 nil]], :process 1",
        ":ok, :f :insert, :value [0 [nil 1]], :process 0",
        ":fail, :f :insert, :value [0 [2 nil]], :process 1, :error :too-late",
        ":invoke, :f :insert, :value [1 [nil 3]], :process 0",
        ":ok, :f :insert, :value [1 [nil 3]], :process 0",
    ];
    let both = judged("g2", &events, ":fail,", ":ok,");
    assert!(both.out.contains(" succeeded, although insert [null,1] on key 0 by process 0 at "), "{both:?}");
}

#[test]
fn a_poll_from_the_beginning_shows_what_was_lost() {
    let events = [
        ":invoke, :f :send, :value [[:send 0 1] [:send 1 2]], :process 0",
        ":ok, :f :send, :value [[:send 0 [0 1]] [:send 1 [0 2]]], :process 0",
        ":invoke, :f :send, :value [[:send 0 3]], :process 1",
        ":ok, :f :send, :value [[:send 0 [1 3]]], :process 1",
        ":invoke, :f :crash, :value nil, :process 2",
        ":info, :f :crash, :value nil, :process 2",
        ":invoke, :f :debug-topic-partitions, :value [0 1], :process 3",
        ":ok, :f :debug-topic-partitions, :value {0 {:a 1}}, :process 3",
        ":invoke, :f :assign, :value [0 1], :process 3, :seek-to-beginning? true",
        ":ok, :f :assign, :value [0 1], :process 3, :seek-to-beginning? true",
        ":invoke, :f :poll, :value [[:poll]], :process 3, :poll-ms 1000",
        ":ok, :f :poll, :value [[:poll {0 [[0 1] [1 3]], 1 [[0 2]]}]], :process 3, :poll-ms 1000",
    ];
    let lost = judged("kafka", &events, "{0 [[0 1] [1 3]]", "{0 [[1 3]]");
    assert!(lost.out.contains("no poll shows 1, which send by process 0 at "), "{lost:?}");
    judged("kafka", &events, "{0 [[0 1] [1 3]]", "{0 [[0 1] [1 9]]");
}

/// Transactions of Jepsen's test of Kafka: one aborts, one is of unknown outcome and was polled, and in one the logs
/// were rebalanced.
const TRANSACTIONS_OF_LOGS: [&str; 12] = [
    ":invoke, :f :txn, :value [[:send 0 1] [:poll]], :process 0",
    ":ok, :f :txn, :value [[:send 0 [0 1]] [:poll {}]], :process 0",
    ":invoke, :f :txn, :value [[:send 0 2] [:send 1 3]], :process 1",
    ":fail, :f :txn, :value [[:send 0 [1 2]] [:send 1 3]], :process 1, :error :aborted",
    ":invoke, :f :txn, :value [[:send 1 4] [:send 0 5]], :process 2",
    ":info, :f :txn, :value [[:send 1 [1 4]] [:send 0 5]], :process 2, :error :timeout",
    ":invoke, :f :subscribe, :value [0 1], :process 3",
    ":ok, :f :subscribe, :value [0 1], :process 3",
    ":invoke, :f :txn, :value [[:poll] [:send 2 6]], :process 3",
    ":ok, :f :txn, :value [[:poll {0 [[0 1] [3 5]]}] [:send 2 [0 6]]], :process 3",
    ":invoke, :f :poll, :value [[:poll] [:poll]], :process 3",
    ":ok, :f :poll, :value [[:poll {1 [[1 4]]}] [:poll {1 [[1 4]]}]], :process 3, \
     :rebalance-log ({:type :revoked, :keys [1]})",
];

#[test]
fn transactions_of_logs_are_judged_as_jepsen_does() {
    for (right, wrong, claim) in [
        ("[0 1] [3 5]", "[0 1] [1 2]", "returned 2 at offset 1 of log 0, although transaction by process 1 at "),
        (
            "[0 1] [3 5]",
            "[3 5]",
            "put 1 at offset 0 of log 0, but no poll shows it, although transaction by process 3 at ",
        ),
        ("[0 1] [3 5]", "[0 1] [0 5]", "says that offset 0 of log 0 has 5, although transaction by process 0 at "),
        (":keys [1]", ":keys [0]", "returned offset 1 of log 1, although it had to go on after 1"),
        (
            "[:send 0 [0 1]] [:poll {}]",
            "[:send 0 [0 1]] [:poll {2 [[0 6]]}]",
            "returned 6 at offset 0 of log 2, although transaction by process 3 at ",
        ),
        ("[:send 2 [0 6]]]", "[:send 2 7 8]]", "outcome"),
    ] {
        let wrong_events = TRANSACTIONS_OF_LOGS.map(|event| event.replace(right, wrong));
        let events = wrong_events.each_ref().map(String::as_str);
        if claim == "outcome" {
            assert_eq!(check("kafka", &events, &[]).code, Some(2), "{wrong}");
            continue;
        }
        let found = judged("kafka", &TRANSACTIONS_OF_LOGS, right, wrong);
        assert!(found.out.contains(claim), "{claim} is not in {found:?}");
        // What is converted says the same.
        let text = events.iter().fold(String::new(), |text, event| text + "{:type " + event + "}\n");
        let (dir, _) = file(text);
        for (from, to) in [("history.jsonl", "other.jsonl"), ("other.jsonl", "third.edn")] {
            let converted = run(dir.path(), &["convert", from, to]);
            assert_eq!(converted.code, Some(0), "{converted:?}");
            let again = run(dir.path(), &["check", "--model", "kafka", to]);
            assert!(again.code == Some(1) && again.out.contains(claim), "{to}: {again:?}");
        }
    }
}

#[test]
fn logs_are_known_by_the_keys_of_json_objects() {
    let events = |offset: u64| {
        let poll = format!(r#"[["poll",{{"5":[[{offset},1]]}}],["send",6,[0,2]]]"#);
        let line = |kind, value: &str| format!(r#"{{"process":0,"type":"{kind}","f":"txn","value":{value}}}"#) + "\n";
        let send = [("invoke", r#"[["send",5,1]]"#), ("ok", r#"[["send",5,[0,1]]]"#)];
        let all = send.into_iter().chain([("invoke", r#"[["poll"],["send",6,2]]"#), ("ok", &poll)]);
        all.map(|(kind, value)| line(kind, value)).collect::<String>()
    };
    for (offset, code) in [(0, 0), (3, 1)] {
        let (dir, _) = file(events(offset));
        let ended = run(dir.path(), &["check", "--model", "kafka", "history.jsonl"]);
        assert_eq!(ended.code, Some(code), "{ended:?}");
    }
}

#[test]
fn a_vector_without_processes_is_read_as_well() {
    // A vector of maps, with commas, as elle-cli has some.
    let (dir, _) = file(
        "[{:type :invoke, :f :write, :value 1},\n{:type :ok, :f :write, :value 1},\n\
        {:type :invoke, :f :read, :value nil},\n{:type :ok, :f :read, :value 2}]",
    );
    let ended = run(dir.path(), &["check", "history.jsonl"]);
    assert!(ended.code == Some(1) && ended.out.contains("which nobody ever wrote"), "{ended:?}");
}
