//! Tests with real processes, namespaces and rules. The sandbox has to be entered in a single-threaded `main`, so
//! this binary has its own: with `helper …` as arguments it is a process that a test starts, otherwise it runs the
//! tests (as cargo and nextest request).

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "clippy knows #[test] functions, but not a test binary with a main of its own"
)]

mod clocks;
mod disk;
mod doctor;
mod harness;
mod helper;
mod host;
mod inside;
mod limits;
#[path = "../../../checker/tests/it/oracles.rs"]
mod oracles;
mod packets;
mod peer;
mod sandbox;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("helper", rest)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return helper::run(rest);
    }
    let tests =
        [sandbox::TESTS, inside::TESTS, limits::TESTS, packets::TESTS, clocks::TESTS, disk::TESTS, doctor::TESTS];
    harness::run(&tests.concat(), &arguments)
}
