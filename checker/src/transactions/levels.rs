//! Levels of a history that are known to hold or to fail while it is judged.

use super::{
    findings::Findings,
    report::{Level, Status},
};

/// Results for each level, beside what anomalies refute, and for the history.
#[derive(Debug, Default)]
pub(super) struct Levels {
    known: Vec<(Level, Status)>,
    pub order: Option<Vec<u32>>,
    pub reads: usize,
    pub dependencies: usize,
    /// Description of a value that several changes may have written.
    pub written_twice: Option<String>,
}

impl Levels {
    pub(super) fn status(&self, level: Level) -> Status {
        let known = self.known.iter().filter(|(other, status)| match status {
            Status::Holds => *other >= level,
            _ => *other == level,
        });
        let mut all = known.map(|(_, status)| *status);
        let first = all.next();
        all.find(|status| *status == Status::Holds).or(first).unwrap_or(Status::Unknown)
    }

    pub(super) fn is_known(&self, findings: &Findings<'_>, level: Level) -> bool {
        findings.weakest().is_some_and(|weakest| weakest <= level) || self.status(level) != Status::Unknown
    }

    pub(super) fn set(&mut self, level: Level, status: Status) {
        self.known.retain(|(other, _)| *other != level);
        self.known.push((level, status));
    }
}
