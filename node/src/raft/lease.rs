//! Heartbeat rounds, and the two conclusions from a quorum's acknowledgement of one: this node still led after the
//! round began (`ReadIndex`, dissertation §6.4), and nobody else can be elected for a while (lease, §6.4.1).
//!
//! The assumption about clocks: while the leader's clock advances by `lease`, no voter's clock advances by
//! `election_timeout`. Every voter of the quorum heard of the round after it began, and gives no vote for
//! `election_timeout` after hearing; so a lease counted from the *beginning* of the round ends before any other
//! leader can be elected. A clock that violates the assumption breaks lease reads, and no others.

use std::{collections::VecDeque, time::Duration};

use super::Time;

/// Maximum number of unacknowledged rounds whose start is remembered; the acknowledgement of an older round confirms
/// reads but renews no lease.
const MAX_REMEMBERED: usize = 256;

/// Heartbeat rounds of one leader in one term.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    newest: u64,
    began: VecDeque<(u64, Time)>,
    acknowledged: u64,
    /// Start of the newest round that a quorum acknowledged.
    acknowledged_began: Option<Time>,
}

impl Rounds {
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// Returns the newest round that a quorum has acknowledged.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Begins a round: every message sent from now on carries its number.
    pub(super) fn begin(&mut self, now: Time) {
        self.newest += 1;
        if self.began.len() == MAX_REMEMBERED {
            self.began.pop_front();
        }
        self.began.push_back((self.newest, now));
    }

    /// Records that a quorum, this leader included, has acknowledged `round`. Returns true if this was news.
    pub(super) fn acknowledge(&mut self, round: u64) -> bool {
        let is_news = round > self.acknowledged;
        self.acknowledged = self.acknowledged.max(round);
        while let Some(&(number, began)) = self.began.front()
            && number <= self.acknowledged
        {
            self.acknowledged_began = Some(began);
            self.began.pop_front();
        }
        is_news
    }

    /// Counts the lease from `now`, which only a node with a defect does.
    pub(super) fn restart_lease(&mut self, now: Time) {
        self.acknowledged_began = Some(now);
    }

    /// Returns true if a quorum has acknowledged a round that began less than `span` ago, by this node's clock.
    pub(super) fn acknowledged_within(&self, span: Duration, now: Time) -> bool {
        self.acknowledged_began.is_some_and(|began| now.since(began) < span)
    }

    /// Returns the end of a lease of length `lease`.
    pub(super) fn lease_until(&self, lease: Duration) -> Option<Time> {
        self.acknowledged_began.map(|began| began.after(lease))
    }

    /// Forgets all times after the clock went backwards: no span measured by it holds any longer.
    pub(super) fn forget_times(&mut self) {
        self.began.clear();
        self.acknowledged_began = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_nanos(100);

    #[test]
    fn a_lease_counts_from_the_beginning_of_the_round_and_not_from_the_answer() {
        let mut rounds = Rounds::default();
        rounds.begin(Time(10));
        rounds.begin(Time(60));
        assert_eq!(rounds.lease_until(LEASE), None, "nobody has answered");
        rounds.acknowledge(1);
        assert_eq!(rounds.lease_until(LEASE), Some(Time(110)), "whenever the answer came");
        rounds.acknowledge(2);
        assert_eq!(rounds.lease_until(LEASE), Some(Time(160)));
    }

    #[test]
    fn a_late_acknowledgement_of_an_older_round_changes_nothing() {
        let mut rounds = Rounds::default();
        rounds.begin(Time(10));
        rounds.begin(Time(60));
        rounds.acknowledge(2);
        rounds.acknowledge(1);
        assert_eq!((rounds.acknowledged, rounds.lease_until(LEASE)), (2, Some(Time(160))));
    }

    #[test]
    fn a_lease_ends_on_its_last_nanosecond() {
        let mut rounds = Rounds::default();
        rounds.begin(Time(10));
        rounds.acknowledge(1);
        assert!(rounds.acknowledged_within(LEASE, Time(109)));
        assert!(!rounds.acknowledged_within(LEASE, Time(110)));
    }

    #[test]
    fn a_forgotten_round_renews_no_lease() {
        let mut rounds = Rounds::default();
        for time in 0..=MAX_REMEMBERED as u64 {
            rounds.begin(Time(time));
        }
        rounds.acknowledge(1);
        assert_eq!(rounds.lease_until(LEASE), None);
        rounds.acknowledge(2);
        assert_eq!(rounds.lease_until(LEASE), Some(Time(101)));
    }

    #[test]
    fn a_clock_that_went_backwards_ends_the_lease() {
        let mut rounds = Rounds::default();
        rounds.begin(Time(10));
        rounds.begin(Time(20));
        rounds.acknowledge(1);
        rounds.forget_times();
        rounds.acknowledge(2);
        assert_eq!((rounds.acknowledged, rounds.lease_until(LEASE)), (2, None));
    }
}
