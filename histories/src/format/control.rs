//! Control of a long reading: every so often, and before it takes much memory at once, it asks whether to go on.

use std::{
    cell::Cell,
    io::{self, Read},
    path::Path,
};

use super::options::{ReadOptions, Reading};
use crate::{HistoryBuilder, Interpretation, ReadError};

/// Number of bytes of text that are parsed between two questions.
const BYTES_PER_QUESTION: usize = 64 << 10;
/// Upper bound of the number of values in that much text.
const VALUES_PER_QUESTION: usize = 4096;
/// Memory for a part of a text that may become a value: once as it is read, once in the table of values, and once as
/// its key there.
const PART_BYTES: usize = 128;

/// Control shared by everything that takes part in reading one file.
pub(super) struct ReadControl<'a> {
    options: &'a ReadOptions<'a>,
    reading: Cell<Reading>,
    /// Number of bytes of text parsed since the last question.
    since: Cell<usize>,
    is_stopped: Cell<bool>,
    interpretation: Cell<Interpretation>,
    is_again: Cell<bool>,
}

impl<'a> ReadControl<'a> {
    pub(super) fn new(options: &'a ReadOptions<'a>) -> Self {
        Self {
            options,
            reading: Cell::default(),
            since: Cell::default(),
            is_stopped: Cell::default(),
            interpretation: Cell::new(options.interpretation),
            is_again: Cell::default(),
        }
    }

    /// Returns the interpretation with which the file is to be read.
    pub(super) fn interpretation(&self) -> Interpretation {
        self.interpretation.get()
    }

    /// Requests that the file be read again in another way. As with [`ReadControl::ask`], the error only interrupts the
    /// reading.
    pub(super) fn read_again(&self, interpretation: Interpretation) -> ReadError {
        debug_assert!(
            interpretation != self.interpretation.get(),
            "a file is read again as before: {interpretation:?}"
        );
        self.interpretation.set(interpretation);
        self.is_again.set(true);
        ReadError::Stopped { path: "".into(), reading: self.reading.get() }
    }

    /// Returns true, once per request, if the file is to be read again from its beginning.
    pub(super) fn take_again(&self) -> bool {
        let is_again = self.is_again.take();
        if is_again {
            self.reading.set(Reading { needs: 0, ..Reading::default() });
        }
        is_again
    }

    /// Returns the options of the reading.
    pub(super) fn options(&self) -> &'a ReadOptions<'a> {
        self.options
    }

    /// Asks whether `needs` bytes of memory may be taken. The error only interrupts the reading:
    /// [`ReadControl::outcome`] replaces it by the real one.
    pub(super) fn ask(&self, needs: usize) -> io::Result<()> {
        let reading = Reading { needs, ..self.reading.get() };
        if (self.options.keep_going)(reading) {
            return Ok(());
        }
        self.reading.set(reading);
        self.is_stopped.set(true);
        Err(io::Error::other("told to stop"))
    }

    /// Counts `bytes` of text whose events go to `builder`, and asks every so often.
    pub(super) fn text(&self, bytes: usize, builder: &HistoryBuilder) -> io::Result<()> {
        self.since.set(self.since.get() + bytes);
        if self.since.get() < BYTES_PER_QUESTION {
            return Ok(());
        }
        self.since.set(0);
        self.seen(builder.operations());
        self.ask(builder.growth(VALUES_PER_QUESTION))
    }

    /// Sets the number of operations that have begun.
    pub(super) fn seen(&self, operations: usize) {
        self.reading.set(Reading { operations, ..self.reading.get() });
    }

    /// Asks before a long JSON text is parsed.
    pub(super) fn json(&self, text: &[u8]) -> io::Result<()> {
        if text.len() < BYTES_PER_QUESTION / 4 {
            return Ok(());
        }
        let parts = text.iter().filter(|byte| matches!(byte, b',' | b':' | b'[' | b'{')).count();
        self.ask(parts * PART_BYTES + 3 * text.len())
    }

    /// Returns the result of reading, or the error that it was stopped.
    pub(super) fn outcome<T>(&self, path: &Path, found: Result<T, ReadError>) -> Result<T, ReadError> {
        if self.is_stopped.get() {
            return Err(ReadError::Stopped { path: path.to_owned(), reading: self.reading.get() });
        }
        found
    }
}

/// Reader that asks before it reads on.
pub(super) struct ControlledReader<'a, R> {
    pub(super) input: R,
    pub(super) watch: &'a ReadControl<'a>,
    /// True if it reads the file itself rather than the unpacked content.
    pub(super) is_file: bool,
}

impl<R: Read> Read for ControlledReader<'_, R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        const MAX_BYTES: usize = 256 << 10;
        let most = room.len().min(MAX_BYTES);
        self.watch.ask(most)?;
        let count = self.input.read(&mut room[..most])?;
        if self.is_file {
            let reading = self.watch.reading.get();
            self.watch.reading.set(Reading { bytes: reading.bytes + count as u64, ..reading });
        }
        Ok(count)
    }
}
