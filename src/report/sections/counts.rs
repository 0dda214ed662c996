//! How many operations ended how, and how long they took.

use std::{collections::BTreeMap, time::Duration};

use histories::Outcome;
use maud::{Markup, html};

use super::super::{Facts, Section, page::text};
use crate::ui::verdict::grouped;

inventory::submit! { Section { order: 70, id: "counts", title: "Counts", body } }

#[derive(Default)]
struct Row {
    /// By outcome: ok, mismatch, fail, info.
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
        if place == 0 {
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
    (!rows.is_empty()).then(|| {
        html! {
            div class="wide" tabindex="0" role="region" aria-label="Counts by function" {
                table {
                    thead { tr {
                        th scope="col" { "function" }
                        @for name in ["ok", "found another value", "failed", "unknown", "p50 ms", "p90 ms", "p99 ms", "max ms"] { th scope="col" class="number" { (name) } }
                    } }
                    tbody {
                        @for (name, row) in &rows {
                            tr {
                                th scope="row" { (name) }
                                @for count in row.ended { td class="number" { (grouped(count)) } }
                                @for percent in [50, 90, 99, 100] { td class="number" { (milliseconds(row, percent).unwrap_or_default()) } }
                            }
                        }
                    }
                }
            }
            @if let Some(run) = facts.run {
                p { "The nodes sent " (run.results.cost.messages) " messages to each other and made " (run.results.cost.fsyncs) " fsyncs under load." }
            }
        }
    })
}
