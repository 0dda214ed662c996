//! Events of the cluster that faults can wait for, as the nodes say them while clients are active.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use nemesis::{ClusterEvent, NodeId, Trigger};
use tokio::sync::watch;

use crate::systems::{Status, StatusClient, leader_of, leaders_of};

/// Number of times that each event has happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct EventCounts(BTreeMap<ClusterEvent, u32>);

impl EventCounts {
    /// Returns true if an event has happened as often as a fault waits for.
    pub(super) fn has_reached(&self, trigger: Trigger) -> bool {
        self.0.get(&trigger.event).is_some_and(|count| *count >= trigger.nth)
    }
}

/// Asks the nodes again and again for their status, and counts the events that follow.
pub(super) async fn count_events(observer: StatusClient, counts: watch::Sender<EventCounts>) {
    let mut view = View::default();
    loop {
        let events = view.events(&observer.statuses().await);
        if !events.is_empty() {
            let count =
                |counts: &mut EventCounts| events.iter().for_each(|event| *counts.0.entry(*event).or_default() += 1);
            counts.send_modify(count);
        }
        tokio::time::sleep(observer.effort().poll).await;
    }
}

/// Latest answers of the nodes. The first look is no event.
#[derive(Debug, Default)]
struct View {
    leadership: Leadership,
    /// Snapshots that each node had begun, as far as it has answered since its process started.
    snapshots: BTreeMap<usize, u64>,
    members: Option<MembersView>,
}

/// Members as the leader said.
#[derive(Debug, PartialEq, Eq)]
struct MembersView {
    members: Option<BTreeSet<u16>>,
    is_changing: bool,
}

impl View {
    fn events(&mut self, statuses: &[Option<Status>]) -> Vec<ClusterEvent> {
        let mut events: Vec<ClusterEvent> = self.leadership.event(leaders_of(statuses).current).into_iter().collect();
        for (node, status) in statuses.iter().enumerate() {
            let Some(status) = status else { continue };
            let now = status.counters.snapshots_begun;
            let before = self.snapshots.insert(node, now);
            events.extend(before.filter(|before| *before < now).map(|_| ClusterEvent::SnapshotBegun));
        }
        if let Some((_, leader)) = leader_of(statuses) {
            let now = MembersView { members: leader.members.clone(), is_changing: leader.members_change };
            // A change may begin and end between two looks.
            let begins = self.members.as_ref().is_some_and(|before| !before.is_changing && *before != now);
            events.extend(begins.then_some(ClusterEvent::MembersChanging));
            self.members = Some(now);
        }
        events
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

    use super::{EventCounts, Leadership, View};
    use crate::systems::{Counters, RoleStatus, Status};

    #[test]
    fn a_snapshot_and_a_change_of_members_are_events_when_they_begin() {
        let status = |snapshots_begun, leads, members_change| {
            let name = if leads { "leader" } else { "follower" }.to_owned();
            let (leader, applied, commit, members) = (Some(1), 5, 5, None);
            let role = RoleStatus { name, leads, term: 1, leader, applied, commit, members, members_change };
            let counters = Counters { snapshots_begun, ..Counters::default() };
            Some(Status { role: Some(role), counters, checkpoints: Vec::new() })
        };
        let mut view = View::default();
        let mut see = |leader: (u64, bool), follower: Option<(u64, bool)>| {
            let follower = follower.and_then(|(begun, changing)| status(begun, false, changing));
            view.events(&[status(leader.0, true, leader.1), follower])
        };
        let (snapshot, changing) = (ClusterEvent::SnapshotBegun, ClusterEvent::MembersChanging);
        assert_eq!(see((2, false), Some((1, false))), [], "the first look is no event");
        assert_eq!(see((3, false), Some((2, true))), [snapshot, snapshot], "one of each node; a follower may be late");
        assert_eq!(see((3, true), None), [changing]);
        assert_eq!(see((3, true), Some((0, false))), [], "it goes on, and a process that starts counts from 0");
        assert_eq!(see((3, false), Some((1, false))), [snapshot]);
        assert_eq!(see((3, true), Some((1, false))), [changing], "it is another change");
    }

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
