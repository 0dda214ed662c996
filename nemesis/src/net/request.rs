//! Requests to the kernel about interfaces, addresses and neighbours, as plain data: each is a message for rtnetlink,
//! and reads as the `ip` command that does the same. Pure.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::RawFd;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, BridgeStpState, In6AddrGenMode, InfoBridge, InfoBridgePort, InfoData, InfoKind,
    InfoPortData, InfoPortKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::errno::Errno;

/// Interface by its name, and by its number, which is given to it so that nobody has to look it up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) name: Cow<'static, str>,
    pub(crate) index: u32,
}

/// Ethernet address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ethernet(pub(crate) [u8; 6]);

impl fmt::Display for Ethernet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.map(|byte| format!("{byte:02x}")).join(":"))
    }
}

/// Neighbour entry: packets to an IP address leave in frames for an Ethernet address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Neighbour {
    pub(crate) to: Ipv4Addr,
    pub(crate) at: Ethernet,
}

/// Change of the network in the namespace of the socket that it is sent on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// Creation of a bridge that forwards from the first frame on.
    AddBridge(Interface, Ethernet),
    /// Creation of two connected interfaces; the second has the address, and is put into the namespace of this name
    /// and descriptor.
    AddPair(Interface, Interface, Ethernet, Option<(String, RawFd)>),
    /// End of automatic IPv6 addresses, and of the packets by which the kernel looks for their routers.
    LeaveIpv6(Interface),
    /// Connection of an interface to a bridge, after which it is set up.
    Attach(Interface, Interface),
    /// End of broadcasts and multicasts to a port of a bridge from other ports.
    StopFloods(Interface),
    /// IPv4 address, in a network of 256.
    AddAddress(Interface, Ipv4Addr),
    SetUp(Interface),
    /// Permanent neighbour entry, instead of the one that there may be.
    SetNeighbour(Interface, Neighbour),
    /// Forwarding of frames for an Ethernet address to a port of a bridge.
    Forward(Interface, Ethernet),
    /// Removal of an interface, and of the one that it is connected to.
    Remove(Interface),
}

/// Formats the request as arguments of its [program](Request::program).
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddBridge(Interface { name, index }, address) => write!(
                f,
                "link add name {name} index {index} address {address} type bridge stp_state 0 forward_delay 0"
            ),
            Self::AddPair(port, end, address, netns) => {
                write!(f, "link add name {} index {} type veth ", port.name, port.index)?;
                write!(f, "peer name {} index {} address {address}", end.name, end.index)?;
                netns.as_ref().map_or(Ok(()), |(netns, _)| write!(f, " netns {netns}"))
            }
            Self::LeaveIpv6(Interface { name, .. }) => write!(f, "link set {name} addrgenmode none"),
            Self::Attach(port, bridge) => write!(f, "link set {} master {} up", port.name, bridge.name),
            Self::StopFloods(port) => {
                write!(f, "link set {} type bridge_slave bcast_flood off mcast_flood off", port.name)
            }
            Self::AddAddress(Interface { name, .. }, address) => write!(f, "addr add {address}/{PREFIX} dev {name}"),
            Self::SetUp(Interface { name, .. }) => write!(f, "link set {name} up"),
            Self::SetNeighbour(Interface { name, .. }, Neighbour { to, at }) => {
                write!(f, "neigh replace {to} lladdr {at} dev {name} nud permanent")
            }
            Self::Forward(Interface { name, .. }, address) => {
                write!(f, "fdb replace {address} dev {name} master static")
            }
            Self::Remove(Interface { name, .. }) => write!(f, "link del {name}"),
        }
    }
}

/// Length of the prefix that all addresses share, in bits.
const PREFIX: u8 = 24;

impl Request {
    /// Returns the program that does the same.
    pub(super) fn program(&self) -> &'static str {
        if matches!(self, Self::Forward(..)) { "bridge" } else { "ip" }
    }

    /// Returns the message with this sequence number, to be acknowledged.
    pub(super) fn message(&self, sequence_number: u32) -> Vec<u8> {
        let (inner, flags) = match self {
            Self::AddBridge(bridge, address) => {
                let data = vec![InfoBridge::StpState(BridgeStpState::Disabled), InfoBridge::ForwardDelay(0)];
                let info = vec![LinkInfo::Kind(InfoKind::Bridge), LinkInfo::Data(InfoData::Bridge(data))];
                let attributes = vec![named(&bridge.name), at(*address), LinkAttribute::LinkInfo(info)];
                (RouteNetlinkMessage::NewLink(link(bridge.index, attributes)), NLM_F_CREATE | NLM_F_EXCL)
            }
            Self::AddPair(port, end, address, netns) => {
                let mut peer = vec![named(&end.name), at(*address)];
                peer.extend(netns.as_ref().map(|(_, descriptor)| LinkAttribute::NetNsFd(*descriptor)));
                let peer = InfoData::Veth(InfoVeth::Peer(link(end.index, peer)));
                let info = vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(peer)];
                let attributes = vec![named(&port.name), LinkAttribute::LinkInfo(info)];
                (RouteNetlinkMessage::NewLink(link(port.index, attributes)), NLM_F_CREATE | NLM_F_EXCL)
            }
            Self::LeaveIpv6(Interface { index, .. }) => {
                let of_family = vec![AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)])];
                (RouteNetlinkMessage::SetLink(link(*index, vec![LinkAttribute::AfSpecUnspec(of_family)])), 0)
            }
            Self::Attach(port, bridge) => {
                let attached = link(port.index, vec![LinkAttribute::Controller(bridge.index)]);
                (RouteNetlinkMessage::SetLink(up(attached)), 0)
            }
            Self::StopFloods(Interface { index, .. }) => {
                let data = vec![InfoBridgePort::BroadcastFlood(false), InfoBridgePort::MulticastFlood(false)];
                let info =
                    vec![LinkInfo::PortKind(InfoPortKind::Bridge), LinkInfo::PortData(InfoPortData::BridgePort(data))];
                (RouteNetlinkMessage::NewLink(link(*index, vec![LinkAttribute::LinkInfo(info)])), 0)
            }
            Self::AddAddress(Interface { index, .. }, address) => {
                let mut message = AddressMessage::default();
                message.header.family = AddressFamily::Inet;
                message.header.prefix_len = PREFIX;
                message.header.index = *index;
                let address = IpAddr::V4(*address);
                message.attributes = vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
                (RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL)
            }
            Self::SetUp(Interface { index, .. }) => (RouteNetlinkMessage::SetLink(up(link(*index, vec![]))), 0),
            Self::SetNeighbour(Interface { index, .. }, Neighbour { to, at }) => {
                let mut message = NeighbourMessage::default();
                message.header.family = AddressFamily::Inet;
                message.header.ifindex = *index;
                message.header.state = NeighbourState::Permanent;
                message.attributes = vec![
                    NeighbourAttribute::Destination(NeighbourAddress::Inet(*to)),
                    NeighbourAttribute::LinkLayerAddress(at.0.to_vec()),
                ];
                (RouteNetlinkMessage::NewNeighbour(message), NLM_F_CREATE | NLM_F_REPLACE)
            }
            Self::Forward(Interface { index, .. }, address) => {
                let mut message = NeighbourMessage::default();
                message.header.family = AddressFamily::Bridge;
                message.header.ifindex = *index;
                message.header.state = NeighbourState::Noarp;
                message.header.flags = NeighbourFlags::Controller;
                message.attributes = vec![NeighbourAttribute::LinkLayerAddress(address.0.to_vec())];
                (RouteNetlinkMessage::NewNeighbour(message), NLM_F_CREATE | NLM_F_REPLACE)
            }
            Self::Remove(Interface { index, .. }) => (RouteNetlinkMessage::DelLink(link(*index, vec![])), 0),
        };
        bytes(inner, NLM_F_ACK | flags, sequence_number)
    }

    /// Returns true if a kernel that answers this has nothing to do: one without IPv6 gives no such addresses.
    pub(super) fn is_needless(&self, answer: Errno) -> bool {
        matches!(self, Self::LeaveIpv6(_)) && answer == Errno::EAFNOSUPPORT
    }
}

/// Returns the bytes of a request.
pub(super) fn bytes(inner: RouteNetlinkMessage, flags: u16, sequence_number: u32) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    header.sequence_number = sequence_number;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(inner));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

fn link(index: u32, attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.header.index = index;
    link.attributes = attributes;
    link
}

fn up(mut link: LinkMessage) -> LinkMessage {
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    link
}

fn named(name: &str) -> LinkAttribute {
    LinkAttribute::IfName(name.to_owned())
}

fn at(address: Ethernet) -> LinkAttribute {
    LinkAttribute::Address(address.0.to_vec())
}
