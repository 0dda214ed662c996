//! Bags, in O(n log n): exact for unique values, and for repeated values if no take found the bag empty.
//!
//! **Values that are put in once each have an order if and only if no take of one ends before its put starts, and
//! each empty take has a gap in which no value is certainly inside.** Necessary: an empty take happens in some gap,
//! and what is certainly inside is inside then. Sufficient: let each value be taken in the first gap of its take, and
//! be put in as late as possible. It is then inside only in gaps in which it certainly is, so any gap without such a
//! value is a place for an empty take; and other takes do not depend on what else is inside.
//!
//! **Repeated values, without empty takes, have an order if and only if for each value and each k, the take of it
//! that ends as the k-th ends after its k-th put starts.** Necessary: k takes of one value need k puts. Sufficient:
//! let the take that ends k-th take the value of the put that starts k-th; each pair by itself is as above. Takes of
//! unknown outcome need not have happened then. **With empty takes**, it matters which put belongs to which take: if
//! the pairs above lead to an order, it is one; if not, this method does not decide.

use super::specification::NAMES;
use crate::objects::{
    container::{Container, ContainerKind, gaps},
    key::{Claim, Key},
};

pub(super) const KIND: ContainerKind = ContainerKind {
    noun: "bag",
    names: &NAMES,
    solve,
    // No value must be removed before another.
    blocks: |_| (0, 0),
    may_repeat: true,
    may_peek: false,
};

fn solve(key: &Key<'_>, bag: &Container) -> Claim {
    gaps::fill(key, bag, bag.items.iter(), |_, _, item| Ok(item.take_start))
}
