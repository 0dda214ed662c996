//! Options of a fault as a user types them: `leader,cpu=20%,period=25ms`.

use thiserror::Error;

use crate::fault_kind::FaultKind;

/// Units of a time, each in milliseconds.
const UNITS_MS: [(&str, i64); 6] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
/// Maximum of a time, in either direction.
const MAX_MS: i64 = 86_400_000;
/// Units of a delay of packets, each in microseconds, and its maximum: no packet comes later and is not lost.
const UNITS_US: [(&str, i64); 4] = [("us", 1), ("µs", 1), ("ms", 1000), ("s", 1_000_000)];
const MAX_US: i64 = 60_000_000;
/// Units of a size, each in bytes, from the greatest on.
const UNITS_BYTES: [(&str, i64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
const DELAY: &str = "a time from 1us to 60s, such as 200us, 50ms or 1s";

/// Error in the options of a fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OptionError {
    /// The word is no option of this kind of fault.
    #[error("`{option}` is no option of {kind}, which is {}", kind.usage())]
    Unknown {
        /// Option as typed.
        option: String,
        /// Kind of fault that does not have it.
        kind: FaultKind,
    },
    /// A value is out of its range.
    #[error("`{option}` must be {expected}")]
    BadValue {
        /// Option as typed, with its value.
        option: String,
        /// Description of the valid values.
        expected: &'static str,
    },
}

/// Options that are yet to be read: at most one value alone, first, and others by name.
#[derive(Debug)]
pub(crate) struct TypedOptions<'a> {
    kind: FaultKind,
    alone: Option<&'a str>,
    named: Vec<(&'a str, &'a str)>,
}

impl<'a> TypedOptions<'a> {
    /// Splits what follows the colon.
    pub(crate) fn split(kind: FaultKind, text: Option<&'a str>) -> Self {
        let mut options = Self { kind, alone: None, named: Vec::new() };
        for (place, option) in text.into_iter().flat_map(|text| text.split(',')).enumerate() {
            match option.split_once('=') {
                None if place == 0 => options.alone = Some(option),
                named => options.named.push(named.unwrap_or((option, ""))),
            }
        }
        options
    }

    /// Takes the value that stands alone.
    pub(crate) fn alone(&mut self) -> Option<&'a str> {
        self.alone.take()
    }

    /// Takes a time of 1 ms to a day, in ms.
    pub(crate) fn time_ms(&mut self, name: &str) -> Result<Option<u64>, OptionError> {
        self.take(name, "a time from 1ms to 1d, such as 500ms, 5s or 1m30s", |value| {
            milliseconds(value).filter(|ms| *ms > 0).map(i64::unsigned_abs)
        })
    }

    /// Takes the value that stands alone, and reads it.
    pub(crate) fn first<T>(
        &mut self,
        expected: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, OptionError> {
        let bad = |option: &str| OptionError::BadValue { option: option.to_owned(), expected };
        self.alone().map(|option| read(option).ok_or_else(|| bad(option))).transpose()
    }

    /// Takes a delay of packets that stands alone, in µs.
    pub(crate) fn first_time_us(&mut self) -> Result<Option<u64>, OptionError> {
        self.first(DELAY, microseconds)
    }

    /// Takes a delay of packets, in µs.
    pub(crate) fn time_us(&mut self, name: &str) -> Result<Option<u64>, OptionError> {
        self.take(name, DELAY, microseconds)
    }

    /// Takes a percentage of 1 to 99.
    pub(crate) fn percentage(&mut self, name: &str) -> Result<Option<u8>, OptionError> {
        let read = |value: &str| value.strip_suffix('%')?.parse().ok().filter(|percent| (1..100).contains(percent));
        self.take(name, "a percentage from 1% to 99%", read)
    }

    /// Checks that all options were read.
    pub(crate) fn end(self) -> Result<(), OptionError> {
        let rest = self.alone.map(str::to_owned).or_else(|| self.named.first().map(as_typed));
        rest.map_or(Ok(()), |option| Err(OptionError::Unknown { option, kind: self.kind }))
    }

    /// Takes the option of this name, and reads it.
    pub(crate) fn take<T>(
        &mut self,
        name: &str,
        expected: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, OptionError> {
        let Some(place) = self.named.iter().position(|(known, _)| *known == name) else { return Ok(None) };
        let option = self.named.remove(place);
        let value = read(option.1).ok_or_else(|| OptionError::BadValue { option: as_typed(&option), expected })?;
        Ok(Some(value))
    }
}

fn as_typed((name, value): &(&str, &str)) -> String {
    if value.is_empty() { (*name).to_owned() } else { format!("{name}={value}") }
}

/// Returns the value of this name in a list of all that an option may have.
pub(crate) fn value_named<T: Copy>(list: &[(&str, T)], name: &str) -> Option<T> {
    list.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// Returns the name of a value in a list of all that an option may have.
pub(crate) fn name_of<T: PartialEq>(list: &[(&'static str, T)], value: &T) -> &'static str {
    list.iter().find(|(_, known)| known == value).map_or("", |(name, _)| name)
}

/// Parses `5s`, `-20ms` or `1m30s` to milliseconds, at most a day.
pub(crate) fn milliseconds(text: &str) -> Option<i64> {
    let (sign, rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    sum(rest, &UNITS_MS).filter(|sum_ms| *sum_ms <= MAX_MS).map(|sum_ms| sign * sum_ms)
}

/// Parses `200us` or `1s500ms` to microseconds, more than none and at most a minute.
fn microseconds(text: &str) -> Option<u64> {
    sum(text, &UNITS_US).filter(|sum_us| (1..=MAX_US).contains(sum_us)).map(i64::unsigned_abs)
}

/// Parses `512KiB`, `4MiB` or `0` to bytes.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    if text == "0" { Some(0) } else { sum(text, &UNITS_BYTES).map(i64::unsigned_abs) }
}

/// Formats a size as a user types it.
pub(crate) fn size(bytes: u64) -> String {
    let (unit, of) = UNITS_BYTES.iter().find(|(_, of)| bytes.is_multiple_of(of.unsigned_abs())).unwrap_or(&("B", 1));
    format!("{}{unit}", bytes / of.unsigned_abs())
}

/// Parses the sum of some numbers with units, of which there must be one.
fn sum(mut rest: &str, units: &[(&str, i64)]) -> Option<i64> {
    let mut sum = 0_i64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, unit) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (unit, after) = unit.split_at(unit.find(|c: char| c.is_ascii_digit()).unwrap_or(unit.len()));
        let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
        sum = sum.checked_add(number.parse::<i64>().ok()?.checked_mul(*factor)?)?;
        rest = after;
    }
    Some(sum)
}

/// Formats milliseconds: in seconds from one on.
pub(crate) fn time_in_words(time_ms: u64) -> String {
    match (time_ms / 1000, time_ms % 1000) {
        (0, ms) => format!("{ms} ms"),
        (seconds, 0) => format!("{seconds} s"),
        (seconds, ms) => format!("{seconds}.{} s", format!("{ms:03}").trim_end_matches('0')),
    }
}
