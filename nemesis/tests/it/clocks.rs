//! Clocks of programs that know nothing of us, skewed through their vDSOs while they run.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use nemesis::{Hosts, Nemesis, NodeCommand, NodeId, PartitionBy, Sandbox, probe};
use nix::libc;
use nix::time::{ClockId, clock_gettime};

use crate::Test;
use crate::host::{Starter, User, plainly, poll, succeed};
use crate::inside::{inject, silent};
use crate::oracles::cases;
use crate::processes::shell;

pub(crate) const TESTS: &[Test] = &[
    ("clocks::of_any_program_jump_slow_down_stand_still_strobe_and_are_healed", || everywhere("clocks")),
    ("clocks::of_etcd_and_redis_let_what_has_a_term_run_out", || everywhere("terms")),
    ("clocks::of_a_program_whose_system_calls_are_filtered_are_left_alone", || everywhere("filtered")),
];

fn everywhere(scenario: &str) {
    let starter = Starter::new();
    for &user in cases(&[User::Me, User::Nobody], 1) {
        print!("{}", succeed(&mut starter.helper(user, &["inside", scenario])));
    }
    print!("{}", plainly(scenario));
}

const HOUR_NS: i64 = 3_600_000_000_000;
const REALTIME: usize = 0;
const MONOTONIC: usize = 1;
const COARSE: usize = 4;
/// Clocks that the programs tell, by their ids, and then the time of `time`, in ns.
const CLOCKS: [i32; 7] = [0, 1, 4, 5, 6, 7, 11];
/// Places of the clocks of the time of day among them.
const WALL: [usize; 3] = [0, 3, 6];

/// Program in Python that tells the time as [`tell`] does.
const PYTHON: &str = "
import socket, sys, time
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
while True:
    client = server.accept()[0]
    told = [time.clock_gettime_ns(clock) for clock in (0, 1, 4, 5, 6, 7, 11)] + [int(time.time()) * 10**9, 0]
    client.sendall((' '.join(map(str, told)) + chr(10)).encode())
    client.close()
";

fn read_ns(clock: i32) -> i64 {
    let now = Duration::from(clock_gettime(ClockId::from_raw(clock)).unwrap());
    i64::try_from(now.as_nanos()).unwrap()
}

/// Tells each client the time by all clocks, and how often a monotonic one went backward. Starts itself again at
/// another address for one that asks for a child; may filter its system calls before.
pub(crate) fn tell(address: &str, how: &[&str]) {
    if how == ["filtered"] {
        filter_nothing();
    }
    let backward = Arc::new(AtomicU64::new(0));
    let counts = Arc::clone(&backward);
    thread::spawn(move || {
        let mut last = [0; 2];
        loop {
            let now = [1, 6].map(read_ns);
            let went = now.iter().zip(last).filter(|(now, last)| **now < *last).count();
            counts.fetch_add(went as u64, Ordering::Relaxed);
            last = now;
        }
    });
    for client in TcpListener::bind(address).unwrap().incoming() {
        let mut client = client.unwrap();
        let mut asked = String::new();
        BufReader::new(&client).read_line(&mut asked).unwrap();
        if let Some(other) = asked.trim().strip_prefix("child ") {
            let mut child = Command::new("/proc/self/exe").args(["helper", "time", other]).spawn().unwrap();
            thread::spawn(move || child.wait());
        }
        #[allow(unsafe_code, reason = "one call of the C library")]
        // SAFETY: a null pointer is allowed.
        let seconds = unsafe { libc::time(std::ptr::null_mut()) };
        let mut told: Vec<String> = CLOCKS.map(|clock| read_ns(clock).to_string()).into();
        told.extend([(seconds * 1_000_000_000).to_string(), backward.load(Ordering::Relaxed).to_string()]);
        // Who did not get an answer in time is gone.
        client.write_all(format!("{}\n", told.join(" ")).as_bytes()).ok();
    }
}

/// Has the kernel ask a filter about each system call, which allows all.
fn filter_nothing() {
    let mut allow = libc::sock_filter { code: 6, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW };
    let program = libc::sock_fprog { len: 1, filter: &raw mut allow };
    #[allow(unsafe_code, reason = "two system calls")]
    // SAFETY: the program is valid for the call.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program), 0);
    }
}

fn ask(address: SocketAddr, question: &str) -> Option<Vec<i64>> {
    let mut server = TcpStream::connect_timeout(&address, Duration::from_millis(500)).ok()?;
    server.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    // One that does not read may have answered and closed already.
    writeln!(server, "{question}").ok();
    let mut line = String::new();
    BufReader::new(server).read_line(&mut line).ok()?;
    let told: Vec<i64> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
    (!told.is_empty()).then_some(told)
}

/// Times as a program told them, between two times at which they were right.
struct Readings {
    before: Vec<i64>,
    shown: Vec<i64>,
    after: Vec<i64>,
}

impl Readings {
    fn by(address: SocketAddr) -> Self {
        let now = || CLOCKS.map(read_ns).to_vec();
        let mut found = None;
        poll("a program to tell the time", || {
            let before = now();
            found = ask(address, "time").map(|shown| Self { before, shown, after: now() });
            found.is_some()
        });
        found.unwrap()
    }

    /// Returns the offset of the clock of the day, less by up to the time that asking took.
    fn offset_ns(&self) -> i64 {
        self.shown[REALTIME] - self.after[REALTIME]
    }

    /// Checks that a clock shows the true time and this offset.
    fn check(&self, place: usize, offset_ns: i64) {
        let shown = self.shown[place] - offset_ns;
        // A coarse monotonic clock is never behind the moment of a change, which the exact one showed.
        let latest = self.after[if place == COARSE { MONOTONIC } else { place }];
        assert!((self.before[place]..=latest).contains(&shown), "{place}: {:?}", self.shown);
    }

    /// Checks that all clocks of the time of day are right.
    fn check_healed(&self) {
        for place in WALL {
            self.check(place, 0);
        }
    }

    /// Checks that all clocks of the time of day have this offset, and the others none.
    fn check_wall(&self, offset_ns: i64) {
        for place in 0..CLOCKS.len() {
            self.check(place, if WALL.contains(&place) { offset_ns } else { 0 });
        }
        let second = |place: usize, of: &[i64]| of[place] / 1_000_000_000;
        let seconds = (self.shown[CLOCKS.len()] - offset_ns) / 1_000_000_000;
        // The kernel's own `time` is that of the coarse clock, as is the one of a program at ours.
        assert!((second(3, &self.before)..=second(0, &self.after)).contains(&seconds), "{:?}", self.shown);
        assert_eq!(self.shown[CLOCKS.len() + 1], 0, "no monotonic clock has gone backward");
    }
}

fn check_walls(all: &[Readings], offset_ns: i64) {
    for told in all {
        told.check_wall(offset_ns);
    }
}

fn teller(logs: &Path, address: IpAddr, how: &[&str]) -> NodeCommand {
    let mut args = vec!["helper".to_owned(), "time".to_owned(), format!("{address}:7001")];
    args.extend(how.iter().map(|word| (*word).to_owned()));
    let python = ["-c", PYTHON, &address.to_string(), "7002"].map(Into::into).into();
    NodeCommand {
        program: "/proc/self/exe".into(),
        args: args.into_iter().map(Into::into).collect(),
        beside: vec![("python3".into(), python)],
        ..shell(&logs.join("log"), "")
    }
}

/// Scenario: skews the clocks of a Rust program of two threads, and of one in Python, in every way.
pub(crate) fn skewed(sandbox: &Sandbox) {
    let can = probe(PartitionBy::Netlink);
    let logs = tempfile::tempdir().unwrap();
    let mut nemesis = Nemesis::new(Hosts::create(1, sandbox, &can, silent()).unwrap());
    let node = Some(NodeId(1));
    let address = nemesis.hosts().get(NodeId(1)).unwrap().address;
    nemesis.start(NodeId(1), teller(logs.path(), address, &[])).unwrap();
    let [rust, python, child] = [7001, 7002, 7003].map(|port| SocketAddr::new(address, port));
    let both = || [rust, python].map(Readings::by);
    check_walls(&both(), 0);
    let heal = |nemesis: &mut Nemesis| nemesis.heal_all().unwrap();

    let jump = inject(&mut nemesis, "clock:rate=1,jump=1h", node);
    assert_eq!(jump.to_string(), "installed: skew the clock of n1 to 1 of its speed and +3600 s, through the vDSO");
    check_walls(&both(), HOUR_NS);
    heal(&mut nemesis);
    check_walls(&both(), 0);

    // A strobe is seen on both sides.
    inject(&mut nemesis, "clock:rate=1,jump=-1h,strobe=100ms", node);
    for address in [rust, python] {
        for there in [true, false] {
            poll("the other half of a period", || (Readings::by(address).offset_ns() < -HOUR_NS / 2) == there);
        }
    }
    heal(&mut nemesis);
    check_walls(&both(), 0);

    // Clocks stand still, also of a child that is started later, and over a restart.
    inject(&mut nemesis, "clock:rate=0", node);
    let first = both();
    let second = both();
    for (first, second) in first.iter().zip(&second) {
        assert_eq!(first.shown, second.shown);
    }
    let wall = |told: &Readings| WALL.map(|place| told.shown[place]);
    assert_eq!(wall(&first[0]), wall(&first[1]), "all programs of a node agree");
    ask(rust, &format!("child {child}")).unwrap();
    poll("the child's clock to stand still", || wall(&Readings::by(child)) == wall(&first[0]));
    let steady = Readings::by(child).shown[MONOTONIC];
    assert!(steady > first[0].shown[MONOTONIC], "it goes on from where it was");
    let kill = inject(&mut nemesis, "kill:n1", node);
    nemesis.heal(kill.id().unwrap()).unwrap();
    let restarted = both();
    assert_eq!([wall(&restarted[0]), wall(&restarted[1])], [wall(&first[0]), wall(&first[1])]);
    assert!(restarted[0].shown[MONOTONIC] > steady);
    heal(&mut nemesis);
    for told in both() {
        told.check_healed();
        assert!(told.shown[MONOTONIC] < told.before[MONOTONIC], "it has lost time, and goes on");
        assert_eq!(told.shown[CLOCKS.len() + 1], 0);
    }

    // A paused program stays paused while its clock is skewed.
    let pause = inject(&mut nemesis, "pause:n1", node);
    let slow = inject(&mut nemesis, "clock:rate=0.2", node);
    assert!(ask(rust, "time").is_none());
    nemesis.heal(pause.id().unwrap()).unwrap();
    for address in [rust, python] {
        let (first, second) = (Readings::by(address), Readings::by(address));
        for place in [REALTIME, MONOTONIC] {
            let passed = second.shown[place] - first.shown[place];
            let [least, most] = [second.before[place] - first.after[place], second.after[place] - first.before[place]];
            assert!((least / 5 - 1..=most / 5 + 1).contains(&passed), "{least} {passed} {most}");
        }
        assert_eq!(second.shown[CLOCKS.len() + 1], 0);
    }
    nemesis.heal(slow.id().unwrap()).unwrap();
    for told in both() {
        told.check_healed();
    }

    jump_back(&mut nemesis, rust);
    assert_eq!(nemesis.stop_all().unwrap(), []);
}

/// Has all clocks jump back: a monotonic one goes backward only if asked to.
fn jump_back(nemesis: &mut Nemesis, address: SocketAddr) {
    let before = Readings::by(address);
    inject(nemesis, "clock:rate=1,jump=-1s,clocks=all", Some(NodeId(1)));
    let after = Readings::by(address);
    let moved = after.shown[MONOTONIC] + 1_000_000_000 - before.shown[MONOTONIC];
    let [least, most] = [after.before[1] - before.after[1], after.after[1] - before.before[1]];
    assert!((least..=most).contains(&moved), "{least} {moved} {most}");
    nemesis.heal_all().unwrap();
}

/// Scenario: a program whose system calls are filtered is not touched.
pub(crate) fn filtered(sandbox: &Sandbox) {
    let can = probe(PartitionBy::Netlink);
    let logs = tempfile::tempdir().unwrap();
    let mut nemesis = Nemesis::new(Hosts::create(1, sandbox, &can, silent()).unwrap());
    let address = nemesis.hosts().get(NodeId(1)).unwrap().address;
    nemesis.start(NodeId(1), teller(logs.path(), address, &["filtered"])).unwrap();
    let both = || [7001, 7002].map(|port| Readings::by(SocketAddr::new(address, port)));
    check_walls(&both(), 0);
    let refused = inject(&mut nemesis, "clock:jump=1h", Some(NodeId(1))).to_string();
    assert!(refused.starts_with("skipped: the clocks of n1: process "), "{refused}");
    assert!(refused.contains(" has its system calls filtered (seccomp), "), "{refused}");
    check_walls(&both(), 0);
    assert_eq!(nemesis.stop_all().unwrap(), []);
}

/// Sends a request, and returns all that is answered until the server has nothing more to say.
fn exchange(address: SocketAddr, request: &str) -> Option<String> {
    let mut server = TcpStream::connect_timeout(&address, Duration::from_millis(500)).ok()?;
    server.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    server.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    // What came before an error, or before the time was over, is the answer.
    server.read_to_string(&mut answer).ok();
    (!answer.is_empty()).then_some(answer)
}

/// Starts a server that is installed on this host, as its only node.
fn start(nemesis: &mut Nemesis, program: &str, arguments: &[&str], logs: &Path) -> bool {
    if Command::new(program).arg("--version").output().is_err() {
        println!("skipped: {program} is not installed");
        return false;
    }
    let args = arguments.iter().map(Into::into).collect();
    nemesis.start(NodeId(1), NodeCommand { program: program.into(), args, ..shell(&logs.join(program), "") }).unwrap();
    true
}

/// Scenario: lets a lease of etcd and a key of Redis run out long before their time.
pub(crate) fn terms(sandbox: &Sandbox) {
    let can = probe(PartitionBy::Netlink);
    let logs = tempfile::tempdir().unwrap();
    let data = logs.path().display().to_string();
    let mut nemesis = Nemesis::new(Hosts::create(1, sandbox, &can, silent()).unwrap());
    let ip = nemesis.hosts().get(NodeId(1)).unwrap().address;
    let ports = nemesis::free_ports(3).unwrap();
    let urls = [0, 1].map(|place| format!("http://{ip}:{}", ports[place]));
    let etcd = ["--data-dir", &data, "--listen-client-urls", &urls[0], "--advertise-client-urls", &urls[0]];
    let etcd = [&etcd[..], &["--listen-peer-urls", &urls[1], "--initial-advertise-peer-urls", &urls[1]]].concat();
    let cluster = format!("default={}", urls[1]);
    if start(&mut nemesis, "etcd", &[&etcd[..], &["--initial-cluster", &cluster]].concat(), logs.path()) {
        let ask = |path: &str, body: &str| {
            let head = format!("POST /v3/{path} HTTP/1.0\r\nContent-Length: {}\r\n\r\n", body.len());
            exchange(SocketAddr::new(ip, ports[0]), &format!("{head}{body}"))
        };
        let granted =
            || ask("lease/grant", r#"{"TTL":60,"ID":7}"#).is_some_and(|answer| answer.contains(r#""TTL":"60""#));
        poll("etcd to grant a lease of a minute", granted);
        let put = ask("kv/put", r#"{"key":"YQ==","value":"MQ==","lease":7}"#).unwrap();
        assert!(put.contains("revision"), "{put}");
        let is_there = || ask("kv/range", r#"{"key":"YQ=="}"#).map(|answer| answer.contains(r#""count":"1""#));
        assert_eq!(is_there(), Some(true));
        let fast = inject(&mut nemesis, "clock:rate=1000,target=n1", None);
        assert!(fast.to_string().starts_with("installed: "), "{fast}");
        poll("the lease to run out", || is_there() == Some(false));
        nemesis.heal_all().unwrap();
        nemesis.stop_all().unwrap();
    }
    let [port, address] = [ports[2].to_string(), ip.to_string()];
    let redis = ["--port", &port, "--bind", &address, "--protected-mode", "no", "--dir", &data, "--save", ""];
    if start(&mut nemesis, "redis-server", &redis, logs.path()) {
        let ask = |command: &str| exchange(SocketAddr::new(ip, ports[2]), &format!("{command}\r\nQUIT\r\n"));
        poll("Redis to take a key of an hour", || {
            ask("SET a 1 EX 3600").is_some_and(|answer| answer.starts_with("+OK"))
        });
        assert_eq!(ask("GET a").unwrap(), "$1\r\n1\r\n+OK\r\n");
        let ahead = inject(&mut nemesis, "clock:rate=1,jump=2h,target=n1", None);
        assert!(ahead.to_string().starts_with("installed: "), "{ahead}");
        poll("the key to run out", || ask("GET a").is_some_and(|answer| answer.starts_with("$-1")));
        nemesis.heal_all().unwrap();
        nemesis.stop_all().unwrap();
    }
}
