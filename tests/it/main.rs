//! The tool as its users meet it: through its binary, and the rules of its source tree.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on should fail, and one that skips says so"
)]

mod asked;
mod campaign;
mod check;
mod clients;
mod explanations;
mod generate;
mod inside;
mod isolation;
mod layers;
mod linearization;
mod models;
mod node;
mod report;
mod runs;
mod shrink;
mod store;
mod support;
mod usage;
