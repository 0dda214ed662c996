//! Values in the syntax of EDN.

use std::fmt::Write as _;

use super::{Edn, Number, Value, tagged::WHOLE};

/// Appends a value in the syntax of EDN, on one line.
pub(crate) fn push_edn(line: &mut String, value: &Value) {
    match value {
        Value::Nil => line.push_str("nil"),
        Value::Bool(b) => line.push_str(if *b { "true" } else { "false" }),
        Value::Int(number) => push(line, number),
        Value::Number(number) => match &**number {
            Number::Whole(decimal) if !decimal.is_written_out() => {
                push(line, format_args!("#{WHOLE} \"{number}\""));
            }
            number => push(line, number),
        },
        Value::Str(text) => push_text(line, text),
        Value::List(items) => push_all(line, ["[", "]"], items),
        Value::Map(pairs) => {
            line.push('{');
            for (place, (key, item)) in pairs.iter().enumerate() {
                line.push_str(if place > 0 { ", " } else { "" });
                push_edn(line, key);
                line.push(' ');
                push_edn(line, item);
            }
            line.push('}');
        }
        Value::Edn(edn) => match &**edn {
            Edn::Keyword(name) => push(line, format_args!(":{name}")),
            Edn::Symbol(name) => line.push_str(name),
            Edn::Char(c) => push_char(line, *c),
            Edn::Set(items) => push_all(line, ["#{", "}"], items),
            Edn::Tagged(tag, value) => {
                push(line, format_args!("#{tag} "));
                push_edn(line, value);
            }
        },
    }
}

fn push(line: &mut String, what: impl std::fmt::Display) {
    write!(line, "{what}").expect("text grows");
}

fn push_all(line: &mut String, [open, close]: [&str; 2], items: &[Value]) {
    line.push_str(open);
    for (place, item) in items.iter().enumerate() {
        line.push_str(if place > 0 { " " } else { "" });
        push_edn(line, item);
    }
    line.push_str(close);
}

/// Appends text in quotes, with only the escapes that all readers of EDN know.
fn push_text(line: &mut String, text: &str) {
    line.push('"');
    for c in text.chars() {
        match c {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            other => line.push(other),
        }
    }
    line.push('"');
}

fn push_char(line: &mut String, c: char) {
    match c {
        '\n' => line.push_str("\\newline"),
        '\r' => line.push_str("\\return"),
        ' ' => line.push_str("\\space"),
        '\t' => line.push_str("\\tab"),
        '\u{8}' => line.push_str("\\backspace"),
        '\u{c}' => line.push_str("\\formfeed"),
        other if other.is_control() || other.is_whitespace() => push(line, format_args!("\\u{:04x}", u32::from(other))),
        other => push(line, format_args!("\\{other}")),
    }
}
