//! Rules of the paper as a list, and a count of how often each decided something: what a run has exercised.

use std::ops::AddAssign;

/// Rule that decided something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A node recovered its term, vote and log.
    Recovery,
    /// A later term made a node a follower.
    LaterTerm,
    /// A request of a past term was refused.
    PastTerm,
    /// A node asked for pre-votes.
    PreVote,
    /// A node became a candidate.
    Candidacy,
    /// A node gave its vote.
    Vote,
    /// A node withheld its vote because a leader was alive.
    LeaderAlive,
    /// A candidate's log was not up to date.
    OutdatedLog,
    /// A majority elected a leader.
    Leader,
    /// A leader that no quorum answered stepped down.
    LostQuorum,
    /// Entries were refused because those before them differed.
    Inconsistency,
    /// A conflicting suffix was removed.
    Truncation,
    /// A majority had entries of the leader's term.
    Commit,
    /// A majority had entries, but of an earlier term.
    EarlierTerm,
    /// A snapshot of the leader's was installed.
    SnapshotInstallation,
    /// The log was replaced by a snapshot.
    Compaction,
    /// A round of heartbeats confirmed reads.
    ReadIndex,
    /// A read was answered under a lease.
    Lease,
    /// The clock went backwards.
    ClockBackwards,
    /// A leader changed the configuration.
    MembershipChange,
    /// A leader that is no member any more stepped down.
    RemovedLeader,
    /// A leader asked another node to take over.
    Transfer,
}

impl Rule {
    /// All rules, in the order of their numbers.
    pub const ALL: [Self; 22] = [
        Self::Recovery,
        Self::LaterTerm,
        Self::PastTerm,
        Self::PreVote,
        Self::Candidacy,
        Self::Vote,
        Self::LeaderAlive,
        Self::OutdatedLog,
        Self::Leader,
        Self::LostQuorum,
        Self::Inconsistency,
        Self::Truncation,
        Self::Commit,
        Self::EarlierTerm,
        Self::SnapshotInstallation,
        Self::Compaction,
        Self::ReadIndex,
        Self::Lease,
        Self::ClockBackwards,
        Self::MembershipChange,
        Self::RemovedLeader,
        Self::Transfer,
    ];

    /// Returns the rule in a few words, with its section of the extended paper, or of the dissertation (D).
    pub fn name(self) -> &'static str {
        match self {
            Self::Recovery => "state recovered after a restart (figure 2)",
            Self::LaterTerm => "later term obeyed (5.1)",
            Self::PastTerm => "past term refused (5.1)",
            Self::PreVote => "pre-vote asked for (D 9.6)",
            Self::Candidacy => "election begun (5.2)",
            Self::Vote => "vote given (5.2)",
            Self::LeaderAlive => "vote withheld, a leader is alive (6, D 4.2.3)",
            Self::OutdatedLog => "vote refused, the log is outdated (5.4.1)",
            Self::Leader => "leader elected (5.2)",
            Self::LostQuorum => "leader without a quorum stepped down (D 6.2)",
            Self::Inconsistency => "entries refused, those before differ (5.3)",
            Self::Truncation => "conflicting entries removed (5.3)",
            Self::Commit => "entries committed by a majority (5.3)",
            Self::EarlierTerm => "entries of an earlier term not counted (5.4.2)",
            Self::SnapshotInstallation => "snapshot installed (7)",
            Self::Compaction => "log compacted (7)",
            Self::ReadIndex => "reads confirmed by a round (D 6.4)",
            Self::Lease => "read under a lease (D 6.4.1)",
            Self::ClockBackwards => "clock that went backwards noticed (D 6.4.1)",
            Self::MembershipChange => "configuration changed (6)",
            Self::RemovedLeader => "leader that was removed stepped down (6)",
            Self::Transfer => "leadership handed over (D 3.10)",
        }
    }
}

/// Number of times that each rule decided something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleCounts([u64; Rule::ALL.len()]);

impl RuleCounts {
    pub(super) fn count(&mut self, rule: Rule) {
        self.0[rule as usize] += 1;
    }

    /// Returns all rules with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (Rule, u64)> {
        Rule::ALL.into_iter().zip(self.0)
    }
}

impl AddAssign for RuleCounts {
    fn add_assign(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, more)| *sum += more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_has_a_count_of_its_own() {
        let mut counts = RuleCounts::default();
        for (times, rule) in (1..).zip(Rule::ALL) {
            (0..times).for_each(|_| counts.count(rule));
        }
        counts += counts;
        assert!(counts.iter().eq(Rule::ALL.into_iter().zip((1..).map(|times| 2 * times))));
    }
}
