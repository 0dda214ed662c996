//! Writer of whole histories, in JSON Lines and as Jepsen's op maps in EDN, one event a line, so that they are read
//! back to the same history: what a file does not say, such as times, is not written either.
//!
//! In EDN, keys become Jepsen's `independent` tuples where the reader would detect them, else `:key`. Fields that
//! Jepsen does not know get keys of their own: `:observed`, `:mismatch`, `:node`, `:revision`.

use std::io;

use super::{
    jsonl::write_event,
    key_detector::{KeyDetector, ValueShape},
};
use crate::{Event, EventType, Process, TRANSACTION, Value, transactions::functions, value::push_edn};

/// Style in which a history is written, which depends on all its events: pass each to [`EventStyle::see`], then write
/// each.
#[derive(Debug, Default)]
pub struct EventStyle {
    /// `KeyDetector` of the events with values as they are.
    shape: KeyDetector,
    /// `KeyDetector` of the events with keys and values in pairs.
    tuples: KeyDetector,
    /// True if some event of a client has no key.
    keyless: bool,
    /// True if some event has a time.
    has_times: bool,
}

impl EventStyle {
    /// Takes the next event into account.
    pub fn see(&mut self, event: &Event<'_>) {
        self.has_times |= event.time > 0;
        if event.process.is_client() {
            self.keyless |= event.key.is_none();
            self.shape.see(event);
            if !self.keyless {
                self.tuples.see(&Event { key: None, value: Some(pair(event)), ..Event::clone(event) });
            }
        }
    }

    /// Returns the same event, but with a key of nil where a reader could take its value for a pair of key and value;
    /// the key of nil says that it is none.
    fn explicit<'a>(&self, event: Event<'a>) -> Event<'a> {
        let is_client = event.process.is_client();
        let nil = (is_client && self.shape.keyed() != ValueShape::Plain).then_some(Value::Nil);
        Event { key: event.key.clone().or(nil), ..event }
    }

    /// Writes an event as a line of JSON Lines.
    ///
    /// # Errors
    /// Returns an error if `out` cannot be written.
    pub fn write_json(&self, out: &mut impl io::Write, event: Event<'_>) -> io::Result<()> {
        let event = self.explicit(event);
        if self.has_times {
            return write_event(out, &event);
        }
        // Only the index, a number, stands before the time.
        let line = serde_json::to_string(&event)?.replacen(&format!("\"time\":{},", event.time), "", 1);
        out.write_all((line + "\n").as_bytes())
    }

    /// Writes an event as a line of EDN.
    ///
    /// # Errors
    /// Returns an error if `out` cannot be written, or if EDN cannot represent the name of the function
    /// (`InvalidInput`).
    pub fn write_edn(&self, out: &mut impl io::Write, event: &Event<'_>) -> io::Result<()> {
        let mut line = String::from("{:process ");
        match &event.process {
            Process::Nemesis => line.push_str(":nemesis"),
            client => push_edn(&mut line, &client.to_value()),
        }
        line.push_str(match event.kind {
            EventType::Invoke => ", :type :invoke, :f ",
            EventType::Ok => ", :type :ok, :f ",
            EventType::Fail => ", :type :fail, :f ",
            EventType::Info => ", :type :info, :f ",
        });
        push_name(&mut line, &event.f)?;
        let is_client = event.process.is_client();
        let tuples = is_client && !self.keyless && self.tuples.keyed() == ValueShape::Pairs;
        let mut explicit = if tuples { event.clone() } else { self.explicit(event.clone()) };
        if is_client
            && event.f == TRANSACTION
            && let Some(value) = &mut explicit.value
        {
            functions(value).for_each(|name| {
                if let Value::Str(text) = name {
                    *name = Value::keyword(text);
                }
            });
        }
        if tuples {
            push_field(&mut line, "value", Some(&pair(&explicit)));
        } else {
            push_field(&mut line, "key", explicit.key.as_ref());
            push_field(&mut line, "value", explicit.value.as_ref());
        }
        push_field(&mut line, "observed", event.observed.as_ref());
        if event.mismatch {
            line.push_str(", :mismatch true");
        }
        if event.is_final {
            line.push_str(", :final? true");
        }
        push_field(&mut line, "node", event.node.map(|node| Value::Int(node.into())).as_ref());
        if let Some(revision) = event.revision {
            line.push_str(&format!(", :revision {revision}"));
        }
        push_field(&mut line, "position", event.position.as_ref());
        push_field(&mut line, "link", event.link.as_ref());
        push_field(&mut line, "error", event.error.as_ref().map(|why| Value::from(&**why)).as_ref());
        if self.has_times {
            line.push_str(&format!(", :time {}", event.time));
        }
        if let Some(index) = event.index {
            line.push_str(&format!(", :index {index}"));
        }
        line.push_str("}\n");
        out.write_all(line.as_bytes())
    }
}

/// Returns key and value as a pair.
fn pair(event: &Event<'_>) -> Value {
    Value::List(vec![event.key.clone().unwrap_or_default(), event.value.clone().unwrap_or_default()])
}

fn push_name(line: &mut String, name: &str) -> io::Result<()> {
    if !is_name(name) {
        let why = format!("{name:?} is no name that EDN can say: a letter, then letters, digits, - and _");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    line.push(':');
    line.push_str(name);
    Ok(())
}

/// Returns true if every reader of EDN takes `:name` for a keyword.
fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

fn push_field(line: &mut String, name: &str, value: Option<&Value>) {
    if let Some(value) = value {
        line.push_str(", :");
        line.push_str(name);
        line.push(' ');
        push_edn(line, value);
    }
}
