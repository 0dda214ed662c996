//! `index.html`: the page of a campaign. Its matrix, with links to the runs, and the smallest counterexamples.

use std::path::Path;

use maud::{Markup, html};

use super::{
    FILE,
    page::{frame, text},
};
use crate::{
    campaign::{
        record::{Category, Record},
        summary::{CellSummary, Summary},
    },
    ui::{verdict::counted, write_whole},
};

/// The name of the page in a campaign's folder.
pub(crate) const INDEX: &str = "index.html";

/// Writes the page of a campaign.
///
/// # Errors
/// It cannot be written.
pub(crate) fn write(summary: &Summary, folder: &Path) -> anyhow::Result<()> {
    let html = frame(&title(summary), &body(summary)).into_string();
    write_whole(&folder.join(INDEX), |out| Ok(out.write_all(html.as_bytes())?)).map(drop)
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
            h1 { (title(summary)) }
            p {
                @for (count, category) in counts.iter().filter(|(count, _)| *count > 0) { (count) " " (category.name()) " (" (category.sign()) ")  " }
            }
            p {
                @if surprises.is_empty() { "Nothing contradicts what theory says of the read modes." }
                @else {
                    strong class="bad" { "Not as theory has it: " }
                    @for cell in &surprises { (cell.cell.read.name()) " reads under " (text(&cell.cell.faults.to_string())) "; " }
                }
            }
            h2 { "The matrix" }
            div class="wide" tabindex="0" role="region" aria-label="Matrix of read modes and faults" {
                table class="matrix" {
                    caption class="quiet" { "Runs with a violation, of those that could have found one, with the 95 % interval of that share; below, each seed in its order, as a link to its report." }
                    thead { tr { th scope="col" { "reads" } @for column in &columns { th scope="col" { (text(column)) } } } }
                    tbody {
                        @for row in &rows {
                            tr { th scope="row" { (row) } @for column in &columns { (cell(summary, summary.cell(row, column))) } }
                        }
                    }
                }
            }
            (counterexamples(summary))
            h2 { "Beside this page" }
            p { "campaign.json and campaign.sqlite (tables runs and cells) hold all figures, junit.xml and summary.md the same for a CI; runs/ has a folder for each run." }
            p class="quiet" { "Written by schism " (summary.version) "; each run is repeated by the command in its report." }
        }
    }
}

fn cell(summary: &Summary, cell: Option<&CellSummary>) -> Markup {
    let Some(cell) = cell else { return html! { td {} } };
    let class = match (cell.violations.count, cell.of) {
        (1.., _) => "fails",
        (0, 1..) => "holds",
        _ => "",
    };
    let runs = summary.runs.iter().filter(|run| run.cell.number == cell.cell.number);
    html! {
        td class=(class) {
            @for words in cell.words() { (words) br; }
            @if cell.as_expected == Some(false) { strong { "not as theory has it" } br; }
            span class="runs" {
                @for run in runs {
                    a href=(link(run)) title={ "seed " (run.seed) ": " (run.category.name()) } aria-label={ (run.cell.read.name()) ", " (text(&run.cell.faults.to_string())) ", seed " (run.seed) ": " (run.category.name()) } { (run.category.sign()) }
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
                h3 { a href=(link(run)) { (run.cell.read.name()) " reads, " (text(&run.cell.faults.to_string())) ", seed " (run.seed) } }
                p { (text(&run.told())) }
            }
        }
        @let failed: Vec<&Record> = summary.runs.iter().filter(|run| !matches!(run.category, Category::Violation | Category::NoViolation | Category::Weak)).collect();
        @if !failed.is_empty() {
            h2 { "Runs without a verdict" }
            @for run in failed { p { code { (text(&run.id)) } ": " (run.category.name()) ": " (text(&run.told())) } }
        }
    }
}

fn link(run: &Record) -> String {
    format!("runs/{}/{FILE}", run.id.replace('%', "%25").replace('+', "%2B"))
}
