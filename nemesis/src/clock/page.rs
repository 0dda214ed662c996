//! Page that is mapped into a program: parameters of its clocks, then the code that bends them. Pure.
//!
//! A clock shows `shown + rate * (now - real)`, where `now` is what the kernel says. A reader takes the parameters once
//! more if the sequence number changed meanwhile.

/// Number of clocks that a page has parameters for, by their ids.
pub(super) const CLOCKS: usize = 12;
/// Returns true if a clock shows the time of day: `CLOCK_REALTIME`, `_COARSE` or `_ALARM`, or `CLOCK_TAI`.
pub(super) const fn is_wall(clock: usize) -> bool {
    matches!(clock, 0 | 5 | 8 | 11)
}

/// Returns true if a clock is bent: those of the time of day, and of the time since the start of the machine, which are
/// `CLOCK_MONOTONIC`, `_RAW` and `_COARSE`, and `CLOCK_BOOTTIME` and `_ALARM`; those of processor time are not.
pub(super) const fn is_bent(clock: usize) -> bool {
    is_wall(clock) || matches!(clock, 1 | 4 | 6 | 7 | 9)
}

/// Length of the page, bytes.
pub(super) const LENGTH: usize = 4096;
/// Places of the parameters in the page, bytes: after the magic number, one word each.
pub(super) const SEQUENCE: usize = 8;
pub(super) const RATE: usize = 16;
pub(super) const HALF_PERIOD: usize = 24;
/// Place of the points, of three words each.
pub(super) const POINTS: usize = 32;
/// Place of the code, behind the parameters.
pub(super) const CODE: usize = POINTS + CLOCKS * 24;
/// First bytes of a page of ours, by which a program is known to have one.
const MAGIC: [u8; 8] = *b"schismT1";
/// Unit of a rate: it has 32 bits behind the point.
const ONE: u64 = 1 << 32;

/// Reading of a clock from which on it is bent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Point {
    /// Time by the kernel, ns. An earlier one, as coarse clocks show it, counts as this.
    pub(super) real_ns: i64,
    /// Time that is shown then, ns.
    pub(super) shown_ns: i64,
    /// Nanoseconds added during the first half of each period.
    pub(super) strobe_ns: i64,
}

/// Parameters of all clocks of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parameters {
    /// Number that grows with each change.
    pub(super) sequence: u64,
    /// Rate in units of 2^-32.
    pub(super) rate: u64,
    /// Half of the period in which clocks jump there and back, ns; 0 if they do not.
    pub(super) half_period_ns: u64,
    /// Points by the ids of the clocks.
    pub(super) points: [Point; CLOCKS],
}

impl Parameters {
    /// Returns those of honest clocks.
    pub(super) const HONEST: Self = Self {
        sequence: 0,
        rate: ONE,
        half_period_ns: 0,
        points: [Point { real_ns: 0, shown_ns: 0, strobe_ns: 0 }; 12],
    };

    /// Returns honest ones, but for a rate from 0 to 1000.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the product is from 0 to 2^42")]
    pub(super) fn at_rate(rate: f64) -> Self {
        Self { rate: (rate * 2_f64.powi(32)).round() as u64, ..Self::HONEST }
    }

    /// Returns the time that has passed on a clock since its point, when the kernel says this time.
    fn passed_ns(&self, clock: usize, now_ns: i64) -> i64 {
        let since_ns = now_ns.saturating_sub(self.points[clock].real_ns).max(0);
        let scaled = (i128::from(since_ns) * i128::from(self.rate)) >> 32;
        i64::try_from(scaled).unwrap_or(i64::MAX)
    }

    /// Returns the time that a clock shows when the kernel says this time, without what a strobe adds to it.
    pub(super) fn shown_ns(&self, clock: usize, now_ns: i64) -> i64 {
        self.points[clock].shown_ns + self.passed_ns(clock, now_ns)
    }

    /// Makes a clock show one time when the kernel says another, at some time after its point.
    pub(super) fn show(&mut self, clock: usize, now_ns: i64, shown_ns: i64) {
        self.points[clock].shown_ns = shown_ns - self.passed_ns(clock, now_ns);
    }

    /// Returns the bytes at the beginning of the page.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([self.sequence, self.rate, self.half_period_ns].into_iter().flat_map(u64::to_ne_bytes));
        for Point { real_ns, shown_ns, strobe_ns } in self.points {
            bytes.extend([real_ns, shown_ns, strobe_ns].into_iter().flat_map(i64::to_ne_bytes));
        }
        bytes
    }

    /// Reads the beginning of a page, if it is one of ours.
    pub(super) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let mut words =
            bytes.strip_prefix(&MAGIC)?.chunks_exact(8).map(|word| word.try_into().expect("it has 8 bytes"));
        let mut number = || words.next().map(u64::from_ne_bytes);
        let [sequence, rate, half_period_ns] = [number()?, number()?, number()?];
        let mut points = [Point::default(); CLOCKS];
        for point in &mut points {
            let [real_ns, shown_ns, strobe_ns] = [number()?, number()?, number()?].map(u64::cast_signed);
            *point = Point { real_ns, shown_ns, strobe_ns };
        }
        Some(Self { sequence, rate, half_period_ns, points })
    }
}

/// Returns the bytes of a page with these parameters and this code.
pub(super) fn page(parameters: &Parameters, code: &[u8]) -> Vec<u8> {
    let mut page = parameters.bytes();
    page.extend_from_slice(code);
    assert!(page.len() <= LENGTH, "the code fits into the page");
    page
}
