//! Words for numbers, times and keys.

use histories::Value;

use super::sanitize::{self, is_harmful};

/// Formats a key for people: text without quotes.
pub(crate) fn plain(key: &Value) -> String {
    match key {
        Value::Str(text) => text.chars().map(|c| if is_harmful(c) { '?' } else { c }).collect(),
        other => other.to_string(),
    }
}

/// Formats a duration in ns: in ms if it is shorter than a second.
#[allow(clippy::cast_precision_loss, reason = "milliseconds to a tenth")]
pub(crate) fn lasting(time_ns: u64) -> String {
    if time_ns < 1_000_000_000 { format!("{:.1} ms", time_ns as f64 / 1e6) } else { seconds(time_ns) }
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
    /// Least similarity of names of which one may be meant (Jaro and Winkler), from 0 to 1.
    const SIMILAR: f64 = 0.8;
    // In short words, a letter that is missing or too many counts too much there.
    let is_slip = |name| word.len() > 1 && strsim::damerau_levenshtein(word, name) == 1;
    let rate = |name| if is_slip(name) { 1.0 } else { strsim::jaro_winkler(word, name) };
    let rated = known.into_iter().map(|name| (rate(name), name));
    let closest = rated.filter(|(similarity, _)| *similarity >= SIMILAR).max_by(|one, other| one.0.total_cmp(&other.0));
    closest.map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"))
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

#[cfg(test)]
mod tests {
    use super::{counted, did_you_mean, grouped, plain, seconds, stamp_in_words};

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(counted(1, "key"), "1 key");
        assert_eq!(counted(1200, "key"), "1,200 keys");
        assert_eq!(seconds(4_182_999_999), "4.182 s");
        assert_eq!(stamp_in_words("20260131T235959Z").as_deref(), Some("2026-01-31 23:59:59 UTC"));
        assert_eq!(["seed-1", "20260131T2359Z", "２０260131T235959Z"].map(stamp_in_words), [None, None, None]);
    }

    #[test]
    fn only_a_similar_name_is_offered() {
        let known = ["kill", "pause", "partition"];
        assert_eq!(did_you_mean("partitoin", known), "; did you mean `partition`?");
        assert_eq!(did_you_mean("kil", known), "; did you mean `kill`?");
        assert_eq!(did_you_mean("rn", ["run", "report"]), "; did you mean `run`?");
        assert_eq!(did_you_mean("nothing", known), "");
        assert_eq!(did_you_mean("x", known), "");
    }

    #[test]
    fn a_key_cannot_drive_the_terminal() {
        assert_eq!(plain(&"a\u{1b}[31mb\n".into()), "a?[31mb?");
    }
}
