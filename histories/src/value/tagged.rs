//! Tagged values of EDN, and the canonical forms of the two tags that all readers of EDN know: `inst`, a point in time,
//! and `uuid`.

use super::{Edn, Value, ValueError};

/// Tag of a whole number that is too long to be written out, since EDN's whole numbers have no exponents; its value is
/// the number's text in JSON.
pub(super) const WHOLE: &str = "schism/whole";

impl Value {
    /// Returns a value with a tag. Two `inst` are equal if they denote the same point in time, two `uuid` if they have
    /// the same bits.
    ///
    /// # Errors
    /// Returns an error if the tag cannot have this value.
    pub fn tagged(tag: &str, value: Value) -> Result<Self, ValueError> {
        let value = match (tag, value) {
            (WHOLE, Value::Str(text)) => {
                let number = Value::from_json_number(&text)?;
                return match number {
                    Value::Number(ref inner) if inner.is_json() => Ok(number),
                    _ => Err(ValueError::Tagged(tag.into(), Value::Str(text))),
                };
            }
            ("inst", Value::Str(text)) => match moment(&text) {
                Some(moment) => moment.as_str().into(),
                None => return Err(ValueError::Tagged(tag.into(), Value::Str(text))),
            },
            ("uuid", Value::Str(text)) => match identifier(&text) {
                Some(identifier) => identifier.as_str().into(),
                None => return Err(ValueError::Tagged(tag.into(), Value::Str(text))),
            },
            ("inst" | "uuid" | WHOLE, value) => return Err(ValueError::Tagged(tag.into(), value)),
            (_, value) => value,
        };
        Ok(Self::Edn(Box::new(Edn::Tagged(tag.into(), value))))
    }
}

/// Parses a UUID, five groups of hexadecimal digits in which leading zeros may be left out, as in Java; returns its
/// canonical form.
fn identifier(text: &str) -> Option<String> {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths = [8, 4, 4, 4, 12];
    if groups.len() != lengths.len() {
        return None;
    }
    let padded = groups.iter().zip(lengths).map(|(group, length)| {
        let is_hex = !group.is_empty() && group.len() <= length && group.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| format!("{:0>length$}", group.to_ascii_lowercase()))
    });
    padded.collect::<Option<Vec<_>>>().map(|groups| groups.join("-"))
}

/// Parses a point in time, `2020-01-31T01:02:03.004-05:00`, of which everything behind the year may be left out.
/// Returns the canonical form that Clojure prints: in UTC, with at least three decimals of the second.
fn moment(text: &str) -> Option<String> {
    let mut rest = text;
    let year = number(&mut rest, 4)?;
    let month = part(&mut rest, '-')?;
    let day = if month == LEFT_OUT { month } else { part(&mut rest, '-')? };
    let hour = if day == LEFT_OUT { day } else { part(&mut rest, 'T')? };
    let minute = if hour == LEFT_OUT { hour } else { part(&mut rest, ':')? };
    let second = if minute == LEFT_OUT { minute } else { part(&mut rest, ':')? };
    let fraction = match rest.strip_prefix('.').filter(|_| second != LEFT_OUT) {
        Some(after) => {
            let length = after.bytes().take_while(u8::is_ascii_digit).count();
            let (digits, behind) = after.split_at_checked(length).filter(|_| length > 0)?;
            rest = behind;
            digits.trim_end_matches('0')
        }
        None => "",
    };
    let offset = offset(&mut rest)?;
    let [month, day] = [month, day].map(|part| if part == LEFT_OUT { 1 } else { part });
    let [hour, minute, second] = [hour, minute, second].map(|part| if part == LEFT_OUT { 0 } else { part });
    let is_leap_second = second == 60 && minute == 59;
    let is_good = (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && (second < 60 || is_leap_second);
    if !(is_good && rest.is_empty()) {
        return None;
    }
    let seconds = (days_before(year, month, day) * 24 + hour) * 3600 + minute * 60 + second - offset * 60;
    let (year, month, day) = date(seconds.div_euclid(86_400))?;
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:0<3}-00:00"))
}

/// Marker of a part of a point in time that was left out, along with all parts behind it.
const LEFT_OUT: i64 = -1;

/// Reads the two digits behind this sign: [`LEFT_OUT`] if the sign does not come next, none if no digits follow it.
fn part(rest: &mut &str, sign: char) -> Option<i64> {
    match rest.strip_prefix(sign) {
        Some(after) => {
            *rest = after;
            number(rest, 2)
        }
        None => Some(LEFT_OUT),
    }
}

fn number(rest: &mut &str, length: usize) -> Option<i64> {
    let (digits, after) = rest.split_at_checked(length)?;
    *rest = after;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Reads the offset from UTC in minutes.
fn offset(rest: &mut &str) -> Option<i64> {
    let sign = match rest.bytes().next() {
        None => return Some(0),
        Some(b'Z') => {
            *rest = &rest[1..];
            return Some(0);
        }
        Some(b'+') => 1,
        Some(b'-') => -1,
        Some(_) => return None,
    };
    *rest = &rest[1..];
    let hours = number(rest, 2).filter(|hours| *hours < 24)?;
    let minutes = part(rest, ':')?;
    (0..60).contains(&minutes).then_some(sign * (hours * 60 + minutes))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Returns the number of days from 0000-01-01 to this date.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    // Leap days of the years before this one; year 0 is a leap year.
    let leaps = if year == 0 { 0 } else { (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 + 1 };
    year * 365 + leaps + (1..month).map(|month| days_of(year, month)).sum::<i64>() + day - 1
}

/// Returns the date that lies `days` days after 0000-01-01, if its year has four digits.
fn date(days: i64) -> Option<(i64, i64, i64)> {
    let mut year = days.checked_mul(400)? / 146_097;
    year = (year - 1..=year + 1).rev().find(|year| *year >= 0 && days_before(*year, 1, 1) <= days)?;
    let mut left = days - days_before(year, 1, 1);
    let mut month = 1;
    while left >= days_of(year, month) {
        left -= days_of(year, month);
        month += 1;
    }
    (year <= 9999 && days >= 0).then_some((year, month, left + 1))
}

#[cfg(test)]
mod tests {
    use super::{days_before, identifier, moment};

    #[test]
    fn one_moment_has_one_form() {
        let expected = "2020-02-29T23:30:00.000-00:00";
        for text in [
            "2020-02-29T23:30",
            "2020-02-29T23:30:00Z",
            "2020-02-29T23:30:00.000-00:00",
            "2020-03-01T00:30:00.0+01:00",
            "2020-02-29T18:00:00-05:30",
        ] {
            assert_eq!(moment(text).as_deref(), Some(expected), "{text}");
        }
        for (text, expected) in [
            ("2020", "2020-01-01T00:00:00.000-00:00"),
            ("2020-12", "2020-12-01T00:00:00.000-00:00"),
            ("2020-12-31T23:59:60Z", "2021-01-01T00:00:00.000-00:00"),
            ("1969-12-31T23:59:59.12345600Z", "1969-12-31T23:59:59.123456-00:00"),
            ("0000-01-01", "0000-01-01T00:00:00.000-00:00"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000-00:00"),
        ] {
            assert_eq!(moment(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "20",
            "2020-13",
            "2020-02-30",
            "2021-02-29",
            "2020-02-29T24",
            "2020-02-29T23:60",
            "2020-02-29T23:59:60.1.2",
            "2020-02-29T23:58:60",
            "2020-02-29 23:30",
            "2020T10",
            "2020-02T10",
            "2020-02-29T23:30:00.",
            "2020-02-29T23.5",
            "2020-02-29T23:30+5",
            "2020-02-29T23:30+24:00",
            "2020-02-29T23:30Zx",
            "9999-12-31T23:59:59-01:00",
            "0000-01-01T00:00+01:00",
            "üüüü",
            "2020-é1",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(days_before(1970, 1, 1), 719_528);
        for days in (0..days_before(9999, 12, 31)).step_by(97) {
            let (year, month, day) = super::date(days).expect("it is one");
            assert_eq!(days_before(year, month, day), days);
        }
    }

    #[test]
    fn one_identifier_has_one_form() {
        let expected = Some("0000000a-00b1-0c00-d000-00000000ef01");
        assert_eq!(identifier("A-B1-c00-D000-EF01").as_deref(), expected);
        assert_eq!(identifier("0000000a-00b1-0c00-d000-00000000ef01").as_deref(), expected);
        for text in ["", "a-b", "0000000a-00b1-0c00-d000-00000000ef010", "g-0-0-0-0", "-0-0-0-0", "+a-0-0-0-0"] {
            assert_eq!(identifier(text), None, "{text}");
        }
    }
}
