//! Rules for advancing the commit index (§5.3, §5.4.2).

use super::{LogIndex, Term};

/// Returns the greatest value that this number of members has reached, a quorum unless a defect says otherwise (§5.3,
/// figure 2 "Leaders"). Used for match indexes and for heartbeat rounds.
pub(super) fn reached_by<T: Ord + Copy>(members: usize, of_each_member: &mut [T]) -> T {
    of_each_member.sort_unstable();
    of_each_member[of_each_member.len() - members]
}

/// Returns true if a leader in term `current` may commit an entry by counting replicas. Only entries of its own term
/// qualify; they commit all entries before them. An entry of an older term can be stored on a majority and still be
/// overwritten (§5.4.2, figure 8).
pub(super) fn may_commit(entry_term: Option<Term>, current: Term) -> bool {
    entry_term == Some(current)
}

/// Returns the commit index for a follower: at most the last entry that the message proved equal to the leader's.
/// Entries after it may be left over from another leader (figure 2, `AppendEntries` step 5).
pub(super) fn follower_commit(leader_commit: LogIndex, last_matched: LogIndex) -> LogIndex {
    leader_commit.min(last_matched)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts for each index how many members have it: slow, but literally the definition.
    fn majority_by_counting(of_each: &[u64]) -> u64 {
        let has = |index: u64| of_each.iter().filter(|&&match_index| match_index >= index).count();
        (0..=10).rev().find(|&index| has(index) * 2 > of_each.len()).unwrap()
    }

    #[test]
    fn the_majority_index_agrees_with_counting() {
        for members in 1_u32..=5 {
            for case in 0..5_u64.pow(members) {
                let mut of_each: Vec<u64> = (0..members).map(|member| case / 5_u64.pow(member) % 5).collect();
                let quorum = of_each.len() / 2 + 1;
                let counted = majority_by_counting(&of_each);
                assert_eq!(reached_by(quorum, &mut of_each), counted, "{of_each:?}");
            }
        }
    }

    #[test]
    fn an_even_cluster_needs_more_than_half() {
        assert_eq!(reached_by(3, &mut [5, 5, 0, 0]), 0);
        assert_eq!(reached_by(3, &mut [5, 5, 3, 0]), 3);
    }

    #[test]
    fn only_own_term_is_committed_by_counting() {
        assert!(may_commit(Some(Term(4)), Term(4)));
        assert!(!may_commit(Some(Term(2)), Term(4)));
        assert!(!may_commit(None, Term(4)));
    }

    #[test]
    fn a_follower_commits_only_what_was_matched() {
        assert_eq!(follower_commit(LogIndex(9), LogIndex(4)), LogIndex(4));
        assert_eq!(follower_commit(LogIndex(3), LogIndex(4)), LogIndex(3));
    }
}
