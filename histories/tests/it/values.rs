//! Tests that values are equal after reading if and only if they are equal in the source, according to a second reader,
//! and that no conversion between formats changes that.

use std::io;

use histories::{
    Event, EventStyle, Format, Function, History, Normalizer, ReadOptions, Value, read_bytes, read_events,
    write_columns, write_event,
};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::judge;

/// Returns the configuration of a property test, with `usual` cases, times `SCHISM_FUZZ` if that is set.
pub(crate) fn cases(usual: u32) -> ProptestConfig {
    let times = std::env::var("SCHISM_FUZZ").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    ProptestConfig { cases: usual.saturating_mul(times), failure_persistence: None, ..ProptestConfig::default() }
}

/// Numbers, many of them equal, and some that differ only far behind the point.
const NUMBERS: [&str; 34] = [
    "0",
    "-0",
    "0.0",
    "0e7",
    "1",
    "1.0",
    "1e0",
    "10e-1",
    "0.1e1",
    "-1",
    "-1.00",
    "100",
    "1e2",
    "1E+2",
    "0.5",
    "5e-1",
    "0.50",
    "0.1",
    "0.1000000000000000055511151231257827",
    "1e-200",
    "1e200",
    "10e199",
    "1e201",
    "9223372036854775807",
    "9223372036854775808",
    "9.223372036854775808e18",
    "18446744073709551615",
    "18446744073709551616",
    "18446744073709551617",
    "-9223372036854775808",
    "-9223372036854775809",
    "9007199254740993",
    "9007199254740992",
    "9007199254740992.0",
];

/// Numbers in forms that only EDN has.
const EDN_NUMBERS: [&str; 28] = [
    "+1",
    "1N",
    "0x1",
    "01",
    "2r1",
    "0xff",
    "0377",
    "36r73",
    "255",
    "1.0M",
    "1.00M",
    "1M",
    "0M",
    "0.50M",
    "1e200M",
    "1/2",
    "2/4",
    "-1/2",
    "2/2",
    "0/3",
    "100/10",
    "10",
    "18446744073709551616N",
    "-0N",
    "+0.5",
    "1.",
    "##Inf",
    "##-Inf",
];

/// Texts, many of them equal, with escapes that both formats know.
const TEXTS: [&str; 14] = [
    r#""a""#,
    r#""\u0061""#,
    r#"":a""#,
    r#""A""#,
    r#""""#,
    r#"" ""#,
    r#""1""#,
    r#""é""#,
    r#""\u00e9""#,
    r#""\n""#,
    r#""\u000a""#,
    r#""\"\\""#,
    r#""$edn""#,
    r##""#{1}""##,
];

const KEYWORDS: [&str; 12] =
    [":a", ":a/b", ":b", "a", "a/b", r"\a", r"\u0061", r"\newline", r"\space", r"\(", ":$edn", "nemesis"];

fn number() -> impl Strategy<Value = String> {
    let random = ("-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,25})?", -20..20_i32, any::<bool>());
    prop_oneof![
        4 => select(&NUMBERS[..]).prop_map(str::to_owned),
        1 => random.prop_map(|(digits, exponent, has)| if has { format!("{digits}e{exponent}") } else { digits }),
    ]
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => number(),
        3 => select(&TEXTS[..]).prop_map(str::to_owned),
        1 => select(&["null", "true", "false"][..]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 12, 3, |item| {
        let name = select(&TEXTS[..]);
        prop_oneof![
            (vec(item.clone(), 0..3), select(&[",", " , ", ",\t"][..]))
                .prop_map(|(items, comma)| format!("[{}]", items.join(comma))),
            (vec((name, item), 0..3), select(&[":", " : "][..])).prop_map(|(pairs, colon)| {
                let pairs: Vec<String> = pairs.iter().map(|(name, item)| format!("{name}{colon}{item}")).collect();
                format!("{{{}}}", pairs.join(","))
            }),
        ]
    })
}

fn edn() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        3 => number(),
        3 => select(&EDN_NUMBERS[..]).prop_map(str::to_owned),
        2 => select(&TEXTS[..]).prop_map(str::to_owned),
        2 => select(&KEYWORDS[..]).prop_map(str::to_owned),
        1 => select(&["nil", "true", "false"][..]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 12, 3, |item| {
        let all = vec(item.clone(), 0..3).prop_map(|items| items.join(" "));
        let pairs = vec((item.clone(), item.clone()), 0..3);
        let bracket = select(&[["[", "]"], ["(", ")"], ["#{", "}"]][..]);
        let named =
            (select(&["#:a", "#:_", "#:b"][..]), vec((select(&[":x", ":_/x", ":a/x", ":y"][..]), item.clone()), 0..3));
        prop_oneof![
            (bracket, all).prop_map(|([open, close], all)| format!("{open}{all}{close}")),
            pairs.prop_map(|pairs| {
                let pairs: Vec<String> = pairs.iter().map(|(key, item)| format!("{key} {item}")).collect();
                format!("{{{}}}", pairs.join(", "))
            }),
            named.prop_map(|(namespace, pairs)| {
                let pairs: Vec<String> = pairs.iter().map(|(key, item)| format!("{key} {item}")).collect();
                format!("{namespace}{{{}}}", pairs.join(" "))
            }),
            (select(&["#a", "#b/c"][..]), item.clone()).prop_map(|(tag, item)| format!("{tag} {item}")),
            (item.clone(), item).prop_map(|(discarded, item)| format!("#_{discarded} {item}")),
        ]
    })
}

/// Returns a history that writes these values, each by a client of its own, and a read that shows that no value is a
/// pair of key and value.
fn written(format: Format, values: &[String]) -> Vec<u8> {
    let lines = values.iter().enumerate().map(|(process, value)| match format {
        Format::Edn => format!("{{:process {process}, :type :invoke, :f :write, :value {value}}}\n"),
        _ => format!(r#"{{"process":{process},"type":"invoke","f":"write","value":{value}}}"#) + "\n",
    });
    let read = match format {
        Format::Edn => "{:process 1000, :type :invoke, :f :read, :value nil}\n",
        _ => "{\"process\":1000,\"type\":\"invoke\",\"f\":\"read\"}\n",
    };
    (lines.collect::<String>() + read).into_bytes()
}

pub(crate) fn events(format: Option<Format>, bytes: &[u8]) -> Vec<Event<'static>> {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("history");
    std::fs::write(&path, bytes).expect("it can be written");
    let options = ReadOptions { format, ..ReadOptions::default() };
    let mut events = Vec::new();
    let mut take = |event: Option<&Event<'_>>| match event {
        Some(event) => events.push(event.clone().into_owned()),
        None => events.clear(),
    };
    read_events(&path, &options, &mut take).expect("it was read before");
    let mut rules = Normalizer::default();
    for event in &events {
        rules.see(event);
    }
    events.into_iter().map(|event| rules.apply(event)).collect()
}

/// Returns the events in this format, if it can represent them.
pub(crate) fn converted(events: &[Event<'_>], format: Format) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut style = EventStyle::default();
    for event in events {
        style.see(event);
    }
    for event in events {
        match format {
            Format::Edn => style.write_edn(&mut text, event)?,
            _ => write_event(&mut text, event)?,
        }
    }
    Ok(text)
}

/// Returns, for each value, the index of the first equal one.
fn classes<T: PartialEq>(values: &[T]) -> Vec<usize> {
    values.iter().map(|value| values.iter().position(|other| other == value).expect("it is one of them")).collect()
}

fn of_history(history: &History) -> Vec<usize> {
    let writes = history.operations.iter().filter(|operation| operation.function == Function::Write);
    let ids: Vec<_> = writes.map(|operation| operation.input).collect();
    classes(&ids)
}

/// Returns the classes of the values as they are read, and after each conversion to other formats.
fn ways(format: Format, values: &[String]) -> Vec<(String, Vec<usize>)> {
    let name = |format: &Format| format.to_string();
    let read = |bytes: &[u8], format| {
        read_bytes("values", bytes, Some(format))
            .unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(bytes)))
    };
    let (mut bytes, mut at) = (written(format, values), format);
    let mut ways = vec![(name(&at), of_history(&read(&bytes, at)))];
    for to in [Format::JsonLines, Format::Edn, Format::Edn, Format::JsonLines, Format::JsonLines] {
        bytes = converted(&events(Some(at), &bytes), to).expect("each format can say it");
        at = to;
        let history = read(&bytes, at);
        ways.push((format!("{} -> {}", ways.last().expect("there is one").0, name(&at)), of_history(&history)));
        let mut columns = Vec::new();
        write_columns(&mut columns, &history).expect("memory takes it");
        let history = read(&columns, Format::Columns);
        ways.push((format!("{} -> columns", ways.last().expect("there is one").0), of_history(&history)));
    }
    ways
}

/// Returns the values that a reader accepts: it rejects a duplicate key, for example.
fn taken(format: Format, values: Vec<String>) -> Vec<String> {
    let is_taken =
        |value: &String| match read_bytes("value", &written(format, std::slice::from_ref(value)), Some(format)) {
            Ok(_) => true,
            Err(error) => {
                let why = error.to_string();
                let is_known = why.contains(" twice") || why.contains("$edn") || why.contains("only EDN can say");
                assert!(is_known, "{value}: {why}");
                false
            }
        };
    values.into_iter().filter(is_taken).collect()
}

fn check(format: Format, values: Vec<String>) -> Result<(), TestCaseError> {
    let judged = if format == Format::Edn { judge::edn } else { judge::json };
    let values = taken(format, values);
    if values.is_empty() {
        return Ok(());
    }
    let expected = classes(&values.iter().map(|value| judged(value)).collect::<Vec<_>>());
    for (interpretation, found) in ways(format, &values) {
        prop_assert_eq!(&found, &expected, "{:?}: {}", values, interpretation);
    }
    Ok(())
}

/// Checks that the order of values agrees with their equality.
fn has_one_order(values: &[Value]) -> Result<(), TestCaseError> {
    let mut sorted = values.to_vec();
    sorted.sort();
    for (at, first) in sorted.iter().enumerate() {
        for second in &sorted[at..] {
            prop_assert!(first <= second, "{} and {}", first, second);
            prop_assert_eq!(first == second, first.cmp(second).is_eq(), "{} and {}", first, second);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn json_says_which_are_equal(values in vec(json(), 2..9)) {
        check(Format::JsonLines, values)?;
    }

    #[test]
    fn edn_says_which_are_equal(values in vec(edn(), 2..9)) {
        check(Format::Edn, values)?;
    }

    #[test]
    fn values_of_both_formats_have_one_order(json in vec(json(), 1..6), edn in vec(edn(), 1..6)) {
        let parsed = json.iter().chain(&edn).filter_map(|text| histories::parse_value(text).ok());
        has_one_order(&parsed.collect::<Vec<_>>())?;
    }
}

#[test]
fn the_second_reader_knows_what_is_equal() {
    let alike = |judge: fn(&str) -> String, texts: &[&str]| texts.iter().all(|text| judge(text) == judge(texts[0]));
    assert!(alike(judge::json, &["1", "1.0", "10e-1", "0.1E1"]) && alike(judge::json, &["-0", "0e9", "0.000"]));
    assert!(alike(judge::json, &[r#"{"a":[1],"b":"\u0061"}"#, r#"{ "b" : "a","a":[ 1.0 ]}"#]));
    assert!(
        alike(judge::edn, &["1", "1N", "+1", "0x1", "01", "2/2", "#_2 1"]) && alike(judge::edn, &["1.0", "1e0", "1."])
    );
    assert!(
        alike(judge::edn, &["#:a{:x 1 :_/y #{1 2}}", "{:y #{2 1}, :a/x 1}"]) && alike(judge::edn, &["[1 2]", "(1 2)"])
    );
    let different =
        ["1", "1.0", "1M", "1/2", "0.5", ":a", "a", r#""a""#, r#"":a""#, r"\a", "#{1}", "[1]", "#a 1", "{1 1}", "nil"];
    let classes: std::collections::BTreeSet<_> = different.iter().map(|text| judge::edn(text)).collect();
    assert_eq!(classes.len(), different.len(), "{classes:?}");
}
