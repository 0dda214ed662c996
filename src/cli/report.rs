//! `schism report`: the page of a run, made again from its files.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use checker::{Report, Verdict};
use clap::Args;

use super::fail_on::FailOn;
use crate::{
    campaign,
    check::{Budget, JudgingOptions, files, status_of_report, transactions},
    error::{ExitStatus, Failure},
    report::{self, Facts, TransactionFacts},
    run::{self, fault_windows},
    store::{ConfinedFolder, REPORT_FILE},
    terminal,
};

/// Makes the page of a run, a campaign or a history: one HTML file that opens in any browser and loads nothing.
///
/// The page of a run is made from the files in its folder alone. Histories of other tools have pages, too.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  schism report store/latest
  schism report store/campaign
  schism report --model kv history.edn -o history.html")]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    judging: JudgingOptions,
    #[command(flatten)]
    fail_on: FailOn,
    /// Folder of a run or a campaign, or a history.
    #[arg(value_name = "DIR|FILE")]
    what: PathBuf,
    /// Output file [default: report.html in the folder, or FILE with .html].
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
}

impl ReportArgs {
    pub(crate) fn execute(self) -> anyhow::Result<ExitStatus> {
        if self.what.is_dir() && campaign::folder::read_plan(&self.what)?.is_some() {
            return self.of_campaign();
        }
        let in_folder = || {
            if self.what.is_dir() { self.what.join(REPORT_FILE) } else { self.what.with_extension("html") }
        };
        if self.output.is_none() && self.what.as_path() == "-" {
            let what = "the page of standard input has no name of its own";
            return Err(Failure::new(ExitStatus::Usage, what).hint("give one by -o; -o - is stdout").into());
        }
        let output = self.output.clone().unwrap_or_else(in_folder);
        files::keep([&*self.what], &output)?;
        let (verdict, status, is_weak, written) = with_facts(&self.judging, &self.what, |facts| {
            let written = match facts.run.filter(|_| self.output.is_none()) {
                Some(run) => report::of_run(run),
                None => report::write(facts, &output),
            };
            let is_weak = facts.report.weak.is_some() || facts.run.is_some_and(|run| run.results.weak);
            Ok((facts.verdict_in_words(), status_of_report(facts.report), is_weak, written))
        })?;
        let shown = if is_weak { format!("{verdict} (weak)") } else { verdict };
        let printed = written.and_then(|()| terminal::print(&format!("{shown}: {}\n", output.display())));
        Ok(terminal::beside(self.fail_on.status(status, is_weak), printed))
    }

    fn of_campaign(&self) -> anyhow::Result<ExitStatus> {
        if self.output.is_some() {
            let what = "the page of a campaign links to its runs, so it stays in its folder";
            return Err(Failure::new(ExitStatus::Usage, what).hint("leave out --output").into());
        }
        self.judging.refuse_options("the runs of a campaign are judged already")?;
        if self.fail_on.is_given() {
            let what = "--fail-on has no meaning here: the exit code is that of the worst run";
            return Err(Failure::new(ExitStatus::Usage, what).hint("leave out --fail-on").into());
        }
        let summary = campaign::folder::stored_summary(&self.what)?;
        let folder = ConfinedFolder::named(&self.what)?;
        let written = report::campaign::write(&summary, &folder);
        let index = self.what.join(report::campaign::INDEX);
        let printed = written.and_then(|()| terminal::print(&format!("{}\n", index.display())));
        Ok(terminal::beside(summary.status(), printed))
    }
}

/// Approximate time that the page of a history takes for each operation, in nanoseconds.
const PAGE_NS: u64 = 2_000;
const PAGE_BYTES: usize = 200;

/// Checks that there is time and memory for a page.
///
/// # Errors
/// Fails if there is not, and gives the verdict so far.
fn check_page_budget(budget: &Budget, report: &Report, what: &Path) -> anyhow::Result<()> {
    let time = Duration::from_nanos(PAGE_NS * report.operations as u64);
    let Some(lacking) = budget.lacks(time, PAGE_BYTES * report.operations) else { return Ok(()) };
    let why =
        format!("{}: {}, but there is too little {lacking} left for a page", what.display(), report.verdict_in_words());
    let status = ExitStatus::Unknown.worst(status_of_report(report));
    Err(Failure::new(status, why).hint("give a higher limit; `schism check` needs less").into())
}

/// Calls `tell` with the facts of a run in a folder, or of a history in a file.
pub(super) fn with_facts<T>(
    judging: &JudgingOptions,
    what: &Path,
    tell: impl FnOnce(&Facts<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    judging.check_initial(None)?;
    let budget = judging.budget();
    if what.is_dir() {
        judging.refuse_options("a run's folder says how it is judged")?;
        let run = run::rejudge(what, budget)?;
        let facts = report::facts_of(&run);
        check_page_budget(&run.budget, facts.report, what)?;
        return tell(&facts);
    }
    let history = budget.read_whole(&files::history_of(what.to_owned())?, judging.reading())?;
    let name = what.file_name().context("a history is a file")?.to_string_lossy().into_owned();
    let has_times = history.has_times();
    let windows = if has_times { fault_windows(&history.others, u64::MAX) } else { Vec::new() };
    if judging.are_transactions(&history)? {
        let judged = transactions::judge(&history, judging, &budget);
        let report = transactions::as_report(&judged.history, &judged.report, judged.level);
        check_page_budget(&budget, &report, what)?;
        return tell(&Facts {
            transactions: Some(TransactionFacts { report: &judged.report, level: judged.level }),
            fault_windows: &windows,
            ..Facts::of(name, judging.command(what), &judged.history, &report).with_violations(|_, _| None)
        });
    }
    judging.check_initial(Some(&history))?;
    let judged = judging.judge(&history, true, true, &budget);
    let violated = judged.verdict == Verdict::NotLinearizable && judged.property.is_none();
    let (hierarchy, staleness) = violated.then(|| judging.weaker_models(&history, &judged, &budget)).unzip();
    let prefix = |key: &_, of: &_| judging.prefix_of_evidence(&history, key, of, &budget);
    check_page_budget(&budget, &judged, what)?;
    tell(&Facts {
        hierarchy: hierarchy.as_ref(),
        staleness: staleness.as_ref(),
        fault_windows: &windows,
        orders: judging.found_orders(&history, &judged, &budget),
        ..Facts::of(name, judging.command(what), &history, &judged).with_violations(prefix)
    })
}
