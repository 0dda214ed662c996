//! Requests that give each node a host of its own: an address in its network namespace, and a veth pair to one bridge;
//! and the neighbour entries of each, which are all that a partition by netlink changes. Pure.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::os::fd::RawFd;

use super::request::{Ethernet, Interface, Neighbour, Request};
use crate::grudge::Grudge;
use crate::links::Links;
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
/// Port of the bridge for frames that do not go straight to their host, and the other end of it.
pub(crate) const SWITCH_PORT: Interface =
    Interface { name: Cow::Borrowed("to-switch"), index: FIRST_INDEX + MOST_HOSTS as u32 + 1 };
pub(crate) const SWITCH_END: Interface =
    Interface { name: Cow::Borrowed("switch"), index: FIRST_INDEX + MOST_HOSTS as u32 + 2 };
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
pub(crate) fn port(node: NodeId) -> Interface {
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

/// Returns the Ethernet address by which frames for a host go to the switch.
fn switched(address: Ipv4Addr) -> Ethernet {
    let [a, b, c, d] = address.octets();
    Ethernet([2, 1, a, b, c, d])
}

/// Returns the sender and the receiver of a frame that has come to the switch; none if it was sent elsewhere.
pub(crate) fn ends_of(frame: &[u8]) -> Option<(NodeId, NodeId)> {
    let (to, rest) = frame.split_first_chunk::<6>()?;
    let from = rest.first_chunk::<6>()?;
    let node = |[_, _, a, b, c, d]: [u8; 6]| {
        let found = Ipv4Addr::new(a, b, c, d);
        let node = if found == CONTROL { NodeId::CLIENTS } else { NodeId(d.into()) };
        (node.0 <= MOST_HOSTS && address(node) == found).then_some(node)
    };
    let (sender, receiver) = (node(*from)?, node(*to)?);
    (from[..2] == [2, 0] && to[..2] == [2, 1]).then_some((sender, receiver))
}

/// Returns frames by which the bridge and the switch learn that they hear each other: to the bridge, and to the switch.
pub(crate) fn greetings() -> [Vec<u8>; 2] {
    /// Protocol for experiments on a link (IEEE 802), so that nobody else takes it for its own.
    const EXPERIMENT: [u8; 2] = [0x88, 0xb5];
    let [bridge, switch] = [ethernet(CONTROL), switched(Ipv4Addr::UNSPECIFIED)];
    let frame = |to: Ethernet, from: Ethernet| [&to.0[..], &from.0, &EXPERIMENT, &[0; 46]].concat();
    [frame(bridge, switch), frame(switch, bridge)]
}

/// Addresses a frame of the switch to its receiver. Its sender is the switch, whose port the bridge looks for there.
pub(crate) fn address_frame(frame: &mut [u8], from: NodeId, to: NodeId) {
    frame[..6].copy_from_slice(&ethernet(address(to)).0);
    frame[6..12].copy_from_slice(&switched(address(from)).0);
}

/// Returns the neighbour entries of the host at `own`. As they are permanent, nobody asks for an address, which would
/// cost a second if the first ARP request was lost while a veth pair is being set up, and no ARP packet changes them.
fn neighbours(own: Ipv4Addr, nodes: &[NodeId]) -> impl Iterator<Item = Neighbour> {
    let all = nodes.iter().map(|&node| address(node)).chain([CONTROL]);
    all.filter(move |&other| other != own).map(|to| Neighbour { to, at: ethernet(to) })
}

/// Returns the neighbour entries of each node, and of the clients, that let each node hear all except for those in its
/// grudge: whoever must not be heard sends its packets to nobody. On the links of `by_switch`, the others go there.
pub(crate) fn neighbours_under(
    grudge: &Grudge,
    by_switch: &Links,
    nodes: &[NodeId],
) -> BTreeMap<NodeId, Vec<Neighbour>> {
    let receivers = |all: &BTreeMap<NodeId, BTreeSet<NodeId>>, from: NodeId| -> BTreeSet<Ipv4Addr> {
        all.iter().filter(|(_, senders)| senders.contains(&from)).map(|(to, _)| address(*to)).collect()
    };
    let of = |&node: &NodeId| {
        let (cut, by_switch) = (receivers(&grudge.0, node), receivers(&by_switch.0, node));
        let entry = |Neighbour { to, at }: Neighbour| match to {
            to if cut.contains(&to) => Neighbour { to, at: nobody() },
            to if by_switch.contains(&to) => Neighbour { to, at: switched(to) },
            to => Neighbour { to, at },
        };
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

/// Returns the requests, in the namespace of the bridge, that connect the switch for these nodes and their clients.
pub(crate) fn connect_switch(nodes: &[NodeId]) -> Vec<Request> {
    let mut requests = vec![
        // Its own address is in no frame, so that the kernel takes none for its own.
        Request::AddPair(SWITCH_PORT, SWITCH_END, switched(Ipv4Addr::UNSPECIFIED), None),
        Request::LeaveIpv6(SWITCH_PORT),
        Request::LeaveIpv6(SWITCH_END),
        Request::Attach(SWITCH_PORT, BRIDGE),
        Request::StopFloods(SWITCH_PORT),
        Request::SetUp(SWITCH_END),
    ];
    let all = nodes.iter().chain([&NodeId::CLIENTS]).map(|&node| address(node)).chain([Ipv4Addr::UNSPECIFIED]);
    requests.extend(all.map(|address| Request::Forward(SWITCH_PORT, switched(address))));
    requests
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
        Request::Forward(port(node), switched(address(node))),
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
        let all = neighbours_under(grudge, &Links::default(), nodes);
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

    #[test]
    fn only_links_of_the_switch_lead_there_and_none_that_is_cut() {
        let nodes: Vec<NodeId> = (1..=2).map(NodeId).collect();
        let links = Links::cut_by(&halves(&nodes, &[NodeId(1)].into()).and(without_clients(&[NodeId(2)].into())));
        let grudge = one_way(&nodes, &[NodeId(1)].into(), Direction::Outgoing);
        let entry = |to: Ipv4Addr, at| Neighbour { to, at };
        let [one, two] = [1, 2].map(|node| address(NodeId(node)));
        let expected = [
            (NodeId::CLIENTS, vec![entry(one, ethernet(one)), entry(two, switched(two))]),
            (NodeId(1), vec![entry(two, nobody()), entry(CONTROL, ethernet(CONTROL))]),
            (NodeId(2), vec![entry(one, switched(one)), entry(CONTROL, switched(CONTROL))]),
        ];
        assert_eq!(neighbours_under(&grudge, &links, &nodes), expected.into());
    }

    #[test]
    fn a_frame_at_the_switch_knows_its_ends() {
        let frame = |to: Ethernet, from: Ethernet| [&to.0[..], &from.0, &[8, 0]].concat();
        let at = |node| address(NodeId(node));
        assert_eq!(ends_of(&frame(switched(at(2)), ethernet(CONTROL))), Some((NodeId::CLIENTS, NodeId(2))));
        let mut passed = frame(switched(at(2)), ethernet(at(1)));
        address_frame(&mut passed, NodeId(1), NodeId(2));
        assert_eq!(passed, frame(ethernet(at(2)), switched(at(1))));
        for other in
            greetings().into_iter().chain([passed, frame(nobody(), ethernet(at(1))), vec![0xff; 14], vec![2; 11]])
        {
            assert_eq!(ends_of(&other), None);
        }
    }

    #[test]
    fn the_switch_is_a_port_for_the_addresses_of_all() {
        let requests = connect_switch(&[NodeId(1)]);
        let told: Vec<String> = requests.iter().map(|request| format!("{} {request}", request.program())).collect();
        assert_eq!(
            told,
            [
                "ip link add name to-switch index 1065 type veth peer name switch index 1066 address 02:01:00:00:00:00",
                "ip link set to-switch addrgenmode none",
                "ip link set switch addrgenmode none",
                "ip link set to-switch master schism up",
                "ip link set to-switch type bridge_slave bcast_flood off mcast_flood off",
                "ip link set switch up",
                "bridge fdb replace 02:01:0a:4d:00:01 dev to-switch master static",
                "bridge fdb replace 02:01:0a:4d:00:fa dev to-switch master static",
                "bridge fdb replace 02:01:00:00:00:00 dev to-switch master static",
            ]
        );
    }
}
