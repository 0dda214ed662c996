//! Recorder of a simulated history: each event gets its index and its virtual time.

use histories::{Event, History, HistoryBuilder, PairingError, write_event};

/// History of a run under way.
#[derive(Debug, Default)]
pub(super) struct Record {
    builder: HistoryBuilder,
    origin_ns: u64,
    recorded: u64,
    /// The events as lines of JSON, if they are to be kept.
    lines: Option<Vec<u8>>,
}

/// A recorded history.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) history: History,
    /// The events as lines of JSON; none if they were not to be kept.
    pub(super) lines: Option<Vec<u8>>,
}

impl Record {
    /// Creates a history whose times count from `origin_ns`.
    pub(super) fn new(origin_ns: u64, keeps_lines: bool) -> Self {
        Self { origin_ns, lines: keeps_lines.then(Vec::new), ..Self::default() }
    }

    /// Records an event at `now_ns`.
    ///
    /// # Errors
    /// Returns the rule of histories that it breaks, which is a bug of the simulation.
    pub(super) fn add(&mut self, now_ns: u64, event: Event<'static>) -> Result<(), PairingError> {
        let event = Event { index: Some(self.recorded), time: now_ns - self.origin_ns, ..event };
        self.recorded += 1;
        if let Some(lines) = &mut self.lines {
            write_event(lines, &event).expect("memory takes everything");
        }
        self.builder.push(event)
    }

    pub(super) fn finish(self) -> Recorded {
        Recorded { history: self.builder.finish(), lines: self.lines }
    }
}
