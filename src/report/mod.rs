//! The page of a run, `report.html`: one file that needs no server and no network. Each section is a file in
//! `sections/`.

pub(crate) mod campaign;
pub(crate) mod compare;
pub(crate) mod cycle;
mod data;
mod facts;
mod labels;
pub(crate) mod live;
pub(crate) mod outputs;
mod page;
mod picture;
mod reigns;
mod sections;
pub(crate) mod simulated_hunt;
pub(crate) mod store;
#[cfg(test)]
mod tests;
pub(crate) mod timeline;
mod trends;

use std::path::Path;

use checker::Level;
use maud::{Markup, PreEscaped, html};

pub(crate) use self::{
    facts::{Facts, Section, TransactionFacts, Violation},
    page::{LIVE_POLICY, POLICY},
};
use self::{
    page::{PLOTS, frame},
    sections::SECTIONS,
};
use crate::{
    render::run_summary::interruption,
    run::{FinishedRun, Span},
    store::{REPORT_FILE, write_inside},
    terminal::write_whole,
};

const SCRIPT: &str = include_str!("assets/report.js");
const EXPLORER: &str = include_str!("assets/explorer.js");
const CHARTS: &str = include_str!("assets/charts.js");

/// Writes the page of a run into its folder.
///
/// # Errors
/// Fails if the file cannot be written.
pub(crate) fn of_run(finished: &FinishedRun) -> anyhow::Result<()> {
    let html = html(&Facts { is_in_folder: true, ..facts_of(finished) });
    write_inside(finished.folder(), REPORT_FILE, |out| Ok(out.write_all(html.as_bytes())?)).map(drop)
}

/// Collects everything that the page of a run shows.
pub(crate) fn facts_of(finished: &FinishedRun) -> Facts<'_> {
    let (plan, results) = (&finished.plan, &finished.results);
    let transactions = results.transactions.as_ref();
    let name = format!("{}, {}", plan.system, plan.summary());
    let facts = Facts {
        run: Some(finished),
        transactions: transactions.map(|report| TransactionFacts { report, level: Level::StrictSerializable }),
        hierarchy: results.hierarchy.as_ref(),
        staleness: results.staleness.as_ref(),
        fault_windows: &finished.fault_windows,
        reigns: &results.reigns,
        ..Facts::of(name, plan.command(), &finished.history, &results.report)
    }
    .with_violations(|key, evidence| finished.prefix(key, evidence));
    let log = |during: Option<Span>| during.map(|during| finished.message_log(during)).unwrap_or_default();
    let message_log = log(timeline::around(&facts));
    let deposition_log = log(facts.deposed_ns().map(around_deposition));
    Facts { message_log, deposition_log, orders: finished.orders(), ..facts }
}

/// Time shown before and after a deposition: elections take a few round trips.
const AROUND_DEPOSITION_NS: u64 = 250_000_000;

fn around_deposition(deposed_ns: u64) -> Span {
    let from_ns = deposed_ns.saturating_sub(AROUND_DEPOSITION_NS);
    Span { from_ns, until_ns: deposed_ns + AROUND_DEPOSITION_NS / 5 }
}

/// Renders the page of a run or a history as HTML.
pub(crate) fn html(facts: &Facts<'_>) -> String {
    let shown: Vec<(&Section, Markup)> =
        SECTIONS.iter().filter_map(|section| Some((section, (section.body)(facts)?))).collect();
    let body = html! {
        nav aria-label="Sections" {
            @for (section, _) in &shown { a href={ "#" (section.id) } { (section.title) } " " }
        }
        main {
            @for (section, body) in &shown {
                section id=(section.id) aria-labelledby={ (section.id) "-title" } {
                    h2 id={ (section.id) "-title" } { (section.title) }
                    (body)
                }
            }
        }
        div id="tip" role="status" aria-live="polite" hidden {}
        script type="text/plain" id="data" { (PreEscaped(data::packed(facts))) }
        @for script in [PLOTS, SCRIPT, EXPLORER, CHARTS] { script { (PreEscaped(script)) } }
    };
    let interrupted = facts.run.and_then(interruption).map_or_else(String::new, |said| format!(", {said}"));
    frame(&format!("{}{interrupted}: {}", facts.verdict_in_words(), facts.name), &body).into_string()
}

/// Writes the page to a file.
///
/// # Errors
/// Fails if the file cannot be written.
pub(crate) fn write(facts: &Facts<'_>, to: &Path) -> anyhow::Result<()> {
    let html = html(facts);
    write_whole(to, |out| Ok(out.write_all(html.as_bytes())?)).map(drop)
}
