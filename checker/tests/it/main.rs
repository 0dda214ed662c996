//! The checker from outside: rules by table, agreement with an oracle on random histories, histories that others are tested on.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::disallowed_methods, reason = "tests may read files")]

mod agree;
mod alone;
mod anomalies;
mod build;
mod containers;
mod isolation;
mod ladder;
mod large;
mod levels;
mod limits;
mod memory;
mod metamorphic;
mod models;
mod objects;
mod oracle;
mod peers;
mod possible;
mod prefix;
mod random;
mod revisions;
mod rules;
mod rungs;
mod staleness;
mod store;
mod transactions;
mod undecided;
mod wide;

/// How many random histories a comparison with an oracle takes: so many, or as `ORACLE_HISTORIES` says.
fn histories(usual: u64) -> u64 {
    std::env::var("ORACLE_HISTORIES").map_or(usual, |count| count.parse().unwrap())
}
