//! Jepsen's `independent` histories say `[key value]` where others say `value`. This tells which a history is, and pairs its events.
//!
//! The rule: it is keyed if a client invokes a read, a cas, or something without an argument (`[key nil]`), and each client invocation of
//! it has a value of two parts, of which the second is again two parts in every cas, and no event of a client says its `:key`. (A read
//! of an unkeyed register is invoked with `nil`, a cas with two plain values.)

use super::lines::Place;
use crate::{
    Event, EventType, Function, History, HistoryBuilder, ReadError, TRANSACTION, Value, transactions::functions,
};

/// Events with their lines, kept until it is known whether their values are keyed: mostly the first ones say that they are not.
#[derive(Default)]
pub(super) struct Gathering {
    shape: Shape,
    kept: Vec<(u64, Event<'static>)>,
    pairing: Pairing,
}

impl Gathering {
    /// How many wait.
    pub(super) fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Takes the next event, which stands in this place.
    pub(super) fn push(
        &mut self,
        place: Place<'_>,
        event: Event<'static>,
        each: &mut dyn FnMut(&Event<'_>),
    ) -> Result<(), ReadError> {
        if self.shape.is_plain() {
            return self.pairing.push(place, event, each);
        }
        self.shape.see(&event);
        self.kept.push((place.line, event));
        if self.shape.is_plain() { self.pair(place, each) } else { Ok(()) }
    }

    fn pair(&mut self, place: Place<'_>, each: &mut dyn FnMut(&Event<'_>)) -> Result<(), ReadError> {
        let mut kept = std::mem::take(&mut self.kept).into_iter();
        kept.try_for_each(|(line, event)| self.pairing.push(Place { line, ..place }, event, each))
    }

    /// What the events are made to.
    pub(super) fn builder(&self) -> &HistoryBuilder {
        &self.pairing.builder
    }

    /// The history. `end` is where the file ends.
    pub(super) fn finish(mut self, end: Place<'_>, each: &mut dyn FnMut(&Event<'_>)) -> Result<History, ReadError> {
        self.pairing.is_keyed = self.shape.is_keyed();
        self.pair(end, each)?;
        self.pairing.finish(end)
    }
}

/// A history that is made of one event after the other.
pub(super) struct Pairing {
    builder: HistoryBuilder,
    is_keyed: bool,
}

impl Default for Pairing {
    fn default() -> Self {
        Self::new(false)
    }
}

impl Pairing {
    pub(super) fn new(is_keyed: bool) -> Self {
        Self { builder: HistoryBuilder::jepsen(), is_keyed }
    }

    /// Takes the next event, which stands in this place.
    pub(super) fn push(
        &mut self,
        place: Place<'_>,
        mut event: Event<'static>,
        each: &mut dyn FnMut(&Event<'_>),
    ) -> Result<(), ReadError> {
        if self.is_keyed && event.process.is_client() {
            split(&mut event);
        }
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
        event.key = event.key.filter(|key| *key != Value::Nil);
        each(&event);
        let shown = event.clone();
        self.builder.push(event).map_err(|rule| {
            let text = serde_json::to_string(&shown).unwrap_or_default();
            place.broken(text.as_bytes(), rule)
        })
    }

    /// What the events are made to.
    pub(super) fn builder(&self) -> &HistoryBuilder {
        &self.builder
    }

    /// The history. `end` is where the file ends.
    pub(super) fn finish(self, end: Place<'_>) -> Result<History, ReadError> {
        let history = self.builder.finish();
        if history.operations.is_empty() { Err(end.empty()) } else { Ok(history) }
    }
}

/// What the values of a history's clients look like.
#[derive(Debug, Default)]
pub(super) struct Shape {
    evidence: bool,
    plain: bool,
}

impl Shape {
    /// Looks at the next event.
    pub(super) fn see(&mut self, event: &Event<'_>) {
        if !event.process.is_client() {
            return;
        }
        self.plain |= event.key.is_some();
        if event.kind != EventType::Invoke {
            return;
        }
        match pair_of(event.value.as_ref()) {
            None => self.plain = true,
            Some([_, argument]) => {
                self.plain |= Function::known(&event.f) == Some(Function::Cas) && pair_of(Some(argument)).is_none();
                self.evidence |= Self::tells(&event.f, Some(argument));
            }
        }
    }

    /// Whether `[key argument]`, as the value of this invocation, tells a key from a list that is put somewhere.
    pub(super) fn tells(f: &str, argument: Option<&Value>) -> bool {
        let is_bare = argument.is_none_or(|argument| *argument == Value::Nil);
        is_bare || matches!(Function::known(f), Some(Function::Cas | Function::Read))
    }

    /// Whether no event to come can make this a keyed history.
    pub(super) fn is_plain(&self) -> bool {
        self.plain
    }

    /// Whether values are pairs of key and value.
    pub(super) fn is_keyed(&self) -> bool {
        self.evidence && !self.plain
    }
}

fn pair_of(value: Option<&Value>) -> Option<&[Value; 2]> {
    match value {
        Some(Value::List(items)) => items.as_slice().try_into().ok(),
        _ => None,
    }
}

fn split(event: &mut Event<'static>) {
    if let Some([key, value]) = pair_of(event.value.as_ref()).cloned() {
        event.key = Some(key);
        event.value = Some(value);
    }
}
