//! Systems under test, one file or folder each: how a node is started, when it is ready, its status, its clients, its
//! guarantees, and the files that it writes. A plan names one. The code that carries out, judges and shows runs knows
//! only [`System`].

mod cluster;
mod defect;
pub(crate) mod file;
mod log_status;
mod option_fields;
mod options;
mod reads;
#[cfg(test)]
pub(crate) mod roleless;
pub(crate) mod schism;
mod status;
mod status_client;
mod system;
mod trace;

use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use self::{
    cluster::{Address, ClientSetup, Deployment, Ports, StartCommand, Timing},
    defect::PlantedDefect,
    file::{FileSystem, SystemFile, TrialStep, response_words},
    log_status::LogLines,
    option_fields::OptionError,
    options::{OptionDescription, Options, Settings},
    reads::{Conditions, Expectation, Guarantee, ReadMode, ReadModeDescription},
    status::{
        Checkpoint, Counters, Effort, RoleStatus, Status, StatusPage, StatusRequest, describe_unsettled, is_ready,
        is_settled, leader_of, leaders_of, members_of,
    },
    status_client::StatusClient,
    system::System,
    trace::{LogEvent, LogEventKind, LogLine, MessageContent, MessageKind, Purpose, Role, TraceEvent, TraceRecord},
};

/// Systems that a plan can name; the first is the default.
const SYSTEMS: &[&dyn System] = &[
    &schism::Schism,
    #[cfg(test)]
    &roleless::Roleless,
];

/// Iterates over all systems.
pub(crate) fn systems() -> impl Iterator<Item = &'static dyn System> + Clone {
    SYSTEMS.iter().copied()
}

/// Name of a system in plans.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct SystemName(String);

impl SystemName {
    /// Returns the system of this name.
    ///
    /// # Errors
    /// Fails with the names of the systems that exist.
    pub(crate) fn find(&self) -> Result<&'static dyn System, String> {
        systems().find(|system| system.name() == self.0).ok_or_else(|| {
            let known: Vec<_> = systems().map(System::name).collect();
            let verb = if known.len() == 1 { "is" } else { "are" };
            format!("there is no system {:?}; there {verb}: {}", self.0, known.join(", "))
        })
    }

    /// Returns the arguments of `schism run` that choose the system; none for the default one.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = String> {
        let chosen = (*self != Self::default()).then(|| ["--system".to_owned(), self.0.clone()]);
        chosen.into_iter().flatten()
    }
}

impl Default for SystemName {
    fn default() -> Self {
        Self(SYSTEMS[0].name().to_owned())
    }
}

impl From<&str> for SystemName {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl fmt::Display for SystemName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Returns the names of the files in a node's folder that traces of messages go to, of all systems.
pub(crate) fn trace_files() -> impl Iterator<Item = &'static str> + Clone {
    systems().filter_map(System::trace_file)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Conditions, Expectation, Options, System as _, SystemName, roleless, systems};

    #[test]
    fn systems_are_found_by_name_and_others_answered_with_those_that_there_are() {
        for system in systems() {
            assert_eq!(SystemName::from(system.name()).find().unwrap().name(), system.name());
        }
        assert_eq!(
            SystemName::from("etcd").find().unwrap_err(),
            "there is no system \"etcd\"; there are: schism, \
        roleless"
        );
    }

    #[test]
    fn guarantees_say_what_to_expect_where_a_system_says_no_more() {
        let faults: nemesis::FaultSpecs = "kill,clock".parse().unwrap();
        let expected = |read: &str, workload| {
            let conditions = Conditions { read: &read.into(), workload, options: &Options::default(), faults: &faults };
            roleless::Roleless.expected(&conditions)
        };
        assert_eq!(expected("fresh", "register"), Expectation::Holds);
        assert_eq!(expected("near", "register"), Expectation::MayFail);
        assert_eq!(expected("fresh", "set"), Expectation::MayFail, "it knows no sets");
    }

    #[test]
    fn each_system_knows_its_own_read_modes_and_workloads() {
        for system in systems() {
            let names: BTreeSet<_> = system.read_modes().iter().map(|known| &known.name).collect();
            assert_eq!(names.len(), system.read_modes().len(), "{system:?}");
            assert_eq!(system.check_read(&system.default_read()), Ok(()));
            let refused = system.check_read(&"lucky".into()).unwrap_err();
            assert!(names.iter().all(|name| refused.contains(&***name)) && refused.contains("lucky"), "{refused}");
            for workload in system.workloads() {
                assert_eq!(system.check_workload(workload), Ok(()));
            }
            let refused = system.check_workload("nothing").unwrap_err();
            assert!(refused.contains("nothing") && refused.contains(system.workloads()[0]), "{refused}");
        }
    }
}
