//! Output as `JUnit` XML: a suite for each row of the matrix, a case for each run.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::terminal::{sanitize::xml, words::reads_of};

use crate::campaign::{
    record::{Category, Record},
    summary::Summary,
};

pub(super) fn report(summary: &Summary) -> anyhow::Result<String> {
    let mut report = Report::new("schism campaign");
    for row in summary.axes().0 {
        let mut suite = TestSuite::new(xml(&reads_of(&row)));
        for run in summary.runs.iter().filter(|run| run.cell.row(&summary.plan) == row) {
            suite.add_test_case(case(summary, run));
        }
        report.add_test_suite(suite);
    }
    Ok(report.to_string()?)
}

fn case(summary: &Summary, run: &Record) -> TestCase {
    let mut status = match run.category {
        Category::NoViolation | Category::Weak => TestCaseStatus::success(),
        Category::Violation => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Category::Unknown | Category::RecoveryFailure | Category::HarnessFailure => {
            TestCaseStatus::non_success(NonSuccessKind::Error)
        }
    };
    let told = xml(&run.told());
    if !matches!(run.category, Category::NoViolation | Category::Weak) {
        status.set_type(run.category.name());
        status.set_message(told.clone());
    }
    let mut case = TestCase::new(xml(&format!("{}, seed {}", run.cell.column(&summary.plan), run.seed)), status);
    case.set_time(std::time::Duration::from_millis(run.took_ms));
    case.set_classname(run.id.rsplit_once('/').map_or(&*run.id, |(cell, _)| cell));
    let category = run.category.name();
    // Of most runs there is no more to tell than their category.
    let outcome = if told == category { told } else { format!("{category}: {told}") };
    case.set_system_out(format!("{outcome}\n{}\nruns/{}\n", xml(&run.command), run.id));
    case
}

#[cfg(test)]
mod tests {
    use crate::campaign::{record::Category, summary::tests::made_up};

    #[test]
    fn failures_and_errors_are_told_apart_and_hostile_text_stays_text() {
        let mut summary = made_up(|place| {
            Some(match place {
                0 => Category::Violation,
                1 => Category::HarnessFailure,
                _ => Category::NoViolation,
            })
        });
        for run in summary.runs.iter_mut().filter(|run| run.category == Category::NoViolation) {
            run.why = None;
        }
        let xml = super::report(&summary).unwrap();
        assert!(xml.contains("tests=\"90\" skipped=\"0\" failures=\"1\" errors=\"1\""), "{}", &xml[..300]);
        assert!(
            xml.contains("<system-out>no violation\n") && !xml.contains("no violation: no violation"),
            "{}",
            &xml[..900]
        );
        assert!(!xml.contains("<b>") && xml.contains("&lt;b&gt;"), "{}", &xml[..900]);
        assert!(xml.chars().all(|c| c >= ' ' || c == '\n' || c == '\t'), "a control character is left");
    }
}
