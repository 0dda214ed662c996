//! Tests that commands killed at any moment leave nothing on the host: no process, interface, mount or rule, no
//! temporary file.
//!
//! `SCHISM_KILLS=1000 cargo test --test it kills` kills that many times; the default is small.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::support::schism;

/// Default number of kills.
const KILLS: u64 = 18;
/// Maximum time for the kernel to clean up.
const LIMIT: Duration = Duration::from_secs(20);

/// Commands to kill, and the time in ms within which each is killed.
const COMMANDS: [(&[&str], u64); 3] = [
    (&["doctor"], 120),
    (&["run", "--nodes", "3", "--faults", "pause,kill,partition", "--time-limit", "4s"], 4500),
    (
        &[
            "campaign",
            "--nodes",
            "3",
            "--reads",
            "quorum",
            "--faults",
            "pause,kill",
            "--seeds",
            "9",
            "--time-limit",
            "2s",
            "-j2",
        ],
        4500,
    ),
];
/// Arguments of a run on a host without namespaces, where there can be no partitions.
const WITHOUT: &[&str] = &["run", "--nodes", "3", "--faults", "pause,kill", "--time-limit", "4s"];

/// Lists the interfaces, namespaces and mounts of the host.
fn host() -> String {
    let mut found = String::new();
    for argv in [&["ip", "-o", "link"][..], &["ip", "netns"]] {
        let output = Command::new(argv[0]).args(&argv[1..]).output();
        found += &output
            .map_or_else(|error| error.to_string(), |output| String::from_utf8_lossy(&output.stdout).into_owned());
    }
    found + &fs::read_to_string("/proc/self/mounts").unwrap()
}

/// Lists the processes whose command line names a folder, stopped ones included.
fn processes(dir: &Path) -> Vec<String> {
    let name = dir.to_string_lossy().into_owned();
    let all = fs::read_dir("/proc").unwrap().flatten();
    let lines = all.filter_map(|process| {
        let line = fs::read(process.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let stat = fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        line.contains(&name).then(|| format!("{} {line} {stat}", process.path().display()))
    });
    lines.collect()
}

/// Lists temporary files.
fn temporary(dir: &Path) -> Vec<String> {
    let in_tmp = fs::read_dir(dir.join("tmp")).unwrap().map(|entry| entry.unwrap().path());
    let beside = glob::glob(&format!("{}/**/.schism-*", dir.display())).unwrap().flatten();
    in_tmp.chain(beside).map(|path| path.display().to_string()).collect()
}

fn command(dir: &Path, number: u64) -> (Command, u64) {
    let (arguments, within_ms) = COMMANDS[usize::try_from(number / 2 % 3).unwrap()];
    let store = dir.join("store");
    let mut command = if number.is_multiple_of(2) {
        let mut command = schism(dir);
        command.args(arguments);
        command
    } else {
        let arguments = if arguments[0] == "run" { WITHOUT } else { arguments };
        let script =
            "echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all \"$@\"";
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "sh", "-c", script, "sh", env!("CARGO_BIN_EXE_schism")])
            .args(arguments);
        command
    };
    command.arg("--store").arg(store).current_dir(dir).env("TMPDIR", dir.join("tmp"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    (command, within_ms)
}

#[test]
fn nothing_is_left_of_what_is_killed() {
    let kills = env::var("SCHISM_KILLS").map_or(KILLS, |kills| kills.parse().expect("SCHISM_KILLS is a number"));
    let before = host();
    // Pseudo-random moments (Knuth's generator), reproducible as far as the host's timing permits.
    let draws = std::iter::successors(Some(11_u64), |last| {
        Some(last.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
    });
    for (number, draw) in (0..kills).zip(draws.skip(1)) {
        let dir = tempfile::tempdir().unwrap();
        let path = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir(path.join("tmp")).unwrap();
        let (mut command, within_ms) = command(&path, number);
        let wait = Duration::from_micros((draw >> 33) % (within_ms * 1000));
        let mut child = command.spawn().unwrap();
        sleep(wait);
        child.kill().unwrap();
        child.wait().unwrap();
        let end = Instant::now() + LIMIT;
        while !processes(&path).is_empty() {
            assert!(Instant::now() < end, "{command:?}, killed after {wait:?}, leaves {:#?}", processes(&path));
            sleep(Duration::from_millis(5));
        }
        assert_eq!(temporary(&path), [""; 0], "{command:?}, killed after {wait:?}");
    }
    let end = Instant::now() + LIMIT;
    while host() != before {
        assert!(Instant::now() < end, "the host is not as before:\n{}\n{before}", host());
        sleep(Duration::from_millis(20));
    }
}
