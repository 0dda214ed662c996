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
pub(crate) fn sweep(blocks: Vec<Block>) -> Result<Vec<Block>, Violation> {
    let blocks = by_left_end(blocks);
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

/// The most places of the table in [`by_left_end`], per block: with more of them, sorting is faster.
const PLACES_PER_BLOCK: usize = 16;

/// In place of a block's index.
const NO_BLOCK: u32 = u32::MAX;

/// The blocks in the order of the left ends of their zones. These are ranks of events, each of which belongs to one block: so
/// a table over the ranks sorts them, unless they lie too far apart, as where a key is one of many.
fn by_left_end(mut blocks: Vec<Block>) -> Vec<Block> {
    let left = |block: &Block| block.zone().0;
    let first = blocks.iter().map(left).min().unwrap_or(0);
    let places = blocks.iter().map(|block| (left(block) - first) as usize + 1).max().unwrap_or(0);
    if places / PLACES_PER_BLOCK <= blocks.len() {
        let mut table = vec![NO_BLOCK; places];
        for (index, block) in (0..).zip(&blocks) {
            table[(left(block) - first) as usize] = index;
        }
        table.retain(|&index| index != NO_BLOCK);
        // A history that was not made of events may have two at one rank.
        if table.len() == blocks.len() {
            return table.iter().map(|&index| blocks[index as usize]).collect();
        }
    }
    blocks.sort_unstable_by_key(left);
    blocks
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

#[cfg(test)]
mod tests {
    use super::{Block, by_left_end};

    fn left_ends(ranks: &[u32]) -> Vec<u32> {
        let block = |&rank| Block { origin: 0, first_end: (rank, 0), last_begin: (u32::MAX - 1, 0) };
        by_left_end(ranks.iter().map(block).collect()).iter().map(|block| block.zone().0).collect()
    }

    #[test]
    fn blocks_are_sorted_near_together_far_apart_at_one_rank_and_near_the_largest() {
        assert!(left_ends(&[]).is_empty());
        assert_eq!(left_ends(&[5, 3, 9, 4]), [3, 4, 5, 9]);
        assert_eq!(left_ends(&[4_000_000_000, 0, 70]), [0, 70, 4_000_000_000]);
        assert_eq!(left_ends(&[7, 3, 7]), [3, 7, 7]);
        let last = u32::MAX - 2;
        assert_eq!(left_ends(&[last, last - 9, last - 1]), [last - 9, last - 1, last]);
    }
}
