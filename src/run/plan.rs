//! The plan of a run: plain data, decided before anything starts, so that the seed reproduces it.

use std::{ops::RangeInclusive, time::Duration};

use nemesis::{FaultSpecs, PlannedFault, ScheduleOptions};
use serde::{Deserialize, Serialize};
use workloads::{WORKLOADS, Workload};

use crate::{
    store::SchemaVersion,
    systems::{
        System, check_system,
        schism::{ReadMode, Settings},
        system,
    },
    terminal::words::counted,
};

/// Number of nodes that a cluster may have.
pub(crate) const NODES: RangeInclusive<u16> = 1..=9;

/// Checks that there is a workload of this name.
///
/// # Errors
/// Fails with the names of those that there are.
pub(crate) fn check_workload(name: &str) -> Result<(), String> {
    if workloads::workload(name).is_some() {
        return Ok(());
    }
    let known: Vec<_> = WORKLOADS.iter().map(|workload| workload.name()).collect();
    Err(format!("there is no workload {name:?}; there are: {}", known.join(", ")))
}

/// Plan of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    #[serde(default = "SchemaVersion::unnamed")]
    pub(crate) schema_version: SchemaVersion,
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
            schema_version: SchemaVersion::default(),
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

    /// Returns the system under test, whose name was checked.
    pub(crate) fn system(&self) -> &'static dyn System {
        system(&self.system).expect("a plan that was checked has a system that exists")
    }

    /// Returns the workload, whose name was checked.
    pub(crate) fn workload(&self) -> &'static dyn Workload {
        workloads::workload(&self.workload).expect("a plan that was checked has a workload that exists")
    }

    /// Returns the name of the workload with `before` in front of it; nothing for the default one.
    fn workload_after(&self, before: &str) -> String {
        if self.workload == Self::default().workload { String::new() } else { format!("{before}{}", self.workload) }
    }

    pub(crate) fn time_limit(&self) -> Duration {
        Duration::from_millis(self.time_limit_ms)
    }

    /// Summarizes the run in a few words.
    pub(crate) fn summary(&self) -> String {
        let nodes = counted(self.nodes.into(), "node");
        let workload = self.workload_after(", workload ");
        format!("{nodes}, {} reads{workload}, faults {}, seed {}", self.read.name(), self.faults, self.seed)
    }

    /// Returns the command that repeats the run.
    pub(crate) fn command(&self) -> String {
        let elections = Some(self.settings.elections).filter(|elections| *elections != self.read.elections());
        let elections = elections.map_or_else(String::new, |elections| format!(" --elections {}", elections.name()));
        let trace = if self.settings.trace { " --trace" } else { "" };
        let workload = self.workload_after(" --workload ");
        format!(
            "schism run --read {}{workload} --faults {} --nodes {} --read-share {} --time-limit {}ms --rate {} \
            --concurrency {} --keys {} --seed {}{elections}{trace}",
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
    /// Fails if the number of nodes is out of range, or there is no such system or workload.
    pub(crate) fn check(&self) -> Result<(), String> {
        check_system(&self.system)?;
        check_workload(&self.workload)?;
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

/// Parses how long clients are busy.
pub(crate) fn parse_time_limit(text: &str) -> Result<Duration, String> {
    let limit = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match limit.as_secs() {
        1..=86_400 => Ok(limit),
        _ => Err("a run lasts from 1s to 24h".to_owned()),
    }
}
