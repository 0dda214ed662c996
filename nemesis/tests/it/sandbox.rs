//! The sandbox from outside: its inputs, its outputs, and that nothing stays behind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nemesis::{Hosts, Nemesis, NodeCommand, NodeId, PartitionBy, Sandbox};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

use crate::Test;
use crate::host::{self, Starter, User, both, exit_code, poll, processes, succeed};
use crate::inside;

pub(crate) const TESTS: &[Test] = &[
    ("sandbox::is_isolated_for_root_and_for_nobody", is_isolated),
    ("sandbox::without_namespaces_the_run_goes_on_in_the_same_process", goes_on_plainly),
    ("sandbox::works_where_proc_cannot_be_mounted", masked_proc),
    ("sandbox::a_forged_marker_changes_nothing", forged_marker),
    ("sandbox::exit_codes_and_deaths_come_out", exit_codes),
    ("sandbox::an_interrupt_arrives_once", interrupts),
    ("sandbox::orphans_are_reaped", orphans),
    ("sandbox::what_lies_below_run_can_be_written", below_run),
    ("sandbox::sigkill_of_any_process_leaves_nothing", sigkill),
    ("sandbox::sigkill_half_way_through_a_heal_leaves_nothing", sigkill_healing),
    ("sandbox::sigkill_in_its_first_moments_leaves_nothing", sigkill_early),
    ("sandbox::without_a_sandbox_nodes_die_with_control", sigkill_plain),
];

const ISOLATED: &str = "Isolated pid=2 root=true links=lo proc=true blocked=\n";
const BOTH: [User; 2] = [User::Me, User::Nobody];

fn is_isolated() {
    let starter = Starter::new();
    let before = host::state();
    for user in BOTH {
        assert_eq!(succeed(&mut starter.helper(user, &["inside", "tell"])), ISOLATED, "{user:?}");
    }
    assert_eq!(host::state(), before);
}

/// Scenario: prints where it runs.
pub(crate) fn tell(sandbox: &Sandbox) {
    let links: Vec<String> =
        nix::net::if_::if_nameindex().unwrap().iter().map(|link| link.name().to_string_lossy().into_owned()).collect();
    let root = nix::unistd::geteuid().is_root();
    let name = match sandbox {
        Sandbox::Isolated => "Isolated".into(),
        Sandbox::Plain { reason } => format!("Plain ({reason})"),
    };
    let pid = std::process::id();
    let proc_is_own = fs::read_link("/proc/self").unwrap().to_str() == Some(&pid.to_string());
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:\t")).unwrap().trim_start_matches('0');
    println!("{name} pid={pid} root={root} links={} proc={proc_is_own} blocked={blocked}", links.join(","));
}

fn goes_on_plainly() {
    let starter = Starter::new();
    let child = starter.without_namespaces(&["inside", "tell"]).spawn().unwrap();
    let id = child.id();
    let output = child.wait_with_output().unwrap();
    let told = both(&output);
    assert!(output.status.success(), "{told}");
    let expected = "Plain (without a user namespace: making namespaces: No space left on device (os error 28); \
                    with a user namespace: making namespaces: No space left on device (os error 28))";
    assert!(told.starts_with(&format!("{expected} pid={id} ")), "{told}");
    assert!(told.ends_with(" proc=true blocked=\n"), "signals are as they were: {told}");
}

fn masked_proc() {
    // As in containers, a /proc with hidden parts cannot be mounted again in a nested namespace.
    let script = "mount -t tmpfs none /proc/sys/kernel
        unshare -Urm sh -ec 'for scenario in tell faults several_processes; do
            \"$0\" helper inside $scenario; done' \"$0\"";
    let mut command = Command::new("unshare");
    let told = succeed(command.args(["-Urm", "sh", "-ec", script]).arg(std::env::current_exe().unwrap()));
    assert_eq!(told, ISOLATED.replace("proc=true", "proc=false"));
}

fn forged_marker() {
    let starter = Starter::new();
    for user in BOTH {
        let told = succeed(starter.helper(user, &["inside", "tell"]).env("SCHISM_SANDBOX", "1"));
        assert_eq!(told, ISOLATED, "{user:?}");
    }
    // It is process 2 of a PID namespace, but the host's network is visible, so the sandbox is not ours.
    let mut command = Command::new("unshare");
    command.args(["-Urpf", "sh", "-c", "\"$@\"; exit $?", "sh"]).arg(std::env::current_exe().unwrap());
    let told = succeed(command.args(["helper", "inside", "tell"]).env("SCHISM_SANDBOX", "1"));
    assert_eq!(told, ISOLATED);
}

fn exit_codes() {
    let starter = Starter::new();
    let code = |scenario: &str| starter.helper(User::Me, &["inside", scenario]).output().unwrap().status.code();
    assert_eq!(code("tell"), Some(0));
    assert_eq!(code("no-such-scenario"), Some(101));
    assert_eq!(code("die"), Some(128 + 9));
}

/// Scenario: kills itself.
pub(crate) fn die() {
    kill(Pid::this(), Signal::SIGKILL).unwrap();
}

/// Helper that is killed even if its test fails.
struct RunningHelper(Child);

impl Drop for RunningHelper {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Starts a helper and waits until it reports that it is ready; also returns its standard output.
fn start_ready(command: &mut Command) -> (RunningHelper, BufReader<std::process::ChildStdout>) {
    let mut child = RunningHelper(command.stderr(Stdio::inherit()).spawn().unwrap());
    let mut output = BufReader::new(child.0.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    (child, output)
}

fn interrupts() {
    use std::os::unix::process::CommandExt;
    let starter = Starter::new();
    let mut command = starter.helper(User::Me, &["inside", "count-signals"]);
    let (mut child, mut output) = start_ready(command.process_group(0));
    let outer = Pid::from_raw(i32::try_from(child.0.id()).unwrap());
    let mut heard = || {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        line
    };
    // The signals are sent as by `timeout`: to the process, and then to its whole group. On a busy machine the second
    // may come too late to count as the same request; then the test tries again.
    let until = Instant::now() + host::LIMIT;
    loop {
        let started = Instant::now();
        kill(outer, Signal::SIGINT).unwrap();
        assert_eq!(heard(), "SIGINT\n");
        nix::sys::signal::killpg(outer, Signal::SIGINT).unwrap();
        let in_time = started.elapsed() < Duration::from_millis(50);
        kill(outer, Signal::SIGTERM).unwrap();
        let next = heard();
        if in_time {
            assert_eq!(next, "SIGTERM\n", "the interrupt arrived twice");
            break;
        }
        assert!(Instant::now() < until, "this machine is too busy");
        while next != "SIGTERM\n" && heard() != "SIGTERM\n" {}
        std::thread::sleep(Duration::from_millis(150));
    }
    std::thread::sleep(Duration::from_millis(150));
    kill(outer, Signal::SIGINT).unwrap();
    assert_eq!(heard(), "SIGINT\n", "a second wish counts");
    kill(outer, Signal::SIGHUP).unwrap();
    assert_eq!(exit_code(&mut child.0), Some(0));
}

/// Scenario: prints each signal that arrives, and ends with SIGHUP.
pub(crate) fn count_signals() {
    let all: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    all.thread_block().unwrap();
    println!("ready");
    loop {
        match all.wait().unwrap() {
            Signal::SIGHUP => return,
            signal => println!("{signal}"),
        }
    }
}

fn orphans() {
    succeed(&mut Starter::new().helper(User::Nobody, &["inside", "orphan"]));
}

/// Scenario: leaves an orphan behind and waits until only init and itself are left.
pub(crate) fn orphan() {
    // The shell's child outlives it, and then ends.
    let status = Command::new("sh").args(["-c", "sleep 0.1 &"]).status().unwrap();
    assert!(status.success());
    let others = || {
        let pids = fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| *pid > 2).collect::<Vec<_>>()
    };
    assert_eq!(others().len(), 1, "the orphan");
    poll("the orphan to be reaped", || others().is_empty());
}

fn below_run() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: only root may write below /run");
        return;
    }
    let starter = Starter::new();
    let folder = tempfile::tempdir_in("/run").unwrap();
    let file = folder.path().join("file");
    succeed(starter.helper(User::Me, &["inside", "write", file.to_str().unwrap()]).current_dir(folder.path()));
    assert_eq!(fs::read_to_string(&file).unwrap(), "written");
    succeed(starter.helper(User::Me, &["inside", "write", "relative"]).current_dir(folder.path()));
    assert_eq!(fs::read_to_string(folder.path().join("relative")).unwrap(), "written");
}

fn sigkill() {
    let starter = Starter::new();
    let before = host::state();
    for user in BOTH {
        for victim in ["outer", "init", "control"] {
            let token = format!("token-{}-{user:?}-{victim}", std::process::id());
            let (mut child, _output) = start_ready(&mut starter.helper(user, &["inside", "hold", &token]));
            let outer = i32::try_from(child.0.id()).unwrap();
            let only_child = |of| host::children(of)[..].try_into().map(|[child]: [i32; 1]| child).expect("one child");
            let victim_id = match victim {
                "init" => only_child(outer),
                "control" => only_child(only_child(outer)),
                _ => outer,
            };
            assert_eq!(processes(&token).len(), 3 + 3, "outer, init, control, three peers");
            kill(Pid::from_raw(victim_id), Signal::SIGKILL).unwrap();
            let code = exit_code(&mut child.0);
            assert_eq!(code, if victim_id == outer { None } else { Some(128 + 9) }, "{user:?} {victim}");
            poll("all processes to be gone", || processes(&token).is_empty());
            poll("the host to be as before", || host::state() == before);
        }
    }
}

fn sigkill_healing() {
    let starter = Starter::new();
    let before = host::state();
    for (user, fault) in BOTH.into_iter().zip(["partition:isolate-leader", "delay:50ms,shape=isolate-leader"]) {
        let token = format!("token-{}-{user:?}-healing", std::process::id());
        let output = starter.helper(user, &["inside", "die-healing", &token, fault]).output().unwrap();
        assert_eq!(output.status.code(), Some(128 + 9), "{}", both(&output));
        let first = "ip -n n1 neigh replace 10.77.0.2 lladdr 02:00:0a:4d:00:02 dev eth0 nud permanent\n\
                     ip -n n1 neigh replace 10.77.0.3 lladdr 02:00:0a:4d:00:03 dev eth0 nud permanent\n";
        assert_eq!(both(&output), first, "n2 and n3 are not healed yet");
        poll("all processes to be gone", || processes(&token).is_empty());
        poll("the host to be as before", || host::state() == before);
    }
}

/// Kills the helper at various moments of its start: some fall before init has requested its death signal.
fn sigkill_early() {
    let starter = Starter::new();
    let before = host::state();
    let token = format!("token-{}-early", std::process::id());
    for step in 0..60 {
        let mut child = starter.helper(User::Nobody, &["inside", "hold", &token]).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(step * 250));
        child.kill().unwrap();
        exit_code(&mut child);
    }
    poll("all processes to be gone", || processes(&token).is_empty());
    poll("the host to be as before", || host::state() == before);
}

fn sigkill_plain() {
    let starter = Starter::new();
    let before = host::state();
    let token = format!("token-{}-plain", std::process::id());
    let (mut child, _output) = start_ready(&mut starter.helper(User::Me, &["plain", "hold", &token]));
    assert_eq!(processes(&token).len(), 1 + 3);
    child.0.kill().unwrap();
    exit_code(&mut child.0);
    poll("all processes to be gone", || processes(&token).is_empty());
    assert_eq!(host::state(), before);
}

/// Scenario: starts three peers, partitions them if possible, and waits to be killed.
pub(crate) fn hold(sandbox: &Sandbox, token: &str) {
    let can = nemesis::probe(PartitionBy::Netlink);
    let hosts = Hosts::create(3, sandbox, &can, inside::silent()).unwrap();
    let ports = nemesis::free_ports(3).unwrap();
    let logs = tempfile::tempdir().unwrap();
    let mut nemesis = Nemesis::new(hosts);
    for (number, port) in (1..=3).zip(ports) {
        let node = NodeId(number);
        let address = nemesis.hosts().get(node).unwrap().address;
        let mut command: NodeCommand = inside::peer(logs.path(), node, (address, port).into());
        command.args.push(token.into());
        if *sandbox == Sandbox::Isolated {
            command.view.files.push(("/etc/passwd".into(), "/etc/hosts".into()));
        }
        nemesis.start(node, command).unwrap();
    }
    if nemesis.hosts().can_be_partitioned() {
        inside::inject(&mut nemesis, "partition:isolate-leader", Some(NodeId(1)));
        inside::inject(&mut nemesis, "delay:50ms,shape=all-links", None);
    }
    // The folder must be removed now, as nothing would remove it once this process is killed.
    drop(logs);
    println!("ready");
    nix::unistd::pause();
}
