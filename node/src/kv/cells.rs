//! Keys and values, with snapshots that are cheap however many keys there are: while a snapshot is held, new writes go
//! to a separate map, which is merged afterwards.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Digest, Json};
use crate::raft::LogIndex;

/// Value of a key, with the revision of its last write.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Cell {
    pub(super) value: Json,
    pub(super) revision: LogIndex,
}

/// Map from keys to cells.
#[derive(Debug, Default)]
pub(super) struct Cells {
    /// Shared map; changed only while no snapshot holds it.
    base: Arc<BTreeMap<String, Cell>>,
    /// Writes and removals since a snapshot was taken; they take precedence over `base`.
    recent: BTreeMap<String, Option<Cell>>,
    /// Digest of all keys with their cells.
    digest: Digest,
}

impl Cells {
    pub(super) fn get(&self, key: &str) -> Option<&Cell> {
        self.recent.get(key).map_or_else(|| self.base.get(key), Option::as_ref)
    }

    pub(super) fn insert(&mut self, key: String, cell: Cell) {
        self.set(key, Some(cell));
    }

    pub(super) fn remove(&mut self, key: String) {
        self.set(key, None);
    }

    fn set(&mut self, key: String, cell: Option<Cell>) {
        let mut digest = self.digest;
        if let Some(old) = self.get(&key) {
            digest.remove(&(&*key, old));
        }
        if let Some(new) = &cell {
            digest.add(&(&*key, new));
        }
        self.digest = digest;
        if let Some(base) = Arc::get_mut(&mut self.base) {
            merge(base, &mut self.recent);
            put(base, key, cell);
        } else {
            self.recent.insert(key, cell);
        }
    }

    /// Returns the map in its current state. The cost is that of the writes since the last snapshot, and far more
    /// only if that snapshot is still held.
    pub(super) fn freeze(&mut self) -> Self {
        if !self.recent.is_empty() {
            merge(Arc::make_mut(&mut self.base), &mut self.recent);
        }
        Self { base: Arc::clone(&self.base), recent: BTreeMap::new(), digest: self.digest }
    }

    /// Returns the digest of the map in its current state.
    pub(super) fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns all keys with their cells, as a map of its own.
    pub(super) fn merged(&self) -> BTreeMap<String, Cell> {
        let mut merged = (*self.base).clone();
        merge(&mut merged, &mut self.recent.clone());
        merged
    }
}

/// Moves all writes and removals to the map that they take precedence over.
fn merge(base: &mut BTreeMap<String, Cell>, recent: &mut BTreeMap<String, Option<Cell>>) {
    while let Some((key, cell)) = recent.pop_first() {
        put(base, key, cell);
    }
}

fn put(map: &mut BTreeMap<String, Cell>, key: String, cell: Option<Cell>) {
    match cell {
        Some(cell) => map.insert(key, cell),
        None => map.remove(&key),
    };
}

impl PartialEq for Cells {
    fn eq(&self, other: &Self) -> bool {
        self.merged() == other.merged()
    }
}

impl Eq for Cells {}

impl Serialize for Cells {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.recent.is_empty() { self.base.serialize(serializer) } else { self.merged().serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for Cells {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let base = BTreeMap::<String, Cell>::deserialize(deserializer)?;
        let mut digest = Digest::default();
        for (key, cell) in &base {
            digest.add(&(&**key, cell));
        }
        Ok(Self { base: Arc::new(base), recent: BTreeMap::new(), digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(number: u64) -> Cell {
        Cell { value: Json::new(&number.into()).unwrap(), revision: LogIndex(number) }
    }

    fn cells(pairs: &[(&str, u64)]) -> Cells {
        let mut cells = Cells::default();
        for (key, number) in pairs {
            cells.insert((*key).to_owned(), cell(*number));
        }
        cells
    }

    #[test]
    fn what_was_frozen_does_not_change_and_what_goes_on_does() {
        let mut cells = cells(&[("a", 1), ("b", 2)]);
        let frozen = cells.freeze();
        cells.insert("b".into(), cell(3));
        cells.insert("c".into(), cell(4));
        assert_eq!((frozen.get("b"), frozen.get("c")), (Some(&cell(2)), None));
        assert_eq!((cells.get("a"), cells.get("b"), cells.get("c")), (Some(&cell(1)), Some(&cell(3)), Some(&cell(4))));
        let second = cells.freeze();
        drop(frozen);
        cells.insert("d".into(), cell(5));
        assert_eq!((second.get("c"), second.get("d")), (Some(&cell(4)), None));
        drop(second);
        cells.insert("a".into(), cell(6));
        assert_eq!((cells.get("a"), cells.get("d"), cells.recent.len()), (Some(&cell(6)), Some(&cell(5)), 0));
    }

    #[test]
    fn what_is_removed_is_gone_but_not_from_what_was_frozen() {
        let mut cells = cells(&[("a", 1), ("b", 2)]);
        cells.remove("a".into());
        let frozen = cells.freeze();
        cells.remove("b".into());
        assert_eq!((cells.get("a"), cells.get("b"), frozen.get("b")), (None, None, Some(&cell(2))));
        assert_eq!(cells, Cells::default());
        let emptied = cells.freeze();
        cells.insert("b".into(), cell(3));
        assert_eq!((cells.get("b"), emptied.get("b"), frozen.get("b")), (Some(&cell(3)), None, Some(&cell(2))));
    }

    #[test]
    fn frozen_or_not_it_is_written_in_the_same_way() {
        let plain = cells(&[("a", 1), ("b", 3)]);
        let mut layered = cells(&[("a", 1), ("b", 2)]);
        let frozen = layered.freeze();
        layered.insert("b".into(), cell(3));
        assert_eq!(layered, plain);
        let bytes = postcard::to_stdvec(&plain).unwrap();
        assert_eq!(postcard::to_stdvec(&layered).unwrap(), bytes);
        let read = postcard::from_bytes::<Cells>(&bytes).unwrap();
        assert_eq!(read, plain);
        assert_eq!([layered.digest(), read.digest()], [plain.digest(); 2]);
        assert_ne!(frozen.digest(), plain.digest());
        layered.remove("b".into());
        layered.remove("a".into());
        assert_eq!(layered.digest(), Digest::default());
    }
}
