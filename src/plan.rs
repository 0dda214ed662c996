//! The plan of a run: plain data, decided before anything starts, so that the seed reproduces it.

use std::{ops::RangeInclusive, time::Duration};

use nemesis::{FaultSpecs, PlannedFault, ScheduleOptions};
use serde::{Deserialize, Serialize};

use crate::{systems::schism::Settings, ui::verdict::counted};

/// Number of nodes that a cluster may have.
pub(crate) const NODES: RangeInclusive<u16> = 1..=9;

/// Read mode of a node; see the README for the guarantees of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ReadMode {
    /// any node, from its own state; elections: basic, since they change nothing about it
    Local,
    /// whoever believes that it leads; elections: basic, for these are the reads of the paper's figure 2
    Leader,
    /// the leader, while its lease runs by its own clock; elections: check-quorum, for a lease rests on loyal voters
    Lease,
    /// the leader, after a round of heartbeats (`ReadIndex`); elections: basic, where deposed leaders linger that it
    /// must withstand
    Quorum,
    /// as an entry of the log; elections: basic, as for quorum
    Log,
}

/// Election mode: the duties of leaders and voters beyond the votes themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Elections {
    /// figure 2 alone: a leader leads until it hears of a later term, and voters vote whomever they hear
    #[default]
    Basic,
    /// a leader that no majority answers steps down, and voters are loyal to the leader that they hear (as in etcd;
    /// leases need it)
    CheckQuorum,
}

impl Elections {
    /// Returns the name used on the node's command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::CheckQuorum => "check-quorum",
        }
    }

    /// Checks that reads of this mode make sense with these elections.
    ///
    /// # Errors
    /// Fails for lease reads with basic elections, as another leader could be elected during the lease.
    pub(crate) fn check(self, read: ReadMode) -> Result<(), String> {
        if (self, read) == (Self::Basic, ReadMode::Lease) {
            let why = "lease reads need loyal voters, which basic Raft has not: another leader could be elected while the lease runs. \
                       Leave `lease` out, or ask for --elections check-quorum";
            return Err(why.to_owned());
        }
        Ok(())
    }
}

impl ReadMode {
    /// Returns the name used in the node's API.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Leader => "leader",
            Self::Lease => "lease",
            Self::Quorum => "quorum",
            Self::Log => "log",
        }
    }

    /// Returns the default elections of this read mode; the help of each mode gives the reason.
    pub(crate) fn elections(self) -> Elections {
        match self {
            Self::Lease => Elections::CheckQuorum,
            Self::Local | Self::Leader | Self::Quorum | Self::Log => Elections::Basic,
        }
    }
}

/// Plan of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Version of schism that made the plan.
    pub(crate) version: String,
    pub(crate) system: String,
    pub(crate) nodes: u16,
    pub(crate) read: ReadMode,
    pub(crate) workload: String,
    /// Faults as asked for; `schedule` is made from them.
    pub(crate) faults: FaultSpecs,
    pub(crate) seed: u64,
    /// Duration of the load, ms.
    pub(crate) time_limit_ms: u64,
    /// Operations per second of all clients together; 0 for as many as possible.
    pub(crate) rate: u32,
    pub(crate) concurrency: u16,
    pub(crate) keys: u16,
    /// Percentage of reads among the operations; writes and cas share the rest four to one.
    pub(crate) read_percent: u8,
    /// Time that a client waits for an answer, ms.
    pub(crate) operation_timeout_ms: u64,
    pub(crate) settings: Settings,
    pub(crate) schedule: Vec<PlannedFault>,
}

impl Default for Plan {
    /// Returns a plan of five nodes and 25 clients with 500 operations per second on 5 keys for 20 s.
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            system: "schism".to_owned(),
            nodes: 5,
            read: ReadMode::Quorum,
            workload: "register".to_owned(),
            faults: FaultSpecs::default(),
            seed: 0,
            time_limit_ms: 20_000,
            rate: 500,
            concurrency: 25,
            keys: 5,
            read_percent: 50,
            operation_timeout_ms: 1_000,
            settings: Settings::default(),
            schedule: Vec::new(),
        }
    }
}

impl Plan {
    /// Draws the schedule of faults from the seed.
    pub(crate) fn schedule(mut self) -> Self {
        let options = ScheduleOptions {
            faults: self.faults.0.clone(),
            nodes: self.nodes,
            time_limit: self.time_limit(),
            ..ScheduleOptions::default()
        };
        self.schedule = nemesis::plan(self.seed, &options);
        self
    }

    pub(crate) fn time_limit(&self) -> Duration {
        Duration::from_millis(self.time_limit_ms)
    }

    /// Summarizes the run in a few words.
    pub(crate) fn summary(&self) -> String {
        let nodes = counted(self.nodes.into(), "node");
        format!("{nodes}, {} reads, faults {}, seed {}", self.read.name(), self.faults, self.seed)
    }

    /// Returns the command that repeats the run.
    pub(crate) fn command(&self) -> String {
        let elections = Some(self.settings.elections).filter(|elections| *elections != self.read.elections());
        let elections = elections.map_or_else(String::new, |elections| format!(" --elections {}", elections.name()));
        let trace = if self.settings.trace { " --trace" } else { "" };
        format!(
            "schism run --read {} --faults {} --nodes {} --read-share {} --time-limit {}ms --rate {} --concurrency {} --keys {} --seed {}{elections}{trace}",
            self.read.name(),
            self.faults,
            self.nodes,
            self.read_percent,
            self.time_limit_ms,
            self.rate,
            self.concurrency,
            self.keys,
            self.seed,
        )
    }

    /// Checks that the plan is possible.
    ///
    /// # Errors
    /// Fails if the number of nodes is out of range.
    pub(crate) fn check(&self) -> Result<(), String> {
        if NODES.contains(&self.nodes) {
            return Ok(());
        }
        Err(format!("a cluster has from {} to {} nodes, not {}", NODES.start(), NODES.end(), self.nodes))
    }

    /// Returns the name of the run's folder in the store.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}-{}", self.system, self.workload, self.read.name())
    }
}
