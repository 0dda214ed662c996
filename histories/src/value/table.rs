//! The table that gives each value a small number.

use rustc_hash::FxHashMap;

use super::Value;
use crate::ValueId;

/// Numbers below this are looked up in a table, so that counters, which most values are, need no hashing.
const TABLE_LIMIT: usize = 1 << 22;

/// Each distinct value once, numbered in the order of first appearance; number 0 is [`Value::Nil`].
#[derive(Clone, Debug)]
pub struct Values {
    all: Vec<Value>,
    /// By the number itself; where it was not seen, [`ValueId::UNKNOWN`].
    table: Vec<ValueId>,
    others: FxHashMap<Value, ValueId>,
    /// Some value equals nothing, not even itself.
    has_not_a_number: bool,
}

impl Default for Values {
    fn default() -> Self {
        Self { all: vec![Value::Nil], table: Vec::new(), others: FxHashMap::default(), has_not_a_number: false }
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
            self.has_not_a_number |= value.has_not_a_number();
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

    /// Whether some value is, or holds, EDN's `##NaN`: as it equals nothing, not even itself, it has no number.
    pub(crate) fn has_not_a_number(&self) -> bool {
        self.has_not_a_number
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
