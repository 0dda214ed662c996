//! Text of a plan, as TOML or JSON: the fields as they are written, among them options of systems, and defaults for
//! those that are left out.

use std::{collections::BTreeMap, iter, time::Duration};

use nemesis::{FaultKind, PartitionBy};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

use super::parts::{FaultMix, Seeds, check_mix, find_system};
use crate::{
    run::plan::usual_nodes,
    systems::{OptionError, Options, ReadMode, System, SystemFile, SystemName, systems},
    terminal::words::counted,
};

/// Plan as it is written. What is left out follows from its systems.
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
    pub(crate) trace: bool,
    pub(crate) partition_by: PartitionBy,
    /// Missing in campaigns that were begun before folders of cells named the workload.
    pub(crate) names_workloads: bool,
    #[serde(flatten, deserialize_with = "options")]
    pub(crate) options: Options,
}

/// Number of nodes where systems can have as many.
const USUAL_NODES: u16 = 5;

/// Names of the fields, without options of systems.
const FIELDS: [&str; 13] = [
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
    "trace",
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
            trace: false,
            partition_by: PartitionBy::default(),
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
        let kinds = FaultKind::USUAL.iter().filter(|_| self.faults.is_none());
        let kinds = kinds.filter(|kind| kind_mixes(**kind).first().is_some_and(|mix| self.suits_systems(mix)));
        let left_out = kinds.filter_map(|kind| match self.mix_of(*kind) {
            None => Some(format!("no {kind}")),
            Some(mix) if mix.to_string() != kind.name() => Some(format!("{mix} instead of {kind}")),
            Some(_) => None,
        });
        let all: Vec<String> = fewer.into_iter().chain(left_out).collect();
        (!all.is_empty()).then(|| format!("by what the system can bear: {}", all.join(", ")))
    }

    /// Returns the faults of a kind that all systems can be under: with the usual target, or else with all nodes.
    fn mix_of(&self, kind: FaultKind) -> Option<FaultMix> {
        kind_mixes(kind).into_iter().find(|mix| self.suits_systems(mix) && self.check_size(mix).is_ok())
    }

    /// Returns no fault, each kind of fault, and all kinds at once, as far as all systems can be under them.
    pub(super) fn all_faults(&self) -> Vec<FaultMix> {
        let kinds: Vec<String> =
            FaultKind::USUAL.iter().filter_map(|kind| self.mix_of(*kind)).map(|mix| mix.to_string()).collect();
        let is_all = kinds.iter().eq(FaultKind::USUAL.iter().map(|kind| kind.name()));
        let together = if is_all { "all".to_owned() } else { kinds.join("+") };
        let together = (kinds.len() > 1).then_some(together);
        self.possible(iter::once("none".to_owned()).chain(kinds).chain(together))
    }
}

/// Returns the mixes that stand for a kind of fault, the usual one first.
fn kind_mixes(kind: FaultKind) -> Vec<FaultMix> {
    let texts = [kind.name().to_owned(), format!("{kind}:all")];
    texts.iter().filter_map(|text| text.parse().ok()).collect()
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
