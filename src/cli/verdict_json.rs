//! Verdicts on files as JSON.

use std::path::Path;

use checker::{Hierarchy, KeyReport, Level, Report, StalenessReport, TransactionReport, Verdict, WeakVerdict};
use histories::{Event, Value};
use serde::{Serialize, Serializer};

use crate::store::SchemaVersion;

/// Result for a file, with the versions of this layout and of schism.
#[derive(Serialize)]
pub(super) struct FileJson<'a> {
    schema_version: SchemaVersion,
    version: &'static str,
    #[serde(serialize_with = "serialize_path")]
    file: &'a Path,
    #[serde(flatten)]
    result: FileResult,
}

#[derive(Serialize)]
#[serde(untagged)]
enum FileResult {
    Judged(Box<FileVerdict>),
    /// Reason why the file was not judged.
    Refused {
        error: String,
    },
}

/// Verdict on a file.
#[derive(Serialize)]
pub(super) struct FileVerdict {
    /// Command that judges the file in the same way.
    pub(super) command: String,
    pub(super) options: JudgedBy,
    pub(super) report: JudgedReport,
    pub(super) weak: Option<WeakVerdict>,
    pub(super) notes: Vec<String>,
    #[serde(rename = "ladder")]
    pub(super) hierarchy: Option<Hierarchy>,
    pub(super) staleness: Option<StalenessReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prefixes: Option<Vec<PrefixRow>>,
}

/// Options that the file was judged by: those given, and for the others what the file shows.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum JudgedBy {
    Object {
        model: String,
        initial: Value,
    },
    Transactions {
        level: Level,
        initial: Value,
    },
    /// The file was not judged.
    Nothing {},
}

/// Serializes a path as JSON can hold it: a few names are not UTF-8.
fn serialize_path<S: Serializer>(file: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&file.display())
}

impl<'a> FileJson<'a> {
    /// Returns the verdict on a file.
    pub(super) fn judged(file: &'a Path, verdict: FileVerdict) -> Self {
        Self::of(file, FileResult::Judged(verdict.into()))
    }

    /// Returns why a file was not judged.
    pub(super) fn refused(file: &'a Path, error: &anyhow::Error) -> Self {
        Self::of(file, FileResult::Refused { error: format!("{error:#}") })
    }

    fn of(file: &'a Path, result: FileResult) -> Self {
        Self { schema_version: SchemaVersion::default(), version: env!("CARGO_PKG_VERSION"), file, result }
    }
}

/// A report on keys, on transactions, or on a file that was not read.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum JudgedReport {
    Keys(Report),
    Transactions(TransactionReport),
    /// Report on a file that was not read to its end, in the form of one on keys, none of which is known.
    Unread {
        verdict: Verdict,
        why: serde_json::Value,
        keys: [KeyReport; 0],
        operations: usize,
    },
}

/// Longest prefix of a key's operations that can be ordered, and what was done to the system around its end.
#[derive(Serialize)]
pub(crate) struct PrefixRow {
    pub(super) key: Value,
    pub(super) until_ns: u64,
    pub(super) dies_at: usize,
    pub(super) around: Vec<Event<'static>>,
}
