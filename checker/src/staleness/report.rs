//! Report on the staleness of a history.

use serde::{Deserialize, Serialize};

/// Staleness of the reads of registers with unique values, and the shift of reads that would make the history
/// linearizable. In a history without times, nothing that is measured in time is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StalenessReport {
    /// Number of keys that were measured.
    pub keys: usize,
    /// Keys that were not measured, with the reasons.
    pub not_measured: Vec<UnmeasuredKeys>,
    /// Staleness of all reads of the measured keys.
    pub reads: StaleReads,
    /// Staleness by node that was asked, if nodes are known, in the order of their numbers.
    pub nodes: Vec<NodeStaleness>,
    /// Flip-flops: pairs of values that alternate so that no order of their writes fits, although neither is
    /// certainly newer. The distribution is of the time by which the reads of one of them would have to begin
    /// earlier, in ns. `None` if there are no flip-flops, or no times.
    pub flip_flops: Option<Distribution>,
    /// Least Δ in ns such that the history would be linearizable if each read had begun Δ earlier (Golab, Li and Shah
    /// 2011); `None` if no Δ is enough, or there are no times. Cas that did not match and did not report what they
    /// found are left out.
    pub delta_ns: Option<u64>,
}

/// Keys that were not measured for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnmeasuredKeys {
    /// Reason, in a few words.
    pub why: String,
    /// Number of keys.
    pub keys: usize,
}

/// Staleness of the reads of one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeStaleness {
    /// Number of the node.
    pub node: u16,
    /// Staleness of the reads that it answered.
    pub reads: StaleReads,
}

/// Staleness of reads, including each cas that did not match and reported what it found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StaleReads {
    /// Number of reads.
    pub reads: usize,
    /// Share of reads that were certainly stale: the value that they returned had been replaced before they began.
    pub stale: Share,
    /// Certain lower bounds on how long before each stale read its value had been replaced, in ns.
    pub behind_ns: Option<Distribution>,
    /// Certain lower bounds on the number of newer values in effect at each stale read.
    pub versions: Option<Distribution>,
}

/// Share of a total, with its confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Number of cases.
    pub count: usize,
    /// Fraction of the total, from 0 to 1.
    pub share: f64,
    /// Lower end of the 95 % confidence interval of the share (Wilson 1927), which assumes that reads are independent
    /// of each other.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Share {
    /// Computes the share of `count` in `total`; both are at most `u32::MAX`.
    pub fn new(count: usize, total: usize) -> Self {
        /// Quantile of the standard normal distribution: a value lies within ±Z with a probability of 95 %.
        const Z: f64 = 1.959_963_984_540_054;
        if total == 0 {
            return Self { count, share: 0.0, low: 0.0, high: 1.0 };
        }
        let float = |number: usize| f64::from(u32::try_from(number).expect("operations are counted by u32"));
        let (n, share) = (float(total), float(count) / float(total));
        let middle = (share + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
        let half = Z / (1.0 + Z * Z / n) * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
        // At the ends of the scale, rounding must not put the share outside the interval.
        Self { count, share, low: (middle - half).clamp(0.0, share), high: (middle + half).clamp(share, 1.0) }
    }
}

/// Distribution of several numbers. Percentiles use the nearest rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    /// Number of values.
    pub count: usize,
    /// Median.
    pub p50: u64,
    /// 90th percentile.
    pub p90: u64,
    /// 99th percentile.
    pub p99: u64,
    /// Maximum.
    pub max: u64,
}

impl Distribution {
    /// Returns the distribution of the numbers, or `None` if there are none.
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

    /// Checks the figures of Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I.
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
