//! Commands that give each node a host of its own: a network namespace, an address, and a veth pair to one
//! bridge. Pure.

use std::net::Ipv4Addr;

use super::command::Command;
use crate::node_id::NodeId;

/// Maximum number of hosts on the bridge.
pub(crate) const MOST_HOSTS: u16 = 64;
/// Address of the control process, on the bridge itself.
pub(crate) const CONTROL: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 250);

/// Returns `10.77.0.1` for `n1`, and so on; `node` is at most [`MOST_HOSTS`]. That of the clients is the control
/// process's.
pub(crate) fn address(node: NodeId) -> Ipv4Addr {
    if node == NodeId::CLIENTS {
        return CONTROL;
    }
    Ipv4Addr::new(10, 77, 0, u8::try_from(node.0).expect("hosts are few"))
}

/// Returns a locally administered Ethernet address that contains the IP address.
fn ethernet(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

/// Returns the lines that give `device` permanent neighbour entries, so that ARP is not needed. A first ARP request
/// that is lost while a veth pair is being set up would cost a second.
fn neighbours(device: &str, own: Ipv4Addr, nodes: &[NodeId]) -> String {
    let all = nodes.iter().map(|&node| address(node)).chain([CONTROL]);
    let line = |other| format!("neigh add {other} lladdr {} dev {device} nud permanent\n", ethernet(other));
    all.filter(|&other| other != own).map(line).collect()
}

/// Returns one command that creates the bridge and the veth pairs, to be run first, and one for each host that sets up
/// its end; these may run in any order.
pub(crate) fn create(ip: &str, nodes: &[NodeId]) -> (Command, Vec<Command>) {
    let mut bridge = format!(
        "link add name schism address {} type bridge stp_state 0 forward_delay 0\n\
         link set schism addrgenmode none\n\
         addr add {CONTROL}/24 dev schism\n\
         link set schism up\n",
        ethernet(CONTROL)
    );
    bridge += &neighbours("schism", CONTROL, nodes);
    let mut interfaces = Vec::new();
    for &node in nodes {
        let own = address(node);
        bridge += &format!(
            "netns add {node}\n\
             link add name to-{node} type veth peer name eth0 address {} netns {node}\n\
             link set to-{node} addrgenmode none\n\
             link set to-{node} master schism up\n",
            ethernet(own)
        );
        let interface = format!(
            "link set lo up\n\
             link set eth0 addrgenmode none\n\
             addr add {own}/24 dev eth0\n\
             link set eth0 up\n"
        ) + &neighbours("eth0", own, nodes);
        interfaces.push(Command::new([ip, "-batch", "-"]).within(&node.to_string()).reading(interface));
    }
    (Command::new([ip, "-batch", "-"]).reading(bridge), interfaces)
}

/// Returns the command that removes what [`create`] created. A veth pair goes with its end on the bridge; a namespace
/// alone would keep it for a while.
pub(crate) fn remove(ip: &str, nodes: &[NodeId]) -> Command {
    let hosts = nodes.iter().map(|node| format!("link del to-{node}\nnetns del {node}\n"));
    Command::new([ip, "-batch", "-"]).reading(hosts.collect::<String>() + "link del schism\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_is_connected_to_the_bridge() {
        let (bridge, interfaces) = create("/bin/ip", &[NodeId(1)]);
        assert_eq!(
            bridge.to_string(),
            "/bin/ip -batch - <<'END'\n\
             link add name schism address 02:00:0a:4d:00:fa type bridge stp_state 0 forward_delay 0\n\
             link set schism addrgenmode none\n\
             addr add 10.77.0.250/24 dev schism\n\
             link set schism up\n\
             neigh add 10.77.0.1 lladdr 02:00:0a:4d:00:01 dev schism nud permanent\n\
             netns add n1\n\
             link add name to-n1 type veth peer name eth0 address 02:00:0a:4d:00:01 netns n1\n\
             link set to-n1 addrgenmode none\n\
             link set to-n1 master schism up\n\
             END"
        );
        let interfaces: Vec<String> = interfaces.iter().map(Command::to_string).collect();
        assert_eq!(
            interfaces,
            ["nsenter --net=/run/netns/n1 /bin/ip -batch - <<'END'\n\
              link set lo up\n\
              link set eth0 addrgenmode none\n\
              addr add 10.77.0.1/24 dev eth0\n\
              link set eth0 up\n\
              neigh add 10.77.0.250 lladdr 02:00:0a:4d:00:fa dev eth0 nud permanent\n\
              END"]
        );
    }

    #[test]
    fn what_is_created_is_removed() {
        let expected = "/bin/ip -batch - <<'END'\nlink del to-n1\nnetns del n1\nlink del to-n2\nnetns del n2\nlink \
        del schism\nEND";
        assert_eq!(remove("/bin/ip", &[NodeId(1), NodeId(2)]).to_string(), expected);
    }
}
