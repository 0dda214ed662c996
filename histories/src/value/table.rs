//! Table that gives each distinct value a small number.

use rustc_hash::FxHashMap;

use super::Value;
use crate::ValueId;

/// Upper bound (exclusive) of the numbers that are looked up in a table rather than a hash map: most values are
/// counters, which then need no hashing.
const TABLE_LIMIT: usize = 1 << 22;

/// Table of distinct values, numbered in the order of first appearance; number 0 is [`Value::Nil`].
#[derive(Clone, Debug)]
pub struct Values {
    all: Vec<Value>,
    /// Id of each small number; [`ValueId::UNKNOWN`] for one that was not seen.
    table: Vec<ValueId>,
    others: FxHashMap<Value, ValueId>,
    /// True if some value is not equal even to itself.
    has_not_a_number: bool,
}

impl Default for Values {
    fn default() -> Self {
        Self { all: vec![Value::Nil], table: Vec::new(), others: FxHashMap::default(), has_not_a_number: false }
    }
}

impl Values {
    /// Returns the number of `value`, a new one if it was not seen before.
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

    /// Returns the bytes that the hash map allocates if it must grow for `more` values; 0 if there is room for them.
    pub(crate) fn growth(&self, more: usize) -> usize {
        let (needed, capacity) = (self.others.len() + more, self.others.capacity());
        if needed <= capacity {
            return 0;
        }
        // The hash map keeps an eighth of its buckets free, and one byte per bucket beside its content.
        (needed.max(capacity + 1) * 8 / 7).next_power_of_two() * (size_of::<(Value, ValueId)>() + 1)
    }

    /// Returns true if some value is, or contains, EDN's `##NaN`: as it equals nothing, not even itself, it cannot be
    /// numbered.
    pub(crate) fn has_not_a_number(&self) -> bool {
        self.has_not_a_number
    }

    /// Returns the number of `value`, if it was seen.
    pub fn find(&self, value: &Value) -> Option<ValueId> {
        match (value, in_table(value)) {
            (Value::Nil, _) => Some(ValueId::NIL),
            (_, Some(place)) => self.table.get(place).copied().filter(|id| *id != ValueId::UNKNOWN),
            (other, None) => self.others.get(other).copied(),
        }
    }

    /// Returns the value with this number; `Nil` for [`ValueId::UNKNOWN`].
    pub fn get(&self, id: ValueId) -> &Value {
        self.all.get(id.0 as usize).unwrap_or(&Value::Nil)
    }

    /// Returns the number of distinct values, including `Nil`.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns false: `Nil` is always in the table.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

/// Returns the index of a number in the table, if it belongs there.
fn in_table(value: &Value) -> Option<usize> {
    match value {
        Value::Int(number) => usize::try_from(*number).ok().filter(|place| *place < TABLE_LIMIT),
        _ => None,
    }
}
