//! Reproducible randomness: one generator for each concern, split from the seed by a name. Draws are computed here
//! from the raw output, so that no version of a library can change the meaning of a seed.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;

/// Generator for one concern of one run.
#[derive(Debug, Clone)]
pub(crate) struct Random(Pcg64);

impl Random {
    /// Creates the generator for `concern`, e.g. `schedule`: equal seeds and names give equal draws.
    pub(crate) fn split(seed: u64, concern: &str) -> Self {
        // FNV-1a (64 bit) of the name picks the generator's stream.
        let stream = concern
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(Pcg64::new(u128::from(seed), u128::from(stream)))
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Returns a number below `bound` (at least 1), by Lemire's multiplication; its bias of `bound / 2^64` does not
    /// matter here.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let wide = u128::from(self.next_u64()) * (bound as u128);
        usize::try_from(wide >> 64).expect("the upper half is below bound")
    }

    /// Puts the items in a random order (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_outputs_of_a_seed_never_change() {
        let mut random = Random::split(1, "schedule");
        let first: Vec<u64> = (0..8).map(|_| random.next_u64()).collect();
        let expected = [
            15_781_341_471_297_613_109,
            7_868_958_861_227_464_897,
            10_455_110_015_252_305_258,
            18_287_202_619_747_687_159,
            8_981_879_376_268_805_127,
            660_945_013_519_741_753,
            5_077_925_472_494_340_300,
            243_358_643_151_434_148,
        ];
        assert_eq!(first, expected);
    }

    #[test]
    fn concerns_draw_independently() {
        assert_ne!(Random::split(1, "schedule").next_u64(), Random::split(1, "target").next_u64());
        assert_ne!(Random::split(1, "schedule").next_u64(), Random::split(2, "schedule").next_u64());
    }

    #[test]
    fn below_reaches_every_number_and_no_other() {
        let mut random = Random::split(7, "test");
        let mut counts = [0_u32; 5];
        for _ in 0..1000 {
            counts[random.below(5)] += 1;
        }
        assert!(counts.iter().all(|&count| (130..270).contains(&count)), "{counts:?}");
    }
}
