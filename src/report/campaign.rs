//! The page of a campaign, `index.html`: the matrix with links to its runs, and the smallest counterexamples.

use checker::Share;
use maud::{Markup, html};

use super::{
    page::{frame, text},
    trends::{self, class},
};
use crate::{
    campaign::{
        record::{Category, Record, RunFacts},
        summary::{CellSummary, Summary},
    },
    store::{ConfinedFolder, REPORT_FILE, write_inside},
    terminal::words::{capitalized, counted, lasting_ms, measured_ms, reads_of},
};

/// Name of the page in a campaign's folder.
pub(crate) const INDEX: &str = "index.html";

/// Writes the page of a campaign.
///
/// # Errors
/// Fails if the file cannot be written.
pub(crate) fn write(summary: &Summary, folder: &ConfinedFolder) -> anyhow::Result<()> {
    let html = frame(&title(summary), &body(summary)).into_string();
    write_inside(folder, INDEX, |out| Ok(out.write_all(html.as_bytes())?)).map(drop)
}

fn title(summary: &Summary) -> String {
    format!("campaign: {} of {}", summary.finished, counted(summary.planned, "run"))
}

fn body(summary: &Summary) -> Markup {
    let (rows, columns) = summary.axes();
    let surprises: Vec<&CellSummary> = summary.surprises().collect();
    let counts = Category::ALL.map(|category| (summary.count(category), category));
    html! {
        main {
            h1 { (capitalized(&title(summary))) }
            @if let Some(subject) = summary.plan.subject_in_words() { p { (text(&subject)) } }
            p {
                @for (count, category) in counts.iter().filter(|(count, _)| *count > 0) {
                    span class={ "count " (class(*category)) } {
                        (category.sign()) " " (category.counted(*count))
                    } " "
                }
            }
            p {
                @if surprises.is_empty() { "Every read mode behaved as expected." }
                @else {
                    strong class="bad" { "Not as expected: " }
                    @for (number, cell) in surprises.iter().enumerate() {
                        @if number > 0 { "; " }
                        (reads_of(&cell.cell.row(&summary.plan))) " under " (text(&cell.cell.faults.to_string()))
                    }
                    "."
                }
            }
            h2 { "The matrix" }
            div class="wide" tabindex="0" role="region" aria-label="Matrix of read modes and faults" {
                table class="matrix" {
                    caption class="quiet" { "Runs with a violation, of those that could have found one, with the 95 % \
                    interval of that share; below, each seed in its order, as a link to its report." }
                    thead { tr {
                        th scope="col" { "reads" }
                        @for column in &columns { th scope="col" { (text(column)) } }
                    } }
                    tbody {
                        @for row in &rows {
                            tr {
                                th scope="row" { (row) }
                                @for column in &columns { (cell(summary, summary.cell(row, column))) }
                            }
                        }
                        @for (kind, counts) in summary.audits(&columns) {
                            tr {
                                th scope="row" { "audit: " (kind.name()) }
                                @for count in counts {
                                    @let class = if count.violated > 0 { "fails" } else { "holds" };
                                    @if count.made > 0 { td class=(class) { (count.words()) } } @else { td {} }
                                }
                            }
                        }
                    }
                }
            }
            p class="signs quiet" {
                @for category in Category::ALL {
                    span { b class=(class(category)) { (category.sign()) } " " (category.name()) }
                }
            }
            (trends::first_violations(summary, link))
            (counterexamples(summary))
            (trends::runs(summary, link))
            (over_the_seeds(summary))
            h2 { "Beside this page" }
            p { "campaign.json and campaign.sqlite (tables runs and cells) hold all figures, junit.xml and summary.md \
            the same for a CI; runs/ has a folder for each run." }
            p class="quiet" { "Written by schism " (summary.version) "; each run is repeated by the command in its \
            report." }
        }
    }
}

fn cell(summary: &Summary, cell: Option<&CellSummary>) -> Markup {
    let Some(cell) = cell else { return html! { td {} } };
    let tint = match (cell.violations.count, cell.of) {
        (1.., _) => "fails",
        (0, 1..) => "holds",
        _ => "",
    };
    let runs = summary.runs.iter().filter(|run| run.cell.number == cell.cell.number);
    html! {
        td class=(tint) {
            @for words in cell.words() { (words) br; }
            @if cell.as_expected == Some(false) { strong { "not as expected" } br; }
            span class="runs" {
                @for run in runs {
                    a href=(link(run)) title={ "seed " (run.seed) ": \
                    " (run.category.name()) } aria-label={ (run.cell.row(&summary.plan)) ", \
                    " (text(&run.cell.faults.to_string())) ", seed " (run.seed) ": \
                    " (run.category.name()) } class=(class(run.category)) { (run.category.sign()) }
                }
            }
        }
    }
}

fn counterexamples(summary: &Summary) -> Markup {
    let found: Vec<&Record> = summary.cells.iter().filter_map(|cell| summary.run(cell.shortest.as_deref()?)).collect();
    html! {
        @if !found.is_empty() {
            h2 { "The smallest counterexample of each cell" }
            @for run in found {
                h3 { a href=(link(run)) {
                    (reads_of(&run.cell.row(&summary.plan))) ", " (text(&run.cell.faults.to_string()))
                    ", seed " (run.seed)
                } }
                p { (text(&run.told())) }
            }
        }
        @let has_verdict = |run: &Record| {
            matches!(run.category, Category::Violation | Category::NoViolation | Category::Weak)
        };
        @let failed: Vec<&Record> = summary.runs.iter().filter(|run| !has_verdict(run)).collect();
        @if !failed.is_empty() {
            h2 { "Runs without a verdict" }
            @for run in failed { p { code { (text(&run.id)) } ": " (run.category.name()) ": " (text(&run.told())) } }
        }
    }
}

/// Renders a table with one row per seed, so that chance shows: whatever one seed finds and the others do not.
fn over_the_seeds(summary: &Summary) -> Markup {
    let mut seeds: Vec<u64> = summary.runs.iter().map(|run| run.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    html! {
        @if seeds.len() > 1 {
            h2 { "Over the seeds" }
            div class="wide" tabindex="0" role="region" aria-label="Figures of each seed" {
                table {
                    caption class="quiet" { "All cells together; times are medians of the runs' own, gaps and \
                    staleness the worst." }
                    thead { tr {
                        @for name in [
                            "seed", "runs", "violations", "so far", "95 % interval", "stale reads", "stale by",
                            "reads p50", "writes p50", "longest gap",
                        ] { th scope="col" class="number" { (name) } }
                    } }
                    tbody {
                        @for (at, seed) in seeds.iter().enumerate() { (of_seed(summary, *seed, &seeds[..=at])) }
                    }
                }
            }
        }
    }
}

fn of_seed(summary: &Summary, seed: u64, so_far: &[u64]) -> Markup {
    let runs: Vec<&Record> = summary.runs.iter().filter(|run| run.seed == seed).collect();
    let violations = |run: &&&Record| run.category == Category::Violation;
    let told = || summary.runs.iter().filter(|run| so_far.contains(&run.seed));
    let of = told().filter(|run| matches!(run.category, Category::Violation | Category::NoViolation)).count();
    let found = told().filter(|run| run.category == Category::Violation).count();
    let share = Share::new(found, of);
    let facts = || runs.iter().filter_map(|run| run.facts.as_ref());
    let stale: usize = facts().filter_map(|facts| facts.stale_reads).sum();
    let stalest_ms = facts().filter_map(|facts| facts.stalest_ms).fold(0.0, f64::max);
    let gap_ms = facts().map(|facts| facts.longest_gap_ms).max().unwrap_or_default();
    let median = |of: fn(&RunFacts) -> f64| {
        let mut all: Vec<f64> = facts().map(of).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).map(|middle| measured_ms(*middle, 2)).unwrap_or_default()
    };
    html! {
        tr {
            td class="number" { (seed) }
            td class="number" { (runs.len()) }
            td class="number" { (runs.iter().filter(violations).count()) }
            td class="number" { (found) " of " (of) }
            td class="number" { (format!("{:.0} to {:.0} %", share.low * 100.0, share.high * 100.0)) }
            td class="number" { (stale) }
            td class="number" { (measured_ms(stalest_ms, 0)) }
            td class="number" { (median(|facts| facts.read_p50_ms)) }
            td class="number" { (median(|facts| facts.write_p50_ms)) }
            td class="number" { (lasting_ms(gap_ms)) }
        }
    }
}

fn link(run: &Record) -> String {
    format!("runs/{}/{REPORT_FILE}", run.id.replace('%', "%25").replace('+', "%2B"))
}
