//! Output as Markdown: the summary for the page of a CI.

use crate::terminal::{
    sanitize::{markdown as text, markdown_code as code},
    words::{counted, reads_of},
};
use crate::{
    campaign::{
        record::Category,
        summary::{AuditCount, CellSummary, Summary},
    },
    compare::{Comparison, HEADINGS, order_in_words},
};

/// Maximum number of violations listed.
const MAX_VIOLATIONS: usize = 20;

/// Returns the summary of a campaign.
pub(crate) fn page(summary: &Summary) -> String {
    let (rows, columns) = summary.axes();
    let mut page = format!("## schism campaign: {} of {}\n\n", summary.finished, counted(summary.planned, "run"));
    page.extend(summary.plan.subject_in_words().map(|subject| text(&subject) + "\n\n"));
    let head: Vec<String> = columns.iter().map(|column| text(column)).collect();
    page += &format!("| reads | {} |\n|---|{}\n", head.join(" | "), "---|".repeat(columns.len()));
    for row in &rows {
        let cells = columns.iter().map(|column| summary.cell(row, column).map_or_else(String::new, cell));
        page += &format!("| {} | {} |\n", text(row), cells.collect::<Vec<_>>().join(" | "));
    }
    for (kind, counts) in summary.audits(&columns) {
        let cells = counts.into_iter().map(AuditCount::words);
        page += &format!("| audit: {} | {} |\n", kind.name(), cells.collect::<Vec<_>>().join(" | "));
    }
    page += "\nIn each cell: runs with a violation, of those that could have found one, with the 95 % interval of \
    that share.\n";
    let counts = Category::ALL.iter().map(|category| (summary.count(*category), category));
    let counts: Vec<String> =
        counts.filter(|(count, _)| *count > 0).map(|(count, category)| category.counted(count)).collect();
    page += &format!("\nRuns: {}.\n", counts.join(", "));
    let surprises: Vec<&CellSummary> = summary.surprises().collect();
    if surprises.is_empty() {
        page += "\nAll results as expected.\n";
    }
    for cell in surprises {
        page += &format!(
            "\n**Not as expected**: {} under {}.\n",
            text(&reads_of(&cell.cell.row(&summary.plan))),
            text(&cell.cell.faults.to_string())
        );
    }
    let violations: Vec<_> = summary.runs.iter().filter(|run| run.category == Category::Violation).collect();
    for run in violations.iter().take(MAX_VIOLATIONS) {
        page += &format!("\n- {}: {}\n  repeat: {}\n", code(&run.id), text(&run.told()), code(&run.command));
    }
    if violations.len() > MAX_VIOLATIONS {
        page += &format!("\nand {}.\n", counted(violations.len() - MAX_VIOLATIONS, "more violation"));
    }
    page
}

/// Returns the tables of a comparison, and what they mean.
pub(crate) fn comparison(comparison: &Comparison) -> String {
    let mut page = format!("## schism compare: {} of {}\n\n", comparison.finished, counted(comparison.planned, "run"));
    page.extend(comparison.plan.subject_in_words().map(|subject| text(&subject) + "\n\n"));
    page += &format!("{}\n", text(&comparison.advice()));
    for setting in &comparison.settings {
        page += &format!(
            "\n### {}\n\n| {} |\n|{}\n",
            text(&setting.name),
            HEADINGS.join(" | "),
            "---|".repeat(HEADINGS.len())
        );
        for mode in &setting.modes {
            let cells = mode.words().map(|cell| cell.split('\n').map(text).collect::<Vec<_>>().join("<br>"));
            page += &format!("| {} |\n", cells.join(" | "));
        }
        page += &format!("\nReads, fastest first: {}\n", text(&order_in_words(&setting.by_read_latency, " < ")));
        page += &format!("\nThroughput, highest first: {}\n", text(&order_in_words(&setting.by_throughput, " > ")));
    }
    page
}

fn cell(cell: &CellSummary) -> String {
    let sign = match (cell.as_expected, cell.violations.count) {
        (Some(false), _) => "⚠️ ",
        (_, 1..) => "❌ ",
        (Some(true), _) if cell.of > 0 => "✅ ",
        _ => "",
    };
    format!("{sign}{}", cell.words().join("<br>"))
}

#[cfg(test)]
mod tests {
    use crate::campaign::{record::Category, summary::tests::made_up};

    #[test]
    fn a_page_has_the_matrix_and_no_foreign_markup() {
        let page = super::page(&made_up(|_| Some(Category::Violation)));
        assert!(page.contains("| reads | none | kill | pause | partition | clock | all |"), "{page}");
        assert!(page.contains("| quorum | ⚠️ 3 of 3 fail<br>44 to 100 % |"), "{page}");
        assert!(page.contains("**Not as expected**: quorum reads under kill."), "{page}");
        assert!(!page.contains("<b>") && page.contains("&lt;b&gt;broke"), "{page}");
        assert!(page.contains("and 70 more violations"), "{page}");
    }
}
