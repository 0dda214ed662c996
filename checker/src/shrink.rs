//! Shrinking of violations, as far as it is the same for every object: pieces are left out as long as the rest is still
//! refuted, and the searches for that get only so much time. An object adds which of its pieces may go without creating
//! a violation that was not there.

use crate::{Limits, sorted::sorted};

/// Maximum number of changes that are shown with an answer that none of them explains: more would tell nothing.
pub(crate) const MAX_CHANGES_SHOWN: usize = 12;

/// Maximum number of queries of the limits (a few thousand steps each) for all attempts.
const MAX_ALL_QUESTIONS: usize = 2_000;

/// Number of undecided attempts after which there are no more: the rest would fare no better.
const MAX_UNANSWERED: usize = 8;

/// Number of pieces whose preparation counts as one query.
const PIECES_PER_QUESTION: usize = 4_096;

/// Number of pieces up to which they are left out only one by one: groups of so few rarely go.
const FEW: usize = 4;

/// Removes pieces as long as `is_refuted` is true of the rest, the last ones first. Tries large groups first, so that
/// few attempts suffice. Stops when `is_refuted` returns `None`.
pub(crate) fn minimal<T: Clone>(mut kept: Vec<T>, mut is_refuted: impl FnMut(&[T]) -> Option<bool>) -> Vec<T> {
    let mut size = if kept.len() <= FEW { 1.min(kept.len()) } else { kept.len() };
    while size > 0 {
        let mut end = kept.len();
        while end > 0 {
            let begin = end.saturating_sub(size);
            let fewer = [&kept[..begin], &kept[end..]].concat();
            match is_refuted(&fewer) {
                Some(true) => kept = fewer,
                Some(false) => {}
                None => return kept,
            }
            end = begin;
        }
        size /= 2;
    }
    kept
}

/// Removes pieces as [`minimal`] does. Fails where `is_refuted` does.
pub(crate) fn try_minimal<T: Clone, E>(
    kept: Vec<T>,
    mut is_refuted: impl FnMut(&[T]) -> Result<bool, E>,
) -> Result<Vec<T>, E> {
    let mut stopped = Ok(());
    let few = minimal(kept, |few| is_refuted(few).map_err(|why| stopped = Err(why)).ok());
    stopped.map(|()| few)
}

/// Merges both lists, in ascending order and without duplicates.
pub(crate) fn merged(a: &[u32], b: &[u32]) -> Vec<u32> {
    sorted([a, b].concat())
}

/// Time that is left for attempts to find out whether fewer pieces are refuted, too.
pub(crate) struct Attempts<'a> {
    limits: &'a Limits<'a>,
    /// Maximum number of queries of the limits for one attempt.
    most: usize,
    /// Number of queries of the limits that are left for all attempts.
    questions: usize,
    /// Number of attempts that decided nothing.
    unanswered: usize,
}

impl<'a> Attempts<'a> {
    /// Allows attempts of at most this many queries of the limits each.
    pub(crate) fn new(limits: &'a Limits<'a>, most: usize) -> Self {
        Self { limits, most, questions: MAX_ALL_QUESTIONS, unanswered: 0 }
    }

    /// Starts anew: what follows does not depend on what was undecided so far.
    pub(crate) fn renew(&mut self) {
        *self = Self::new(self.limits, self.most);
    }

    /// Runs one search of this many pieces within its share of the limits. Returns `None` if there is no time left, or
    /// too many attempts decided nothing.
    pub(crate) fn run<T>(
        &mut self,
        pieces: usize,
        search: impl FnOnce(&Limits<'_>) -> T,
        is_undecided: impl FnOnce(&T) -> bool,
    ) -> Option<T> {
        if self.unanswered == MAX_UNANSWERED || self.limits.ask().is_err() {
            self.questions = 0;
        }
        self.questions = self.questions.checked_sub(1 + pieces / PIECES_PER_QUESTION)?;
        let granted = self.questions.min(self.most);
        let (found, left) = self.limits.within(granted, search);
        self.questions -= granted - left;
        self.unanswered += usize::from(is_undecided(&found));
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what is left of the first `count` numbers if those in `wanted` are refuted together, and the number of
    /// attempts.
    fn fewest(count: u32, wanted: &[u32]) -> (Vec<u32>, usize) {
        let mut attempts = 0;
        let few = minimal((0..count).collect(), |kept| {
            attempts += 1;
            Some(wanted.iter().all(|piece| kept.contains(piece)))
        });
        (few, attempts)
    }

    #[test]
    fn what_is_left_is_what_is_needed() {
        for count in 0..40_u32 {
            for wanted in [&[][..], &[0], &[count / 2, count.saturating_sub(1)], &[0, 1, count / 3]] {
                if wanted.iter().any(|piece| *piece >= count) {
                    continue;
                }
                assert_eq!(fewest(count, wanted).0, sorted(wanted.to_vec()), "of {count}");
            }
        }
    }

    #[test]
    fn a_few_among_many_are_found_in_few_attempts_and_a_few_alone_one_by_one() {
        assert!(fewest(1024, &[17, 900]).1 < 64);
        assert_eq!(fewest(4, &[0, 1, 2, 3]).1, 4);
    }

    #[test]
    fn what_nobody_can_say_ends_it() {
        assert_eq!(minimal(vec![1, 2, 3], |_| None), [1, 2, 3]);
        assert_eq!(try_minimal(vec![1, 2, 3], |_| Err(())), Err(()));
    }

    #[test]
    fn attempts_end_with_what_they_may_ask_for_in_all_and_after_some_that_decided_nothing() {
        let limits = Limits::none();
        let mut attempts = Attempts::new(&limits, 64);
        let mut asked = 0;
        let ask_all = |limits: &Limits<'_>| {
            while (limits.keep_going)() {
                asked += 1;
            }
        };
        assert_eq!(attempts.run(1, ask_all, |()| false), Some(()));
        assert_eq!(asked, 64);
        for _ in 0..MAX_UNANSWERED {
            assert_eq!(attempts.run(1, |_| (), |()| true), Some(()));
        }
        assert_eq!(attempts.run(1, |_| (), |()| false), None);
        attempts.renew();
        assert_eq!(attempts.run(PIECES_PER_QUESTION * MAX_ALL_QUESTIONS, |_| (), |()| false), None);
    }
}
