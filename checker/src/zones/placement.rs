//! Zones of a key by their left ends, and the sweep over them that finds conflicts.

use super::{
    clusters::{Block, Blocks, Cluster, Clusters, Zone},
    violation::ZoneViolation,
};
use crate::{
    budget::{Budget, Shortage},
    conflict_ranges::ConflictRanges,
    prepare::{Steps, Val},
    sorted::sorted,
};

/// Unique values of a key, and their zones.
#[derive(Debug)]
pub(crate) struct KeyZones {
    /// Values of the key.
    pub clusters: Clusters,
    /// Zones of the blocks by their left ends: this is a valid order if there is any. Empty if the violation leaves
    /// no blocks.
    pub zones: Vec<Zone>,
    /// Reason why no order exists, if none does.
    pub violation: Option<ZoneViolation>,
}

/// Memory for each value, in bytes: its cluster, its zone with room to grow, and the place of its steps in the order.
const VALUE_BYTES: usize = size_of::<Cluster>() + 2 * size_of::<Zone>() + size_of::<u32>();

/// Does the same as [`super::zones`], without writing out the order and without placing each cas that did not match.
pub(crate) fn place(steps: &impl Steps, budget: &Budget<'_>) -> Result<Option<KeyZones>, Shortage> {
    budget.may_take(steps.values() * VALUE_BYTES + steps.end() as usize * size_of::<u32>())?;
    let Some(mut clusters) = Clusters::gather(steps, budget)? else { return Ok(None) };
    let unplaceable = clusters.include(budget)?;
    let contradiction = clusters.contradiction.map(|step| ZoneViolation::Contradiction { step });
    if let Some(violation) = contradiction.or(unplaceable) {
        return Ok(Some(KeyZones { clusters, zones: Vec::new(), violation: Some(violation) }));
    }
    let Blocks { mut zones, inverted, has_rings, mut violation } = clusters.zones(budget)?;
    sort_nearly_sorted(&mut zones, Zone::left);
    if violation.is_none() {
        violation = meeting(zones.iter().copied()).map(|origins| {
            let blocks = origins.map(|origin| clusters.block(origin).0);
            let first_ends = blocks.map(|block| block.first_end.1.get());
            let last_begin = |block: Block| block.last_begin.1.get().expect("what begins late is no initial value");
            ZoneViolation::Meeting { first_ends, last_begins: blocks.map(last_begin), origins }
        });
    }
    if violation.is_some() && !has_rings {
        let windows = windows(&zones);
        let between = windows.places().map(|place| zones[place as usize].origin);
        clusters.suspects = Some(sorted(inverted.into_iter().chain(between)));
    }
    Ok(Some(KeyZones { clusters, zones, violation }))
}

/// Returns the ranges of places between conflicting zones, in the order of their left ends.
fn windows(zones: &[Zone]) -> ConflictRanges {
    let mut ranges = Vec::new();
    let (mut widest, mut right) = (0, 0);
    for (place, zone) in (0..).zip(zones) {
        if (if zone.is_forward() { zone.left() } else { zone.right() }) < right {
            ranges.push((widest, place));
        }
        if zone.is_forward() && zone.right() > right {
            (widest, right) = (place, zone.right());
        }
    }
    ConflictRanges::new(ranges)
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
