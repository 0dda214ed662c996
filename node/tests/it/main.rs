//! Tests of the Raft core through its public interface: the paper's rules one by one, and whole clusters in one
//! thread.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests, which clippy does not see as tests")]

#[path = "../../../checker/tests/it/oracles.rs"]
mod oracles;
mod paper;
mod sim;
