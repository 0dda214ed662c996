//! A campaign on the terminal: a matrix that fills as runs end, plain lines if stderr is no terminal, and the table at
//! the end.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use comfy_table::{Table, presets};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{harmless, verdict::counted};
use crate::campaign::{
    plan::{CampaignPlan, RunPlan},
    record::{Category, Record},
    summary::{CellSummary, Summary},
};

/// Maximum number of violations listed at the end.
const MOST_TOLD: usize = 5;
/// Maximum length of a line about a run, in characters.
const MOST_SHOWN: usize = 160;
const PENDING: char = '·';
const UNDER_WAY: char = '~';

/// Progress of a campaign.
#[derive(Debug)]
pub(crate) struct MatrixProgress {
    plan: CampaignPlan,
    bars: MultiProgress,
    rows: BTreeMap<String, ProgressBar>,
    total: ProgressBar,
    /// One sign per run of a cell, by the number of the cell.
    signs: Mutex<BTreeMap<usize, Vec<char>>>,
}

impl MatrixProgress {
    /// Shows the progress of the given runs; hidden unless stderr is a terminal.
    pub(crate) fn new(plan: &CampaignPlan, runs: &[RunPlan]) -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let mut signs: BTreeMap<usize, Vec<char>> = BTreeMap::new();
        let mut rows = BTreeMap::new();
        for run in runs {
            signs.entry(run.cell.number).or_default();
        }
        for cell in plan.cells() {
            let row = cell.row(plan);
            rows.entry(row).or_insert_with_key(|row| {
                let bar = bars.add(ProgressBar::no_length());
                if let Ok(style) = ProgressStyle::with_template("{prefix:>12}  {wide_msg}") {
                    bar.set_style(style);
                }
                bar.set_prefix(harmless::line(row));
                bar
            });
        }
        let total = bars.add(ProgressBar::new(runs.len() as u64));
        let template = "{spinner} {pos} of {len} runs {bar:30} {elapsed_precise}, {eta} to go";
        if let Ok(style) = ProgressStyle::with_template(template) {
            total.set_style(style);
        }
        super::progress::tick(&total, Duration::from_millis(200));
        for signs in signs.values_mut() {
            signs.resize(plan.seeds.list().len(), PENDING);
        }
        let this = Self { plan: plan.clone(), bars, rows, total, signs: Mutex::new(signs) };
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
            super::note(&shortened(&format!(
                "[{done}/{all}] {} reads, {}, seed {}: {} ({seconds:.1} s){told}",
                run.cell.row(&self.plan),
                run.cell.column(&self.plan),
                run.seed,
                record.category.name(),
            )));
        }
    }

    /// Prints a line above the bars, which stays.
    pub(crate) fn line(&self, text: &str) {
        self.bars.suspend(|| super::note(text));
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
            bar.set_message(harmless::line(&text.join("  ")));
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

/// Describes the results of a campaign.
pub(crate) fn describe_campaign(summary: &Summary) -> String {
    let (rows, columns) = summary.axes();
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL);
    table.set_header(std::iter::once("reads").chain(columns.iter().map(String::as_str)));
    for row in &rows {
        let cells = columns.iter().map(|column| summary.cell(row, column).map_or_else(String::new, cell));
        table.add_row(std::iter::once(row.clone()).chain(cells));
    }
    let mut text = format!("{table}\n");
    text += "Runs with a violation, of those that could have found one; below, the 95 % interval of that share.\n";
    let counts = Category::ALL.map(|category| (summary.count(category), category.name()));
    let counts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
    text += &format!("{} of {}: {}\n", summary.finished, counted(summary.planned, "run"), counts.join(", "));
    let mut surprised = false;
    for CellSummary { cell, .. } in summary.surprises() {
        surprised = true;
        text += &format!("not as theory has it: {} reads under {}\n", cell.read.name(), cell.faults);
    }
    if !surprised && summary.finished > 0 {
        text += "nothing contradicts theory\n";
    }
    let cells = summary.cells.iter().filter_map(|cell| summary.run(cell.shortest.as_deref()?));
    let mut shortest: Vec<&Record> = cells.collect();
    shortest.sort_by_key(|run| run.facts.as_ref().and_then(|facts| facts.evidence_operations).unwrap_or(usize::MAX));
    if !shortest.is_empty() {
        text += "\nThe smallest counterexamples:\n";
    }
    for run in shortest.iter().take(MOST_TOLD) {
        text += &format!("  {}: {}\n", run.id, shortened(&run.told()));
    }
    let failed = summary
        .runs
        .iter()
        .filter(|run| matches!(run.category, Category::HarnessFailure | Category::RecoveryFailure | Category::Unknown));
    for run in failed.take(MOST_TOLD) {
        text += &format!("  {}: {}: {}\n", run.id, run.category.name(), shortened(&run.told()));
    }
    text
}

fn cell(cell: &CellSummary) -> String {
    let mark = if cell.as_expected == Some(false) { " (!)" } else { "" };
    cell.words().join("\n") + mark
}

/// Cuts text to the length of a line, without characters that could control a terminal.
fn shortened(text: &str) -> String {
    let plain = harmless::line(text);
    match plain.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}…", &plain[..end]),
        None => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::{describe_campaign, shortened};
    use crate::campaign::{record::Category, summary::tests::made_up};

    #[test]
    fn the_table_names_what_contradicts_theory() {
        let text = describe_campaign(&made_up(|_| Some(Category::NoViolation)));
        assert!(text.contains("not as theory has it: local reads under none"), "{text}");
        assert!(!text.contains("quorum reads under"), "{text}");
        assert!(text.contains("90 of 90 runs: 90 no violation"), "{text}");
    }

    #[test]
    fn hostile_text_does_not_steer_the_terminal() {
        let text = describe_campaign(&made_up(|_| Some(Category::Violation)));
        assert!(!text.contains('\u{1b}') && !text.contains('\0'), "{text}");
        assert_eq!(shortened("a\u{202e}b\nc"), "a\u{fffd}b c");
        assert_eq!(shortened(&"x".repeat(1000)).chars().count(), 161);
    }
}
