//! Output for GitHub Actions: annotations by workflow commands, and the step's summary page.

use std::{env, fs::OpenOptions, io::Write as _};

use anyhow::Context as _;

use crate::campaign::{record::Category, summary::Summary};
use crate::terminal::{
    self,
    sanitize::{workflow_data as data, workflow_property as property},
    words::reads_of,
};

/// Maximum number of annotations per level: GitHub shows ten of each for a step.
const MAX_ANNOTATIONS: usize = 10;

pub(super) fn tell(summary: &Summary, markdown: &str) -> anyhow::Result<()> {
    if let Some(path) = env::var_os("GITHUB_STEP_SUMMARY") {
        let shown = path.to_string_lossy().into_owned();
        let wrong = || format!("cannot write the step's summary {shown}");
        let mut file = OpenOptions::new().append(true).create(true).open(&path).with_context(wrong)?;
        file.write_all(markdown.as_bytes()).with_context(wrong)?;
    }
    if env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        terminal::print_as_it_is(&annotations(summary))?;
    }
    Ok(())
}

fn annotations(summary: &Summary) -> String {
    let mut text = String::new();
    for (category, level) in [
        (Category::Violation, "error"),
        (Category::HarnessFailure, "error"),
        (Category::RecoveryFailure, "error"),
        (Category::Unknown, "warning"),
    ] {
        for run in summary.runs.iter().filter(|run| run.category == category).take(MAX_ANNOTATIONS) {
            let row = run.cell.row(&summary.plan);
            let title = format!("{}: {}, {}, seed {}", category.name(), reads_of(&row), run.cell.faults, run.seed);
            text += &format!("::{level} title={}::{}\n", property(&title), data(&run.told()));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::campaign::{record::Category, summary::tests::made_up};

    #[test]
    fn annotations_are_one_line_each() {
        let text = super::annotations(&made_up(|place| (place < 2).then_some(Category::Violation)));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].starts_with("::error title=violation%3A local reads%2C none%2C seed 1::"), "{text}");
        assert_eq!(super::data("50 %\r\n::x"), "50 %25%0D%0A::x");
    }
}
