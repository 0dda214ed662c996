//! Words for numbers, times and keys.

use std::time::{Duration, UNIX_EPOCH};

use histories::Value;

use super::sanitize::{self, is_harmful};

/// Latest time that has a date of four digits for its year, in seconds from the Unix epoch.
const LATEST_UNIX_S: u64 = 253_402_300_799;

/// Formats a key for people: text without quotes.
pub(crate) fn plain(key: &Value) -> String {
    match key {
        Value::Str(text) => text.chars().map(|c| if is_harmful(c) { '?' } else { c }).collect(),
        other => other.to_string(),
    }
}

/// Names a key in a sentence; none where a history has no keys.
pub(crate) fn named_key(key: &Value) -> Option<String> {
    (*key != Value::Nil).then(|| format!("key {}", plain(key)))
}

/// Names the reads of a mode: `leader reads`.
pub(crate) fn reads_of(mode: &str) -> String {
    let is_named_so = mode.rsplit(' ').next() == Some("read");
    if is_named_so { format!("{mode}s") } else { format!("{mode} reads") }
}

/// Formats a duration in ns: in ms if it is shorter than a second.
#[allow(clippy::cast_precision_loss, reason = "milliseconds to a tenth")]
pub(crate) fn lasting(time_ns: u64) -> String {
    if time_ns < 1_000_000_000 { format!("{:.1} ms", time_ns as f64 / 1e6) } else { seconds(time_ns) }
}

/// Formats a duration of whole milliseconds: in seconds if it is not shorter than one.
pub(crate) fn lasting_ms(time_ms: u64) -> String {
    if time_ms < 1000 { format!("{time_ms} ms") } else { seconds(time_ms.saturating_mul(1_000_000)) }
}

/// Formats a measured time in ms with so many decimals: in seconds if it is not shorter than one.
pub(crate) fn measured_ms(time_ms: f64, decimals: usize) -> String {
    if time_ms < 1000.0 { format!("{time_ms:.decimals$} ms") } else { format!("{:.3} s", time_ms / 1000.0) }
}

/// Formats a duration as it is typed, to the millisecond: `800ms`, `20s`, `1.5s`.
pub(crate) fn typed(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        return format!("{}ms", time.as_millis());
    }
    let digits = format!("{}.{:03}", time.as_secs(), time.subsec_millis());
    format!("{}s", digits.trim_end_matches('0').trim_end_matches('.'))
}

/// Formats nanoseconds as seconds, to the millisecond.
pub(crate) fn seconds(time_ns: u64) -> String {
    format!("{}.{:03} s", time_ns / 1_000_000_000, time_ns / 1_000_000 % 1000)
}

/// Formats the stamp in a folder's name, `20260131T235959Z`, as `2026-01-31 23:59:59 UTC`; none if it is no stamp.
pub(crate) fn stamp_in_words(name: &str) -> Option<String> {
    let shape: String = name.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    (shape == "00000000T000000Z").then(|| {
        let part = |from: usize, until: usize| &name[from..until];
        let (date, time) = ([part(0, 4), part(4, 6), part(6, 8)], [part(9, 11), part(11, 13), part(13, 15)]);
        format!("{} {} UTC", date.join("-"), time.join(":"))
    })
}

/// Formats a time, in seconds from the Unix epoch, as `2026-01-31 23:59:59 UTC`.
pub(crate) fn time_in_words(unix_s: u64) -> String {
    let time = UNIX_EPOCH + Duration::from_secs(unix_s.min(LATEST_UNIX_S));
    humantime::format_rfc3339_seconds(time).to_string().replace('T', " ").replace('Z', " UTC")
}

/// Formats 1234567 as 1,234,567.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a number with its noun: "1 key", "2 keys".
pub(crate) fn counted(number: usize, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// Formats a number with its noun, like [`counted`].
pub(crate) fn counted_u64(number: u64, noun: &str) -> String {
    counted(usize::try_from(number).unwrap_or(usize::MAX), noun)
}

/// Returns the verb to go with so many: "1 of 3 reads was", "2 of 3 reads were".
pub(crate) fn was_or_were(number: usize) -> &'static str {
    if number == 1 { "was" } else { "were" }
}

/// Returns a sentence with its first letter as a capital.
pub(crate) fn capitalized(sentence: &str) -> String {
    let mut rest = sentence.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// Adds a line of sanitized text; line breaks at its beginning stay.
pub(crate) fn push_line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let all = arguments.to_string();
    let said = all.trim_start_matches('\n');
    // Only leading line breaks may start a new line.
    text.push_str(&all[..all.len() - said.len()]);
    text.push_str(&sanitize::line(said));
    text.push('\n');
}

/// Returns a question with the known name that is most similar to `word`, to follow the words that there is none such.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let similar = histories::similar_name(word, known);
    similar.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// Maximum length of a line about a run, in characters.
const MAX_LINE_CHARS: usize = 160;

/// Cuts text to the length of a line, without characters that could control a terminal.
pub(crate) fn shortened(text: &str) -> String {
    let plain = sanitize::line(text);
    match plain.char_indices().nth(MAX_LINE_CHARS) {
        Some((end, _)) => format!("{}…", &plain[..end]),
        None => plain,
    }
}

/// Parses a time as people write it.
///
/// # Errors
/// Says what a time looks like.
pub(crate) fn parse_time(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "expected a time with its unit, such as 500ms, 20s or 1m30s".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use histories::Value;

    use super::{
        counted, did_you_mean, grouped, lasting_ms, measured_ms, named_key, plain, reads_of, seconds, stamp_in_words,
        time_in_words, typed,
    };

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(counted(1, "key"), "1 key");
        assert_eq!(counted(1200, "key"), "1,200 keys");
        assert_eq!(seconds(4_182_999_999), "4.182 s");
        assert_eq!(["leader", "read", "mystore read"].map(reads_of), ["leader reads", "reads", "mystore reads"]);
        assert_eq!(named_key(&"k3".into()).as_deref(), Some("key k3"));
        assert_eq!(named_key(&Value::Nil), None);
        assert_eq!(stamp_in_words("20260131T235959Z").as_deref(), Some("2026-01-31 23:59:59 UTC"));
        assert_eq!(time_in_words(1_769_903_999), "2026-01-31 23:59:59 UTC");
        assert_eq!(time_in_words(u64::MAX), "9999-12-31 23:59:59 UTC");
        assert_eq!(["seed-1", "20260131T2359Z", "２０260131T235959Z"].map(stamp_in_words), [None, None, None]);
    }

    #[test]
    fn a_second_and_more_is_in_seconds() {
        assert_eq!([0, 999, 1000, 3697].map(lasting_ms), ["0 ms", "999 ms", "1.000 s", "3.697 s"]);
        assert_eq!([0.44, 999.0, 1003.14].map(|time_ms| measured_ms(time_ms, 1)), ["0.4 ms", "999.0 ms", "1.003 s"]);
        let typed = [0, 800, 1500, 3782, 20_000, 300_000].map(|ms| typed(Duration::from_millis(ms)));
        assert_eq!(typed, ["0ms", "800ms", "1.5s", "3.782s", "20s", "300s"]);
        for (text, ms) in [("1.5s", 1500), ("3.782s", 3782), ("300s", 300_000)] {
            assert_eq!(humantime::parse_duration(text).unwrap(), Duration::from_millis(ms), "{text} is read back");
        }
    }

    #[test]
    fn a_similar_name_is_asked_for() {
        assert_eq!(did_you_mean("partitoin", ["kill", "partition"]), "; did you mean `partition`?");
        assert_eq!(did_you_mean("nothing", ["kill", "partition"]), "");
    }

    #[test]
    fn a_key_cannot_drive_the_terminal() {
        assert_eq!(plain(&"a\u{1b}[31mb\n".into()), "a?[31mb?");
    }
}
