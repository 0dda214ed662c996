//! Events of other tools under our rules: a process that goes on after `info` gets a new number, and time does not go back.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::{Event, EventType, Process};

/// Renames processes and mends times, event by event. First show it all events, then let it rename each.
#[derive(Debug, Default)]
pub struct OurRules {
    /// Above all process numbers that occur.
    next_process: u64,
    last_time: u64,
    retired: FxHashSet<Process>,
    renamed: FxHashMap<Process, u64>,
}

impl OurRules {
    /// Looks at the next event.
    pub fn see(&mut self, event: &Event<'_>) {
        if let Process::Client(process) = event.process {
            self.next_process = self.next_process.max(process.saturating_add(1));
        }
    }

    /// The event as our rules demand it; one that keeps them is returned as it is.
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
