//! Common part of all readers of events: the order in which events count, the meaning of their times, and whether their
//! values are keyed.
//!
//! Most events are processed at once. If a later part of the file shows that they should have been interpreted
//! otherwise, the file is read again in that way ([`Interpretation`]); each leads to a few others, and none leads back.

use super::{
    control::ReadControl,
    event_buffer::{Each, EventBuffer, is_keyed},
    event_builder::{Moment, ParsedEvent},
    key_detector::KeyDetector,
    lines::Place,
    nameless,
    order::{PendingEvent, RuleViolation, by_time},
    unknown_fields::UnknownFields,
};
use crate::{
    Event, EventType, History, HistoryBuilder, Interpretation, Note, PairingError, Process, ReadError, TRANSACTION,
    Value, Values,
    interpretation::{Keys, Order},
    transactions::{self, Columns},
};

/// Maximum number of events kept before it is checked whether values are keyed.
const MAX_KEPT: usize = if cfg!(test) { 100 } else { 100_000 };

/// Receiver of events, in the order of the file.
pub(super) struct Intake<'w, 'e> {
    watch: &'w ReadControl<'w>,
    each: Each<'e>,
    interpretation: Interpretation,
    buffer: EventBuffer,
    /// True once a client has acted.
    has_begun: bool,
    is_log: bool,
    shape: KeyDetector,
    clock: Clock,
    /// Events that wait for the end of the file; `is_waiting_for` is the reason.
    waiting: Vec<PendingEvent>,
    is_waiting_for: Option<Reason>,
    /// True if the file consists of records of whole operations, so that the order of lines means nothing.
    are_records: bool,
    order: Lines,
    notes: Vec<Note>,
    unknown_fields: UnknownFields,
}

/// Order of the lines, which the times may override.
#[derive(Debug, Default)]
struct Lines {
    /// First contradiction to this order: its line, and the error.
    contradiction: Option<(u64, ReadError)>,
    last_index: Option<u64>,
    index_goes_back: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Times,
    CompletionsOnly,
    NoProcesses,
}

/// Meaning of the times.
#[derive(Debug, Default)]
struct Clock {
    /// True if times are decimals; decided by the first time that is not 0.
    is_decimal: Option<bool>,
    /// Offset that makes all times nonnegative; decided by the first time.
    shift: Option<i128>,
    last: Option<i128>,
    /// True if some event of a client has no time.
    has_gaps: bool,
}

impl<'w, 'e> Intake<'w, 'e> {
    pub(super) fn new(watch: &'w ReadControl<'w>, each: Each<'e>) -> Self {
        let interpretation = watch.interpretation();
        Self {
            watch,
            each,
            interpretation,
            buffer: EventBuffer::new(watch.options(), interpretation),
            has_begun: false,
            is_log: false,
            shape: KeyDetector::default(),
            clock: Clock::default(),
            waiting: Vec::new(),
            is_waiting_for: (interpretation.order == Order::Times).then_some(Reason::Times),
            are_records: false,
            order: Lines::default(),
            notes: Vec::new(),
            unknown_fields: UnknownFields::default(),
        }
    }

    /// Switches to the meaning of Jepsen's log lines.
    pub(super) fn in_logs(self) -> Self {
        Self { buffer: self.buffer.in_logs(), is_log: true, ..self }
    }

    /// Returns the builder of the history.
    pub(super) fn builder(&self) -> &HistoryBuilder {
        self.buffer.builder()
    }

    /// Adds a note to the history, once.
    pub(super) fn note(&mut self, note: Note) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Processes the next event, which is written as `text` at this position.
    pub(super) fn take(
        &mut self,
        place: Place<'_>,
        text: &[u8],
        mut drafted: ParsedEvent<'_>,
    ) -> Result<(), ReadError> {
        if drafted.event.process.is_client() {
            self.unknown_fields.see(std::mem::take(&mut drafted.unknown));
        }
        self.place(place, text, drafted).map_err(|error| self.unknown_fields.beside(error))
    }

    /// Processes an event whose unknown fields are noted.
    fn place(&mut self, place: Place<'_>, text: &[u8], drafted: ParsedEvent<'_>) -> Result<(), ReadError> {
        self.watch.text(text.len(), self.builder()).map_err(|source| place.unread(source))?;
        let is_client = drafted.event.process.is_client();
        if self.interpretation.keys == Keys::Asked {
            self.shape.see(&drafted.event);
            let known = Interpretation { keys: Keys::Known(false), ..self.interpretation };
            return if self.shape.is_plain() { Err(self.watch.read_again(known)) } else { Ok(()) };
        }
        let is_completion = drafted.event.kind != EventType::Invoke;
        let is_first = is_client && !self.has_begun;
        self.has_begun |= is_client;
        if is_first && is_completion && self.is_waiting_for.is_none() && is_transaction(&drafted.event) {
            self.is_waiting_for = Some(Reason::CompletionsOnly);
        }
        if is_first && !is_completion && drafted.is_nobody {
            self.is_waiting_for = Some(Reason::NoProcesses);
        }
        if drafted.is_nobody && !matches!(self.is_waiting_for, Some(Reason::CompletionsOnly | Reason::NoProcesses)) {
            let lacks = if is_first {
                "expected an invocation before this completion, which names no process, either"
            } else {
                "expected a process in the operation, as operations before it have one"
            };
            return Err(place.malformed(text, 1, lacks));
        }
        if is_client && !drafted.is_nobody && self.is_waiting_for == Some(Reason::NoProcesses) {
            return Err(place.malformed(text, 1, "expected no process in the operation, as those before it have none"));
        }
        if self.is_waiting_for == Some(Reason::CompletionsOnly) {
            return self.defer_completion(place, text, drafted);
        }
        let time = self.time(drafted.time, is_client)?;
        if self.is_waiting_for == Some(Reason::NoProcesses) {
            self.clock.last = Some(time);
            self.clock.shift.get_or_insert((-time).max(0));
            return self.keep(place, drafted.event, time);
        }
        if self.is_waiting_for == Some(Reason::Times) {
            return self.defer(place, text, drafted.event, time);
        }
        self.push(place, text, drafted.event, time)
    }

    /// Processes the next event, if it can be processed at once and is a transaction whose micro-operations `read`
    /// adds.
    pub(super) fn transaction<'t>(
        &mut self,
        place: Place<'_>,
        text: &[u8],
        read: impl FnOnce(&mut Columns, &mut Values) -> Option<Event<'t>>,
    ) -> Option<Result<(), ReadError>> {
        let is_simple = self.interpretation
            == Interpretation { keys: self.interpretation.keys, ..Interpretation::default() }
            && matches!(self.interpretation.keys, Keys::Unknown | Keys::Known(false))
            && self.is_waiting_for.is_none()
            && self.each.is_none()
            && self.has_begun
            && self.clock.is_decimal != Some(true)
            && self.clock.shift.unwrap_or(0) == 0;
        if !is_simple {
            return None;
        }
        if let Err(source) = self.watch.text(text.len(), self.builder()) {
            return Some(Err(place.unread(source)));
        }
        let mut last = 0;
        let pushed = self.buffer.push_transaction(place, text, |micros, values| {
            let event = read(micros, values)?;
            last = event.time;
            Some(event)
        })?;
        self.clock.last = Some(last.into());
        self.clock.is_decimal = Some(false);
        self.clock.shift = Some(0);
        Some(pushed.map_err(|error| self.reordered(error)))
    }

    /// Returns the history. `end` is the end of the file.
    pub(super) fn finish(mut self, end: Place<'_>) -> Result<History, ReadError> {
        let unknown_fields = std::mem::take(&mut self.unknown_fields);
        let mut history = self.build(end).map_err(|error| unknown_fields.beside(error))?;
        history.notes.extend(unknown_fields.notes());
        Ok(history)
    }

    /// Returns the history, without notes on unknown fields.
    fn build(mut self, end: Place<'_>) -> Result<History, ReadError> {
        if self.interpretation.keys == Keys::Asked {
            let keys = Keys::Known(is_keyed(&self.shape, end)?);
            let has_bare_answers = self.shape.has_bare_answers();
            return Err(self.watch.read_again(Interpretation { keys, has_bare_answers, ..self.interpretation }));
        }
        match self.is_waiting_for {
            None => {}
            Some(Reason::Times) => self.sort(end)?,
            Some(Reason::CompletionsOnly) => self.overlap(end)?,
            Some(Reason::NoProcesses) => self.pair_nameless(end)?,
        }
        if self.buffer.assumes_keys() {
            self.interpretation.keys = Keys::Known(true);
        }
        self.buffer.settle(end, &mut self.each)?;
        self.expect_bare_answers()?;
        if self.buffer.has_bare_answers() {
            self.interpretation.has_bare_answers = true;
            self.note(Note::AnswersWithoutKey);
        }
        let mut history = self.buffer.finish(end)?;
        history.notes = self.notes;
        history.interpretation = self.interpretation;
        Ok(history)
    }

    /// Returns the time of an event in nanoseconds; without one, that of the event before.
    fn time(&mut self, moment: Option<Moment>, is_client: bool) -> Result<i128, ReadError> {
        let (time, is_decimal) = match moment {
            None => {
                self.clock.has_gaps |= is_client;
                return Ok(self.clock.last.unwrap_or(0));
            }
            Some(Moment::Whole(time)) if self.interpretation.is_in_seconds => {
                (time.saturating_mul(1_000_000_000), true)
            }
            Some(Moment::Whole(time)) => (time, false),
            Some(Moment::Seconds(time)) => (time, true),
        };
        if time != 0 && *self.clock.is_decimal.get_or_insert(is_decimal) != is_decimal {
            return Err(self.watch.read_again(Interpretation { is_in_seconds: true, ..self.interpretation }));
        }
        Ok(time)
    }

    /// Processes an event for which the order of lines counts.
    fn push(&mut self, place: Place<'_>, text: &[u8], event: Event<'_>, time: i128) -> Result<(), ReadError> {
        let shift = *self.clock.shift.get_or_insert((-time).max(0));
        if let Some(previous) = self.clock.last.filter(|last| time < *last) {
            return Err(self.broken(place, text, PairingError::Time { time, previous }));
        }
        self.clock.last = Some(time);
        let time = narrow(time + shift).map_err(|rule| place.broken(text, rule))?;
        let pushed = self.buffer.push(place, text, Event { time, ..event }, &mut self.each);
        self.expect_bare_answers()?;
        if self.buffer.is_refuted() {
            return Err(self.watch.read_again(Interpretation { keys: Keys::Known(false), ..self.interpretation }));
        }
        if self.buffer.is_doubtful() {
            return Err(self.watch.read_again(Interpretation { keys: Keys::Asked, ..self.interpretation }));
        }
        pushed.map_err(|error| self.reordered(error))?;
        if self.buffer.assume_keys(place, &mut self.each)? || self.buffer.kept() <= MAX_KEPT {
            return Ok(());
        }
        Err(self.watch.read_again(Interpretation { keys: Keys::Asked, ..self.interpretation }))
    }

    /// Requests that the file be read again if a read was answered without its key.
    fn expect_bare_answers(&self) -> Result<(), ReadError> {
        let found = Interpretation { has_bare_answers: true, ..self.interpretation };
        if self.buffer.saw_bare_answer() { Err(self.watch.read_again(found)) } else { Ok(()) }
    }

    fn broken(&self, place: Place<'_>, text: &[u8], rule: PairingError) -> ReadError {
        self.reordered(place.broken(text, rule))
    }

    /// Returns the error for a broken rule, or, if the times may show another order than the lines, requests that the
    /// file be read by them.
    fn reordered(&self, error: ReadError) -> ReadError {
        let ReadError::Broken { rule, .. } = &error else { return error };
        let is_order = matches!(
            **rule,
            PairingError::Time { .. }
                | PairingError::Index { .. }
                | PairingError::NotOpen { .. }
                | PairingError::AlreadyOpen { .. }
                | PairingError::Repeated { .. }
                | PairingError::Mismatched { .. }
        );
        let has_times = self.clock.last.is_some() && !self.clock.has_gaps;
        if is_order && self.interpretation.order == Order::Lines && has_times {
            return self.watch.read_again(Interpretation { order: Order::Times, ..self.interpretation });
        }
        error
    }

    /// Keeps an event until the times of all events are known.
    fn defer(&mut self, place: Place<'_>, text: &[u8], event: Event<'_>, time: i128) -> Result<(), ReadError> {
        let wrong_index = match (event.index, self.order.last_index) {
            (Some(index), Some(previous)) if index <= previous => Some(PairingError::Index { index, previous }),
            _ => None,
        };
        self.order.index_goes_back |= wrong_index.is_some();
        self.order.last_index = event.index.or(self.order.last_index);
        let previous = self.clock.last.filter(|last| time < *last);
        let wrong_time = previous.map(|previous| PairingError::Time { time, previous });
        if let (None, Some(rule)) = (&self.order.contradiction, wrong_time.or(wrong_index)) {
            self.order.contradiction = Some((place.line, place.broken(text, rule)));
        }
        self.clock.last = Some(time);
        self.clock.shift.get_or_insert((-time).max(0));
        self.keep(place, event, time)
    }

    fn keep(&mut self, place: Place<'_>, event: Event<'_>, time: i128) -> Result<(), ReadError> {
        if self.waiting.len() == self.waiting.capacity() {
            let needs = 2 * self.waiting.capacity() * size_of::<PendingEvent>();
            self.watch.ask(needs).map_err(|source| place.unread(source))?;
        }
        self.waiting.push(PendingEvent { line: place.line, time, event: event.into_owned() });
        Ok(())
    }

    /// Keeps an operation that came as a record: invocation and completion, each with its time.
    pub(super) fn operation(
        &mut self,
        place: Place<'_>,
        text: &[u8],
        begun: (Event<'_>, Moment),
        ended: (Event<'_>, Moment),
    ) -> Result<(), ReadError> {
        self.watch.text(text.len(), self.builder()).map_err(|source| place.unread(source))?;
        (self.is_waiting_for, self.are_records) = (Some(Reason::Times), true);
        let invoked_ns = self.time(Some(begun.1), true)?;
        let completed_ns = self.time(Some(ended.1), true)?;
        if completed_ns < invoked_ns {
            let (process, f) = (ended.0.process, ended.0.f.into_owned());
            let rule = PairingError::EndsBeforeItBegins { process, f, invoked_ns, completed_ns };
            return Err(place.broken(text, rule));
        }
        self.keep(place, begun.0, invoked_ns)?;
        self.keep(place, ended.0, completed_ns)
    }

    /// Sorts the events by their times and processes them.
    fn sort(&mut self, end: Place<'_>) -> Result<(), ReadError> {
        if self.clock.has_gaps
            && let Some((_, contradiction)) = self.order.contradiction.take()
        {
            return Err(contradiction);
        }
        let waiting = std::mem::take(&mut self.waiting);
        if self.order.contradiction.is_none() && !self.are_records {
            // The order of lines is none that any other order mends.
            let shift = self.clock.shift.unwrap_or(0);
            return self.push_all(end, waiting, shift);
        }
        let arranged =
            by_time(waiting).map_err(|RuleViolation { line, rule }| Place { line, ..end }.broken(b"", rule))?;
        let mut events = arranged.events;
        let indexes: Vec<u64> = events.iter().filter_map(|waiting| waiting.event.index).collect();
        if !indexes.is_sorted_by(|one, other| one < other) {
            if self.order.index_goes_back
                && let Some((_, contradiction)) = self.order.contradiction.take()
            {
                return Err(contradiction);
            }
            // Indexes number the lines, which do not count.
            for waiting in &mut events {
                waiting.event.index = None;
            }
        }
        if let Some(&(line, _)) = self.order.contradiction.as_ref() {
            self.note(Note::ByTime { line });
        }
        if arranged.splits > 0 {
            self.note(Note::EqualTimes { times: arranged.splits });
        }
        let shift = events.first().map_or(0, |first| (-first.time).max(0));
        self.push_all(end, events, shift)
    }

    /// Processes events that are in their final order.
    fn push_all(&mut self, end: Place<'_>, events: Vec<PendingEvent>, shift: i128) -> Result<(), ReadError> {
        let found = match (self.watch.options().keyed, self.interpretation.keys.found()) {
            (None, None) => {
                for waiting in &events {
                    self.shape.see(&waiting.event);
                }
                is_keyed(&self.shape, end)?
            }
            (given, found) => given.or(found).unwrap_or(false),
        };
        let has_bare_answers = self.interpretation.has_bare_answers || self.shape.has_bare_answers();
        let known = Interpretation { keys: Keys::Known(found), has_bare_answers, ..self.interpretation };
        let buffer = EventBuffer::new(self.watch.options(), known);
        self.buffer = if self.is_log { buffer.in_logs() } else { buffer };
        for PendingEvent { line, time, event } in events {
            let place = Place { line, ..end };
            self.watch.text(1, self.builder()).map_err(|source| place.unread(source))?;
            let time = narrow(time + shift).map_err(|rule| place.broken(b"", rule))?;
            self.buffer.push(place, b"", Event { time, ..event }, &mut self.each)?;
        }
        Ok(())
    }

    /// Pairs events that name no process, and processes them.
    fn pair_nameless(&mut self, end: Place<'_>) -> Result<(), ReadError> {
        let mut events = std::mem::take(&mut self.waiting);
        let unsure = nameless::pair(&mut events, || self.watch.ask(0)).map_err(|unpaired| match unpaired {
            nameless::Unpaired::Stopped(source) => end.unread(source),
            nameless::Unpaired::Broken(place, rule) => Place { line: events[place].line, ..end }.broken(b"", rule),
        })?;
        self.note(Note::NoProcesses { unsure });
        let shift = self.clock.shift.unwrap_or(0);
        self.push_all(end, events, shift)
    }

    /// Keeps a completion of a history that has only completions.
    fn defer_completion(&mut self, place: Place<'_>, text: &[u8], drafted: ParsedEvent<'_>) -> Result<(), ReadError> {
        let event = drafted.event;
        let first = self.order.contradiction.get_or_insert_with(|| {
            let rule = PairingError::NotOpen { process: event.process.clone(), f: event.f.clone().into_owned() };
            (place.line, place.broken(text, rule))
        });
        match (&event.value, event.kind) {
            _ if !event.process.is_client() => {}
            (_, EventType::Invoke) => return Err(std::mem::replace(&mut first.1, place.empty())),
            _ if !is_transaction(&event) => {
                let rule = PairingError::NotOpen { process: event.process, f: event.f.into_owned() };
                return Err(place.broken(text, rule));
            }
            // Nothing of it happened, whatever it was.
            (None | Some(Value::Nil), EventType::Fail) => return Ok(()),
            (None | Some(Value::Nil), _) => {
                return Err(place.broken(text, PairingError::NoMicroOperations(Value::Nil)));
            }
            _ => {}
        }
        self.keep(place, Event { index: None, ..event }, 0)
    }

    /// Makes all transactions concurrent, as their begins are unknown, each by a client of its own.
    fn overlap(&mut self, end: Place<'_>) -> Result<(), ReadError> {
        let mut completions = std::mem::take(&mut self.waiting);
        for (number, waiting) in (0..).zip(&mut completions) {
            if waiting.event.process.is_client() {
                waiting.event.process = Process::Client(number);
            }
        }
        let clients = completions.iter().filter(|waiting| waiting.event.process.is_client());
        let invoked = |waiting: &PendingEvent| {
            let event = &waiting.event;
            let bare = Event::new(event.process.clone(), EventType::Invoke, TRANSACTION);
            let event = Event { key: event.key.clone(), value: event.value.clone(), node: event.node, ..bare };
            PendingEvent { event, ..*waiting }
        };
        let mut events: Vec<PendingEvent> = clients.map(invoked).collect();
        events.extend(completions);
        self.note(Note::CompletionsOnly);
        self.push_all(end, events, 0)
    }
}

/// Returns true if an event belongs to a transaction, under whatever name.
fn is_transaction(event: &Event<'_>) -> bool {
    event.f == TRANSACTION || event.value.as_ref().is_some_and(transactions::is_transaction)
}

/// Returns a time in the type of a history.
fn narrow(time: i128) -> Result<u64, PairingError> {
    u64::try_from(time).map_err(|_| PairingError::TooMany("times are within 2^64 nanoseconds"))
}
