//! Comparison of the EDN reader with another one, on texts that both know; and tests of the forms that only this one
//! knows.

use clojure_reader::edn as judge;
use proptest::prelude::*;

use super::parse;
use crate::{Value, format::cursor::ParseError};

/// Converts the form that the other reader returned to a value.
fn judged(form: &judge::Edn<'_>) -> Result<Value, String> {
    use judge::Edn;
    let number = |text: String| Value::from_edn_number(&text).map_err(|error| error.to_string());
    let all = |items: &mut dyn Iterator<Item = &Edn<'_>>| items.map(judged).collect::<Result<Vec<_>, _>>();
    Ok(match form {
        Edn::Nil => Value::Nil,
        Edn::Bool(b) => Value::Bool(*b),
        Edn::Int(number) => Value::Int(*number),
        Edn::Double(float) => number(format!("{:?}", float.0))?,
        Edn::Rational((numerator, denominator)) => number(format!("{numerator}/{denominator}"))?,
        Edn::Str(text) => Value::Str((**text).into()),
        Edn::Symbol(name) => Value::symbol(name),
        Edn::Key(name) => Value::keyword(name),
        Edn::Char(c) => Value::char(*c),
        Edn::Vector(items) | Edn::List(items) => Value::List(all(&mut items.iter())?),
        Edn::Set(items) => Value::set(all(&mut items.iter())?).map_err(|error| error.to_string())?,
        Edn::Map(pairs) => {
            let pairs = pairs.iter().map(|(key, value)| Ok((judged(key)?, judged(value)?)));
            Value::map(pairs.collect::<Result<_, String>>()?).map_err(|error| error.to_string())?
        }
        // It takes the namespace of a map for a tag.
        Edn::Tagged(tag, _) if tag.starts_with(':') => return Err("a map with a namespace".to_owned()),
        Edn::Tagged(tag, inner) => Value::tagged(tag, judged(inner)?).map_err(|error| error.to_string())?,
        _ => return Err("a kind of value that is not known".to_owned()),
    })
}

/// Generates EDN text that both readers know.
fn text() -> impl Strategy<Value = String> {
    let word = "[a-z*!?$%&=<>][a-z0-9*+!?$%&=<>._-]{0,5}";
    let name =
        prop_oneof![word.prop_map(String::from), (word, word).prop_map(|(space, name)| format!("{space}/{name}"))];
    let leaf = prop_oneof![
        Just("nil".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        "[+-]?(0|[1-9][0-9]{0,3})",
        "0x[0-9a-fA-F]{1,8}",
        "-?[1-9][0-9]{0,2}/[1-9][0-9]?",
        "-?(0|[1-9][0-9]{0,8})\\.[0-9]{1,6}(e-?[0-9]{1,2})?",
        r#""([a-zé世 \n,;\[{#]|\\n|\\t|\\r|\\\\|\\"){0,8}""#,
        name.clone().prop_map(|name| format!(":{name}")),
        name,
        prop::sample::select(&["\\a", "\\newline", "\\space", "\\é", "\\\\", "\\(", "\\tab"][..])
            .prop_map(String::from),
    ];
    let blank = prop::sample::select(&[" ", ", ", "\n", " ;[ comment \"\n", " #_ x ", " #_[1 {:a 2}] ", "\t"][..]);
    leaf.prop_recursive(4, 24, 5, move |inner| {
        let blank = blank.clone();
        let items = prop::collection::vec((inner.clone(), blank.clone()), 0..5)
            .prop_map(|items| items.into_iter().map(|(item, blank)| item + blank).collect::<String>());
        let pairs = prop::collection::vec((inner.clone(), blank.clone(), inner.clone(), blank), 0..4).prop_map(|all| {
            all.into_iter().flat_map(|(key, a, value, b)| [key, a.to_owned(), value, b.to_owned()]).collect::<String>()
        });
        prop_oneof![
            items.clone().prop_map(|items| format!("[{items}]")),
            items.clone().prop_map(|items| format!("( {items})")),
            items.prop_map(|items| format!("#{{{items}}}")),
            pairs.prop_map(|pairs| format!("{{{pairs}}}")),
            ("[a-z]{1,4}(\\.[A-Z][a-z]{1,3})?", inner).prop_map(|(tag, inner)| format!("#{tag} {inner}")),
        ]
    })
}

/// Returns true if a reader only complained that something occurs twice, on which the two differ: in Clojure, a list
/// equals a vector.
fn is_twice<T>(found: &Result<T, String>) -> bool {
    found.as_ref().err().is_some_and(|why| why.contains("twice"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_readers_find_the_same(text in text()) {
        let ours = parse(&text);
        let other = judge::read_string(&text);
        if !is_twice(&ours) {
            let other = other.map_err(|error| error.to_string()).and_then(|form| judged(&form));
            prop_assert_eq!(ours, other, "{}", text);
        }
    }

    /// Damages a text: one reader may accept it and the other reject it, but they never read it differently.
    #[test]
    fn what_both_read_they_read_alike(text in text(), at in any::<prop::sample::Index>(), by in r#"[\[\]{}()":,#;\\ a0-9./]{0,2}"#) {
        let at = at.index(text.len() + 1);
        prop_assume!(text.is_char_boundary(at));
        let damaged = format!("{}{by}{}", &text[..at], &text[at..]);
        // The other reader rounds floating point.
        let digits = damaged.split(|c: char| !c.is_ascii_digit() && c != '.').map(str::len).max().unwrap_or(0);
        let exponents = damaged.split(['e', 'E']).skip(1).map(|text| text.trim_start_matches(['+', '-']));
        let mut lengths = exponents.map(|text| text.chars().take_while(char::is_ascii_digit).count());
        let is_extreme = lengths.any(|digits| digits > 2);
        // It takes a character right behind a word for a part of the word.
        let is_joined = !by.is_empty() && text[at..].starts_with('\\');
        // It reads octal numbers as decimal ones.
        let mut words = damaged.split(|c: char| !c.is_ascii_alphanumeric());
        let is_octal = words.any(|word| word.len() > 1 && word.starts_with('0') && word.as_bytes()[1].is_ascii_digit());
        let is_strange = ["#_", "r", "^", "\\"].iter().any(|sign| by.contains(sign));
        let readable = !is_joined && !is_octal && digits < 16 && !is_extreme && !is_strange;
        let other = judge::read(&damaged).ok().filter(|(_, rest)| rest.trim().is_empty());
        let other = other.and_then(|(form, _)| judged(&form).ok());
        if let (Ok(ours), Some(other), true) = (parse(&damaged), other, readable) {
            prop_assert_eq!(ours, other, "{}", damaged);
        }
    }

    /// Cuts a text: the reader must find the form to be cut off, or return the same form, never another one.
    #[test]
    fn what_is_cut_off_is_said_to_be(text in text(), at in any::<prop::sample::Index>()) {
        use super::{scan::Scanner, super::cursor::Cursor};
        let text = format!("{text} ");
        let Ok(whole) = parse(&text) else { return Ok(()) };
        let at = at.index(text.len());
        let cursor = Cursor { bytes: &text.as_bytes()[..at], at: 0, is_last: false };
        match (Scanner { cursor }).value(0) {
            Ok(found) => prop_assert_eq!(found, whole, "{} of {}", at, text),
            Err(trouble) => prop_assert_eq!(trouble, ParseError::Incomplete, "{} of {}", at, text),
        }
    }
}

#[test]
fn the_other_reader_is_no_judge_of_maps_with_a_namespace() {
    for text in ["#:a{}", "[#:a{:x 1}]"] {
        let other = judge::read_string(text).map_err(|error| error.to_string());
        assert_eq!(other.and_then(|form| judged(&form)), Err("a map with a namespace".to_owned()), "{text}");
    }
}

#[test]
fn clojure_prints_more_than_the_other_reader_knows() {
    for (text, same) in [
        (r#""a\u00e9\b\f\101""#, "\"a\u{e9}\u{8}\u{c}A\""),
        (r#""\ud83d\ude00""#, "\"\u{1f600}\""),
        ("#:a{:x 1, :b/y 2, :_/z 3, \"s\" 4, t 5}", "{:a/x 1, :b/y 2, :z 3, \"s\" 4, a/t 5}"),
        ("^{:doc \"x\"} [1 ^:k 2]", "[1 2]"),
        ("#^String x", "x"),
        ("[1 #_ #_ 2 3 4 #_5]", "[1 4]"),
        ("1N", "1"),
        ("9999999999999999999", "9999999999999999999N"),
        ("999999999999999999", "999999999999999999N"),
        ("(1 2)", "[1 2]"),
        ("#jepsen.independent/tuple [1 2]", "[1 2]"),
        ("36rZZ", "1295"),
        ("017", "15"),
        ("\\u00e9", "\\é"),
        ("\\o101", "\\A"),
        ("[+ - +5 -5]", "[+ - 5 -5]"),
        (
            "{:trace [clojure.core$fn__1 \"a.clj\" 1] :x clojure.lang.Atom}",
            "{:x clojure.lang.Atom :trace [clojure.core$fn__1 \"a.clj\" 1]}",
        ),
        ("\u{2003}1", "1"),
    ] {
        assert_eq!(parse(text), parse(same), "{text}");
        assert!(parse(text).is_ok(), "{text}: {:?}", parse(text));
    }
    for (text, other) in [
        ("#:a{:x 1}", "{:x 1}"),
        ("1", "1.0"),
        ("1.5", "1.5M"),
        ("#{1 2}", "[1 2]"),
        (":a", "\":a\""),
        ("##Inf", "##-Inf"),
    ] {
        assert_ne!(parse(text), parse(other), "{text}");
        assert!(parse(text).is_ok() && parse(other).is_ok(), "{text}");
    }
}

#[test]
fn what_is_no_edn_is_refused() {
    for (text, why) in [
        ("", "it ends too early"),
        ("[1", "it ends too early"),
        ("\"a", "it ends too early"),
        ("#", "it ends too early"),
        ("{:a}", "a key without a value"),
        ("{:a 1 :a 2}", "twice"),
        ("#{1 1}", "twice"),
        (")", "`)` without its partner"),
        ("[1}", "`}` without its partner"),
        ("08", "cannot be read as a number"),
        ("1x", "cannot be read as a number"),
        (":", "no keyword"),
        ("::a", "no keyword"),
        ("\"\\x\"", "an escape"),
        ("\"\\ud800\"", "both halves"),
        ("\"\\u12g4\"", "four hexadecimal digits"),
        ("\\abc", "no character"),
        ("#<Object x>", "no tag"),
        ("#::{:a 1}", "no keyword"),
        ("'a", "code, not EDN"),
        ("1 2", "expected nothing after the value"),
    ] {
        let error = parse(text).expect_err(text);
        assert!(error.contains(why), "{text}: {error}");
    }
}
