//! Share of the random histories on which the checker is compared with an oracle: a tenth of them, or all of them if
//! the environment variable `SCHISM_ORACLES` is `full`.

/// Returns how many of `all` random histories a test takes.
#[allow(clippy::disallowed_methods, reason = "tests take options from the environment")]
pub(crate) fn share_of(all: u64) -> u64 {
    if std::env::var("SCHISM_ORACLES").is_ok_and(|share| share == "full") { all } else { all / 10 }
}
