//! The node's own clock: the host's monotonic one, skewed from outside through a small file.
//!
//! The file holds one line, `schism-clock v1 <generation> <rate> <jump_ns>`; whoever changes the clock increments the
//! generation. The file is read again on each reading (a few microseconds, once a batch), by path, so that it may be
//! rewritten in place or replaced by a rename. A line that does not parse, or lacks its newline, is a write in
//! progress: the last valid one stays in force.
//!
//! Time continues from the last reading when the generation changes: the span before the change ran at the old rate,
//! the jump is added once, the span after it runs at the new rate. A node that starts while a generation is in force
//! adopts its rate, but not its jump, which happened before the start. Its time starts at the host's time.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use crate::{
    host_clock::{HostClock, HostTime},
    raft::Time,
};

const MAGIC: &str = "schism-clock";
const VERSION: &str = "v1";
/// Maximum number of bytes that are read of a line; the longest valid line is shorter.
const MAX_LINE_BYTES: usize = 512;
/// Bounds of a valid rate; a line with another one counts as damaged. Time that (nearly) stands still would stop
/// every timer.
const RATE_BOUNDS: std::ops::RangeInclusive<f64> = 0.001..=1000.0;

/// Line of the clock file: the rate and jump of a node's clock from now on.
#[derive(Clone, Copy, Debug, PartialEq)]
struct ClockSkew {
    generation: u64,
    rate: f64,
    jump_ns: i64,
}

impl ClockSkew {
    const NONE: Self = Self { generation: 0, rate: 1.0, jump_ns: 0 };

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_suffix('\n')?.split(' ');
        if words.next()? != MAGIC || words.next()? != VERSION {
            return None;
        }
        let skew = Self {
            generation: words.next()?.parse().ok()?,
            rate: words.next()?.parse().ok()?,
            jump_ns: words.next()?.parse().ok()?,
        };
        (words.next().is_none() && RATE_BOUNDS.contains(&skew.rate)).then_some(skew)
    }
}

/// Returns the line that changes a node's clock when it is written to the node's clock file.
///
/// `generation` must be higher than that of the last line, `rate` is the clock's speed (1.0 is correct, 0.2 a fifth
/// of it; 0.001 to 1000), `jump_ns` is added once.
pub fn clock_line(generation: u64, rate: f64, jump_ns: i64) -> String {
    format!("{MAGIC} {VERSION} {generation} {rate} {jump_ns}\n")
}

/// Clock that may run fast or slow and jump, as the clock file says.
#[derive(Debug)]
pub(crate) struct Clock {
    host: HostClock,
    file: Option<PathBuf>,
    skew: ClockSkew,
    host_time: HostTime,
    own_ns: u64,
}

impl Clock {
    /// Creates a clock that starts at the host's time; it runs correctly without a file, and while the file is
    /// missing.
    pub(crate) fn new(host: HostClock, file: Option<PathBuf>) -> Self {
        let skew = file.as_deref().and_then(read_skew).unwrap_or(ClockSkew::NONE);
        let host_time = host.now();
        Self { host, file, skew, host_time, own_ns: host_time.0 }
    }

    /// Returns the current time of this clock.
    pub(crate) fn now(&mut self) -> Time {
        let skew = self.file.as_deref().and_then(read_skew);
        self.advance(self.host.now(), skew)
    }

    /// Changes the clock as a line of its file would.
    pub(crate) fn skew(&mut self, rate: f64, jump_ns: i64) {
        if RATE_BOUNDS.contains(&rate) {
            let skew = ClockSkew { generation: self.skew.generation + 1, rate, jump_ns };
            self.advance(self.host.now(), Some(skew));
        }
    }

    /// Advances to the host's time `host_time`, at which the file contained `skew`.
    fn advance(&mut self, host_time: HostTime, skew: Option<ClockSkew>) -> Time {
        if host_time != self.host_time {
            let passed_ns = host_time.0.saturating_sub(self.host_time.0);
            self.own_ns = self.own_ns.saturating_add(scaled(passed_ns, self.skew.rate));
            self.host_time = host_time;
        }
        if let Some(skew) = skew.filter(|skew| skew.generation != self.skew.generation) {
            self.own_ns = self.own_ns.saturating_add_signed(skew.jump_ns);
            self.skew = skew;
        }
        Time(self.own_ns)
    }

    /// Returns the host's time at which this clock will show `time`, if it goes on as at the last reading.
    pub(crate) fn host_time_at(&self, time: Time) -> HostTime {
        let span_ns = scaled(time.0.saturating_sub(self.own_ns), 1.0 / self.skew.rate);
        HostTime(self.host_time.0.saturating_add(span_ns))
    }
}

/// Returns a span times a factor, to the nearest nanosecond, or to one in 2^53 of a long span.
#[allow(clippy::cast_precision_loss, reason = "the span is that imprecise")]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is not negative, and saturates")]
fn scaled(span_ns: u64, factor: f64) -> u64 {
    (span_ns as f64 * factor + 0.5) as u64
}

fn read_skew(file: &Path) -> Option<ClockSkew> {
    let mut line = [0; MAX_LINE_BYTES];
    let length = File::open(file).ok()?.read(&mut line).ok()?;
    ClockSkew::parse(std::str::from_utf8(&line[..length]).ok()?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn clock_at_zero() -> Clock {
        Clock::new(HostClock::at_zero(), None)
    }

    fn line(generation: u64, rate: f64, jump_ns: i64) -> Option<ClockSkew> {
        ClockSkew::parse(&clock_line(generation, rate, jump_ns))
    }

    #[test]
    fn a_line_is_read_back_as_written() {
        for skew in [
            ClockSkew { generation: 7, rate: 0.2, jump_ns: -5 },
            ClockSkew { generation: u64::MAX, rate: 1.0, jump_ns: i64::MIN },
        ] {
            assert_eq!(line(skew.generation, skew.rate, skew.jump_ns), Some(skew));
        }
    }

    #[test]
    fn every_torn_line_is_ignored() {
        let line = clock_line(12, 0.25, -1_000_000);
        for length in 0..line.len() {
            assert_eq!(ClockSkew::parse(&line[..length]), None, "{:?}", &line[..length]);
        }
    }

    #[test]
    fn senseless_lines_are_ignored() {
        for line in
            ["schism-clock v2 1 1 0\n", "clock v1 1 1 0\n", "schism-clock v1 1 NaN 0\n", "schism-clock v1 1 inf 0\n"]
        {
            assert_eq!(ClockSkew::parse(line), None, "{line}");
        }
        for line in ["schism-clock v1 1 0 0\n", "schism-clock v1 1 -1 0\n", "schism-clock v1 1 1 0 0\n", "\n", ""] {
            assert_eq!(ClockSkew::parse(line), None, "{line}");
        }
    }

    #[test]
    fn the_old_rate_holds_until_the_new_generation_is_seen() {
        let mut clock = clock_at_zero();
        assert_eq!(clock.advance(HostTime(1000), None), Time(1000));
        assert_eq!(clock.advance(HostTime(2000), line(1, 0.2, 0)), Time(2000), "no step when the rate changes");
        assert_eq!(clock.advance(HostTime(3000), line(1, 0.2, 0)), Time(2200));
        assert_eq!(clock.advance(HostTime(4000), None), Time(2400), "an unreadable file changes nothing");
        assert_eq!(clock.advance(HostTime(5000), line(2, 1.0, 0)), Time(2600));
        assert_eq!(clock.advance(HostTime(6000), line(2, 1.0, 0)), Time(3600));
    }

    #[test]
    fn a_jump_happens_once_and_never_below_zero() {
        let mut clock = clock_at_zero();
        assert_eq!(clock.advance(HostTime(1000), line(1, 1.0, 500)), Time(1500));
        assert_eq!(clock.advance(HostTime(1100), line(1, 1.0, 500)), Time(1600), "once a generation");
        assert_eq!(clock.advance(HostTime(1200), line(2, 1.0, -700)), Time(1000), "backwards");
        assert_eq!(clock.advance(HostTime(1300), line(3, 1.0, -1_000_000)), Time(0));
    }

    #[test]
    fn waiting_is_longer_on_a_slow_clock() {
        let mut clock = clock_at_zero();
        clock.advance(HostTime(7), line(1, 0.2, 0));
        assert_eq!(clock.host_time_at(Time(17)), HostTime(57));
        assert_eq!(clock.host_time_at(Time(3)), HostTime(7), "it is over");
    }

    #[test]
    fn the_file_bends_the_clock_and_its_absence_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clock");
        let mut clock = Clock::new(HostClock::Real, Some(path.clone()));
        let before = clock.now();
        assert!(before.since(Time(HostClock::Real.now().0)) < Duration::from_secs(1), "starts on the host's axis");
        let hour = Duration::from_hours(1);
        std::fs::write(&path, clock_line(1, 1.0, i64::try_from(hour.as_nanos()).unwrap())).unwrap();
        assert!(clock.now().since(before) >= hour);
        let restarted = Clock::new(HostClock::Real, Some(path)).now();
        assert!(restarted.since(before) < hour, "a restart does not repeat the jump");
    }
}
