//! Tests with real processes, namespaces and rules. The sandbox has to be entered in a single-threaded `main`, so
//! this binary has its own: with `helper …` as arguments it is a process that a test starts, otherwise it runs the
//! tests, several at a time.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "clippy knows #[test] functions, but not a test binary with a main of its own"
)]

mod clocks;
mod disk;
mod doctor;
mod helper;
mod host;
mod inside;
mod limits;
#[path = "../../../checker/tests/it/oracles.rs"]
mod oracles;
mod packets;
mod peer;
mod processes;
mod sandbox;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// Name of a test, and its function.
type Test = (&'static str, fn());

/// Tests at a time, unless asked for otherwise. They mostly wait, but some watch the times of packets.
const THREADS: usize = 4;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("helper", rest)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return helper::run(rest);
    }
    let tests = [
        sandbox::TESTS,
        inside::TESTS,
        processes::TESTS,
        limits::TESTS,
        packets::TESTS,
        clocks::TESTS,
        disk::TESTS,
        doctor::TESTS,
    ];
    let trial = |(name, test): (&str, fn())| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let _binary = host::copy_binary();
    libtest_mimic::run(&arguments, tests.concat().into_iter().map(trial).collect()).exit_code()
}
