//! Names of the files and folders of a run.

use std::path::{Path, PathBuf};

pub(super) use crate::check::TEST_FILE;

/// Name of the file with the history in columns, which is the fastest to read.
pub(crate) const COLUMNS_FILE: &str = "history.columns";

/// Name of the file with the history, as long as it is not compressed.
pub(super) const HISTORY_FILE: &str = "history.jsonl";

/// Name of the folder of what is prepared once, in that of a campaign, or else in that of the run.
pub(crate) const PREPARED_FOLDER: &str = "prepared";

/// Names of the folder with the frames of the hosts' ports, and of the file with their numbers.
pub(super) const PCAP_FOLDER: &str = "pcap";
pub(super) const PCAP_COUNTS_FILE: &str = "pcap.json";

/// Name of the log in a node's folder.
pub(super) const LOG_FILE: &str = "node.log";

/// Returns the path of a node's file, relative to the run's folder.
pub(super) fn node_file(node: u16, file: &str) -> PathBuf {
    Path::new("nodes").join(node.to_string()).join(file)
}
