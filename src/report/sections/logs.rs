//! Section with the lines that the nodes logged up to the violation.

use maud::{Markup, html};

use super::super::{Facts, Section, page::text};
use crate::terminal::words::{counted, seconds};

pub(super) const SECTION: Section = Section { id: "logs", title: "Node logs up to the violation", body };

/// Time before the violation within which lines are shown.
const BEFORE_NS: u64 = 4_000_000_000;
/// Maximum number of lines shown.
const MAX_LINES: usize = 60;

fn body(facts: &Facts<'_>) -> Option<Markup> {
    let run = facts.run?;
    // What a node logged after the violation, such as that it was stopped in the end, has nothing to do with it.
    let moment_ns = facts.violated_ns()?;
    let is_of_answer = facts.transactions.is_none()
        && facts.wrong_operation().is_some_and(|wrong| facts.times(wrong).completed_ns == moment_ns);
    // By the nodes' clock: what they logged before the load began stays in order.
    let mut lines: Vec<(u64, String)> = Vec::new();
    let origin_ns = run.results.live.start.origin_mono_ns;
    for id in 1..=run.plan.all_nodes() {
        let log = run.log(id);
        for line in run.plan.system().read_lines(&String::from_utf8_lossy(&log)) {
            let time_ns = line.mono_ns.saturating_sub(origin_ns);
            if (moment_ns.saturating_sub(BEFORE_NS)..=moment_ns).contains(&time_ns) {
                lines.push((line.mono_ns, format!("n{id} {}", line.text)));
            }
        }
    }
    let skipped = keep_last(&mut lines);
    (!lines.is_empty()).then(|| {
        html! {
            @if skipped > 0 {
                p class="quiet" { (counted(skipped, "earlier line")) " left out here; nodes/*/node.log has all." }
            }
            pre tabindex="0" { @for (mono_ns, line) in &lines {
                (seconds(mono_ns.saturating_sub(origin_ns))) "  " (text(line)) "\n"
            } }
            p class="quiet" {
                "At " (seconds(moment_ns)) @if is_of_answer { " came the wrong answer." } @else { " the violation was \
                complete." }
            }
        }
    })
}

/// Keeps the last lines, in order of time, and returns the number of the others.
fn keep_last(lines: &mut Vec<(u64, String)>) -> usize {
    lines.sort();
    let skipped = lines.len().saturating_sub(MAX_LINES);
    lines.drain(..skipped);
    skipped
}

#[cfg(test)]
mod tests {
    use super::{MAX_LINES, keep_last};

    #[test]
    fn of_many_lines_the_last_are_kept_in_order_of_time() {
        let mut lines: Vec<_> = (0..200).map(|time_ns| (time_ns, "n1".to_owned())).collect();
        lines.reverse();
        assert_eq!(keep_last(&mut lines), 200 - MAX_LINES);
        assert!(lines.is_sorted() && lines.len() == MAX_LINES && lines.last().unwrap().0 == 199, "{lines:?}");
        assert_eq!(keep_last(&mut lines), 0);
    }
}
