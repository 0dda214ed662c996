//! Virtual seconds for each second of processor time of `schism simulate`, with faults on and histories checked, at 100
//! and 500 operations a second. Beside them, the same of a loop of plain arithmetic that knows nothing of ours, so that
//! figures of different machines, or of a busy one, can be compared.
//!
//! ```sh
//! cargo bench -p schism --bench simulate
//! ```

#![allow(clippy::print_stdout, reason = "a benchmark is for people")]

use std::{
    hint::black_box,
    process::{Command, Stdio},
    time::Duration,
};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike as _,
};
use serde_json::Value;

/// Operations a second, and the number of seeds of ten virtual seconds each.
const LOADS: [(u32, u32); 2] = [(100, 40), (500, 10)];
const ROUNDS: usize = 5;
/// Steps of the loop of arithmetic; they take about half a second.
const STEPS: u64 = 500_000_000;

fn main() {
    for (rate, seeds) in LOADS {
        let mut measured: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (virtual_seconds(rate, seeds), arithmetic())).collect();
        measured.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let (median, steps) = measured[ROUNDS / 2];
        let (slowest, fastest) = (measured[0].0, measured[ROUNDS - 1].0);
        println!(
            "{rate} operations a second: {median:.0} virtual seconds a second (from {slowest:.0} to {fastest:.0}), \
             {:.0} for each 1,000 million steps of arithmetic",
            1000.0 * median / steps
        );
    }
}

/// Returns the virtual seconds for each second of processor time.
fn virtual_seconds(rate: u32, seeds: u32) -> f64 {
    let before = processor_seconds(UsageWho::RUSAGE_CHILDREN);
    let asked = ["simulate", "--read", "quorum", "--faults", "kill,pause,partition", "-j", "1", "--json"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_schism"));
    command.args(asked).args(["--rate", &rate.to_string(), "--seeds", &seeds.to_string()]).stderr(Stdio::null());
    let output = command.output().expect("the command starts");
    assert!(output.status.success(), "the sound node has findings: {output:?}");
    let took = processor_seconds(UsageWho::RUSAGE_CHILDREN) - before;
    let tally: Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
    tally["virtual_seconds"].as_f64().expect("it counts them") / took
}

/// Returns the millions of steps of arithmetic for each second of processor time.
fn arithmetic() -> f64 {
    let before = processor_seconds(UsageWho::RUSAGE_SELF);
    let step = |state: u64, _| state.wrapping_mul(6_364_136_223_846_793_005).rotate_left(17) ^ state;
    black_box((0..black_box(STEPS)).fold(1, step));
    let took = processor_seconds(UsageWho::RUSAGE_SELF) - before;
    f64::from(u32::try_from(STEPS / 1_000_000).expect("they are few")) / took
}

fn processor_seconds(of: UsageWho) -> f64 {
    let usage = getrusage(of).expect("it is always known");
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(u64::try_from(micros).unwrap_or_default()).as_secs_f64()
}
