//! Sanitizing of text from a history, a log or a record before it is shown: it must not control a terminal, act as
//! markup, or give commands to a CI. Each medium has one function, which everything shown there passes through.

use std::{borrow::Cow, io};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// Replacement for harmful characters.
const REPLACEMENT: char = '\u{fffd}';

/// Returns true if a character can control or deceive what shows it: control characters (C0, DEL, C1), characters that
/// change the direction of text or invisibly join and split letters, line separators, tags, and invisible fillers.
pub(crate) fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Sanitizes text for one line of a terminal or a page.
pub(crate) fn line(text: &str) -> String {
    text.chars().map(|c| if matches!(c, '\n' | '\t') { ' ' } else { harmless(c) }).collect()
}

fn harmless(c: char) -> char {
    if is_harmful(c) { REPLACEMENT } else { c }
}

/// Sanitizes text of several lines. A CI scans its log for commands line by line; no line of the result is one.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    let is_command = |line: &str| line.trim_start().starts_with("::") || line.contains("##[");
    if !text.chars().any(|c| c != '\n' && is_harmful(c)) && !text.split('\n').any(is_command) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for (number, of_text) in text.split('\n').enumerate() {
        if number > 0 {
            shown.push('\n');
        }
        let plain = line(of_text).replace("##[", "## [");
        // A reader may take replaced characters before the command for blanks, too.
        let command = plain.trim_start_matches(|c: char| c.is_whitespace() || c == REPLACEMENT);
        match command.strip_prefix("::") {
            Some(rest) => {
                shown.push_str(&plain[..plain.len() - command.len()]);
                shown.push_str(": :");
                shown.push_str(rest);
            }
            None => shown.push_str(&plain),
        }
    }
    Cow::Owned(shown)
}

/// Writes JSON with all harmful characters escaped; it parses to the same data.
pub(crate) fn write_json(out: impl io::Write, data: &impl Serialize) -> serde_json::Result<()> {
    data.serialize(&mut Serializer::with_formatter(out, EscapingFormatter(PrettyFormatter::new())))
}

struct EscapingFormatter<'a>(PrettyFormatter<'a>);

impl Formatter for EscapingFormatter<'_> {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(place) = rest.find(is_harmful) {
            let c = rest[place..].chars().next().expect("something was found there");
            write_harmless(out, &rest[..place])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = &rest[place + c.len_utf8()..];
        }
        write_harmless(out, rest)
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}

/// Writes a part of a JSON string without harmful characters, escaping what some CI would take for a command.
fn write_harmless<W: ?Sized + io::Write>(out: &mut W, part: &str) -> io::Result<()> {
    out.write_all(part.replace("##[", "\\u0023#[").as_bytes())
}

/// Writer that passes on JSON or EDN for display on a terminal, with harmful characters escaped, as both formats allow
/// in strings.
#[derive(Debug)]
pub(crate) struct HarmlessWriter<W> {
    out: W,
    /// Bytes of a character that is not complete yet.
    rest: Vec<u8>,
}

impl<W: io::Write> HarmlessWriter<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, rest: Vec::new() }
    }
}

impl<W: io::Write> io::Write for HarmlessWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        const LONGEST: usize = 4;
        self.rest.extend_from_slice(bytes);
        let mut shown = String::with_capacity(self.rest.len());
        let mut kept = Vec::new();
        let mut chunks = self.rest.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            for c in chunk.valid().chars() {
                if c == '\n' || !is_harmful(c) {
                    shown.push(c);
                } else {
                    c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| shown.push_str(&format!("\\u{unit:04x}")));
                }
            }
            if chunks.peek().is_none() && chunk.invalid().len() < LONGEST {
                kept = chunk.invalid().to_vec();
            } else if !chunk.invalid().is_empty() {
                shown.push(REPLACEMENT);
            }
        }
        self.rest = kept;
        self.out.write_all(shown.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Escapes text for a line of Markdown, as rendered by GitHub: no markup, no links, no mentions.
pub(crate) fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in line(text).chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' | '$' | '{' | '}' | '^' => {
                escaped.extend(['\\', c]);
            }
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '&' => escaped += "&amp;",
            '@' => escaped += "&#64;",
            _ => escaped.push(c),
        }
    }
    // URLs would become links without any markup.
    escaped
        .replace("://", "&#58;//")
        .replace("www.", "www&#46;")
        .replace("WWW.", "WWW&#46;")
        .replace("mailto:", "mailto&#58;")
}

/// Escapes text for a cell of CSV (RFC 4180), such that no spreadsheet takes it for a formula.
pub(crate) fn csv(text: &str) -> String {
    let plain = line(text);
    let plain = if plain.starts_with(['=', '+', '-', '@']) { format!("'{plain}") } else { plain };
    if plain.contains([',', '"']) { format!("\"{}\"", plain.replace('"', "\"\"")) } else { plain }
}

/// Formats text as a code span in Markdown that also works in a table.
pub(crate) fn markdown_code(text: &str) -> String {
    format!("`{}`", line(text).replace('`', "'").replace('|', "¦"))
}

/// Escapes the message of a GitHub Actions workflow command (`actions/toolkit`, command.ts).
pub(crate) fn workflow_data(text: &str) -> String {
    let kept: String = text.chars().map(|c| if matches!(c, '\n' | '\r') { c } else { harmless(c) }).collect();
    kept.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property of a workflow command.
pub(crate) fn workflow_property(text: &str) -> String {
    workflow_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Sanitizes text for XML, keeping line breaks and replacing what is harmful or what XML cannot represent; the XML
/// library escapes the markup.
pub(crate) fn xml(text: &str) -> String {
    let holds = |c: char| !matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars().map(|c| if c == '\n' || !is_harmful(c) && holds(c) { c } else { REPLACEMENT }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use std::io::Write as _;

    use super::{
        HarmlessWriter, is_harmful, line, lines, markdown, markdown_code, workflow_data, workflow_property, write_json,
        xml,
    };

    /// Generates text from pieces that are harmful in some medium.
    fn hostile() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "\u{1b}[31m",
            "\u{1b}]0;x\u{7}",
            "\u{9b}31m",
            "\u{9d}0;x\u{9c}",
            "\r",
            "\n",
            "\r\n",
            "\u{8}",
            "\u{0}",
            "\u{202e}",
            "\u{2066}",
            "\u{200b}",
            "\u{feff}",
            "\u{2028}",
            "\u{85}",
            "\u{e0041}",
            "::error::x",
            "::add-mask::x",
            "##[error]x",
            "%0A::x",
            "\n::stop::",
            "<script>",
            "</td>",
            "&lt;",
            "|",
            "`",
            "``` ",
            "](http://x)",
            "[x](javascript:x)",
            "![x](y)",
            "https://x.y/z",
            "www.x.y",
            "@team",
            "#1",
            "**",
            "$x$",
            "~~",
            "]]>",
            "<![CDATA[",
            "-->",
            "\"",
            "'",
            "\\",
            "--",
            "\t",
            "  ",
            "é",
            "日本",
            "🦀",
            "a",
            "B",
            "7",
            ":",
            ",",
        ]);
        let any = prop_oneof![4 => pieces.prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)];
        prop::collection::vec(any, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn a_line_is_one_and_steers_nothing(text in hostile()) {
            prop_assert!(!line(&text).chars().any(is_harmful));
            prop_assert_eq!(line(&text).chars().count(), text.chars().count());
        }

        #[test]
        fn lines_are_no_commands(text in hostile()) {
            let shown = lines(&text).into_owned();
            prop_assert!(!shown.chars().any(|c| c != '\n' && is_harmful(c)));
            for line in shown.lines() {
                prop_assert!(!line.trim().starts_with("::") && !line.contains("##["), "{line:?}");
            }
            prop_assert_eq!(shown.split('\n').count(), text.split('\n').count());
            prop_assert_eq!(&*lines(&shown), &*shown, "once is enough");
        }

        #[test]
        fn json_is_the_same_data_without_harm(text in hostile(), key in hostile()) {
            let data = serde_json::json!({ key: [text, 1, null] });
            let mut written = Vec::new();
            write_json(&mut written, &data).unwrap();
            let written = String::from_utf8(written).unwrap();
            let is_harmless = !written.chars().any(|c| c != '\n' && is_harmful(c)) && !written.contains("##[");
            prop_assert!(is_harmless, "{written:?}");
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), data);
        }

        #[test]
        fn markdown_is_text(text in hostile()) {
            let shown = markdown(&text);
            prop_assert!(!shown.chars().any(is_harmful) && !shown.contains(['<', '>', '@']));
            prop_assert!(!shown.contains("://") && !shown.to_lowercase().contains("www."));
            let mut before = ' ';
            for c in shown.chars() {
                prop_assert!(before == '\\' || !"`*_[]|~!$".contains(c), "{shown}");
                before = if before == '\\' { ' ' } else { c };
            }
            let code = markdown_code(&text);
            prop_assert!(!code.chars().any(is_harmful) && !code.contains('|') && code.matches('`').count() == 2);
        }

        #[test]
        fn a_workflow_command_stays_one(text in hostile()) {
            let (data, property) = (workflow_data(&text), workflow_property(&text));
            prop_assert!(!data.chars().any(is_harmful) && !property.contains([':', ',']));
            prop_assert!(data.replace("%25", "").replace("%0D", "").replace("%0A", "").find('%').is_none(), "{data}");
        }

        #[test]
        fn xml_holds_it(text in hostile()) {
            let shown = xml(&text);
            let holds_not = |c: char| c != '\n' && (is_harmful(c) || matches!(c, '\u{fffe}' | '\u{ffff}'));
            prop_assert!(!shown.chars().any(holds_not));
        }
    }

    #[test]
    fn json_that_somebody_looks_at_is_the_same_and_does_no_harm() {
        let text = "{\"k\":\"é日\u{9b}31m\u{202e}🦀\u{e0041}\"}\n";
        for size in 1..8 {
            let mut shown = Vec::new();
            let mut out = HarmlessWriter::new(&mut shown);
            text.as_bytes().chunks(size).for_each(|bytes| out.write_all(bytes).unwrap());
            drop(out);
            let shown = String::from_utf8(shown).unwrap();
            assert_eq!(shown, "{\"k\":\"é日\\u009b31m\\u202e🦀\\udb40\\udc41\"}\n", "{size} bytes at a time");
            let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(read(&shown), read(text));
        }
    }

    #[test]
    fn what_does_no_harm_stays() {
        for text in ["write k3 41", "größer → 日本 🦀", "a:b::c", "50 %", "[1,2]"] {
            assert_eq!(line(text), text);
            assert_eq!(lines(text), text);
            assert_eq!(xml(text), text);
        }
        assert_eq!(lines("a\n  ::error::x\n\u{1b}::y"), "a\n  : :error::x\n\u{fffd}: :y");
        assert_eq!(markdown("kill:leader+clock"), "kill:leader+clock");
    }
}
