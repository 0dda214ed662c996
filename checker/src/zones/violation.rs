//! What can be wrong with a register of unique values, and the sweep over the zones.

use super::clusters::{Block, Clusters};
use crate::prepare::Val;

/// Why no order exists. Steps are indexes into the key's steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// A cas that says it did not match, and that it found what it expected.
    Contradiction {
        /// That cas.
        step: usize,
    },
    /// Somebody saw a value that nobody set.
    NeverSet {
        /// That value.
        value: Val,
        /// Who saw it.
        observer: u32,
    },
    /// Two cas took the same value, which was set once.
    TwoCas {
        /// What both expected.
        from: Val,
        /// What they set.
        to: [Val; 2],
    },
    /// Cas that expect each other's values.
    Ring {
        /// Each is set by a cas from the one before, the first by one from the last.
        values: Vec<Val>,
    },
    /// A step of a later level in a chain ended before one of an earlier level began.
    Inversion {
        /// The step that comes later in the chain and ended first.
        later: u32,
        /// The step that comes earlier in the chain and began last.
        earlier: u32,
    },
    /// Two blocks must each come before the other.
    Meeting {
        /// First ends and last begins of both.
        first_ends: [u32; 2],
        /// As above.
        last_begins: [u32; 2],
        /// Their first values.
        origins: [Val; 2],
    },
}

/// The blocks in an order in which they can take place, each as a whole; or two that cannot.
pub(crate) fn sweep(mut blocks: Vec<Block>) -> Result<Vec<Block>, Violation> {
    blocks.sort_unstable_by_key(|block| block.zone().0);
    let mut last_forward: Option<Block> = None;
    for block in &blocks {
        let (left, right) = block.zone();
        let reach = last_forward.map_or(0, |forward| forward.zone().1);
        let meets = if block.is_forward() { left < reach } else { right < reach };
        if let Some(forward) = last_forward.filter(|_| meets) {
            return Err(Violation::Meeting {
                first_ends: [forward.first_end.1, block.first_end.1],
                last_begins: [forward.last_begin.1, block.last_begin.1],
                origins: [forward.origin, block.origin],
            });
        }
        if block.is_forward() {
            last_forward = Some(*block);
        }
    }
    Ok(blocks)
}

impl Clusters {
    /// The values after `from` up to `to` in their chain; nothing if `to` does not come after `from`.
    pub(crate) fn between(&self, from: Val, to: Val) -> Vec<Val> {
        let mut found = false;
        let values: Vec<Val> =
            (self.chain(from).skip(1)).take_while(|&value| !std::mem::replace(&mut found, value == to)).collect();
        if values.last() == Some(&to) { values } else { Vec::new() }
    }
}
