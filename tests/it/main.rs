//! Integration tests of the tool through its binary, and of the rules for its source tree.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on should fail, and one that skips says so"
)]

mod asked;
mod audits;
mod campaign;
mod check;
mod clients;
mod defects;
mod docs;
mod early;
mod explanations;
mod faults;
mod generate;
mod host;
mod hostile;
mod inside;
mod isolation;
mod jepsen_forms;
mod json;
mod kills;
mod layers;
mod limits;
mod linearization;
mod models;
mod modules;
mod node;
mod nodes;
mod options;
#[path = "../../checker/tests/it/oracles.rs"]
mod oracles;
mod peers;
mod power;
mod properties;
mod real;
mod refusals;
mod report;
mod runs;
mod seams;
mod shims;
mod shrink;
mod simulate;
mod store;
mod support;
mod syntax;
mod systems;
mod terminal;
mod usage;
mod workloads;
