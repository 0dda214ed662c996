//! Progress of a campaign: a matrix that fills as runs end, or plain lines if stderr is no terminal.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use super::{
    plan::{CampaignPlan, RunPlan},
    record::Record,
};
use crate::terminal::{
    self, sanitize,
    words::{counted, reads_of, shortened, typed},
};

const PENDING: char = '·';
const UNDER_WAY: char = '~';

/// Progress of a campaign.
#[derive(Debug)]
pub(crate) struct MatrixProgress {
    plan: CampaignPlan,
    rows: BTreeMap<String, ProgressBar>,
    total: ProgressBar,
    /// One sign per run of a cell, by the number of the cell.
    signs: Mutex<BTreeMap<usize, Vec<char>>>,
}

impl MatrixProgress {
    /// Shows the progress of the given runs; hidden unless stderr is a terminal.
    pub(crate) fn new(plan: &CampaignPlan, runs: &[RunPlan]) -> Self {
        let mut signs: BTreeMap<usize, Vec<char>> = BTreeMap::new();
        let mut rows = BTreeMap::new();
        for run in runs {
            signs.entry(run.cell.number).or_default();
        }
        for cell in plan.cells() {
            let row = cell.row(plan);
            rows.entry(row).or_insert_with_key(|row| {
                let bar = terminal::bars().add(ProgressBar::no_length());
                if let Ok(style) = ProgressStyle::with_template("{prefix:>12}  {wide_msg}") {
                    bar.set_style(style);
                }
                bar.set_prefix(sanitize::line(row));
                bar
            });
        }
        let total = terminal::bars().add(ProgressBar::new(runs.len() as u64));
        let template = "{spinner} {pos} of {len} runs {bar:30} {elapsed_precise}, {eta} to go";
        if let Ok(style) = ProgressStyle::with_template(template) {
            total.set_style(style);
        }
        terminal::tick(&total, Duration::from_millis(200));
        for signs in signs.values_mut() {
            signs.resize(plan.seeds.list().len(), PENDING);
        }
        if total.is_hidden() && !runs.is_empty() {
            let [reads, columns] = [plan.reads.len(), plan.faults.len()];
            terminal::note(&format!(
                "{}: {}, {}, {}; the load of each lasts {}",
                counted(runs.len(), "run"),
                counted(reads, "read mode"),
                counted(columns, "column") + " of faults",
                counted(plan.seeds.count(), "seed"),
                typed(plan.time_limit),
            ));
        }
        let this = Self { plan: plan.clone(), rows, total, signs: Mutex::new(signs) };
        for run in runs {
            this.show(run, PENDING);
        }
        this
    }

    pub(crate) fn began(&self, run: &RunPlan) {
        self.show(run, UNDER_WAY);
    }

    /// Marks a run as pending again.
    pub(crate) fn gave_up(&self, run: &RunPlan) {
        self.show(run, PENDING);
    }

    pub(crate) fn ended(&self, run: &RunPlan, record: &Record) {
        self.show(run, record.category.sign());
        self.total.inc(1);
        if self.total.is_hidden() {
            let (done, all) = (self.total.position(), self.total.length().unwrap_or_default());
            let seconds = Duration::from_millis(record.took_ms).as_secs_f64();
            let told =
                if record.told() == record.category.name() { String::new() } else { format!(": {}", record.told()) };
            terminal::note(&shortened(&format!(
                "[{done}/{all}] {}, {}, seed {}: {} ({seconds:.1} s){told}",
                reads_of(&run.cell.row(&self.plan)),
                run.cell.column(&self.plan),
                run.seed,
                record.category.name(),
            )));
        }
    }

    fn show(&self, run: &RunPlan, sign: char) {
        let mut signs = self.signs.lock().unwrap_or_else(PoisonError::into_inner);
        let place = self.plan.seeds.list().iter().position(|seed| *seed == run.seed);
        if let (Some(of_cell), Some(place)) = (signs.get_mut(&run.cell.number), place) {
            of_cell[place] = sign;
        }
        let row = run.cell.row(&self.plan);
        let cells = self.plan.cells().into_iter().filter(|cell| cell.row(&self.plan) == row);
        let text: Vec<String> = cells
            .filter_map(|cell| {
                let signs: String = signs.get(&cell.number)?.iter().collect();
                Some(format!("{} {signs}", cell.column(&self.plan)))
            })
            .collect();
        if let Some(bar) = self.rows.get(&row) {
            bar.set_message(sanitize::line(&text.join("  ")));
        }
    }
}

impl Drop for MatrixProgress {
    fn drop(&mut self) {
        for bar in self.rows.values() {
            bar.finish_and_clear();
        }
        self.total.finish_and_clear();
    }
}
