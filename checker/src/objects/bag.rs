//! A bag, in O(n log n): of unique values exactly, and of values that come back where no take found nothing.
//!
//! **Values that are put in once each have an order exactly if no take of one ends before its put starts, and each empty take has a gap
//! in which nothing is certainly inside.** Necessary: an empty take happens in some gap, and what is certainly inside is inside
//! then. Sufficient: let each value be taken in the first gap of its take, and be put in as late as it can. It is then inside only
//! in gaps in which it certainly is, so any gap without such a value will do for an empty take; and to other takes it does not matter what
//! is inside.
//!
//! **Values that come back, without empty takes, have an order exactly if for each value and each k, the take of it that ends as the
//! k-th ends after its k-th put starts.** Necessary: k takes of one value need k puts. Sufficient: let the take that ends
//! k-th take what the put that starts k-th put in; each pair by itself is as above. Takes of unknown outcome need not have happened
//! then. **With empty takes**, which put belongs to which take matters: if the pairs above lead to an order, it is
//! one; if not, this method does not decide.

use super::{
    Key,
    container::{Container, Kind, Trouble},
    gaps,
};
use crate::model::bag::NAMES;

pub(super) const KIND: Kind = Kind {
    noun: "bag",
    names: &NAMES,
    solve,
    // Nothing must be taken before anything else.
    blocks: |_| (0, 0),
    may_repeat: true,
    may_peek: false,
};

fn solve(key: &Key<'_>, bag: &Container) -> Result<Vec<u32>, Trouble> {
    gaps::fill(key, bag, bag.items.iter(), |_, _, item| Ok(item.take_start))
}
