//! Tests of the checker's public surface: rules by table, agreement with oracles on random histories, and the histories
//! on which other checkers are tested.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::disallowed_methods, reason = "tests may read files")]

mod agree;
mod alone;
mod anomalies;
mod build;
mod containers;
mod convincing;
mod edges;
mod hierarchy;
mod isolation;
mod large;
mod levels;
mod limits;
mod memory;
mod metamorphic;
mod models;
mod objects;
mod oracle;
mod oracles;
mod peers;
mod possible;
mod prefix;
mod random;
mod revisions;
mod rules;
mod staleness;
mod states;
mod store;
mod transactions;
mod undecided;
mod weaker_models;
mod wide;
