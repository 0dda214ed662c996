//! Tests of histories as other tools write them: their layout, the order in which their events count, and fields that
//! they leave out.

use super::{Format, ReadOptions, read_bytes, read_events};
use crate::{Event, History, NEVER, Note, PairingError, ReadError, Value};

pub(super) fn read(text: &str) -> History {
    read_bytes("h", text.as_bytes(), None).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

pub(super) fn wrong(text: &str) -> String {
    match read_bytes("h", text.as_bytes(), None) {
        Ok(history) => panic!("it was read: {:?}\n{text}", history.operations),
        Err(error) => error.to_string(),
    }
}

/// Returns the ranks of invocation and completion of each operation.
pub(super) fn ranks(history: &History) -> Vec<(u32, u32)> {
    history.operations.iter().map(|operation| (operation.invoked, operation.completed)).collect()
}

/// Returns the events, one a line, in EDN and in JSON.
fn both(events: &[&str]) -> [String; 2] {
    let edn = events.iter().flat_map(|event| ["{", event, "}\n"]).collect();
    let json = |event: &&str| {
        let fields = event.split(", ").map(|field| {
            let (name, value) = field.trim_start_matches(':').split_once(' ').expect("a name and a value");
            let value =
                value.strip_prefix(':').map_or_else(|| value.replace("nil", "null"), |name| format!("\"{name}\""));
            format!("\"{name}\":{value}")
        });
        ["{", &fields.collect::<Vec<_>>().join(","), "}\n"].concat()
    };
    [edn, events.iter().map(json).collect()]
}

const WRITE: [&str; 2] =
    [":process 0, :type :invoke, :f :write, :value 1", ":process 0, :type :ok, :f :write, :value 1"];

#[test]
fn operations_stand_in_any_bracket() {
    let [edn, json] = both(&WRITE);
    let array = format!("[{}]", json.trim().replace('\n', ","));
    let pretty = array.replace(',', ",\n  ").replace('{', "{\n  ").replace('}', "\n}");
    let objects = json.replace(',', ",\n  ").replace('{', "{\n  ").replace('}', "\n}");
    for text in [format!("({edn})"), format!("[{edn}]\n"), array, pretty, objects, format!(" \n[\n{edn}]")] {
        assert_eq!(ranks(&read(&text)), [(0, 1)], "{text}");
        let marked = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        assert_eq!(ranks(&read(&marked)), [(0, 1)], "{marked}");
    }
    for (text, why) in [
        (format!("({edn}]"), "h:3:1: expected an operation as EDN, but there is a `]`"),
        (format!("({edn}"), "h:3:1: expected ')'"),
        ("[{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}".to_owned(), "expected ']'"),
        ("[{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"} {\"a\":1}]".to_owned(), "expected ',' or ']'"),
        ("[{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"},]".to_owned(), "expected an operation"),
        ("[{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}] 5".to_owned(), "expected nothing after"),
        ("[{\n\"process\":0,\n\"type\":\"invoke\",\n\"f\":7}]".to_owned(), "h:4:5: expected a function"),
        ("[]".to_owned(), "no operations"),
        ("[{}]".to_owned(), "expected type in the operation"),
    ] {
        let said = wrong(&text);
        assert!(said.contains(why), "{text}: {said}");
    }
}

#[test]
fn a_long_file_is_read_in_parts() {
    let [edn, json] = both(&WRITE);
    let operations = 20_000;
    let array =
        format!("[{}]", format!("{},", json.trim().replace('\n', ",")).repeat(operations).trim_end_matches(','));
    for text in [format!("[{}]", edn.repeat(operations)), array] {
        assert_eq!(read(&text).operations.len(), operations);
        let cut = &text[..text.len() - 4];
        let said = wrong(cut);
        assert!(said.contains("too early"), "{said}");
    }
    let long = format!("{{:process 0, :type :invoke, :f :write, :value \"{}\"}}", "x".repeat(17 << 20));
    assert!(wrong(&long).contains("at most 16777216 bytes long"));
    let wide = format!("{{:process 0, :type :invoke, :f :write, :value \"{}\"}}\n{{:process 0}}", "x".repeat(3 << 20));
    assert!(wrong(&wide).contains("h:2:1: expected :type"), "{}", wrong(&wide));
}

#[test]
fn what_is_no_utf8_is_named() {
    let utf16 = |mark: &[u8]| [mark, &"[{:process 0}]".bytes().flat_map(|byte| [byte, 0]).collect::<Vec<_>>()].concat();
    for bytes in [utf16(b"\xff\xfe"), utf16(b"")] {
        let said = read_bytes("h", &bytes, None).unwrap_err().to_string();
        assert!(said.contains("UTF-16: save it as UTF-8"), "{said}");
    }
}

#[test]
fn errors_name_the_format_and_speak_no_rust() {
    for (text, why) in [
        ("{\"process\":0}", "read as JSON Lines, as it begins with an object"),
        ("{\"process\":0,\"type\":\"invoke\",\"f\":\"read\",\"time\":\"noon\"}", "expected a time"),
        ("{\"process\":[],\"type\":\"invoke\",\"f\":\"read\"}", "a process is a number from 0 on"),
        ("{\"process\":0,\"type\":5,\"f\":\"read\"}", "expected a type"),
        ("{\"process\":0,\"type\":\"invoke\",\"f\":\"read\",\"index\":-1}", "expected an index"),
        ("{\"process\":0,\"process\":1,\"type\":\"invoke\",\"f\":\"read\"}", "says \"process\" twice"),
        ("{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"} x", "something stands behind it"),
        ("{\"process\":0 \"type\":\"invoke\"}", "expected ',' or '}'"),
        ("{\"process\":truth}", "expected a value"),
        ("{:process 0, :type :invoke, :f :read, :process 1}", "says :process twice"),
        ("{:process 0, :f :read}", "expected :type in the operation"),
    ] {
        let said = wrong(text);
        assert!(said.contains(why), "{text}: {said}");
        for foreign in ["u64", "i64", "missing field", "invalid type", "struct", "enum", "EOF", "variant"] {
            assert!(!said.contains(foreign), "{text}: {said}");
        }
    }
}

/// Events in one block per client; the second client begins before the first is done.
const PER_CLIENT: [&str; 6] = [
    ":process 0, :time 100, :type :invoke, :f :write, :value 1",
    ":process 0, :time 200, :type :ok, :f :write, :value 1",
    ":process 0, :time 500, :type :invoke, :f :write, :value 2",
    ":process 0, :time 600, :type :ok, :f :write, :value 2",
    ":process 1, :time 300, :type :invoke, :f :read, :value nil",
    ":process 1, :time 400, :type :ok, :f :read, :value 1",
];

#[test]
fn times_count_where_the_order_of_lines_contradicts_them() {
    for text in both(&PER_CLIENT) {
        let history = read(&text);
        assert_eq!(ranks(&history), [(0, 1), (2, 3), (4, 5)], "{text}");
        assert_eq!(history.notes, [Note::ByTime { line: 5 }]);
        assert_eq!(history.times(1).invoked_ns, 300);
    }
    for text in both(&WRITE) {
        assert_eq!(read(&text).notes, []);
    }
}

#[test]
fn lines_in_any_order_are_put_in_that_of_their_times() {
    let mut events = PER_CLIENT;
    events.reverse();
    for text in both(&events) {
        let history = read(&text);
        assert_eq!(ranks(&history), [(0, 1), (2, 3), (4, 5)], "{text}");
        assert_eq!(history.notes, [Note::ByTime { line: 2 }]);
    }
    // Where times do not contradict the order of lines, they change nothing.
    let [first, second, ..] = PER_CLIENT;
    for (events, why) in [
        ([second, first], "h:1: process 0 completes write, which it never invoked"),
        ([first, first], "h:2: process 0 invokes write while"),
    ] {
        let same = events.map(|event| event.replace(":time 200", ":time 100"));
        for text in both(&same.each_ref().map(String::as_str)) {
            assert!(wrong(&text).contains(why), "{}", wrong(&text));
        }
    }
}

#[test]
fn the_order_of_lines_counts_where_some_time_is_missing_and_a_contradiction_is_refused() {
    for without in [0, 3, 5] {
        let bare = PER_CLIENT[without].replace(":time", ":clock");
        let mut events = PER_CLIENT;
        events[without] = &bare;
        for text in both(&events) {
            let said = wrong(&text);
            assert!(said.contains("times must not decrease"), "{said}");
        }
    }
}

#[test]
fn an_end_before_its_beginning_is_refused_in_every_format() {
    let events = [
        ":process 0, :time 100, :type :invoke, :f :write, :value 1",
        ":process 0, :time 90, :type :ok, :f :write, :value 1",
        ":process 1, :time 120, :type :invoke, :f :read, :value nil",
        ":process 1, :time 130, :type :ok, :f :read, :value nil",
    ];
    for text in both(&events) {
        let said = wrong(&text);
        assert!(said.contains("h:2: process 0 completes write at 90 ns, before it invoked it at 100 ns"), "{said}");
    }
}

#[test]
fn indexes_that_go_back_give_way_to_times_that_agree() {
    let with = |indexes: [u8; 6]| {
        let events: Vec<String> =
            PER_CLIENT.iter().zip(indexes).map(|(event, index)| format!("{event}, :index {index}")).collect();
        both(&events.iter().map(String::as_str).collect::<Vec<_>>())
    };
    for text in with([0, 1, 4, 5, 2, 3]).into_iter().chain(with([0, 1, 2, 3, 4, 5])) {
        assert_eq!(ranks(&read(&text)), [(0, 1), (2, 3), (4, 5)], "{text}");
    }
    for text in with([0, 1, 5, 4, 2, 3]) {
        assert!(wrong(&text).contains("indexes must increase"), "{text}");
    }
}

#[test]
fn equal_times_are_in_the_order_of_lines_where_that_contradicts_none() {
    let events = [
        ":process 0, :time 100, :type :invoke, :f :write, :value 1",
        ":process 0, :time 100, :type :ok, :f :write, :value 1",
        ":process 1, :time 100, :type :invoke, :f :read, :value nil",
        ":process 1, :time 100, :type :ok, :f :read, :value nil",
    ];
    for text in both(&events) {
        assert_eq!(ranks(&read(&text)), [(0, 1), (2, 3)]);
    }
}

#[test]
fn times_may_be_negative_and_decimals_are_seconds() {
    let at = |times: [&str; 4]| {
        let events: Vec<String> =
            WRITE.iter().chain(&WRITE).zip(times).map(|(event, time)| format!("{event}, :time {time}")).collect();
        both(&events.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let times = |text: &String| {
        let history = read(text);
        [0, 1].map(|place| history.times(place)).map(|times| (times.invoked_ns, times.completed_ns))
    };
    for text in at(["-100", "-50", "0", "20"]) {
        assert_eq!(times(&text), [(0, 50), (100, 120)], "{text}");
    }
    for text in at(["0.5", "1.25", "1.25", "2.5"]) {
        assert_eq!(times(&text), [(500_000_000, 1_250_000_000), (1_250_000_000, 2_500_000_000)], "{text}");
    }
    for text in at(["0.5", "1", "1.5", "2"]) {
        assert_eq!(times(&text), [(500_000_000, 1_000_000_000), (1_500_000_000, 2_000_000_000)], "{text}");
    }
    for text in at(["1", "2", "2.5", "3"]) {
        assert_eq!(times(&text), [(1_000_000_000, 2_000_000_000), (2_500_000_000, 3_000_000_000)], "{text}");
    }
    for text in at(["1700000000.5", "1700000001.5", "1700000002.5", "1e30"]) {
        assert!(wrong(&text).contains("within centuries"), "{text}");
    }
}

#[test]
fn a_process_goes_on_after_an_unknown_outcome_in_every_format() {
    let events = [WRITE[0], ":process 0, :type :info, :f :write, :value 1", WRITE[0], WRITE[1]];
    for text in both(&events) {
        assert_eq!(ranks(&read(&text)), [(0, NEVER), (2, 3)]);
    }
}

#[test]
fn transactions_need_no_function() {
    let [edn, json] = [
        "{:process 1 :type :invoke :value [[:append 8 1] [:r 8]]}\n{:process 1 :type :ok :value [[:append 8 1] [:r 8 \
        [1]]]}",
        "{\"process\":1,\"type\":\"invoke\",\"value\":[[\"append\",8,1],[\"r\",8]]}\n\
        {\"process\":1,\"type\":\"ok\",\"value\":[[\"append\",8,1],[\"r\",8,[1]]]}",
    ];
    for text in [edn, json] {
        let history = read(text);
        assert_eq!((history.transactions.len(), history.transactions.micro_operation_count()), (1, 2));
        assert!(history.notes.is_empty());
    }
    for text in ["{:process 1 :type :invoke :value [1 2]}", "{\"process\":1,\"type\":\"invoke\"}"] {
        assert!(wrong(text).contains("f in the operation"), "{}", wrong(text));
    }
    let unread = "{:process 1 :type :invoke :value [[:r 8]]}\n{:process 1 :type :ok :value [[:r 8]]}";
    assert!(wrong(unread).contains("must have a value"), "{}", wrong(unread));
}

#[test]
fn of_completions_alone_all_overlap() {
    let texts = [
        "{:type :ok, :value [[:append 1 1]]}\n{:type :info, :value [[:append 1 2]]}\n{:type :ok, :value [[:r 1 \
        [1]]]}\n{:type :fail, :value nil, :f :txn}",
        "[{\"process\":0,\"type\":\"ok\",\"f\":\"txn\",\"value\":[[\"append\",1,1]]},\
        {\"process\":0,\"type\":\"info\",\"value\":[[\"append\",1,2]]},\
        {\"process\":0,\"type\":\"ok\",\"value\":[[\"r\",1,[1]]]}]",
    ];
    for text in texts {
        let history = read(text);
        assert_eq!(ranks(&history), [(0, 3), (1, NEVER), (2, 5)], "{text}");
        let processes: Vec<u32> = history.operations.iter().map(|operation| operation.process).collect();
        assert_eq!(processes, [0, 1, 2]);
        assert_eq!(history.notes, [Note::CompletionsOnly]);
    }
    for (text, why) in [
        ("{:process 0, :type :ok, :f :write, :value 3}", "which it never invoked"),
        (
            "{:process 0, :type :ok, :value [[:r 1 2]]}\n{:process 1, :type :invoke, :value [[:r 1 nil]]}",
            "h:1: process 0 completes txn",
        ),
        (
            "{:process 0, :type :ok, :value [[:r 1 2]]}\n{:process 1, :type :ok, :f :write, :value 1}",
            "h:2: process 1 completes write",
        ),
        ("{:type :ok, :value [[:r 1 2]]}\n{:type :info, :f :txn}", "list of micro-operations"),
        ("{:process 0 :type :invoke, :value [[:r 1 nil]]}\n{:type :ok, :value [[:r 1 2]]}", "expected a process"),
    ] {
        let said = wrong(text);
        assert!(said.contains(why), "{text}: {said}");
    }
}

#[test]
fn a_cas_may_have_its_key_beside_its_values_where_others_show_that_there_are_keys() {
    let events = [
        ":process 0, :type :invoke, :f :cas, :value [7 1 2]",
        ":process 0, :type :ok, :f :cas, :value [7 1 2]",
        ":process 0, :type :invoke, :f :read, :value [7 nil]",
        ":process 0, :type :ok, :f :read, :value [7 2]",
    ];
    let json =
        |text: &String| text.replace("[7 1 2]", "[7,1,2]").replace("[7 null]", "[7,null]").replace("[7 2]", "[7,2]");
    let [edn, lines] = both(&events);
    for text in [json(&lines), edn] {
        let history = read(&text);
        let [cas, _] = history.operations[..] else { panic!("{text}") };
        assert_eq!(
            [cas.key, cas.input, cas.to].map(|id| history.value(id)),
            [&7.into(), &1.into(), &2.into()],
            "{text}"
        );
        let alone: String = text.lines().take(2).flat_map(|line| [line, "\n"]).collect();
        assert!(wrong(&alone).contains("or [key, [from, to]] in a history of several keys, not [7,1,2]"), "{alone}");
        let plain =
            text.replace("[7 nil]", "nil").replace("[7,null]", "null").replace("[7 2]", "2").replace("[7,2]", "2");
        assert!(wrong(&plain).contains("the value of a cas is [from, to]"), "{plain}");
    }
}

#[test]
fn whoever_wants_the_events_has_them_in_the_order_that_counts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("h");
    for text in both(&PER_CLIENT) {
        std::fs::write(&path, text).unwrap();
        let (mut times, mut again) = (Vec::new(), 0);
        let mut take = |event: Option<&Event<'_>>| {
            if let Some(event) = event {
                times.push(event.time);
            } else {
                times.clear();
                again += 1;
            }
        };
        let history = read_events(&path, &ReadOptions::default(), &mut take).unwrap();
        assert_eq!((&times[..], again), (&[100, 200, 300, 400, 500, 600][..], 1));
        let mut seen = Vec::new();
        let options = ReadOptions { interpretation: history.interpretation(), ..ReadOptions::default() };
        read_events(&path, &options, &mut |event| seen.push(event.unwrap().time)).unwrap();
        assert_eq!(seen, [100, 200, 300, 400, 500, 600], "not read twice any more");
    }
}

#[test]
fn a_file_of_many_pairs_is_read_as_all_of_it_says() {
    let pair =
        "{:process 0, :type :invoke, :f :read, :value [7 nil]}\n{:process 0, :type :ok, :f :read, :value [7 1]}\n";
    let keyed = read(&pair.repeat(300));
    assert!(keyed.operations.iter().all(|operation| keyed.value(operation.key) == &7.into()));
    assert_eq!(keyed.operations.len(), 300);
    let late = "{:process 0, :type :invoke, :f :write, :value 1}\n{:process 0, :type :ok, :f :write, :value 1}\n";
    let plain = read(&(pair.repeat(300) + late));
    assert!(
        plain.operations.iter().all(|operation| plain.value(operation.key) == &Value::Nil),
        "the last one is no pair"
    );
    assert_eq!(plain.operations.len(), 301);
}

#[test]
fn a_file_of_many_pairs_is_read_once_where_one_says_that_they_are_keyed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("h");
    let write =
        "{:process 0, :type :invoke, :f :write, :value [7 1]}\n{:process 0, :type :ok, :f :write, :value [7 1]}\n";
    let read = write.replace(":f :write, :value [7 1]}\n{", ":f :read, :value [7 nil]}\n{").replace(":write", ":read");
    for (text, expected) in [(read.repeat(300), 0), (write.repeat(300) + &read, 2)] {
        std::fs::write(&path, text).unwrap();
        let mut again = 0;
        read_events(&path, &ReadOptions::default(), &mut |event| again += usize::from(event.is_none())).unwrap();
        assert_eq!(again, expected);
    }
}

#[test]
fn a_wrong_format_is_named_by_the_one_that_it_is() {
    let [edn, json] = both(&WRITE);
    let array = format!("[{}]", json.trim().replace('\n', ","));
    assert!(read_bytes("h", array.as_bytes(), Some(Format::JsonLines)).is_ok(), "both are JSON");
    let error = read_bytes("h", edn.as_bytes(), Some(Format::Json)).unwrap_err();
    assert!(matches!(error, ReadError::OtherFormat { found: Format::Edn, .. }), "{error}");
    let error = read_bytes("h", format!("{edn}{edn}{}", &edn[..50]).as_bytes(), None).unwrap_err();
    assert!(
        !matches!(error, ReadError::Broken { ref rule, .. } if matches!(**rule, PairingError::Time { .. })),
        "{error}"
    );
}
