//! Helpers that tests start: peers, and scenarios inside or outside a sandbox.

use std::path::Path;
use std::process::ExitCode;

use nemesis::{Entry, Sandbox, enter};

use crate::{clocks, disk, doctor, inside, limits, packets, peer, processes, sandbox};

pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["peer", address, ref rest @ ..] => {
            println!("told {rest:?}");
            return ExitCode::from(peer::serve(address.parse().unwrap()));
        }
        ["allocate"] => limits::allocate(),
        // The kernel takes a while to end it.
        ["large"] => {
            let memory = vec![1_u8; 1 << 29];
            println!("large {}", std::process::id());
            nix::unistd::pause();
            drop(memory);
        }
        ["time", address, ref how @ ..] => clocks::tell(address, how),
        ["count", folder, sync] => disk::count(Path::new(folder), sync),
        ["plain", scenario, ..] => perform(scenario, &words[2..], &Sandbox::Plain { reason: "not tried".into() }),
        ["inside", scenario, ..] => match enter().unwrap() {
            Entry::Over { exit_code } => return ExitCode::from(exit_code),
            Entry::Inside(sandbox) => perform(scenario, &words[2..], &sandbox),
        },
        _ => panic!("no such helper: {words:?}"),
    }
    ExitCode::SUCCESS
}

fn perform(scenario: &str, arguments: &[&str], sandbox: &Sandbox) {
    match (scenario, arguments) {
        ("tell", []) => sandbox::tell(sandbox),
        ("die", []) => sandbox::die(),
        ("count-signals", []) => sandbox::count_signals(),
        ("orphan", []) => sandbox::orphan(),
        ("write", [path]) => std::fs::write(Path::new(path), "written").unwrap(),
        ("hold", [token]) => sandbox::hold(sandbox, token),
        ("hosts", []) => inside::hosts(sandbox),
        ("partitions", [by]) => inside::partitions(sandbox, by),
        ("neighbours", []) => inside::neighbours(sandbox),
        ("die-healing", [token, fault]) => inside::die_healing(sandbox, token, fault),
        ("qualities", []) => packets::qualities(sandbox),
        ("captures", []) => packets::captures(sandbox),
        ("resets", []) => packets::resets(sandbox),
        ("streams", []) => packets::streams(sandbox),
        ("packets_at_once", []) => packets::packets_at_once(sandbox),
        ("processes", []) => processes::processes(sandbox),
        ("starvation", []) => processes::starvation(sandbox),
        ("open_files", []) => limits::open_files(sandbox),
        ("memory", []) => limits::memory(sandbox),
        ("several_processes", []) => processes::several_processes(sandbox),
        ("own_view", []) => processes::own_view(sandbox),
        ("faults", []) => inside::faults(sandbox),
        ("doctor", [by]) => doctor::tell(by.parse().unwrap()),
        ("clocks", []) => clocks::skewed(sandbox),
        ("terms", []) => clocks::terms(sandbox),
        ("filtered", []) => clocks::filtered(sandbox),
        ("counting", []) => disk::counting(sandbox),
        ("disk_faults", []) => disk::disk_faults(sandbox),
        ("damage", []) => disk::damage(sandbox),
        ("sqlite", []) => disk::sqlite(sandbox),
        _ => panic!("no such scenario: {scenario} {arguments:?}"),
    }
}
