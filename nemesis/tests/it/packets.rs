//! Faults of packets, on real packets between hosts: before, during and after, in both directions.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nemesis::{Hosts, Links, Nemesis, NodeId, Outcome, PacketCounts, PartitionBy, ResolvedFault, Sandbox, probe};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::socket::{setsockopt, sockopt::RcvBuf};
use nix::unistd::Pid;

use crate::Test;
use crate::host::{poll, succeed};
use crate::inside::{OpenConnection, cluster, everywhere, in_netns, inject, silent};

pub(crate) const TESTS: &[Test] = &[
    ("packets::each_quality_is_felt_on_its_links_alone_and_heals_exactly", || everywhere("qualities")),
    ("packets::connections_are_reset_at_both_ends", || everywhere("resets")),
    ("packets::streams_of_tcp_arrive_whole_through_all_faults", || everywhere("streams")),
    ("packets::all_frames_of_the_ports_are_captured", || everywhere("captures")),
    ("packets::faults_at_once_add_up_and_none_leads_around_a_partition", || everywhere("packets_at_once")),
];

/// Datagrams of a burst: few enough for the buffer of a socket.
const BURST: u16 = 100;
/// Data behind the number of each.
const DATA: [u8; 400] = [0x55; 400];
const CLIENTS: u16 = NodeId::CLIENTS.0;

/// Datagram that has arrived: its number, its data, and the time since the burst began, or later.
type Arrived = (u16, Vec<u8>, Duration);

/// Returns a socket for datagrams on the host of a node, or of the clients.
fn socket_of(node: u16) -> UdpSocket {
    let bind = |address: String| UdpSocket::bind(address).unwrap();
    let socket = match node {
        CLIENTS => bind("10.77.0.250:0".into()),
        node => in_netns(node, move || bind(format!("10.77.0.{node}:0"))),
    };
    socket.set_nonblocking(true).unwrap();
    // The kernel doubles it, which holds all copies of a burst.
    setsockopt(&socket, RcvBuf, &200_000).unwrap();
    socket
}

/// Keeps all on one processor, as the kernel may let packets of another overtake.
fn keep_order() {
    let mut first = CpuSet::new();
    let may_use = sched_getaffinity(Pid::this()).unwrap();
    let cpu = (0..CpuSet::count()).find(|cpu| may_use.is_set(*cpu).unwrap()).unwrap();
    first.set(cpu).unwrap();
    sched_setaffinity(Pid::this(), &first).unwrap();
}

/// Sends a burst from one to another, and returns what arrives until it is enough by number and by the arrival of a
/// mark, which is sent behind the burst again and again, as it may be lost. Whatever keeps its order has arrived then.
fn burst(from: u16, to: u16, is_enough: impl Fn(usize, bool) -> bool) -> Vec<Arrived> {
    let [sender, receiver] = [from, to].map(socket_of);
    let address = receiver.local_addr().unwrap();
    let (mut arrived, mut buffer, mut marked) = (Vec::new(), [0; 2000], false);
    let began = Instant::now();
    for number in 0..BURST {
        sender.send_to(&[&number.to_be_bytes()[..], &DATA].concat(), address).unwrap();
    }
    poll("the end of a burst", || {
        sender.send_to(b"!", address).unwrap();
        while let Ok(length) = receiver.recv(&mut buffer) {
            match length {
                1 => marked = true,
                _ => arrived.push((
                    u16::from_be_bytes([buffer[0], buffer[1]]),
                    buffer[2..length].to_vec(),
                    began.elapsed(),
                )),
            }
        }
        is_enough(arrived.len(), marked)
    });
    arrived
}

/// Sends a burst of which some may be lost.
fn lossy_burst(from: u16, to: u16) -> Vec<Arrived> {
    burst(from, to, |_, marked| marked)
}

/// Sends a burst of which all must arrive.
fn whole_burst(from: u16, to: u16) -> Vec<Arrived> {
    burst(from, to, |arrived, marked| marked && arrived >= usize::from(BURST))
}

/// Checks that a burst arrives as it was sent.
fn assert_clear(from: u16, to: u16) {
    let arrived = lossy_burst(from, to);
    let numbers: Vec<u16> = arrived.iter().map(|(number, ..)| *number).collect();
    assert_eq!(numbers, (0..BURST).collect::<Vec<_>>(), "{from} to {to}");
    assert!(arrived.iter().all(|(_, data, _)| data == &DATA), "{from} to {to}");
}

fn assert_all_clear() {
    for (from, to) in PAIRS {
        assert_clear(from, to);
    }
}

const PAIRS: [(u16, u16); 9] =
    [(1, 2), (2, 1), (1, 3), (3, 1), (2, 3), (3, 2), (CLIENTS, 1), (1, CLIENTS), (CLIENTS, 2)];

/// Returns all that a heal must leave as it was, in the namespaces of the bridge and of a host.
fn traces() -> Vec<String> {
    let ip = |arguments: &str| succeed(Command::new("ip").args(arguments.split_whitespace()));
    let threads = std::fs::read_dir("/proc/self/task").unwrap().count();
    let sockets = std::fs::read_to_string("/proc/net/packet").unwrap();
    let links = ip("-o link").lines().map(|line| line.split(':').nth(1).unwrap().to_owned()).collect::<Vec<_>>();
    let of_hosts = [1, 2, 3].map(|node| ip(&format!("-n n{node} neigh show nud permanent")));
    let mut traces = vec![threads.to_string(), sockets, links.join(" "), ip("neigh show nud permanent")];
    traces.extend(of_hosts);
    traces.iter().map(|text| text.lines().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join("\n")).collect()
}

/// Injects a fault of packets, and returns its identifier and its links.
fn begin(nemesis: &mut Nemesis, fault: &str) -> (nemesis::FaultId, Links) {
    match inject(nemesis, fault, Some(NodeId(1))) {
        Outcome::Installed { id, fault: ResolvedFault::Packets { links, .. } } => (id, links),
        other => panic!("{fault}: {other:?}"),
    }
}

/// Scenario: every quality in one direction, in both, and between clients and a node.
pub(crate) fn qualities(sandbox: &Sandbox) {
    keep_order();
    let logs = tempfile::tempdir().unwrap();
    let mut nemesis = cluster(3, sandbox, &probe(PartitionBy::Netlink), logs.path());
    let before = traces();
    assert_all_clear();
    for fault in [
        "loss:30%,shape=mute-leader",
        "loss:30%,shape=clients-leader",
        "delay:50ms,shape=deaf-leader",
        "delay:300us,shape=clients-leader",
        "delay:20ms,jitter=20ms,shape=isolate-leader",
        "duplicate:30%,shape=mute-leader",
        "duplicate:30%,shape=clients-leader",
        "reorder:30%,by=10ms,shape=deaf-leader",
        "corrupt:30%,checksum=repaired,shape=isolate-leader",
        "corrupt:30%,checksum=wrong,shape=clients-leader",
        "corrupt:30%,checksum=wrong,shape=mute-leader",
        "bandwidth:4mbit,queue=50ms,shape=isolate-leader",
        "bandwidth:4mbit,queue=50ms,shape=clients-leader",
    ] {
        let (id, links) = begin(&mut nemesis, fault);
        let mut hit = 0;
        for (from, to) in PAIRS {
            if links.contains(NodeId(from), NodeId(to)) {
                assert_felt(fault, from, to);
                hit += 1;
            } else {
                assert_clear(from, to);
            }
        }
        assert!((1..=4).contains(&hit), "{fault}: {links}");
        if fault.starts_with("delay:50ms") {
            // As if a heal had been interrupted half-way.
            succeed(
                Command::new("ip").args("-n n2 neigh replace 10.77.0.1 lladdr 02:00:0a:4d:00:01 dev eth0".split(' ')),
            );
        }
        let counts = nemesis.heal(id).unwrap().unwrap();
        println!("{fault}: {counts}");
        let PacketCounts { seen, hit: of_seen, over_limit, missed } = counts;
        assert!(seen >= hit * u64::from(BURST) && of_seen > 0 && missed == 0, "{counts:?}");
        assert_eq!(over_limit > 0, fault.starts_with("bandwidth"), "{counts:?}");
        assert_all_clear();
        assert_eq!(nemesis.heal(id).unwrap(), None);
        assert_eq!(traces(), before, "{fault}");
    }
    assert_eq!(nemesis.in_force().count(), 0);
    assert_eq!(
        inject(&mut nemesis, "corrupt:shape=clients-leader", Some(NodeId(1))),
        Outcome::Skipped { why: "it would change what clients say and see, for which no system can answer".into() }
    );
}

/// Checks that a burst on a link at fault shows the fault.
fn assert_felt(fault: &str, from: u16, to: u16) {
    let (kind, checksum) = (fault.split(':').next().unwrap(), fault.contains("repaired"));
    let arrived = match (kind, checksum) {
        ("loss" | "bandwidth", _) | ("corrupt", false) => lossy_burst(from, to),
        _ => whole_burst(from, to),
    };
    let what = format!("{fault}, {from} to {to}: {} arrived", arrived.len());
    let numbers: Vec<u16> = arrived.iter().map(|(number, ..)| *number).collect();
    let different: BTreeSet<u16> = numbers.iter().copied().collect();
    let is_sorted = numbers.is_sorted();
    let flipped = |data: &[u8]| data.iter().map(|byte| (byte ^ 0x55).count_ones()).sum::<u32>();
    let changed = arrived.iter().filter(|(number, data, _)| flipped(data) != 0 || *number >= BURST).count();
    match (kind, checksum) {
        ("loss", _) | ("corrupt", false) => {
            assert!((45..90).contains(&numbers.len()) && is_sorted && changed == 0, "{what}");
        }
        ("delay", _) => {
            let least = if fault.contains("50ms") { Duration::from_millis(50) } else { Duration::from_micros(300) };
            let jitters = fault.contains("jitter");
            let in_time = arrived.iter().all(|(.., after)| *after >= least);
            assert!(numbers.len() == usize::from(BURST) && (jitters || in_time && is_sorted), "{what}");
            assert_eq!(is_sorted, !jitters, "{what}");
        }
        ("duplicate", _) => {
            assert!((110..155).contains(&numbers.len()) && different.len() == usize::from(BURST), "{what}");
        }
        ("reorder", _) => {
            assert!(numbers.len() == usize::from(BURST) && different.len() == numbers.len() && !is_sorted, "{what}");
        }
        ("corrupt", true) => {
            assert!(numbers.len() == usize::from(BURST) && (10..55).contains(&changed), "{what}: {changed} changed");
            assert!(arrived.iter().all(|(_, data, _)| flipped(data) <= 1), "{what}");
        }
        // 200 kbit fit into the time that packets may wait, and a burst has more than 350.
        ("bandwidth", _) => assert!((40..90).contains(&numbers.len()) && is_sorted, "{what}"),
        _ => unreachable!("{fault}"),
    }
}

/// Scenario: connections that are open, idle, new or elsewhere while others are reset.
pub(crate) fn resets(sandbox: &Sandbox) {
    let logs = tempfile::tempdir().unwrap();
    let mut nemesis = cluster(3, sandbox, &probe(PartitionBy::Netlink), logs.path());
    let before = traces();
    let is_reset = |end: &mut TcpStream| {
        poll("a reset", || match end.read(&mut [0; 100]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                true
            }
            Ok(length) => length == 0 && panic!("it was closed in good order"),
        });
    };
    for fault in ["reset:isolate-leader,then=open", "reset:isolate-leader,then=cut"] {
        let [mut forth, mut back, mut elsewhere] = [(1, 2), (3, 1), (2, 3)].map(|(a, b)| OpenConnection::between(a, b));
        forth.assert_delivers();
        let (id, _) = begin(&mut nemesis, fault);
        forth.0[0].write_all(b"?").unwrap();
        back.0[1].write_all(b"?").unwrap();
        forth.0.iter_mut().chain(&mut back.0).for_each(&is_reset);
        elsewhere.assert_delivers();
        let listener = in_netns(2, || TcpListener::bind("10.77.0.2:7003").unwrap());
        let connected = in_netns(1, || TcpStream::connect("10.77.0.2:7003"));
        if fault.ends_with("open") {
            let mut new = OpenConnection([connected.unwrap(), listener.accept().unwrap().0]);
            for end in &new.0 {
                end.set_nonblocking(true).unwrap();
            }
            new.assert_delivers();
            nemesis.heal(id).unwrap();
            new.assert_delivers();
        } else {
            assert_eq!(connected.unwrap_err().kind(), ErrorKind::ConnectionRefused);
            nemesis.heal(id).unwrap();
        }
        elsewhere.assert_delivers();
        drop((forth, back, elsewhere));
        OpenConnection::between(1, 2).assert_delivers();
        assert_eq!(traces(), before, "{fault}");
    }
}

/// Scenario: the frames of all ports, while some packets are lost.
pub(crate) fn captures(sandbox: &Sandbox) {
    let (folder, can) = (tempfile::tempdir().unwrap(), probe(PartitionBy::Netlink));
    let mut hosts = Hosts::create(2, sandbox, &can, silent()).unwrap();
    hosts.capture(folder.path()).unwrap();
    let mut nemesis = Nemesis::new(hosts);
    let exchange = || {
        let [one, two] = [1, 2].map(socket_of);
        poll("a datagram", || {
            one.send_to(b"a word to find", two.local_addr().unwrap()).unwrap();
            two.recv(&mut [0; 100]).is_ok()
        });
    };
    exchange();
    let counts = nemesis.end_capture().unwrap();
    let written: Vec<u64> = counts.iter().map(|counts| counts.written).collect();
    for (node, written) in (1..).zip(written) {
        let bytes = std::fs::read(folder.path().join(format!("n{node}.pcap"))).unwrap();
        let (mut at, mut found, mut records) = (24, false, 0);
        while at < bytes.len() {
            let number = |from: usize| u32::from_le_bytes(bytes[at + from..at + from + 4].try_into().unwrap());
            let (kept, length) = (number(8) as usize, number(12) as usize);
            assert!(number(0) > 1_700_000_000 && kept == length, "{node}");
            found |= bytes[at + 16..at + 16 + kept].ends_with(b"a word to find");
            (at, records) = (at + 16 + kept, records + 1);
        }
        assert!(found && at == bytes.len() && records == written, "{node}: {records} of {written}");
    }
    assert_eq!(nemesis.end_capture().unwrap(), []);
    exchange();
}

/// Scenario: much data by TCP through faults of packets, which may slow it down but not change it.
pub(crate) fn streams(sandbox: &Sandbox) {
    const LENGTH: usize = 4 << 20;
    let logs = tempfile::tempdir().unwrap();
    let mut nemesis = cluster(3, sandbox, &probe(PartitionBy::Netlink), logs.path());
    for faults in
        [&[][..], &["delay:100us"], &["loss:1%", "duplicate:5%", "reorder:5%,by=1ms", "corrupt:1%,checksum=wrong"]]
    {
        let begun: Vec<_> = faults
            .iter()
            .map(|fault| {
                begin(&mut nemesis, &format!("{fault}{}shape=all-links", if fault.contains(':') { "," } else { ":" })).0
            })
            .collect();
        let OpenConnection([mut from, mut to]) = OpenConnection::between(1, 2);
        for end in [&from, &to] {
            end.set_nonblocking(false).unwrap();
        }
        let data: Vec<u8> = (0..=250_u8).flat_map(|byte| [byte; 7]).cycle().take(LENGTH).collect();
        let sent = data.clone();
        let started = Instant::now();
        let sender = thread::spawn(move || from.write_all(&sent).map(|()| from));
        let mut received = vec![0; LENGTH];
        to.read_exact(&mut received).unwrap();
        let took = started.elapsed();
        assert!(received == data, "{faults:?}");
        sender.join().unwrap().unwrap();
        let mbit = LENGTH as u128 * 8 / took.as_micros().max(1);
        let counts: Vec<String> = begun.iter().map(|id| nemesis.heal(*id).unwrap().unwrap().to_string()).collect();
        println!("{faults:?}: {mbit} Mbit/s; {counts:?}");
    }
}

/// Scenario: two faults on one link, and a partition beside them.
pub(crate) fn packets_at_once(sandbox: &Sandbox) {
    keep_order();
    let logs = tempfile::tempdir().unwrap();
    let mut nemesis = cluster(3, sandbox, &probe(PartitionBy::Netlink), logs.path());
    let before = traces();
    let (delay, _) = begin(&mut nemesis, "delay:50ms,shape=isolate-leader");
    let (twice, _) = begin(&mut nemesis, "duplicate:100%,shape=mute-leader");
    let arrived = burst(1, 2, |arrived, _| arrived >= 2 * usize::from(BURST));
    assert!(arrived.iter().all(|(.., after)| *after >= Duration::from_millis(50)));
    nemesis.heal(delay).unwrap();
    assert_eq!(burst(1, 2, |arrived, _| arrived >= 2 * usize::from(BURST)).len(), 2 * usize::from(BURST));
    assert_clear(2, 1);
    nemesis.heal(twice).unwrap();
    assert_eq!(traces(), before);

    begin(&mut nemesis, "delay:200ms,shape=all-links");
    let [one, two] = [1, 2].map(socket_of);
    one.send_to(b"late", two.local_addr().unwrap()).unwrap();
    let Outcome::Installed { id: cut, .. } = inject(&mut nemesis, "partition:isolate-leader", Some(NodeId(1))) else {
        panic!("a partition goes together with a delay")
    };
    one.send_to(b"cut", two.local_addr().unwrap()).unwrap();
    // Packets of n3 to n2 that were sent later show that the time of the others has come.
    whole_burst(3, 2);
    assert!(two.recv(&mut [0; 100]).is_err(), "what was under way is cut off as well");
    nemesis.heal(cut).unwrap();
    assert!(whole_burst(1, 2).iter().all(|(.., after)| *after >= Duration::from_millis(200)));
    nemesis.heal_all().unwrap();
    assert_clear(1, 2);
    assert_eq!(traces(), before);
}
