//! Campaigns: a matrix of runs, each a process of its own, as many in parallel as the machine can bear.

pub(crate) mod folder;
pub(crate) mod hunt;
mod job;
pub(crate) mod plan;
mod progress;
pub(crate) mod record;
pub(crate) mod simulated_hunt;
pub(crate) mod summary;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike as _,
};

pub(crate) use self::progress::MatrixProgress;
use self::{
    folder::Folder,
    job::ProcessEnd,
    plan::RunPlan,
    record::{Category, Record, RunCircumstances},
    summary::Summary,
};
use crate::{
    check::processors,
    error::{ExitStatus, Failure, host_limits},
    run::plan::shell_words,
    terminal,
};

/// Maximum number of times that a run is started if it fails by itself.
const MAX_ATTEMPTS: u32 = 3;
/// Share of the processors that runs may fill: nodes need room to answer in time.
const FILL: f64 = 0.8;
/// Maximum number of parallel runs per processor.
const MOST_PER_PROCESSOR: u16 = 4;
/// Time to wait for the end of a run before checking for other work.
const LOOK_AROUND: Duration = Duration::from_millis(100);

/// Options for carrying out a campaign.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CampaignOptions {
    /// Number of runs in parallel; if not given, as many as the machine can bear.
    pub(crate) at_once: Option<u16>,
    /// True to stop at the first violation.
    pub(crate) until_failure: bool,
    /// True to keep runs that starved, instead of repeating them alone.
    pub(crate) keeps_starved: bool,
}

/// Carries out all runs of a campaign that are not over yet.
///
/// # Errors
/// Fails if the folder cannot be written or read. The failure of a run is not an error here.
pub(crate) fn carry_out(
    folder: &Folder,
    options: CampaignOptions,
    stop: &AtomicBool,
    progress: &MatrixProgress,
) -> anyhow::Result<Summary> {
    let mut campaign = Campaign {
        folder,
        records: BTreeMap::new(),
        together: VecDeque::new(),
        alone: VecDeque::new(),
        under_way: 0,
        at_once: options.at_once.unwrap_or(1),
        measure: options.at_once.is_none(),
        keeps_starved: options.keeps_starved,
        stop,
        progress,
    };
    campaign.look_up()?;
    folder.forget_prepared()?;
    let carried = thread::scope(|scope| {
        let (done, ended) = mpsc::channel();
        loop {
            match campaign.next() {
                Step::Begin(task) => {
                    let (done, own) = (done.clone(), task.clone());
                    let run = move || {
                        let outcome = own.run(folder, stop);
                        // The receiver is gone only if the campaign has failed.
                        done.send((own, outcome)).ok();
                    };
                    if let Err(error) = thread::Builder::new().spawn_scoped(scope, run) {
                        let failed = ProcessEnd::NotStarted(host_limits::no_threads(&error).what);
                        campaign.take(task, (Ok(failed), Duration::ZERO, 0.0))?;
                    }
                    continue;
                }
                Step::Wait => {}
                Step::End => return anyhow::Ok(()),
            }
            let Ok((task, outcome)) = ended.recv_timeout(LOOK_AROUND) else { continue };
            let failed = campaign.take(task, outcome).inspect_err(|_| campaign.stop.store(true, Ordering::Relaxed))?;
            if failed && options.until_failure {
                campaign.stop.store(true, Ordering::Relaxed);
            }
        }
    });
    let carried = carried.and_then(|()| folder.forget_prepared());
    let summary = carried.and_then(|()| folder.write_summary(&campaign.records));
    summary.map_err(|error| campaign.beside_a_violation(error))
}

struct Campaign<'a> {
    folder: &'a Folder,
    records: BTreeMap<String, Record>,
    /// Runs to start: first those that may run in parallel, then those that must run alone.
    together: VecDeque<Task>,
    alone: VecDeque<Task>,
    under_way: u16,
    at_once: u16,
    /// True until the first run has shown how many runs the machine can bear.
    measure: bool,
    keeps_starved: bool,
    stop: &'a AtomicBool,
    progress: &'a MatrixProgress,
}

/// Next step of the loop.
#[derive(Debug)]
enum Step {
    Begin(Task),
    /// Wait for a run that is under way.
    Wait,
    End,
}

/// A run that is waiting or under way.
#[derive(Clone, Debug)]
struct Task {
    run: RunPlan,
    attempts: u32,
    alone: bool,
    /// True if this run measures how busy one run keeps the machine.
    measures: bool,
}

/// Result of a task, its duration, and the mean number of processors that it kept busy.
type TaskOutcome = (anyhow::Result<ProcessEnd>, Duration, f64);

impl Task {
    fn run(&self, folder: &Folder, stop: &AtomicBool) -> TaskOutcome {
        let (started, cpu) = (Instant::now(), cpu_time_of_children());
        let plan = &folder.asked.plan;
        let carried = folder.clear(&self.run).and_then(|()| {
            let (dir, log) = (folder.run_dir(&self.run)?, folder.prepare(&self.run)?);
            let limit = self.run.time_limit(plan).map_err(anyhow::Error::msg)?;
            job::run_process(&self.run.arguments(plan), folder.path(), &dir, log, limit, stop)
        });
        let took = started.elapsed();
        (carried, took, cpu_time_of_children().saturating_sub(cpu).div_duration_f64(took))
    }
}

impl Campaign<'_> {
    /// Adds to an error the violation found before it, if any, and that violation's exit code, which takes precedence.
    fn beside_a_violation(&self, error: anyhow::Error) -> anyhow::Error {
        match self.records.values().find(|record| record.category == Category::Violation) {
            None => error,
            Some(record) => {
                let what = format!("{error:#}; before that, {} had found a violation", record.id);
                Failure::new(ExitStatus::NotLinearizable, what).into()
            }
        }
    }

    /// Separates the runs that are over from those still to do.
    fn look_up(&mut self) -> anyhow::Result<()> {
        for run in self.folder.runs() {
            let how = RunCircumstances { attempts: 1, alone: false, took_ms: 0, command: self.command(&run) };
            let record = self.folder.finished(&run, how)?;
            let task = Task { run, attempts: 0, alone: false, measures: false };
            match record {
                Some(record) if record.starved() && !self.keeps_starved => {
                    self.alone.push_back(Task { alone: true, ..task });
                }
                Some(record) => self.know(&task.run, record),
                None => self.together.push_back(task),
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Step {
        let stopped = self.stop.load(Ordering::Relaxed);
        let free = if stopped || self.under_way >= self.at_once {
            None
        } else if self.under_way == 0 && self.together.is_empty() {
            self.alone.pop_front()
        } else {
            self.together.pop_front()
        };
        match free {
            Some(mut task) => {
                task.attempts += 1;
                task.measures = self.measure && self.under_way == 0;
                task.alone |= self.at_once == 1;
                self.under_way += 1;
                self.progress.began(&task.run);
                Step::Begin(task)
            }
            None if self.under_way > 0 => Step::Wait,
            None => Step::End,
        }
    }

    /// Handles the end of a run. Returns true if it found a violation.
    fn take(&mut self, task: Task, (ended, took, busy): TaskOutcome) -> anyhow::Result<bool> {
        self.under_way -= 1;
        let how = RunCircumstances {
            attempts: task.attempts,
            alone: task.alone,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            command: self.command(&task.run),
        };
        let why = match ended? {
            ProcessEnd::Stopped => {
                self.folder.clear(&task.run)?;
                self.progress.gave_up(&task.run);
                return Ok(false);
            }
            ProcessEnd::TooLate(limit) => format!("it took longer than {limit:?}"),
            ProcessEnd::NotStarted(why) => why,
            ProcessEnd::Exited(status) => {
                if task.measures {
                    self.set_pace(busy);
                }
                let record = self.folder.results(&task.run, how.clone())?;
                // A harness failure may not happen again.
                let again =
                    |record: &Record| record.category == Category::HarnessFailure && task.attempts < MAX_ATTEMPTS;
                if let Some(record) = record.filter(|record| !again(record)) {
                    if record.starved() && !self.keeps_starved {
                        self.slow_down();
                        self.progress.gave_up(&task.run);
                        self.alone.push_back(Task { alone: true, ..task });
                        return Ok(false);
                    }
                    let failed = record.category == Category::Violation;
                    self.over(&task.run, record)?;
                    return Ok(failed);
                }
                format!("{status}: {}", job::last_words(&self.folder.said(&task.run)))
            }
        };
        if task.attempts < MAX_ATTEMPTS {
            self.progress.gave_up(&task.run);
            self.alone.push_back(Task { alone: true, ..task });
        } else {
            let record = Record::of_failed(&task.run, why, how);
            self.over(&task.run, record)?;
        }
        Ok(false)
    }

    fn over(&mut self, run: &RunPlan, record: Record) -> anyhow::Result<()> {
        self.folder.keep(run, &record)?;
        self.know(run, record);
        self.folder.write_summary(&self.records)?;
        Ok(())
    }

    fn know(&mut self, run: &RunPlan, record: Record) {
        self.progress.ended(run, &record);
        self.records.insert(record.id.clone(), record);
    }

    fn command(&self, run: &RunPlan) -> String {
        format!("schism {}", shell_words(&run.arguments(&self.folder.asked.plan)))
    }

    /// Sets the number of parallel runs so that they fill the machine, given the processors that one run kept busy.
    fn set_pace(&mut self, busy: f64) {
        let processors = u16::try_from(processors()).unwrap_or(u16::MAX / MOST_PER_PROCESSOR);
        self.measure = false;
        self.at_once = pace(processors, busy);
        let at_once = self.at_once;
        terminal::note(&format!("one run keeps {busy:.2} of {processors} processors busy: {at_once} at a time"));
    }

    fn slow_down(&mut self) {
        if self.at_once > 1 {
            self.at_once -= 1;
            terminal::note(&format!("a run starved and is repeated alone; from now on {} at a time", self.at_once));
        }
    }
}

fn pace(processors: u16, busy: f64) -> u16 {
    let most = MOST_PER_PROCESSOR * processors;
    (1..=most).rev().find(|&runs| f64::from(runs) * busy <= FILL * f64::from(processors)).unwrap_or(1)
}

/// Returns the processor time of all descendants that have ended and been waited for.
fn cpu_time_of_children() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_CHILDREN) else { return Duration::ZERO };
    [usage.user_time(), usage.system_time()]
        .into_iter()
        .map(|time| Duration::from_micros(u64::try_from(time.num_microseconds()).unwrap_or(0)))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::pace;

    #[test]
    fn runs_fill_the_machine_but_not_more() {
        assert_eq!(pace(2, 0.5), 3);
        assert_eq!(pace(2, 1.9), 1, "one always runs");
        assert_eq!(pace(2, 0.001), 8);
        assert_eq!(pace(64, 0.5), 102);
    }
}
