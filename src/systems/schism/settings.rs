//! Settings of our own nodes: their timeouts, their elections, and whether they write traces.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    super::{OptionDescription, Options, ReadMode, Settings},
    reads::LEASE,
};

/// Election mode: the duties of leaders and voters beyond the votes themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Elections {
    /// figure 2 alone: a leader leads until it hears of a later term, and voters vote for anyone
    #[default]
    Basic,
    /// a leader without answers from a majority steps down, and voters are loyal to the leader that they hear (as in
    /// etcd; leases need it)
    CheckQuorum,
}

/// Option that sets the election mode.
pub(super) const ELECTIONS: OptionDescription =
    OptionDescription { name: "elections", values: &[Elections::Basic.name(), Elections::CheckQuorum.name()] };

impl Elections {
    /// Returns the name used on the node's command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::CheckQuorum => "check-quorum",
        }
    }

    /// Returns the default elections of a read mode; the help of each mode gives the reason.
    pub(super) fn of(read: &ReadMode) -> Self {
        if read.name() == LEASE { Self::CheckQuorum } else { Self::Basic }
    }

    /// Returns the elections that were asked for, or else those of the read mode.
    pub(super) fn asked(read: &ReadMode, options: &Options) -> Result<Self, String> {
        let Some(asked) = options.get(ELECTIONS.name) else { return Ok(Self::of(read)) };
        let known = [Self::Basic, Self::CheckQuorum].into_iter().find(|known| known.name() == asked);
        known.ok_or_else(|| format!("there are no {asked} elections; there are: {}", ELECTIONS.values.join(", ")))
    }

    /// Checks that reads of this mode make sense with these elections.
    ///
    /// # Errors
    /// Fails for lease reads with basic elections, as another leader could be elected during the lease.
    pub(super) fn check(self, read: &ReadMode) -> Result<(), String> {
        if self == Self::Basic && read.name() == LEASE {
            let why = "lease reads need loyal voters, which basic Raft has not: another leader could be elected while \
            the lease runs. \
                       Leave `lease` out, or ask for --elections check-quorum";
            return Err(why.to_owned());
        }
        Ok(())
    }
}

/// Settings of a node that a run may choose.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct NodeSettings {
    pub(super) election_timeout_ms: u64,
    pub(super) heartbeat_interval_ms: u64,
    #[serde(default)]
    pub(super) elections: Elections,
    /// True if nodes write a trace of every message.
    #[serde(default)]
    pub(super) trace: bool,
}

impl Default for NodeSettings {
    /// Returns settings with heartbeats so frequent that even a leader whose clock runs at a fifth of the speed keeps
    /// its followers from standing for election.
    fn default() -> Self {
        Self { election_timeout_ms: 300, heartbeat_interval_ms: 40, elections: Elections::default(), trace: false }
    }
}

impl NodeSettings {
    /// Reads settings that were checked.
    pub(super) fn of(settings: &Settings) -> Self {
        settings.read().expect("the settings of a plan were checked")
    }

    pub(super) fn election_timeout(&self) -> Duration {
        Duration::from_millis(self.election_timeout_ms)
    }

    pub(super) fn heartbeat_interval(&self) -> Duration {
        Duration::from_millis(self.heartbeat_interval_ms)
    }
}
