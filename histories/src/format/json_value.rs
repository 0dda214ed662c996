//! Values in JSON, from and to the text itself, so that no number is rounded.
//!
//! An object `{"$edn": "…"}` stands for what only EDN can say: a keyword, a set, `1.0`, a map with other keys than text. So does an
//! object that has that name itself.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::SerializeMap};
use serde_json::value::RawValue;

use super::edn;
use crate::{
    Value,
    value::{ESCAPE, push_edn},
};

/// How deep values may be nested.
const MAX_DEPTH: u32 = 128;

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            escaped if !escaped.is_json() => {
                let mut text = String::new();
                push_edn(&mut text, escaped);
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(ESCAPE, &text)?;
                map.end()
            }
            Self::Nil => serializer.serialize_unit(),
            Self::Bool(b) => serializer.serialize_bool(*b),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Number(number) => {
                RawValue::from_string(number.to_string()).map_err(serde::ser::Error::custom)?.serialize(serializer)
            }
            Self::Str(text) => serializer.serialize_str(text),
            Self::List(items) => items.serialize(serializer),
            Self::Map(pairs) => {
                let mut map = serializer.serialize_map(Some(pairs.len()))?;
                for (name, value) in pairs {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
            Self::Edn(_) => unreachable!("JSON has no form for it"),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        parse(text.get()).map_err(D::Error::custom)
    }
}

/// Returns the value that somebody writes by hand, as JSON or as EDN.
///
/// # Errors
/// It is neither; or it is both, and another value in each, as `1.0` is, which JSON says of 1. What says `null`, or has a colon behind a text,
/// is JSON.
pub fn parse_value(text: &str) -> Result<Value, String> {
    let (json, edn) = (serde_json::from_str(text), edn::parse(text));
    // Nobody means EDN's symbol `null`, or its keyword `:7` behind a text.
    let is_json = text.contains("null") || text.contains("\":");
    match (json, edn) {
        (Ok(json), Ok(edn)) if json != edn && !is_json => Err(format!(
            "in JSON this is {json}, in EDN another value: write {json}, or {} for what EDN says",
            serde_json::to_string(&edn).unwrap_or_default()
        )),
        (Ok(value), _) | (Err(_), Ok(value)) => Ok(value),
        (Err(json), Err(edn)) => Err(format!("neither JSON ({json}) nor EDN ({edn})")),
    }
}

/// The value that is written in this JSON, which is known to be well formed.
fn parse(text: &str) -> Result<Value, String> {
    let mut cursor = Cursor { text, at: 0 };
    cursor.value(0)
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Passes over blanks; the byte that follows, 0 at the end.
    fn next(&mut self) -> u8 {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(rest.len());
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// What is next up to the first byte that ends it.
    fn until(&mut self, is_end: impl Fn(u8) -> bool) -> &'a str {
        let rest = &self.text[self.at..];
        let length = rest.bytes().position(is_end).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn value(&mut self, depth: u32) -> Result<Value, String> {
        if depth >= MAX_DEPTH {
            return Err(format!("values are nested at most {MAX_DEPTH} deep"));
        }
        match self.next() {
            b'"' => self.string().map(|text| Value::Str(text.into())),
            b'[' => self.list(depth),
            b'{' => self.map(depth),
            _ => match self.until(|byte| matches!(byte, b',' | b']' | b'}') || byte.is_ascii_whitespace()) {
                "null" => Ok(Value::Nil),
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                number => Value::from_json_number(number).map_err(|error| error.to_string()),
            },
        }
    }

    fn string(&mut self) -> Result<String, String> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let (mut end, mut is_plain) = (start + 1, true);
        while bytes.get(end).is_some_and(|byte| *byte != b'"') {
            let is_escape = bytes[end] == b'\\';
            is_plain &= !is_escape;
            end += 1 + usize::from(is_escape);
        }
        let quoted = self.text.get(start..=end).ok_or("a text does not end")?;
        self.at = end + 1;
        if is_plain {
            return Ok(quoted[1..quoted.len() - 1].to_owned());
        }
        serde_json::from_str(quoted).map_err(|_| format!("{quoted} has an escape that stands for no character"))
    }

    fn list(&mut self, depth: u32) -> Result<Value, String> {
        let mut items = Vec::new();
        self.at += 1;
        while self.next() != b']' {
            items.push(self.value(depth + 1)?);
            self.comma(b']')?;
        }
        self.at += 1;
        Ok(Value::List(items))
    }

    fn map(&mut self, depth: u32) -> Result<Value, String> {
        let mut pairs = Vec::new();
        self.at += 1;
        while self.next() != b'}' {
            let name = self.string()?;
            if self.next() != b':' {
                return Err("a name is followed by a colon".to_owned());
            }
            self.at += 1;
            pairs.push((Value::Str(name.into()), self.value(depth + 1)?));
            self.comma(b'}')?;
        }
        self.at += 1;
        if let [(Value::Str(name), Value::Str(text))] = &pairs[..]
            && **name == *ESCAPE
        {
            return unescaped(text);
        }
        Value::map(pairs).map_err(|error| error.to_string())
    }

    /// Passes over a comma, unless this is what ends the list.
    fn comma(&mut self, end: u8) -> Result<(), String> {
        match self.next() {
            b',' => self.at += 1,
            next if next == end => {}
            _ => return Err("an element is followed by a comma".to_owned()),
        }
        Ok(())
    }
}

/// What stands for this text of EDN.
fn unescaped(text: &str) -> Result<Value, String> {
    let value = edn::parse(text).map_err(|why| format!("\"{ESCAPE}\" stands before a value in EDN: {why}"))?;
    if value.is_json() {
        return Err(format!("\"{ESCAPE}\" stands before what only EDN can say, not before {value}"));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::parse_value;
    use crate::Value;

    #[test]
    fn what_is_json_and_edn_is_json_where_that_is_meant_and_else_nobodys_guess() {
        let json = |text| serde_json::from_str::<Value>(text).expect("it is JSON");
        for text in ["null", "[null]", "{\"x\":7}", "{\"x\":1.0}", "[1,2]", "\"a\"", "7", "{}"] {
            assert_eq!(parse_value(text), Ok(json(text)), "{text}");
        }
        for (text, value) in [("nil", Value::Nil), (":a", Value::keyword("a")), ("[1 2]", json("[1,2]"))] {
            assert_eq!(parse_value(text), Ok(value), "{text}");
        }
        for text in ["1.0", "[1.0]", "{", ""] {
            assert!(parse_value(text).is_err(), "{text}");
        }
    }
}
