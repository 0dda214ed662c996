//! Section on latency and throughput over time, and on the gaps without any success.

use histories::Outcome;
use maud::{Markup, html};

use super::super::{Facts, Section};
use crate::terminal::words::seconds;

pub(super) const SECTION: Section = Section { id: "performance", title: "Latency and throughput", body };

/// Maximum number of gaps listed.
const MAX_GAPS: usize = 5;

fn body(facts: &Facts<'_>) -> Option<Markup> {
    if facts.history.operations.is_empty() || !facts.history.has_times() {
        return None;
    }
    Some(html! {
        h3 { "Latency, each operation" }
        div id="latency" class="plot" role="img" aria-label="Latency of each operation over time, logarithmic; the \
        figures are in the table of counts" {}
        h3 { "Operations ended each second" }
        div id="throughput" class="plot" role="img" aria-label="Operations that ended in each second, by outcome" {}
        p class="quiet" { "Shaded: a fault was in force. Drag to zoom, double-click to see all again." }
        h3 { "The longest times without a success" }
        table {
            thead { tr {
                th scope="col" { "from" }
                th scope="col" { "to" }
                th scope="col" class="number" { "lasted" }
            } }
            tbody {
                @for (from_ns, until_ns) in gaps(facts) {
                    tr {
                        td { (seconds(from_ns)) } td { (seconds(until_ns)) }
                        td class="number" { (seconds(until_ns - from_ns)) }
                    }
                }
            }
        }
    })
}

fn gaps(facts: &Facts<'_>) -> Vec<(u64, u64)> {
    let history = facts.history;
    let is_success = |index: &usize| matches!(history.operations[*index].outcome, Outcome::Ok | Outcome::Mismatch);
    let mut ends: Vec<u64> =
        (0..history.operations.len()).filter(is_success).map(|index| history.times(index).completed_ns).collect();
    ends.sort_unstable();
    let mut gaps: Vec<(u64, u64)> = ends.windows(2).map(|pair| (pair[0], pair[1])).collect();
    gaps.sort_by_key(|(from_ns, until_ns)| std::cmp::Reverse(until_ns - from_ns));
    gaps.truncate(MAX_GAPS);
    gaps
}
