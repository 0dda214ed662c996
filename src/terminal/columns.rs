//! Width of the terminal, and text that is wrapped to it.

use std::{borrow::Cow, env, os::fd::AsFd};

use anstream::adapter::strip_str;
use terminal_size::{Width, terminal_size_of};
use unicode_width::UnicodeWidthStr as _;

/// Least width that text is laid out for, in columns: below, nothing would be readable.
const LEAST: usize = 40;
/// Greatest width, in columns.
const MOST: usize = 1000;

/// Returns the width to lay out text for: that of the terminal, or else that of the variable `COLUMNS`. Without
/// either, lines stay whole, so that a search finds them.
pub(super) fn columns(stream: impl AsFd) -> Option<usize> {
    let of_terminal = terminal_size_of(stream).map(|(Width(columns), _)| usize::from(columns));
    let columns = of_terminal.or_else(|| env::var("COLUMNS").ok()?.parse().ok())?;
    (columns > 0).then(|| columns.clamp(LEAST, MOST))
}

/// Wraps text to the width of a stream, if it has one.
pub(super) fn fitted(text: &str, stream: impl AsFd) -> Cow<'_, str> {
    columns(stream).map_or(Cow::Borrowed(text), |columns| wrap(text, columns).into())
}

/// Returns the width of text in columns, escape sequences left out.
pub(super) fn width(text: &str) -> usize {
    strip_str(text).to_string().width()
}

/// Wraps lines that are wider than `columns` at blanks, with a hanging indent. Words and tables stay whole, and a
/// command of several lines can still be copied.
pub(super) fn wrap(text: &str, columns: usize) -> String {
    let fits = |line: &str| width(line) <= columns || line.starts_with(|c| ('\u{2500}'..='\u{257f}').contains(&c));
    let lines = text.split('\n').map(|line| if fits(line) { line.to_owned() } else { wrap_line(line, columns) });
    lines.collect::<Vec<_>>().join("\n")
}

fn wrap_line(line: &str, columns: usize) -> String {
    let own = line.len() - line.trim_start().len();
    let below = hanging_indent(line, columns);
    let is_command = [own, below].iter().any(|&at| line.get(at..).is_some_and(|rest| rest.starts_with("schism ")));
    let (break_mark, indent) = if is_command { (" \\", below.max(own + 2)) } else { ("", below) };
    let (mut wrapped, mut at) = (line[..own].to_owned(), own);
    for word in line[own..].split_inclusive(' ') {
        let wide = width(word.trim_end());
        if wide > 0 && at > indent && at + wide > columns - break_mark.len() {
            wrapped.truncate(wrapped.trim_end().len());
            wrapped += &format!("{break_mark}\n{:indent$}", "");
            at = indent;
        }
        wrapped += word;
        at += width(word);
    }
    wrapped
}

/// Returns the indent of what follows the first line: below the text of a list or of a second column, or else two
/// columns more than the line's own.
fn hanging_indent(line: &str, columns: usize) -> usize {
    let text = line.trim_start();
    let own = line.len() - text.len();
    let below_gap = line[own..].rfind("  ").map(|at| own + at + 2).filter(|&at| at <= columns / 2);
    let below_number = || {
        let (number, _) = text.split_once(". ")?;
        number.parse::<u32>().ok().map(|_| own + number.len() + 2)
    };
    below_gap.or_else(below_number).unwrap_or(own + 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{width, wrap};

    #[test]
    fn lines_that_fit_and_tables_stay_as_they_are() {
        let table = format!("│ {} │", "x ".repeat(40));
        for text in ["", "\n", "a\n\n  b\n", "ä ö ü", &table] {
            assert_eq!(wrap(text, 40), text);
        }
    }

    #[test]
    fn what_is_wrapped_hangs_below_its_text() {
        for (line, wrapped) in [
            ("one two three four five six seven eight nine", "one two three four five six seven eight\n  nine"),
            ("  1. one two three four five six seven eight", "  1. one two three four five six seven\n     eight"),
            (
                "  source:  one two three four five six seven",
                "  source:  one two three four five six\n           seven",
            ),
            (
                "  again:  schism run --read leader --seed 12",
                "  again:  schism run --read leader \\\n          --seed 12",
            ),
            ("schism run --read leader --workload register", "schism run --read leader --workload \\\n  register"),
        ] {
            assert_eq!(wrap(line, 40), wrapped);
        }
    }

    #[test]
    fn a_word_is_never_broken_and_takes_its_own_line() {
        let path = "/".repeat(60);
        assert_eq!(wrap(&format!("kept in {path} now"), 40), format!("kept in\n  {path}\n  now"));
        assert_eq!(wrap(&path, 40), path);
    }

    #[test]
    fn colours_and_links_take_no_room() {
        let link = "\u{1b}]8;;file:///a/long/path/to/a/page\u{1b}\\page\u{1b}]8;;\u{1b}\\";
        let styled = format!("\u{1b}[31mnot linearizable\u{1b}[0m: {link}");
        assert_eq!(width(&styled), "not linearizable: page".len());
        assert_eq!(wrap(&styled, 40), styled);
    }

    proptest! {
        #[test]
        fn words_fit_and_stay(words in "( {1,5}[a-zäλ0-9.:]{1,12}){0,30}", columns in 40_usize..90) {
            let wrapped = wrap(&words, columns);
            prop_assert!(wrapped.lines().all(|line| width(line) <= columns), "{wrapped}");
            let kept: Vec<_> = wrapped.split_whitespace().collect();
            prop_assert_eq!(kept, words.split_whitespace().collect::<Vec<_>>());
        }
    }
}
