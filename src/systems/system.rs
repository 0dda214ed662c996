//! The trait of all systems under test.

use std::{fmt, time::Duration};

use nemesis::{ClusterEvent, NodeNeed, Operator};
use workloads::Connector;

use super::{
    cluster::{ClientSetup, Deployment, Ports, StartCommand, Timing},
    defect::PlantedDefect,
    options::{OptionDescription, Options, Settings},
    reads::{Conditions, Expectation, ReadMode, ReadModeDescription},
    status::{Status, StatusPage, StatusRequest},
    trace::{LogEvent, LogLine, TraceRecord},
};
use crate::terminal::words::did_you_mean;

/// A system under test. Roles, clocks, logs and traces are optional: without them a run shows less, faults that need
/// them are refused, and nothing else changes.
pub(crate) trait System: fmt::Debug + Sync {
    /// Returns the name by which plans know the system.
    fn name(&self) -> &str;

    /// Returns its read modes, in the order in which they are offered.
    fn read_modes(&self) -> &[ReadModeDescription];

    /// Returns the read mode of a run that names none.
    fn default_read(&self) -> ReadMode {
        self.read_modes()[0].name.as_ref().into()
    }

    /// Returns the names of the workloads that its clients can carry out.
    fn workloads(&self) -> &[&str];

    /// Returns the maximum number of its nodes, if it has one of its own.
    fn most_nodes(&self) -> Option<u16> {
        None
    }

    /// Returns true if a client can set a register on the condition that it has a certain value.
    fn has_cas(&self) -> bool {
        true
    }

    /// Returns the name of a program that this host lacks and nodes need, and what to do about it.
    fn missing_program(&self) -> Option<(String, String)> {
        None
    }

    /// Returns what its nodes need that not every host has.
    fn node_needs(&self) -> Vec<NodeNeed> {
        Vec::new()
    }

    /// Returns the options that a user may set.
    fn options(&self) -> &[OptionDescription] {
        &[]
    }

    /// Returns the settings of the nodes for a read mode, with these options; `trace` if they shall write a trace of
    /// every message.
    ///
    /// # Errors
    /// Explains which of these do not go together, and what to do about it.
    fn settings(&self, _read: &ReadMode, options: &Options, trace: bool) -> Result<Settings, String> {
        let asked = options.iter().map(|(name, _)| name).chain(trace.then_some("trace")).next();
        asked.map_or_else(|| Ok(Settings::default()), |name| Err(format!("{} has no option --{name}", self.name())))
    }

    /// Checks settings that come from a file.
    ///
    /// # Errors
    /// Names what is missing or wrong.
    fn check_settings(&self, _settings: &Settings) -> Result<(), String> {
        Ok(())
    }

    /// Returns the options, beyond those of the read mode by itself, that lead to these settings.
    fn options_of(&self, _read: &ReadMode, _settings: &Settings) -> Options {
        Options::default()
    }

    /// Returns the defect that is planted in nodes with these settings.
    fn defect(&self, _settings: &Settings) -> Option<PlantedDefect> {
        None
    }

    /// Returns true if nodes with these settings write a trace of every message.
    fn writes_trace(&self, _settings: &Settings) -> bool {
        false
    }

    /// Returns what theory says of a read mode under these conditions. Of a workload that it does not know, a system
    /// promises nothing.
    fn expected(&self, conditions: &Conditions<'_>) -> Expectation {
        let known = self.read_modes().iter().find(|known| known.name == conditions.read.name());
        let known = known.filter(|_| self.workloads().contains(&conditions.workload));
        known.map_or(Expectation::MayFail, |known| known.guarantee.expected(conditions))
    }

    /// Returns the times that are typical of nodes with these settings.
    fn timing(&self, _settings: &Settings) -> Timing {
        Timing::default()
    }

    /// Returns the ports of a node on a host of its own.
    fn ports(&self) -> Ports;

    /// Returns the command that starts a node, whose numbers count from 1, and prepares its folder if it needs more
    /// than that.
    ///
    /// # Errors
    /// Fails if the folder cannot be prepared.
    fn start_command(&self, id: u16, deployment: &Deployment) -> anyhow::Result<StartCommand>;

    /// Returns the way in which a node is asked whether it is up, and for its role.
    fn status_request(&self, id: u16, deployment: &Deployment) -> StatusRequest;

    /// Reads the answer of a node that was asked for its status; none if the node is not up.
    fn read_status(&self, page: &StatusPage) -> Option<Status>;

    /// Reads the answers of all nodes, in order of their numbers.
    fn read_statuses(&self, pages: &[Option<StatusPage>]) -> Vec<Option<Status>> {
        pages.iter().map(|page| self.read_status(page.as_ref()?)).collect()
    }

    /// Creates the clients of a load.
    ///
    /// # Errors
    /// Fails if there can be none.
    fn connector(&self, clients: &ClientSetup<'_>) -> anyhow::Result<Connector>;

    /// Describes what went wrong with the clients themselves so far, if anything, on one line.
    fn client_problems(&self) -> Option<String> {
        None
    }

    /// Returns true if nodes say who leads. Otherwise no fault can be aimed at the leader, and nobody knows how often
    /// the leader changed.
    fn has_roles(&self) -> bool {
        false
    }

    /// Returns true if the nodes' logs say who led, and when.
    fn logs_roles(&self) -> bool {
        self.has_roles()
    }

    /// Returns true if a leader that was deposed may believe for long that it leads. Otherwise it steps down at about
    /// the time at which another can lead.
    fn deposed_leaders_linger(&self, _settings: &Settings) -> bool {
        true
    }

    /// Returns true if each term has one leader at most, so that two that lead one are a violation.
    fn elects_once_a_term(&self) -> bool {
        false
    }

    /// Returns the time in which a cluster answers again that has a majority, after the beginning and after the end of
    /// a fault; none if nothing is promised.
    fn recovers_within(&self, _settings: &Settings) -> Option<Duration> {
        None
    }

    /// Returns true if the status of the nodes shows when an event happens, so that a fault can wait for it.
    fn tells(&self, event: ClusterEvent) -> bool {
        matches!(event, ClusterEvent::LeaderElected | ClusterEvent::LeaderLost) && self.has_roles()
    }

    /// Returns true if nodes read the time from [`Deployment::clock_file`]. Otherwise their clocks are skewed through
    /// their vDSOs.
    fn reads_clock_file(&self) -> bool {
        false
    }

    /// Returns true if its clients can send a write again in a session in which it takes effect once.
    fn has_sessions(&self) -> bool {
        false
    }

    /// Returns true if its members can be changed, through [`operator`](Self::operator).
    fn can_change_members(&self) -> bool {
        false
    }

    /// Returns the operator that asks a cluster for changes of its members, if they can be changed.
    fn operator(&self, _deployment: &Deployment) -> Option<Box<dyn Operator>> {
        None
    }

    /// Returns the name of the file in a node's folder that its trace of messages goes to, if it can write one.
    fn trace_file(&self) -> Option<&str> {
        None
    }

    /// Reads a line of a trace; none if it is not one. Of messages before `from_mono_ns`, only the time matters.
    fn read_trace(&self, _line: &str, _from_mono_ns: u64) -> Option<TraceRecord> {
        None
    }

    /// Parses the changes of roles and processes in a node's log. Skips other lines, and a last line that a killed
    /// node left unfinished.
    fn read_log(&self, _log: &str) -> Vec<LogEvent> {
        Vec::new()
    }

    /// Reads the lines of a node's log that have a time on the host's monotonic clock.
    fn read_lines(&self, _log: &str) -> Vec<LogLine> {
        Vec::new()
    }

    /// Returns the last output of a node, given the end of its log, without its routine events.
    fn last_words(&self, log: &str) -> String {
        log.trim().to_owned()
    }
}

impl dyn System {
    /// Returns the description of a read mode, if the system has it.
    pub(crate) fn describe_read(&self, read: &ReadMode) -> Option<&ReadModeDescription> {
        self.read_modes().iter().find(|known| known.name == read.name())
    }

    /// Checks that the system has a read mode.
    ///
    /// # Errors
    /// Fails with the names of those that it has.
    pub(crate) fn check_read(&self, read: &ReadMode) -> Result<(), String> {
        if self.describe_read(read).is_some() {
            return Ok(());
        }
        let known: Vec<&str> = self.read_modes().iter().map(|known| &*known.name).collect();
        let similar = did_you_mean(read.name(), known.iter().copied());
        Err(format!("{} has no read mode {:?}; it has: {}{similar}", self.name(), read.name(), known.join(", ")))
    }

    /// Checks that the system has a workload.
    ///
    /// # Errors
    /// Fails with the names of those that it has.
    pub(crate) fn check_workload(&self, name: &str) -> Result<(), String> {
        if self.workloads().contains(&name) && workloads::workload(name).is_some() {
            return Ok(());
        }
        let similar = did_you_mean(name, self.workloads().iter().copied());
        Err(format!("{} has no workload {name:?}; available: {}{similar}", self.name(), self.workloads().join(", ")))
    }
}
