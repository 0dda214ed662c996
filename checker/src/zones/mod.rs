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
};

pub(crate) use clusters::{Block, Clusters, NO_STEP, NO_VALUE};
use clusters::{Cluster, Zone};
pub(crate) use violation::{Violation, meeting};

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

/// What is made for each value, in bytes: its cluster, its zone with room to grow, where its steps go in the order.
const VALUE_BYTES: usize = size_of::<Cluster>() + 2 * size_of::<Zone>() + size_of::<u32>();

/// What ends the way to an order.
enum Stop {
    Violation(Violation),
    OutOf(OutOf),
}

impl From<Violation> for Stop {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

impl From<OutOf> for Stop {
    fn from(out: OutOf) -> Self {
        Self::OutOf(out)
    }
}

/// Decides the key with these steps, if its values are all different; otherwise nothing.
pub(crate) fn zones(steps: &impl Steps, patience: &Patience<'_>) -> Result<Option<Zones>, OutOf> {
    patience.room(steps.values() * VALUE_BYTES + steps.end() as usize * size_of::<u32>())?;
    let Some(mut clusters) = Clusters::gather(steps, patience)? else { return Ok(None) };
    Ok(Some(match place(&mut clusters, steps, patience) {
        Ok(zones) => order::order(steps, &clusters, &zones, patience)?.map_or(Zones::Undecided, Zones::Order),
        Err(Stop::Violation(violation)) => Zones::Violation(violation, clusters),
        Err(Stop::OutOf(out)) => return Err(out),
    }))
}

/// The zones of the blocks, in an order in which these can take place.
fn place(clusters: &mut Clusters, steps: &impl Steps, patience: &Patience<'_>) -> Result<Vec<Zone>, Stop> {
    if let Some(step) = clusters.contradiction {
        return Err(Violation::Contradiction { step }.into());
    }
    clusters.include(steps, patience)?;
    let mut zones = clusters.zones(steps, patience)?;
    violation::sort(&mut zones);
    if let Some(origins) = meeting(zones.iter().copied()) {
        let blocks = [clusters.block(origins[0], steps)?, clusters.block(origins[1], steps)?];
        let (first_ends, last_begins) = (blocks.map(|block| block.first_end.1), blocks.map(|block| block.last_begin.1));
        return Err(Violation::Meeting { first_ends, last_begins, origins }.into());
    }
    Ok(zones)
}
