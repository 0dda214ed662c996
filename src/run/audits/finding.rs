//! Findings of audits, as they are stored.

use serde::{Deserialize, Serialize};

/// Property of a run that is judged beside its history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AuditKind {
    /// Revisions that the store gave to values, against real time.
    Revisions,
    /// Writes that were acknowledged, against what the final reads find.
    AcknowledgedWrites,
    /// States of nodes that applied the same entries of the log.
    ReplicaStates,
    /// Terms of the entries at the same committed index of the nodes' logs.
    LogMatching,
    /// Leaders of each term.
    Leaders,
    /// Votes and terms of each node.
    Votes,
    /// Time without an answer from any node beyond what faults explain.
    Availability,
}

impl AuditKind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Revisions => "revisions",
            Self::AcknowledgedWrites => "acknowledged writes",
            Self::ReplicaStates => "replica states",
            Self::LogMatching => "log matching",
            Self::Leaders => "leaders",
            Self::Votes => "votes",
            Self::Availability => "availability",
        }
    }
}

/// Audit of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Audit {
    #[serde(rename = "audit")]
    pub(crate) kind: AuditKind,
    #[serde(flatten)]
    pub(crate) finding: Finding,
}

/// Finding of an audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub(crate) enum Finding {
    /// Nothing contradicts the property.
    Holds {
        /// Things that were compared, in words.
        looked_at: String,
    },
    /// The property does not hold.
    Violated {
        /// Sentences that show it.
        evidence: Vec<String>,
        /// Moment of the run at which it was first broken, if that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        first_ms: Option<u64>,
    },
    /// The property could not be judged.
    NotChecked {
        /// Reason in words.
        why: String,
    },
}

impl Finding {
    pub(super) fn not_checked(why: impl Into<String>) -> Self {
        Self::NotChecked { why: why.into() }
    }

    /// Returns a violation with this evidence, or that the property holds if there is none.
    pub(super) fn of(evidence: Vec<String>, looked_at: impl FnOnce() -> String) -> Self {
        if evidence.is_empty() {
            Self::Holds { looked_at: looked_at() }
        } else {
            Self::Violated { evidence, first_ms: None }
        }
    }

    /// Returns a violation with this evidence, each sentence with the moment (ns) of the run that it is about, or that
    /// the property holds if there is none.
    pub(super) fn of_moments(evidence: Vec<(u64, String)>, looked_at: impl FnOnce() -> String) -> Self {
        let first = evidence.iter().map(|(at_ns, _)| at_ns / 1_000_000).min();
        let mut finding = Self::of(evidence.into_iter().map(|(_, said)| said).collect(), looked_at);
        if let Self::Violated { first_ms, .. } = &mut finding {
            *first_ms = first;
        }
        finding
    }

    /// Returns the evidence of a violation; nothing if there is none.
    pub(crate) fn evidence(&self) -> &[String] {
        if let Self::Violated { evidence, .. } = self { evidence } else { &[] }
    }
}

impl Audit {
    /// Returns the moment of the run at which it was first broken, in milliseconds; none if it was not, or if nobody
    /// knows.
    pub(crate) fn first_ms(&self) -> Option<u64> {
        if let Finding::Violated { first_ms, .. } = self.finding { first_ms } else { None }
    }

    pub(crate) fn is_violated(&self) -> bool {
        !self.finding.evidence().is_empty()
    }

    /// Describes the violation: the first sentence that shows it, and the number of others. None if there is none.
    pub(crate) fn claim(&self) -> Option<String> {
        let (first, others) = self.finding.evidence().split_first()?;
        Some(if others.is_empty() { format!("{first}.") } else { format!("{first}; and {} more.", others.len()) })
    }
}

#[cfg(test)]
mod tests {
    use super::{Audit, AuditKind, Finding};

    #[test]
    fn an_audit_is_flat_json_that_reads_back() {
        let audit = |kind, finding| Audit { kind, finding };
        for (audit, text) in [
            (
                audit(AuditKind::LogMatching, Finding::of(Vec::new(), || "5 nodes".to_owned())),
                r#"{"audit":"log-matching","verdict":"holds","looked_at":"5 nodes"}"#,
            ),
            (
                audit(AuditKind::Leaders, Finding::of(vec!["n1 and n2".to_owned()], String::new)),
                r#"{"audit":"leaders","verdict":"violated","evidence":["n1 and n2"]}"#,
            ),
            (
                audit(AuditKind::Votes, Finding::of_moments(vec![(7_500_000, "n1".to_owned())], String::new)),
                r#"{"audit":"votes","verdict":"violated","evidence":["n1"],"first_ms":7}"#,
            ),
            (
                audit(AuditKind::Revisions, Finding::not_checked("no answer has one")),
                r#"{"audit":"revisions","verdict":"not-checked","why":"no answer has one"}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&audit).unwrap(), text);
            assert_eq!(serde_json::from_str::<Audit>(text).unwrap(), audit);
            assert_eq!(audit.is_violated(), text.contains("violated"));
        }
    }

    #[test]
    fn a_claim_is_one_sentence_however_much_shows_it() {
        let claim = |evidence: &[&str]| {
            let evidence = evidence.iter().map(|said| (*said).to_owned()).collect();
            Audit { kind: AuditKind::Leaders, finding: Finding::of(evidence, String::new) }.claim()
        };
        assert_eq!(claim(&[]), None);
        assert_eq!(claim(&["n1 and n2"]).as_deref(), Some("n1 and n2."));
        assert_eq!(claim(&["n1 and n2", "n3 and n4", "n5"]).as_deref(), Some("n1 and n2; and 2 more."));
    }
}
