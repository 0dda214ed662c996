//! Pairs the events of a history, once it is known whether their values are pairs of key and value (`shape` has the rule).

use super::{
    ReadOptions,
    lines::Place,
    shape::{Keyed, Shape},
    taking::Taking,
};
use crate::{
    Event, History, HistoryBuilder, ReadError, TRANSACTION, Values, transactions::Columns, transactions::functions,
};

/// Whoever wants to see each event on the way.
pub(super) type Each<'a> = Option<&'a mut dyn FnMut(&Event<'_>)>;

/// Events with their lines, kept until it is known whether their values are keyed: mostly the first ones say that they are not.
pub(super) struct Gathering {
    /// Nothing where somebody said whether they are.
    shape: Option<Shape>,
    kept: Vec<(u64, Event<'static>)>,
    /// Whether values are taken as keyed while some event to come may still say that they are not.
    is_supposed: bool,
    pairing: Pairing,
}

impl Gathering {
    /// By what the reader was told, and by what an earlier reading found.
    pub(super) fn new(options: &ReadOptions<'_>, found: Option<bool>) -> Self {
        let keyed = options.keyed.or(found);
        let taking = Taking::new(options.failed_cas).keyed(keyed == Some(true));
        let shape = keyed.is_none().then(Shape::default);
        let pairing = Pairing { builder: HistoryBuilder::default(), taking };
        Self { shape, kept: Vec::new(), is_supposed: false, pairing }
    }

    /// Of Jepsen's log lines, which say by its arguments that a failed cas found another value.
    pub(super) fn in_logs(self) -> Self {
        let Pairing { builder, taking } = self.pairing;
        Self { pairing: Pairing { builder, taking: taking.in_logs() }, ..self }
    }

    /// How many wait.
    pub(super) fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Takes the next event, which stands in this place and is written so, where that is known.
    pub(super) fn push(
        &mut self,
        place: Place<'_>,
        text: Option<&[u8]>,
        event: Event<'_>,
        each: &mut Each<'_>,
    ) -> Result<(), ReadError> {
        let Some(shape) = &mut self.shape else { return self.pairing.push(place, text, event, each) };
        shape.see(&event);
        if self.is_supposed {
            return if shape.is_plain() { Ok(()) } else { self.pairing.push(place, text, event, each) };
        }
        if shape.is_plain() && self.kept.is_empty() {
            self.shape = None;
            return self.pairing.push(place, text, event, each);
        }
        self.kept.push((place.line, event.into_owned()));
        if shape.is_plain() { self.settle(place, each) } else { Ok(()) }
    }

    /// Goes on as if values were keyed, if some event has said so and none the contrary; whether it does.
    pub(super) fn suppose(&mut self, place: Place<'_>, each: &mut Each<'_>) -> Result<bool, ReadError> {
        if !self.is_supposed && self.shape.as_ref().is_some_and(Shape::is_evident) {
            self.is_supposed = true;
            self.pair_kept(true, place, each)?;
        }
        Ok(self.is_supposed)
    }

    /// Whether values are taken as keyed without it being certain.
    pub(super) fn is_supposed(&self) -> bool {
        self.is_supposed
    }

    /// Whether an event contradicts that values are keyed, as was supposed.
    pub(super) fn is_refuted(&self) -> bool {
        self.is_supposed && self.shape.as_ref().is_some_and(Shape::is_plain)
    }

    /// Takes the next event, which is a transaction whose micro-operations `read` adds, if it can: else nothing happens.
    pub(super) fn push_transaction<'e>(
        &mut self,
        place: Place<'_>,
        text: &[u8],
        read: impl FnOnce(&mut Columns, &mut Values) -> Option<Event<'e>>,
    ) -> Option<Result<(), ReadError>> {
        if self.pairing.taking.is_keyed() || !self.kept.is_empty() {
            return None;
        }
        let pushed = self.pairing.builder.push_transaction(read)?;
        self.shape = None;
        self.pairing.taking.saw_transaction();
        Some(pushed.map_err(|rule| place.broken(text, rule)))
    }

    /// Decides by what was seen what the values are, whatever may come, and pairs what waits.
    fn settle(&mut self, place: Place<'_>, each: &mut Each<'_>) -> Result<(), ReadError> {
        match self.shape.take() {
            Some(shape) => self.pair_kept(is_keyed(&shape, place)?, place, each),
            None => Ok(()),
        }
    }

    fn pair_kept(&mut self, is_keyed: bool, place: Place<'_>, each: &mut Each<'_>) -> Result<(), ReadError> {
        let taking = std::mem::take(&mut self.pairing.taking);
        self.pairing.taking = taking.keyed(is_keyed);
        let mut kept = std::mem::take(&mut self.kept).into_iter();
        kept.try_for_each(|(line, event)| self.pairing.push(Place { line, ..place }, None, event, each))
    }

    /// What the events are made to.
    pub(super) fn builder(&self) -> &HistoryBuilder {
        &self.pairing.builder
    }

    /// The history. `end` is where the file ends.
    pub(super) fn finish(mut self, end: Place<'_>, each: &mut Each<'_>) -> Result<History, ReadError> {
        self.settle(end, each)?;
        self.pairing.finish(end)
    }
}

/// Whether values are pairs of key and value, if it can be told.
pub(super) fn is_keyed(shape: &Shape, place: Place<'_>) -> Result<bool, ReadError> {
    match shape.keyed() {
        Keyed::Yes => Ok(true),
        Keyed::No => Ok(false),
        Keyed::Either(what) => Err(place.unkeyed(format!(
            "all values are pairs, which may be [key, value] or values as they stand: there is {what}, and nothing that tells"
        ))),
    }
}

/// A history that is made of one event after the other.
struct Pairing {
    builder: HistoryBuilder,
    taking: Taking,
}

impl Pairing {
    /// Takes the next event, which stands in this place and is written so, where that is known.
    fn push(
        &mut self,
        place: Place<'_>,
        text: Option<&[u8]>,
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
        let shown = if text.is_none() { Some(event.clone()) } else { None };
        self.builder.push(event).map_err(|rule| match text {
            Some(text) => place.broken(text, rule),
            None => place.broken(serde_json::to_string(&shown).unwrap_or_default().as_bytes(), rule),
        })
    }

    /// The history. `end` is where the file ends.
    fn finish(self, end: Place<'_>) -> Result<History, ReadError> {
        let mut history = self.builder.finish();
        history.failed_cas = self.taking.counts();
        if history.operations.is_empty() { Err(end.empty()) } else { Ok(history) }
    }
}
