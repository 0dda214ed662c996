//! Trends over the runs of a campaign: when the first violation came in each cell, and each figure over the seeds.
//! Pictures are SVG and need no script; each dot is a link to the page of its run.

use maud::{Markup, html};

use super::{page::text, picture::px};
use crate::{
    campaign::{
        record::{Category, Record, RunFacts},
        summary::Summary,
    },
    terminal::words::{counted, grouped, lasting_ms, measured_ms, reads_of, seconds},
};

const WIDTH: f64 = 760.0;
/// Left and right edges of the axis, and the height of a row.
const LEFT: f64 = 250.0;
const RIGHT: f64 = 590.0;
const ROW: f64 = 30.0;
const TOP: f64 = 22.0;
/// Maximum length of the name of a row in characters.
const MOST_NAME: usize = 38;
/// Maximum number of runs listed, and above which the list is closed at first.
const MAX_LISTED: usize = 2000;
const MAX_OPEN: usize = 24;

/// Row of dots: one for each run that has the figure.
struct Row<'a> {
    name: String,
    dots: Vec<(f64, &'a Record)>,
    words: String,
}

/// Renders when the first violation came in each cell that has one; `link` tells the page of a run.
pub(super) fn first_violations(summary: &Summary, link: impl Fn(&Record) -> String) -> Markup {
    let first_s = |run: &Record| run.facts.as_ref()?.first_sign.map(|sign| from_ms(sign.time_ms));
    let rows = summary.cells.iter().filter_map(|cell| {
        let of_cell = || summary.runs.iter().filter(|run| run.cell.number == cell.cell.number);
        let dots: Vec<_> = of_cell().filter_map(|run| Some((first_s(run)?, run))).collect();
        let mut operations: Vec<usize> =
            of_cell().filter_map(|run| run.facts.as_ref()?.first_sign).map(|sign| sign.operations).collect();
        operations.sort_unstable();
        let median = counted(*operations.get(operations.len() / 2)?, "operation");
        let mut times: Vec<f64> = dots.iter().map(|(s, _)| *s).collect();
        times.sort_by(f64::total_cmp);
        let words = format!("{:.1} s, {median}", times[times.len() / 2]);
        let name = format!("{}, {}", reads_of(&cell.cell.row(&summary.plan)), cell.cell.faults);
        Some(Row { name, dots, words })
    });
    let rows: Vec<Row<'_>> = rows.collect();
    html! {
        @if !rows.is_empty() {
            h2 { "Time to the first violation" }
            (strip(&rows, "time into the run", "median", "s", &link))
        }
    }
}

/// Renders each run with its figures, so that chance and drift show.
pub(super) fn runs(summary: &Summary, link: impl Fn(&Record) -> String) -> Markup {
    let hidden = summary.runs.len().saturating_sub(MAX_LISTED);
    html! {
        @if !summary.runs.is_empty() {
            h2 { "Over the runs" }
            (figures(summary, &link))
            details open[summary.runs.len() <= MAX_OPEN] {
                summary { "Every run" }
                div class="wide" tabindex="0" role="region" aria-label="Every run" {
                    table {
                        thead { tr {
                            th scope="col" { "run" } th scope="col" { "verdict" }
                            @for name in ["seed", "first violation", "operations", "stale reads", "reads p50",
                                "writes p50", "longest gap", "took"] { th scope="col" class="number" { (name) } }
                        } }
                        tbody { @for run in summary.runs.iter().take(MAX_LISTED) { (line(summary, run, &link)) } }
                    }
                }
                @if hidden > 0 { p class="quiet" { (counted(hidden, "more run")) " in campaign.sqlite." } }
            }
        }
    }
}

fn line(summary: &Summary, run: &Record, link: &dyn Fn(&Record) -> String) -> Markup {
    let facts = run.facts.as_ref();
    let first = facts.and_then(|facts| facts.first_sign);
    html! {
        tr {
            td { a href=(link(run)) {
                (reads_of(&run.cell.row(&summary.plan))) ", " (text(&run.cell.faults.to_string()))
            } }
            td class=(class(run.category)) { (run.category.sign()) " " (run.category.name()) }
            td class="number" { (run.seed) }
            td class="number" { @if let Some(first) = first { (seconds(first.time_ms * 1_000_000)) } }
            td class="number" { @if let Some(facts) = facts { (grouped(facts.operations)) } }
            td class="number" { @if let Some(stale) = facts.and_then(|facts| facts.stale_reads) { (grouped(stale)) } }
            @for ms in [facts.map(|facts| facts.read_p50_ms), facts.map(|facts| facts.write_p50_ms)] {
                td class="number" { @if let Some(ms) = ms { (measured_ms(ms, 2)) } }
            }
            td class="number" { @if let Some(facts) = facts { (lasting_ms(facts.longest_gap_ms)) } }
            td class="number" { (format!("{:.1} s", from_ms(run.took_ms))) }
        }
    }
}

/// Returns the class that colours a category.
pub(super) const fn class(category: Category) -> &'static str {
    match category {
        Category::Violation => "bad",
        Category::NoViolation => "good",
        Category::Weak | Category::Unknown | Category::RecoveryFailure | Category::HarnessFailure => "unsure",
    }
}

/// Renders figures of all runs as dots on one axis each, a row for each read mode.
fn figures(summary: &Summary, link: &dyn Fn(&Record) -> String) -> Markup {
    let (modes, _) = summary.axes();
    let of = |figure: fn(&RunFacts) -> Option<f64>, unit: &str| {
        let row = |mode: &String| {
            let of_mode = summary.runs.iter().filter(|run| run.cell.row(&summary.plan) == *mode);
            let dots: Vec<_> = of_mode.filter_map(|run| Some((figure(run.facts.as_ref()?)?, run))).collect();
            let mut all: Vec<f64> = dots.iter().map(|(figure, _)| *figure).collect();
            all.sort_by(f64::total_cmp);
            let words = format!("{:.1} {unit}", all.get(all.len() / 2)?);
            Some(Row { name: reads_of(mode), dots, words })
        };
        modes.iter().filter_map(row).collect::<Vec<_>>()
    };
    html! {
        @for (name, rows) in [
            ("reads p50 of each run", of(|facts| (facts.read_p50_ms > 0.0).then_some(facts.read_p50_ms), "ms")),
            ("writes p50 of each run", of(|facts| (facts.write_p50_ms > 0.0).then_some(facts.write_p50_ms), "ms")),
            ("stalest read of each run", of(|facts| facts.stalest_ms, "ms")),
        ] {
            @if rows.iter().any(|row| !row.dots.is_empty()) { (strip(&rows, name, "median", "ms", link)) }
        }
    }
}

/// Renders rows of dots on one axis from 0.
fn strip(rows: &[Row<'_>], name: &str, of_words: &str, unit: &str, link: &dyn Fn(&Record) -> String) -> Markup {
    let most = rows.iter().flat_map(|row| &row.dots).map(|(figure, _)| *figure).fold(0.0, f64::max);
    let end = round_up(most);
    let x = |figure: f64| LEFT + figure / end * (RIGHT - LEFT);
    let count = f64::from(u32::try_from(rows.len()).unwrap_or(u32::MAX));
    let height = TOP + ROW * count + 24.0;
    let cut = |name: &str| name.chars().take(MOST_NAME).collect::<String>();
    html! {
        div class="wide" tabindex="0" role="region" aria-label=(name) {
            svg class="strip" viewBox={ "0 0 " (WIDTH) " " (px(height)) } role="group" aria-label=(name) {
                text class="quiet" x=(px(LEFT)) y="13" { (name) }
                text class="quiet" x=(px(RIGHT + 16.0)) y="13" { (of_words) }
                @for (number, row) in (0_u32..).zip(rows) {
                    @let y = TOP + ROW * (f64::from(number) + 0.5);
                    text x="0" y=(px(y + 4.0)) { (text(&cut(&row.name))) }
                    line x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(y)) y2=(px(y)) {}
                    @for (figure, run) in &row.dots {
                        a href=(link(run)) aria-label={ (text(&row.name)) ", seed " (run.seed) ": \
                        " (format!("{figure:.2}")) " " (unit) } {
                            title { "seed " (run.seed) ": " (format!("{figure:.2}")) " " (unit) }
                            circle class=(class(run.category)) cx=(px(x(*figure))) cy=(px(y)) r="5" {}
                        }
                    }
                    text class="quiet" x=(px(RIGHT + 16.0)) y=(px(y + 4.0)) { (row.words) }
                }
                @for quarter in [0.0, 0.5, 1.0] {
                    text class="quiet tick" x=(px(x(end * quarter))) y=(px(height - 6.0)) text-anchor="middle" {
                        (end * quarter) " " (unit)
                    }
                }
            }
        }
    }
}

/// Returns the smallest of 1, 2 or 5 times a power of ten that is not below a figure.
fn round_up(figure: f64) -> f64 {
    let mut power = 0.01;
    while power * 10.0 < figure && power < 1e12 {
        power *= 10.0;
    }
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|end| *end >= figure).unwrap_or(figure)
}

fn from_ms(ms: u64) -> f64 {
    std::time::Duration::from_millis(ms).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::{first_violations, round_up, runs};
    use crate::{
        campaign::{
            record::Category,
            summary::tests::{made_up, made_up_facts},
        },
        run::FirstSign,
    };

    #[test]
    fn the_end_of_an_axis_is_round_and_holds_every_dot() {
        for (figure, end) in [(0.003, 0.01), (0.7, 1.0), (3.2, 5.0), (17.0, 20.0), (3656.0, 5000.0)] {
            assert!((round_up(figure) - end).abs() < end * 1e-9, "{figure}: {}", round_up(figure));
        }
    }

    #[test]
    fn each_run_with_a_violation_has_a_dot_that_leads_to_its_page() {
        let mut summary =
            made_up(|place| Some(if place % 30 == 0 { Category::Violation } else { Category::NoViolation }));
        for run in &mut summary.runs {
            let is_violated = run.category == Category::Violation;
            let mut facts = made_up_facts(&[]);
            facts.first_sign = is_violated.then_some(FirstSign { time_ms: 1500 * run.seed, operations: 70 });
            run.facts = Some(facts);
        }
        let link = |run: &crate::campaign::record::Record| format!("runs/{}/report.html", run.id);
        let page = first_violations(&summary, link).into_string();
        assert_eq!(page.matches("<circle class=\"bad\"").count(), 3, "{page}");
        let mut violated = summary.runs.iter().filter(|run| run.category == Category::Violation);
        assert!(violated.all(|run| page.contains(&format!("href=\"{}\"", link(run)))), "{page}");
        assert!(page.contains("3.0 s, 70 operations"), "{page}");
        let list = runs(&summary, link).into_string();
        assert_eq!(list.matches("<tr>").count(), 1 + summary.runs.len());
        assert!(list.contains("4.500 s") && list.contains("✗ violation"), "{list}");
        assert_eq!(first_violations(&made_up(|_| Some(Category::Weak)), link).into_string(), "");
    }
}
