//! Rule for when a node replaces its log by a snapshot: after a number of entries or bytes, at a different time on
//! each node.

use crate::{config::Config, raft::LogIndex};

/// Bytes of the log after which it is compacted, however few its entries are; up to twice as many on the last member.
const MAX_LOG_BYTES: u64 = 64 << 20;

/// Points of the log at which one node compacts.
#[derive(Clone, Copy, Debug)]
pub(super) struct CompactionRule {
    after_entries: u64,
    /// Offset of this node within a compaction period, so that the nodes compact at different times.
    shift_entries: u64,
    max_bytes: u64,
    /// Last entry of the last snapshot, and the first one with which the next snapshot is due.
    last: LogIndex,
    next: LogIndex,
}

impl CompactionRule {
    pub(super) fn new(config: &Config) -> Self {
        let rank = config.peers.keys().filter(|id| **id < config.id).count() as u64;
        let share = |whole: u64| whole.saturating_mul(rank) / config.peers.len() as u64;
        let rule = Self {
            after_entries: config.snapshot_after_entries,
            shift_entries: share(config.snapshot_after_entries),
            max_bytes: MAX_LOG_BYTES + share(MAX_LOG_BYTES),
            last: LogIndex(0),
            next: LogIndex(0),
        };
        rule.after_snapshot(LogIndex(0))
    }

    /// Returns the rule after a snapshot at `last`.
    pub(super) fn after_snapshot(self, last: LogIndex) -> Self {
        let periods = last.0.saturating_add(self.shift_entries) / self.after_entries + 1;
        let next = LogIndex(periods.saturating_mul(self.after_entries).saturating_sub(self.shift_entries));
        Self { last, next, ..self }
    }

    /// Returns true if a snapshot of the state at `applied` is due, when the log file has `log_bytes`.
    pub(super) fn is_due(&self, applied: LogIndex, log_bytes: u64) -> bool {
        applied >= self.next || (log_bytes > self.max_bytes && applied > self.last)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, net::SocketAddr};

    use super::*;
    use crate::raft::NodeId;

    fn rule(id: u64, after_entries: u64) -> CompactionRule {
        let peers: BTreeMap<_, _> = (1..=3)
            .map(|id| (NodeId(id), SocketAddr::from(([127, 0, 0, 1], 7000 + u16::try_from(id).unwrap()))))
            .collect();
        let mut config = Config::new(NodeId(id), peers, SocketAddr::from(([127, 0, 0, 1], 8001)), "data");
        config.snapshot_after_entries = after_entries;
        CompactionRule::new(&config)
    }

    fn points(rule: CompactionRule, start: u64) -> Vec<u64> {
        let (mut points, mut rule) = (Vec::new(), rule.after_snapshot(LogIndex(start)));
        for applied in start..400 {
            if rule.is_due(LogIndex(applied), 0) {
                points.push(applied);
                rule = rule.after_snapshot(LogIndex(applied));
            }
        }
        points
    }

    #[test]
    fn each_node_has_points_of_its_own() {
        assert_eq!(points(rule(1, 90), 0), [90, 180, 270, 360]);
        assert_eq!(points(rule(2, 90), 0), [60, 150, 240, 330]);
        assert_eq!(points(rule(3, 90), 0), [30, 120, 210, 300, 390]);
    }

    #[test]
    fn they_stay_apart_after_a_snapshot_of_the_leaders() {
        assert_eq!(points(rule(1, 90), 200), [270, 360]);
        assert_eq!(points(rule(3, 90), 200), [210, 300, 390]);
        assert_eq!(points(rule(3, 1), 390), (391..400).collect::<Vec<_>>());
    }

    #[test]
    fn a_log_of_few_long_entries_is_compacted_too() {
        let rule = rule(1, 10_000).after_snapshot(LogIndex(5));
        assert!(!rule.is_due(LogIndex(50), MAX_LOG_BYTES));
        assert!(rule.is_due(LogIndex(50), MAX_LOG_BYTES + 1));
        assert!(!rule.is_due(LogIndex(5), MAX_LOG_BYTES + 1), "a snapshot would not shorten it");
    }
}
