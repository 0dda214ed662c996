//! Problems with shims: how often each kind occurred in a run, and the first of each, for one loud line in a report.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

/// Kind of a problem with a shim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShimProblemKind {
    /// Its program could not be started.
    NotStarted,
    /// It was not ready in time.
    NotReady,
    /// It did not answer in time.
    TimedOut,
    /// Its output ended.
    Crashed,
    /// It wrote a line that is no answer.
    Unreadable,
    /// It wrote a line beyond the limit.
    LineTooLong,
    /// It answered a request that it was never sent.
    UnknownId,
    /// It answered a request once more.
    SecondAnswer,
    /// Its answer does not fit the request: a read without a value, say.
    WrongValue,
    /// Text on stderr that could not be kept.
    StderrLost,
}

impl ShimProblemKind {
    /// Describes it as what shims did.
    pub fn about(self) -> &'static str {
        match self {
            Self::NotStarted => "could not be started",
            Self::NotReady => "were not ready in time",
            Self::TimedOut => "did not answer in time",
            Self::Crashed => "ended on their own",
            Self::Unreadable => "wrote a line that is no answer",
            Self::LineTooLong => "wrote too long a line",
            Self::UnknownId => "answered a request that they were never sent",
            Self::SecondAnswer => "answered a request twice",
            Self::WrongValue => "gave an answer that does not fit the request",
            Self::StderrLost => "wrote to stderr what could not be kept",
        }
    }
}

/// Problem with a shim, of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShimProblem {
    /// Its kind.
    pub kind: ShimProblemKind,
    /// Number of times that it occurred.
    pub count: u64,
    /// Node, request and details of the first time. It may quote the shim: make it harmless before it is shown.
    pub first: String,
}

/// Problems with the shims of a run so far. Shared by all connectors of the run; as text, one line.
#[derive(Debug, Default)]
pub struct ShimProblems(Mutex<BTreeMap<ShimProblemKind, ShimProblem>>);

impl ShimProblems {
    /// Returns the problems so far, at most one of each kind.
    pub fn list(&self) -> Vec<ShimProblem> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Returns the number of times that problems of this kind occurred.
    pub fn count(&self, kind: ShimProblemKind) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&kind).map_or(0, |problem| problem.count)
    }

    pub(super) fn add(&self, kind: ShimProblemKind, what: String) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(kind).or_insert(ShimProblem { kind, count: 0, first: what }).count += 1;
    }
}

/// Writes them in one line, or nothing if there are none.
impl fmt::Display for ShimProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, ShimProblem { kind, count, first }) in self.list().iter().enumerate() {
            let between = if index == 0 { "shims " } else { "; " };
            let times = if *count == 1 { "once".to_owned() } else { format!("{count} times, first") };
            write!(f, "{between}{} ({times}: {first})", kind.about())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_fit_on_one_line_with_the_first_of_each_kind() {
        let problems = ShimProblems::default();
        assert_eq!(problems.to_string(), "");
        for (kind, what) in [
            (ShimProblemKind::UnknownId, "node 2, write of k3: id 9"),
            (ShimProblemKind::Crashed, "node 1: exit status 3"),
            (ShimProblemKind::UnknownId, "node 3"),
        ] {
            problems.add(kind, what.to_owned());
        }
        assert_eq!(
            problems.to_string(),
            "shims ended on their own (once: node 1: exit status 3); answered a request that they were never sent \
            (2 times, first: node 2, write of k3: id 9)"
        );
        assert_eq!(problems.count(ShimProblemKind::UnknownId), 2);
        assert_eq!(serde_json::to_string(&problems.list()[0].kind).unwrap(), r#""crashed""#);
    }
}
