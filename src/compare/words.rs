//! The figures of a read mode in words, as tables show them.

use super::Mode;
use crate::terminal::words::{counted_u64, lasting_ms, measured_ms};

/// Headings of the words of a mode.
pub(crate) const HEADINGS: [&str; 16] = [
    "reads",
    "ops/s",
    "read p50",
    "p99",
    "p99.9",
    "write p50",
    "p99",
    "messages/op",
    "fsyncs/op",
    "longest gap",
    "recovery",
    "reads up",
    "writes up",
    "verdicts",
    "stale reads",
    "stale by",
];

impl Mode {
    /// Returns the cells of the mode's row; that of the verdicts has a line for each.
    pub(crate) fn words(&self) -> [String; HEADINGS.len()] {
        let ms = |figure: f64| measured_ms(figure, 2);
        let figure =
            |figure: Option<f64>, digits| figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.digits$}"));
        let percent = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), |share| format!("{share:.1} %"));
        let is_stale = self.stale_reads > 0;
        [
            self.name.clone(),
            format!("{:.0}", self.throughput.median),
            ms(self.reads.p50),
            ms(self.reads.p99),
            ms(self.reads.p999),
            ms(self.writes.p50),
            ms(self.writes.p99),
            figure(self.messages_per_operation, 1),
            figure(self.fsyncs_per_operation, 2),
            lasting_ms(self.longest_gap_ms),
            self.recovery_ms.map_or_else(|| "-".to_owned(), lasting_ms),
            percent(self.reads_available),
            percent(self.writes_available),
            self.verdicts.join("\n"),
            format!("{} of {}", self.stale_reads, self.all_reads),
            if is_stale {
                format!("{}, {}", lasting_ms(self.stalest_ms), counted_u64(self.most_versions_behind, "write"))
            } else {
                "-".to_owned()
            },
        ]
    }
}
