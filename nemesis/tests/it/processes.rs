//! Scenarios of processes inside a sandbox: their start, pause, starvation and end, and what they see.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use nemesis::{Hosts, NodeCommand, NodeId, NodeLog, NodeProcess, OwnView, PartitionBy, Sandbox, Stop, probe};
use nix::sys::signal::{SigHandler, Signal, signal};

use crate::Test;
use crate::host::{plainly, poll, state as state_of_host};
use crate::inside::{everywhere, silent};

pub(crate) const TESTS: &[Test] = &[
    ("processes::kill_pause_resume_and_end", || everywhere("processes")),
    ("processes::starved_ones_stand_still_and_go_on_in_turn", || everywhere("starvation")),
    ("processes::several_are_one_node", || everywhere("several_processes")),
    ("processes::work_without_a_sandbox", || {
        for scenario in ["processes", "several_processes"] {
            print!("{}", plainly(scenario));
        }
    }),
    ("processes::see_files_and_a_host_name_that_nobody_else_sees", own_views),
];

fn own_views() {
    let outside = || (state_of_host(), fs::read("/etc/hosts").unwrap(), fs::read("/proc/sys/kernel/hostname").unwrap());
    let before = outside();
    everywhere("own_view");
    if nix::unistd::geteuid().is_root() {
        plainly("own_view");
    }
    assert_eq!(outside(), before);
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
