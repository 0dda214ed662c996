//! Exit codes of `schism`: one table, printed by `--help` and checked by a test.

use std::process::ExitCode;

/// Status with which a command ends. Of several, [`ExitStatus::worst`] decides which one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    Linearizable,
    NotLinearizable,
    Unknown,
    Failed,
    Usage,
    Unreadable,
    Internal,
    Interrupted,
}

impl ExitStatus {
    /// Statuses by precedence, the one that overrides all others first.
    const BY_WEIGHT: [Self; 8] = [
        Self::NotLinearizable,
        Self::Internal,
        Self::Usage,
        Self::Unreadable,
        Self::Failed,
        Self::Interrupted,
        Self::Unknown,
        Self::Linearizable,
    ];

    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Linearizable => 0,
            Self::NotLinearizable => 1,
            Self::Unknown => 2,
            Self::Failed => 3,
            Self::Usage => 64,
            Self::Unreadable => 65,
            Self::Internal => 70,
            Self::Interrupted => 130,
        }
    }

    const fn meaning(self) -> &'static str {
        match self {
            Self::Linearizable => "linearizable; or the command succeeded",
            Self::NotLinearizable => "not linearizable, or an audit violated (takes precedence over all others)",
            Self::Unknown => "unknown: limits ran out, or it is not in the model; with --fail-on weak, a weak yes too",
            Self::Failed => "the run itself failed; the message says why and what to do next",
            Self::Usage => "wrong usage",
            Self::Unreadable => "an input cannot be read; the message says which file and line",
            Self::Internal => {
                "an internal error: the checker contradicted itself about a key or a file; please report it"
            }
            Self::Interrupted => "interrupted, after healing and saving",
        }
    }

    /// Returns the status that takes precedence: a violation overrides all others.
    pub(crate) fn worst(self, other: Self) -> Self {
        Self::BY_WEIGHT.into_iter().find(|status| [self, other].contains(status)).unwrap_or(self)
    }

    /// Returns the table for `--help`, in the order of the codes.
    pub(crate) fn help() -> String {
        let mut all = Self::BY_WEIGHT;
        all.sort_by_key(|status| status.code());
        let lines = all.map(|status| format!("  {:>3}  {}\n", status.code(), status.meaning()));
        format!("Exit codes:\n{}", lines.concat())
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}

#[cfg(test)]
mod tests {
    use super::ExitStatus;

    #[test]
    fn a_violation_wins_over_everything() {
        for other in ExitStatus::BY_WEIGHT {
            assert_eq!(ExitStatus::NotLinearizable.worst(other), ExitStatus::NotLinearizable);
            assert_eq!(other.worst(ExitStatus::NotLinearizable), ExitStatus::NotLinearizable);
        }
    }

    #[test]
    fn a_yes_yields_to_everything() {
        for other in ExitStatus::BY_WEIGHT {
            assert_eq!(ExitStatus::Linearizable.worst(other), other);
        }
    }

    #[test]
    fn the_codes_are_the_documented_ones() {
        assert_eq!(ExitStatus::BY_WEIGHT.map(ExitStatus::code), [1, 70, 64, 65, 3, 130, 2, 0]);
    }
}
