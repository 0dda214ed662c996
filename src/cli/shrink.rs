//! `schism shrink`: a small part of a history that already shows a violation.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use checker::{Options, Report, Verdict};
use clap::Args;
use histories::{
    Event, EventStyle, EventType, Function, History, HistoryBuilder, Normalizer, Operation, Outcome, ReadOptions, Value,
};

use super::{convert::check_json_lines, fail_on::FailOn};
use crate::{
    check::{
        Budget, JudgingOptions,
        evidence::{clearest, keys_with},
        files, judge_as, notes, status_of_report,
    },
    error::{ExitStatus, Failure},
    terminal::{
        self,
        words::{counted, grouped, named_key},
    },
};

/// Reduces a history to a few operations that are not linearizable by themselves.
///
/// The result holds the operations of the clearest evidence, with their events as recorded, and is judged again before
/// it is written. If these no longer show how they are to be judged, an event in front of them does (`judge-as`, with
/// model and initial value), which `schism check` follows. The exit code is that of the verdict, as for `schism check`:
/// if a history is linearizable or unknown, nothing is written.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  schism shrink store/latest
  schism shrink --model kv history.edn -o small.jsonl")]
pub(crate) struct ShrinkArgs {
    #[command(flatten)]
    judging: JudgingOptions,
    #[command(flatten)]
    fail_on: FailOn,
    /// Output file, JSON Lines, compressed if its name ends in .gz or .zst; - is stdout.
    #[arg(short, long, value_name = "OUT", default_value = "-")]
    output: PathBuf,
    /// History to reduce, or the folder of a run.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl ShrinkArgs {
    pub(crate) fn execute(mut self) -> anyhow::Result<ExitStatus> {
        self.file = files::history_of(self.file)?;
        files::keep([&*self.file], &self.output)?;
        check_json_lines(&self.output)?;
        self.judging.check_initial(None)?;
        let budget = self.judging.budget();
        let history = budget.read_again_within(&self.file, self.judging.reading(), |options| {
            histories::read_file_with(&self.file, options)
        })?;
        let history = history.whole(&self.file)?;
        notes::tell(&self.file, &history);
        if self.judging.are_transactions(&history)? {
            let failure = Failure::new(ExitStatus::Usage, "transactions cannot be shrunk to a history of their own");
            return Err(failure.hint("`schism check` names the few that contradict each other").into());
        }
        self.judging.check_initial(Some(&history))?;
        let report = self.judging.judge(&history, true, false, &budget);
        let Some((key, mut kept, is_alone)) = smallest_evidence(&history, &report) else {
            let weak = report.weak.map_or_else(String::new, |weak| format!(" (weak evidence: {})", weak.reason()));
            terminal::note(&format!(
                "{}: {}{weak}: nothing is written",
                self.file.display(),
                report.verdict_in_words()
            ));
            return Ok(self.fail_on.status(status_of_report(&report), report.weak.is_some()));
        };
        if !is_alone {
            complete(&history, &key, &mut kept);
        }
        loop {
            let events = self.events(&history, &kept, &budget)?;
            let (events, verdict) = self.standalone(&history, events, &budget)?;
            if verdict == Verdict::NotLinearizable {
                let written = self.write(&events);
                terminal::note(&found_in_words(&self.file, &key, kept.len(), &history, &report));
                return Ok(terminal::beside(ExitStatus::NotLinearizable, written));
            }
            if !add_expected_values(&history, &key, &mut kept) {
                let of = named_key(&key).map_or_else(String::new, |key| format!(" of {key}"));
                let what = format!("the operations{of} are {verdict} by themselves");
                return Err(Failure::new(ExitStatus::Failed, what)
                    .hint("give --model and --initial, or a longer --time-limit")
                    .into());
            }
        }
    }

    /// Returns the events as they are written, and the verdict on them without options: if they do not show by
    /// themselves how to judge them, they begin with an event that says it.
    fn standalone(
        &self,
        history: &History,
        mut events: Vec<Event<'static>>,
        budget: &Budget,
    ) -> anyhow::Result<(Vec<Event<'static>>, Verdict)> {
        let nobody = self.judging.without_overrides();
        let told = |options: Options<'static>| (options.model, options.initial);
        let asked = self.judging.options(history);
        let standalone = pair(&self.file, &events)?;
        if told(nobody.options(&standalone)) == told(asked.clone()) {
            let verdict = nobody.judge(&standalone, true, false, budget).verdict;
            if verdict == Verdict::NotLinearizable {
                return Ok((events, verdict));
            }
        }
        let begin = events.first().map_or(0, |event| event.time);
        events.splice(0..0, judge_as(&asked, begin));
        let verdict = nobody.judge(&pair(&self.file, &events)?, true, false, budget).verdict;
        Ok((events, verdict))
    }

    /// Returns the events of these operations, as our rules demand them.
    fn events(&self, history: &History, kept: &HashSet<usize>, budget: &Budget) -> anyhow::Result<Vec<Event<'static>>> {
        let invoked: HashSet<u32> = kept.iter().map(|&place| history.operations[place].invoked).collect();
        let (mut rank, mut open, mut events) = (0_u32, HashSet::new(), Vec::new());
        let mut see = |event: Option<&Event<'_>>| {
            let event = event.expect("a file is not read again by the interpretation that was found");
            if event.process.is_client() {
                let is_kept = match event.kind {
                    EventType::Invoke => invoked.contains(&rank) && open.insert(event.process.clone()),
                    EventType::Ok | EventType::Fail | EventType::Info => open.remove(&event.process),
                };
                if is_kept {
                    events.push(event.clone().into_owned());
                }
            }
            rank += 1;
        };
        budget
            .read_again_within(&self.file, self.judging.reading(), |options| {
                histories::read_events(
                    &self.file,
                    &ReadOptions { interpretation: history.interpretation(), ..*options },
                    &mut see,
                )
            })?
            .whole(&self.file)?;
        let mut rules = Normalizer::default();
        for event in &events {
            rules.see(event);
        }
        Ok(events.into_iter().map(|event| rules.apply(event)).collect())
    }

    fn write(&self, events: &[Event<'_>]) -> anyhow::Result<ExitStatus> {
        let mut style = EventStyle::default();
        for event in events {
            style.see(event);
        }
        terminal::write_whole(&self.output, |mut out| {
            events.iter().try_for_each(|event| style.write_json(&mut out, event.clone()))?;
            Ok(())
        })
    }
}

/// Tells how few operations of a key show the violation.
fn found_in_words(file: &Path, key: &Value, kept: usize, history: &History, report: &Report) -> String {
    let of = named_key(key).map_or_else(String::new, |key| format!("{key}: "));
    let (few, from) = (counted(kept, "operation"), grouped(history.operations.len()));
    let does = match (report.property.is_some(), kept) {
        (true, 1) => "violates the property by itself",
        (true, _) => "violate the property by themselves",
        (false, 1) => "is not linearizable by itself",
        (false, _) => "are not linearizable by themselves",
    };
    format!("{}: {of}{few} of {from} {does}", file.display())
}

/// Returns the key and the operations of the clearest evidence, and whether they contradict each other by themselves;
/// without evidence, all operations of the key.
fn smallest_evidence(history: &History, report: &Report) -> Option<(Value, HashSet<usize>, bool)> {
    let violated = keys_with(report, Verdict::NotLinearizable);
    match clearest(&violated) {
        Some((key, evidence)) => {
            Some((key.key.clone(), evidence.operations.iter().copied().collect(), evidence.besides.is_none()))
        }
        None => violated.first().map(|key| (key.key.clone(), of_key(history, &key.key).collect(), true)),
    }
}

/// Adds what counts beside evidence that is no violation by itself, so that the result shows the same violation and not
/// that something is missing: the operations that set what a cas expected, and those that set what these expected; or,
/// without a cas, every change of the key, since only reads can always be left out.
fn complete(history: &History, key: &Value, kept: &mut HashSet<usize>) {
    let is_cas = |place: &usize| history.operations[*place].function == Function::Cas;
    if kept.iter().any(is_cas) {
        loop {
            let before = kept.len();
            add_setters(history, key, kept);
            if kept.len() == before {
                return;
            }
        }
    }
    kept.extend(of_key(history, key).filter(|&place| history.operations[place].function != Function::Read));
}

fn of_key<'a>(history: &'a History, key: &'a Value) -> impl Iterator<Item = usize> + 'a {
    let is_of = move |operation: &Operation| history.value(operation.key) == key;
    (0..).zip(&history.operations).filter(move |(_, operation)| is_of(operation)).map(|(place, _)| place)
}

/// Adds the operations that set what the kept cas expected; if any is missing, all operations of the key. Returns
/// whether anything was added.
fn add_expected_values(history: &History, key: &Value, kept: &mut HashSet<usize>) -> bool {
    let before = kept.len();
    add_setters(history, key, kept);
    if kept.len() == before {
        kept.extend(of_key(history, key));
    }
    kept.len() > before
}

/// Adds the operations that set what the kept cas expected.
fn add_setters(history: &History, key: &Value, kept: &mut HashSet<usize>) {
    let expected: HashSet<_> = (kept.iter().map(|&place| history.operations[place]))
        .filter(|operation| operation.function == Function::Cas)
        .map(|cas| cas.input)
        .collect();
    kept.extend(of_key(history, key).filter(|&place| {
        let operation = history.operations[place];
        let set = match operation.function {
            Function::Write => Some(operation.input),
            Function::Cas => Some(operation.to),
            _ => None,
        };
        matches!(operation.outcome, Outcome::Ok | Outcome::Info) && set.is_some_and(|set| expected.contains(&set))
    }));
}

fn pair(file: &Path, events: &[Event<'static>]) -> anyhow::Result<History> {
    let mut builder = HistoryBuilder::default();
    for event in events {
        builder
            .push(event.clone())
            .map_err(|rule| Failure::new(ExitStatus::Unreadable, format!("{}: {rule}", file.display())))?;
    }
    Ok(builder.finish())
}
