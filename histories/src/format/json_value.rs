//! Serialization of values to JSON, and from JSON (by [`super::json`]), on the text itself, so that no number is
//! rounded.
//!
//! An object `{"$edn": "…"}` stands for a value that only EDN can represent: a keyword, a set, `1.0`, a map with keys
//! other than text. An object that really has the key `$edn` is written that way, too.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::SerializeMap};
use serde_json::value::RawValue;

use super::{edn, json};
use crate::{
    Value,
    value::{ESCAPE, push_edn},
};

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
        json::value(text.get()).map_err(|(_, why)| D::Error::custom(why))
    }
}

/// Parses a value that a person typed, as JSON or as EDN. A text with `null` in it, or with a colon right behind a
/// quote, is taken for JSON.
///
/// # Errors
/// Returns an error if the text is neither, or if it is both with different values, as `1.0` is, which JSON takes for
/// 1.
pub fn parse_value(text: &str) -> Result<Value, String> {
    let (json, edn) = (serde_json::from_str(text), edn::parse(text));
    // Nobody means EDN's symbol `null`, or a keyword such as `:7` right behind a text.
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
