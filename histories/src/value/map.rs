//! Maps and sets, kept in sorted order whatever the order in which they were written, so that equal ones are identical.

use super::{Edn, Value, ValueError};

/// Map of values by their keys; each key occurs once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Map(Box<[(Value, Value)]>);

impl Map {
    /// Returns the map of these pairs.
    ///
    /// # Errors
    /// Returns a key that occurs twice.
    pub fn new(mut pairs: Vec<(Value, Value)>) -> Result<Self, ValueError> {
        pairs.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        if let Some(at) = pairs.windows(2).position(|pair| pair[0].0 == pair[1].0) {
            return Err(ValueError::DuplicateKey(pairs.swap_remove(at).0));
        }
        Ok(Self(pairs.into()))
    }

    /// Returns the pairs, in the order of their keys.
    pub fn iter(&self) -> std::slice::Iter<'_, (Value, Value)> {
        self.0.iter()
    }

    /// Returns the value of this key.
    pub fn get(&self, key: &Value) -> Option<&Value> {
        self.0.binary_search_by(|(known, _)| known.cmp(key)).ok().map(|at| &self.0[at].1)
    }

    /// Returns the value whose key is this text, keyword or symbol.
    pub fn named(&self, name: &str) -> Option<&Value> {
        self.iter().find(|(key, _)| key.name() == Some(name)).map(|(_, value)| value)
    }

    /// Returns the number of pairs.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns true if the map has no pairs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Map {
    type Item = &'a (Value, Value);
    type IntoIter = std::slice::Iter<'a, (Value, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Collects pairs into a map; if a key occurs several times, its last value counts.
impl<K: Into<Value>> FromIterator<(K, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(pairs: I) -> Self {
        let mut pairs: Vec<(Value, Value)> = pairs.into_iter().map(|(key, value)| (key.into(), value)).collect();
        pairs.reverse();
        pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
        pairs.dedup_by(|(later, _), (kept, _)| later == kept);
        Self(pairs.into())
    }
}

impl Value {
    /// Returns the map of these pairs.
    ///
    /// # Errors
    /// Returns a key that occurs twice.
    pub fn map(pairs: Vec<(Value, Value)>) -> Result<Self, ValueError> {
        Map::new(pairs).map(Self::Map)
    }

    /// Returns EDN's set of these elements.
    ///
    /// # Errors
    /// Returns an element that occurs twice.
    pub fn set(mut elements: Vec<Value>) -> Result<Self, ValueError> {
        elements.sort_unstable();
        if let Some(at) = elements.windows(2).position(|pair| pair[0] == pair[1]) {
            return Err(ValueError::DuplicateElement(elements.swap_remove(at)));
        }
        Ok(Self::Edn(Box::new(Edn::Set(elements.into()))))
    }
}
