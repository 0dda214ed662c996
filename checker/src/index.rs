//! Numbers of things, each kind of a type of its own, so that none is taken for another; and numbers that may be
//! missing. Both in four bytes: methods hold millions of them.

use std::marker::PhantomData;

/// Defines types of numbers, which count from 0.
macro_rules! indices {
    ($($(#[$documentation:meta])* $name:ident,)*) => {
        $(
            $(#[$documentation])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub(crate) struct $name(u32);

            impl $name {
                #[inline]
                #[allow(dead_code, reason = "some numbers are no index of a vector")]
                pub(crate) fn index(self) -> usize {
                    self.0 as usize
                }
            }

            impl From<u32> for $name {
                #[inline]
                fn from(number: u32) -> Self {
                    Self(number)
                }
            }

            impl From<usize> for $name {
                #[inline]
                fn from(index: usize) -> Self {
                    Self(u32::try_from(index).expect("fewer things than 2^32 fit in memory"))
                }
            }

            impl From<$name> for u32 {
                #[inline]
                fn from(number: $name) -> Self {
                    number.0
                }
            }
        )*
    };
}

pub(crate) use indices;

/// Number of a thing, or none, which comes after all numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OptionalIndex<I = u32>(u32, PhantomData<I>);

impl<I: From<u32>> OptionalIndex<I> {
    pub(crate) const NONE: Self = Self(u32::MAX, PhantomData);

    #[inline]
    pub(crate) fn get(self) -> Option<I> {
        (self.0 != u32::MAX).then(|| I::from(self.0))
    }
}

impl<I: Into<u32>> From<I> for OptionalIndex<I> {
    #[inline]
    fn from(index: I) -> Self {
        let number = index.into();
        debug_assert!(number < u32::MAX, "fewer things than 2^32 - 1 fit in memory");
        Self(number, PhantomData)
    }
}

impl<I: Into<u32> + From<u32>> From<Option<I>> for OptionalIndex<I> {
    #[inline]
    fn from(index: Option<I>) -> Self {
        index.map_or(Self::NONE, Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::OptionalIndex;

    indices! {
        /// Number of a place.
        Place,
    }

    #[test]
    fn a_missing_number_is_none_and_comes_after_all_others_in_the_same_four_bytes() {
        let (missing, last) = (OptionalIndex::<Place>::NONE, OptionalIndex::from(Place::from(u32::MAX - 1)));
        assert_eq!((missing.get(), last.get()), (None, Some(Place(u32::MAX - 1))));
        assert!(last < missing);
        assert_eq!([None, Some(Place(7))].map(OptionalIndex::from), [missing, Place(7).into()]);
        assert_eq!(size_of::<OptionalIndex<Place>>(), size_of::<u32>());
        assert_eq!((Place::from(3_usize).index(), u32::from(Place(3))), (3, 3));
    }
}
