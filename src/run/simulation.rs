//! Conditions of a simulated run: what its network, disks and clocks are like. Plain data.

use serde::{Deserialize, Serialize};

/// Conditions of a simulated run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Simulation {
    /// Time that most frames take at most, µs; one in 128 takes eight times as long.
    pub(crate) latency_us: u32,
    /// Frames between nodes that are lost, in a thousand.
    pub(crate) loss_per_mille: u16,
    /// Messages of Raft that arrive twice, in a thousand.
    pub(crate) repeated_per_mille: u16,
    /// Messages of Raft that may overtake others, in a thousand.
    pub(crate) reordered_per_mille: u16,
    /// Time that most syncs of a disk take at most, µs; one in a hundred takes eight times as long.
    pub(crate) sync_us: u32,
    /// Syncs of a disk that fail, in a million. The node then ends, and is started again.
    pub(crate) disk_errors_ppm: u32,
    /// Deviation of a node's clock from true time, at most, in millionths.
    pub(crate) drift_ppm: u32,
    /// True if clients send writes that were not answered again, in sessions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) retry: bool,
    /// Places in the schedule of the faults that are kept; all of them if none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kept_faults: Option<Vec<usize>>,
}

impl Default for Simulation {
    /// Returns conditions that are a little worse than those of a good data centre.
    fn default() -> Self {
        Self {
            latency_us: 1000,
            loss_per_mille: 2,
            repeated_per_mille: 2,
            reordered_per_mille: 10,
            sync_us: 1000,
            disk_errors_ppm: 0,
            drift_ppm: 200,
            retry: false,
            kept_faults: None,
        }
    }
}

impl Simulation {
    /// Returns conditions under which nothing is lost, repeated or reordered, no disk fails and all clocks are true.
    pub(crate) fn calm() -> Self {
        Self {
            loss_per_mille: 0,
            repeated_per_mille: 0,
            reordered_per_mille: 0,
            disk_errors_ppm: 0,
            drift_ppm: 0,
            ..Self::default()
        }
    }

    /// Returns the options of `schism simulate` that ask for these conditions.
    pub(super) fn arguments(&self) -> Vec<String> {
        let usual = Self::default();
        let kept = self.kept_faults.as_ref().map(|kept| {
            let places: Vec<_> = kept.iter().map(ToString::to_string).collect();
            if places.is_empty() { "none".to_owned() } else { places.join(",") }
        });
        [
            ("--latency", self.latency_us != usual.latency_us, format!("{}us", self.latency_us)),
            ("--loss", self.loss_per_mille != usual.loss_per_mille, self.loss_per_mille.to_string()),
            ("--repeated", self.repeated_per_mille != usual.repeated_per_mille, self.repeated_per_mille.to_string()),
            (
                "--reordered",
                self.reordered_per_mille != usual.reordered_per_mille,
                self.reordered_per_mille.to_string(),
            ),
            ("--sync", self.sync_us != usual.sync_us, format!("{}us", self.sync_us)),
            ("--disk-errors", self.disk_errors_ppm != usual.disk_errors_ppm, self.disk_errors_ppm.to_string()),
            ("--drift", self.drift_ppm != usual.drift_ppm, self.drift_ppm.to_string()),
            ("--keep-faults", kept.is_some(), kept.unwrap_or_default()),
        ]
        .into_iter()
        .filter(|(_, differs, _)| *differs)
        .flat_map(|(name, _, value)| [name.to_owned(), value])
        .chain(self.retry.then(|| "--retry".to_owned()))
        .collect()
    }
}
