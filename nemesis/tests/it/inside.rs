//! Scenarios inside a sandbox: hosts, processes, partitions, faults and their healing.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nemesis::{
    Capabilities, Error, Firewall, Hosts, Leaders, Log, Nemesis, NodeCommand, NodeId, NodeLog, NodeProcess, Outcome,
    OwnView, PartitionBy, Partitioner, PlannedFault, Sandbox, ScheduleOptions, Stop, plan, probe,
};
use nix::sys::signal::{SigHandler, Signal, signal};

use crate::harness::Test;
use crate::host::{Starter, User, poll, state as state_of_host, succeed};
use crate::oracles::cases;
use crate::peer::{PORT, SHOUT, ask, await_grudge};

pub(crate) const TESTS: &[Test] = &[
    ("hosts::are_separate_and_a_second_network_beside_them_is_refused", || everywhere("hosts")),
    ("partitions::every_way_cuts_what_it_shall_and_heals_without_trace", every_way),
    ("partitions::neighbour_entries_withstand_arp_and_a_heal_completes_another", || everywhere("neighbours")),
    ("processes::kill_pause_resume_and_end", || everywhere("processes")),
    ("processes::starved_ones_stand_still_and_go_on_in_turn", || everywhere("starvation")),
    ("processes::several_are_one_node", || everywhere("several_processes")),
    ("processes::work_without_a_sandbox", || {
        for scenario in ["processes", "several_processes"] {
            print!("{}", succeed(&mut Starter::new().helper(User::Me, &["plain", scenario])));
        }
    }),
    ("processes::see_files_and_a_host_name_that_nobody_else_sees", own_views),
    ("faults::each_is_installed_and_healed", || everywhere("faults")),
];

pub(crate) fn everywhere(scenario: &str) {
    let starter = Starter::new();
    for &user in cases(&[User::Me, User::Nobody], 1) {
        print!("{}", succeed(&mut starter.helper(user, &["inside", scenario])));
    }
}

fn own_views() {
    let outside = || (state_of_host(), fs::read("/etc/hosts").unwrap(), fs::read("/proc/sys/kernel/hostname").unwrap());
    let before = outside();
    everywhere("own_view");
    if nix::unistd::geteuid().is_root() {
        succeed(&mut Starter::new().helper(User::Me, &["plain", "own_view"]));
    }
    assert_eq!(outside(), before);
}

fn every_way() {
    let starter = Starter::new();
    for (by, program) in [
        ("netlink", None),
        ("iptables", Some("iptables")),
        ("iptables", Some("iptables-nft")),
        ("nft", Some("nft")),
        ("iptables", Some("iptables-legacy")),
    ] {
        let Some(folder) = starter.tools(program) else { continue };
        // The old kernel interface may be closed to ordinary users.
        let user = if program == Some("iptables-legacy") { User::Me } else { User::Nobody };
        let mut helper = starter.helper(user, &["inside", "partitions", by]);
        print!("{}", succeed(helper.env("SCHISM_TOOLS_PATH", folder)));
    }
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

pub(crate) fn shell(log: &Path, script: &str) -> NodeCommand {
    NodeCommand {
        program: "sh".into(),
        args: vec!["-c".into(), script.into()],
        first_args: vec![],
        beside: vec![],
        ordinary: false,
        view: OwnView::default(),
        env: vec![("GREETING".into(), "hello".into())],
        stop: Stop::default(),
        stop_within: Duration::from_secs(5),
        log: NodeLog::new(log),
        clock: None,
    }
}

/// Returns the letter of a process's state; none if there is no such process.
fn state(pid: u32) -> Option<char> {
    // `/proc` may be that of a PID namespace around ours.
    let namespace = |process: &Path| fs::metadata(process.join("ns/pid")).map(|of| of.ino()).ok();
    let own = namespace(Path::new("/proc/self"));
    let is_it = |status: &str| {
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        numbers.is_some_and(|numbers| numbers.split_whitespace().next_back() == Some(&pid.to_string()))
    };
    let all = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let mut found = all.filter_map(|path| Some((fs::read_to_string(path.join("status")).ok()?, path)));
    let (status, _) = found.find(|(status, path)| is_it(status) && namespace(path) == own)?;
    status.lines().find_map(|line| line.strip_prefix("State:\t")?.chars().next())
}

/// Returns true if a process has not ended.
fn runs(pid: u32) -> bool {
    !matches!(state(pid), None | Some('Z' | 'X'))
}

/// Scenario: starts, pauses and ends processes.
pub(crate) fn processes(sandbox: &Sandbox) {
    let can = probe(PartitionBy::Netlink);
    let logs = tempfile::tempdir().unwrap();
    let hosts = Hosts::create(1, sandbox, &can, silent()).unwrap();
    let host = hosts.get(NodeId(1)).unwrap();
    let log = logs.path().join("deep/n1.log");
    let shell = |script: &str| shell(&log, script);

    let mut short = host.start(&shell("echo $GREETING; exit 3")).unwrap();
    poll("the end", || !short.is_running().unwrap());
    assert_eq!(short.exit_status().unwrap().unwrap().code(), Some(3));
    assert!(!short.pause().unwrap(), "what has ended cannot be paused");
    short.resume().unwrap();
    short.kill().unwrap();

    // The shell's child must not escape: signals go to the whole group.
    let mut long = host.start(&shell("sleep 1000 & echo $!; wait")).unwrap();
    let child_of = || fs::read_to_string(&log).unwrap().lines().nth(1).and_then(|line| line.parse::<u32>().ok());
    poll("the child", || child_of().is_some());
    let child = child_of().unwrap();
    assert!(long.pause().unwrap());
    assert_eq!(state(long.id()), Some('T'));
    poll("the child to stand still", || state(child) == Some('T'));
    assert!(long.is_running().unwrap(), "a paused process has not ended");
    long.resume().unwrap();
    poll("it to go on", || state(long.id()) == Some('S') && state(child) == Some('S'));
    assert!(long.pause().unwrap());
    let status = long.kill().unwrap();
    assert_eq!(status.to_string(), "signal: 9 (SIGKILL)", "SIGKILL ends a paused process");
    assert_eq!(state(long.id()), None, "reaped");
    poll("the child's end", || !runs(child));

    let mut stubborn = host.start(&shell("trap '' TERM; echo trapped; while :; do sleep 0.01; done")).unwrap();
    poll("the trap", || fs::read_to_string(&log).unwrap().contains("trapped"));
    let end = |process: &mut NodeProcess, limit_ms| {
        process.ask_to_end().unwrap();
        let was_killed = process.end_within(Duration::from_millis(limit_ms)).unwrap();
        (was_killed, process.exit_status().unwrap().unwrap().to_string())
    };
    assert_eq!(end(&mut stubborn, 50), (true, "signal: 9 (SIGKILL)".into()));
    let mut paused = host.start(&shell("exec sleep 1000")).unwrap();
    paused.pause().unwrap();
    assert_eq!(end(&mut paused, 5000), (false, "signal: 15 (SIGTERM)".into()));
    #[allow(unsafe_code, reason = "one system call")]
    // SAFETY: nothing is called when the signal comes.
    unsafe { signal(Signal::SIGINT, SigHandler::SigIgn) }.unwrap();
    let stop = Stop::Signal(Signal::SIGINT);
    let mut interrupted = host.start(&NodeCommand { stop, ..shell("exec sleep 1000") }).unwrap();
    assert_eq!(end(&mut interrupted, 5000), (false, "signal: 2 (SIGINT)".into()));
    let asks = "echo $GREETING >$0; exec sleep 1000";
    let told = logs.path().join("told");
    let stop = Stop::Command("sh".into(), vec!["-c".into(), asks.into(), told.clone().into()]);
    let waits = format!("until [ -e {} ]; do sleep 0.01; done; exit 4", told.display());
    let mut asked = host.start(&NodeCommand { stop, ..shell(&waits) }).unwrap();
    assert_eq!(end(&mut asked, 5000), (false, "exit status: 4".into()), "and the command ends with it");

    let logged = shell("echo again; exec sleep 1000");
    let before = fs::metadata(&log).unwrap().len();
    let mut again = host.start(&logged).unwrap();
    assert_eq!(logged.log.began(), Some(before), "what earlier processes wrote is not its own");
    again.kill().unwrap();
    assert_eq!(logged.log.began(), None);

    let dropped = host.start(&shell("exec sleep 1000")).unwrap();
    let id = dropped.id();
    drop(dropped);
    assert_eq!(state(id), None);
    assert!(fs::read_to_string(&log).unwrap().starts_with("hello\n"), "the log is appended to");
    let missing = NodeCommand { program: "/no/such".into(), ..shell("") };
    let error = host.start(&missing).unwrap_err();
    assert!(error.to_string().starts_with("starting n1 (/no/such): No such file"), "{error}");
}

/// Scenario: starves processes.
pub(crate) fn starvation(sandbox: &Sandbox) {
    let logs = tempfile::tempdir().unwrap();
    let hosts = Hosts::create(1, sandbox, &probe(PartitionBy::default()), silent()).unwrap();
    let host = hosts.get(NodeId(1)).unwrap();
    let log = logs.path().join("n1.log");
    // A starved process stands still and goes on in turn, as does its child, until that is over.
    let mut starved = host.start(&shell(&log, "sleep 1000 & echo child $!; wait")).unwrap();
    let child_of =
        || fs::read_to_string(&log).unwrap().lines().find_map(|line| line.strip_prefix("child ")?.parse().ok());
    poll("the child", || child_of().is_some());
    let child = child_of().unwrap();
    starved.starve(50, 100).unwrap();
    for _ in 0..2 {
        poll("both to stand still", || state(starved.id()) == Some('T') && state(child) == Some('T'));
        poll("both to go on", || state(starved.id()) == Some('S') && state(child) == Some('S'));
    }
    starved.starve(1, 60_000).unwrap();
    poll("it to stand still", || state(starved.id()) == Some('T'));
    starved.feed();
    poll("both to go on for good", || state(starved.id()) == Some('S') && state(child) == Some('S'));
    starved.starve(1, 60_000).unwrap();
    assert_eq!(starved.kill().unwrap().to_string(), "signal: 9 (SIGKILL)");
    assert_eq!(state(starved.id()), None, "reaped");
}

/// Scenario: starts, pauses and ends nodes of several processes, and one that must not be root.
pub(crate) fn several_processes(sandbox: &Sandbox) {
    let logs = tempfile::tempdir().unwrap();
    let hosts = Hosts::create(1, sandbox, &probe(PartitionBy::Netlink), silent()).unwrap();
    let host = hosts.get(NodeId(1)).unwrap();
    let log = logs.path().join("n1.log");
    let shell = |script: &str| shell(&log, script);
    // Neither one that has left the group nor one that runs beside it must escape.
    let beside = vec![("sh".into(), ["-c", "echo $$; exec sleep 1000"].map(Into::into).into())];
    let leaves = "setsid sh -c 'echo $$; exec sleep 1000' &
        (setsid sh -c 'echo $$; exec sleep 1000' &) # a daemon, whose parent ends
        wait";
    let mut several = host.start(&NodeCommand { beside, ..shell(leaves) }).unwrap();
    let others = || fs::read_to_string(&log).unwrap().lines().map(|line| line.parse().unwrap()).collect::<Vec<u32>>();
    poll("the others", || others().iter().filter(|other| state(**other) == Some('S')).count() == 3);
    let others = others();
    assert!(several.pause().unwrap());
    poll("the others to stand still", || others.iter().all(|other| state(*other) == Some('T')));
    several.resume().unwrap();
    poll("the others to go on", || others.iter().all(|other| state(*other) == Some('S')));
    several.kill().unwrap();
    poll("the others' end", || others.iter().all(|other| !runs(*other)));
    let large = format!("setsid {} helper large & wait", std::env::current_exe().unwrap().display());
    let mut slow = host.start(&shell(&large)).unwrap();
    let said = || fs::read_to_string(&log).unwrap().lines().find_map(|line| line.strip_prefix("large ")?.parse().ok());
    poll("the large one", || said().is_some());
    slow.kill().unwrap();
    assert!(!runs(said().unwrap()), "a restart would meet its port and its locks");
    let beside = vec![("sh".into(), ["-c", "exit 5"].map(Into::into).into())];
    let mut lonely = host.start(&NodeCommand { beside, ..shell("exec sleep 1000") }).unwrap();
    poll("the end of all", || !lonely.is_running().unwrap());
    assert_eq!(lonely.exit_status().unwrap().unwrap().code(), Some(5), "that of the one that ended by itself");
    let mut ordinary = host.start(&NodeCommand { ordinary: true, ..shell("test $(id -u) != 0") }).unwrap();
    poll("the end", || !ordinary.is_running().unwrap());
    assert_eq!(ordinary.exit_status().unwrap().unwrap().code(), Some(0));
}

/// Scenario: starts nodes that see a file and a host name of their own, and kills one of them.
pub(crate) fn own_view(sandbox: &Sandbox) {
    let folder = tempfile::tempdir().unwrap();
    let hosts = Hosts::create(1, sandbox, &probe(PartitionBy::Netlink), silent()).unwrap();
    let host = hosts.get(NodeId(1)).unwrap();
    let log = folder.path().join("n1.log");
    let own = folder.path().join("hosts");
    fs::write(&own, "10.0.0.1 n1\n").unwrap();
    let outside = || (fs::read("/etc/hosts").unwrap(), fs::read("/proc/sys/kernel/hostname").unwrap(), mounts());
    let before = outside();
    let view = OwnView { files: vec![(own, "/etc/hosts".into())], host_name: Some("n1.test".into()) };
    for ordinary in [false, true] {
        let script = "cat /etc/hosts; cat /proc/sys/kernel/hostname; exec sleep 1000";
        let mut node = host.start(&NodeCommand { view: view.clone(), ordinary, ..shell(&log, script) }).unwrap();
        let said = || fs::read_to_string(&log).unwrap();
        poll("its view", || said().ends_with("10.0.0.1 n1\nn1.test\n"));
        assert_eq!(outside(), before);
        node.kill().unwrap();
        assert_eq!(outside(), before);
        fs::remove_file(&log).unwrap();
    }
    let files = vec![("/no/such".into(), "/etc/hosts".into())];
    let view = OwnView { files, ..OwnView::default() };
    let refused = host.start(&NodeCommand { view, ..shell(&log, "") }).unwrap_err();
    assert!(refused.to_string().contains("No such file"), "{refused}");
}

fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap()
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
    assert_eq!(starve.to_string(), "installed: let n2 run for 1 % of each 60000 ms");
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
