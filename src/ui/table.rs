//! The verdicts on several histories, a row each.

use std::{fmt, path::Path, time::Duration};

use checker::{Report, Verdict};
use comfy_table::{Table, presets};

use super::verdict::{grouped, of, plain};

/// A table of files and verdicts.
#[derive(Debug)]
pub(crate) struct ReportTable(Table);

impl ReportTable {
    pub(crate) fn new() -> Self {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_header(["file", "verdict", "violated", "keys", "operations", "methods", "time"]);
        Self(table)
    }

    pub(crate) fn add(&mut self, file: &Path, report: &Report, took: Duration) {
        let mut methods: Vec<String> = report.keys.iter().map(|key| key.method.to_string()).collect();
        methods.sort();
        methods.dedup();
        let violated = of(report, Verdict::NotLinearizable);
        let shown = match violated[..] {
            [] => "-".to_owned(),
            [only] => plain(&only.key),
            ref several => format!("{} keys", grouped(several.len())),
        };
        self.0.add_row([
            file.display().to_string(),
            report.verdict.to_string(),
            shown,
            grouped(report.keys.len()),
            grouped(report.operations),
            methods.join(", "),
            format!("{} ms", took.as_millis()),
        ]);
    }

    pub(crate) fn add_unreadable(&mut self, file: &Path) {
        self.0.add_row([&file.display().to_string(), "cannot be read", "-", "-", "-", "-", "-"]);
    }
}

impl fmt::Display for ReportTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
