//! Section with the lines that the nodes logged around the violation.

use maud::{Markup, html};

use super::super::{Facts, Section, page::text};
use crate::terminal::words::seconds;

pub(super) const SECTION: Section = Section { id: "logs", title: "Logs of the nodes around that", body };

/// Distance in time from the violation, both ways, within which lines are shown.
const AROUND_NS: u64 = 4_000_000_000;
/// Maximum number of lines shown.
const MOST: usize = 60;

fn body(facts: &Facts<'_>) -> Option<Markup> {
    let run = facts.run?;
    let evidence = facts.evidence()?;
    let moment_ns = evidence.operations.iter().map(|&index| facts.history.times(index).invoked_ns).max()?;
    let mut lines: Vec<(u64, String)> = Vec::new();
    for id in 1..=run.plan.nodes {
        let log = run.log(id);
        for line in run.plan.system().read_lines(&String::from_utf8_lossy(&log)) {
            let time_ns = line.mono_ns.saturating_sub(run.results.live.start.origin_mono_ns);
            if time_ns.abs_diff(moment_ns) <= AROUND_NS {
                lines.push((time_ns, format!("n{id} {}", line.text)));
            }
        }
    }
    lines.sort();
    let skipped = lines.len().saturating_sub(MOST);
    (!lines.is_empty()).then(|| {
        html! {
            @if skipped > 0 { p class="quiet" { (skipped) " more lines are in nodes/*/node.log." } }
            pre tabindex="0" { @for (time_ns, line) in lines.iter().take(MOST) { (seconds(*time_ns)) "  \
            " (text(line)) "\n" } }
        }
    })
}
