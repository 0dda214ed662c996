//! Events assembled field by field, independently of the format that contains them.

use std::borrow::Cow;

use super::{event_field::Field, unknown_fields};
use crate::{
    Event, EventType, Process, REBALANCE, TRANSACTION, Value,
    transactions::{is_of_logs, is_transaction},
};

/// Time of an event as its source gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// A whole number: nanoseconds, unless other times of the history are decimals.
    Whole(i128),
    /// A decimal number of seconds, converted to nanoseconds.
    Seconds(i128),
}

/// Event under construction.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct EventBuilder<'a> {
    event: Event<'a>,
    time: Option<Moment>,
    /// True if it says that its process reads logs from their beginning.
    seeks_beginning: bool,
    /// Logs that were taken from its process or given to it, as Jepsen notes them.
    rebalanced: Vec<Value>,
    /// Bit set of the fields that were given. A field that may be given as null counts only if it was not null.
    said: u32,
    /// Names of fields that events do not have.
    unknown: Vec<Cow<'a, str>>,
}

/// Event with the fields that have no place in [`Event`].
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ParsedEvent<'a> {
    /// The event; its `time` is set later, once the unit of `time` is known.
    pub(super) event: Event<'a>,
    pub(super) time: Option<Moment>,
    /// True if the event names no process; `event.process` then means nothing.
    pub(super) is_nobody: bool,
    /// Names of its fields that events do not have, with the prefix of names in its format.
    pub(super) unknown: Vec<String>,
}

impl<'a> ParsedEvent<'a> {
    /// Returns an event of a form that has no room for other fields.
    pub(super) fn of_fixed_form(event: Event<'a>, time: Option<Moment>) -> Self {
        Self { event, time, is_nobody: false, unknown: Vec::new() }
    }
}

impl<'a> EventBuilder<'a> {
    pub(super) fn new() -> Self {
        let event = Event::new(Process::Client(0), EventType::Info, "");
        Self { event, time: None, seeks_beginning: false, rebalanced: Vec::new(), said: 0, unknown: Vec::new() }
    }

    /// Records that a field was given, and returns true if it is the first time.
    pub(super) fn is_new(&mut self, field: Field) -> bool {
        let is_new = !self.has(field);
        self.said |= 1 << field as u32;
        is_new
    }

    /// Records that it has a field of this name, which events do not have.
    pub(super) fn pass_over(&mut self, name: Cow<'a, str>) {
        if !unknown_fields::is_of_jepsen(&name) {
            self.unknown.push(name);
        }
    }

    /// Records that it has a key that is no name, which no event has.
    pub(super) fn pass_over_other(&mut self, key: &Value) {
        self.unknown.push(key.to_string().into());
    }

    fn has(&self, field: Field) -> bool {
        self.said & (1 << field as u32) != 0
    }

    pub(super) fn set_kind(&mut self, kind: EventType) {
        self.event.kind = kind;
    }

    pub(super) fn set_function(&mut self, f: impl Into<Cow<'a, str>>) {
        self.event.f = f.into();
    }

    /// Sets a field to its value.
    pub(super) fn take(&mut self, field: Field, value: Value) -> Result<(), String> {
        let event = &mut self.event;
        match field {
            Field::Process if value == Value::Nil => self.said &= !(1 << Field::Process as u32),
            Field::Process => event.process = Process::from_value(value).map_err(|error| error.to_string())?,
            Field::Type => event.kind = kind(&value)?,
            Field::F => event.f = function(&value)?.to_owned().into(),
            Field::Time => self.time = moment(&value)?,
            Field::Index => {
                event.index = match value {
                    Value::Nil => None,
                    Value::Int(index) if index >= 0 => Some(index.unsigned_abs()),
                    other => return Err(format!("expected an index, a whole number from 0 on, not {other}")),
                }
            }
            Field::Key => event.key = Some(value),
            Field::Value => event.value = Some(value),
            Field::Observed => event.observed = Some(value),
            Field::Position => event.position = Some(value),
            Field::Link => event.link = Some(value),
            Field::Mismatch => event.mismatch = value == Value::Bool(true),
            Field::Final => event.is_final = value == Value::Bool(true),
            Field::SeekToBeginning => self.seeks_beginning = value == Value::Bool(true),
            Field::RebalanceLog => self.rebalanced = rebalanced(&value),
            Field::Error => {
                event.error = match value {
                    Value::Nil => None,
                    Value::Str(text) => Some(text.into_string().into()),
                    other => Some(other.to_string().into()),
                }
            }
            // No verdict rests on these, and other tools use the names differently.
            Field::Node => event.node = whole(&value).and_then(|node| u16::try_from(node).ok()),
            Field::Revision => event.revision = whole(&value),
        }
        Ok(())
    }

    /// Returns the event; `sign` is the prefix of names in its format.
    pub(super) fn finish(mut self, sign: &str) -> Result<ParsedEvent<'a>, String> {
        let unknown: Vec<String> = self.unknown.iter().map(|name| unknown_fields::shown(sign, name)).collect();
        let lacks = |name: &str| {
            let instead = match unknown_fields::instead_of(name, &unknown) {
                none if none.is_empty() && self.said == 0 => ", which has none of the fields of events".to_owned(),
                instead => instead,
            };
            format!("expected {sign}{name} in the operation{instead}")
        };
        if !self.has(Field::Type) {
            return Err(lacks("type"));
        }
        if !self.has(Field::F) {
            // Elle's histories of transactions have no `f`.
            if !self.event.value.as_ref().is_some_and(is_transaction) {
                return Err(lacks("f") + ", which only transactions may leave out");
            }
            self.event.f = TRANSACTION.into();
        }
        if self.seeks_beginning && self.event.f == "assign" {
            // Jepsen's assignment of logs that are then polled from their beginning.
            self.event.f = "assign-from-beginning".into();
        }
        if !self.rebalanced.is_empty()
            && let Some(value) = self.event.value.as_mut().filter(|value| is_of_logs(value))
            && let Value::List(micro_operations) = value
        {
            let name = if sign == ":" { Value::keyword(REBALANCE) } else { REBALANCE.into() };
            let logs = std::mem::take(&mut self.rebalanced);
            micro_operations.push(Value::List(vec![name, Value::List(logs)]));
        }
        let is_nobody = !self.has(Field::Process);
        Ok(ParsedEvent { event: self.event, time: self.time, is_nobody, unknown })
    }
}

/// Returns the keys in Jepsen's log of rebalancing, a list of maps.
fn rebalanced(log: &Value) -> Vec<Value> {
    let items = |value: &Value| if let Value::List(all) = value { all.clone() } else { Vec::new() };
    let keys = |entry: &Value| if let Value::Map(entry) = entry { entry.named("keys").map(items) } else { None };
    items(log).iter().filter_map(keys).flatten().collect()
}

fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

/// Parses the type of an event.
pub(super) fn kind(value: &Value) -> Result<EventType, String> {
    value
        .name()
        .and_then(kind_named)
        .ok_or_else(|| format!("expected a type, which is invoke, ok, fail or info, not {value}"))
}

pub(super) fn kind_named(name: &str) -> Option<EventType> {
    Some(match name.strip_prefix(':').unwrap_or(name) {
        "invoke" => EventType::Invoke,
        "ok" => EventType::Ok,
        "fail" => EventType::Fail,
        "info" => EventType::Info,
        _ => return None,
    })
}

/// Returns the name of a function.
pub(super) fn function(value: &Value) -> Result<&str, String> {
    let name = value.name().map(|name| name.strip_prefix(':').unwrap_or(name));
    name.filter(|name| !name.is_empty()).ok_or_else(|| format!("expected a function, a name such as read, not {value}"))
}

/// Parses a time; null means that there is none.
pub(super) fn moment(value: &Value) -> Result<Option<Moment>, String> {
    let wrong = || {
        format!(
            "expected a time, a whole number of nanoseconds or a decimal number of seconds within centuries, not \
            {value}"
        )
    };
    match value {
        Value::Nil => Ok(None),
        Value::Int(number) => Ok(Some(Moment::Whole((*number).into()))),
        Value::Number(number) => {
            let text = number.to_string();
            if let Ok(whole) = text.parse::<u64>() {
                return Ok(Some(Moment::Whole(whole.into())));
            }
            nanoseconds(text.strip_suffix('M').unwrap_or(&text)).map(|ns| Some(Moment::Seconds(ns))).ok_or_else(wrong)
        }
        _ => Err(wrong()),
    }
}

/// Converts a decimal number of seconds to nanoseconds, rounding toward zero.
fn nanoseconds(text: &str) -> Option<i128> {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_negative = whole.starts_with('-');
    let digits = [whole.trim_start_matches('-'), fraction].concat();
    // The number of digits of the text that stand before the decimal point, once it counts nanoseconds.
    let before =
        i64::try_from(whole.trim_start_matches('-').len()).ok()?.checked_add(exponent.parse().ok()?)?.checked_add(9)?;
    // 2^64 nanoseconds are 584 years, which a clock that counts from 1970 does not reach soon.
    let kept = usize::try_from(before.clamp(0, 40)).ok()?;
    let padded: String = digits.bytes().map(char::from).chain(std::iter::repeat('0')).take(kept).collect();
    let number: i128 = if padded.is_empty() { 0 } else { padded.parse().ok()? };
    let is_small = number < 1 << 64 && (before <= 40 || number == 0);
    is_small.then_some(if is_negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::{Moment, moment, nanoseconds};
    use crate::Value;

    #[test]
    fn decimals_are_seconds() {
        for (text, ns) in [
            ("1.5", Some(1_500_000_000)),
            ("-0.25", Some(-250_000_000)),
            ("0.0", Some(0)),
            ("1700000000.123456789", Some(1_700_000_000_123_456_789)),
            ("1700000000.1234567899", Some(1_700_000_000_123_456_789)),
            ("1e-9", Some(1)),
            ("1e-10", Some(0)),
            ("2.5e3", Some(2_500_000_000_000)),
            ("1e10", Some(10_000_000_000_000_000_000)),
            ("1e11", None),
            ("1e999999", None),
            ("0e999999", Some(0)),
        ] {
            assert_eq!(nanoseconds(text), ns, "{text}");
        }
    }

    #[test]
    fn whole_numbers_are_what_they_are() {
        let of = |text: &str| moment(&Value::from_json_number(text).expect("it is a number"));
        assert_eq!(of("-7"), Ok(Some(Moment::Whole(-7))));
        assert_eq!(of("18446744073709551615"), Ok(Some(Moment::Whole(u64::MAX.into()))));
        assert!(of("18446744073709551616").is_err());
        assert_eq!(moment(&Value::Nil), Ok(None));
        let error = moment(&"2020-01-01".into()).expect_err("text is no time");
        assert!(error.contains("expected a time"), "{error}");
    }
}
