//! Keeper of a node's bent clocks: a thread that looks for programs which the node has started meanwhile.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::course::{Course, follow_one};
use super::error::ClockError;
use super::program::Program;
use crate::process_group::ProcessGroup;

/// Time between two searches, each of which reads `/proc`.
const SEARCH_EVERY: Duration = Duration::from_millis(50);

/// Keeper at work. When this value is dropped, it has stopped looking.
#[derive(Debug)]
pub(crate) struct Keeper {
    over: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Begins to look for new programs of a node, which must not be reaped before the value is dropped.
    pub(crate) fn begin(group: ProcessGroup, course: &Course) -> io::Result<Self> {
        let over = Arc::new((Mutex::new(false), Condvar::new()));
        let (until, course) = (Arc::clone(&over), *course);
        let thread = thread::Builder::new().name("clocks".into()).spawn(move || keep(&group, &course, &until))?;
        Ok(Self { over, thread: Some(thread) })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        *self.over.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.over.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // It has nothing to report.
            thread.join().ok();
        }
    }
}

/// Gives new programs the clocks of a course, until that is over. Those that cannot have them are left alone.
fn keep(group: &ProcessGroup, course: &Course, over: &(Mutex<bool>, Condvar)) {
    let is_over_after = |time| {
        let over_yet = over.0.lock().unwrap_or_else(PoisonError::into_inner);
        *over.1.wait_timeout_while(over_yet, time, |over| !*over).unwrap_or_else(PoisonError::into_inner).0
    };
    let mut left_alone = BTreeSet::new();
    while !is_over_after(SEARCH_EVERY) {
        for process in group.members() {
            if left_alone.contains(&process.id) || Program::is_taken(process) != Some(false) {
                continue;
            }
            // Threads that do not stop now may do so at the next search.
            let followed = follow_one(process, course);
            if !matches!(followed, Ok(()) | Err(ClockError::Busy { .. } | ClockError::Traced { .. })) {
                left_alone.insert(process.id);
            }
        }
    }
}
