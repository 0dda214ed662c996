//! Log of a node: its file, and the place in it at which the present process began.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// File that a node's output is appended to. Copies share what they know of the process.
#[derive(Debug, Clone, Default)]
pub struct NodeLog {
    path: PathBuf,
    began: Arc<Mutex<Option<u64>>>,
}

impl NodeLog {
    /// Creates the log of a node that has not been started; the file is made at its start.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), began: Arc::default() }
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the place at which the output of the node's present process begins, in bytes from the beginning of the
    /// file; none while it has no process.
    pub fn began(&self) -> Option<u64> {
        *self.began.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the place at which the output of a new process begins, or that the process has ended.
    pub(crate) fn set_began(&self, place: Option<u64>) {
        *self.began.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }
}
