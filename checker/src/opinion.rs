//! The second opinion on a "no": every order of its operations is tried; where these are too many, another method must find as well that
//! there is none. Where nobody can say, nobody says "no".

use histories::Operation;

use crate::{
    Limits, UnknownWhy,
    generic::{self, By},
    model::{Call, Specification},
    patience::Patience,
    verify::some_order,
};

/// Orders that are tried of the operations of a violation.
const MAX_TRIES: usize = 20_000;

/// Why a violation is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// There is an order.
    Explained,
    /// Nobody could say within the limits.
    Unconfirmed,
}

impl Doubt {
    /// As the reason for an unknown verdict, of a claim about so many operations.
    pub(crate) fn why(self, operations: usize, claim: &str) -> UnknownWhy {
        match self {
            Self::Explained => {
                let what = format!("{operations} operations can be ordered, although it found: {claim}");
                UnknownWhy::Internal { what }
            }
            Self::Unconfirmed => UnknownWhy::Unconfirmed { operations },
        }
    }
}

/// Whether these calls, each made by one of these operations, have no order. `found_by` tells who says so, since nobody is a second
/// opinion on himself; `another` is asked before the search for any specification.
pub(crate) fn refute(
    object: &impl Specification,
    operations: &[Operation],
    calls: &[Call<'_>],
    found_by: By,
    another: impl FnOnce() -> Option<bool>,
    limits: &Limits<'_>,
) -> Result<(), Doubt> {
    let is_explained = some_order(object, operations, calls, MAX_TRIES, &Patience::new(limits))
        .or_else(another)
        .or_else(|| generic::can_be_ordered(object, operations, calls, found_by, limits));
    match is_explained {
        Some(true) => Err(Doubt::Explained),
        Some(false) => Ok(()),
        None => Err(Doubt::Unconfirmed),
    }
}
