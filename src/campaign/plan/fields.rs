//! Text of a plan, as TOML or JSON: the fields as they are written, among them options of systems, and defaults for
//! those that are left out.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use serde_json::Value;

use super::{CampaignPlan, FaultMix, Seeds, common_reads};
use crate::systems::{OptionError, Options, ReadMode, System, SystemName, systems};

/// Fields of a plan as they are written. What is left out is as in the default plan; read modes are those of the
/// systems.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Fields {
    systems: Vec<SystemName>,
    reads: Option<Vec<ReadMode>>,
    faults: Vec<FaultMix>,
    workloads: Vec<String>,
    seeds: Seeds,
    nodes: Vec<u16>,
    read_shares: Vec<u8>,
    #[serde(with = "humantime_text")]
    time_limit: Duration,
    rate: u32,
    concurrency: u16,
    keys: u16,
    trace: bool,
    /// Missing in campaigns that were begun before folders of cells named the workload.
    names_workloads: bool,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// Names of the fields, without options of systems.
const FIELDS: [&str; 12] = [
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
];

impl Default for Fields {
    fn default() -> Self {
        let CampaignPlan {
            systems,
            faults,
            workloads,
            seeds,
            nodes,
            read_shares,
            time_limit,
            rate,
            concurrency,
            keys,
            trace,
            ..
        } = CampaignPlan::default();
        Self {
            systems,
            reads: None,
            faults,
            workloads,
            seeds,
            nodes,
            read_shares,
            time_limit,
            rate,
            concurrency,
            keys,
            trace,
            names_workloads: false,
            others: BTreeMap::new(),
        }
    }
}

impl TryFrom<Fields> for CampaignPlan {
    type Error = String;

    fn try_from(fields: Fields) -> Result<Self, String> {
        let options = Options::from_fields(fields.others).map_err(|error| match error {
            OptionError::Unknown(name) => {
                let options = systems().flat_map(System::options).map(|option| option.name);
                let known: Vec<String> = FIELDS.into_iter().chain(options).map(|name| format!("`{name}`")).collect();
                format!("unknown field `{name}`, expected one of {}", known.join(", "))
            }
            OptionError::Value(why) => why,
        })?;
        let reads = fields.reads.unwrap_or_else(|| common_reads(&fields.systems));
        // A read mode of another system is refused with those of the plan's systems, and one of none like a wrong name.
        if let Some(read) = reads.iter().find(|read| systems().all(|system| system.describe_read(read).is_none())) {
            systems().next().map_or(Ok(()), |system| system.check_read(read))?;
        }
        Ok(Self {
            systems: fields.systems,
            reads,
            faults: fields.faults,
            workloads: fields.workloads,
            seeds: fields.seeds,
            nodes: fields.nodes,
            read_shares: fields.read_shares,
            time_limit: fields.time_limit,
            rate: fields.rate,
            concurrency: fields.concurrency,
            keys: fields.keys,
            trace: fields.trace,
            names_workloads: fields.names_workloads,
            options,
        })
    }
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
