//! The verdicts on several histories, as a table.

use std::{fmt, path::Path, time::Duration};

use checker::{Report, Verdict};
use histories::{History, Value};

use crate::{
    check::{evidence::keys_with, notes},
    terminal::{
        Table,
        words::{grouped, lasting_ms, plain},
    },
};

/// One row of the table: the verdict on a file.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) verdict: String,
    /// Key with the violation, `yes` if there are no keys, number of such keys, or name of the anomaly.
    pub(crate) violated: String,
    pub(crate) keys: String,
    /// Number of operations, and of those answered if fewer.
    pub(crate) operations: String,
    pub(crate) methods: String,
}

impl Row {
    /// Creates the row of a report on keys.
    pub(crate) fn of(report: &Report) -> Self {
        let mut methods: Vec<String> = report.keys.iter().map(|key| key.method.to_string()).collect();
        methods.sort();
        methods.dedup();
        let violated = match keys_with(report, Verdict::NotLinearizable)[..] {
            [] => "-".to_owned(),
            [only] if only.key == Value::Nil => "yes".to_owned(),
            [only] => plain(&only.key),
            ref several => format!("{} keys", grouped(several.len())),
        };
        Self {
            verdict: if report.weak.is_some() {
                format!("{} (weak)", report.verdict_in_words())
            } else {
                report.verdict_in_words()
            },
            violated,
            keys: grouped(report.keys.len()),
            operations: if report.answered == report.operations {
                grouped(report.operations)
            } else {
                format!("{} of {}", grouped(report.answered), grouped(report.operations))
            },
            methods: methods.join(", "),
        }
    }

    /// Creates the row of a history of which only the given number of operations was read.
    pub(crate) fn unread(verdict: Verdict, operations: usize) -> Self {
        let [violated, keys, methods] = ["-"; 3].map(str::to_owned);
        Self { verdict: verdict.to_string(), violated, keys, operations: grouped(operations), methods }
    }
}

/// Table of files and verdicts.
#[derive(Debug)]
pub(crate) struct ReportTable {
    rows: Table,
    /// Lines below the table, on how files were read.
    notes: Vec<String>,
}

impl ReportTable {
    pub(crate) fn new() -> Self {
        let rows = Table::new(["file", "verdict", "violated", "keys", "answered", "methods", "time"]);
        Self { rows, notes: Vec::new() }
    }

    pub(crate) fn add(&mut self, file: &Path, row: &Row, took: Duration) {
        let Row { verdict, violated, keys, operations, methods } = row;
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let (file, took) = (file.display().to_string(), lasting_ms(took_ms));
        self.rows.add_row([&file, verdict, violated, keys, operations, methods, &took]);
    }

    /// Adds the notes on how a file was read.
    pub(crate) fn add_notes(&mut self, file: &Path, history: &History) {
        self.notes.extend(notes::lines(file, history));
    }

    pub(crate) fn add_unreadable(&mut self, file: &Path) {
        self.rows.add_row([&file.display().to_string(), "cannot be read", "-", "-", "-", "-", "-"]);
    }
}

impl fmt::Display for ReportTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rows.fmt(f)?;
        self.notes.iter().try_for_each(|note| write!(f, "\n{note}"))
    }
}
