//! Ticks of a node, by a clock that a small file can bend: the format is in `docs/reference/system-files.md`.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

/// Bounds of a rate; a line with another one is damaged.
const RATES: std::ops::RangeInclusive<f64> = 0.001..=1000.0;

/// Rate and jump of a clock, as a line of its file has them.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Skew {
    generation: u64,
    rate: f64,
    jump_ns: i64,
}

impl Skew {
    const NONE: Self = Self { generation: 0, rate: 1.0, jump_ns: 0 };

    /// Reads a line; none if it is damaged or not yet whole.
    fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.strip_suffix('\n')?.split(' ').collect();
        let ["schism-clock", "v1", generation, rate, jump_ns] = words[..] else { return None };
        let skew =
            Self { generation: generation.parse().ok()?, rate: rate.parse().ok()?, jump_ns: jump_ns.parse().ok()? };
        RATES.contains(&skew.rate).then_some(skew)
    }
}

/// Counter of the ticks of a clock. Ticks that a node slept through are due at once, so that none is lost.
#[derive(Debug)]
pub struct Ticks {
    period: Duration,
    file: Option<PathBuf>,
    skew: Skew,
    host: Instant,
    own_ns: u64,
    counted: u64,
}

impl Ticks {
    /// Starts to count; without a file, or while it is missing, the clock runs correctly.
    pub fn new(period: Duration, file: Option<PathBuf>) -> Self {
        let mut ticks = Self { period, file, skew: Skew::NONE, host: Instant::now(), own_ns: 0, counted: 0 };
        // A jump that is already there happened before this start.
        ticks.skew = ticks.read().unwrap_or(Skew::NONE);
        ticks
    }

    /// Returns the number of ticks that have become due since the last call.
    pub fn due(&mut self) -> u64 {
        let skew = self.read();
        let now = Instant::now();
        self.advance(now - self.host, skew);
        self.host = now;
        let due = (self.own_ns / self.period_ns()).saturating_sub(self.counted);
        self.counted += due;
        due
    }

    /// Returns the host's time until the next tick.
    pub fn wait(&self) -> Duration {
        let next_ns = (self.counted + 1) * self.period_ns();
        Duration::from_nanos(next_ns.saturating_sub(self.own_ns)).div_f64(self.skew.rate)
    }

    /// Advances by a span of the host's time, at the end of which the file said `skew`.
    fn advance(&mut self, passed: Duration, skew: Option<Skew>) {
        self.own_ns += nanos(passed.mul_f64(self.skew.rate));
        if let Some(skew) = skew.filter(|skew| skew.generation != self.skew.generation) {
            self.own_ns = self.own_ns.saturating_add_signed(skew.jump_ns);
            self.skew = skew;
        }
    }

    fn read(&self) -> Option<Skew> {
        Skew::parse(&fs::read_to_string(self.file.as_ref()?).ok()?)
    }

    fn period_ns(&self) -> u64 {
        nanos(self.period)
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_line_as_schism_writes_it_is_understood_and_a_torn_one_ignored() {
        let line = "schism-clock v1 00000000000000000003 0000.200000000 -0000000000000000005\n";
        assert_eq!(Skew::parse(line), Some(Skew { generation: 3, rate: 0.2, jump_ns: -5 }));
        for length in 0..line.len() {
            assert_eq!(Skew::parse(&line[..length]), None, "{length}");
        }
        assert_eq!(Skew::parse("schism-clock v1 1 0 0\n"), None, "a clock that stands still");
    }

    #[test]
    fn a_slow_clock_ticks_rarely_and_a_jump_happens_once() {
        let mut ticks = Ticks::new(SECOND, None);
        ticks.advance(SECOND, None);
        let slow = Some(Skew { generation: 1, rate: 0.2, jump_ns: 2_000_000_000 });
        ticks.advance(SECOND, slow);
        assert_eq!(ticks.own_ns, 4_000_000_000, "the old rate until the change is seen, and the jump");
        ticks.advance(SECOND, slow);
        assert_eq!(ticks.own_ns, 4_200_000_000);
        ticks.counted = 4;
        assert_eq!(ticks.wait(), 4 * SECOND, "0.8 s at a fifth of the rate");
    }

    #[test]
    fn the_file_bends_the_clock_and_a_restart_does_not_repeat_its_jump() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clock");
        let mut ticks = Ticks::new(Duration::from_hours(1), Some(path.clone()));
        assert_eq!(ticks.due(), 0);
        fs::write(&path, format!("schism-clock v1 1 1 {}\n", nanos(Duration::from_hours(3)))).unwrap();
        assert_eq!(ticks.due(), 3);
        assert_eq!(Ticks::new(Duration::from_hours(1), Some(path)).due(), 0);
    }
}
