//! Values that clients write and read, and the table that gives each a small number.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
};

use rustc_hash::FxHashMap;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, SeqAccess, Visitor},
    ser::SerializeMap,
};

use crate::ValueId;

/// A value as JSON or EDN can write it. `Nil` is what an absent key reads as.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// Absent.
    #[default]
    Nil,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number; equal when its bits are.
    Float(f64),
    /// Text.
    Str(Box<str>),
    /// A sequence.
    List(Vec<Value>),
    /// Named values, in the order in which they were written.
    Map(Vec<(Box<str>, Value)>),
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nil, Self::Nil) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Str(a), Self::Str(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Some order, the same everywhere: absent, false, true, whole numbers and other numbers by size, text, sequences, named values.
impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => a.total_cmp(b),
            (Self::Str(a), Self::Str(b)) => a.cmp(b),
            (Self::List(a), Self::List(b)) => a.cmp(b),
            (Self::Map(a), Self::Map(b)) => a.cmp(b),
            _ => self.kind().cmp(&other.kind()),
        }
    }
}

impl Value {
    fn kind(&self) -> u8 {
        match self {
            Self::Nil => 0,
            Self::Bool(_) => 1,
            Self::Int(_) => 2,
            Self::Float(_) => 3,
            Self::Str(_) => 4,
            Self::List(_) => 5,
            Self::Map(_) => 6,
        }
    }
}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::Nil => {}
            Self::Bool(b) => b.hash(state),
            Self::Int(i) => i.hash(state),
            Self::Float(x) => x.to_bits().hash(state),
            Self::Str(s) => s.hash(state),
            Self::List(items) => items.hash(state),
            Self::Map(pairs) => pairs.hash(state),
        }
    }
}

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

/// As JSON would print it, but an absent value is `nil`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            other => f.write_str(&serde_json::to_string(other).map_err(|_| fmt::Error)?),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nil => serializer.serialize_unit(),
            Self::Bool(b) => serializer.serialize_bool(*b),
            Self::Int(i) => serializer.serialize_i64(*i),
            Self::Float(x) => serializer.serialize_f64(*x),
            Self::Str(s) => serializer.serialize_str(s),
            Self::List(items) => items.serialize(serializer),
            Self::Map(pairs) => {
                let mut map = serializer.serialize_map(Some(pairs.len()))?;
                for (name, value) in pairs {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }

    fn visit_i64<E>(self, i: i64) -> Result<Value, E> {
        Ok(Value::Int(i))
    }

    fn visit_u64<E: serde::de::Error>(self, u: u64) -> Result<Value, E> {
        i64::try_from(u).map(Value::Int).map_err(|_| E::custom(format!("{u} does not fit 64 bits with a sign")))
    }

    fn visit_f64<E>(self, x: f64) -> Result<Value, E> {
        Ok(Value::Float(x))
    }

    fn visit_str<E>(self, s: &str) -> Result<Value, E> {
        Ok(Value::Str(s.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry::<Box<str>, Value>()? {
            map.push(entry);
        }
        Ok(Value::Map(map))
    }
}

/// Numbers below this are looked up in a table, so that counters, which most values are, need no hashing.
const TABLE_LIMIT: usize = 1 << 22;

/// Each distinct value once, numbered in the order of first appearance; number 0 is [`Value::Nil`].
#[derive(Clone, Debug)]
pub struct Values {
    all: Vec<Value>,
    /// By the number itself; where it was not seen, [`ValueId::UNKNOWN`].
    table: Vec<ValueId>,
    others: FxHashMap<Value, ValueId>,
}

impl Default for Values {
    fn default() -> Self {
        Self { all: vec![Value::Nil], table: Vec::new(), others: FxHashMap::default() }
    }
}

impl Values {
    /// The number of `value`, which is new if it was not seen before.
    pub fn intern(&mut self, value: Value) -> ValueId {
        let next = ValueId(u32::try_from(self.all.len()).expect("fewer than 2^32 distinct values fit in memory"));
        let id = match (&value, in_table(&value)) {
            (Value::Nil, _) => return ValueId::NIL,
            (_, Some(place)) => {
                if place >= self.table.len() {
                    self.table.resize(place + 1, ValueId::UNKNOWN);
                }
                let slot = &mut self.table[place];
                if *slot == ValueId::UNKNOWN {
                    *slot = next;
                }
                *slot
            }
            (other, None) => self.others.get(other).copied().unwrap_or_else(|| {
                self.others.insert(other.clone(), next);
                next
            }),
        };
        if id == next {
            self.all.push(value);
        }
        id
    }

    /// What a table takes that must grow for so many values more, in bytes; 0 if there is room for them.
    pub(crate) fn growth(&self, more: usize) -> usize {
        let (needed, capacity) = (self.others.len() + more, self.others.capacity());
        if needed <= capacity {
            return 0;
        }
        // An eighth of the buckets stays free; each has a byte beside what it holds.
        (needed.max(capacity + 1) * 8 / 7).next_power_of_two() * (size_of::<(Value, ValueId)>() + 1)
    }

    /// The number of `value`, if it was seen.
    pub fn find(&self, value: &Value) -> Option<ValueId> {
        match (value, in_table(value)) {
            (Value::Nil, _) => Some(ValueId::NIL),
            (_, Some(place)) => self.table.get(place).copied().filter(|id| *id != ValueId::UNKNOWN),
            (other, None) => self.others.get(other).copied(),
        }
    }

    /// The value with this number; [`ValueId::UNKNOWN`] reads as `Nil`.
    pub fn get(&self, id: ValueId) -> &Value {
        self.all.get(id.0 as usize).unwrap_or(&Value::Nil)
    }

    /// How many distinct values there are, `Nil` among them.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Never: `Nil` is always there.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

/// The place of a number in the table, if it has one.
fn in_table(value: &Value) -> Option<usize> {
    match value {
        Value::Int(number) => usize::try_from(*number).ok().filter(|place| *place < TABLE_LIMIT),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Value, Values};
    use crate::ValueId;

    fn parse(json: &str) -> Value {
        serde_json::from_str(json).expect("it is a value")
    }

    #[test]
    fn each_distinct_value_has_one_number() {
        let mut values = Values::default();
        let texts = ["null", "1", "-1", "\"1\"", "1.0", "true", "[1,2]", "{\"a\":1}", "4194304", "5"];
        let ids: Vec<_> = texts.iter().map(|text| values.intern(parse(text))).collect();
        let again: Vec<_> = texts.iter().map(|text| values.intern(parse(text))).collect();
        assert_eq!(ids, again);
        assert_eq!(ids, (0..10).map(ValueId).collect::<Vec<_>>());
        for (text, id) in texts.iter().zip(ids) {
            assert_eq!(values.get(id), &parse(text));
            assert_eq!(values.find(&parse(text)), Some(id));
        }
        assert_eq!(values.find(&parse("2")), None, "between two that were seen");
        assert_eq!(values.find(&parse("6")), None);
    }

    #[test]
    fn values_have_one_order() {
        let texts =
            ["null", "false", "true", "-1", "2", "-0.5", "0.5", "\"\"", "\"a\"", "[]", "[1]", "[1,0]", "{\"a\":1}"];
        let sorted: Vec<Value> = texts.iter().map(|text| parse(text)).collect();
        for (a, first) in sorted.iter().enumerate() {
            for (b, second) in sorted.iter().enumerate() {
                assert_eq!(first.cmp(second), a.cmp(&b), "{first} and {second}");
            }
        }
    }

    #[test]
    fn nothing_known_reads_as_nil() {
        assert_eq!(Values::default().get(ValueId::UNKNOWN), &Value::Nil);
    }

    #[test]
    fn every_value_survives_json() {
        for text in
            ["null", "true", "-9223372036854775808", "0.5", "\"a\\n\\u0000\"", "[1,[null]]", "{\"b\":1,\"a\":{}}"]
        {
            assert_eq!(serde_json::to_string(&parse(text)).expect("it has a form"), text);
        }
    }

    #[test]
    fn a_number_that_would_be_rounded_is_refused() {
        let error = serde_json::from_str::<Value>("9223372036854775808").expect_err("it does not fit");
        assert!(error.to_string().contains("64 bits"), "{error}");
    }

    #[test]
    fn it_is_shown_as_people_write_it() {
        assert_eq!(parse("[1,\"x\"]").to_string(), "[1,\"x\"]");
        assert_eq!(Value::Nil.to_string(), "nil");
    }
}
