//! Registers whose values are all different: the zone method (Gibbons and Korach, "Testing shared memories", 1997), extended to
//! cas chains and unknown outcomes. Near-linear: one pass over the steps, one sort of the blocks.
//!
//! It applies where every write and every cas sets a value of its own, none of them the initial value.
//!
//! # Which steps count
//! A change of unknown outcome took place if somebody saw what it set: a read of it, or a cas from it that took place. One
//! that nobody saw may be left out: between it and the next change nobody looked. (A cas that only says "not this value" does
//! look, hence the last paragraph.) So nothing is guessed: the *included* steps must be ordered, all of them.
//!
//! # Blocks
//! A cas from `a` to `b` finds `a`, which was set once and is gone after the next change: so at most one included cas leaves
//! each value, it comes right after the last read of `a`, and values linked by cas form a chain that begins with a write or with
//! the initial value, which counts as a write that begins and ends before everything. (A chain without such a beginning is a
//! violation: somebody expects a value that was never set, or a ring of cas in which none can be first.) A chain with all its
//! reads is a *block*: nothing of another block can lie between two of its steps, for the value would have to come back.
//! Its levels (write, reads, cas, reads, …) are an order that must fit real time: no step of a later level may end before one of
//! an earlier level begins. For a block without cas this says that no read of a value ends before its write begins.
//!
//! # Zones
//! For a block let `f` be its first end and `s` its last start. If `f < s` the block must hold the register during all of
//! `[f, s]` (forward zone): it had begun by `f` and goes on at `s`. If `s < f` all its steps share `[s, f]` (backward zone).
//! *Necessary*: two forward zones that meet, or a backward zone inside a forward one, give blocks A and B with `f_A < s_B`
//! and `f_B < s_A`: a step of A ends before one of B begins, so A comes before B, and the other way round.
//! *Sufficient*: otherwise order the blocks by the left ends of their zones. Forward zones do not meet, and a backward zone
//! that begins inside a forward one ends after it, so it can take place right after it. If a step of a later block ended
//! before a step of an earlier one began, then `f_later < s_earlier`, and with `left_earlier < left_later` the zones would
//! meet as above. So that order, with the levels inside of each block, and the reads of one level in the order of their starts,
//! is a linearization. It is built ([`order`]) and replayed by the independent verifier before anyone hears "linearizable".
//!
//! # Where a contradiction lies
//! Two steps contradict this order where one is of a later block, or of a later level of the same, and ended before the other
//! began. Then the block is out of its own order, or the zones meet, as above. So all that is asked of a history without an order
//! (how stale its reads are, what weaker order it has) has its answer among the *suspects*: blocks that are out of their own order, and
//! those between two whose zones meet. Of two that meet, each is in the range from the widest forward zone before the second to
//! the second, or in ranges that this one overlaps: if the first lies before that widest one, these two meet as well.
//!
//! # A cas that did not match and did not say what it found
//! It looks without changing anything: leaving it out keeps a linearizable history linearizable, so "no" stays right.
//! A "yes" needs a place for it: the first one in the order above at which another value stands and which fits its interval.
//! If it has none, another order might have, and the general search decides.

mod clusters;
mod order;
mod violation;

use crate::{
    patience::{OutOf, Patience},
    prepare::Steps,
    windows::Windows,
};
use clusters::Blocks;

use clusters::Cluster;
pub(crate) use clusters::{Block, Clusters, NO_STEP, NO_VALUE, Zone, begin, finish};
pub(crate) use order::order;
pub(crate) use violation::{Violation, meeting, sort_nearly_sorted};

/// What the zones say.
#[derive(Debug)]
pub(crate) enum Zones {
    /// These steps, in this order.
    Order(Vec<u32>),
    /// There is no order.
    Violation(Violation, Clusters),
    /// Some cas that did not match has no place in the order that was tried.
    Undecided,
}

/// The values of a key that are all different, and their zones.
#[derive(Debug)]
pub(crate) struct Placed {
    /// The values.
    pub clusters: Clusters,
    /// The zones of the blocks by their left ends: an order in which they can take place, if there is one. Nothing where the violation
    /// leaves no blocks.
    pub zones: Vec<Zone>,
    /// Why there is no order.
    pub violation: Option<Violation>,
}

/// What is made for each value, in bytes: its cluster, its zone with room to grow, where its steps go in the order.
const VALUE_BYTES: usize = size_of::<Cluster>() + 2 * size_of::<Zone>() + size_of::<u32>();

/// Decides the key with these steps, if its values are all different; otherwise nothing.
pub(crate) fn zones(steps: &impl Steps, patience: &Patience<'_>) -> Result<Option<Zones>, OutOf> {
    let Some(placed) = place(steps, patience)? else { return Ok(None) };
    if let Some(violation) = placed.violation {
        return Ok(Some(Zones::Violation(violation, placed.clusters)));
    }
    Ok(Some(order(steps, &placed, patience)?.map_or(Zones::Undecided, Zones::Order)))
}

/// As [`zones`], but the order is not written out, nor a place sought for a cas that did not match.
pub(crate) fn place(steps: &impl Steps, patience: &Patience<'_>) -> Result<Option<Placed>, OutOf> {
    patience.room(steps.values() * VALUE_BYTES + steps.end() as usize * size_of::<u32>())?;
    let Some(mut clusters) = Clusters::gather(steps, patience)? else { return Ok(None) };
    let unplaceable = clusters.include(patience)?;
    let contradiction = clusters.contradiction.map(|step| Violation::Contradiction { step });
    if let Some(violation) = contradiction.or(unplaceable) {
        return Ok(Some(Placed { clusters, zones: Vec::new(), violation: Some(violation) }));
    }
    let Blocks { mut zones, inverted, has_rings, mut violation } = clusters.zones(patience)?;
    sort_nearly_sorted(&mut zones, Zone::left);
    if violation.is_none() {
        violation = meeting(zones.iter().copied()).map(|origins| {
            let blocks = origins.map(|origin| clusters.block(origin).0);
            let first_ends = blocks.map(|block| block.first_end.1);
            Violation::Meeting { first_ends, last_begins: blocks.map(|block| block.last_begin.1), origins }
        });
    }
    if violation.is_some() && !has_rings {
        let mut suspects = inverted;
        suspects.extend(windows(&zones).places().map(|place| zones[place as usize].origin));
        suspects.sort_unstable();
        suspects.dedup();
        clusters.suspects = Some(suspects);
    }
    Ok(Some(Placed { clusters, zones, violation }))
}

/// The places between zones of which each must come before the other, in the order of their left ends.
fn windows(zones: &[Zone]) -> Windows {
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
    Windows::new(ranges)
}
