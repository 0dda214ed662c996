//! Sets of links, each a direction between two hosts, as plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::grudge::Grudge;
use crate::node_id::{NodeId, names};

/// Map from each receiver to the senders whose packets to it are meant. Clients can be either.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Links(pub BTreeMap<NodeId, BTreeSet<NodeId>>);

impl Links {
    /// Returns the links that such a partition would cut; those to clients are added to those from them, which are all
    /// that a partition needs to cut.
    pub(crate) fn cut_by(grudge: &Grudge) -> Self {
        let mut links = Self(grudge.0.clone());
        for (&node, _) in grudge.0.iter().filter(|(_, dropped)| dropped.contains(&NodeId::CLIENTS)) {
            links.0.entry(NodeId::CLIENTS).or_default().insert(node);
        }
        links
    }

    /// Returns true if the packets from one to another are meant.
    pub fn contains(&self, from: NodeId, to: NodeId) -> bool {
        self.0.get(&to).is_some_and(|senders| senders.contains(&from))
    }

    /// Returns all senders and receivers.
    pub(crate) fn ends(&self) -> impl Iterator<Item = NodeId> {
        self.0.iter().flat_map(|(to, from)| from.iter().chain([to])).copied()
    }

    /// Adds all links of another set.
    pub(crate) fn extend(&mut self, other: &Self) {
        for (to, from) in &other.0 {
            self.0.entry(*to).or_default().extend(from);
        }
    }

    /// Returns true if each link is there in both directions.
    fn are_mutual(&self) -> bool {
        self.0.iter().all(|(to, from)| from.iter().all(|from| self.contains(*to, *from)))
    }
}

impl fmt::Display for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mutual = self.are_mutual();
        let mut parts = Vec::new();
        for (&to, from) in &self.0 {
            // The clients have the lowest number; they are named last.
            let rank = |node: NodeId| (node == NodeId::CLIENTS, node);
            let told: BTreeSet<NodeId> =
                from.iter().copied().filter(|from| !mutual || rank(to) < rank(*from)).collect();
            if !told.is_empty() {
                let (first, second) = if mutual { ("between ", " and ") } else { ("to ", " from ") };
                parts.push(format!("{first}{to}{second}{}", names(&told)));
            }
        }
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::grudge::{Direction, halves, isolate, one_way, without_clients};

    fn nodes() -> Vec<NodeId> {
        (1..=3).map(NodeId).collect()
    }

    fn words(grudge: &Grudge) -> String {
        Links::cut_by(grudge).to_string()
    }

    #[test]
    fn links_read_as_pairs_or_as_directions() {
        assert_eq!(words(&isolate(&nodes(), NodeId(2))), "between n1 and n2, between n2 and n3");
        let first = BTreeSet::from([NodeId(1)]);
        assert_eq!(words(&one_way(&nodes(), &first, Direction::Outgoing)), "to n2 from n1, to n3 from n1");
        assert_eq!(words(&one_way(&nodes(), &first, Direction::Incoming)), "to n1 from n2 n3");
        assert_eq!(words(&without_clients(&first)), "between n1 and clients");
        let both = halves(&nodes(), &first).and(without_clients(&first));
        assert_eq!(words(&both), "between n1 and clients n2 n3");
    }

    #[test]
    fn a_link_is_a_direction() {
        let links = Links::cut_by(&one_way(&nodes(), &BTreeSet::from([NodeId(1)]), Direction::Outgoing));
        assert!(links.contains(NodeId(1), NodeId(2)) && !links.contains(NodeId(2), NodeId(1)));
        let mut all = links.clone();
        all.extend(&Links::cut_by(&without_clients(&BTreeSet::from([NodeId(3)]))));
        assert!(all.contains(NodeId(1), NodeId(2)) && all.contains(NodeId(3), NodeId::CLIENTS));
        assert_eq!(all.ends().collect::<BTreeSet<_>>().len(), 4);
    }
}
