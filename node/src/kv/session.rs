//! Exactly-once retries (dissertation §6.3): the registered clients, and the last sequence number and result of each,
//! replicated like any other state.
//!
//! A client has one command open at a time and numbers its commands in ascending order. The number of clients is
//! limited; the one whose last command is the oldest in the log is forgotten first, on every replica alike. Commands
//! of a forgotten client are refused: such a command may be a retry of one that took effect long ago and must not
//! take effect again, and this can no longer be known.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CommandResult, Digest, Session};
use crate::raft::LogIndex;

/// Maximum number of clients that are remembered.
pub(super) const MAX_CLIENTS: usize = 4096;

/// Registered client.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Client {
    /// Index of its last command, or of its registration.
    at: LogIndex,
    /// Last command; `None` before the first one.
    last: Option<LastCommand>,
}

/// Last command of one client.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct LastCommand {
    seq: u64,
    /// Checksum that tells a retry from another command that wrongly has the same number, and must not be answered as
    /// if it had taken effect.
    checksum: u32,
    applied: CommandResult,
}

/// Registered clients, with their last commands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredSessions")]
pub(super) struct Sessions {
    clients: BTreeMap<LogIndex, Client>,
    /// Clients by the index of their last command: the first is forgotten first.
    by_age: BTreeMap<LogIndex, LogIndex>,
    /// Digest of all clients.
    #[serde(skip)]
    digest: Digest,
}

/// Sessions as they are stored, without what follows from them.
#[derive(Deserialize)]
struct StoredSessions {
    clients: BTreeMap<LogIndex, Client>,
    by_age: BTreeMap<LogIndex, LogIndex>,
}

impl From<StoredSessions> for Sessions {
    fn from(StoredSessions { clients, by_age }: StoredSessions) -> Self {
        let mut digest = Digest::default();
        for client in &clients {
            digest.add(&client);
        }
        Self { clients, by_age, digest }
    }
}

impl Sessions {
    /// Registers a client by the entry at index `at`, and returns its name.
    pub(super) fn register(&mut self, at: LogIndex) -> CommandResult {
        self.set(at, Client { at, last: None });
        self.by_age.insert(at, at);
        if self.clients.len() > MAX_CLIENTS
            && let Some((_, oldest)) = self.by_age.pop_first()
            && let Some(forgotten) = self.clients.remove(&oldest)
        {
            self.digest.remove(&(&oldest, &forgotten));
        }
        CommandResult::Registered(at)
    }

    /// Returns the answer that replaces applying the command; `None` if the command is new and its client known.
    pub(super) fn replay(&self, session: &Session, checksum: u32) -> Option<CommandResult> {
        let Some(client) = self.clients.get(&session.client) else { return Some(CommandResult::Expired) };
        let last = client.last.as_ref().filter(|last| session.seq <= last.seq)?;
        let retry = session.seq == last.seq && checksum == last.checksum;
        Some(if retry { last.applied.clone() } else { CommandResult::OutOfSequence { latest: last.seq } })
    }

    /// Stores the result of a new command of a known client, whose encoding has `checksum` and which was applied at
    /// index `at`.
    pub(super) fn record(&mut self, session: Session, checksum: u32, at: LogIndex, applied: CommandResult) {
        let client = self.clients.get(&session.client).expect("a new command is of a known client");
        self.by_age.remove(&client.at);
        self.by_age.insert(at, session.client);
        self.set(session.client, Client { at, last: Some(LastCommand { seq: session.seq, checksum, applied }) });
    }

    fn set(&mut self, name: LogIndex, client: Client) {
        self.digest.add(&(&name, &client));
        if let Some(before) = self.clients.insert(name, client) {
            self.digest.remove(&(&name, &before));
        }
    }

    /// Returns the digest of all clients with their last commands.
    pub(super) fn digest(&self) -> Digest {
        self.digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(client: u64, seq: u64) -> Session {
        Session { client: LogIndex(client), seq }
    }

    fn put(index: u64) -> CommandResult {
        CommandResult::Put(LogIndex(index))
    }

    #[test]
    fn only_a_higher_number_is_new() {
        let mut sessions = Sessions::default();
        assert_eq!(sessions.register(LogIndex(1)), CommandResult::Registered(LogIndex(1)));
        sessions.register(LogIndex(2));
        assert_eq!(sessions.replay(&session(1, 5), 7), None);
        sessions.record(session(1, 5), 7, LogIndex(3), put(3));
        assert_eq!(sessions.replay(&session(1, 5), 7), Some(put(3)));
        assert_eq!(sessions.replay(&session(1, 4), 7), Some(CommandResult::OutOfSequence { latest: 5 }));
        assert_eq!(sessions.replay(&session(1, 6), 7), None);
        assert_eq!(
            sessions.replay(&session(1, 5), 8),
            Some(CommandResult::OutOfSequence { latest: 5 }),
            "another command"
        );
        assert_eq!(sessions.replay(&session(2, 5), 7), None, "another client has numbers of its own");
        assert_eq!(sessions.replay(&session(3, 5), 7), Some(CommandResult::Expired), "nobody registered by that name");
    }

    #[test]
    fn the_client_that_was_silent_longest_is_forgotten_and_told_so() {
        let most = MAX_CLIENTS as u64;
        let mut sessions = Sessions::default();
        for client in 1..=most {
            sessions.register(LogIndex(client));
            sessions.record(session(client, 1), 7, LogIndex(10_000 + client), put(client));
        }
        sessions.record(session(1, 2), 7, LogIndex(20_000), put(20_000));
        sessions.register(LogIndex(20_001));
        assert_eq!((sessions.clients.len(), sessions.by_age.len()), (MAX_CLIENTS, MAX_CLIENTS));
        assert_eq!(sessions.replay(&session(1, 2), 7), Some(put(20_000)));
        for seq in [1, 2] {
            let late = sessions.replay(&session(2, seq), 7);
            assert_eq!(late, Some(CommandResult::Expired), "forgotten: a retry must not take effect again");
        }
        assert_eq!(sessions.replay(&session(3, 1), 7), Some(put(3)));
        assert_eq!(sessions.replay(&session(20_001, 1), 7), None);
        let stored = postcard::to_stdvec(&sessions).unwrap();
        assert_eq!(postcard::from_bytes::<Sessions>(&stored).unwrap(), sessions, "digest included");
    }
}
