//! Random numbers that mean the same tomorrow: PCG XSL RR 128/64, one generator for each concern, split from the seed by name.

use rand_pcg::{
    Pcg64,
    rand_core::{Rng as _, SeedableRng as _},
};

/// The random numbers of one concern.
#[derive(Clone, Debug)]
pub(crate) struct Random(Pcg64);

impl Random {
    /// The generator of `concern` under `seed`: seeded by the FNV-1a hash of both.
    pub(crate) fn new(seed: u64, concern: &str) -> Self {
        let bytes = concern.bytes().chain(seed.to_le_bytes());
        let hash = bytes
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        Self(Pcg64::seed_from_u64(hash))
    }

    /// A number below `limit`, which is at least 1. The bias is below `limit` / 2^64.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        let scaled = (u128::from(self.0.next_u64()) * u128::from(limit)) >> 64;
        u32::try_from(scaled).expect("it is below the limit")
    }
}
