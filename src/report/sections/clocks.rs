//! Section on the offset of each node's clock, if a fault changed clocks.

use std::time::Duration;

use maud::{Markup, html};

use super::super::{Facts, Section, page};
use crate::run::clock_offset_s;

pub(super) const SECTION: Section = Section { id: "clocks", title: "Clocks", body };

fn body(facts: &Facts<'_>) -> Option<Markup> {
    let mut nodes: Vec<u16> = facts
        .fault_windows
        .iter()
        .filter(|window| window.skew.is_some())
        .flat_map(|window| window.nodes.clone())
        .collect();
    nodes.sort_unstable();
    nodes.dedup();
    if nodes.is_empty() {
        return None;
    }
    let end_ns = facts.end_ns();
    let mut times: Vec<u64> =
        facts.fault_windows.iter().flat_map(|window| [window.span.from_ns, window.span.until_ns]).collect();
    // A jump takes no time, so a time just after each edge is needed too.
    times.extend(times.clone().into_iter().map(|time_ns| time_ns + 1));
    times.extend([0, end_ns]);
    times.retain(|time_ns| *time_ns <= end_ns);
    times.sort_unstable();
    times.dedup();
    let offsets =
        |node: u16| times.iter().map(|&time_ns| 1e3 * clock_offset_s(facts.fault_windows, node, time_ns)).collect();
    let plot = page::Plot {
        x: times.iter().map(|&time_ns| Duration::from_nanos(time_ns).as_secs_f64()).collect(),
        series: nodes.iter().map(|&node| (format!("n{node}"), offsets(node))).collect(),
        unit: "ms",
    };
    Some(html! {
        p { "Offset of each node's clock from the true one (below 0: behind), as it was skewed from outside; a node \
        that starts anew begins at 0. Through vDSOs it is the time of day, which stays skewed over a restart, and is \
        right after the fault; a strobe is drawn as its jump." }
        (plot.markup("Offset of each node's clock over time"))
    })
}
