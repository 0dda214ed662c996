//! Requests that give each node a host of its own: an address in its network namespace, and a veth pair to one bridge;
//! and the neighbour entries of each, which are all that a partition by netlink changes. Pure.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::os::fd::RawFd;

use super::request::{Ethernet, Interface, Neighbour, Request};
use crate::grudge::Grudge;
use crate::node_id::NodeId;

/// Maximum number of hosts on the bridge.
pub(crate) const MOST_HOSTS: u16 = 64;
/// Address of the control process, on the bridge itself.
pub(crate) const CONTROL: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 250);
/// Number of the first interface, far above those that the kernel gives.
const FIRST_INDEX: u32 = 1000;
/// Bridge, in the namespace of the control process.
pub(crate) const BRIDGE: Interface = Interface { name: Cow::Borrowed("schism"), index: FIRST_INDEX };
/// End of a veth pair in the namespace of a host.
pub(crate) const HOST_END: Interface = Interface { name: Cow::Borrowed("eth0"), index: FIRST_INDEX };
/// Loopback interface of any namespace.
pub(crate) const LOOPBACK: Interface = Interface { name: Cow::Borrowed("lo"), index: 1 };

/// Returns `10.77.0.1` for `n1`, and so on; `node` is at most [`MOST_HOSTS`]. That of the clients is the control
/// process's.
pub(crate) fn address(node: NodeId) -> Ipv4Addr {
    if node == NodeId::CLIENTS {
        return CONTROL;
    }
    Ipv4Addr::new(10, 77, 0, u8::try_from(node.0).expect("hosts are few"))
}

/// Returns the end on the bridge of a host's veth pair.
fn port(node: NodeId) -> Interface {
    Interface { name: format!("to-{node}").into(), index: FIRST_INDEX + u32::from(node.0) }
}

/// Returns a locally administered Ethernet address that contains the IP address.
fn ethernet(address: Ipv4Addr) -> Ethernet {
    let [a, b, c, d] = address.octets();
    Ethernet([2, 0, a, b, c, d])
}

/// Ethernet address that nobody has: the bridge shows such a frame to all, and nobody takes it.
fn nobody() -> Ethernet {
    ethernet(Ipv4Addr::UNSPECIFIED)
}

/// Returns the neighbour entries of the host at `own`. As they are permanent, nobody asks for an address, which would
/// cost a second if the first ARP request was lost while a veth pair is being set up, and no ARP packet changes them.
fn neighbours(own: Ipv4Addr, nodes: &[NodeId]) -> impl Iterator<Item = Neighbour> {
    let all = nodes.iter().map(|&node| address(node)).chain([CONTROL]);
    all.filter(move |&other| other != own).map(|to| Neighbour { to, at: ethernet(to) })
}

/// Returns the neighbour entries of each node, and of the clients, that let each node hear all except for those in its
/// grudge: whoever must not be heard sends its packets to nobody.
pub(crate) fn neighbours_under(grudge: &Grudge, nodes: &[NodeId]) -> BTreeMap<NodeId, Vec<Neighbour>> {
    let unheard = |from: NodeId| -> BTreeSet<Ipv4Addr> {
        grudge.0.iter().filter(|(_, dropped)| dropped.contains(&from)).map(|(to, _)| address(*to)).collect()
    };
    let of = |&node: &NodeId| {
        let cut = unheard(node);
        let entry =
            |entry: Neighbour| if cut.contains(&entry.to) { Neighbour { at: nobody(), ..entry } } else { entry };
        (node, neighbours(address(node), nodes).map(entry).collect())
    };
    nodes.iter().chain([&NodeId::CLIENTS]).map(of).collect()
}

/// Returns the requests that create the bridge.
pub(crate) fn create_bridge(nodes: &[NodeId]) -> Vec<Request> {
    let mut requests = vec![
        Request::AddBridge(BRIDGE, ethernet(CONTROL)),
        Request::LeaveIpv6(BRIDGE),
        Request::AddAddress(BRIDGE, CONTROL),
        Request::SetUp(BRIDGE),
    ];
    requests.extend(neighbours(CONTROL, nodes).map(|entry| Request::SetNeighbour(BRIDGE, entry)));
    requests
}

/// Returns the requests, in the namespace of the bridge, that connect a host, whose namespace is open at `netns`. If
/// `floods`, broadcasts and multicasts of other hosts reach it, which neighbour entries cannot stop.
pub(crate) fn connect(node: NodeId, netns: RawFd, floods: bool) -> Vec<Request> {
    let netns = Some((node.to_string(), netns));
    let mut requests = vec![
        Request::AddPair(port(node), HOST_END, ethernet(address(node)), netns),
        Request::LeaveIpv6(port(node)),
        Request::Attach(port(node), BRIDGE),
    ];
    requests.extend((!floods).then(|| Request::StopFloods(port(node))));
    requests
}

/// Returns the requests, in the namespace of a connected host, that set up its end.
pub(crate) fn set_up(node: NodeId, nodes: &[NodeId]) -> Vec<Request> {
    let own = address(node);
    let mut requests = vec![
        Request::SetUp(LOOPBACK),
        Request::LeaveIpv6(HOST_END),
        Request::AddAddress(HOST_END, own),
        Request::SetUp(HOST_END),
    ];
    requests.extend(neighbours(own, nodes).map(|entry| Request::SetNeighbour(HOST_END, entry)));
    requests
}

/// Returns the requests, in the namespace of the bridge, that remove it with all that is connected. A veth pair goes
/// with its end on the bridge; a namespace alone would keep it for a while.
pub(crate) fn remove(nodes: &[NodeId]) -> Vec<Request> {
    nodes.iter().map(|&node| port(node)).chain([BRIDGE]).map(Request::Remove).collect()
}

/// Returns requests of all kinds that hosts need, for an attempt in a fresh namespace.
pub(crate) fn trial() -> Vec<Request> {
    let node = NodeId(1);
    vec![
        Request::AddBridge(BRIDGE, ethernet(CONTROL)),
        Request::AddPair(port(node), Interface { index: FIRST_INDEX + 2, ..HOST_END }, ethernet(address(node)), None),
        Request::Attach(port(node), BRIDGE),
        Request::StopFloods(port(node)),
        Request::SetNeighbour(BRIDGE, Neighbour { to: address(node), at: nobody() }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grudge::{Direction, halves, one_way, without_clients};

    fn told(requests: &[Request]) -> Vec<String> {
        requests.iter().map(Request::to_string).collect()
    }

    #[test]
    fn every_host_is_connected_to_the_bridge() {
        assert_eq!(
            told(&create_bridge(&[NodeId(1)])),
            [
                "link add name schism index 1000 address 02:00:0a:4d:00:fa type bridge stp_state 0 forward_delay 0",
                "link set schism addrgenmode none",
                "addr add 10.77.0.250/24 dev schism",
                "link set schism up",
                "neigh replace 10.77.0.1 lladdr 02:00:0a:4d:00:01 dev schism nud permanent",
            ]
        );
        let connected = told(&connect(NodeId(1), 7, false));
        assert_eq!(
            connected,
            [
                "link add name to-n1 index 1001 type veth peer name eth0 index 1000 address 02:00:0a:4d:00:01 netns n1",
                "link set to-n1 addrgenmode none",
                "link set to-n1 master schism up",
                "link set to-n1 type bridge_slave bcast_flood off mcast_flood off",
            ]
        );
        assert_eq!(told(&connect(NodeId(1), 7, true)), connected[..3]);
        assert_eq!(
            told(&set_up(NodeId(1), &[NodeId(1)])),
            [
                "link set lo up",
                "link set eth0 addrgenmode none",
                "addr add 10.77.0.1/24 dev eth0",
                "link set eth0 up",
                "neigh replace 10.77.0.250 lladdr 02:00:0a:4d:00:fa dev eth0 nud permanent",
            ]
        );
    }

    #[test]
    fn what_is_created_is_removed() {
        assert_eq!(told(&remove(&[NodeId(1), NodeId(2)])), ["link del to-n1", "link del to-n2", "link del schism"]);
    }

    /// Returns the pairs of sender and receiver whose packets go to nobody.
    fn cut(grudge: &Grudge, nodes: &[NodeId]) -> Vec<(u16, Ipv4Addr)> {
        let all = neighbours_under(grudge, nodes);
        let of = |(node, entries): (NodeId, Vec<Neighbour>)| {
            entries.into_iter().filter(|entry| entry.at == nobody()).map(move |entry| (node.0, entry.to))
        };
        all.into_iter().flat_map(of).collect()
    }

    #[test]
    fn the_sender_has_the_entry_for_whoever_drops_its_packets() {
        let nodes: Vec<NodeId> = (1..=3).map(NodeId).collect();
        let [one, two, three] = [1, 2, 3].map(|node| address(NodeId(node)));
        assert_eq!(cut(&Grudge::default(), &nodes), []);
        assert_eq!(cut(&one_way(&nodes, &[NodeId(1)].into(), Direction::Incoming), &nodes), [(2, one), (3, one)]);
        assert_eq!(cut(&one_way(&nodes, &[NodeId(1)].into(), Direction::Outgoing), &nodes), [(1, two), (1, three)]);
        let sides = halves(&nodes, &[NodeId(2)].into());
        assert_eq!(cut(&sides, &nodes), [(1, two), (2, one), (2, three), (3, two)]);
        assert_eq!(cut(&without_clients(&[NodeId(2)].into()), &nodes), [(0, two)]);
    }
}
