//! Events of the cluster that faults can wait for, as the nodes say them while clients are active.

use std::{collections::BTreeMap, mem};

use nemesis::{ClusterEvent, NodeId, Trigger};
use tokio::sync::watch;

use crate::systems::StatusClient;

/// Number of times that each event has happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct EventCounts(BTreeMap<ClusterEvent, u32>);

impl EventCounts {
    /// Returns true if an event has happened as often as a fault waits for.
    pub(super) fn has_reached(&self, trigger: Trigger) -> bool {
        self.0.get(&trigger.event).is_some_and(|count| *count >= trigger.nth)
    }
}

/// Asks the nodes again and again who leads, and counts the events that follow.
pub(super) async fn count_events(observer: StatusClient, counts: watch::Sender<EventCounts>) {
    let mut leadership = Leadership::default();
    loop {
        if let Some(event) = leadership.event(observer.leaders().await.current) {
            counts.send_modify(|counts| *counts.0.entry(event).or_default() += 1);
        }
        tokio::time::sleep(observer.effort().poll).await;
    }
}

/// Leader that was seen last. The first look is no event.
#[derive(Debug, Default)]
struct Leadership {
    has_looked: bool,
    last: Option<NodeId>,
}

impl Leadership {
    fn event(&mut self, now: Option<NodeId>) -> Option<ClusterEvent> {
        let before = mem::replace(&mut self.last, now);
        if !mem::replace(&mut self.has_looked, true) {
            return None;
        }
        match now {
            Some(_) if now != before => Some(ClusterEvent::LeaderElected),
            None if before.is_some() => Some(ClusterEvent::LeaderLost),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use nemesis::{ClusterEvent, NodeId, Trigger};

    use super::{EventCounts, Leadership};

    #[test]
    fn a_leader_is_elected_when_another_leads_or_one_again_and_lost_when_none_does() {
        let mut leadership = Leadership::default();
        let mut see = |leader: Option<u16>| leadership.event(leader.map(NodeId));
        let (elected, lost) = (Some(ClusterEvent::LeaderElected), Some(ClusterEvent::LeaderLost));
        for (leader, event) in
            [(Some(1), None), (Some(1), None), (Some(2), elected), (None, lost), (None, None), (Some(2), elected)]
        {
            assert_eq!(see(leader), event, "{leader:?}");
        }
    }

    #[test]
    fn a_fault_waits_for_its_occurrence() {
        let event = ClusterEvent::LeaderElected;
        let counts = EventCounts([(event, 2)].into());
        let reached = |event, nth| counts.has_reached(Trigger { event, nth });
        assert_eq!([1, 2, 3].map(|nth| reached(event, nth)), [true, true, false]);
        assert!(!reached(ClusterEvent::LeaderLost, 1));
    }
}
