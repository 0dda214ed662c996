//! Lines of the library on stderr, each with the host's monotonic clock, which the histories of `schism` relate to.

use std::{convert::Infallible, time::Duration};

use nix::time::{ClockId, clock_gettime};
use slog::{Drain, Level, Logger, OwnedKVList, Record, o};

/// Output for the lines of the library.
struct Stderr;

impl Drain for Stderr {
    type Ok = ();
    type Err = Infallible;

    fn log(&self, record: &Record<'_>, _: &OwnedKVList) -> Result<(), Infallible> {
        if record.level().is_at_least(Level::Info) {
            let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
            eprintln!("{} {}", now.as_nanos(), record.msg());
        }
        Ok(())
    }
}

pub fn logger() -> Logger {
    Logger::root(Stderr, o!())
}
