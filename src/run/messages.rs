//! Messages between the nodes in a span of time, and whether they arrived, from the traces that the nodes wrote.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read},
};

use super::leadership::Span;
use crate::systems::{MessageContent, System, TraceEvent, TraceRecord};

/// Maximum length of the span that is read: a busy cluster sends more than a million messages in it.
const LONGEST_NS: u64 = 10_000_000_000;
/// Maximum length of a line of a trace; real ones are far shorter.
const MAX_LINE_BYTES: u64 = 64 << 10;
/// Number of lines read between two calls of `keep_going`.
const LINES_PER_QUESTION: usize = 1024;
/// Time after the end of the span from which on an arrival counts as lost.
const LATEST_NS: u64 = 2_000_000_000;

/// A message from one node to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) from: u16,
    pub(crate) to: u16,
    pub(crate) sent_ns: u64,
    /// Time of arrival; none if the message was lost.
    pub(crate) received_ns: Option<u64>,
    pub(crate) content: MessageContent,
}

/// Event of a node that learnt of a higher commit index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) node: u16,
    pub(crate) time_ns: u64,
    pub(crate) index: u64,
}

/// Messages and commits in a span of time.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct MessageLog {
    /// The span.
    pub(crate) during: Span,
    /// Messages sent in the span, in order of sending.
    pub(crate) messages: Vec<Message>,
    /// Commits in the span, and each node's last one before it.
    pub(crate) commits: Vec<Commit>,
}

impl MessageLog {
    /// Returns the commit index that a node knew at this time.
    pub(crate) fn committed(&self, node: u16, time_ns: u64) -> Option<u64> {
        let known = self.commits.iter().filter(|commit| commit.node == node && commit.time_ns <= time_ns);
        known.max_by_key(|commit| commit.time_ns).map(|commit| commit.index)
    }

    /// Reads the last ten seconds of a span from traces, compressed or not. A trace that cannot be read is skipped, as
    /// is a last line that a killed node left unfinished.
    pub(crate) fn read(
        system: &dyn System,
        traces: impl IntoIterator<Item = impl Read>,
        origin_ns: u64,
        stretch: Span,
        keep_going: &dyn Fn() -> bool,
    ) -> Self {
        let from_ns = stretch.from_ns.max(stretch.until_ns.saturating_sub(LONGEST_NS));
        let during = Span { from_ns, ..stretch };
        let mut found = TraceContents::default();
        for trace in traces {
            let Ok(lines) = histories::unpacked(trace) else { continue };
            found.read(system, BufReader::new(lines), origin_ns, during, keep_going);
        }
        found.joined(during)
    }
}

#[derive(Default)]
struct TraceContents {
    sent: Vec<(u64, Message)>,
    /// Time of arrival of the message with this sender, receiver and id.
    received: HashMap<(u16, u16, u64), u64>,
    commits: Vec<Commit>,
}

impl TraceContents {
    /// Reads one trace, as long as `keep_going` returns true.
    fn read(
        &mut self,
        system: &dyn System,
        mut lines: impl BufRead,
        origin_ns: u64,
        during: Span,
        keep_going: &dyn Fn() -> bool,
    ) {
        let from_mono_ns = origin_ns.saturating_add(during.from_ns);
        let mut last_before: Option<Commit> = None;
        let mut bytes = Vec::new();
        for number_of_line in 0_usize.. {
            bytes.clear();
            // A longer line does not belong to a trace, and its parts fail to parse.
            let length = lines.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes).unwrap_or(0);
            if length == 0 || number_of_line.is_multiple_of(LINES_PER_QUESTION) && !keep_going() {
                break;
            }
            let Ok(line) = str::from_utf8(&bytes) else { continue };
            let Some(TraceRecord { mono_ns, node, event }) = system.read_trace(line, from_mono_ns) else { continue };
            let time_ns = mono_ns.saturating_sub(origin_ns);
            if time_ns >= during.until_ns.saturating_add(LATEST_NS) {
                break;
            }
            let is_within = during.contains(time_ns);
            match event {
                TraceEvent::Sent { to, id, content } if is_within => {
                    let message = Message { from: node, to, sent_ns: time_ns, received_ns: None, content };
                    self.sent.push((id, message));
                }
                TraceEvent::Received { from, id } if time_ns >= during.from_ns => {
                    self.received.insert((from, node, id), time_ns);
                }
                TraceEvent::Committed { index } if time_ns < during.until_ns => {
                    let commit = Commit { node, time_ns, index };
                    if time_ns < during.from_ns {
                        last_before = Some(commit);
                    } else {
                        self.commits.push(commit);
                    }
                }
                _ => {}
            }
        }
        self.commits.extend(last_before);
    }

    fn joined(self, during: Span) -> MessageLog {
        let arrived = |(id, message): (u64, Message)| {
            let received_ns = self.received.get(&(message.from, message.to, id)).copied();
            Message { received_ns, ..message }
        };
        let mut messages: Vec<Message> = self.sent.into_iter().map(arrived).collect();
        messages.sort_by_key(|message| (message.sent_ns, message.from, message.to));
        let mut commits = self.commits;
        commits.sort_by_key(|commit| (commit.time_ns, commit.node));
        MessageLog { during, messages, commits }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::systems::SystemName;

    const FIRST: &str = concat!(
        r#"{"mono_ns":900,"node":1,"event":"committed","commit":3}
{"mono_ns":950,"node":1,"event":"committed","commit":4}
{"mono_ns":990,"node":1,"event":"sent","to":2,"id":6,"message":"heartbeat","term":2}
{"mono_ns":1010,"node":1,"event":"sent","to":2,"id":7,"message":"append-entries","term":2,"#,
        r#""index":5,"entries":1,"commit":4}
{"mono_ns":1020,"node":1,"event":"sent","to":3,"id":8,"message":"append-entries","term":2,"#,
        r#""index":5,"entries":1,"commit":4}
{"mono_ns":1060,"node":1,"event":"committed","commit":5}
{"mono_ns":1300,"node":1,"event":"sent","to":2,"id":9,"mess"#
    );
    const SECOND: &str = concat!(
        r#"{"mono_ns":1000,"node":2,"event":"received","from":1,"id":6,"message":"heartbeat","term":2}
{"mono_ns":1210,"node":2,"event":"received","from":1,"id":7,"message":"append-entries","term":2,"#,
        r#""index":5,"entries":1,"commit":4}
{"mono_ns":1215,"node":2,"event":"received","from":3,"id":8,"message":"append-entries","term":2}
"#
    );

    fn message_log() -> MessageLog {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["1", "2", "nowhere"].map(|name| dir.path().join(name));
        fs::write(&paths[0], FIRST).unwrap();
        fs::write(&paths[1], SECOND).unwrap();
        MessageLog::read(
            SystemName::default().find().unwrap(),
            paths.iter().filter_map(|path| fs::File::open(path).ok()),
            900,
            Span { from_ns: 100, until_ns: 300 },
            &|| true,
        )
    }

    #[test]
    fn what_was_sent_is_joined_to_what_arrived_and_the_rest_is_lost() {
        let messages = message_log().messages;
        let told: Vec<_> = messages.iter().map(|of| (of.from, of.to, of.sent_ns, of.received_ns)).collect();
        assert_eq!(told, [(1, 2, 110, Some(310)), (1, 3, 120, None)]);
        assert_eq!(messages[0].content.kind.words, "AppendEntries");
    }

    #[test]
    fn a_node_knows_of_a_commit_from_its_moment_on() {
        let message_log = message_log();
        assert_eq!(
            [40, 50, 159, 160].map(|time_ns| message_log.committed(1, time_ns)),
            [None, Some(4), Some(4), Some(5)]
        );
        assert_eq!(message_log.committed(2, 300), None);
    }
}
