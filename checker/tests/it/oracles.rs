//! Share of all cases that tests take: a tenth of the random histories on which the checker is compared with an oracle,
//! and some of each kind of runs, or all of them if the environment variable `SCHISM_ORACLES` is `full`.

#![allow(dead_code, reason = "each crate takes the part that it needs")]

/// Returns true if all cases are asked for.
#[allow(clippy::disallowed_methods, reason = "tests take options from the environment")]
pub(crate) fn are_all_asked_for() -> bool {
    std::env::var("SCHISM_ORACLES").is_ok_and(|share| share == "full")
}

/// Returns how many of `all` random histories or runs a test takes.
pub(crate) fn share_of(all: u64) -> u64 {
    if are_all_asked_for() { all } else { all / 10 }
}

/// Returns the first `few` of these cases, or all of them where these are asked for.
pub(crate) fn cases<T>(all: &[T], few: usize) -> &[T] {
    if are_all_asked_for() { all } else { &all[..few] }
}
