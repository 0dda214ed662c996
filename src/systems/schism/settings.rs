//! Settings of our own nodes: their timeouts, their elections, and whether they write traces.

use std::{num::NonZeroU64, time::Duration};

use node::Defect;
use serde::{Deserialize, Serialize};

use super::{
    super::{OptionDescription, Options, ReadMode, Settings},
    reads::LEASE,
};
use crate::terminal::words::typed;

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

/// Options of the nodes.
pub(super) const OPTIONS: [OptionDescription; 4] = [ELECTIONS, DEFECT, SNAPSHOT_AFTER, REQUEST_TIMEOUT];

pub(super) const ELECTIONS: OptionDescription = OptionDescription {
    name: "elections",
    values: "basic or check-quorum",
    accepts: |value| Elections::named(value).is_some(),
};
pub(super) const DEFECT: OptionDescription = OptionDescription {
    name: "defect",
    values: "one of those that `schism defects` lists",
    accepts: |value| value.parse::<Defect>().is_ok(),
};
pub(super) const SNAPSHOT_AFTER: OptionDescription = OptionDescription {
    name: "snapshot-after",
    values: "a number of entries, at least 1",
    accepts: |value| value.parse::<NonZeroU64>().is_ok(),
};
const REQUEST_TIMEOUT: OptionDescription = OptionDescription {
    name: "request-timeout",
    values: "a time from 1ms to 60s",
    accepts: |value| parse_ms(value).is_some(),
};

fn parse_ms(text: &str) -> Option<u64> {
    let ms = u64::try_from(humantime::parse_duration(text).ok()?.as_millis()).ok()?;
    (1..=60_000).contains(&ms).then_some(ms)
}

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
        ELECTIONS.check(asked)?;
        Ok(Self::named(asked).unwrap_or_default())
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Basic, Self::CheckQuorum].into_iter().find(|known| known.name() == name)
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
    /// Number of log entries after which a snapshot replaces the log.
    #[serde(default = "usual_snapshot_after")]
    pub(super) snapshot_after: u64,
    /// Time after which a node gives an unfinished request up.
    #[serde(default = "first_request_timeout_ms")]
    pub(super) request_timeout_ms: u64,
    /// Planted defect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) defect: Option<Defect>,
}

fn usual_snapshot_after() -> u64 {
    NodeSettings::of_defect(None).snapshot_after
}

/// Returns the time that all nodes had before runs could have another.
fn first_request_timeout_ms() -> u64 {
    2_000
}

impl NodeSettings {
    /// Returns the settings that a read mode and options lead to.
    ///
    /// # Errors
    /// Names an option with an impossible value, or says what does not go together.
    pub(super) fn asked(read: &ReadMode, options: &Options, trace: bool) -> Result<Self, String> {
        let get = |option: &OptionDescription| {
            let value = options.get(option.name);
            value.map_or(Ok(()), |value| option.check(value)).map(|()| value)
        };
        let elections = Elections::asked(read, options)?;
        elections.check(read)?;
        let usual = Self::of_defect(get(&DEFECT)?.and_then(|name| name.parse().ok()));
        let snapshot_after = get(&SNAPSHOT_AFTER)?.and_then(|value| value.parse().ok());
        Ok(Self {
            elections,
            trace,
            snapshot_after: snapshot_after.unwrap_or(usual.snapshot_after),
            request_timeout_ms: get(&REQUEST_TIMEOUT)?.and_then(parse_ms).unwrap_or(usual.request_timeout_ms),
            ..usual
        })
    }

    /// Returns the options that lead to these settings, beyond those that the read mode has by itself.
    pub(super) fn options(&self, read: &ReadMode) -> Options {
        let usual = Self::of_defect(self.defect);
        let snapshot_after = (self.snapshot_after != usual.snapshot_after).then(|| self.snapshot_after.to_string());
        let request_timeout = (self.request_timeout_ms != usual.request_timeout_ms)
            .then(|| typed(Duration::from_millis(self.request_timeout_ms)));
        Options::default()
            .with(ELECTIONS.name, Some(self.elections.name()).filter(|_| self.elections != Elections::of(read)))
            .with(DEFECT.name, self.defect.map(Defect::name))
            .with(SNAPSHOT_AFTER.name, snapshot_after.as_deref())
            .with(REQUEST_TIMEOUT.name, request_timeout.as_deref())
    }

    /// Returns the usual settings, with heartbeats so frequent that even a leader whose clock runs at a fifth of the
    /// speed keeps its followers from standing for election. Nodes give requests up before clients do: otherwise most
    /// clients of a deposed leader wait for it, and few read what is stale. With a defect, nodes make snapshots often,
    /// as some defects show only then.
    fn of_defect(defect: Option<Defect>) -> Self {
        Self {
            election_timeout_ms: 300,
            heartbeat_interval_ms: 40,
            elections: Elections::default(),
            trace: false,
            snapshot_after: if defect.is_some() { 100 } else { 10_000 },
            request_timeout_ms: 500,
            defect,
        }
    }

    /// Reads settings that were checked.
    pub(super) fn of(settings: &Settings) -> Self {
        settings.read().expect("the settings of a plan were checked")
    }

    pub(super) fn election_timeout(&self) -> Duration {
        Duration::from_millis(self.election_timeout_ms)
    }

    pub(super) fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }

    pub(super) fn heartbeat_interval(&self) -> Duration {
        Duration::from_millis(self.heartbeat_interval_ms)
    }
}
