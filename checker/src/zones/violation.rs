//! Violations of a register with unique values, and the sweep over the zones that finds conflicts.

use super::clusters::{Clusters, Zone};
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

/// Returns the first values of two conflicting blocks (each must come before the other), if there are any. The zones
/// must be in the order of their left ends.
pub(crate) fn meeting(zones: impl IntoIterator<Item = Zone>) -> Option<[Val; 2]> {
    let mut last_forward: Option<Zone> = None;
    for zone in zones {
        let end = if zone.is_forward() { zone.left() } else { zone.right() };
        if let Some(forward) = last_forward.filter(|forward| end < forward.right()) {
            return Some([forward.origin, zone.origin]);
        }
        if zone.is_forward() {
            last_forward = Some(zone);
        }
    }
    None
}

/// Moves per item that [`sort_nearly_sorted`] makes before it falls back to a normal sort.
const MOVES_PER_ITEM: usize = 32;

/// Sorts nearly sorted items by insertion. Values are numbered as they appear, so there is hardly anything to move.
pub(crate) fn sort_nearly_sorted<T: Copy>(all: &mut [T], key: impl Fn(&T) -> u32) {
    let mut moves = MOVES_PER_ITEM * all.len();
    for at in 1..all.len() {
        let (sorted, item) = (&all[..at], all[at]);
        let place = at - sorted.iter().rev().take(moves).take_while(|other| key(other) > key(&item)).count();
        all.copy_within(place..at, place + 1);
        all[place] = item;
        moves -= at - place;
        if moves == 0 {
            return all.sort_unstable_by_key(key);
        }
    }
}

impl Clusters {
    /// Returns the values after `from` up to `to` in their chain, or none if `to` does not come after `from`.
    pub(crate) fn between(&self, from: Val, to: Val) -> Vec<Val> {
        let mut found = false;
        let values: Vec<Val> =
            (self.chain(from).skip(1)).take_while(|&value| !std::mem::replace(&mut found, value == to)).collect();
        if values.last() == Some(&to) { values } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::{Zone, sort_nearly_sorted};

    fn is_sorted(left_ends: impl Iterator<Item = u32>) -> bool {
        let mut zones: Vec<Zone> =
            left_ends.map(|left| Zone { origin: 0, first_end: left, last_begin: left }).collect();
        sort_nearly_sorted(&mut zones, Zone::left);
        zones.is_sorted_by_key(Zone::left)
    }

    #[test]
    fn zones_are_sorted_near_their_places_and_far_from_them() {
        assert!(is_sorted([].into_iter()));
        assert!(is_sorted([5, 3, 9, 4, 5, 0].into_iter()));
        assert!(is_sorted((0..1000).map(|number| number ^ 7)));
        assert!(is_sorted((0..1000).rev()), "there is too much to move");
        assert!(is_sorted((0..1000).map(|number| number * 389 % 1009)));
    }
}
