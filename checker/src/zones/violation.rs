//! What can be wrong with a register of unique values, and the sweep over the zones.

use super::clusters::{Clusters, Zone};
use crate::prepare::Val;

/// Why no order exists. Steps are indexes into the key's steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// A cas that says it did not match, and that it found what it expected.
    Contradiction {
        /// That cas.
        step: u32,
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

/// The first values of two blocks that must each come before the other, if there are such; of zones in the order of their left ends.
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

/// So many places per item [`sort_nearly_sorted`] moves others, before it sorts them in the usual way.
const MOVES_PER_ITEM: usize = 32;

/// Sorts by insertion what is nearly sorted, as are values, which are numbered as they appear: there is hardly anything to move.
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
