//! The plan of a campaign: a matrix of systems, read modes, faults, workloads and seeds, as plain data in a fixed
//! order.

mod fields;
mod parts;
mod run;

use std::{collections::HashSet, fmt, str::FromStr, time::Duration};

use nemesis::PartitionBy;
use serde::{Deserialize, Serialize};

pub(crate) use self::{
    fields::{FaultTime, WrittenPlan},
    parts::{FaultMix, Seeds, parse_mixes, parse_range, parse_seeds},
    run::RunPlan,
};
use self::{
    fields::{all_reads, check_times},
    parts::{MAX_RUNS, check_mix, file_of, find_system},
};
use crate::{
    check::decided_at_the_end,
    run::plan::{check_nodes, check_retry, default_workload, usual_workload},
    systems::{Conditions, Expectation, Options, PlantedDefect, ReadMode, System, SystemFile, SystemName},
    terminal::words::{counted, reads_of},
};

/// Plan of a campaign. Two equal plans are the same campaign.
#[expect(clippy::struct_excessive_bools, reason = "switches of a run")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", from = "WrittenPlan")]
pub(crate) struct CampaignPlan {
    pub(crate) systems: Vec<SystemName>,
    /// Files of those systems that are none of ours, with their texts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) system_files: Vec<SystemFile>,
    /// Read modes; each system is tested in those that it has.
    pub(crate) reads: Vec<ReadMode>,
    /// Fault mixes, each a cell of its own; `+` combines several faults.
    pub(crate) faults: Vec<FaultMix>,
    pub(crate) workloads: Vec<String>,
    pub(crate) seeds: Seeds,
    /// Numbers of nodes, a dimension of the matrix.
    pub(crate) nodes: Vec<u16>,
    /// Percentages of reads among the operations, a dimension of the matrix.
    pub(crate) read_shares: Vec<u8>,
    #[serde(with = "fields::humantime_text")]
    pub(crate) time_limit: Duration,
    pub(crate) rate: u32,
    pub(crate) concurrency: u16,
    pub(crate) keys: u16,
    /// Percentage of the operations that are on one of the keys in use.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) hot_key: u8,
    /// True if clients send writes that were not answered again, in sessions.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) retry: bool,
    /// True if no node is probed for availability.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) no_probes: bool,
    /// Mean time from the beginning of one fault to that of the next, with `for`; those of the system if none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) every: Option<FaultTime>,
    /// Mean duration of a fault.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub(crate) lasts: Option<FaultTime>,
    /// True if faults may overlap.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) overlap: bool,
    /// True if nodes write a trace of every message.
    pub(crate) trace: bool,
    /// True if the load of a run ends with the first violation.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) stop_on_violation: bool,
    /// Way to partition hosts; left out if it is the default one, as in plans stored before there was another.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) partition_by: PartitionBy,
    /// True if cells are left out that can find nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) skips_idle_cells: bool,
    /// True if the folders of cells name the workload.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) names_workloads: bool,
    /// Options of the systems, for all runs.
    #[serde(flatten)]
    pub(crate) options: Options,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
fn is_zero(number: &u8) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
fn is_default(by: &PartitionBy) -> bool {
    *by == PartitionBy::default()
}

impl WrittenPlan {
    /// Returns the whole plan. What was left out are all read modes, the default workload or else one that all systems
    /// have, and the usual faults, as far as all systems can be under them, without the cells that can find nothing.
    pub(crate) fn complete(self) -> CampaignPlan {
        let systems = self.find_systems();
        let reads = self.reads.clone().unwrap_or_else(|| all_reads(&systems));
        let workloads = self.workloads.clone().unwrap_or_else(|| vec![usual_workload(&systems)]);
        let faults = self.faults.clone().unwrap_or_else(|| self.all_faults());
        let skips_idle_cells = self.skips_idle_cells || self.faults.is_none();
        let nodes = self.sizes();
        CampaignPlan {
            systems: self.systems,
            system_files: self.system_files,
            reads,
            faults,
            workloads,
            seeds: self.seeds,
            nodes,
            read_shares: self.read_shares,
            time_limit: self.time_limit,
            rate: self.rate,
            concurrency: self.concurrency,
            keys: self.keys,
            hot_key: self.hot_key,
            retry: self.retry,
            no_probes: self.no_probes,
            every: self.every,
            lasts: self.lasts,
            overlap: self.overlap,
            trace: self.trace,
            stop_on_violation: self.stop_on_violation,
            partition_by: self.partition_by,
            skips_idle_cells,
            names_workloads: self.names_workloads,
            options: self.options,
        }
    }
}

impl From<WrittenPlan> for CampaignPlan {
    fn from(plan: WrittenPlan) -> Self {
        plan.complete()
    }
}

impl Default for CampaignPlan {
    fn default() -> Self {
        WrittenPlan::default().complete()
    }
}

/// A cell of the matrix: all parameters except the seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cell {
    /// Number of the cell in the order of the plan, from 1.
    pub(crate) number: usize,
    pub(crate) system: SystemName,
    pub(crate) workload: String,
    pub(crate) nodes: u16,
    pub(crate) read_share: u8,
    pub(crate) faults: FaultMix,
    pub(crate) read: ReadMode,
    /// Options of the system that were asked for.
    #[serde(flatten)]
    pub(crate) options: Options,
}

impl Cell {
    fn conditions(&self) -> Conditions<'_> {
        let Self { read, workload, options, faults, .. } = self;
        Conditions { read, workload, options, faults: &faults.specs }
    }

    /// Returns the expectation that the system has of the cell.
    pub(crate) fn expected(&self, plan: &CampaignPlan) -> Expectation {
        plan.find_system(&self.system).map_or(Expectation::MayFail, |system| system.expected(&self.conditions()))
    }

    /// Returns true if no run of the cell can find anything: nothing is broken, on purpose or by its read mode.
    fn is_idle(&self, plan: &CampaignPlan) -> bool {
        self.faults.specs.0.is_empty() && self.expected(plan) != Expectation::Fails && plan.defect().is_none()
    }

    /// Returns the name of the cell's folder: the number makes it unique, the words are for people.
    fn folder(&self, plan: &CampaignPlan) -> String {
        let faults: String = self
            .faults
            .text
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "+-.".contains(c) { c } else { '-' })
            .collect();
        let faults = &faults[..faults.len().min(64)];
        let workload = if plan.names_workloads { format!("{}-", self.workload) } else { String::new() };
        format!("{:03}-{}-{workload}{}-{faults}", self.number, self.system, self.read)
    }

    /// Returns the heading of the cell's column.
    pub(crate) fn column(&self, plan: &CampaignPlan) -> String {
        let mut text = self.faults.to_string();
        let mut add = |shown: bool, what: String| {
            if shown {
                text += &format!(", {what}");
            }
        };
        add(plan.nodes.len() > 1, counted(self.nodes.into(), "node"));
        add(plan.read_shares.len() > 1, format!("{} % reads", self.read_share));
        add(plan.workloads.len() > 1, self.workload.clone());
        text
    }

    /// Returns the name of the system, and of the planted defect if there is one.
    pub(crate) fn subject(&self, plan: &CampaignPlan) -> String {
        plan.defect().map_or_else(|| self.system.to_string(), |defect| format!("{} ({})", self.system, defect.name))
    }

    /// Returns the heading of the cell's row.
    pub(crate) fn row(&self, plan: &CampaignPlan) -> String {
        let system = if plan.systems.len() > 1 { format!("{} ", self.system) } else { String::new() };
        let defect = plan.defect().map_or_else(String::new, |defect| format!(" ({})", defect.name));
        format!("{system}{}{defect}", self.read.name())
    }
}

impl CampaignPlan {
    /// Checks that the plan can be carried out.
    ///
    /// # Errors
    /// Explains why the plan is impossible, and if it helps, what to do about it.
    pub(crate) fn check(&self) -> Result<(), String> {
        // Without its systems, a plan has no read modes either.
        let systems = self.systems.iter().map(|name| self.find_system(name)).collect::<Result<Vec<_>, _>>()?;
        let empty = [
            ("systems", self.systems.is_empty()),
            ("reads", self.reads.is_empty()),
            ("faults", self.faults.is_empty()),
            ("workloads", self.workloads.is_empty()),
            ("seeds", self.seeds.count() == 0),
            ("nodes", self.nodes.is_empty()),
            ("read-shares", self.read_shares.is_empty()),
        ];
        if let Some((name, _)) = empty.iter().find(|(_, is_empty)| *is_empty) {
            return Err(format!("`{name}` is empty: a campaign needs at least one of each"));
        }
        for system in &systems {
            self.workloads.iter().try_for_each(|workload| system.check_workload(workload))?;
            self.nodes.iter().try_for_each(|nodes| check_nodes(*system, *nodes))?;
        }
        self.check_reads(&systems)?;
        if let Some(share) = self.read_shares.iter().find(|share| **share > 100) {
            return Err(format!("a read share is a percentage up to 100, not {share}"));
        }
        if !(1..=1024).contains(&self.keys) || !(1..=1024).contains(&self.concurrency) {
            return Err("`keys` and `concurrency` are from 1 to 1024".to_owned());
        }
        check_times(self.every, self.lasts, self.overlap)?;
        if self.hot_key > 100 {
            return Err(format!("`hot-key` is a percentage up to 100, not {}", self.hot_key));
        }
        for system in systems {
            if self.retry {
                check_retry(system)?;
            }
            for read in self.reads_of(system) {
                system.settings(read, &self.options, self.trace)?;
            }
            self.faults.iter().try_for_each(|mix| check_mix(system, mix))?;
        }
        for nodes in &self.nodes {
            for faults in &self.faults {
                faults.specs.check(*nodes).map_err(|why| why.to_string())?;
            }
        }
        if self.stop_on_violation
            && let Some(property) =
                self.workloads.iter().find_map(|name| decided_at_the_end(workloads::workload(name)?))
        {
            return Err(format!("`stop-on-violation` cannot be: only the end of a history decides {property}"));
        }
        self.check_count()?;
        self.check_once()
    }

    /// Checks that each read mode is one of some system, and that each system has one of them.
    fn check_reads(&self, systems: &[&'static dyn System]) -> Result<(), String> {
        for read in &self.reads {
            let refusals: Vec<String> = systems.iter().filter_map(|system| system.check_read(read).err()).collect();
            if refusals.len() == systems.len() {
                return Err(refusals.join("; "));
            }
        }
        let without = systems.iter().find(|system| self.reads_of(**system).next().is_none());
        let Some(system) = without else { return Ok(()) };
        let known: Vec<&str> = system.read_modes().iter().map(|known| &*known.name).collect();
        Err(format!("`reads` has no read mode of {}; it has: {}", system.name(), known.join(", ")))
    }

    /// Returns the path of a system's file that says something else by now, if there is one. One that is gone is not
    /// needed.
    pub(crate) fn changed_file(&self) -> Option<&str> {
        self.system_files.iter().find(|file| file.has_changed()).map(|file| &*file.path)
    }

    /// Returns the system of this name.
    ///
    /// # Errors
    /// Fails with the names of the systems that exist.
    pub(crate) fn find_system(&self, name: &SystemName) -> Result<&'static dyn System, String> {
        find_system(name, &self.system_files)
    }

    /// Iterates over those of the plan's read modes that a system has.
    fn reads_of(&self, system: &'static dyn System) -> impl Iterator<Item = &ReadMode> {
        self.reads.iter().filter(|read| system.describe_read(read).is_some())
    }

    /// Returns the defect that is planted in the nodes, if there is one.
    pub(crate) fn defect(&self) -> Option<PlantedDefect> {
        let system = self.find_system(self.systems.first()?).ok()?;
        let settings = system.settings(self.reads_of(system).next()?, &self.options, self.trace).ok()?;
        system.defect(&settings)
    }

    /// Describes the subject of the tests, unless it is the default system, sound and alone: the names of the systems,
    /// the files that describe them, and the planted defect.
    pub(crate) fn subject_in_words(&self) -> Option<String> {
        let defect = self.defect();
        if self.systems == [SystemName::default()] && defect.is_none() {
            return None;
        }
        let of_file = |name| file_of(name, &self.system_files).map(|file| format!(" ({})", file.path));
        let names = self.systems.iter().map(|name| format!("{name}{}", of_file(name).unwrap_or_default()));
        let noun = if self.systems.len() == 1 { "System" } else { "Systems" };
        let defect = defect.map_or_else(|| ".".to_owned(), |defect| format!(", with the {defect}"));
        Some(format!("{noun} under test: {}{defect}", names.collect::<Vec<_>>().join(", ")))
    }

    /// Checks the number of runs without listing them.
    fn check_count(&self) -> Result<(), String> {
        let systems = self.systems.iter().filter_map(|name| self.find_system(name).ok());
        let dimensions = [
            systems.map(|system| self.reads_of(system).count()).sum(),
            self.workloads.len(),
            self.nodes.len(),
            self.read_shares.len(),
            self.faults.len(),
            self.seeds.count(),
        ];
        let runs = dimensions.into_iter().fold(1_usize, usize::saturating_mul);
        if runs > MAX_RUNS {
            return Err(format!("{runs} runs are planned; a campaign has at most {MAX_RUNS}"));
        }
        Ok(())
    }

    /// Checks that no value is given twice: a cell and a seed identify a run.
    fn check_once(&self) -> Result<(), String> {
        fn twice<T: PartialEq>(all: &[T]) -> Option<&T> {
            all.iter().enumerate().find(|(at, one)| all[..*at].contains(one)).map(|(_, one)| one)
        }
        let named = [
            twice(&self.reads).map(|read| reads_of(read.name())),
            twice(&self.faults).map(ToString::to_string),
            twice(&self.nodes).map(|nodes| counted((*nodes).into(), "node")),
            twice(&self.read_shares).map(|share| format!("{share} % reads")),
            twice(&self.systems).map(ToString::to_string),
            twice(&self.workloads).cloned(),
        ];
        if let Some(twice) = named.into_iter().flatten().next() {
            return Err(format!("`{twice}` is listed twice: a run is one cell and one seed"));
        }
        let mut known = HashSet::new();
        if let Some(twice) = self.seeds.list().into_iter().find(|seed| !known.insert(*seed)) {
            return Err(format!("seed {twice} is listed twice: a run is one cell and one seed"));
        }
        Ok(())
    }

    /// Returns the plan with the names that folders of new campaigns have: they say the workload, unless it is the
    /// default one and no other.
    pub(crate) fn with_current_names(mut self) -> Self {
        self.names_workloads = self.workloads != [default_workload()];
        self
    }

    /// Returns the plan with the names of a campaign that was begun already.
    pub(crate) fn with_names_of(self, known: &Self) -> Self {
        Self { names_workloads: known.names_workloads, ..self }
    }

    /// Returns the cells in the order of the plan, row by row. Their numbers are those of the whole matrix.
    pub(crate) fn cells(&self) -> Vec<Cell> {
        let mut cells = self.all_cells();
        cells.retain(|cell| !(self.skips_idle_cells && cell.is_idle(self)));
        cells
    }

    fn all_cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for system in &self.systems {
            let Ok(found) = self.find_system(system) else { continue };
            for read in self.reads_of(found) {
                for workload in &self.workloads {
                    for nodes in &self.nodes {
                        for read_share in &self.read_shares {
                            for faults in &self.faults {
                                cells.push(Cell {
                                    number: cells.len() + 1,
                                    system: system.clone(),
                                    workload: workload.clone(),
                                    nodes: *nodes,
                                    read_share: *read_share,
                                    faults: faults.clone(),
                                    read: read.clone(),
                                    options: self.options.clone(),
                                });
                            }
                        }
                    }
                }
            }
        }
        cells
    }
}

/// One part of a campaign that is split between machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shard {
    /// Number of this part, from 1.
    pub(crate) number: usize,
    pub(crate) of: usize,
}

impl Shard {
    /// Checks that this part exists.
    ///
    /// # Errors
    /// Fails if the number is not between 1 and `of`.
    pub(crate) fn check(self) -> Result<(), String> {
        let Self { number, of } = self;
        if (1..=of).contains(&number) { Ok(()) } else { Err(format!("there is no shard {number} of {of}")) }
    }

    /// Returns true if the run at this place of the plan, from 0, belongs to this part.
    pub(crate) fn has(self, place: usize) -> bool {
        place % self.of == self.number - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a shard; use 3/20 for the third of twenty");
        let (number, of) = text.split_once('/').ok_or_else(wrong)?;
        let (number, of) = (number.parse().map_err(|_| wrong())?, of.parse().map_err(|_| wrong())?);
        let shard = Self { number, of };
        shard.check().map(|()| shard).map_err(|_| wrong())
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests;
