//! Scenarios inside a sandbox: hosts, processes, partitions, faults and their healing.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nemesis::{
    Capabilities, Error, Firewall, Hosts, Leaders, Log, Nemesis, NodeCommand, NodeId, NodeLog, Outcome, OwnView,
    PartitionBy, Partitioner, PlannedFault, Sandbox, ScheduleOptions, Stop, plan, probe,
};
use nix::sys::signal::Signal;

use crate::Test;
use crate::host::{Starter, User, poll, succeed};
use crate::oracles::cases;
use crate::peer::{PORT, SHOUT, ask, await_grudge};

pub(crate) const TESTS: &[Test] = &[
    ("hosts::are_separate_and_a_second_network_beside_them_is_refused", || everywhere("hosts")),
    ("partitions::by_netlink_cut_what_they_shall_and_heal_without_trace", || every_shape("netlink", None)),
    ("partitions::by_iptables_do_the_same", || every_shape("iptables", Some("iptables"))),
    ("partitions::by_iptables_nft_do_the_same", || every_shape("iptables", Some("iptables-nft"))),
    ("partitions::by_nft_do_the_same", || every_shape("nft", Some("nft"))),
    ("partitions::by_iptables_legacy_do_the_same", || every_shape("iptables", Some("iptables-legacy"))),
    ("partitions::neighbour_entries_withstand_arp_and_a_heal_completes_another", || everywhere("neighbours")),
    ("faults::each_is_installed_and_healed", || everywhere("faults")),
];

pub(crate) fn everywhere(scenario: &str) {
    let starter = Starter::new();
    for &user in cases(&[User::Me, User::Nobody], 1) {
        print!("{}", succeed(&mut starter.helper(user, &["inside", scenario])));
    }
}

/// Cuts and heals in every shape by these rules, with no other program in reach than the one that makes them.
fn every_shape(by: &str, program: Option<&str>) {
    let starter = Starter::new();
    let Some(folder) = starter.tools(program) else { return };
    // The old kernel interface may be closed to ordinary users.
    let user = if program == Some("iptables-legacy") { User::Me } else { User::Nobody };
    let mut helper = starter.helper(user, &["inside", "partitions", by]);
    print!("{}", succeed(helper.env("SCHISM_TOOLS_PATH", folder)));
}

pub(crate) fn silent() -> Log {
    Arc::new(|_| {})
}

pub(crate) fn peer(logs: &Path, node: NodeId, address: SocketAddr) -> NodeCommand {
    NodeCommand {
        program: "/proc/self/exe".into(),
        args: ["helper", "peer", &address.to_string()].map(Into::into).into(),
        first_args: vec!["first".into()],
        beside: vec![],
        ordinary: false,
        view: OwnView::default(),
        env: vec![],
        stop: Stop::default(),
        stop_within: Duration::from_secs(5),
        log: NodeLog::new(logs.join(format!("{node}.log"))),
        clock: Some(logs.join(format!("{node}.clock"))),
    }
}

/// Injects the fault that the text describes.
pub(crate) fn inject(nemesis: &mut Nemesis, fault: &str, leader: Option<NodeId>) -> Outcome {
    nemesis.inject(&planned(fault), Leaders { current: leader, deposed: None }).unwrap()
}

fn planned(fault: &str) -> PlannedFault {
    let faults = fault.parse::<nemesis::FaultSpecs>().unwrap().0;
    let plan = plan(1, &ScheduleOptions { faults, ..ScheduleOptions::default() });
    plan.into_iter().next().unwrap()
}

pub(crate) fn cluster(count: u16, sandbox: &Sandbox, can: &Capabilities, logs: &Path) -> Nemesis {
    let mut nemesis = Nemesis::new(Hosts::create(count, sandbox, can, silent()).unwrap());
    for node in (1..=count).map(NodeId) {
        let address = nemesis.hosts().get(node).unwrap().address;
        nemesis.start(node, peer(logs, node, (address, PORT).into())).unwrap();
    }
    for host in nemesis.hosts().iter() {
        poll("a peer to answer", || ask(host.address, "got").is_some());
    }
    nemesis
}

/// Scenario: creates hosts.
pub(crate) fn hosts(sandbox: &Sandbox) {
    let started = Instant::now();
    let can = probe(PartitionBy::Netlink);
    let probed = started.elapsed();
    let created = Instant::now();
    let hosts = Hosts::create(5, sandbox, &can, silent()).unwrap();
    let took = created.elapsed();
    println!("probe {probed:.1?}, five hosts {took:.1?}");
    assert!(hosts.are_separate() && hosts.can_be_partitioned());
    assert!(matches!(Hosts::create(0, sandbox, &can, silent()), Err(Error::HostCount { .. })));
    assert!(matches!(Hosts::create(65, sandbox, &can, silent()), Err(Error::HostCount { .. })));
    // The name of the bridge is taken by now: the kernel's refusal is reported.
    let error = Hosts::create(1, sandbox, &can, silent()).unwrap_err();
    assert!(matches!(error, Error::Command(_)), "{error}");
    let told = "the kernel refused `ip link add name schism index 1000 address 02:00:0a:4d:00:fa type bridge \
                stp_state 0 forward_delay 0`: File exists (os error 17); something of this name is there \
                already: remove it first";
    assert_eq!(error.to_string(), told);
}

/// Scenario: partitions hosts in every shape and heals them.
pub(crate) fn partitions(sandbox: &Sandbox, by: &str) {
    let can = probe(by.parse().unwrap());
    let partitioner = can.partitioner().unwrap();
    println!("{partitioner:?}");
    let logs = tempfile::tempdir().unwrap();
    let mut nemesis = cluster(5, sandbox, &can, logs.path());
    await_grudge(nemesis.hosts(), |_, _| false);
    let address = |nemesis: &Nemesis, node| nemesis.hosts().get(NodeId(node)).unwrap().address;
    let connect = |nemesis: &Nemesis, from, to| {
        ask(address(nemesis, from), &format!("connect {}:{PORT}", address(nemesis, to))).unwrap()
    };
    assert_eq!(connect(&nemesis, 1, 2), "yes");
    let mut open = OpenConnection::between(1, 2);
    // A rule or entry that is not ours has to survive every healing.
    add_foreign(partitioner);
    let before = in_host(partitioner);
    for fault in [
        "isolate-leader",
        "isolate-random",
        "isolate-minority",
        "mute-leader",
        "deaf-follower",
        "halves",
        "leader-in-minority",
        "one-way",
        "pair",
        "bridge",
        "ring",
        "random-directed",
    ] {
        let started = Instant::now();
        let outcome = inject(&mut nemesis, &format!("partition:{fault}"), Some(NodeId(1)));
        let installed = started.elapsed();
        let Outcome::Installed { id, fault: nemesis::ResolvedFault::Partition { grudge, .. } } = outcome else {
            panic!("{outcome:?}")
        };
        await_grudge(nemesis.hosts(), |a, b| grudge.0.get(&a).is_some_and(|dropped| dropped.contains(&b)));
        if fault == "isolate-leader" {
            assert_eq!(connect(&nemesis, 1, 2), "timed out", "a partition swallows packets, it refuses nothing");
            assert_eq!(connect(&nemesis, 3, 2), "yes");
            open.assert_silent();
            assert_eq!(ask(address(&nemesis, 1), &format!("send {SHOUT} 1")).unwrap(), "sent");
            await_grudge(nemesis.hosts(), |a, b| grudge.0.get(&a).is_some_and(|dropped| dropped.contains(&b)));
            assert_eq!(ask(address(&nemesis, 2), "heard").unwrap(), "", "a broadcast is no way around");
            let second = inject(&mut nemesis, "partition:halves", None);
            assert_eq!(second, Outcome::Skipped { why: "a partition is in force".into() });
        }
        let started = Instant::now();
        nemesis.heal(id).unwrap();
        println!("{fault}: installed in {installed:.1?}, healed in {:.1?}", started.elapsed());
        await_grudge(nemesis.hosts(), |_, _| false);
        open.assert_delivers();
        nemesis.heal(id).unwrap();
        assert_eq!(in_host(partitioner), before, "only what is ours is removed, and all of it");
    }
    assert_eq!(nemesis.in_force().count(), 0);
    without_clients(&mut nemesis);
}

/// Cuts clients off from nodes that their peers reach, and from such as they do not, and heals both.
fn without_clients(nemesis: &mut Nemesis) {
    let hosts = |nemesis: &Nemesis| nemesis.hosts().iter().map(|host| (host.node, host.address)).collect::<Vec<_>>();
    let hosts = hosts(nemesis);
    let connect = |from: usize, to: usize| {
        let (from, to) = (hosts[from].1, hosts[to].1);
        ask(from, &format!("connect {to}:{PORT}")).unwrap()
    };
    for (shape, peers) in [("clients-leader", "yes"), ("cut-off-leader", "timed out"), ("clients-minority", "yes")] {
        let outcome = inject(nemesis, &format!("partition:{shape}"), Some(NodeId(1)));
        let Outcome::Installed { id, fault: nemesis::ResolvedFault::Partition { grudge, .. } } = outcome else {
            panic!("{outcome:?}")
        };
        let is_cut = |node: NodeId| grudge.0.get(&node).is_some_and(|dropped| dropped.contains(&NodeId::CLIENTS));
        let cut: Vec<NodeId> = hosts.iter().map(|(node, _)| *node).filter(|node| is_cut(*node)).collect();
        assert_eq!(cut.len(), if shape == "clients-minority" { 2 } else { 1 }, "{grudge}");
        for (node, address) in &hosts {
            assert_eq!(ask(*address, "got").is_none(), is_cut(*node), "{shape}: {node}");
        }
        let place = |cut: bool| hosts.iter().position(|(node, _)| is_cut(*node) == cut).unwrap();
        assert_eq!(connect(place(false), place(true)), peers, "{shape}");
        nemesis.heal(id).unwrap();
        // What clients sent meanwhile may come late, as TCP tries again.
        await_grudge(nemesis.hosts(), |_, _| false);
    }
    assert_eq!(nemesis.in_force().count(), 0);
}

/// Connection between two hosts that is open before anything is cut.
pub(crate) struct OpenConnection(pub(crate) [TcpStream; 2]);

impl OpenConnection {
    pub(crate) fn between(from: u16, to: u16) -> Self {
        let address = format!("10.77.0.{to}:7002");
        let listener = in_netns(to, {
            let address = address.clone();
            move || TcpListener::bind(address).unwrap()
        });
        let ends = [in_netns(from, move || TcpStream::connect(address).unwrap()), listener.accept().unwrap().0];
        for end in &ends {
            end.set_nonblocking(true).unwrap();
        }
        Self(ends)
    }

    /// Sends in both directions, and sees nothing arrive, not even an error, for some time.
    fn assert_silent(&mut self) {
        for end in &mut self.0 {
            end.write_all(b"?").unwrap();
        }
        std::thread::sleep(Duration::from_millis(100));
        for end in &mut self.0 {
            assert_eq!(end.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
            assert!(end.take_error().unwrap().is_none());
        }
    }

    /// Sends in both directions, and waits until all that was ever sent has arrived.
    pub(crate) fn assert_delivers(&mut self) {
        for end in &mut self.0 {
            end.write_all(b"!").unwrap();
        }
        for end in &mut self.0 {
            poll("what was sent to arrive", || {
                let mut got = [0; 2];
                end.read(&mut got).is_ok_and(|length| got[..length].ends_with(b"!"))
            });
        }
    }
}

/// Does something in the network namespace of a host; sockets stay there.
pub(crate) fn in_netns<T: Send + 'static>(node: u16, work: impl FnOnce() -> T + Send + 'static) -> T {
    let enter = move || {
        let netns = fs::File::open(format!("/run/netns/n{node}")).unwrap();
        nix::sched::setns(netns, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        work()
    };
    std::thread::spawn(enter).join().unwrap()
}

/// Adds a rule or an entry that is not ours on the host of n1.
fn add_foreign(partitioner: &Partitioner) {
    match partitioner {
        Partitioner::Neighbours => {
            on_host(1, "ip neigh add 10.77.0.99 lladdr 02:00:00:00:00:99 dev eth0 nud permanent");
            on_host(1, "ip neigh add 10.77.0.98 lladdr 02:00:00:00:00:98 dev eth0 nud stale");
        }
        Partitioner::Rules(Firewall::Iptables(path)) => {
            on_host(1, &format!("{} -w -A INPUT -s 192.0.2.7 -j DROP", path.display()));
        }
        Partitioner::Rules(Firewall::Nft(path)) => {
            on_host(1, &format!("{} add table ip docker", path.display()));
        }
    }
}

/// Returns the rules or neighbour entries on the host of n1.
fn in_host(partitioner: &Partitioner) -> Vec<String> {
    let list = match partitioner {
        Partitioner::Neighbours => "ip neigh show".to_owned(),
        Partitioner::Rules(Firewall::Iptables(path)) => format!("{} -w -S", path.display()),
        Partitioner::Rules(Firewall::Nft(path)) => format!("{} list ruleset", path.display()),
    };
    sorted(&on_host(1, &list))
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    lines.sort();
    lines
}

/// Runs a command on the host of a node; returns its output.
fn on_host(node: u16, command: &str) -> String {
    succeed(Command::new("nsenter").arg(format!("--net=/run/netns/n{node}")).args(command.split_whitespace()))
}

/// Scenario: lets ARP and others work on the entries of hosts while a partition is in force, and heals it.
pub(crate) fn neighbours(sandbox: &Sandbox) {
    let links = || succeed(Command::new("ip").args(["-o", "link"]));
    let alone = links();
    let logs = tempfile::tempdir().unwrap();
    let mut nemesis = cluster(3, sandbox, &probe(PartitionBy::Netlink), logs.path());
    let entries = |node: u16| sorted(&on_host(node, "ip neigh show dev eth0"));
    let before = [1, 2, 3].map(entries);
    let cut = inject(&mut nemesis, "partition:isolate-leader", Some(NodeId(1)));
    let during = [1, 2, 3].map(entries);
    assert_eq!(during[0][0], "10.77.0.2 lladdr 02:00:00:00:00:00 PERMANENT");
    assert_eq!(during[0][1], before[0][1], "the way to the clients stays");
    // n2 asks n1 for its address, who thereby learns that of n2, and would answer it from now on.
    on_host(2, "ip neigh replace 10.77.0.1 lladdr 02:00:0a:4d:00:01 dev eth0 nud probe");
    poll("n2 to learn the address of n1", || entries(2)[0].ends_with("REACHABLE"));
    assert_eq!(entries(1), during[0], "what n1 hears of n2 changes nothing");
    // A heal that ended after some entries is completed, as is one of entries that are gone.
    on_host(1, "ip neigh replace 10.77.0.2 lladdr 02:00:0a:4d:00:02 dev eth0 nud permanent");
    on_host(3, "ip neigh del 10.77.0.1 dev eth0");
    nemesis.heal(cut.id().unwrap()).unwrap();
    assert_eq!([1, 2, 3].map(entries), before);
    await_grudge(nemesis.hosts(), |_, _| false);
    assert_eq!(nemesis.stop_all().unwrap(), []);
    nemesis.remove_hosts().unwrap();
    assert_eq!(links(), alone);
    assert_eq!(fs::read_dir("/run/netns").unwrap().count(), 0);
    let mut nemesis = cluster(3, sandbox, &probe(PartitionBy::Netlink), logs.path());
    inject(&mut nemesis, "partition:isolate-leader", Some(NodeId(1)));
    on_host(2, "ip link del eth0");
    let error = nemesis.heal_all().unwrap_err().to_string();
    let told = "not healed: fault 1: the kernel refused `ip -n n2 neigh replace 10.77.0.1 lladdr 02:00:0a:4d:00:01 dev \
                eth0 nud permanent`: No such device (os error 19); somebody removed the interface: create the \
                hosts again";
    assert_eq!(error, told);
    assert_eq!(nemesis.in_force().count(), 1, "the ledger keeps what is not healed");
    assert_eq!([1, 3].map(entries), [before[0].clone(), before[2].clone()], "the others are healed all the same");
}

/// Scenario: heals a partition and is killed after the first request of it.
pub(crate) fn die_healing(sandbox: &Sandbox, token: &str, fault: &str) {
    let heals = Arc::new(AtomicBool::new(false));
    let log: Log = {
        let heals = Arc::clone(&heals);
        Arc::new(move |ran| {
            if heals.load(Ordering::Relaxed) {
                println!("{}", ran.command);
                nix::sys::signal::raise(Signal::SIGKILL).unwrap();
            }
        })
    };
    let logs = tempfile::tempdir().unwrap();
    let hosts = Hosts::create(3, sandbox, &probe(PartitionBy::Netlink), log).unwrap();
    let mut nemesis = Nemesis::new(hosts);
    for node in [1, 2, 3].map(NodeId) {
        let address = nemesis.hosts().get(node).unwrap().address;
        let mut command = peer(logs.path(), node, (address, PORT).into());
        command.args.push(token.into());
        nemesis.start(node, command).unwrap();
    }
    // Nothing would remove the folder once this process is killed.
    drop(logs);
    inject(&mut nemesis, fault, Some(NodeId(1)));
    heals.store(true, Ordering::Relaxed);
    nemesis.heal_all().unwrap();
}

/// Scenario: injects faults of every kind and heals them.
pub(crate) fn faults(sandbox: &Sandbox) {
    let can = probe(PartitionBy::Netlink);
    let logs = tempfile::tempdir().unwrap();
    let mut nemesis = cluster(3, sandbox, &can, logs.path());
    let lead = Some(NodeId(2));
    let address = nemesis.hosts().get(NodeId(2)).unwrap().address;
    let answers = || ask(address, "got").is_some();
    let clock = || fs::read_to_string(logs.path().join("n2.clock")).unwrap();

    assert_eq!(inject(&mut nemesis, "kill:leader", None), Outcome::Skipped { why: "no node claims to lead".into() });
    let kill = inject(&mut nemesis, "kill:leader", lead);
    assert_eq!(kill.to_string(), "installed: kill n2");
    assert!(!answers());
    assert_eq!(nemesis.crashed().unwrap(), [], "who was killed did not crash");
    let second = inject(&mut nemesis, "pause:random", lead);
    assert_eq!(second.to_string(), "skipped: it would leave no majority");
    nemesis.heal(kill.id().unwrap()).unwrap();
    poll("n2 to be back", answers);
    let told = fs::read_to_string(logs.path().join("n2.log")).unwrap();
    assert_eq!(told, "told [\"first\"]\ntold []\n", "what is for the first start alone is not said again");

    let pause = inject(&mut nemesis, "pause:leader", lead);
    assert_eq!(pause.to_string(), "installed: pause n2");
    assert!(!answers());
    nemesis.heal(pause.id().unwrap()).unwrap();
    poll("n2 to go on", answers);

    let restart = inject(&mut nemesis, "restart:leader", lead);
    assert_eq!(restart.to_string(), "installed: restart n2");
    assert!(!answers());
    assert_eq!(nemesis.crashed().unwrap(), [], "who was asked to end did not crash");
    nemesis.heal(restart.id().unwrap()).unwrap();
    poll("n2 to be back", answers);

    let starve = inject(&mut nemesis, "starve:leader,cpu=1%,period=1m", lead);
    assert_eq!(starve.to_string(), "installed: let n2 run for 1 % of each 60 s");
    let second = inject(&mut nemesis, "pause:n2", lead);
    assert_eq!(second, Outcome::Skipped { why: "n2 is starved already".into() });
    nemesis.heal(starve.id().unwrap()).unwrap();
    assert!(answers());

    let skew_clock = inject(&mut nemesis, "clock:rate=0.2,jump=-5ms", lead);
    assert_eq!(skew_clock.to_string(), "installed: skew the clock of n2 to 0.2 of its speed and -5 ms");
    assert_eq!(clock(), "schism-clock v1 00000000000000000001 0000.200000000 -0000000000005000000\n");

    // All kinds are in force at once, then everything is healed by the ledger alone.
    inject(&mut nemesis, "kill:n2", lead);
    inject(&mut nemesis, "pause:n3", lead);
    let cut = inject(&mut nemesis, "partition:isolate-leader", Some(NodeId(1)));
    assert!(matches!(cut, Outcome::Installed { .. }), "{cut}");
    assert_eq!(nemesis.in_force().count(), 4);
    nemesis.heal_all().unwrap();
    assert_eq!(nemesis.in_force().count(), 0);
    assert_eq!(clock(), "schism-clock v1 00000000000000000002 0001.000000000 +0000000000000000000\n");
    poll("all to be back", || nemesis.hosts().iter().all(|host| ask(host.address, "got").is_some()));
    await_grudge(nemesis.hosts(), |_, _| false);
    nemesis.heal_all().unwrap();

    // A node that ends by itself is reported, and neither hit nor restarted.
    ask(nemesis.hosts().get(NodeId(3)).unwrap().address, "end");
    let mut crashed = Vec::new();
    poll("n3 to end", || {
        crashed = nemesis.crashed().unwrap();
        !crashed.is_empty()
    });
    assert_eq!((crashed[0].0, crashed[0].1.code()), (NodeId(3), Some(9)));
    assert_eq!(inject(&mut nemesis, "kill:n3", lead), Outcome::Skipped { why: "n3 has ended by itself".into() });

    let error = nemesis.start(NodeId(2), peer(logs.path(), NodeId(2), (address, PORT).into())).unwrap_err();
    assert_eq!(error.to_string(), "n2 runs already");
    assert_eq!(nemesis.stop_all().unwrap(), []);
    assert!(!answers());
}
