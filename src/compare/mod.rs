//! Comparison of read modes by cost and risk, measured on the runs of a campaign in which the modes alternate.

mod advice;
mod words;

use std::collections::BTreeMap;

use checker::{Consistency, Share, Verdict};
use hdrhistogram::Histogram;
use histories::Outcome;
use serde::{Deserialize, Serialize};

pub(crate) use self::advice::{Advice, AdviceKind};
pub(crate) use self::words::HEADINGS;
use crate::{
    campaign::{
        folder::{COMPARISON_FILE, run_name},
        plan::{CampaignPlan, FaultMix, WrittenPlan},
        summary::{CellSummary, Summary},
    },
    run::{self, FaultWindow, FinishedRun, plan::usual_partition},
    store::{ConfinedFolder, SchemaVersion, read_json, refused},
    systems::{ReadMode, SystemName},
};

/// Precision of latencies in significant digits, and their maximum in µs (an hour).
const DIGITS: u8 = 3;
const MOST_US: u64 = 3_600_000_000;
/// Relative difference below which two figures count as equal.
pub(crate) const SAME: f64 = 0.15;

/// Result of a comparison.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Comparison {
    #[serde(default = "SchemaVersion::unversioned")]
    pub(crate) schema_version: SchemaVersion,
    pub(crate) version: String,
    pub(crate) plan: CampaignPlan,
    /// Number of runs planned, and of those that are over.
    pub(crate) planned: usize,
    pub(crate) finished: usize,
    /// Settings in the order of the plan, which is that of the matrix's columns.
    pub(crate) settings: Vec<Setting>,
}

/// Read modes under the same conditions.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Setting {
    /// Faults and the other parameters that vary.
    pub(crate) name: String,
    pub(crate) modes: Vec<Mode>,
    /// Read modes from the fastest reads to the slowest; modes in one group cannot be told apart.
    pub(crate) by_read_latency: Vec<Vec<String>>,
    /// Read modes from the highest throughput to the lowest, grouped likewise.
    pub(crate) by_throughput: Vec<Vec<String>>,
}

/// Figures of one read mode of one system over all seeds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Mode {
    /// Heading of the mode's row in the matrix: the read mode, after the system if there are several.
    pub(crate) name: String,
    pub(crate) system: SystemName,
    pub(crate) read: ReadMode,
    /// Number of runs that were measured.
    pub(crate) runs: usize,
    /// Successful operations per second of load.
    pub(crate) throughput: Spread,
    /// Median latency of a run's successful reads, ms.
    pub(crate) read_p50: Spread,
    pub(crate) reads: Latencies,
    pub(crate) writes: Latencies,
    /// Messages between nodes per operation, counting the successful ones and all probes; none if nodes do not say.
    pub(crate) messages_per_operation: Option<f64>,
    pub(crate) fsyncs_per_operation: Option<f64>,
    /// Longest time of any run in which no node answered, neither reads nor writes, ms.
    pub(crate) longest_gap_ms: u64,
    /// Median time from the beginning of a fault until all nodes that recovered while it lasted could be written
    /// again, ms.
    pub(crate) recovery_ms: Option<u64>,
    /// Percentage of probes answered within two heartbeats, over all nodes, even those that a fault cuts off.
    pub(crate) reads_available: Option<f64>,
    pub(crate) writes_available: Option<f64>,
    /// Share of runs with a violation among the `tested` runs that had one or could have found one.
    pub(crate) violations: Share,
    pub(crate) tested: usize,
    /// Verdicts in a few words, and the runs without one.
    pub(crate) verdicts: Vec<String>,
    /// Strongest models that hold in every run that is not linearizable.
    pub(crate) holds: Vec<String>,
    pub(crate) all_reads: usize,
    pub(crate) stale_reads: usize,
    pub(crate) stalest_ms: u64,
    pub(crate) most_versions_behind: u64,
}

/// Spread of a figure over the runs.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
}

/// Latencies of successful operations, ms.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Latencies {
    pub(crate) count: u64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

/// Returns the faults of a comparison that names none, one setting each, as far as all systems of the plan can be under
/// them: none, a partition with honest clocks, and one with drift.
pub(crate) fn usual_faults(plan: &WrittenPlan) -> Vec<FaultMix> {
    let partition = usual_partition(plan.has_roles());
    plan.possible(["none".to_owned(), partition.to_owned(), format!("clock+{partition}")])
}

/// Reads the comparison in a folder; none if it has none.
///
/// # Errors
/// Fails if it cannot be read.
pub(crate) fn stored(folder: &ConfinedFolder) -> anyhow::Result<Option<Comparison>> {
    Ok(read_json(folder, COMPARISON_FILE)?)
}

/// Measures the runs of a campaign that came to a verdict.
///
/// # Errors
/// Fails if a run cannot be read.
pub(crate) fn measure(summary: &Summary, folder: &ConfinedFolder) -> anyhow::Result<Comparison> {
    let plan = &summary.plan;
    let mut columns: Vec<(String, BTreeMap<usize, ModeTotals<'_>>)> = Vec::new();
    for cell in &summary.cells {
        let name = cell.cell.column(plan);
        let place = columns.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            columns.push((name, BTreeMap::new()));
            columns.len() - 1
        });
        let of_cell = summary.runs.iter().filter(|run| run.cell == cell.cell && run.facts.is_some());
        let mut gathered = ModeTotals::new(cell, plan);
        for run in of_cell {
            let name = run_name(&run.id);
            let path = folder.resolve(&name).map_err(refused(&folder.path().join(name)))?;
            gathered.take(&run::rejudge(&path, run::checker_budget())?);
        }
        if !gathered.throughputs.is_empty() {
            columns[place].1.insert(cell.cell.number, gathered);
        }
    }
    columns.retain(|(_, modes)| !modes.is_empty());
    let settings = columns
        .into_iter()
        .map(|(name, modes)| Setting::new(name, modes.into_values().map(ModeTotals::done).collect()));
    Ok(Comparison {
        schema_version: SchemaVersion::default(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        plan: plan.clone(),
        planned: summary.planned,
        finished: summary.finished,
        settings: settings.collect(),
    })
}

/// Accumulator over the runs of one mode.
struct ModeTotals<'a> {
    cell: &'a CellSummary,
    plan: &'a CampaignPlan,
    throughputs: Vec<f64>,
    read_p50s: Vec<f64>,
    reads: Histogram<u64>,
    writes: Histogram<u64>,
    ok: usize,
    messages: u64,
    fsyncs: u64,
    gaps_ms: Vec<u64>,
    recoveries_ms: Vec<u64>,
    /// Number of probes answered, and of all probes.
    read_probes: (u64, u64),
    write_probes: (u64, u64),
    holds: Option<Vec<Consistency>>,
    all_reads: usize,
    stale_reads: usize,
    stalest_ms: u64,
    versions: u64,
}

impl<'a> ModeTotals<'a> {
    fn new(cell: &'a CellSummary, plan: &'a CampaignPlan) -> Self {
        let empty = || Histogram::new_with_max(MOST_US, DIGITS).expect("these limits are possible");
        Self {
            cell,
            plan,
            throughputs: Vec::new(),
            read_p50s: Vec::new(),
            reads: empty(),
            writes: empty(),
            ok: 0,
            messages: 0,
            fsyncs: 0,
            gaps_ms: Vec::new(),
            recoveries_ms: Vec::new(),
            read_probes: (0, 0),
            write_probes: (0, 0),
            holds: None,
            all_reads: 0,
            stale_reads: 0,
            stalest_ms: 0,
            versions: 0,
        }
    }

    fn take(&mut self, run: &FinishedRun) {
        let (history, results) = (&run.history, &run.results);
        // A run that was judged has a load.
        let load = results.live.load.unwrap_or_default();
        let mut ok = 0;
        for (index, operation) in history.operations.iter().enumerate() {
            let times = history.times(index);
            if operation.outcome != Outcome::Ok || !load.contains(times.invoked_ns) {
                continue;
            }
            ok += 1;
            let of_kind = if workloads::only_reads(history, index) { &mut self.reads } else { &mut self.writes };
            of_kind.saturating_record(times.completed_ns.saturating_sub(times.invoked_ns) / 1000);
        }
        self.ok += ok;
        let load_time = std::time::Duration::from_nanos(load.length_ns());
        self.throughputs.push(f64::from(u32::try_from(ok).unwrap_or(u32::MAX)) / load_time.as_secs_f64());
        if results.reads.p50_ms > 0.0 {
            self.read_p50s.push(results.reads.p50_ms);
        }
        self.messages += results.live.cost.messages;
        self.fsyncs += results.live.cost.fsyncs;
        self.gaps_ms.push(results.coverage.longest_gap_ms);
        let late = run.plan.system().timing(&run.plan.settings).outage_within;
        let late_ns = u64::try_from(late.as_nanos()).unwrap_or(u64::MAX);
        let recovery_ns = |window: &FaultWindow| run::recovery_ns(&results.live.availability, window.span, late_ns);
        self.recoveries_ms.extend(run.fault_windows.iter().filter_map(recovery_ns).map(|ns| ns / 1_000_000));
        for node in &results.live.availability {
            for (sum, answers) in [(&mut self.read_probes, &node.reads), (&mut self.write_probes, &node.writes)] {
                sum.0 += answers.answered;
                sum.1 += answers.probes;
            }
        }
        if results.verdict == Verdict::NotLinearizable {
            let strongest = results.hierarchy.as_ref().map(checker::Hierarchy::strongest).unwrap_or_default();
            match &mut self.holds {
                Some(known) => known.retain(|model| strongest.contains(model)),
                None => self.holds = Some(strongest),
            }
        }
        let reads =
            history.operations.iter().enumerate().filter(|(index, operation)| {
                operation.outcome == Outcome::Ok && workloads::only_reads(history, *index)
            });
        self.all_reads += reads.count();
        if let Some(staleness) = &results.staleness {
            let reads = &staleness.reads;
            self.stale_reads += reads.stale.count;
            self.stalest_ms = self.stalest_ms.max(reads.behind_ns.map_or(0, |behind| behind.max / 1_000_000));
            self.versions = self.versions.max(reads.versions.map_or(0, |versions| versions.max));
        }
    }

    fn done(mut self) -> Mode {
        self.recoveries_ms.sort_unstable();
        // Probes cost the nodes messages and fsyncs too, so they count as operations.
        let all = self.ok as u64 + self.read_probes.0 + self.write_probes.0;
        let are_counted = self.messages + self.fsyncs > 0;
        let each = |count: u64| are_counted.then(|| ratio(count, all));
        let available = |(answered, all): (u64, u64)| (all > 0).then(|| 100.0 * ratio(answered, all));
        Mode {
            name: self.cell.cell.row(self.plan),
            system: self.cell.cell.system.clone(),
            read: self.cell.cell.read.clone(),
            runs: self.throughputs.len(),
            throughput: Spread::of(self.throughputs),
            read_p50: Spread::of(self.read_p50s),
            reads: Latencies::of(&self.reads),
            writes: Latencies::of(&self.writes),
            messages_per_operation: each(self.messages),
            fsyncs_per_operation: each(self.fsyncs),
            longest_gap_ms: self.gaps_ms.iter().copied().max().unwrap_or_default(),
            recovery_ms: self.recoveries_ms.get(self.recoveries_ms.len() / 2).copied(),
            reads_available: available(self.read_probes),
            writes_available: available(self.write_probes),
            violations: self.cell.violations,
            tested: self.cell.of,
            verdicts: self.cell.words(),
            holds: self.holds.unwrap_or_default().iter().map(ToString::to_string).collect(),
            all_reads: self.all_reads,
            stale_reads: self.stale_reads,
            stalest_ms: self.stalest_ms,
            most_versions_behind: self.versions,
        }
    }
}

fn ratio(count: u64, of: u64) -> f64 {
    let float = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    if of == 0 { 0.0 } else { float(count) / float(of) }
}

impl Spread {
    fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        let at = |place: usize| figures.get(place).copied().unwrap_or_default();
        Self { least: at(0), median: at(figures.len() / 2), most: at(figures.len().saturating_sub(1)) }
    }

    /// Returns true if this figure exceeds the other by more than the runs of either differ among themselves.
    fn is_above(self, other: Self) -> bool {
        self.median > other.median * (1.0 + SAME) && self.least > other.most
    }
}

impl Latencies {
    fn of(histogram: &Histogram<u64>) -> Self {
        let at =
            |quantile: f64| std::time::Duration::from_micros(histogram.value_at_quantile(quantile)).as_secs_f64() * 1e3;
        Self { count: histogram.len(), p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1.0) }
    }
}

impl Setting {
    fn new(name: String, modes: Vec<Mode>) -> Self {
        let by_read_latency = ranked(&modes, |mode| mode.read_p50);
        let mut by_throughput = ranked(&modes, |mode| mode.throughput);
        by_throughput.reverse();
        Self { name, modes, by_read_latency, by_throughput }
    }
}

/// Ranks modes from the smallest figure to the largest; within a group, none [is above](Spread::is_above) the one
/// before.
fn ranked(modes: &[Mode], figure: impl Fn(&Mode) -> Spread) -> Vec<Vec<String>> {
    let mut sorted: Vec<(Spread, usize)> =
        modes.iter().enumerate().map(|(place, mode)| (figure(mode), place)).collect();
    sorted.sort_by(|a, b| a.0.median.total_cmp(&b.0.median));
    let mut groups: Vec<(Spread, Vec<usize>)> = Vec::new();
    for (figure, place) in sorted {
        match groups.last_mut() {
            Some((last, group)) if !figure.is_above(*last) => {
                *last = figure;
                group.push(place);
            }
            _ => groups.push((figure, vec![place])),
        }
    }
    let in_order = |(_, mut group): (Spread, Vec<usize>)| {
        group.sort_unstable();
        group.into_iter().map(|place| modes[place].name.clone()).collect()
    };
    groups.into_iter().map(in_order).collect()
}

/// Formats a ranking, such as `local < leader ≈ lease < quorum < log`.
pub(crate) fn order_in_words(groups: &[Vec<String>], sign: &str) -> String {
    groups.iter().map(|group| group.join(" ≈ ")).collect::<Vec<_>>().join(sign)
}

#[cfg(test)]
mod tests;
