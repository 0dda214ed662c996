//! The results of a campaign: the matrix of verdicts, and what is not as expected.

use std::path::Path;

use crate::{
    campaign::{
        folder::Purpose,
        record::{Category, Record},
        summary::{AuditCount, CellSummary, Summary},
    },
    terminal::{
        Answer, Step, Table,
        words::{counted, reads_of, shortened},
    },
};

/// Maximum number of violations listed at the end.
const MAX_LISTED: usize = 5;

/// Describes the results of a campaign, whose page is in its folder.
pub(crate) fn describe_campaign(summary: &Summary, page: &Path) -> Answer {
    let (rows, columns) = summary.axes();
    let mut table = Table::new(std::iter::once("reads").chain(columns.iter().map(String::as_str))).ruled();
    for row in &rows {
        let cells = columns.iter().map(|column| summary.cell(row, column).map_or_else(String::new, cell));
        table.add_row(std::iter::once(row.clone()).chain(cells));
    }
    for (kind, counts) in summary.audits(&columns) {
        let cells = counts.into_iter().map(AuditCount::words);
        table.add_row(std::iter::once(format!("audit: {}", kind.name())).chain(cells));
    }
    let subject = summary.plan.subject_in_words().map_or_else(String::new, |subject| subject + "\n");
    let counts = Category::ALL.map(|category| (summary.count(category), category));
    let counts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, category)| category.counted(*count)).collect();
    let colon = if counts.is_empty() { "" } else { ": " };
    let verdict = format!("{} of {}{colon}{}", summary.finished, counted(summary.planned, "run"), counts.join(", "));
    let mut said = "\n".to_owned();
    for CellSummary { cell, .. } in summary.surprises() {
        said += &format!("not as expected: {} under {}\n", reads_of(&cell.row(&summary.plan)), cell.faults);
    }
    let failures = [Category::RecoveryFailure, Category::HarnessFailure];
    let all_ran = failures.into_iter().all(|category| summary.count(category) == 0);
    if said.len() == 1 && summary.finished > 0 && all_ran {
        said += "all results as expected\n";
    }
    let mut steps = vec![Step::Page(page.to_owned())];
    if summary.finished < summary.planned {
        let folder = page.parent().unwrap_or(Path::new("."));
        steps.push(Step::Command("resume", Purpose::Campaign.resume(folder)));
    }
    let shares = "Runs with a violation, of those that could have found one; below, the 95 % interval of that share.\n";
    let mut text = format!("\n{}", table.above(shares));
    let cells = summary.cells.iter().filter_map(|cell| summary.run(cell.shortest.as_deref()?));
    let mut shortest: Vec<&Record> = cells.collect();
    shortest.sort_by_key(|run| run.facts.as_ref().and_then(|facts| facts.evidence_operations).unwrap_or(usize::MAX));
    if !shortest.is_empty() {
        text += "\nThe smallest counterexamples:\n";
    }
    for run in shortest.iter().take(MAX_LISTED) {
        text += &format!("  {}: {}\n", run.id, shortened(&run.told()));
    }
    let failed = summary
        .runs
        .iter()
        .filter(|run| matches!(run.category, Category::HarnessFailure | Category::RecoveryFailure | Category::Unknown));
    for run in failed.take(MAX_LISTED) {
        text += &format!("  {}: {}: {}\n", run.id, run.category.name(), shortened(&run.told()));
    }
    Answer { subject, verdict, summary: said, steps, details: text }
}

fn cell(cell: &CellSummary) -> String {
    let mark = if cell.as_expected == Some(false) { " (!)" } else { "" };
    cell.words().join("\n") + mark
}

#[cfg(test)]
mod tests {
    use super::{describe_campaign, shortened};
    use crate::campaign::{record::Category, summary::tests::made_up};

    #[test]
    fn the_table_names_what_is_not_as_expected() {
        let told = describe_campaign(&made_up(|_| Some(Category::NoViolation)), "night/index.html".as_ref());
        assert!(told.summary.contains("not as expected: local reads under none"), "{told:?}");
        assert!(!told.summary.contains("quorum reads under"), "{told:?}");
        assert!(told.verdict.contains("90 of 90 runs: 90 no violation"), "{told:?}");
        let told = describe_campaign(&made_up(|place| (place < 2).then_some(Category::Violation)), "x".as_ref());
        assert_eq!(told.verdict, "2 of 90 runs: 2 violations");
    }

    #[test]
    fn a_campaign_without_any_run_says_no_more_than_that() {
        let told = describe_campaign(&made_up(|_| None), "night/index.html".as_ref());
        assert_eq!(told.verdict, "0 of 90 runs");
        assert!(!told.summary.contains("as expected"), "{told:?}");
    }

    #[test]
    fn hostile_text_does_not_steer_the_terminal() {
        let text = describe_campaign(&made_up(|_| Some(Category::Violation)), "night/index.html".as_ref()).details;
        assert!(!text.contains('\u{1b}') && !text.contains('\0'), "{text}");
        assert_eq!(shortened("a\u{202e}b\nc"), "a\u{fffd}b c");
        assert_eq!(shortened(&"x".repeat(1000)).chars().count(), 161);
    }
}
