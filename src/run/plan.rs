//! The plan of a run: plain data, decided before anything starts, so that the seed reproduces it.

use std::{ops::RangeInclusive, time::Duration};

use nemesis::{
    DiskFault, EntryRule, Fault, FaultKind, FaultSpecs, FaultTiming, PartitionBy, PlannedFault, ScheduleOptions,
    SkewWay,
};
use serde::{Deserialize, Serialize};
use workloads::{WORKLOADS, Workload};

pub(crate) use super::simulation::Simulation;
use crate::{
    store::SchemaVersion,
    systems::{Options, PlantedDefect, ReadMode, Settings, System, SystemFile, SystemName},
    terminal::words::{counted, parse_time, reads_of, typed},
};

/// Time of the first fault in a run of real processes: a few dozen writes are enough to lose or to miss.
const FIRST_FAULT: Duration = Duration::from_millis(300);

/// Number of nodes that a cluster may have.
const NODES: RangeInclusive<u16> = 1..=9;

/// Number of spare nodes of a run that adds members: two, so that one may take the place of another.
const SPARES: u16 = 2;

/// Returns the name of the workload of a run that names none, of a system that has it.
pub(crate) fn default_workload() -> String {
    WORKLOADS[0].name().to_owned()
}

/// Returns the default workload, or the first that all these systems have if one of them lacks it.
pub(crate) fn usual_workload(systems: &[&dyn System]) -> String {
    let of_first = systems.first().map(|system| system.workloads()).unwrap_or_default();
    let usual = default_workload();
    let mut known = std::iter::once(&*usual).chain(of_first.iter().copied());
    let common = known.find(|name| systems.iter().all(|system| system.workloads().contains(name)));
    common.map_or_else(|| usual.clone(), str::to_owned)
}

/// Returns the number of nodes of a run that names none: `wanted`, or what these systems can have at most.
pub(crate) fn usual_nodes(systems: &[&dyn System], wanted: u16) -> u16 {
    systems.iter().filter_map(|system| system.most_nodes()).fold(wanted, u16::min)
}

/// Returns the partition that shows most: that of the leader, where somebody says who leads.
pub(crate) fn usual_partition(has_roles: bool) -> &'static str {
    if has_roles { "partition:isolate-leader" } else { "partition" }
}

/// Returns the arguments of `schism run` that choose a system: its name, or else the file that describes it.
pub(crate) fn system_arguments(name: &SystemName, file: Option<&SystemFile>) -> Vec<String> {
    file.map_or_else(|| name.arguments().collect(), |file| vec!["--system".to_owned(), file.path.clone()])
}

/// Checks that a cluster of a system can have this number of nodes.
///
/// # Errors
/// Fails with the numbers that are possible.
pub(crate) fn check_nodes(system: &dyn System, nodes: u16) -> Result<(), String> {
    if !NODES.contains(&nodes) {
        return Err(format!("a cluster has from {} to {} nodes, not {nodes}", NODES.start(), NODES.end()));
    }
    match system.most_nodes().filter(|most| nodes > *most) {
        Some(most) => Err(format!("{} has at most {}, not {nodes}", system.name(), counted(most.into(), "node"))),
        None => Ok(()),
    }
}

/// Checks that clients of a system can send a write again that takes effect once.
///
/// # Errors
/// Fails with the name of the system.
pub(crate) fn check_retry(system: &dyn System) -> Result<(), String> {
    let why = || format!("{} has no sessions in which a write that is sent again takes effect once", system.name());
    system.has_sessions().then_some(()).ok_or_else(why)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
fn is_zero(number: &u8) -> bool {
    *number == 0
}

/// Checks that a system can be under faults like these: that it says who leads if one is aimed at the leader, that its
/// nodes read a clock file if one shall skew their clocks by that, that its members can be changed if one changes them,
/// and that it says when the event happens that one waits for.
///
/// # Errors
/// Fails with the name of the first fault that cannot be.
pub(crate) fn check_faults(system: &dyn System, schedule: &[PlannedFault]) -> Result<(), RefusedFault> {
    let (name, has_roles, reads_clock_file) = (system.name(), system.has_roles(), system.reads_clock_file());
    for PlannedFault { fault, aim, when, .. } in schedule {
        let is_by_file = matches!(fault, Fault::Clock { skew, .. } if skew.by == Some(SkewWay::File));
        let (why, remedy) = if is_by_file && !reads_clock_file {
            ("has nodes that read no clock file", "leave `by=file` out")
        } else if fault.kind().changes_members() && !system.can_change_members() {
            ("has no way to change its members", "leave add, remove, replace and transfer out")
        } else if when.is_some_and(|when| !system.tells(when.event)) {
            ("does not say when that happens", "give a time: `at` instead of `when`")
        } else if aim.is_none() && fault.needs_leader() && !has_roles {
            ("does not say who leads", "aim it at random, or at a node such as n1")
        } else {
            continue;
        };
        let event = when.map_or_else(String::new, |when| format!(" at `{}`", when.event.name()));
        return Err(RefusedFault { what: format!("cannot {fault}{event}: {name} {why}"), remedy });
    }
    Ok(())
}

/// Fault that is not possible with a system.
#[derive(Debug)]
pub(crate) struct RefusedFault {
    /// Name of the fault, and the reason.
    pub(crate) what: String,
    pub(crate) remedy: &'static str,
}

/// Plan of one run.
#[expect(clippy::struct_excessive_bools, reason = "switches of a run")]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    #[serde(default = "SchemaVersion::unversioned")]
    pub(crate) schema_version: SchemaVersion,
    /// Version of schism that made the plan.
    pub(crate) version: String,
    pub(crate) system: SystemName,
    /// File that describes the system, if it is none of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) system_file: Option<SystemFile>,
    pub(crate) nodes: u16,
    pub(crate) read: ReadMode,
    pub(crate) workload: String,
    /// Faults as asked for; `schedule` is made from them.
    pub(crate) faults: FaultSpecs,
    /// Way to partition hosts; missing in runs of versions that used whichever program there was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) partition_by: Option<PartitionBy>,
    /// Times of the faults; those of the system if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timing: Option<FaultTiming>,
    /// True if faults may overlap.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) overlap: bool,
    /// True if the frames of each host's port are written to files.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) pcap: bool,
    /// Path of the script that says when which fault comes, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) script: Option<String>,
    /// Path of the run that this one repeats, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) repeats: Option<String>,
    pub(crate) seed: u64,
    /// Duration of the load, ms.
    pub(crate) time_limit_ms: u64,
    /// Operations per second of all clients together; 0 for as many as possible.
    pub(crate) rate: u32,
    pub(crate) concurrency: u16,
    pub(crate) keys: u16,
    /// Percentage of the operations that are on one of the keys in use; the others are spread evenly.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) hot_key_percent: u8,
    /// True if clients of real processes send writes that were not answered again, in sessions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) retry: bool,
    /// True if no node is probed for availability.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) no_probes: bool,
    /// Percentage of reads among the operations; writes and cas share the rest four to one.
    pub(crate) read_percent: u8,
    /// Time that a client waits for an answer, ms.
    pub(crate) operation_timeout_ms: u64,
    pub(crate) settings: Settings,
    /// True if the load ends with the first violation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) stop_on_violation: bool,
    /// Conditions of a run on virtual time; none for one of real processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) simulation: Option<Simulation>,
    pub(crate) schedule: Vec<PlannedFault>,
}

impl Default for Plan {
    /// Returns a plan of five nodes and 25 clients with 500 operations per second on 5 keys for 20 s.
    fn default() -> Self {
        let name = SystemName::default();
        let system = name.find().expect("there is a default system");
        let read = system.default_read();
        Self {
            schema_version: SchemaVersion::default(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            settings: system.settings(&read, &Options::default(), false).expect("the defaults go together"),
            system: name,
            system_file: None,
            nodes: 5,
            read,
            workload: default_workload(),
            faults: FaultSpecs::default(),
            partition_by: Some(PartitionBy::default()),
            timing: None,
            overlap: false,
            pcap: false,
            script: None,
            repeats: None,
            seed: 0,
            time_limit_ms: 20_000,
            rate: 500,
            concurrency: 25,
            keys: 5,
            hot_key_percent: 0,
            retry: false,
            no_probes: false,
            read_percent: 50,
            operation_timeout_ms: 1_000,
            stop_on_violation: false,
            simulation: None,
            schedule: Vec::new(),
        }
    }
}

impl Plan {
    /// Draws the schedule of faults from the seed.
    pub(crate) fn schedule(mut self) -> Self {
        self.schedule = nemesis::plan(self.seed, &self.schedule_options());
        self
    }

    /// Returns the parameters of its schedule.
    pub(crate) fn schedule_options(&self) -> ScheduleOptions {
        let fault = self.system().timing(&self.settings).fault;
        let usual = ScheduleOptions::default();
        ScheduleOptions {
            first_at: if self.simulation.is_some() { usual.first_at } else { FIRST_FAULT },
            has_leader: self.system().has_roles(),
            lasts: (fault, fault * 4 / 3),
            faults: self.faults.0.clone(),
            timing: self.timing,
            overlap: self.overlap,
            nodes: self.nodes,
            time_limit: self.time_limit(),
            ..usual
        }
    }

    /// Returns the system under test, whose name was checked.
    pub(crate) fn system(&self) -> &'static dyn System {
        self.find_system().expect("a plan that was checked has a system that exists")
    }

    fn find_system(&self) -> Result<&'static dyn System, String> {
        let Some(file) = &self.system_file else { return self.system.find() };
        let system = file.system()?;
        if SystemName::from(system.name()) == self.system {
            return Ok(system);
        }
        Err(format!("the file of system {} describes another, {}", self.system, system.name()))
    }

    /// Returns the defect that is planted in the nodes, if there is one.
    pub(crate) fn defect(&self) -> Option<PlantedDefect> {
        self.system().defect(&self.settings)
    }

    /// Returns the workload, whose name was checked.
    pub(crate) fn workload(&self) -> &'static dyn Workload {
        workloads::workload(&self.workload).expect("a plan that was checked has a workload that exists")
    }

    /// Returns the number of all nodes: the members at first, and spare ones if any may be added.
    pub(crate) fn all_nodes(&self) -> u16 {
        let is_needed = self.schedule.iter().any(|planned| planned.fault.kind().needs_spares());
        self.nodes + if is_needed { SPARES } else { 0 }
    }

    /// Returns the rule by which entries of folders are durable, if the nodes need disks of ours: the strictest that a
    /// fault asks for.
    pub(crate) fn entry_rule(&self) -> Option<EntryRule> {
        let rules = self.schedule.iter().filter_map(|planned| planned.fault.of_disk()).map(DiskFault::entry_rule);
        rules.max()
    }

    pub(crate) fn time_limit(&self) -> Duration {
        Duration::from_millis(self.time_limit_ms)
    }

    /// Returns the state in which the cluster was ready for clients, in words.
    pub(crate) fn readiness(&self) -> &'static str {
        if self.system().has_roles() { "a leader" } else { "all nodes up" }
    }

    /// Summarizes the run in a few words.
    pub(crate) fn summary(&self) -> String {
        let nodes = counted(self.nodes.into(), "node");
        let is_default = self.workload == default_workload();
        let workload = if is_default { String::new() } else { format!(", workload {}", self.workload) };
        let simulated = if self.simulation.is_some() { "simulated, " } else { "" };
        let defect = self.defect().map_or_else(String::new, |defect| format!("planted defect {}, ", defect.name));
        let reads = reads_of(self.read.name());
        let partitioned = self.schedule.iter().any(|planned| planned.fault.kind() == FaultKind::Partition);
        let by = self.unusual_partitions().filter(|_| partitioned).map(|by| format!(", partitions by {by}"));
        let faults = format!("{}{}", self.faults, by.unwrap_or_default());
        format!("{simulated}{defect}{nodes}, {reads}{workload}, faults {faults}, seed {}", self.seed)
    }

    /// Returns the name of the system, and of the planted defect if there is one.
    pub(crate) fn subject(&self) -> String {
        let defect = self.check().ok().and_then(|()| self.defect());
        defect.map_or_else(|| self.system.to_string(), |defect| format!("{} ({})", self.system, defect.name))
    }

    /// Returns the way to partition hosts, if it is known and not the default one.
    fn unusual_partitions(&self) -> Option<PartitionBy> {
        self.partition_by.filter(|by| *by != PartitionBy::default())
    }

    /// Returns the command that repeats the run.
    pub(crate) fn command(&self) -> String {
        let system = self.system();
        let command = if self.simulation.is_some() { "simulate" } else { "run" };
        let mut words = vec!["schism".to_owned(), command.to_owned()];
        if let Some(path) = &self.repeats {
            words.extend(["--replay".to_owned(), path.clone()]);
            return shell_words(&words);
        }
        words.extend(system_arguments(&self.system, self.system_file.as_ref()));
        let workload = (self.workload != default_workload()).then(|| self.workload.clone());
        for (name, value) in [
            ("--read", Some(self.read.to_string())),
            ("--workload", workload),
            ("--faults", self.script.is_none().then(|| self.faults.to_string())),
            ("--script", self.script.clone()),
            ("--partition-by", self.unusual_partitions().map(|by| by.to_string())),
            ("--nodes", Some(self.nodes.to_string())),
            ("--read-share", Some(self.read_percent.to_string())),
            ("--time-limit", Some(typed(self.time_limit()))),
            ("--rate", Some(self.rate.to_string())),
            ("--concurrency", Some(self.concurrency.to_string())),
            ("--keys", Some(self.keys.to_string())),
            ("--hot-key", (self.hot_key_percent > 0).then(|| self.hot_key_percent.to_string())),
            ("--seed", Some(self.seed.to_string())),
        ] {
            words.extend(value.into_iter().flat_map(|value| [name.to_owned(), value]));
        }
        if let Some(FaultTiming { every, lasts, spread }) = self.timing {
            let [every, lasts] = [every, lasts].map(typed);
            let spread = spread.name().to_owned();
            words.extend(["--every".to_owned(), every, "--for".to_owned(), lasts, "--fault-timing".to_owned(), spread]);
        }
        let switches = [
            (self.overlap, "--overlap"),
            (self.pcap, "--pcap"),
            (self.retry, "--retry"),
            (self.no_probes, "--no-probes"),
            (self.stop_on_violation, "--stop-on-violation"),
        ];
        words.extend(switches.into_iter().filter(|(is_on, _)| *is_on).map(|(_, name)| name.to_owned()));
        words.extend(self.simulation.iter().flat_map(Simulation::arguments));
        words.extend(system.options_of(&self.read, &self.settings).arguments());
        words.extend(system.writes_trace(&self.settings).then(|| "--trace".to_owned()));
        shell_words(&words)
    }

    /// Checks that the plan is possible.
    ///
    /// # Errors
    /// Fails if the number of nodes is out of range, if there is no such system, or if that does not know the read
    /// mode, the workload or the settings.
    pub(crate) fn check(&self) -> Result<(), String> {
        let system = self.find_system()?;
        system.check_read(&self.read)?;
        system.check_workload(&self.workload)?;
        system.check_settings(&self.settings)?;
        if self.retry {
            check_retry(system)?;
        }
        check_nodes(system, self.nodes)
    }

    /// Returns true if its numbers are such as the command line takes.
    pub(crate) fn has_possible_numbers(&self) -> bool {
        let ends_in_time =
            |planned: &PlannedFault| planned.at <= self.time_limit() && planned.lasts <= Duration::from_hours(24);
        (1_000..=86_400_000).contains(&self.time_limit_ms)
            && (1..=1024).contains(&self.concurrency)
            && (1..=1024).contains(&self.keys)
            && self.read_percent <= 100
            && self.hot_key_percent <= 100
            && self.operation_timeout_ms <= 86_400_000
            && self.schedule.iter().all(ends_in_time)
    }

    /// Returns the name of the run's folder in the store.
    pub(crate) fn name(&self) -> String {
        let defect = self.defect().map_or_else(String::new, |defect| format!("-{}", defect.name));
        format!("{}{defect}-{}-{}", self.system, self.workload, self.read.name())
    }
}

/// Returns a line that a shell reads as these words.
pub(crate) fn shell_words(words: &[String]) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "./_-:,=+".contains(c);
    let quoted = |word: &String| {
        let is_word = !word.is_empty() && word.chars().all(is_plain);
        if is_word { word.clone() } else { format!("'{}'", word.replace('\'', r"'\''")) }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// Parses how often faults come, or how long they last.
pub(crate) fn parse_fault_time(text: &str) -> Result<Duration, String> {
    let time = parse_time(text)?;
    let is_possible = (Duration::from_millis(100)..=Duration::from_hours(24)).contains(&time);
    if is_possible { Ok(time) } else { Err("such a time is from 100ms to 24h".to_owned()) }
}

/// Parses a time that clients are busy, or nodes stay up.
pub(crate) fn parse_time_limit(text: &str) -> Result<Duration, String> {
    let limit = parse_time(text)?;
    match limit.as_secs() {
        1..=86_400 => Ok(limit),
        _ => Err("expected a time from 1s to 24h".to_owned()),
    }
}

#[cfg(test)]
mod tests;
