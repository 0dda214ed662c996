//! Text of a plan, as TOML or JSON: the fields as they are written, among them options of systems, and defaults for
//! those that are left out.

use std::{collections::BTreeMap, iter, time::Duration};

use nemesis::PartitionBy;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;

use super::parts::{FaultMix, Seeds, check_mix, find_system};
use crate::{
    run::plan::{parse_fault_time, usual_nodes},
    systems::{OptionError, Options, ReadMode, System, SystemFile, SystemName, systems},
    terminal::words::{counted, typed},
};

/// Plan as it is written. What is left out follows from its systems.
#[expect(clippy::struct_excessive_bools, reason = "switches of a run")]
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct WrittenPlan {
    pub(crate) systems: Vec<SystemName>,
    /// Files of those systems that are none of ours. Only stored plans have them.
    pub(crate) system_files: Vec<SystemFile>,
    pub(crate) reads: Option<Vec<ReadMode>>,
    pub(crate) faults: Option<Vec<FaultMix>>,
    pub(crate) workloads: Option<Vec<String>>,
    pub(crate) seeds: Seeds,
    pub(crate) nodes: Option<Vec<u16>>,
    pub(crate) read_shares: Vec<u8>,
    #[serde(with = "humantime_text")]
    pub(crate) time_limit: Duration,
    pub(crate) rate: u32,
    pub(crate) concurrency: u16,
    pub(crate) keys: u16,
    pub(crate) hot_key: u8,
    pub(crate) retry: bool,
    pub(crate) no_probes: bool,
    pub(crate) every: Option<FaultTime>,
    #[serde(rename = "for")]
    pub(crate) lasts: Option<FaultTime>,
    pub(crate) overlap: bool,
    pub(crate) trace: bool,
    pub(crate) stop_on_violation: bool,
    pub(crate) partition_by: PartitionBy,
    /// Only stored plans have it.
    pub(crate) skips_idle_cells: bool,
    /// Missing in campaigns that were begun before folders of cells named the workload.
    pub(crate) names_workloads: bool,
    #[serde(flatten, deserialize_with = "options")]
    pub(crate) options: Options,
}

/// Time of faults, as text such as `800ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct FaultTime(pub(crate) Duration);

impl TryFrom<String> for FaultTime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        parse_fault_time(&text).map(Self)
    }
}

impl From<FaultTime> for String {
    fn from(FaultTime(time): FaultTime) -> Self {
        typed(time)
    }
}

/// Checks that times of faults go together.
pub(super) fn check_times(every: Option<FaultTime>, lasts: Option<FaultTime>, overlap: bool) -> Result<(), String> {
    match (every, lasts) {
        (None, None) => Ok(()),
        (Some(every), Some(lasts)) if overlap || lasts.0 < every.0 => Ok(()),
        (Some(_), Some(_)) => Err("faults that last as long as `for` would overlap: set `overlap`".to_owned()),
        _ => Err("`every` and `for` go together".to_owned()),
    }
}

/// Number of nodes where systems can have as many.
const USUAL_NODES: u16 = 5;

/// Faults of a column that a plan has if it names none.
struct UsualFault {
    name: &'static str,
    /// Mixes from the one that shows most, aimed at the leader, to the one that the fewest nodes can bear.
    mixes: &'static [&'static str],
}

/// Kinds of faults that show something by themselves, and the one that shows wrong leases: a leader must be cut off
/// while its clock is slow, or that of the others fast.
const USUAL_FAULTS: [UsualFault; 4] = [
    UsualFault { name: "kill", mixes: &["kill:leader", "kill", "kill:all"] },
    UsualFault { name: "pause", mixes: &["pause:leader", "pause", "pause:all"] },
    UsualFault { name: "partition", mixes: &["partition:isolate-leader", "partition"] },
    UsualFault { name: "clock+partition", mixes: &["clock+partition:isolate-leader", "clock+partition"] },
];

/// Names of the fields, without options of systems.
const FIELDS: [&str; 20] = [
    "systems",
    "reads",
    "faults",
    "workloads",
    "seeds",
    "nodes",
    "read-shares",
    "time-limit",
    "rate",
    "concurrency",
    "keys",
    "hot-key",
    "retry",
    "no-probes",
    "every",
    "for",
    "overlap",
    "trace",
    "stop-on-violation",
    "partition-by",
];

impl Default for WrittenPlan {
    /// Returns a plan that leaves everything to its system, with three seeds of eight seconds.
    fn default() -> Self {
        Self {
            systems: vec![SystemName::default()],
            system_files: Vec::new(),
            reads: None,
            faults: None,
            workloads: None,
            seeds: Seeds::Count(3),
            nodes: None,
            read_shares: vec![50],
            time_limit: Duration::from_secs(8),
            rate: 500,
            concurrency: 25,
            keys: 5,
            hot_key: 0,
            retry: false,
            no_probes: false,
            every: None,
            lasts: None,
            overlap: false,
            trace: false,
            stop_on_violation: false,
            partition_by: PartitionBy::default(),
            skips_idle_cells: false,
            names_workloads: false,
            options: Options::default(),
        }
    }
}

/// Reads the fields that are nothing else, which must be options of a system.
fn options<'de, D: Deserializer<'de>>(from: D) -> Result<Options, D::Error> {
    Options::from_fields(BTreeMap::<String, Value>::deserialize(from)?).map_err(|error| match error {
        OptionError::Unknown(name) => {
            let options = systems().flat_map(System::options).map(|option| option.name);
            let known: Vec<String> = FIELDS.into_iter().chain(options).map(|name| format!("`{name}`")).collect();
            D::Error::custom(format!("unknown field `{name}`, expected one of {}", known.join(", ")))
        }
        OptionError::Value(why) => D::Error::custom(why),
    })
}

impl WrittenPlan {
    /// Returns the systems that exist.
    pub(super) fn find_systems(&self) -> Vec<&'static dyn System> {
        self.systems.iter().filter_map(|name| find_system(name, &self.system_files).ok()).collect()
    }

    /// Returns true if all systems say who leads.
    pub(crate) fn has_roles(&self) -> bool {
        self.find_systems().iter().all(|system| system.has_roles())
    }

    /// Returns those of these mixes of faults that all systems can be under, with all numbers of nodes.
    pub(crate) fn possible(&self, mixes: impl IntoIterator<Item = String>) -> Vec<FaultMix> {
        let mixes = mixes.into_iter().map(|mix| mix.parse::<FaultMix>().expect("a list of faults"));
        mixes.filter(|mix| self.suits_systems(mix) && self.check_size(mix).is_ok()).collect()
    }

    fn suits_systems(&self, mix: &FaultMix) -> bool {
        self.find_systems().iter().all(|system| check_mix(*system, mix).is_ok())
    }

    /// Checks that a mix of faults can work with all numbers of nodes.
    fn check_size(&self, mix: &FaultMix) -> Result<(), nemesis::ImpossibleFault> {
        self.sizes().iter().try_for_each(|nodes| mix.specs.check(*nodes))
    }

    /// Returns the numbers of nodes; if none was given, one that all systems can have.
    pub(super) fn sizes(&self) -> Vec<u16> {
        self.nodes.clone().unwrap_or_else(|| vec![self.usual_nodes(USUAL_NODES)])
    }

    /// Returns the number of nodes where none was given: `wanted`, or what the systems can have at most.
    pub(crate) fn usual_nodes(&self, wanted: u16) -> u16 {
        usual_nodes(&self.find_systems(), wanted)
    }

    /// Describes those nodes and faults of the plan that are not the usual ones, as the systems cannot bear these.
    pub(crate) fn differences(&self) -> Option<String> {
        let sizes = self.sizes();
        let fewer = (self.nodes.is_none() && sizes != [USUAL_NODES])
            .then(|| format!("{} instead of {USUAL_NODES}", counted(sizes[0].into(), "node")));
        let suits = |mix: &&'static str| mix.parse().is_ok_and(|mix| self.suits_systems(&mix));
        let usual = USUAL_FAULTS.iter().filter(|usual| self.faults.is_none() && usual.mixes.iter().any(suits));
        let left_out = usual.filter_map(|usual| match self.mix_of(usual) {
            None => Some(format!("no {}", usual.name)),
            Some(mix) if mix.to_string().ends_with(":all") => Some(format!("{mix} instead of {}", usual.name)),
            Some(_) => None,
        });
        let all: Vec<String> = fewer.into_iter().chain(left_out).collect();
        (!all.is_empty()).then(|| format!("by what the system can bear: {}", all.join(", ")))
    }

    /// Returns the first mix of a usual column that all systems can be under.
    fn mix_of(&self, usual: &UsualFault) -> Option<FaultMix> {
        self.possible(usual.mixes.iter().map(|mix| (*mix).to_owned())).into_iter().next()
    }

    /// Returns no fault and the usual ones, as far as all systems can be under them.
    pub(super) fn all_faults(&self) -> Vec<FaultMix> {
        let usual = USUAL_FAULTS.iter().filter_map(|usual| self.mix_of(usual)).map(|mix| mix.to_string());
        self.possible(iter::once("none".to_owned()).chain(usual))
    }
}

/// Returns the read modes of these systems, each once.
pub(super) fn all_reads(systems: &[&'static dyn System]) -> Vec<ReadMode> {
    let mut reads: Vec<ReadMode> = Vec::new();
    for read in systems.iter().flat_map(|system| system.read_modes()).map(|known| ReadMode::from(&*known.name)) {
        if !reads.contains(&read) {
            reads.push(read);
        }
    }
    reads
}

pub(super) mod humantime_text {
    //! Durations as text, such as `20s`, in the syntax of the command line.
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&humantime::format_duration(*time))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        crate::run::plan::parse_time_limit(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}
