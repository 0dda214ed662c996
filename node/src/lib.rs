//! A Raft key-value server that can answer reads in five ways.
//!
//! `raft` is the pure state machine; everything that touches a socket, a disk or a clock is around it.

pub mod raft;
