//! Custom model of a key-value store as one object, not split by key. The benches measure it, too.

use std::{collections::BTreeMap, rc::Rc};

use checker::{Call, Specification};
use histories::{Event, EventType, History, HistoryBuilder, Outcome, Process, Value};

/// Specification of a whole store of texts; the argument of each call is `[key, text]`.
pub(crate) struct Store;

impl Specification for Store {
    /// State of the store; a copy shares the texts.
    type State = BTreeMap<Rc<str>, Rc<str>>;

    fn initial(&self) -> Self::State {
        BTreeMap::new()
    }

    fn apply(&self, store: &mut Self::State, call: &Call<'_>) -> bool {
        let Value::List(argument) = call.input else { return false };
        let [Value::Str(key), Value::Str(given)] = &argument[..] else { return false };
        let text = store.get(&**key).map_or("", |text| text);
        let new = match call.function {
            "get-of" => return call.may_answer(&Value::from(text)),
            "put-of" => Rc::from(&**given),
            _ => Rc::from([text, given].concat()),
        };
        if let Some(text) = store.get_mut(&**key) {
            *text = new;
        } else {
            store.insert(Rc::from(&**key), new);
        }
        true
    }

    fn is_read_only(&self, call: &Call<'_>) -> bool {
        call.function == "get-of"
    }

    fn depends_on_process(&self) -> bool {
        false
    }
}

/// Returns the same operations on one object.
pub(crate) fn unsplit(history: &History) -> History {
    let mut events = Vec::new();
    for operation in &history.operations {
        let (name, value) = (history.function_name(operation.function), |id| history.value(id).clone());
        let f = match name {
            "read" => "get-of",
            "write" => "put-of",
            _ => "append-of",
        };
        let given = if f == "get-of" { "".into() } else { value(operation.input) };
        let argument = Value::List(vec![value(operation.key), given]);
        let answer = if f == "get-of" { value(operation.output) } else { Value::Nil };
        let event = |kind, value| Event {
            value: Some(value),
            ..Event::new(Process::Client(operation.process.into()), kind, f)
        };
        events.push((operation.invoked, event(EventType::Invoke, argument)));
        if operation.outcome == Outcome::Ok {
            events.push((operation.completed, event(EventType::Ok, answer)));
        }
    }
    events.sort_by_key(|(rank, _)| *rank);
    let mut builder = HistoryBuilder::default();
    for (_, event) in events {
        builder.push(event).expect("the order is the same");
    }
    builder.finish()
}
