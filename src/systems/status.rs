//! Status of the nodes: who leads by it, and when a cluster is ready or has recovered.

use std::{collections::BTreeSet, ffi::OsString, path::PathBuf, time::Duration};

use nemesis::{Leaders, NodeId};
use serde::Deserialize;
use workloads::Message;

use super::log_status::LogLines;

/// Status that a node reports of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Status {
    /// Role of the node, if the system has roles.
    pub(crate) role: Option<RoleStatus>,
    pub(crate) counters: Counters,
    /// States that it had at some indices of the log; empty if it does not tell them.
    pub(crate) checkpoints: Vec<Checkpoint>,
}

/// State of a node right after it applied the entry of the log at an index.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Checkpoint {
    pub(crate) index: u64,
    /// Term of that entry.
    pub(crate) term: u64,
    /// Digest of the state, equal exactly for equal states.
    pub(crate) digest: String,
}

/// Role of a node, and how far it is.
#[derive(Clone, Debug)]
pub(crate) struct RoleStatus {
    /// Name of the role, for people.
    pub(crate) name: String,
    pub(crate) leads: bool,
    pub(crate) term: u64,
    /// Leader that the node follows.
    pub(crate) leader: Option<u16>,
    pub(crate) applied: u64,
    pub(crate) commit: u64,
    /// Members of the cluster, as the node knows them; none if all nodes are.
    pub(crate) members: Option<BTreeSet<u16>>,
    /// True if a change of the members is under way, as far as the node knows.
    pub(crate) members_change: bool,
}

impl RoleStatus {
    /// Returns true if a node is a member, as this one knows it.
    fn has_member(&self, node: u16) -> bool {
        self.members.as_ref().is_none_or(|members| members.contains(&node))
    }
}

/// Counters of a node since its process started; 0 where it does not count.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    /// Messages sent to peers.
    pub(crate) messages: u64,
    pub(crate) fsyncs: u64,
    /// Snapshots of its state that it began to make.
    pub(crate) snapshots_begun: u64,
}

/// Way in which a node is asked for its status.
#[derive(Clone, Debug)]
pub(crate) enum StatusRequest {
    /// HTTP request to its client port.
    Page(Message),
    /// Connection to its client port, which need not be answered.
    Port,
    /// Program that asks it: its success is status 200, its output the body.
    Command { program: PathBuf, args: Vec<OsString> },
    /// Its log: status 200 once it is up, the last line about its role the body.
    Log(LogLines),
}

/// Effort of asking the nodes for their status, which says how often and for how long that is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Interval at which nodes are asked that are waited for.
    pub(crate) poll: Duration,
    /// Maximum time to look for a leader to aim a fault at.
    pub(crate) aim_within: Duration,
    /// True if nodes can be asked throughout a load, for what they count.
    pub(crate) suits_load: bool,
}

impl Effort {
    /// Effort of a request, or of a look at a log.
    pub(super) const SMALL: Self =
        Self { poll: Duration::from_millis(10), aim_within: Duration::from_secs(1), suits_load: true };
    /// Effort of programs, whose start takes time that the nodes need.
    pub(super) const OF_PROGRAMS: Self =
        Self { poll: Duration::from_millis(100), aim_within: Duration::from_secs(6), suits_load: false };
}

/// Answer of a node that was asked for its status; without status and body if it was only connected to.
#[derive(Clone, Debug, Default)]
pub(crate) struct StatusPage {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// Returns the node that claims to lead, of several the one in the latest term, and the next below as deposed.
pub(crate) fn leaders_of(statuses: &[Option<Status>]) -> Leaders {
    let roles = (1..).zip(statuses).filter_map(|(id, status)| Some((NodeId(id), status.as_ref()?.role.as_ref()?)));
    Leaders::of(roles.filter(|(_, role)| role.leads).map(|(id, role)| (id, role.term)).collect())
}

/// Returns the node that leads, with its role.
pub(crate) fn leader_of(statuses: &[Option<Status>]) -> Option<(u16, &RoleStatus)> {
    let leader = leaders_of(statuses).current?.0;
    Some((leader, statuses[usize::from(leader) - 1].as_ref()?.role.as_ref()?))
}

/// Returns the members of the cluster, as the node knows them that leads; none if all nodes are, or nobody says.
pub(crate) fn members_of(statuses: &[Option<Status>]) -> Option<BTreeSet<u16>> {
    leader_of(statuses)?.1.members.clone()
}

/// Returns true if every node answers, and, if the system has roles, a majority of the members follows one leader. A
/// node that is killed before it has any data would not start again, so all have to answer.
pub(crate) fn is_ready(has_roles: bool, statuses: &[Option<Status>]) -> bool {
    let is_led = || {
        let Some((leader, head)) = leader_of(statuses) else { return false };
        let members = (1..).zip(statuses).filter(|(node, _)| head.has_member(*node));
        let follows = |status: &Option<Status>| {
            status.as_ref().and_then(|status| status.role.as_ref()).is_some_and(|role| role.leader == Some(leader))
        };
        members.clone().filter(|(_, status)| follows(status)).count() > members.count() / 2
    };
    statuses.iter().all(Option::is_some) && (!has_roles || is_led())
}

/// Returns true if every node answers, and, if the system has roles, all members follow the same leader in the same
/// term and have applied everything that it knows to be committed.
pub(crate) fn is_settled(has_roles: bool, statuses: &[Option<Status>]) -> bool {
    if !has_roles {
        return is_ready(has_roles, statuses);
    }
    let Some((leader, head)) = leader_of(statuses) else { return false };
    let agrees =
        |role: &RoleStatus| role.leader == Some(leader) && role.term == head.term && role.applied >= head.commit;
    (1..).zip(statuses).all(|(node, status)| {
        let role = status.as_ref().and_then(|status| status.role.as_ref());
        role.is_some_and(|role| !head.has_member(node) || agrees(role))
    })
}

/// Describes why a cluster is not settled: what each node is, whom it follows and what it lacks, or that it does not
/// answer a question.
pub(crate) fn describe_unsettled(statuses: &[Option<Status>], questions: impl Iterator<Item = String>) -> String {
    let (leader, commit) = leader_of(statuses).map(|(leader, head)| (leader, head.commit)).unzip();
    let nodes = (1..).zip(statuses).zip(questions).map(|((id, status), question): ((u16, _), _)| {
        let Some(status) = status else { return format!("n{id} does not answer {question}") };
        let Some(role) = &status.role else { return format!("n{id} answers") };
        let follows = match role.leader {
            None => ", and knows no leader".to_owned(),
            Some(other) if other != id && Some(other) != leader => format!(", and takes n{other} for the leader"),
            Some(_) => String::new(),
        };
        let lacks = commit.filter(|commit| role.applied < *commit);
        let lacks = lacks.map(|commit| format!(", and has applied {} of {commit} committed entries", role.applied));
        format!("n{id} is {} in term {}{follows}{}", role.name, role.term, lacks.unwrap_or_default())
    });
    nodes.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use nemesis::{Leaders, NodeId};

    use super::{RoleStatus, Status, describe_unsettled, is_ready, is_settled, leaders_of, members_of};

    fn status(name: &str, term: u64, leader: Option<u16>, applied: u64) -> Status {
        let (leads, name) = (name == "leader", name.to_owned());
        let role =
            RoleStatus { name, leads, term, leader, applied, commit: applied, members: None, members_change: false };
        Status { role: Some(role), ..Status::default() }
    }

    #[test]
    fn of_two_claims_the_later_term_leads() {
        let statuses = [Some(status("leader", 2, Some(1), 5)), None, Some(status("leader", 3, Some(3), 5))];
        let both = Leaders { current: Some(NodeId(3)), deposed: Some(NodeId(1)) };
        assert_eq!(leaders_of(&statuses), both);
        assert_eq!(leaders_of(&statuses[..2]), Leaders { current: Some(NodeId(1)), deposed: None });
        assert_eq!(leaders_of(&[None, Some(status("follower", 3, None, 5))]), Leaders::default());
    }

    #[test]
    fn a_cluster_is_settled_when_all_follow_one_leader_and_have_caught_up() {
        let follower = |applied| Some(status("follower", 3, Some(2), applied));
        let leader = |term| Some(status("leader", term, Some(2), 5));
        assert!(is_settled(true, &[follower(5), leader(3), follower(6)]));
        assert!(!is_settled(true, &[None, leader(3), follower(5)]));
        assert!(!is_settled(true, &[follower(4), leader(3), follower(5)]));
        assert!(!is_settled(true, &[Some(status("leader", 2, Some(1), 5)), leader(3), follower(5)]));
        assert!(!is_settled(true, &[follower(5), follower(5), follower(5)]));
    }

    #[test]
    fn a_node_that_does_not_settle_is_told_with_what_it_lacks() {
        let statuses = [
            Some(status("leader", 2, Some(1), 5)),
            Some(status("leader", 3, Some(2), 9)),
            Some(status("follower", 3, Some(2), 4)),
            Some(status("follower", 2, Some(1), 9)),
            Some(status("candidate", 4, None, 9)),
            None,
            Some(Status::default()),
        ];
        let expected = "n1 is leader in term 2, and has applied 5 of 9 committed entries; n2 is leader in term 3; \
                        n3 is follower in term 3, and has applied 4 of 9 committed entries; \
                        n4 is follower in term 2, and takes n1 for the leader; \
                        n5 is candidate in term 4, and knows no leader; n6 does not answer /status; n7 answers";
        assert_eq!(describe_unsettled(&statuses, std::iter::repeat("/status".to_owned())), expected);
    }

    #[test]
    fn who_is_no_member_need_not_follow() {
        let of = |members: &[u16], status: Option<Status>| {
            let status = status.unwrap();
            let role = status.role.map(|role| RoleStatus { members: Some(members.iter().copied().collect()), ..role });
            Some(Status { role, ..status })
        };
        let follower = || status("follower", 3, Some(2), 5);
        let leader = |members: &[u16]| of(members, Some(status("leader", 3, Some(2), 5)));
        let spare = || Some(status("follower", 0, None, 0));
        let with = |members: &[u16]| [Some(follower()), leader(members), spare()];
        assert!(is_settled(true, &with(&[1, 2])) && is_ready(true, &with(&[1, 2])));
        assert!(!is_settled(true, &with(&[1, 2, 3])) && is_ready(true, &with(&[1, 2, 3])));
        assert_eq!(members_of(&with(&[1, 2])), Some([1, 2].into()));
        assert_eq!(members_of(&[spare()]), None);
    }
}
