//! Section on transactions: the levels of isolation that hold, and every kind of anomaly that was found, with its
//! count and the clearest example.

use checker::{Anomaly, LevelReport, Status, TransactionReport};
use maud::{Markup, html};

use super::super::{Facts, Section, cycle, page::text};
use crate::terminal::words::grouped;

pub(super) const SECTION: Section = Section { id: "anomalies", title: "Levels and anomalies", body };

fn body(facts: &Facts<'_>) -> Option<Markup> {
    let report = facts.transactions?.report;
    let shown = facts.anomaly();
    Some(html! {
        div class="wide" tabindex="0" role="region" aria-label="Levels of isolation" {
            table class="told" {
                thead { tr { th scope="col" { "level" } th scope="col" { "holds" } th scope="col" { "why" } } }
                tbody { @for level in &report.levels { (row(report, *level)) } }
            }
        }
        @if !report.counts.is_empty() {
            h3 { "Every kind of anomaly that was found" }
            p class="quiet" { "One is counted for each cycle or transaction that was looked at, so there may be more." }
        }
        @for count in &report.counts {
            @let example = report.anomalies.iter().find(|anomaly| anomaly.name == count.name);
            details open[report.counts.len() == 1 && shown != example] {
                summary { strong { (count.name) } ", found " (times(count.count)) }
                @if shown == example { p { "The first is shown above." } }
                @else if let Some(anomaly) = example { (of_anomaly(facts, anomaly)) }
            }
        }
    })
}

fn row(report: &TransactionReport, LevelReport { level, status }: LevelReport) -> Markup {
    let refuting = report.anomalies.iter().find(|anomaly| anomaly.refutes <= level);
    let why = report.why.as_ref().map(|why| text(&why.to_string())).unwrap_or_default();
    html! {
        tr {
            th scope="row" { (level) }
            @match status {
                Status::Holds => { td class="good" { "✓ yes" } td {} }
                Status::Refuted => {
                    td class="bad" { "✗ no" }
                    td { @if let Some(anomaly) = refuting { (anomaly.name) ": " (text(&anomaly.claim)) } }
                }
                Status::NotRefuted => {
                    td class="unsure" { "? open" }
                    td { "nothing refutes it, but the order of the versions is not known for every key" }
                }
                Status::Unknown => { td class="unsure" { "? unknown" } td { (why) } }
            }
        }
    }
}

fn times(count: usize) -> String {
    if count == 1 { "once".to_owned() } else { format!("{} times", grouped(count)) }
}

/// Renders an anomaly: its claim, the picture of it, and why each of its transactions must come before the next.
fn of_anomaly(facts: &Facts<'_>, anomaly: &Anomaly) -> Markup {
    html! {
        p { (text(&anomaly.claim)) "." }
        div class="wide" tabindex="0" role="region" aria-label={ "Picture of " (anomaly.name) } {
            (cycle::svg(facts, anomaly, false))
        }
        @if !anomaly.links.is_empty() {
            ol { @for link in &anomaly.links { li { (text(&link.sentence)) "." } } }
        }
    }
}
