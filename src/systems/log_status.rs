//! Status of a node by its own log, which is read as it grows: only whole lines, and only those of the present process.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
};

use nemesis::NodeLog;
use regex::bytes::Regex;

/// Maximum of what is read at once, in bytes. A node that is further behind has no status yet.
const MAX_READ_BYTES: u64 = 8 << 20;

/// Lines of a log that tell the status of a node.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogLines {
    /// Line by which it says that it is up; without one, it is up once its client port is open.
    pub(crate) up: Option<Regex>,
    /// Lines by which it says whether it leads; the last one counts.
    pub(crate) roles: Vec<Regex>,
}

/// State of a node by the lines that were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LoggedState {
    /// True if it said that it is up.
    pub(crate) is_up: bool,
    /// Last line about its role; empty if there is none.
    pub(crate) role: Vec<u8>,
}

/// Reader of a node's log.
#[derive(Debug)]
pub(crate) struct LogReader {
    log: NodeLog,
    /// Place at which the lines of the present process begin.
    began: Option<u64>,
    /// Place of the first line that was not read.
    at: u64,
    /// True if the rest of a line comes there that is longer than what is read at once.
    skips: bool,
    state: LoggedState,
}

impl LogReader {
    pub(crate) fn new(log: NodeLog) -> Self {
        Self { log, began: None, at: 0, skips: false, state: LoggedState::default() }
    }

    /// Reads what is new, and returns the state by it; none if the node has no process, if its log cannot be read, or
    /// if more of it is left to read.
    pub(crate) fn read(&mut self, lines: &LogLines) -> Option<LoggedState> {
        let began = self.log.began()?;
        if self.began != Some(began) {
            *self = Self { began: Some(began), at: began, ..Self::new(self.log.clone()) };
        }
        let mut file = File::open(self.log.path()).ok()?;
        file.seek(SeekFrom::Start(self.at)).ok()?;
        let mut text = Vec::new();
        let read = file.take(MAX_READ_BYTES).read_to_end(&mut text).ok()?;
        self.take(&text, lines);
        ((read as u64) < MAX_READ_BYTES).then(|| self.state.clone())
    }

    /// Takes the lines of a text, and leaves the last one to be read again if it is not at its end.
    fn take(&mut self, mut text: &[u8], lines: &LogLines) {
        let is_full = text.len() as u64 == MAX_READ_BYTES;
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = text.split_at(end + 1);
            self.at += line.len() as u64;
            if !std::mem::take(&mut self.skips) {
                let line = line.trim_ascii_end();
                self.state.is_up |= lines.up.as_ref().is_some_and(|up| up.is_match(line));
                if lines.roles.iter().any(|role| role.is_match(line)) {
                    line.clone_into(&mut self.state.role);
                }
            }
            text = rest;
        }
        if is_full && text.len() as u64 == MAX_READ_BYTES {
            self.skips = true;
            self.at += MAX_READ_BYTES;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> LogLines {
        let pattern = |text| Regex::new(text).unwrap();
        LogLines { up: Some(pattern("^ready$")), roles: vec![pattern("^leads"), pattern("^follows")] }
    }

    fn state(is_up: bool, role: &str) -> LoggedState {
        LoggedState { is_up, role: role.into() }
    }

    #[test]
    fn the_last_whole_line_about_a_role_counts_and_a_torn_one_waits() {
        let mut reader = LogReader::new(NodeLog::default());
        reader.take(b"starting\nready\r\nleads 1\nfol", &lines());
        assert_eq!((reader.at, &reader.state), (24, &state(true, "leads 1")));
        reader.take(b"follows 2\n", &lines());
        assert_eq!((reader.at, &reader.state), (34, &state(true, "follows 2")));
        assert_eq!(reader.read(&lines()), None, "it has no process");
    }

    #[test]
    fn a_line_longer_than_what_is_read_at_once_says_nothing() {
        let mut reader = LogReader::new(NodeLog::default());
        let long = vec![b'x'; usize::try_from(MAX_READ_BYTES).unwrap()];
        reader.take(&long, &lines());
        reader.take(b"leads 1\nfollows 1\n", &lines());
        assert_eq!((reader.at, &reader.state), (MAX_READ_BYTES + 18, &state(false, "follows 1")));
        reader.take(b"leads 2\n", &lines());
        assert_eq!(reader.state, state(false, "leads 2"));
    }
}
