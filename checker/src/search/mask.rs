//! Bit sets of slots, with as many words as the largest number of steps open at once needs.

/// Set of slots below `64 * N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Mask<const N: usize>([u64; N]);

impl<const N: usize> Mask<N> {
    pub(super) const NONE: Self = Self([0; N]);

    pub(super) fn has(&self, slot: usize) -> bool {
        self.0[slot / 64] >> (slot % 64) & 1 == 1
    }

    pub(super) fn add(&mut self, slot: usize) {
        self.0[slot / 64] |= 1 << (slot % 64);
    }

    pub(super) fn remove(&mut self, slot: usize) {
        self.0[slot / 64] &= !(1 << (slot % 64));
    }

    fn zip(self, other: Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        Self(std::array::from_fn(|word| combine(self.0[word], other.0[word])))
    }

    pub(super) fn and(self, other: Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    pub(super) fn or(self, other: Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    pub(super) fn minus(self, other: Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    pub(super) fn contains(self, other: Self) -> bool {
        other.minus(self) == Self::NONE
    }

    pub(super) fn len(self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Returns the lowest slot that is not in the set, if there is one below `64 * N`.
    pub(super) fn first_free(self) -> Option<usize> {
        let word = self.0.iter().position(|&word| word != u64::MAX)?;
        Some(64 * word + self.0[word].trailing_ones() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_beyond_the_first_word_are_slots_too() {
        let mut mask = Mask::<2>::NONE;
        for slot in 0..128 {
            assert_eq!(mask.first_free(), Some(slot));
            mask.add(slot);
        }
        assert_eq!(mask.first_free(), None);
        mask.remove(100);
        assert!(!mask.has(100) && mask.has(99) && mask.has(36));
        assert_eq!((mask.len(), mask.first_free()), (127, Some(100)));
        let mut high = Mask::NONE;
        high.add(100);
        assert!(!mask.contains(high) && mask.or(high).contains(high) && mask.and(high) == Mask::NONE);
    }
}
