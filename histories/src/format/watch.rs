//! Whoever reads a file for long asks now and then whether to go on, and before it takes much memory at once.

use std::{
    cell::Cell,
    io::{self, Read},
    path::Path,
};

use super::{ReadOptions, Way};
use crate::{HistoryBuilder, ReadError};

/// So many bytes of text are made to events between two questions.
const BYTES_PER_QUESTION: usize = 64 << 10;
/// More values than so much text can hold.
const VALUES_PER_QUESTION: usize = 4096;
/// A part of a text may become a value with room for another one: when it is read, in the table of values, and as its key there.
const PART_BYTES: usize = 128;

/// How far a file is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Bytes of the file, as it lies there.
    pub bytes: u64,
    /// Operations that begin in them.
    pub operations: usize,
    /// Bytes of memory that are about to be taken at once, at most.
    pub needs: usize,
}

/// What all who read one file ask.
pub(super) struct Watch<'a> {
    options: &'a ReadOptions<'a>,
    reading: Cell<Reading>,
    /// Bytes of text since the last question.
    since: Cell<usize>,
    is_stopped: Cell<bool>,
    way: Cell<Way>,
    is_again: Cell<bool>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(options: &'a ReadOptions<'a>) -> Self {
        Self {
            options,
            reading: Cell::default(),
            since: Cell::default(),
            is_stopped: Cell::default(),
            way: Cell::new(options.way),
            is_again: Cell::default(),
        }
    }

    /// How the file is to be read.
    pub(super) fn way(&self) -> Way {
        self.way.get()
    }

    /// Has the file read again in another way. As with [`Watch::ask`], the error says only that something went wrong.
    pub(super) fn again(&self, way: Way) -> ReadError {
        debug_assert!(way != self.way.get(), "a file is read again as before: {way:?}");
        self.way.set(way);
        self.is_again.set(true);
        ReadError::Stopped { path: "".into(), reading: self.reading.get() }
    }

    /// Whether the file is to be read again; from its beginning, then.
    pub(super) fn take_again(&self) -> bool {
        let is_again = self.is_again.take();
        if is_again {
            self.reading.set(Reading { needs: 0, ..Reading::default() });
        }
        is_again
    }

    /// How the file is read.
    pub(super) fn options(&self) -> &'a ReadOptions<'a> {
        self.options
    }

    /// Asks whether so many bytes of memory may be taken. An error says only that something went wrong: [`Watch::outcome`] knows what.
    pub(super) fn ask(&self, needs: usize) -> io::Result<()> {
        let reading = Reading { needs, ..self.reading.get() };
        if (self.options.keep_going)(reading) {
            return Ok(());
        }
        self.reading.set(reading);
        self.is_stopped.set(true);
        Err(io::Error::other("told to stop"))
    }

    /// Asks now and then, while so many bytes of text more are made to events that `builder` takes.
    pub(super) fn text(&self, bytes: usize, builder: &HistoryBuilder) -> io::Result<()> {
        self.since.set(self.since.get() + bytes);
        if self.since.get() < BYTES_PER_QUESTION {
            return Ok(());
        }
        self.since.set(0);
        self.seen(builder.operations());
        self.ask(builder.growth(VALUES_PER_QUESTION))
    }

    /// Says how many operations have begun.
    pub(super) fn seen(&self, operations: usize) {
        self.reading.set(Reading { operations, ..self.reading.get() });
    }

    /// Asks before JSON that is long is made to values.
    pub(super) fn json(&self, text: &[u8]) -> io::Result<()> {
        if text.len() < BYTES_PER_QUESTION / 4 {
            return Ok(());
        }
        let parts = text.iter().filter(|byte| matches!(byte, b',' | b':' | b'[' | b'{')).count();
        self.ask(parts * PART_BYTES + 3 * text.len())
    }

    /// What comes of reading: whoever was told to stop failed for that reason.
    pub(super) fn outcome<T>(&self, path: &Path, found: Result<T, ReadError>) -> Result<T, ReadError> {
        if self.is_stopped.get() {
            return Err(ReadError::Stopped { path: path.to_owned(), reading: self.reading.get() });
        }
        found
    }
}

/// A reader that asks before it reads on.
pub(super) struct Watched<'a, R> {
    pub(super) input: R,
    pub(super) watch: &'a Watch<'a>,
    /// Whether it reads the file itself, and not what was unpacked from it.
    pub(super) is_file: bool,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        const MOST: usize = 256 << 10;
        let most = room.len().min(MOST);
        self.watch.ask(most)?;
        let count = self.input.read(&mut room[..most])?;
        if self.is_file {
            let reading = self.watch.reading.get();
            self.watch.reading.set(Reading { bytes: reading.bytes + count as u64, ..reading });
        }
        Ok(count)
    }
}
