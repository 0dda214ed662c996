//! Index that may be missing, in the four bytes of an index: methods hold millions of them.

/// Index, or none, which comes after all indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OptionalIndex(u32);

impl OptionalIndex {
    pub(crate) const NONE: Self = Self(u32::MAX);

    #[inline]
    pub(crate) fn get(self) -> Option<u32> {
        (self != Self::NONE).then_some(self.0)
    }
}

impl From<u32> for OptionalIndex {
    #[inline]
    fn from(index: u32) -> Self {
        debug_assert!(index < u32::MAX, "fewer things than 2^32 - 1 fit in memory");
        Self(index)
    }
}
