//! Skew of a clock, as asked for: its rate, and its jumps.

use serde::{Deserialize, Serialize};

/// Slowest rate that a clock file takes.
const SLOWEST_OF_FILE: f64 = 0.001;

/// Skew of a node's clocks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Skew {
    /// Seconds that the clock advances in one true second, 0 to 1000; at 0 it stands still.
    pub rate: f64,
    /// Nanoseconds added at once, or in each period of a strobe.
    pub jump_ns: i64,
    /// Period in which the clock jumps there and back, ms: it has jumped for the first half.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strobe_ms: Option<u64>,
    /// Clocks that jump.
    #[serde(default, skip_serializing_if = "Clocks::is_wall")]
    pub clocks: Clocks,
    /// Way to skew them; if none, the clock file of a node that reads one and where it can express the skew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<SkewWay>,
}

/// Clocks of a program that jump. A rate is that of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clocks {
    /// The time of day, as when an administrator sets it. A clock file has but one clock, which jumps.
    #[default]
    Wall,
    /// The monotonic ones too.
    All,
}

/// Way to skew a node's clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SkewWay {
    /// A file that the node reads.
    File,
    /// The vDSO of each of its programs.
    Vdso,
}

impl Skew {
    /// Skew of a clock that is right.
    pub const NONE: Self = Self { rate: 1.0, jump_ns: 0, strobe_ms: None, clocks: Clocks::Wall, by: None };

    /// Returns true if it changes nothing.
    pub(crate) fn is_none(self) -> bool {
        self.jump_ns == 0 && (self.rate - 1.0).abs() < f64::EPSILON
    }

    /// Returns the way in which it is done on a node that reads a clock file, or does not.
    pub fn way(self, reads_clock_file: bool) -> SkewWay {
        let by_file = reads_clock_file && self.fits_file();
        self.by.unwrap_or(if by_file { SkewWay::File } else { SkewWay::Vdso })
    }

    /// Returns true if a clock file can express it.
    pub(crate) fn fits_file(self) -> bool {
        self.rate >= SLOWEST_OF_FILE && self.strobe_ms.is_none() && self.clocks.is_wall()
    }
}

impl Clocks {
    /// Clocks by their names.
    pub(crate) const NAMES: [(&str, Self); 2] = [("wall", Self::Wall), ("all", Self::All)];

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_wall(&self) -> bool {
        *self == Self::Wall
    }
}

impl SkewWay {
    /// Ways by their names.
    pub(crate) const NAMES: [(&str, Self); 2] = [("file", Self::File), ("vdso", Self::Vdso)];
}
