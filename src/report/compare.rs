//! The page of a comparison, `compare.html`: read modes side by side, with their latencies as curves.

use maud::{Markup, PreEscaped, html};

use super::page::{PLOTS, frame, script_json, text};
use crate::{
    campaign::record::Category,
    compare::{Advice, AdviceKind, Comparison, Mode, Setting, order_in_words},
    store::{ConfinedFolder, write_inside},
    terminal::{
        sanitize,
        words::{counted, grouped, lasting_ms, measured_ms, reads_of},
    },
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
            ul class="advice" {
                @for Advice { kind, text } in comparison.pieces_of_advice() {
                    @let (class, sign) = sign(kind);
                    li { span class=(class) aria-hidden="true" { (sign) } span { (sanitize::line(&text)) } }
                }
            }
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

/// Returns the class and the sign of a piece of advice, those of a campaign's runs.
fn sign(kind: AdviceKind) -> (&'static str, char) {
    match kind {
        AdviceKind::Lacking => ("unsure", Category::Weak.sign()),
        AdviceKind::Violated => ("bad", Category::Violation.sign()),
        AdviceKind::Held => ("good", Category::NoViolation.sign()),
        AdviceKind::Other => ("quiet", '·'),
    }
}

fn of_setting(number: usize, setting: &Setting) -> Markup {
    let runs = setting.modes.iter().map(|mode| mode.runs).min().unwrap_or_default();
    html! {
        section {
            h2 { "Under " (text(&setting.name)) }
            @if setting.can_rank() {
                p { "Reads, fastest first: " strong { (order_in_words(&setting.by_read_latency, " < ")) }
                    ". Throughput, highest first: "
                    strong { (order_in_words(&setting.by_throughput, " > ")) } "." }
            } @else {
                p class="quiet" { (counted(runs, "run")) " of a mode: too few to say which is faster." }
            }
            div class="plot" data-setting=(number) role="img" aria-label="Read latency by percentile, logarithmic; \
            the figures are in the table" {}
            (table(setting))
        }
    }
}

/// Renders the figures with a column for each mode, so that those that are compared stand beside each other.
fn table(setting: &Setting) -> Markup {
    html! {
        div class="wide" tabindex="0" role="region" aria-label={ "Figures under " (text(&setting.name)) } {
            table class="compared" {
                thead { tr {
                    td {}
                    @for mode in &setting.modes { th scope="col" class="number" { (reads_of(&mode.name)) } }
                } }
                tbody {
                    tr {
                        th scope="row" { "verdicts" }
                        @for mode in &setting.modes { td class={ "number " (tint(mode)) } {
                            @for words in &mode.verdicts { (words) br; }
                        } }
                    }
                    @for (name, figure) in FIGURES {
                        tr {
                            th scope="row" { (name) }
                            @for mode in &setting.modes { td class="number" { (figure(mode)) } }
                        }
                    }
                }
            }
        }
    }
}

/// Figures of a mode, and how each is written.
type Figure = (&'static str, fn(&Mode) -> String);
const FIGURES: [Figure; 21] = [
    ("stale reads", |mode| format!("{} of {}", grouped(mode.stale_reads), grouped(mode.all_reads))),
    ("stale by at most", |mode| if mode.stale_reads > 0 { lasting_ms(mode.stalest_ms) } else { String::new() }),
    ("holds instead", |mode| mode.holds.join(", ")),
    ("operations a second", |mode| format!("{:.0}", mode.throughput.median)),
    ("reads p50", |mode| ms(mode.reads.p50)),
    ("reads p90", |mode| ms(mode.reads.p90)),
    ("reads p99", |mode| ms(mode.reads.p99)),
    ("reads p99.9", |mode| ms(mode.reads.p999)),
    ("reads at most", |mode| ms(mode.reads.max)),
    ("writes p50", |mode| ms(mode.writes.p50)),
    ("writes p90", |mode| ms(mode.writes.p90)),
    ("writes p99", |mode| ms(mode.writes.p99)),
    ("writes p99.9", |mode| ms(mode.writes.p999)),
    ("writes at most", |mode| ms(mode.writes.max)),
    ("messages per operation", |mode| figure(mode.messages_per_operation, 1, "")),
    ("fsyncs per operation", |mode| figure(mode.fsyncs_per_operation, 2, "")),
    ("longest gap", |mode| lasting_ms(mode.longest_gap_ms)),
    ("recovery", |mode| mode.recovery_ms.map_or_else(String::new, lasting_ms)),
    ("reads answered in time", |mode| figure(mode.reads_available, 1, " %")),
    ("writes answered in time", |mode| figure(mode.writes_available, 1, " %")),
    ("runs measured", |mode| mode.runs.to_string()),
];

fn ms(figure: f64) -> String {
    measured_ms(figure, 2)
}

/// Writes a figure that may be missing.
fn figure(figure: Option<f64>, digits: usize, unit: &str) -> String {
    figure.map_or_else(String::new, |figure| format!("{figure:.digits$}{unit}"))
}

/// Returns the CSS class for a mode's verdicts: green only if at least one run could have found a violation.
fn tint(mode: &Mode) -> &'static str {
    match (mode.violations.count, mode.tested) {
        (0, 0) => "unsure",
        (0, _) => "good",
        _ => "bad",
    }
}
