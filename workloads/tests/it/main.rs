//! Tests of the crate's public surface: clients against servers that misbehave, and loads against a register that does
//! not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to panic where it stands")]

mod api;
mod classification;
mod driving;
mod final_reads;
mod retries;
mod server;
mod shims;
