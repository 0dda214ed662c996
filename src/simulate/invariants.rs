//! Rules that every sound cluster keeps, whatever its clients see: the simulation looks into all nodes after each step.
//! The first rule that is broken is named. No rule counts what it cannot know: a node that is down may have anything.

mod configurations;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use node::{
    raft::{LogIndex, Role, Standing, Term},
    simulation::{AppliedEntry, Promise, SimulatedHost},
};

use self::configurations::{ChangeMistake, Configurations, place};
use super::member::Member;

/// Interval of log indexes at which the states of nodes are compared.
const STATE_EVERY: u64 = 16;

/// Rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BrokenRule {
    /// The rule with its section of the paper, and who broke it.
    what: String,
    /// Virtual time at which that was noticed.
    pub(crate) at_ns: u64,
}

impl fmt::Display for BrokenRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// Watch over the nodes of one cluster, which are numbered from 0.
#[derive(Debug, Default)]
pub(super) struct Invariants {
    nodes: Vec<WatchedNode>,
    leaders: BTreeMap<Term, usize>,
    /// Nodes that voted for a candidate in a term.
    voters: BTreeMap<(Term, usize), BTreeSet<usize>>,
    /// First application of each entry, at the place of its index.
    entries: Vec<Option<FirstApplication>>,
    /// First state at an index, with its node.
    states: BTreeMap<LogIndex, (u64, usize)>,
    configurations: Configurations,
    broken: Option<BrokenRule>,
}

/// Node as it was after its last step, with the promises that it made.
#[derive(Clone, Debug, Default)]
struct WatchedNode {
    standing: Option<Standing>,
    /// Latest term that it promised.
    term: Term,
    votes: BTreeMap<Term, usize>,
    /// Last entry that it promised to have, as long as no leader has replaced it.
    matched: Option<(LogIndex, Term)>,
    /// Index that it promised in its latest step.
    claimed: Option<LogIndex>,
    /// Last entry that it has applied since its start.
    applied: LogIndex,
    /// Last entry in the place of which it had a snapshot.
    base: LogIndex,
}

#[derive(Clone, Copy, Debug)]
struct FirstApplication {
    entry: AppliedEntry,
    node: usize,
    /// Term of the node when it applied the entry, which was committed no later.
    in_term: Term,
}

impl Invariants {
    /// Creates the watch over so many nodes, of which the first ones are members.
    pub(super) fn new(nodes: usize, members: u16) -> Self {
        let configurations = Configurations::new(nodes, members);
        Self { nodes: vec![WatchedNode::default(); nodes], configurations, ..Self::default() }
    }

    /// Returns the first rule that was broken.
    pub(super) fn broken(&self) -> Option<&BrokenRule> {
        self.broken.as_ref()
    }

    fn first_at(&self, index: LogIndex) -> Option<&FirstApplication> {
        self.entries.get(place_of(index))?.as_ref()
    }

    fn report(&mut self, at_ns: u64, what: impl FnOnce() -> String) {
        self.broken.get_or_insert_with(|| BrokenRule { what: what(), at_ns });
    }

    /// Takes note of what a node promises by a message.
    pub(super) fn note_promise(&mut self, node: usize, promise: Promise, now_ns: u64) {
        let Promise { term, vote, matched } = promise;
        let own = &mut self.nodes[node];
        own.term = own.term.max(term);
        own.claimed = own.claimed.max(matched);
        let Some(candidate) = vote.map(place) else { return };
        let earlier = *own.votes.entry(term).or_insert(candidate);
        self.voters.entry((term, candidate)).or_default().insert(node);
        if earlier != candidate {
            self.report(now_ns, || {
                let [node, first, second] = [node, earlier, candidate].map(name);
                format!("one vote a term (§5.2): in term {term}, {node} voted for {first} and for {second}")
            });
        }
    }

    /// Looks at a node that has taken a step, and at what it has applied.
    pub(super) fn look(&mut self, node: usize, applied: &[AppliedEntry], members: &[Member], now_ns: u64) {
        self.keep_promises(node, &members[node].host);
        self.look_at_configurations(node, &members[node].host, now_ns);
        let Some(standing) = members[node].host.standing() else { return };
        let before = self.nodes[node].standing.replace(standing);
        let Standing { role, term, commit, .. } = standing;
        if let Some(before) = before.filter(|before| before.term > term) {
            self.report(now_ns, || {
                format!("terms never fall (figure 2): {} went from {} back to {term}", name(node), before.term)
            });
        }
        if let Some(before) = before.filter(|before| before.commit > commit) {
            self.report(now_ns, || {
                format!(
                    "the commit index never falls (figure 2): {} went from {} to {commit}",
                    name(node),
                    before.commit
                )
            });
        }
        self.look_at_log(node, &members[node].host, now_ns);
        if role == Role::Leader {
            self.look_at_leader(node, term, members, now_ns);
            let led = before.filter(|before| before.role == Role::Leader && before.term == term);
            if led.is_some_and(|led| commit > led.commit && !members[node].host.holds(commit, term)) {
                self.report(now_ns, || {
                    let leader = name(node);
                    format!("a leader counts replicas of its own term (§5.4.2): {leader} of {term} committed {commit}")
                });
            }
        }
        for entry in applied {
            let last = std::mem::replace(&mut self.nodes[node].applied, entry.index);
            if entry.index <= last {
                self.report(now_ns, || {
                    format!("nothing is applied twice (figure 2): {} applied {} after {last}", name(node), entry.index)
                });
            }
            self.look_at_entry(node, *entry, term, members, now_ns);
        }
        if applied.last().is_some_and(|last| last.index.0.is_multiple_of(STATE_EVERY)) {
            self.look_at_state(node, &members[node].host, now_ns);
        }
    }

    /// Takes note of new configurations, and looks at a leader that has made some.
    fn look_at_configurations(&mut self, node: usize, host: &SimulatedHost, now_ns: u64) {
        let standing = host.standing();
        let leads_in = standing.filter(|standing| standing.role == Role::Leader).map(|standing| standing.term);
        let commit = standing.map(|standing| standing.commit).unwrap_or_default();
        match self.configurations.look(node, host, leads_in, commit) {
            None => {}
            Some(ChangeMistake::Overlaps(index)) => self.report(now_ns, || {
                let leader = name(node);
                format!("one change of the members at a time (dissertation §4.1): {leader} began another at {index}")
            }),
            Some(ChangeMistake::TooEarly(index)) => self.report(now_ns, || {
                let leader = name(node);
                format!("a leader commits an entry of its term first (dissertation §4.1): {leader} began at {index}")
            }),
        }
    }

    /// Looks at the ends of a node's log: its terms never fall, and what a snapshot says of its last entry is true.
    fn look_at_log(&mut self, node: usize, host: &SimulatedHost, now_ns: u64) {
        let Some(((base, base_term), last_term)) = host.log_bounds() else { return };
        if last_term < base_term {
            self.report(now_ns, || {
                let node = name(node);
                format!("terms in a log never fall (§5.3): that of {node} goes from {base_term} to {last_term}")
            });
        }
        if std::mem::replace(&mut self.nodes[node].base, base) == base {
            return;
        }
        let applied = self.first_at(base).map(|first| first.entry.term);
        if let Some(applied) = applied.filter(|applied| *applied != base_term) {
            self.report(now_ns, || {
                let node = name(node);
                format!("a snapshot has the term of its last entry (figure 13): {node} has {base_term} for {applied}")
            });
        }
    }

    /// Returns true if the log of a node has the configuration of `term` at `index`. What was applied there decides in
    /// the place of a snapshot, which hides the term.
    fn has_configuration(&self, host: &SimulatedHost, index: LogIndex, term: Term) -> bool {
        let applied = self.first_at(index).map(|first| first.entry.term);
        host.holds(index, term) && applied.is_none_or(|applied| applied == term)
    }

    /// Compares the state of a node with that of others at the same place in the log.
    pub(super) fn look_at_state(&mut self, node: usize, host: &SimulatedHost, now_ns: u64) {
        let Some((index, digest)) = host.state() else { return };
        let (first, other) = *self.states.entry(index).or_insert((digest, node));
        if first != digest {
            self.report(now_ns, || {
                let [node, other] = [node, other].map(name);
                format!("equal logs give equal states (§2): those of {other} and {node} differ at {index}")
            });
        }
    }

    /// Remembers the last entry that a node has promised, unless its log, in memory, has lost it rightly since.
    fn keep_promises(&mut self, node: usize, host: &SimulatedHost) {
        let own = &mut self.nodes[node];
        own.matched = own.matched.filter(|(index, term)| host.holds(*index, *term));
        if let Some(index) = own.claimed.take()
            && own.matched.is_none_or(|(matched, _)| index > matched)
            && let Some(term) = host.term_at(index)
        {
            own.matched = Some((index, term));
        }
    }

    /// Looks at a node that has just been started again: what it promised must be on its disk.
    pub(super) fn look_at_restart(&mut self, node: usize, host: &SimulatedHost, now_ns: u64) {
        let own = &self.nodes[node];
        let Some(status) = host.status() else { return };
        let vote = own.votes.get(&status.term).copied();
        let forgotten = if status.term < own.term {
            Some(format!("term {}, and came back in {}", own.term, status.term))
        } else if vote.is_some() && vote != status.voted_for.map(place) {
            vote.map(|candidate| format!("its vote for {} in term {}", name(candidate), status.term))
        } else {
            let lost = own.matched.filter(|(index, term)| !host.holds(*index, *term));
            lost.map(|(index, term)| format!("entry {index} of term {term}, which it said it had"))
        };
        let own = &mut self.nodes[node];
        (own.standing, own.claimed, own.applied) = (None, None, LogIndex(0));
        if let Some(forgotten) = forgotten {
            self.report(now_ns, || format!("promises outlive a restart (figure 2): {} forgot {forgotten}", name(node)));
        }
    }

    /// Looks at a leader: it is the only one of its term, elected by a majority, and has what was committed before.
    fn look_at_leader(&mut self, node: usize, term: Term, members: &[Member], now_ns: u64) {
        if let Some(first) = self.leaders.get(&term).copied() {
            if first != node {
                let [first, second] = [first, node].map(name);
                self.report(now_ns, || format!("one leader a term (§5.2): {first} and {second} lead in {term}"));
            }
            return;
        }
        self.leaders.insert(term, node);
        let mut voters = self.voters.get(&(term, node)).cloned().unwrap_or_default();
        voters.insert(node);
        let host = &members[node].host;
        let in_log = |index, of| self.has_configuration(host, index, of);
        if !self.configurations.elect(term, in_log, |voter| voters.contains(&voter)) {
            let (leader, votes, all) = (name(node), voters.len(), self.nodes.len());
            self.report(now_ns, || {
                format!("a majority elects (§5.2): {leader} leads in {term} by {votes} of {all} votes")
            });
        }
        let committed = self.entries.iter().rev().flatten().find(|first| first.in_term < term).map(|first| first.entry);
        if let Some(entry) = committed.filter(|entry| !members[node].host.holds(entry.index, entry.term)) {
            self.report(now_ns, || {
                let AppliedEntry { index, term: of, .. } = entry;
                format!("leaders have all that is committed (§5.4): {} of {term} lacks {index} of {of}", name(node))
            });
        }
    }

    /// Looks at an entry that a node has applied: a majority has it, and no node has applied another in its place.
    fn look_at_entry(&mut self, node: usize, entry: AppliedEntry, in_term: Term, members: &[Member], now_ns: u64) {
        let AppliedEntry { index, term, .. } = entry;
        let Some(first) = self.first_at(index).copied() else {
            let place = place_of(index);
            self.entries.resize(self.entries.len().max(place + 1), None);
            self.entries[place] = Some(FirstApplication { entry, node, in_term });
            let may_have = |place: usize| {
                let host = &members[place].host;
                !host.is_up() || host.holds(index, term)
            };
            let in_log = |at, of| self.has_configuration(&members[node].host, at, of);
            if !self.configurations.commit(index, in_log, may_have) {
                let having = (0..members.len()).filter(|place| may_have(*place)).count();
                let (node, all) = (name(node), members.len());
                self.report(now_ns, || {
                    format!("a majority commits (§5.3): {node} applied {index} of {term}, which {having} of {all} have")
                });
            }
            return;
        };
        if first.entry != entry {
            self.report(now_ns, || {
                let ([node, other], of) = ([node, first.node].map(name), first.entry.term);
                format!(
                    "one entry at an index (§5.4.3): at {index}, {other} applied that of {of}, {node} one of {term}"
                )
            });
        }
    }
}

fn place_of(index: LogIndex) -> usize {
    usize::try_from(index.0).expect("a simulated log fits into memory")
}

fn name(node: usize) -> String {
    format!("n{}", node + 1)
}
