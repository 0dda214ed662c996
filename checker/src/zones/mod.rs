//! Linearizability of registers with unique values: the zone method (Gibbons and Korach, "Testing shared memories",
//! 1997), extended to cas chains and unknown outcomes. Near-linear: one pass over the steps, one sort of the blocks.
//!
//! It applies if every write and every cas sets a value of its own, and none sets the initial value.
//!
//! # Included steps
//! A change of unknown outcome took place if some step observed the value it set: a read of it, or a cas from it that
//! took place. A change that no step observed may be left out, because no step looks at the register between it and
//! the next change. (A cas that only reports "not this value" does look; see the last section.) So nothing is
//! guessed: exactly the *included* steps must be ordered.
//!
//! # Blocks
//! A cas from `a` to `b` finds `a`, which was set once and is gone after the next change. So at most one included cas
//! leaves each value, it comes right after the last read of `a`, and values linked by cas form a chain that begins
//! with a write or with the initial value, which counts as a write that begins and ends before everything else. (A
//! chain without such a beginning is a violation: either some step expects a value that was never set, or the cas
//! form a ring in which none can be first.) A chain with all its reads is a *block*: no step of another block can
//! come between two of its steps, because the value would have to come back. Its levels (write, reads, cas, reads, …)
//! form an order that must respect real time: no step of a later level may end before one of an earlier level begins.
//! For a block without cas this means that no read of a value ends before its write begins.
//!
//! # Zones
//! For each block, let `f` be its first end and `s` its last start. If `f < s`, the block must hold the register
//! during all of `[f, s]` (forward zone): it has begun by `f` and has not ended before `s`. If `s < f`, all its steps
//! overlap in `[s, f]` (backward zone).
//! *Necessary*: two overlapping forward zones, or a backward zone inside a forward one, are blocks A and B with
//! `f_A < s_B` and `f_B < s_A`: a step of A ends before one of B begins, so A comes before B, and likewise B before
//! A.
//! *Sufficient*: otherwise order the blocks by the left ends of their zones. Forward zones do not overlap, and a
//! backward zone that begins inside a forward one ends after it, so it can take place right after it. If a step of a
//! later block ended before a step of an earlier one began, then `f_later < s_earlier`, and with
//! `left_earlier < left_later` the zones would conflict as above. So this order, with the levels in order inside each
//! block, and the reads of one level in the order of their starts, is a linearization. It is built ([`order`]) and
//! replayed by the independent verifier before the verdict "linearizable" is given.
//!
//! # Suspects
//! Two steps contradict this order if one of them, of a later block or of a later level of the same block, ended
//! before the other began. Then the levels of the block contradict real time, or two zones conflict, as above. So
//! every question about a history without an order (how stale its reads are, which weaker level it meets) is decided
//! among the *suspects*: the blocks whose levels contradict real time, and the blocks in the ranges between two
//! conflicting zones. Two conflicting zones both lie in the range from the widest forward zone before the second one
//! to the second one, or in ranges that overlap this one: if the first zone lies before the widest one, these two
//! conflict as well.
//!
//! # A cas that did not match and did not report what it found
//! It looks without changing anything, so leaving it out keeps a linearizable history linearizable: "not
//! linearizable" stays right. "Linearizable" requires a place for it: the first place in the order above that has
//! another value and lies in its interval. If there is none, another order might have one, and the general search
//! decides.

mod clusters;
mod order;
mod placement;
mod violation;

use crate::{
    budget::{Budget, Shortage},
    prepare::Steps,
};

pub(crate) use clusters::{AT_START, Block, Clusters, NO_END, StepRank, begin, finish};
pub(crate) use order::order;
pub(crate) use placement::{KeyZones, meeting, place, sort_nearly_sorted};
pub(crate) use violation::ZoneViolation;

/// Decision of the zone method.
#[derive(Debug)]
pub(crate) enum Zones {
    /// Linearization by these steps, in this order.
    Order(Vec<u32>),
    /// Violation: no order exists.
    Violation(ZoneViolation, Clusters),
    /// Undecided: some cas that did not match has no place in the order that was tried.
    Undecided,
}

/// Decides the key with these steps. Returns `None` if its values are not unique.
pub(crate) fn zones(steps: &impl Steps, budget: &Budget<'_>) -> Result<Option<Zones>, Shortage> {
    Ok(match place(steps, budget)? {
        None => None,
        Some(KeyZones { violation: Some(violation), clusters, .. }) => Some(Zones::Violation(violation, clusters)),
        Some(placed) => Some(order(steps, &placed, budget)?.map_or(Zones::Undecided, Zones::Order)),
    })
}
