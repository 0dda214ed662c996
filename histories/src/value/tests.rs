//! Tests of the equality, order and printed form of values.

use std::cmp::Ordering;

use super::{Map, Value, ValueError, Values};
use crate::ValueId;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn edn(text: &str) -> Value {
    Value::from_edn_number(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn each_distinct_value_has_one_number() {
    let mut values = Values::default();
    let texts = ["null", "1", "-1", "\"1\"", "1.5", "true", "[1,2]", "{\"a\":1}", "4194304", "5", "1e400"];
    let ids: Vec<_> = texts.iter().map(|text| values.intern(json(text))).collect();
    let again: Vec<_> = texts.iter().map(|text| values.intern(json(text))).collect();
    assert_eq!(ids, again);
    assert_eq!(ids, (0..11).map(ValueId).collect::<Vec<_>>());
    for (text, id) in texts.iter().zip(ids) {
        assert_eq!(values.get(id), &json(text));
        assert_eq!(values.find(&json(text)), Some(id));
    }
    assert_eq!(values.find(&json("2")), None, "between two that were seen");
    assert_eq!(values.find(&json("6")), None);
}

#[test]
fn values_have_one_order() {
    let texts = [
        "null",
        "false",
        "true",
        "-1e400",
        "-9223372036854775809",
        "-1",
        "-0.5",
        "0",
        "1e-400",
        "0.5",
        "0.55",
        "2",
        "2.5",
        "10.25",
        "18446744073709551616",
        "1e400",
        "1e401",
        "\"\"",
        "\"a\"",
        "[]",
        "[1]",
        "[1,0]",
        "{\"a\":1}",
    ];
    let sorted: Vec<Value> = texts.iter().map(|text| json(text)).collect();
    for (a, first) in sorted.iter().enumerate() {
        for (b, second) in sorted.iter().enumerate() {
            assert_eq!(first.cmp(second), a.cmp(&b), "{first} and {second}");
        }
    }
}

#[test]
fn numbers_of_all_kinds_have_one_order() {
    let texts = [
        "##-Inf",
        "-1e30M",
        "-3",
        "-5/2",
        "-1/3",
        "-0.333",
        "0",
        "0.0",
        "0M",
        "1/1000",
        "0.333",
        "1/3",
        "0.334",
        "0.5",
        "1/2",
        "2/3",
        "0.67",
        "1",
        "1.0",
        "1M",
        "7/5",
        "1000000000000000000000/999999999999999999999",
        "1.5",
        "100000000000000000000000000000000000/3",
        "1e300",
        "##Inf",
        "##NaN",
    ];
    let mut expected: Vec<Value> = texts.iter().map(|text| edn(text)).collect();
    let at = expected.iter().position(|value| *value == edn("7/5")).unwrap();
    expected.swap(at, at + 1);
    for (a, first) in expected.iter().enumerate() {
        for (b, second) in expected.iter().enumerate() {
            assert_eq!(first.cmp(second), a.cmp(&b), "{first} and {second}");
        }
    }
}

#[test]
fn numbers_of_json_are_equal_if_they_are_one_number() {
    for same in [
        &["1", "1.0", "1e0", "10e-1", "0.1E+1", "1.000"][..],
        &["0", "-0", "0.0", "-0e999999999999999999999", "0e-5"],
        &["18446744073709551616", "18446744073709551616.0", "1844674407370955161.6e1"],
        &["1e400", "10e399", "0.1e401"],
        &["0.5", "5e-1", "0.50"],
        &["1e1000000000000", "0.01e1000000000002"],
        &["-9223372036854775808", "-9223372036854775808.000", "-9.223372036854775808e18"],
    ] {
        for text in same {
            assert_eq!(json(text), json(same[0]), "{text}");
        }
    }
    let different = [
        "0",
        "1",
        "1e400",
        "1e401",
        "0.1",
        "0.1000000000000000055511151231257827",
        "18446744073709551615",
        "18446744073709551616",
        "9007199254740993",
        "9007199254740992",
        "9223372036854775808",
        "\"1\"",
        "1e-400",
    ];
    for (a, first) in different.iter().enumerate() {
        for (b, second) in different.iter().enumerate() {
            assert_eq!(json(first) == json(second), a == b, "{first} and {second}");
        }
    }
}

#[test]
fn numbers_of_edn_are_equal_as_clojure_says() {
    for same in [
        &["1", "1N", "+1", "0x1", "01", "2r1", "36r1", "2/2", "0x1N"][..],
        &["0", "-0", "0N", "-0N", "00", "0/5", "-0/5", "0x0"],
        &["1.0", "1e0", "1.", "10E-1", "01.0", "+1.0"],
        &["0.0", "-0.0", "0e5"],
        &["1M", "1.0M", "1.00M", "1e0M"],
        &["1/2", "2/4", "+1/2", "01/2"],
        &["255", "0xff", "0XFF", "0377", "16rfF", "36r73"],
        &[
            "18446744073709551616",
            "18446744073709551616N",
            "0x10000000000000000",
            "02000000000000000000000",
            "36893488147419103232/2",
        ],
        &["-18446744073709551616", "-0x10000000000000000"],
    ] {
        for text in same {
            assert_eq!(edn(text), edn(same[0]), "{text}");
        }
    }
    let different = [
        "0",
        "0.0",
        "0M",
        "1",
        "1.0",
        "1M",
        "1/2",
        "0.5",
        "0.5M",
        "-1/2",
        "1e400",
        "1e401",
        "1e400M",
        "##Inf",
        "##-Inf",
        "18446744073709551616",
        "18446744073709551616.0",
        "18446744073709551616M",
    ];
    for (a, first) in different.iter().enumerate() {
        for (b, second) in different.iter().enumerate() {
            assert_eq!(edn(first) == edn(second), a == b, "{first} and {second}");
        }
    }
}

#[test]
fn what_is_no_number_is_refused() {
    for text in [
        "",
        "-",
        "+1",
        "01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "1 ",
        "--1",
        "1e99999999999999999999",
        "NaN",
        "1.5.5",
        "ü",
    ] {
        assert!(Value::from_json_number(text).is_err(), "{text}");
    }
    for text in [
        "",
        "-",
        "+",
        "08",
        "1/0",
        "1/-2",
        "1/",
        "/2",
        "1/2N",
        "1NM",
        "0x",
        "0xg",
        "1r0",
        "37r1",
        "2r2",
        "2r",
        "0r0",
        "1e",
        ".5",
        "1e99999999999999999999",
        "Inf",
        "#NaN",
        "--1",
        "+-1",
        "1.5N",
        "02r1",
        "1_000",
        "ü",
        "0x+1",
        "1e+-1",
    ] {
        assert!(Value::from_edn_number(text).is_err(), "{text}");
    }
}

#[test]
fn numbers_are_shown_so_that_they_come_back() {
    for (text, shown) in [
        ("1.0", "1.0"),
        ("-0.0", "0.0"),
        ("100000.0", "100000.0"),
        ("1e400", "1e400"),
        ("12345.678e-3", "12.345678"),
        ("0.00001", "0.00001"),
        ("0.00000012", "1.2e-7"),
        ("-1.50M", "-1.5M"),
        ("1e400M", "1e400M"),
        ("2/-4", ""),
        ("2/4", "1/2"),
        ("99999999999999999999", "99999999999999999999"),
        ("##-Inf", "##-Inf"),
    ] {
        let Ok(value) = Value::from_edn_number(text) else {
            assert_eq!(shown, "", "{text}");
            continue;
        };
        assert_eq!(value.to_string(), shown);
        assert_eq!(edn(shown), value);
    }
    assert_eq!(json("1e5").to_string(), "100000");
    assert_eq!(json("1e5000").to_string(), "1e5000");
}

#[test]
fn floating_point_comes_and_goes() {
    for number in [0.0, -0.0, 1.0, 0.1, -1e300, 5e-324, f64::MAX] {
        assert_eq!(Value::from_f64(number).as_f64(), Some(number));
    }
    assert_eq!(Value::from_f64(3.0), Value::Int(3));
    assert_eq!(Value::from_f64(0.5), json("0.5"));
    assert_eq!(Value::from_f64(f64::INFINITY), edn("##Inf"));
    assert_eq!((edn("1/4").as_f64(), edn("-1M").as_f64(), Value::Nil.as_f64()), (Some(0.25), Some(-1.0), None));
    assert_eq!(Value::from_u64(u64::MAX), json("18446744073709551615"));
}

#[test]
fn maps_and_sets_know_no_order_and_nothing_twice() {
    assert_eq!(json(r#"{"b":1,"a":{"d":2,"c":3}}"#), json(r#"{"a":{"c":3,"d":2},"b":1}"#));
    let set = |elements: [i64; 3]| Value::set(elements.map(Value::Int).to_vec());
    assert_eq!(set([3, 1, 2]), set([1, 2, 3]));
    assert_eq!(set([1, 2, 1]), Err(ValueError::DuplicateElement(1.into())));
    let pair = |key: Value| (key, Value::Nil);
    assert_eq!(
        Value::map(vec![pair(1.into()), pair("1".into())]).map(|map| map.to_string()),
        Ok("{1 nil, \"1\" nil}".into())
    );
    assert_eq!(Value::map(vec![pair(1.into()), pair(1.into())]), Err(ValueError::DuplicateKey(1.into())));
    let last: Map = [("a", 1), ("b", 2), ("a", 3)].into_iter().map(|(name, value)| (name, Value::Int(value))).collect();
    assert_eq!(Value::Map(last.clone()), json(r#"{"a":3,"b":2}"#));
    assert_eq!(
        (last.get(&"a".into()), last.get(&"c".into()), last.named("b")),
        (Some(&3.into()), None, Some(&2.into()))
    );
}

#[test]
fn what_only_edn_can_say_differs_from_all_else() {
    let tagged = |tag: &str, value: &str| Value::tagged(tag, value.into()).unwrap();
    let all = [
        Value::from("a"),
        Value::from(":a"),
        Value::keyword("a"),
        Value::symbol("a"),
        Value::char('a'),
        Value::set(vec!["a".into()]).unwrap(),
        Value::List(vec!["a".into()]),
        tagged("a", "a"),
        tagged("b", "a"),
        tagged("inst", "2020-01-01"),
        Value::from("2020-01-01"),
    ];
    for (a, first) in all.iter().enumerate() {
        for (b, second) in all.iter().enumerate() {
            assert_eq!(first == second, a == b, "{first} and {second}");
            assert_eq!(first.cmp(second) == Ordering::Equal, a == b, "{first} and {second}");
        }
    }
    assert_eq!(tagged("inst", "2020-01-01T01:00+01:00"), tagged("inst", "2020-01-01T00:00:00.000-00:00"));
    assert!(Value::tagged("inst", "yesterday".into()).is_err());
    assert!(Value::tagged("uuid", 5.into()).is_err());
}

#[test]
fn nothing_known_reads_as_nil() {
    assert_eq!(Values::default().get(ValueId::UNKNOWN), &Value::Nil);
}

#[test]
fn every_value_survives_json() {
    for text in [
        "null",
        "true",
        "-9223372036854775808",
        "0.5",
        "18446744073709551616",
        "1e5000",
        "\"a\\n\\u0000\"",
        "[1,[null]]",
        "{\"a\":{},\"b\":1}",
        r#"{"$edn":":a"}"#,
        r#"[{"$edn":"1.0"},{"$edn":"1/2"}]"#,
        r##"{"$edn":"#{1 2 \"a\"}"}"##,
        r#"{"$edn":"{1 2}"}"#,
        r#"{"$edn":"{\"$edn\" 1}"}"#,
        r#"{"$edn":"\\a"}"#,
    ] {
        assert_eq!(serde_json::to_string(&json(text)).expect("it has a form"), text);
    }
}

#[test]
fn what_stands_for_edn_says_nothing_else() {
    for text in [r#"{"$edn":"1"}"#, r#"{"$edn":"("}"#, r#"{"$edn":"[1 2]"}"#, r#"{"$edn":":a :b"}"#, r#"{"$edn":""}"#] {
        let error = serde_json::from_str::<Value>(text).expect_err(text).to_string();
        assert!(error.contains("$edn"), "{error}");
    }
    assert_eq!(json(r#"{"$edn":5}"#).to_string(), r#"{"$edn":5}"#, "an object of somebody else");
    for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#""\ud800""#] {
        serde_json::from_str::<Value>(text).expect_err(text);
    }
}

#[test]
fn it_is_shown_as_people_write_it() {
    assert_eq!(json("[1,\"x\"]").to_string(), "[1,\"x\"]");
    assert_eq!(Value::Nil.to_string(), "nil");
    assert_eq!(Value::List(vec![Value::keyword("a"), Value::Nil]).to_string(), "[:a,null]");
}
