//! Pairing of the events of a history, once it is known whether their values are pairs of key and value (`shape` has
//! the rule).

use super::{
    ReadOptions,
    interpreter::Interpreter,
    key_detector::{KeyDetector, ValueShape},
    lines::Place,
};
use crate::{
    Event, History, HistoryBuilder, Interpretation, ReadError, TRANSACTION, Values, transactions::Columns,
    transactions::functions,
};

/// Optional callback that is given each event as it is read.
pub(super) type Each<'a> = Option<&'a mut dyn FnMut(&Event<'_>)>;

/// Events with their lines, kept until it is known whether their values are keyed; mostly the first events show that
/// they are not.
pub(super) struct EventBuffer {
    /// `KeyDetector` of the values; none if it is already known whether they are keyed.
    shape: Option<KeyDetector>,
    kept: Vec<(u64, Event<'static>)>,
    /// True if values are read as keyed, although a later event may still contradict it.
    assumes_keys: bool,
    pairing: Pairing,
}

impl EventBuffer {
    /// Creates it with the options of the reader, and with the result of an earlier reading, if there was one.
    pub(super) fn new(options: &ReadOptions<'_>, found: Interpretation) -> Self {
        let keyed = options.keyed.or(found.keys.found());
        let taking =
            Interpreter::new(options.failed_cas).keyed(keyed == Some(true)).with_bare_answers(found.has_bare_answers);
        let shape = keyed.is_none().then(KeyDetector::default);
        let pairing = Pairing { builder: HistoryBuilder::default(), taking };
        Self { shape, kept: Vec::new(), assumes_keys: false, pairing }
    }

    /// Switches to the meaning of Jepsen's log lines, where a cas that failed with its arguments found another value.
    pub(super) fn in_logs(self) -> Self {
        let Pairing { builder, taking } = self.pairing;
        Self { pairing: Pairing { builder, taking: taking.in_logs() }, ..self }
    }

    /// Returns the number of events kept.
    pub(super) fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Adds the next event, with its position and its text, which is empty if the event was kept since.
    pub(super) fn push(
        &mut self,
        place: Place<'_>,
        text: &[u8],
        event: Event<'_>,
        each: &mut Each<'_>,
    ) -> Result<(), ReadError> {
        let Some(shape) = &mut self.shape else { return self.pairing.push(place, text, event, each) };
        shape.see(&event);
        if self.assumes_keys {
            return if shape.is_plain() { Ok(()) } else { self.pairing.push(place, text, event, each) };
        }
        if shape.is_plain() && self.kept.is_empty() {
            self.shape = None;
            return self.pairing.push(place, text, event, each);
        }
        self.kept.push((place.line, event.into_owned()));
        if shape.is_plain() { self.settle(place, each) } else { Ok(()) }
    }

    /// Goes on as if values were keyed, if some event shows that and none contradicts it; returns true if it does.
    pub(super) fn assume_keys(&mut self, place: Place<'_>, each: &mut Each<'_>) -> Result<bool, ReadError> {
        if !self.assumes_keys
            && let Some(shape) = self.shape.as_ref().filter(|shape| shape.is_evident())
        {
            let has_bare_answers = shape.has_bare_answers();
            self.assumes_keys = true;
            self.pair_kept(true, has_bare_answers, place, each)?;
        }
        Ok(self.assumes_keys)
    }

    /// Returns true if values are read as keyed without certainty.
    pub(super) fn assumes_keys(&self) -> bool {
        self.assumes_keys
    }

    /// Returns true if an event contradicts the assumption that values are keyed.
    pub(super) fn is_refuted(&self) -> bool {
        self.assumes_keys && self.shape.as_ref().is_some_and(KeyDetector::is_plain)
    }

    /// Returns true if values are read as keyed, and only the whole file can show what an answer means.
    pub(super) fn is_doubtful(&self) -> bool {
        self.assumes_keys && self.shape.as_ref().is_some_and(KeyDetector::has_unknown_pairs)
    }

    /// Adds the next event, if it is a transaction whose micro-operations `read` can add; otherwise returns `None` with
    /// nothing added.
    pub(super) fn push_transaction<'e>(
        &mut self,
        place: Place<'_>,
        text: &[u8],
        read: impl FnOnce(&mut Columns, &mut Values) -> Option<Event<'e>>,
    ) -> Option<Result<(), ReadError>> {
        if self.pairing.taking.is_keyed() || !self.kept.is_empty() {
            return None;
        }
        self.pairing.builder.on_line(place.line);
        let pushed = self.pairing.builder.push_transaction(read)?;
        self.shape = None;
        self.pairing.taking.saw_transaction();
        Some(pushed.map_err(|rule| place.broken(text, rule)))
    }

    /// Decides whether values are keyed, by the events seen so far, and pairs the events kept.
    pub(super) fn settle(&mut self, place: Place<'_>, each: &mut Each<'_>) -> Result<(), ReadError> {
        match self.shape.take() {
            Some(shape) => self.pair_kept(is_keyed(&shape, place)?, shape.has_bare_answers(), place, each),
            None => Ok(()),
        }
    }

    fn pair_kept(
        &mut self,
        is_keyed: bool,
        has_bare_answers: bool,
        place: Place<'_>,
        each: &mut Each<'_>,
    ) -> Result<(), ReadError> {
        let taking = std::mem::take(&mut self.pairing.taking);
        self.pairing.taking = taking.keyed(is_keyed).with_bare_answers(has_bare_answers);
        let mut kept = std::mem::take(&mut self.kept).into_iter();
        kept.try_for_each(|(line, event)| self.pairing.push(Place { line, ..place }, b"", event, each))
    }

    /// Returns true if answers of reads are taken for values without their key.
    pub(super) fn has_bare_answers(&self) -> bool {
        self.pairing.taking.has_bare_answers()
    }

    /// Returns true if a read was answered without its key, though its values are keyed, and this was not expected.
    pub(super) fn saw_bare_answer(&self) -> bool {
        self.pairing.taking.saw_bare_answer()
    }

    /// Returns the builder of the history.
    pub(super) fn builder(&self) -> &HistoryBuilder {
        &self.pairing.builder
    }

    /// Returns the history, once all events are paired. `end` is the end of the file.
    pub(super) fn finish(self, end: Place<'_>) -> Result<History, ReadError> {
        self.pairing.finish(end)
    }
}

/// Decides whether values are pairs of key and value; returns an error if that is ambiguous.
pub(super) fn is_keyed(shape: &KeyDetector, place: Place<'_>) -> Result<bool, ReadError> {
    match shape.keyed() {
        ValueShape::Pairs => Ok(true),
        ValueShape::Plain => Ok(false),
        ValueShape::Ambiguous(what) => Err(place.unkeyed(format!(
            "all values are pairs, which may be [key, value] or values as they stand: there is {what}, and nothing \
            that tells"
        ))),
    }
}

/// Builder of a history, with the interpretation of its events.
struct Pairing {
    builder: HistoryBuilder,
    taking: Interpreter,
}

impl Pairing {
    /// Adds the next event, with its position and its text, which is empty if the event was kept since.
    fn push(
        &mut self,
        place: Place<'_>,
        text: &[u8],
        mut event: Event<'_>,
        each: &mut Each<'_>,
    ) -> Result<(), ReadError> {
        self.taking.apply(&mut event).map_err(|why| place.unkeyed(why))?;
        if event.f == TRANSACTION
            && let Some(value) = &mut event.value
        {
            // Keywords in EDN, text in JSON.
            functions(value).for_each(|name| {
                if let Some(text) = name.name() {
                    *name = text.into();
                }
            });
        }
        if let Some(each) = each {
            each(&event);
        }
        self.builder.on_line(place.line);
        self.builder.push(event).map_err(|rule| place.broken(text, rule))
    }

    /// Returns the history. `end` is the end of the file.
    fn finish(self, end: Place<'_>) -> Result<History, ReadError> {
        let mut history = self.builder.finish();
        history.failed_cas = self.taking.counts();
        if history.operations.is_empty() { Err(end.empty()) } else { Ok(history) }
    }
}
