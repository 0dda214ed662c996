//! Reproducible random numbers: PCG XSL RR 128/64, with one generator per concern, split from the seed by name.

use rand_pcg::{
    Pcg64,
    rand_core::{Rng as _, SeedableRng as _},
};

/// Random number generator of one concern.
#[derive(Clone, Debug)]
pub struct Random(Pcg64);

impl Random {
    /// Creates the generator of `concern` under `seed`; its own seed is the FNV-1a hash of both.
    pub fn new(seed: u64, concern: &str) -> Self {
        let bytes = concern.bytes().chain(seed.to_le_bytes());
        let hash = bytes
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        Self(Pcg64::seed_from_u64(hash))
    }

    /// Returns a number of 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Returns a number below `limit`, which is at least 1. The bias is below `limit` / 2^64.
    #[inline]
    pub fn below(&mut self, limit: u32) -> u32 {
        u32::try_from(self.below_u64(limit.into())).expect("it is below the limit")
    }

    /// Returns a number below a larger limit, with the same bias.
    #[inline]
    pub fn below_u64(&mut self, limit: u64) -> u64 {
        let scaled = (u128::from(self.bits()) * u128::from(limit)) >> 64;
        u64::try_from(scaled).expect("it is below the limit")
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    fn first(seed: u64, concern: &str) -> [u32; 8] {
        let mut random = Random::new(seed, concern);
        std::array::from_fn(|_| random.below(1000))
    }

    #[test]
    fn a_seed_means_the_same_tomorrow() {
        assert_eq!(first(1, "pace"), GOLDEN);
    }

    const GOLDEN: [u32; 8] = [187, 343, 770, 472, 376, 618, 915, 301];

    #[test]
    fn concerns_and_seeds_have_numbers_of_their_own() {
        assert_ne!(first(1, "pace"), first(2, "pace"));
        assert_ne!(first(1, "pace"), first(1, "register key"));
    }

    #[test]
    fn numbers_stay_below_the_limit_and_reach_all_of_it() {
        let mut random = Random::new(5, "x");
        let mut seen = [0; 7];
        (0..7000).for_each(|_| seen[random.below(7) as usize] += 1);
        assert!(seen.iter().all(|count| (800..1200).contains(count)), "{seen:?}");
        assert_eq!(random.below(1), 0);
    }
}
