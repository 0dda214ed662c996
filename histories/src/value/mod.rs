//! Values that clients write and read, exactly as their source wrote them. Equality follows the format that a value
//! comes from.

mod edn_text;
mod map;
mod number;
mod table;
mod tagged;

use std::{cmp::Ordering, fmt};

pub use map::Map;
pub use number::{Decimal, Number, Ratio};
pub use table::Values;

pub(crate) use edn_text::push_edn;

/// Value as JSON or EDN can write it. `Nil` is the value of an absent key.
///
/// JSON numbers are equal if they are the same number, however they are written: `1`, `1.0` and `1e0`. EDN numbers are
/// compared as Clojure's `=` does, by their exact values: `1` equals `1N`, but neither equals `1.0` or `1M`. No number
/// is ever rounded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Value {
    /// Absence of a value.
    #[default]
    Nil,
    /// A Boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number that is no [`Value::Int`].
    Number(Box<Number>),
    /// Text.
    Str(Box<str>),
    /// A sequence; EDN's lists and vectors are equal if their elements are.
    List(Vec<Value>),
    /// A map: the keys are text in JSON, any values in EDN.
    Map(Map),
    /// A value that only EDN can represent.
    Edn(Box<Edn>),
}

/// Limits the size of a value: millions of them are read.
const _: () = assert!(size_of::<Value>() <= 24, "a value has grown");

/// Value that only EDN can represent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Edn {
    /// Keyword `:name`, without its colon.
    Keyword(Box<str>),
    /// Symbol `name`.
    Symbol(Box<str>),
    /// Character `\c`.
    Char(char),
    /// Set `#{…}`, each element once, sorted; made by [`Value::set`].
    Set(Box<[Value]>),
    /// Tagged value `#tag value`; made by [`Value::tagged`].
    Tagged(Box<str>, Value),
}

/// Reason why something is not a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The text is not a number, or is a number beyond any practical limit.
    #[error(
        "{0} cannot be read as a number (exponents have at most 18 digits, both parts of a ratio at most 36, numbers \
        in \
         another base than ten at most 4096)"
    )]
    Number(String),
    /// A map has a key twice.
    #[error("a map has the key {0} twice")]
    DuplicateKey(Value),
    /// A set has an element twice.
    #[error("a set has the element {0} twice")]
    DuplicateElement(Value),
    /// A known tag stands before a value that it cannot have.
    #[error("#{0} cannot stand before {1}")]
    Tagged(Box<str>, Value),
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Orders all values, in every process alike: absent, false, true, numbers by size, text, sequences, maps, then values
/// that only EDN can represent.
impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Int(a), Self::Number(b)) => number::compare(*a, b),
            (Self::Number(a), Self::Int(b)) => number::compare(*b, a).reverse(),
            (Self::Number(a), Self::Number(b)) => a.cmp(b),
            (Self::Str(a), Self::Str(b)) => a.cmp(b),
            (Self::List(a), Self::List(b)) => a.cmp(b),
            (Self::Map(a), Self::Map(b)) => a.cmp(b),
            (Self::Edn(a), Self::Edn(b)) => a.cmp(b),
            _ => self.kind().cmp(&other.kind()),
        }
    }
}

impl Value {
    /// Returns EDN's `:name`.
    pub fn keyword(name: &str) -> Self {
        Self::Edn(Box::new(Edn::Keyword(name.into())))
    }

    /// Returns EDN's `name`.
    pub fn symbol(name: &str) -> Self {
        Self::Edn(Box::new(Edn::Symbol(name.into())))
    }

    /// Returns EDN's `\c`.
    pub fn char(c: char) -> Self {
        Self::Edn(Box::new(Edn::Char(c)))
    }

    /// Returns the text of a text, a keyword (without its colon) or a symbol.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            Self::Edn(edn) => match &**edn {
                Edn::Keyword(name) | Edn::Symbol(name) => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns true if JSON can represent the value itself, apart from the values in it.
    pub(crate) fn is_json(&self) -> bool {
        match self {
            Self::Number(number) => number.is_json(),
            Self::Map(pairs) => pairs.iter().all(|(key, _)| matches!(key, Self::Str(name) if **name != *ESCAPE)),
            Self::Edn(_) => false,
            _ => true,
        }
    }

    /// Returns true if the value is, or contains, EDN's `##NaN`.
    pub(crate) fn has_not_a_number(&self) -> bool {
        match self {
            Self::Nil | Self::Bool(_) | Self::Int(_) | Self::Str(_) => false,
            Self::Number(number) => **number == Number::NotANumber,
            Self::List(items) => items.iter().any(Self::has_not_a_number),
            Self::Map(pairs) => pairs.iter().any(|(key, value)| key.has_not_a_number() || value.has_not_a_number()),
            Self::Edn(edn) => match &**edn {
                Edn::Keyword(_) | Edn::Symbol(_) | Edn::Char(_) => false,
                Edn::Set(items) => items.iter().any(Self::has_not_a_number),
                Edn::Tagged(_, value) => value.has_not_a_number(),
            },
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Nil => 0,
            Self::Bool(_) => 1,
            Self::Int(_) | Self::Number(_) => 2,
            Self::Str(_) => 3,
            Self::List(_) => 4,
            Self::Map(_) => 5,
            Self::Edn(_) => 6,
        }
    }
}

/// Key of the JSON object `{"$edn": "…"}` that stands for a value that only EDN can represent, given as EDN text.
pub(crate) const ESCAPE: &str = "$edn";

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(text.into())
    }
}

/// Formats the value as JSON, but an absent value as `nil`, and a value that only EDN can represent as EDN.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            other => other.show(f),
        }
    }
}

impl Value {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("null"),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Str(text) => f.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?),
            Self::List(items) => {
                f.write_str("[")?;
                for (place, item) in items.iter().enumerate() {
                    f.write_str(if place > 0 { "," } else { "" })?;
                    item.show(f)?;
                }
                f.write_str("]")
            }
            Self::Map(pairs) if pairs.iter().all(|(key, _)| matches!(key, Self::Str(_))) => {
                f.write_str("{")?;
                for (place, (key, value)) in pairs.iter().enumerate() {
                    f.write_str(if place > 0 { "," } else { "" })?;
                    key.show(f)?;
                    f.write_str(":")?;
                    value.show(f)?;
                }
                f.write_str("}")
            }
            Self::Map(_) | Self::Edn(_) => {
                let mut text = String::new();
                push_edn(&mut text, self);
                f.write_str(&text)
            }
        }
    }
}

#[cfg(test)]
mod tests;
