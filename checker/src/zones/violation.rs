//! Violations of a register with unique values.

use crate::prepare::Val;

/// Reason why no order exists. Steps are indexes into the key's steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ZoneViolation {
    /// Cas that did not match, yet reported the value it expected.
    Contradiction {
        /// Step of that cas.
        step: u32,
    },
    /// Value that was observed but never set.
    NeverSet {
        /// Value in question.
        value: Val,
        /// Step that observed it.
        observer: u32,
    },
    /// Two cas from the same value, which was set once.
    TwoCas {
        /// Value that both expected.
        from: Val,
        /// Values that they set.
        to: [Val; 2],
    },
    /// Cas that expect each other's values in a ring.
    Ring {
        /// Values of the ring: each is set by a cas from the one before, the first by one from the last.
        values: Vec<Val>,
    },
    /// Inversion: a step of a later level in a chain ended before one of an earlier level began.
    Inversion {
        /// Step that comes later in the chain and ended first.
        later: u32,
        /// Step that comes earlier in the chain and began last.
        earlier: u32,
    },
    /// Conflict of two blocks that must each come before the other.
    Meeting {
        /// Steps with the first end of each block; none for that of the initial value.
        first_ends: [Option<u32>; 2],
        /// Steps with the last start of each block.
        last_begins: [u32; 2],
        /// First values of the blocks.
        origins: [Val; 2],
    },
}
