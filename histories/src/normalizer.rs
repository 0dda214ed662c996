//! Rewrites events of other tools to keep our rules: a process that goes on after `info` gets a new number, and time
//! never decreases.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::{Event, EventType, Process};

/// Renumbers processes and corrects times, event by event. Every event must be passed to `see` before the first is
/// passed to `apply`.
#[derive(Debug, Default)]
pub struct Normalizer {
    /// Lowest number above all process numbers that occur.
    next_process: u64,
    last_time: u64,
    retired: FxHashSet<Process>,
    renamed: FxHashMap<Process, u64>,
}

impl Normalizer {
    /// Takes note of the process number of the next event.
    pub fn see(&mut self, event: &Event<'_>) {
        if let Process::Client(process) = event.process {
            self.next_process = self.next_process.max(process.saturating_add(1));
        }
    }

    /// Returns the event as our rules demand it; one that keeps them already is returned unchanged.
    pub fn apply<'a>(&mut self, mut event: Event<'a>) -> Event<'a> {
        event.time = event.time.max(self.last_time);
        self.last_time = event.time;
        if !event.process.is_client() {
            return event;
        }
        if event.kind == EventType::Invoke && self.retired.remove(&event.process) {
            self.renamed.insert(event.process.clone(), self.next_process);
            self.next_process += 1;
        }
        if event.kind == EventType::Info {
            self.retired.insert(event.process.clone());
        }
        if let Some(renamed) = self.renamed.get(&event.process) {
            event.process = Process::Client(*renamed);
        }
        event
    }
}
