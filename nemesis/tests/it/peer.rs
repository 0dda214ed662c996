//! Stand-in for a node, controlled over TCP: sends datagrams to others, stores those that it receives, and tries
//! connections.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use nemesis::{Hosts, NodeId};

use crate::host::poll;

pub(crate) const PORT: u16 = 7000;
/// Place at which all hosts are addressed at once, and its port.
pub(crate) const SHOUT: &str = "10.77.0.255:7001";

/// Serves until it is killed, or told to end; returns its exit code.
pub(crate) fn serve(address: SocketAddr) -> u8 {
    let datagrams = UdpSocket::bind(address).unwrap();
    datagrams.set_nonblocking(true).unwrap();
    datagrams.set_broadcast(true).unwrap();
    // Only on hosts of their own can all peers have it.
    let shouts = UdpSocket::bind("0.0.0.0:7001").and_then(|socket| socket.set_nonblocking(true).map(|()| socket)).ok();
    let listener = TcpListener::bind(address).unwrap();
    loop {
        let (mut stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        // Another peer that only tries the connection sends nothing.
        if BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).is_err() {
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words[..] {
            ["send", to, word] => {
                datagrams.send_to(word.as_bytes(), to).map_or_else(|e| e.to_string(), |_| "sent".into())
            }
            ["got"] => received(&datagrams),
            ["heard"] => shouts.as_ref().map(received).unwrap_or_default(),
            ["connect", to] => {
                let limit = Duration::from_millis(300);
                TcpStream::connect_timeout(&to.parse().unwrap(), limit)
                    .map_or_else(|e| e.kind().to_string(), |_| "yes".into())
            }
            ["end"] => return 9,
            _ => continue,
        };
        writeln!(stream, "{answer}").ok();
    }
}

/// Returns what has arrived, in words.
fn received(socket: &UdpSocket) -> String {
    let mut buffer = [0; 64];
    let mut got = Vec::new();
    while let Ok(length) = socket.recv(&mut buffer) {
        got.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
    }
    got.join(" ")
}

/// Sends a command to a peer over a new connection and returns the answer; `None` if the peer cannot be reached.
pub(crate) fn ask(peer: IpAddr, what: &str) -> Option<String> {
    let limit = Duration::from_secs(1);
    let mut stream = TcpStream::connect_timeout(&(peer, PORT).into(), limit).ok()?;
    stream.set_read_timeout(Some(limit)).ok()?;
    writeln!(stream, "{what}").ok()?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).ok()?;
    Some(answer.trim().to_owned())
}

/// Returns the nodes whose datagrams each node receives; every peer must be reachable from here.
fn who_hears_whom(hosts: &Hosts, round: u32) -> BTreeMap<NodeId, BTreeSet<NodeId>> {
    let addresses: Vec<(NodeId, IpAddr)> = hosts.iter().map(|host| (host.node, host.address)).collect();
    let must_ask = |peer, what: &str| ask(peer, what).unwrap_or_else(|| panic!("{peer} is cut off from its clients"));
    for (from, address) in &addresses {
        for (to, target) in addresses.iter().filter(|(to, _)| to != from) {
            let answer = must_ask(*address, &format!("send {target}:{PORT} {round}:{}", from.0));
            assert_eq!(answer, "sent", "{from} to {to}");
        }
    }
    let heard = |(node, address): &(NodeId, IpAddr)| {
        let got = must_ask(*address, "got");
        let words = got.split_whitespace().filter_map(|word| word.split_once(':'));
        let of_this_round = words.filter(|(of, _)| of.parse() == Ok(round));
        (*node, of_this_round.map(|(_, from)| NodeId(from.parse().unwrap())).collect())
    };
    addresses.iter().map(heard).collect()
}

/// Waits until each node drops exactly the packets that `drops` selects.
pub(crate) fn await_grudge(hosts: &Hosts, drops: impl Fn(NodeId, NodeId) -> bool) {
    let nodes: Vec<NodeId> = hosts.iter().map(|host| host.node).collect();
    let receives_byte = |a: NodeId| nodes.iter().copied().filter(|b| a != *b && !drops(a, *b)).collect::<BTreeSet<_>>();
    let expected: BTreeMap<_, _> = nodes.iter().map(|a| (*a, receives_byte(*a))).collect();
    let mut round = 0;
    let mut seen = BTreeMap::new();
    poll("the expected grudge", || {
        round += 1;
        seen = who_hears_whom(hosts, round);
        if round % 100 == 0 {
            eprintln!("expected {expected:?}\nbut see  {seen:?}");
        }
        seen == expected
    });
}
