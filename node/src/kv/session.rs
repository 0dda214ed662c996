//! Exactly-once retries (dissertation §6.3): the last sequence number and result of each client, replicated like any other state.
//!
//! A client has one command open at a time and numbers them upwards. Clients are limited in number; the one whose last command is the
//! oldest in the log is forgotten first, on every replica alike. A retry by a forgotten client applies again: that is the
//! price of the limit, and the only case in which it does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Applied, Session};
use crate::raft::LogIndex;

/// Clients that are remembered at most.
pub(super) const MAX_CLIENTS: usize = 4096;

/// The last command of one client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Last {
    seq: u64,
    /// Tells a retry from another command that wrongly bears the same number: that one must not be told that it happened.
    checksum: u32,
    applied: Applied,
    at: LogIndex,
}

/// What is remembered of all clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sessions {
    by_client: BTreeMap<String, Last>,
    /// Clients by the index of their last command: whom to forget first.
    by_age: BTreeMap<LogIndex, String>,
}

impl Sessions {
    /// What to answer without applying the command again; `None` if it is new.
    pub(super) fn replay(&self, session: &Session, checksum: u32) -> Option<Applied> {
        let last = self.by_client.get(&session.client)?;
        if session.seq > last.seq {
            return None;
        }
        let retry = session.seq == last.seq && checksum == last.checksum;
        Some(if retry { last.applied.clone() } else { Applied::OutOfSequence { latest: last.seq } })
    }

    /// Remembers the result of a new command, whose encoding has `checksum` and which was applied at index `at`.
    pub(super) fn record(&mut self, session: Session, checksum: u32, at: LogIndex, applied: Applied) {
        self.by_age.insert(at, session.client.clone());
        let last = Last { seq: session.seq, checksum, applied, at };
        if let Some(before) = self.by_client.insert(session.client, last) {
            self.by_age.remove(&before.at);
        }
        if self.by_client.len() > MAX_CLIENTS
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.by_client.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(client: usize, seq: u64) -> Session {
        Session { client: client.to_string(), seq }
    }

    fn put(index: u64) -> Applied {
        Applied::Put(LogIndex(index))
    }

    #[test]
    fn only_a_higher_number_is_new() {
        let mut sessions = Sessions::default();
        assert_eq!(sessions.replay(&session(1, 5), 7), None);
        sessions.record(session(1, 5), 7, LogIndex(1), put(1));
        assert_eq!(sessions.replay(&session(1, 5), 7), Some(put(1)));
        assert_eq!(sessions.replay(&session(1, 4), 7), Some(Applied::OutOfSequence { latest: 5 }));
        assert_eq!(sessions.replay(&session(1, 6), 7), None);
        assert_eq!(sessions.replay(&session(1, 5), 8), Some(Applied::OutOfSequence { latest: 5 }), "another command");
        assert_eq!(sessions.replay(&session(2, 5), 7), None, "another client has numbers of its own");
    }

    #[test]
    fn the_client_that_was_silent_longest_is_forgotten() {
        let mut sessions = Sessions::default();
        for client in 0..MAX_CLIENTS {
            let index = u64::try_from(client).unwrap() + 1;
            sessions.record(session(client, 1), 7, LogIndex(index), put(index));
        }
        sessions.record(session(0, 2), 7, LogIndex(10_000), put(10_000));
        sessions.record(session(MAX_CLIENTS, 1), 7, LogIndex(10_001), put(10_001));
        assert_eq!(sessions.by_client.len(), MAX_CLIENTS);
        assert_eq!(sessions.by_age.len(), MAX_CLIENTS);
        assert_eq!(sessions.replay(&session(0, 2), 7), Some(put(10_000)));
        assert_eq!(sessions.replay(&session(1, 1), 7), None, "forgotten");
        assert_eq!(sessions.replay(&session(2, 1), 7), Some(put(3)));
    }
}
