//! Digests of a state: equal states have equal digests, however they came about, and others hardly ever.

use std::{
    fmt,
    hash::{BuildHasher as _, Hash},
};

use foldhash::quality::FixedState;
use serde::{Serialize, Serializer};

/// Sum of the hashes of all parts of a state, in any order. A part is added or removed without a look at the others,
/// so that the digest of a large state costs no more than its changes. Comparable between processes of one binary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digest(u64);

impl Digest {
    /// Adds a part that the state did not have.
    pub(super) fn add(&mut self, part: &impl Hash) {
        self.0 = self.0.wrapping_add(hash(part));
    }

    /// Removes a part that the state had.
    pub(super) fn remove(&mut self, part: &impl Hash) {
        self.0 = self.0.wrapping_sub(hash(part));
    }

    /// Returns the digest as a number.
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// Returns the digest of a state that has the parts of both.
    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }
}

fn hash(part: &impl Hash) -> u64 {
    FixedState::default().hash_one(part) // the same in every process
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &[(&str, u64)]) -> Digest {
        let mut digest = Digest::default();
        for part in parts {
            digest.add(part);
        }
        digest
    }

    #[test]
    fn the_order_of_changes_does_not_matter_and_every_part_does() {
        let both = of(&[("a", 1), ("b", 2)]);
        assert_eq!(both, of(&[("b", 2), ("a", 1)]));
        assert_eq!(both, of(&[("a", 1)]).with(of(&[("b", 2)])));
        assert_ne!(both, of(&[("a", 2), ("b", 1)]));
        assert_ne!(both, of(&[("a", 1), ("b", 2), ("a", 1)]));
        let mut one = both;
        one.remove(&("b", 2_u64));
        assert_eq!(one, of(&[("a", 1)]));
        assert_eq!(Digest(10).to_string(), "000000000000000a");
    }
}
