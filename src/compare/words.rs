//! The figures of a read mode in words, as tables show them.

use super::Mode;

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
        let ms = |figure: f64| format!("{figure:.2} ms");
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
            format!("{} ms", self.longest_gap_ms),
            self.recovery_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms")),
            percent(self.reads_available),
            percent(self.writes_available),
            self.verdicts.join("\n"),
            format!("{} of {}", self.stale_reads, self.all_reads),
            if is_stale {
                format!("{} ms, {} writes", self.stalest_ms, self.most_versions_behind)
            } else {
                "-".to_owned()
            },
        ]
    }
}
