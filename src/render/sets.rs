//! Figures on the elements of sets, in words.

use checker::SetFigures;

use crate::terminal::words::{counted, grouped, lasting};

/// Describes how many elements were lost, shown late or never, and how late.
pub(crate) fn figures(figures: &SetFigures) -> String {
    let SetFigures { attempted, acknowledged, never_read, lost, stale, stable, stale_ns } = figures;
    let late = stale_ns.map_or_else(String::new, |[p50, p95, p99, most]| {
        let [p50, p95, p99, most] = [p50, p95, p99, most].map(lasting);
        format!(" (by {most} at most, {p50} at p50, {p95} at p95, {p99} at p99)")
    });
    let all = counted(*attempted, "element");
    let [acknowledged, stable, stale, never_read, lost] =
        [acknowledged, stable, stale, never_read, lost].map(|count| grouped(*count));
    format!(
        "Of {all}, {acknowledged} acknowledged: {stable} shown at once, {stale} late{late}, {never_read} never read, \
        {lost} lost"
    )
}
