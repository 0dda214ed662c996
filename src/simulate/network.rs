//! Network between simulated nodes: delay, loss, repetition, reordering, partitions, and links that break and come
//! back as those over TCP do. Faults of packets hit frames, which are not sent again as TCP would: whoever needs one
//! has to ask again.

use std::collections::BTreeSet;

use nemesis::{Checksum, FaultId, Grudge, Links, NodeId, PacketCounts, PacketFault};
use workloads::Random;

use crate::run::plan::Simulation;

/// Time after which a link that is cut is known to be broken, as `TCP_USER_TIMEOUT` has it.
pub(super) const STALL_NS: u64 = 500_000_000;
/// Longest time after which a link works again that was broken: until a node dials the next time, and is connected.
pub(super) const REDIAL_NS: u64 = 300_000_000;
/// Share of frames that take much longer than most, one in so many, and how much longer.
const SLOW_ONE_IN: u32 = 128;
const SLOW_FACTOR: u64 = 8;

/// Network of a cluster; its nodes are numbered from 0.
#[derive(Debug)]
pub(super) struct Network {
    nodes: usize,
    random: Random,
    conditions: Simulation,
    /// Pairs of sender and receiver between which everything is dropped, and the time since when.
    cut: BTreeSet<(usize, usize)>,
    cut_since_ns: u64,
    /// Nodes that drop the packets of clients.
    clientless: BTreeSet<usize>,
    /// Time of the last arrival of each pair: TCP keeps the order.
    last_ns: Vec<u64>,
    disturbances: Vec<Disturbance>,
}

/// Fault of packets in force.
#[derive(Debug)]
struct Disturbance {
    id: FaultId,
    fault: PacketFault,
    links: Links,
    counts: PacketCounts,
}

/// Treatment of one frame by all faults of packets.
#[derive(Clone, Copy, Debug, Default)]
struct Treatment {
    is_lost: bool,
    /// Additional time, and additional time in which later frames may overtake it.
    delay_ns: u64,
    held_ns: u64,
    is_doubled: bool,
}

impl Network {
    pub(super) fn new(nodes: usize, seed: u64, conditions: &Simulation) -> Self {
        Self {
            nodes,
            random: Random::new(seed, "simulated network"),
            conditions: conditions.clone(),
            cut: BTreeSet::new(),
            cut_since_ns: 0,
            clientless: BTreeSet::new(),
            last_ns: vec![0; nodes * nodes],
            disturbances: Vec::new(),
        }
    }

    /// Returns true if frames can be at fault so: they are whole messages, without bits, bytes and connections.
    pub(super) fn bears(fault: PacketFault) -> bool {
        match fault {
            PacketFault::Loss { .. }
            | PacketFault::Delay { .. }
            | PacketFault::Reorder { .. }
            | PacketFault::Duplicate { .. }
            | PacketFault::Corrupt { checksum: Checksum::Wrong, .. } => true,
            PacketFault::Corrupt { checksum: Checksum::Repaired, .. }
            | PacketFault::Bandwidth { .. }
            | PacketFault::Reset { .. } => false,
        }
    }

    /// Begins a fault of the packets on these links.
    pub(super) fn disturb(&mut self, id: FaultId, fault: PacketFault, links: Links) {
        self.disturbances.push(Disturbance { id, fault, links, counts: PacketCounts::default() });
    }

    /// Ends a fault of packets; returns what it did to them, if it was in force.
    pub(super) fn calm(&mut self, id: FaultId) -> Option<PacketCounts> {
        let place = self.disturbances.iter().position(|disturbance| disturbance.id == id)?;
        Some(self.disturbances.remove(place).counts)
    }

    /// Decides what the faults of packets make of one from a host to another.
    fn treat(&mut self, from: NodeId, to: NodeId) -> Treatment {
        let mut all = Treatment::default();
        let random = &mut self.random;
        let mut draw = || random.below(1_000_000);
        for Disturbance { fault, links, counts, .. } in &mut self.disturbances {
            if !links.contains(from, to) {
                continue;
            }
            counts.seen += 1;
            let is_hit = match *fault {
                PacketFault::Loss { ppm } | PacketFault::Corrupt { ppm, .. } => {
                    let is_lost = draw() < ppm;
                    all.is_lost |= is_lost;
                    is_lost
                }
                PacketFault::Delay { delay_us, jitter_us } => {
                    let deviation_ns = 2 * jitter_us * u64::from(draw()) / 1000;
                    all.delay_ns += 1000 * delay_us.saturating_sub(jitter_us) + deviation_ns;
                    true
                }
                PacketFault::Reorder { ppm, by_us } => {
                    let is_held = draw() < ppm;
                    all.held_ns += if is_held { 1000 * by_us } else { 0 };
                    is_held
                }
                PacketFault::Duplicate { ppm } => {
                    let is_doubled = draw() < ppm;
                    all.is_doubled |= is_doubled;
                    is_doubled
                }
                PacketFault::Bandwidth { .. } | PacketFault::Reset { .. } => false,
            };
            counts.hit += u64::from(is_hit);
        }
        all
    }

    /// Returns the time that a packet takes between a client and a node; none if it is lost.
    pub(super) fn passage_ns(&mut self, node: usize, is_answer: bool) -> Option<u64> {
        let (node, usual_ns) = (id_of(node), self.latency_ns());
        let (from, to) = if is_answer { (node, NodeId::CLIENTS) } else { (NodeId::CLIENTS, node) };
        let Treatment { is_lost, delay_ns, held_ns, .. } = self.treat(from, to);
        (!is_lost).then_some(usual_ns + delay_ns + held_ns)
    }

    /// Draws the time that something takes from one host to another.
    pub(super) fn latency_ns(&mut self) -> u64 {
        let longest_ns = 1000 * u64::from(self.conditions.latency_us.max(1));
        let drawn_ns = longest_ns / 5 + self.delay_ns(longest_ns - longest_ns / 5);
        if self.random.below(SLOW_ONE_IN) == 0 { drawn_ns * SLOW_FACTOR } else { drawn_ns }
    }

    /// Draws a delay below `limit_ns`.
    pub(super) fn delay_ns(&mut self, limit_ns: u64) -> u64 {
        self.random.below_u64(limit_ns)
    }

    fn has_luck(&mut self, per_mille: u16) -> bool {
        per_mille > 0 && self.random.below(1000) < u32::from(per_mille)
    }

    /// Returns the times at which a frame arrives that leaves at `at_ns`: none, one, or two if it is repeated.
    pub(super) fn arrivals(&mut self, from: usize, to: usize, at_ns: u64, bears_repetition: bool) -> [Option<u64>; 2] {
        if self.cut.contains(&(from, to)) || self.has_luck(self.conditions.loss_per_mille) {
            return [None, None];
        }
        let Treatment { is_lost, delay_ns, held_ns, is_doubled } = self.treat(id_of(from), id_of(to));
        if is_lost {
            return [None, None];
        }
        let pair = from * self.nodes + to;
        let drawn_ns = at_ns + self.latency_ns() + delay_ns;
        let overtakes = bears_repetition && self.has_luck(self.conditions.reordered_per_mille);
        let arrival_ns = if overtakes { drawn_ns } else { drawn_ns.max(self.last_ns[pair] + 1) };
        // One that is held back lets those behind it pass, if they may.
        if !bears_repetition || held_ns == 0 {
            self.last_ns[pair] = (arrival_ns + held_ns).max(self.last_ns[pair]);
        }
        let repeats = bears_repetition && (self.has_luck(self.conditions.repeated_per_mille) || is_doubled);
        [Some(arrival_ns + held_ns), repeats.then(|| at_ns + 2 * self.latency_ns() + delay_ns)]
    }

    /// Begins a partition.
    pub(super) fn divide(&mut self, now_ns: u64, grudge: &Grudge) {
        let place = |node: NodeId| usize::from(node.0) - 1;
        let dropped = grudge.0.iter().flat_map(|(at, from)| from.iter().map(|from| (*from, place(*at))));
        let (clients, nodes): (Vec<_>, Vec<_>) = dropped.partition(|(from, _)| *from == NodeId::CLIENTS);
        self.clientless = clients.into_iter().map(|(_, at)| at).collect();
        self.cut = nodes.into_iter().map(|(from, at)| (place(from), at)).collect();
        self.cut_since_ns = now_ns;
    }

    /// Ends the partition.
    pub(super) fn mend(&mut self) {
        self.cut.clear();
        self.clientless.clear();
    }

    /// Returns true if what clients send reaches a node.
    pub(super) fn admits_clients(&self, node: usize) -> bool {
        !self.clientless.contains(&node)
    }

    /// Returns true if a link is known to be broken by a partition: of a cut direction, both connections starve.
    pub(super) fn is_broken(&self, from: usize, to: usize, now_ns: u64) -> bool {
        let is_cut = self.cut.contains(&(from, to)) || self.cut.contains(&(to, from));
        is_cut && now_ns >= self.cut_since_ns + STALL_NS
    }
}

/// Returns the id of the node at a place.
fn id_of(node: usize) -> NodeId {
    NodeId(u16::try_from(node + 1).expect("a cluster has few nodes"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn network(conditions: &Simulation) -> Network {
        Network::new(3, 7, conditions)
    }

    #[test]
    fn a_calm_network_keeps_the_order_and_loses_nothing() {
        let mut network = network(&Simulation::calm());
        let arrivals: Vec<_> = (0..5000).map(|at_ns| network.arrivals(0, 1, at_ns, true)).collect();
        assert!(arrivals.iter().all(|[first, again]| first.is_some() && again.is_none()));
        assert!(arrivals.is_sorted_by_key(|[first, _]| *first));
    }

    #[test]
    fn a_rough_one_loses_repeats_and_reorders_what_bears_it() {
        let rough =
            Simulation { loss_per_mille: 100, repeated_per_mille: 100, reordered_per_mille: 300, ..Simulation::calm() };
        let mut network = network(&rough);
        let arrivals: Vec<_> = (0..5000).map(|at_ns| network.arrivals(0, 1, at_ns, true)).collect();
        let lost = arrivals.iter().filter(|[first, _]| first.is_none()).count();
        let repeated = arrivals.iter().filter(|[_, again]| again.is_some()).count();
        assert!((400..600).contains(&lost) && (350..550).contains(&repeated), "{lost} {repeated}");
        assert!(!arrivals.iter().filter_map(|[first, _]| *first).is_sorted());
        let once: Vec<_> = (0..5000).map(|at_ns| network.arrivals(1, 2, at_ns, false)).collect();
        assert!(once.iter().all(|[_, again]| again.is_none()), "what does not bear it is never repeated");
        assert!(once.iter().filter_map(|[first, _]| *first).is_sorted());
    }

    #[test]
    fn faults_of_packets_hit_their_links_until_they_end() {
        let to_first = |from: NodeId| Links(BTreeMap::from([(NodeId(1), BTreeSet::from([from]))]));
        let mut network = network(&Simulation::calm());
        let count = |network: &mut Network, from| {
            (0..1000).filter(|at_ns| network.arrivals(from, 0, *at_ns, true)[0].is_some()).count()
        };
        network.disturb(FaultId(1), PacketFault::Loss { ppm: 300_000 }, to_first(NodeId(2)));
        assert!((650..750).contains(&count(&mut network, 1)));
        assert_eq!(count(&mut network, 2), 1000, "another link is left alone");
        let counts = network.calm(FaultId(1)).unwrap();
        assert!(counts.seen == 1000 && (250..350).contains(&counts.hit), "{counts:?}");
        assert_eq!((count(&mut network, 1), network.calm(FaultId(1))), (1000, None));
        network.disturb(FaultId(2), PacketFault::Duplicate { ppm: 1_000_000 }, to_first(NodeId(2)));
        assert!(network.arrivals(1, 0, 0, true)[1].is_some() && network.arrivals(1, 0, 0, false)[1].is_none());
        network.disturb(FaultId(3), PacketFault::Loss { ppm: 1_000_000 }, to_first(NodeId::CLIENTS));
        assert!(network.passage_ns(0, false).is_none() && network.passage_ns(0, true).is_some());
    }

    #[test]
    fn a_delay_stays_within_its_jitter_and_what_is_held_back_is_overtaken() {
        const MS: u64 = 1_000_000;
        let links = || Links(BTreeMap::from([(NodeId(1), BTreeSet::from([NodeId(2)]))]));
        let mut slow = network(&Simulation::calm());
        slow.disturb(FaultId(1), PacketFault::Delay { delay_us: 50_000, jitter_us: 20_000 }, links());
        let spans: Vec<u64> =
            (0..1000).map(|at| slow.arrivals(1, 0, at * 200 * MS, true)[0].unwrap() - at * 200 * MS).collect();
        assert!(spans.iter().all(|span| (30 * MS..79 * MS).contains(span)), "{:?}", spans.iter().max());
        assert!(spans.iter().any(|span| *span < 36 * MS) && spans.iter().any(|span| *span > 66 * MS));
        let mut held = network(&Simulation::calm());
        held.disturb(FaultId(1), PacketFault::Reorder { ppm: 500_000, by_us: 10_000 }, links());
        let mut arrivals = |bears| (0..200).map(|at| held.arrivals(1, 0, at, bears)[0].unwrap()).collect::<Vec<_>>();
        assert!(!arrivals(true).is_sorted());
        assert!(arrivals(false).is_sorted(), "TCP keeps the order of what must not be repeated");
    }

    #[test]
    fn a_partition_drops_at_once_and_breaks_links_after_a_while() {
        let mut network = network(&Simulation::calm());
        network.divide(10, &Grudge(BTreeMap::from([(NodeId(1), BTreeSet::from([NodeId(2)]))])));
        assert_eq!(network.arrivals(1, 0, 20, true), [None, None]);
        assert!(network.arrivals(0, 1, 20, true)[0].is_some(), "the other direction is open");
        assert!(!network.is_broken(0, 1, STALL_NS) && network.is_broken(0, 1, STALL_NS + 10));
        assert!(network.is_broken(1, 0, STALL_NS + 10) && !network.is_broken(1, 2, STALL_NS + 10));
        network.mend();
        assert!(network.arrivals(1, 0, 20, true)[0].is_some() && !network.is_broken(0, 1, u64::MAX));
    }

    #[test]
    fn a_partition_from_clients_leaves_the_nodes_connected() {
        let mut network = network(&Simulation::calm());
        network.divide(10, &Grudge(BTreeMap::from([(NodeId(1), BTreeSet::from([NodeId::CLIENTS]))])));
        assert!(!network.admits_clients(0) && network.admits_clients(1));
        assert!(network.arrivals(1, 0, 20, true)[0].is_some() && !network.is_broken(0, 1, u64::MAX));
        network.mend();
        assert!(network.admits_clients(0));
    }
}
