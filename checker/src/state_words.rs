//! Words for states of objects, cut to a length that people read.

use std::fmt::{self, Display, Formatter, Write};

use histories::Value;

/// Maximum length of a state in characters; the rest is left out.
pub(crate) const MOST_CHARACTERS: usize = 80;
/// Maximum number of elements that are shown of a collection.
const MOST_ELEMENTS: usize = 8;

/// Returns what is written of a state, or the beginning of it.
pub(crate) fn in_words(write: impl FnOnce(&mut dyn Write) -> fmt::Result) -> String {
    let mut words = StateWords::default();
    match write(&mut words) {
        // An error says that there are enough words.
        Ok(()) | Err(fmt::Error) => words.text,
    }
}

/// Words for one state, which end where they become too long.
#[derive(Default)]
struct StateWords {
    text: String,
    characters: usize,
}

impl Write for StateWords {
    /// Adds words. Fails once there are too many of them, so that nobody goes on.
    fn write_str(&mut self, words: &str) -> fmt::Result {
        for character in words.chars() {
            if self.characters == MOST_CHARACTERS {
                self.text.push('…');
                return Err(fmt::Error);
            }
            self.characters += 1;
            self.text.push(character);
        }
        Ok(())
    }
}

/// Writes a collection from its first element: `[1, 2, 3]`, or `{1, 2, 3, … 97 more}`.
pub(crate) fn write_first(
    out: &mut dyn Write,
    [open, close]: [char; 2],
    count: usize,
    elements: impl IntoIterator<Item = impl Display>,
) -> fmt::Result {
    out.write_char(open)?;
    write_all(out, elements.into_iter().take(MOST_ELEMENTS))?;
    if count > MOST_ELEMENTS {
        write!(out, ", … {} more", count - MOST_ELEMENTS)?;
    }
    out.write_char(close)
}

/// Writes a list up to its last element, which is what its next operation meets: `[1, 2, 3]`, or `[97 more …, 8, 9]`.
pub(crate) fn write_last(
    out: &mut dyn Write,
    count: usize,
    elements: impl DoubleEndedIterator<Item = impl Display> + ExactSizeIterator,
) -> fmt::Result {
    let left_out = count.saturating_sub(MOST_ELEMENTS);
    out.write_char('[')?;
    if left_out > 0 {
        write!(out, "{left_out} more …, ")?;
    }
    write_all(out, elements.skip(left_out))?;
    out.write_char(']')
}

/// Element with the number of its copies: `7`, or `7 ×2`.
pub(crate) struct Copies<'a>(pub(crate) (&'a Value, &'a u32));

impl Display for Copies<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (element, copies) = self.0;
        write!(f, "{element}")?;
        if *copies == 1 { Ok(()) } else { write!(f, " ×{copies}") }
    }
}

fn write_all(out: &mut dyn Write, elements: impl Iterator<Item = impl Display>) -> fmt::Result {
    let mut separator = "";
    for element in elements {
        write!(out, "{separator}{element}")?;
        separator = ", ";
    }
    Ok(())
}
