//! Section with the lines that the nodes logged around the violation.

use maud::{Markup, html};

use super::super::{Facts, Section, page::text};
use crate::terminal::words::seconds;

pub(super) const SECTION: Section = Section { id: "logs", title: "Node logs around the violation", body };

/// Distance in time from the violation, both ways, within which lines are shown.
const AROUND_NS: u64 = 4_000_000_000;
/// Maximum number of lines shown.
const MAX_LINES: usize = 60;

fn body(facts: &Facts<'_>) -> Option<Markup> {
    let run = facts.run?;
    let evidence = facts.evidence()?;
    let moment_ns = evidence.operations.iter().map(|&index| facts.history.times(index).invoked_ns).max()?;
    let mut lines: Vec<(u64, String)> = Vec::new();
    for id in 1..=run.plan.all_nodes() {
        let log = run.log(id);
        for line in run.plan.system().read_lines(&String::from_utf8_lossy(&log)) {
            let time_ns = line.mono_ns.saturating_sub(run.results.live.start.origin_mono_ns);
            if time_ns.abs_diff(moment_ns) <= AROUND_NS {
                lines.push((time_ns, format!("n{id} {}", line.text)));
            }
        }
    }
    let skipped = keep_nearest(&mut lines, moment_ns);
    (!lines.is_empty()).then(|| {
        html! {
            @if skipped > 0 { p class="quiet" { (skipped) " more lines are in nodes/*/node.log." } }
            pre tabindex="0" { @for (time_ns, line) in &lines { (seconds(*time_ns)) "  \
            " (text(line)) "\n" } }
        }
    })
}

/// Keeps the lines nearest to a moment, in order of time, and returns the number of the others.
fn keep_nearest(lines: &mut Vec<(u64, String)>, moment_ns: u64) -> usize {
    let skipped = lines.len().saturating_sub(MAX_LINES);
    lines.sort_by_key(|(time_ns, _)| time_ns.abs_diff(moment_ns));
    lines.truncate(MAX_LINES);
    lines.sort();
    skipped
}

#[cfg(test)]
mod tests {
    use super::{MAX_LINES, keep_nearest};

    #[test]
    fn of_many_lines_those_at_the_violation_are_kept_in_order_of_time() {
        let mut lines: Vec<_> = (0..200).map(|time_ns| (time_ns, "n1".to_owned())).collect();
        lines.reverse();
        assert_eq!(keep_nearest(&mut lines, 100), 200 - MAX_LINES);
        assert!(lines.is_sorted() && lines.len() == MAX_LINES);
        assert!((90..=110).all(|time_ns| lines.iter().any(|line| line.0 == time_ns)), "{lines:?}");
        assert_eq!(keep_nearest(&mut lines, 100), 0);
    }
}
