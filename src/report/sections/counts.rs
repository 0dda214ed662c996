//! Section with the outcomes of operations, their latencies, and the kinds of errors.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use histories::{Event, EventType, Outcome, ReadOptions};
use maud::{Markup, html};

use super::super::{Facts, Section, page::text};
use crate::{
    run::FinishedRun,
    terminal::words::{counted_u64, grouped},
};

pub(super) const SECTION: Section = Section { id: "counts", title: "Counts", body };

/// Maximum number of error kinds listed; the rest is only counted.
const MOST_KINDS: usize = 40;

#[derive(Default)]
struct Row {
    /// Number of operations by outcome: ok, mismatch, fail, info.
    ended: [usize; 4],
    took_ns: Vec<u64>,
}

fn body(facts: &Facts<'_>) -> Option<Markup> {
    let history = facts.history;
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for (index, operation) in history.operations.iter().enumerate() {
        let row = rows.entry(text(history.function_name(operation.function))).or_default();
        let times = history.times(index);
        let place = match operation.outcome {
            Outcome::Ok => 0,
            Outcome::Mismatch => 1,
            Outcome::Fail => 2,
            Outcome::Info => 3,
        };
        row.ended[place] += 1;
        if place == 0 && history.has_times() {
            row.took_ns.push(times.completed_ns - times.invoked_ns);
        }
    }
    for row in rows.values_mut() {
        row.took_ns.sort_unstable();
    }
    let milliseconds = |row: &Row, percent: usize| {
        let place = (row.took_ns.len() * percent).div_ceil(100).max(1) - 1;
        row.took_ns.get(place).map(|ns| format!("{:.1}", Duration::from_nanos(*ns).as_secs_f64() * 1e3))
    };
    let took: &[&str] = if history.has_times() { &["p50 ms", "p90 ms", "p99 ms", "max ms"] } else { &[] };
    (!rows.is_empty()).then(|| {
        html! {
            div class="wide" tabindex="0" role="region" aria-label="Counts by function" {
                table {
                    thead { tr {
                        th scope="col" { "function" }
                        @for name in ["ok", "found another value", "failed", "unknown outcome"].iter().chain(took) {
                            th scope="col" class="number" { (name) }
                        }
                    } }
                    tbody {
                        @for (name, row) in &rows {
                            tr {
                                th scope="row" { (name) }
                                @for count in row.ended { td class="number" { (grouped(count)) } }
                                @for percent in [50, 90, 99, 100].into_iter().take(took.len()) {
                                    td class="number" { (milliseconds(row, percent).unwrap_or_default()) }
                                }
                            }
                        }
                    }
                }
            }
            @if let Some(run) = facts.run {
                (errors(run))
                @let cost = run.results.live.cost;
                @if cost.messages + cost.fsyncs > 0 {
                    p {
                        "The nodes sent " (counted_u64(cost.messages, "message")) " to each other and made "
                        (counted_u64(cost.fsyncs, "fsync")) " under load."
                    }
                }
            }
        }
    })
}

/// Renders the errors of the operations that failed or ended unknown, by kind.
fn errors(run: &FinishedRun) -> Markup {
    let mut kinds: BTreeMap<(String, &'static str, String), usize> = BTreeMap::new();
    let mut others = 0;
    let read = histories::read_events(run.history_path(), &ReadOptions::default(), &mut |event: Option<&Event<'_>>| {
        let Some(event) = event else {
            kinds.clear();
            others = 0;
            return;
        };
        let outcome = match event.kind {
            EventType::Fail => "failed",
            EventType::Info => "unknown",
            EventType::Invoke | EventType::Ok => return,
        };
        let (true, Some(error)) = (event.process.is_client(), &event.error) else { return };
        let kind = (text(&event.f), outcome, text(error));
        if kinds.len() < MOST_KINDS || kinds.contains_key(&kind) {
            *kinds.entry(kind).or_default() += 1;
        } else {
            others += 1;
        }
    });
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, count)| Reverse(*count));
    html! {
        @if read.is_ok() && !kinds.is_empty() {
            h3 { "Errors by kind" }
            div class="wide" tabindex="0" role="region" aria-label="Errors by kind" {
                table {
                    thead { tr {
                        th scope="col" { "function" }
                        th scope="col" { "outcome" }
                        th scope="col" { "error" }
                        th scope="col" class="number" { "operations" }
                    } }
                    tbody {
                        @for ((function, outcome, error), count) in &kinds {
                            tr {
                                td { (function) } td { (outcome) } td { (error) }
                                td class="number" { (grouped(*count)) }
                            }
                        }
                    }
                }
            }
            @if others > 0 { p class="quiet" { (grouped(others)) " more of other kinds." } }
        }
    }
}
