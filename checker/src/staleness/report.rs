//! What is measured of how wrong a history is.

use serde::Serialize;

/// How stale the reads of registers with unique values were, and what it would take to make the history linearizable.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StalenessReport {
    /// Keys that were measured.
    pub keys: usize,
    /// Keys that were not, and why.
    pub not_measured: Vec<NotMeasured>,
    /// Of all reads of the measured keys.
    pub reads: StaleReads,
    /// As above, of each node that was asked, where nodes are known; by their numbers.
    pub nodes: Vec<NodeStaleness>,
    /// Pairs of values that came back to each other, so that no order of their writes fits, although neither is certainly newer: by how much reads of
    /// one of them would have to begin earlier, ns. Nothing if there are none.
    pub flip_flops: Option<Distribution>,
    /// The least Δ for which the history would be linearizable had each read begun Δ earlier, ns (Golab, Li and Shah 2011); nothing
    /// where no Δ is enough. Cas that did not match and did not say what they found are left out.
    pub delta_ns: Option<u64>,
}

/// Keys that were not measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotMeasured {
    /// In a few words.
    pub why: String,
    /// How many.
    pub keys: usize,
}

/// How stale the reads of one node were.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeStaleness {
    /// Its number.
    pub node: u16,
    /// What it answered.
    pub reads: StaleReads,
}

/// Reads, a cas among them that did not match and said what it found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StaleReads {
    /// How many there are.
    pub reads: usize,
    /// The share of those that were certainly stale: the value that they returned had been replaced before they began.
    pub stale: Share,
    /// Of the stale ones: certain lower bounds of how long ago, ns.
    pub behind_ns: Option<Distribution>,
    /// Of the stale ones: how many newer values were certainly in effect.
    pub versions: Option<Distribution>,
}

/// How often something is so.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    /// That many are.
    pub count: usize,
    /// From 0 to 1.
    pub share: f64,
    /// The 95 % interval of the share (Wilson 1927), which takes reads as independent of each other: lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Share {
    /// `count` of `total`, which are at most `u32::MAX`.
    pub fn new(count: usize, total: usize) -> Self {
        /// The standard normal distribution is within this with a probability of 95 %.
        const Z: f64 = 1.959_963_984_540_054;
        if total == 0 {
            return Self { count, share: 0.0, low: 0.0, high: 1.0 };
        }
        let float = |number: usize| f64::from(u32::try_from(number).expect("operations are counted by u32"));
        let (n, share) = (float(total), float(count) / float(total));
        let middle = (share + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
        let half = Z / (1.0 + Z * Z / n) * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
        // At the ends of the scale rounding must not leave the share outside.
        Self { count, share, low: (middle - half).clamp(0.0, share), high: (middle + half).clamp(share, 1.0) }
    }
}

/// Of several numbers; percentiles are of the nearest rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Distribution {
    /// How many.
    pub count: usize,
    /// Half of them are at most this.
    pub p50: u64,
    /// Nine of ten.
    pub p90: u64,
    /// 99 of a hundred.
    pub p99: u64,
    /// All.
    pub max: u64,
}

impl Distribution {
    /// Nothing of no numbers.
    pub(super) fn of(mut numbers: Vec<u64>) -> Option<Self> {
        numbers.sort_unstable();
        let max = *numbers.last()?;
        let at = |percent: usize| numbers[(numbers.len() * percent).div_ceil(100) - 1];
        Some(Self { count: numbers.len(), p50: at(50), p90: at(90), p99: at(99), max })
    }
}

#[cfg(test)]
mod tests {
    use super::{Distribution, Share};

    /// The figures are those of Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I.
    #[test]
    fn intervals_are_wilsons() {
        for (count, total, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let share = Share::new(count, total);
            assert!((share.low - low).abs() < 5e-5 && (share.high - high).abs() < 5e-5, "{share:?}");
        }
        assert_eq!(Share::new(7, 7).high.to_bits(), 1.0_f64.to_bits());
        assert_eq!(Share::new(0, 0).count, 0);
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let of_200 = Distribution::of((1..=200).rev().collect());
        assert_eq!(of_200, Some(Distribution { count: 200, p50: 100, p90: 180, p99: 198, max: 200 }));
        assert_eq!(Distribution::of(vec![7]), Some(Distribution { count: 1, p50: 7, p90: 7, p99: 7, max: 7 }));
        assert_eq!(Distribution::of(Vec::new()), None);
    }
}
