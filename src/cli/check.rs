//! `schism check`: the verdict on recorded histories.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    time::Instant,
};

use checker::{Hierarchy, KeyReport, Model, Prefix, Report, StalenessReport, UnknownWhy, Verdict, WeakVerdict};
use clap::Args;
use histories::{History, Value};
use serde_json::json;

use super::{
    again,
    fail_on::FailOn,
    verdict_json::{FileJson, FileVerdict, JudgedBy, JudgedReport, PrefixRow},
};
use crate::{
    check::{
        Budget, JudgingOptions, ReadCutShort, ReadOutcome, evidence, files, guard, hints, linearization, status_of,
        status_of_report,
        transactions::{self, JudgedTransactions},
    },
    error::{ExitStatus, Failure},
    render::{self, ReportTable, Row, hierarchy, prefix, verdict},
    terminal::{
        self, Answer, Step,
        words::{counted, named_key},
    },
};

/// Decides whether recorded histories are linearizable.
///
/// Reads schism's own JSON Lines (also as one JSON array), EDN of Jepsen, Knossos and Elle, Jepsen's log lines,
/// porcupine's key-value histories, and records of one operation each (client, input, call, output, return), all of
/// them also compressed by gzip or zstd. The format is recognised by content. The folder of a run stands for its
/// history, and - for standard input. Each key is checked on its own. Several files give a table and the exit code of
/// the worst.
///
/// The order of lines is the order of events. Where times contradict it and every event of a client has one, times
/// decide, and the verdict says so; events of the same time then count as concurrent, as they do among records. Times
/// are whole nanoseconds, or seconds if some are decimals.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  schism check store/latest
  schism check --model kv --json history.edn
  schism check --linearization order.jsonl history.jsonl

A line of a linearization is an operation, in the order in which they can have taken effect, one key after \
another:
  {\"key\":\"k3\",\"index\":1,\"process\":4,\"type\":\"ok\",\"f\":\"write\",\"value\":57}
  {\"key\":\"k3\",\"index\":2,\"process\":6,\"type\":\"ok\",\"f\":\"read\",\"answer\":57}
`index` is its number among all that clients invoked, from 0; what had no effect, or need not have had any, is left \
out; with several files each line also names its `file`.")]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    judging: JudgingOptions,
    #[command(flatten)]
    fail_on: FailOn,
    /// Check every key, even after a violation, as is always done with the history of a run.
    #[arg(long)]
    all: bool,
    /// Explain a violation: how far the operations can be ordered, what was done to the system at that point, and what
    /// shows the failure of each weaker consistency model.
    #[arg(long)]
    explain: bool,
    /// Print the verdicts as JSON.
    #[arg(long)]
    json: bool,
    /// Write a linearization of each linearizable key to this file, as JSON Lines: one operation a line, in the order
    /// that explains every answer. Without any, no file is written.
    #[arg(long, value_name = "OUT", value_parser = parse_output)]
    linearization: Option<PathBuf>,
    /// Histories, or folders of runs; a pattern such as 'store/*/*/history.jsonl' stands for all files that it matches,
    /// and - for standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl CheckArgs {
    pub(crate) fn execute(mut self) -> ExitStatus {
        self.files = files::expand(self.files);
        if let Err(refused) = self.check_options() {
            return terminal::failure(&refused);
        }
        let Some(path) = &self.linearization else { return self.check(None).0 };
        let mut judged = None;
        let written = terminal::write_whole(path, |out| {
            let (status, orders) = self.check(Some(out));
            judged = Some(status);
            orders
        });
        // Where the orders cannot be written, the verdicts stand all the same.
        let status = judged.unwrap_or_else(|| self.check(None).0);
        terminal::beside(status, written.or_else(|error| if error.is::<NoOrder>() { Ok(status) } else { Err(error) }))
    }

    /// # Errors
    /// Fails if an option was given that has no meaning beside the others.
    fn check_options(&self) -> anyhow::Result<()> {
        self.judging.check_initial(None)?;
        if self.files.iter().filter(|file| file.as_path() == "-").count() > 1 {
            let what = "standard input can be read once, and - is given more often";
            return Err(Failure::new(ExitStatus::Usage, what).hint("name each file once").into());
        }
        if let Some(path) = &self.linearization {
            files::keep(self.files.iter().map(PathBuf::as_path), path)?;
        }
        if self.explain && !self.json && self.files.len() > 1 {
            let what = "--explain applies to one history, not to a table of several";
            return Err(Failure::new(ExitStatus::Usage, what).hint("add --json, or name one file").into());
        }
        Ok(())
    }

    /// Judges every file, and writes the orders that were found to `orders`. Returns the exit status, and whether all
    /// orders were written; a violation without any order is [`NoOrder`].
    fn check(&self, mut orders: Option<&mut dyn Write>) -> (ExitStatus, anyhow::Result<()>) {
        let budget = self.judging.budget();
        let (mut worst, mut written, mut has_order) = (ExitStatus::Linearizable, Ok(()), false);
        let (mut rows, mut table) = (Vec::new(), ReportTable::new());
        for file in &self.files {
            let started = Instant::now();
            let read = guard(|| files::matched(file).and_then(|()| budget.read(file, self.judging.reading())));
            let status = match read.unwrap_or_else(|panic| Err(reading_panicked(file, &panic).into())) {
                Ok(found) => {
                    tell_reading(file, &found, started);
                    let judged = match &found {
                        ReadOutcome::Whole(history) => guard(|| self.judge(file, history, &budget))
                            .unwrap_or_else(|panic| Ok(Findings::of_panic(history, panic))),
                        ReadOutcome::CutShort(cut) => Ok(Findings::of_exhausted(cut)),
                    };
                    let judged = match judged {
                        Ok(judged) => {
                            tell_methods(file, &judged, started);
                            judged.with_notes(&found)
                        }
                        Err(error) => {
                            table.add_unreadable(file);
                            rows.push(FileJson::refused(file, &error));
                            worst = worst.worst(terminal::failure(&error.context(file.display().to_string())));
                            budget.free(found);
                            continue;
                        }
                    };
                    table.add(file, &judged.row, started.elapsed());
                    if let ReadOutcome::Whole(history) = &found {
                        table.add_notes(file, history);
                    }
                    has_order |= judged.orders.iter().any(|order| order.found.is_ok());
                    if let (Some(out), ReadOutcome::Whole(history)) = (&mut orders, &found)
                        && let Err(error) = self.write_orders(out, file, history, &judged.orders, &budget)
                    {
                        (written, orders) = (Err(error), None);
                    }
                    let mut status = self.fail_on.status(judged.status, judged.weak.is_some());
                    if self.json {
                        rows.push(FileJson::judged(file, judged.into_json(self.judging.command(file), self.explain)));
                    } else if self.files.len() == 1 {
                        status = terminal::beside(status, self.show(file, judged, status));
                    }
                    budget.free(found);
                    status
                }
                Err(error) => {
                    table.add_unreadable(file);
                    rows.push(FileJson::refused(file, &error));
                    terminal::failure(&error)
                }
            };
            worst = worst.worst(status);
        }
        if self.json {
            worst = terminal::beside(worst, terminal::print_json(&rows));
        } else if self.files.len() > 1 {
            worst = terminal::beside(worst, terminal::print(&format!("{table}\n")));
        }
        if worst != ExitStatus::Linearizable && !has_order {
            written = written.and(Err(NoOrder.into()));
        }
        (worst, written)
    }

    /// Prints the verdict on the only file, and for a violation the next steps.
    fn show(&self, file: &Path, judged: Findings, status: ExitStatus) -> anyhow::Result<ExitStatus> {
        let mut answer = Answer { subject: format!("{}: ", file.display()), ..judged.answer };
        if status == ExitStatus::NotLinearizable && file != "-" {
            let has_proof = matches!(&judged.report, JudgedReport::Keys(report) if report.property.is_none());
            answer.steps.extend(again::as_command("report").map(|command| Step::Command("page", command)));
            let proof = again::as_command("check").filter(|_| has_proof && !self.explain);
            answer.steps.extend(proof.map(|command| Step::Command("proof", command + " --explain")));
        }
        terminal::print_answer(&answer, status)
    }

    /// # Errors
    /// Fails if an option was given that does not apply to such a history.
    fn judge(&self, file: &Path, history: &History, budget: &Budget) -> anyhow::Result<Findings> {
        if self.judging.are_transactions(history)? {
            if self.explain {
                let what = "--explain has no meaning for transactions";
                let hint = "leave it out: the evidence against each level is shown anyway, and --json has all of it";
                return Err(Failure::new(ExitStatus::Usage, what).hint(hint).into());
            }
            let judged = transactions::judge(history, &self.judging, budget);
            return Ok(Findings::of_transactions(judged, self.judging.initial_of_transactions()));
        }
        self.judging.check_initial(Some(history))?;
        let options = self.judging.options(history);
        if options.model.is_property() {
            self.refuse_orders(options.model)?;
        }
        let all = self.all || files::is_of_run(file);
        let mut report = self.judging.judge(history, all, self.linearization.is_some(), budget);
        // Linearizable implies all the others.
        let wanted = self.json || report.verdict == Verdict::NotLinearizable && self.files.len() == 1;
        let wanted = wanted && !options.model.is_property();
        let weaker_models = wanted.then(|| guard(|| self.judging.weaker_models(history, &report, budget)));
        let found = self.explain.then(|| guard(|| self.prefixes(history, &report, budget)));
        let notes = hints::all(history, &report, &options, self.judging.says_initial());
        let mut answer = verdict::describe(history, &report);
        let words = &mut answer.details;
        if report.verdict == Verdict::NotLinearizable && !notes.is_empty() {
            words.push('\n');
        }
        words.extend(notes.iter().map(|note| format!("  {note}\n")));
        let mut status = status_of_report(&report);
        // What is said beside a verdict takes nothing from it.
        let panics = weaker_models.iter().filter_map(|result| result.as_ref().err());
        for panic in panics.chain(found.iter().filter_map(|result| result.as_ref().err())) {
            status = status.worst(ExitStatus::Internal);
            *words += &format!("  an internal error in the further analysis: {panic}; please report it\n");
        }
        let (hierarchy, staleness) = weaker_models.and_then(Result::ok).unzip();
        let found = found.and_then(Result::ok).unwrap_or_default();
        *words += &found.first().map_or_else(String::new, |(_, found)| prefix::describe(history, found));
        let is_register = matches!(options.model, Model::Register | Model::KeyValue);
        if report.verdict == Verdict::NotLinearizable && is_register {
            *words +=
                &hierarchy.as_ref().map_or_else(String::new, |hierarchy| hierarchy::describe(hierarchy, self.explain));
            *words += &staleness.as_ref().map_or_else(String::new, |report| hierarchy::staleness(history, report));
        }
        let prefixes = found.iter().map(|(key, found)| {
            let around = prefix::around(history, found.until_ns);
            let around = around.into_iter().cloned().collect();
            PrefixRow { key: (*key).clone(), until_ns: found.until_ns, dies_at: found.dies_at, around }
        });
        let prefixes = prefixes.collect();
        Ok(Findings {
            status,
            options: JudgedBy::Object { model: self.judging.name_of(options.model), initial: options.initial },
            row: Row::of(&report),
            answer,
            weak: report.weak,
            notes,
            orders: report.keys.iter_mut().map(KeyOrder::of).collect(),
            report: JudgedReport::Keys(report),
            hierarchy,
            staleness,
            prefixes,
        })
    }

    /// # Errors
    /// Fails if an option was given that asks for an order: a property holds or is violated without one.
    fn refuse_orders(&self, property: Model) -> anyhow::Result<()> {
        let linearization = self.linearization.is_some().then_some("--linearization");
        let Some(option) = self.explain.then_some("--explain").or(linearization) else { return Ok(()) };
        let what =
            format!("{option} has no meaning for {}, a property of all operations in any order", property.name());
        Err(Failure::new(ExitStatus::Usage, what).hint(format!("leave out {option}")).into())
    }

    /// Computes how far the keys that are shown can be ordered, the clearest violation first; JSON shows a few more.
    fn prefixes<'a>(&self, history: &History, report: &'a Report, budget: &Budget) -> Vec<(&'a Value, Prefix)> {
        const MAX_PREFIXES: usize = 8;
        let shown = evidence::clearest_first(report).into_iter().take(if self.json { MAX_PREFIXES } else { 1 });
        shown.filter_map(|(key, _)| Some((&key.key, self.judging.prefix(history, &key.key, budget)?))).collect()
    }

    /// Writes the orders that were found, if there is time for all of them.
    fn write_orders(
        &self,
        out: &mut dyn Write,
        file: &Path,
        history: &History,
        orders: &[KeyOrder],
        budget: &Budget,
    ) -> anyhow::Result<()> {
        let name = file.display().to_string();
        for order in orders {
            match &order.found {
                Ok(found) => {
                    let name = (self.files.len() > 1).then_some(&*name);
                    if !linearization::write(out, name, history, found, || budget.has_time())? {
                        return Err(orders_unwritten(file).into());
                    }
                }
                Err(verdict) => {
                    terminal::note(&format!("{name}: {}{verdict}, so there is no order to write", order.of));
                }
            }
        }
        Ok(())
    }
}

/// Tells, if details are wanted, how much was read, and how long that took.
fn tell_reading(file: &Path, found: &ReadOutcome<History>, started: Instant) {
    if let ReadOutcome::Whole(history) = found {
        terminal::detail(|| {
            let operations = counted(history.operations.len(), "operation");
            format!("{}: read {operations} in {:.1?}", file.display(), started.elapsed())
        });
    }
}

/// Tells, if details are wanted, by which methods the keys were judged.
fn tell_methods(file: &Path, judged: &Findings, started: Instant) {
    let JudgedReport::Keys(report) = &judged.report else { return };
    terminal::detail(|| {
        let mut methods: BTreeMap<String, usize> = BTreeMap::new();
        for key in &report.keys {
            *methods.entry(key.method.to_string()).or_default() += 1;
        }
        let methods: Vec<String> =
            methods.into_iter().map(|(method, keys)| format!("{} by {method}", counted(keys, "key"))).collect();
        format!("{}: judged {} after {:.1?}", file.display(), methods.join(", "), started.elapsed())
    });
}

/// Absence of any order to write, so that no file is.
#[derive(Debug, thiserror::Error)]
#[error("no order was found")]
struct NoOrder;

/// Returns the failure to read a file because of a bug in schism.
fn reading_panicked(file: &Path, panic: &str) -> Failure {
    let what = format!("{}: internal error while reading: {panic}", file.display());
    Failure::new(ExitStatus::Internal, what).hint("this is a bug in schism: please report it, with the file")
}

/// Returns the failure to write all orders of a file in time.
fn orders_unwritten(file: &Path) -> Failure {
    let what = format!("{}: time ran out while the orders were written, so there are none", file.display());
    Failure::new(ExitStatus::Unknown, what).hint("a longer --time-limit would help")
}

/// The order that was found, or the reason why there is none.
pub(crate) struct KeyOrder {
    /// Subject of the order, before its verdict: a key, or all transactions; empty where there are no keys.
    pub(crate) of: String,
    /// Indexes of `History::operations`, or the verdict.
    pub(crate) found: Result<Vec<u32>, String>,
}

impl KeyOrder {
    /// Takes the order out of the report on a key.
    fn of(key: &mut KeyReport) -> Self {
        let of = named_key(&key.key).map_or_else(String::new, |key| format!("{key}: "));
        Self { of, found: key.order.take().ok_or_else(|| key.verdict.to_string()) }
    }
}

/// Findings about a file, for every form of output.
pub(crate) struct Findings {
    pub(crate) status: ExitStatus,
    pub(crate) options: JudgedBy,
    pub(crate) row: Row,
    pub(crate) answer: Answer,
    /// Reason why a positive verdict is no evidence, if it is weak.
    pub(crate) weak: Option<WeakVerdict>,
    /// Hints for the next attempt, and assumptions that the verdict rests on.
    pub(crate) notes: Vec<String>,
    pub(crate) orders: Vec<KeyOrder>,
    pub(crate) report: JudgedReport,
    pub(crate) hierarchy: Option<Hierarchy>,
    pub(crate) staleness: Option<StalenessReport>,
    pub(crate) prefixes: Vec<PrefixRow>,
}

impl Findings {
    /// Returns the findings about a history on which the checker panicked.
    fn of_panic(history: &History, panic: String) -> Self {
        let why = Some(UnknownWhy::Internal { what: panic });
        let (verdict, keys, operations) = (Verdict::Unknown, Vec::new(), history.operations.len());
        let report = Report {
            verdict,
            why,
            keys,
            operations,
            answered: 0,
            unanswered: 0,
            weak: None,
            property: None,
            figures: None,
        };
        Self {
            status: status_of_report(&report),
            options: JudgedBy::Nothing {},
            row: Row::of(&report),
            answer: verdict::describe(history, &report),
            weak: None,
            notes: Vec::new(),
            orders: Vec::new(),
            report: JudgedReport::Keys(report),
            hierarchy: None,
            staleness: None,
            prefixes: Vec::new(),
        }
    }

    /// Returns the findings about transactions.
    fn of_transactions(judged: JudgedTransactions<'_>, initial: &Value) -> Self {
        let JudgedTransactions { history, status, mut report, level, weak } = judged;
        let options = JudgedBy::Transactions { level, initial: initial.clone() };
        let order = report.order.take().filter(|_| status == ExitStatus::Linearizable);
        Self {
            status,
            options,
            row: render::transactions::row(&history, &report, level, weak),
            answer: render::transactions::describe(&history, &report, level, weak),
            weak,
            notes: Vec::new(),
            orders: vec![KeyOrder {
                of: "transactions: ".to_owned(),
                found: order.ok_or_else(|| render::transactions::verdict(&report, level)),
            }],
            report: JudgedReport::Transactions(report),
            hierarchy: None,
            staleness: None,
            prefixes: Vec::new(),
        }
    }

    /// Returns the findings for JSON, with the command that judges the file again, and the prefixes if `explain`.
    fn into_json(self, command: String, explain: bool) -> FileVerdict {
        let Self { options, report, weak, notes, hierarchy, staleness, prefixes, .. } = self;
        FileVerdict {
            command,
            options,
            report,
            weak,
            notes,
            hierarchy,
            staleness,
            prefixes: explain.then_some(prefixes),
        }
    }

    /// Adds notes on how the history was read.
    fn with_notes(mut self, found: &ReadOutcome<History>) -> Self {
        if let ReadOutcome::Whole(history) = found {
            for note in &history.notes {
                self.answer.details += &format!("\n  note: {note}\n");
                self.notes.push(note.to_string());
            }
        }
        self
    }

    /// Returns the findings about a file that was not read to its end.
    fn of_exhausted(cut: &ReadCutShort) -> Self {
        let verdict = Verdict::Unknown;
        Self {
            status: status_of(verdict),
            options: JudgedBy::Nothing {},
            row: Row::unread(verdict, cut.operations()),
            answer: Answer { verdict: verdict.to_string(), summary: format!(": {cut}\n"), ..Answer::default() },
            weak: None,
            notes: Vec::new(),
            orders: Vec::new(),
            report: JudgedReport::Unread {
                verdict,
                why: json!({ "reason": cut.reason(), "unread": cut.to_string() }),
                keys: [],
                operations: cut.operations(),
            },
            hierarchy: None,
            staleness: None,
            prefixes: Vec::new(),
        }
    }
}

/// Parses the argument of `--linearization`, and refuses stdout, which the verdict goes to.
fn parse_output(text: &str) -> Result<PathBuf, String> {
    if text == "-" {
        Err("a linearization goes to a file, as the verdict goes to stdout".to_owned())
    } else {
        Ok(text.into())
    }
}
