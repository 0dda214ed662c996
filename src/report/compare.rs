//! The page of a comparison, `compare.html`: read modes side by side, with their latencies as curves.

use maud::{Markup, PreEscaped, html};

use super::page::{PLOTS, frame, script_json, text};
use crate::{
    compare::{Comparison, Latencies, Mode, Setting, order_in_words},
    store::{ConfinedFolder, write_inside},
    terminal::{sanitize, words::grouped},
};

/// Name of the page in the folder.
pub(crate) const PAGE: &str = "compare.html";
const SCRIPT: &str = include_str!("assets/compare.js");

/// Writes the page of a comparison.
///
/// # Errors
/// Fails if the file cannot be written.
pub(crate) fn write(comparison: &Comparison, folder: &ConfinedFolder) -> anyhow::Result<()> {
    let html = frame("Read modes compared", &body(comparison)).into_string();
    write_inside(folder, PAGE, |out| Ok(out.write_all(html.as_bytes())?)).map(drop)
}

fn body(comparison: &Comparison) -> Markup {
    html! {
        main {
            h1 { "Read modes compared" }
            @if let Some(subject) = comparison.plan.subject_in_words() { p { (text(&subject)) } }
            p class="claim" { (sanitize::line(&comparison.advice())) }
            @for (number, setting) in comparison.settings.iter().enumerate() { (of_setting(number, setting)) }
            p { "The runs, with a report each: " a href=(super::campaign::INDEX) { "the matrix" } "." }
            p class="quiet" {
                "Modes ran in turn, one run at a time; ≈ joins those that differ by less than " (format!("{:.0} \
                %", crate::compare::SAME * 100.0))
                ". Written by schism " (comparison.version) "."
            }
        }
        script type="application/json" id="data" { (PreEscaped(script_json(comparison))) }
        script { (PreEscaped(PLOTS)) }
        script { (PreEscaped(SCRIPT)) }
    }
}

fn of_setting(number: usize, setting: &Setting) -> Markup {
    html! {
        section {
            h2 { "Under " (text(&setting.name)) }
            p { "Reads, fastest first: " strong { (order_in_words(&setting.by_read_latency, " < ")) } ". Throughput, \
            highest first: "
                strong { (order_in_words(&setting.by_throughput, " > ")) } "." }
            div class="plot" data-setting=(number) role="img" aria-label="Read latency by percentile, logarithmic; \
            the figures are in the table" {}
            div class="wide" tabindex="0" role="region" aria-label={ "Figures under " (text(&setting.name)) } {
                table {
                    thead { tr {
                        th scope="col" { "reads" }
                        @for name in ["ops/s", "read p50", "p90", "p99", "p99.9", "max ms", "write \
                        p50", "p90", "p99", "p99.9", "max ms", "messages/op", "fsyncs/op", "longest gap \
                        ms", "recovery ms", "reads up %", "writes up %", "verdicts", "stale reads", "stale by ms"] {
                            th scope="col" class="number" { (name) }
                        }
                        th scope="col" { "holds instead" }
                    } }
                    tbody {
                        @for mode in &setting.modes {
                            tr {
                                th scope="row" { (mode.name) }
                                td class="number" { (format!("{:.0}", mode.throughput.median)) }
                                (latencies(&mode.reads)) (latencies(&mode.writes))
                                td class="number" { (figure(mode.messages_per_operation, 1)) }
                                td class="number" { (figure(mode.fsyncs_per_operation, 2)) }
                                td class="number" { (mode.longest_gap_ms) }
                                td class="number" { @if let Some(ms) = mode.recovery_ms { (ms) } }
                                @for share in [mode.reads_available, mode.writes_available] {
                                    td class="number" { @if let Some(share) = share { (format!("{share:.1}")) } }
                                }
                                td class=(tint(mode)) { (mode.verdicts.join(", ")) }
                                td class="number" { (grouped(mode.stale_reads)) " of " (grouped(mode.all_reads)) }
                                td class="number" { @if mode.stale_reads > 0 { (mode.stalest_ms) } }
                                td { (mode.holds.join(", ")) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Writes a figure that may be missing.
fn figure(figure: Option<f64>, digits: usize) -> String {
    figure.map_or_else(String::new, |figure| format!("{figure:.digits$}"))
}

/// Returns the CSS class for a mode's verdicts: green only if at least one run could have found a violation.
fn tint(mode: &Mode) -> &'static str {
    match (mode.violations.count, mode.tested) {
        (0, 0) => "unsure",
        (0, _) => "good",
        _ => "bad",
    }
}

fn latencies(of: &Latencies) -> Markup {
    html! {
        @for figure in [of.p50, of.p90, of.p99, of.p999, of.max] { td class="number" { (format!("{figure:.2}")) } }
    }
}
