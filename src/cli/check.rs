//! `schism check`: the verdict on recorded histories.

use std::{
    io::{self, Write},
    panic,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use checker::{
    KeyReport, Ladder, Limits, Memory, Model, Options, Prefix, Report, StalenessReport, UnknownWhy, Verdict,
};
use clap::{Args, ValueEnum};
use histories::{Format, Function, History, Outcome, TRANSACTION, Value, ValueId};
use serde_json::json;

use super::{files, linearization, transactions::LevelName};
use crate::{
    exit::ExitStatus,
    ui::{
        self, CheckProgress, Failure, ReportTable, Row, ladder, prefix,
        verdict::{self, plain},
    },
};

/// Decides whether recorded histories are linearizable.
///
/// Reads schism's own JSON Lines, Jepsen's and Knossos' EDN, Jepsen's log lines and porcupine's key-value histories, also compressed by gzip
/// or zstd; which of them a file is, its content tells. Each key is checked on its own. Several files give a table, and the exit code of
/// the worst.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  schism check store/latest/history.jsonl
  schism check --model kv --json history.edn
  schism check --linearization order.jsonl history.jsonl

A line of a linearization is an operation, in the order in which they can have taken effect, one key after another:
  {\"key\":\"k3\",\"index\":1,\"process\":4,\"node\":2,\"type\":\"ok\",\"f\":\"write\",\"value\":57}
  {\"key\":\"k3\",\"index\":2,\"process\":6,\"node\":1,\"type\":\"ok\",\"f\":\"read\",\"answer\":57}
`index` is its number among all that clients invoked, from 0; what had no effect, or need not have had any, is left out; with
several files each line also names its `file`.")]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    judging: Judging,
    /// Check every key, even after a violation.
    #[arg(long)]
    all: bool,
    /// Say how far the operations can be ordered, what was done to the system then, and of each weaker consistency model that fails
    /// what shows it.
    #[arg(long)]
    explain: bool,
    /// Print the verdicts as JSON.
    #[arg(long)]
    json: bool,
    /// Write here, as JSON Lines, an order of the operations of each linearizable key that explains every answer.
    #[arg(long, value_name = "OUT", value_parser = parse_output)]
    linearization: Option<PathBuf>,
    /// The histories; a pattern such as 'store/*/*/history.jsonl' stands for all that it matches.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// How histories are read and judged.
#[derive(Debug, Args)]
pub(crate) struct Judging {
    /// What a key is; if not given, transactions where there are any, `kv` where something is appended or deleted, else
    /// `register`.
    #[arg(long, value_enum)]
    model: Option<ModelName>,
    /// Of transactions: the level that they must keep.
    #[arg(long, value_enum, default_value_t = LevelName::StrictSerializable)]
    level: LevelName,
    /// In which format the files are [default: as the content of each says].
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<FormatName>,
    /// What a key holds before anything is written, as JSON [default: null; for `kv`, "" where no read found null].
    #[arg(long, value_name = "JSON", value_parser = parse_value)]
    initial: Option<Value>,
    /// Give up after this time, for all files together.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration)]
    time_limit: Duration,
    /// Give up when the search holds this many MiB, all threads together.
    #[arg(long, value_name = "MIB", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..))]
    memory_limit: u32,
    /// How many keys to check at once [default: one for each processor].
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModelName {
    /// read and write (and cas, where there is any)
    Register,
    /// read, write and cas
    CasRegister,
    /// get, put, append, delete and cas on text
    Kv,
    /// several registers, read and written at once
    MultiRegister,
    /// add, remove, contains and read
    Set,
    /// inc, add and read
    Counter,
    /// enqueue and dequeue, first in first out
    Queue,
    /// add and take, in any order
    Bag,
    /// push and pop, last in first out
    Stack,
    /// insert, and poll of the smallest
    PriorityQueue,
    /// append, and read of the whole list
    List,
    /// acquire, and release by the process that holds it
    Mutex,
    /// as mutex, and each acquire returns a larger token than all before
    FencedLock,
    /// transactions that append to lists and read them
    ListAppend,
    /// transactions that write registers and read them
    RwRegister,
}

impl ModelName {
    /// The model of single operations; none for transactions, whose keys say themselves what they are.
    fn of_keys(self) -> Option<Model> {
        Some(match self {
            Self::Register | Self::CasRegister => Model::Register,
            Self::Kv => Model::KeyValue,
            Self::MultiRegister => Model::MultiRegister,
            Self::Set => Model::Set,
            Self::Counter => Model::Counter,
            Self::Queue => Model::Queue,
            Self::Bag => Model::Bag,
            Self::Stack => Model::Stack,
            Self::PriorityQueue => Model::PriorityQueue,
            Self::List => Model::List,
            Self::Mutex => Model::Mutex,
            Self::FencedLock => Model::FencedLock,
            Self::ListAppend | Self::RwRegister => return None,
        })
    }
}

/// A format that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatName {
    /// schism's own JSON Lines
    Jsonl,
    /// Jepsen's and Knossos' operation maps
    Edn,
    /// the lines that Jepsen logged
    JepsenLog,
    /// porcupine's key-value histories: operation maps, too
    PorcupineKv,
    /// schism's own columns
    Columns,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Jsonl => Self::JsonLines,
            FormatName::Edn | FormatName::PorcupineKv => Self::Edn,
            FormatName::JepsenLog => Self::JepsenLog,
            FormatName::Columns => Self::Columns,
        }
    }
}

impl CheckArgs {
    pub(crate) fn execute(mut self) -> anyhow::Result<ExitStatus> {
        self.files = files::expand(self.files);
        let Some(path) = &self.linearization else { return self.check(None) };
        let mut status = ExitStatus::Linearizable;
        ui::write_whole(path, |out| {
            status = self.check(Some(out))?;
            Ok(())
        })?;
        Ok(status)
    }

    /// Judges every file; the orders that were found go to `orders`.
    fn check(&self, mut orders: Option<&mut dyn Write>) -> anyhow::Result<ExitStatus> {
        let deadline = self.judging.deadline();
        let mut worst = ExitStatus::Linearizable;
        let (mut reports, mut table) = (Vec::new(), ReportTable::new());
        for file in &self.files {
            let started = Instant::now();
            let status = match files::matched(file).and_then(|()| read(file, self.judging.format)) {
                Ok(history) => {
                    let judged = self.judge(&history, deadline);
                    table.add(file, &judged.row, started.elapsed());
                    if let Some(out) = &mut orders {
                        self.write_orders(out, file, &history, &judged.orders)?;
                    }
                    if self.json {
                        let mut said = json!({ "file": file, "report": judged.report, "ladder": judged.ladder,
                            "staleness": judged.staleness });
                        if self.explain {
                            said["prefixes"] = judged.prefixes.into();
                        }
                        reports.push(said);
                    } else if self.files.len() == 1 {
                        ui::print(&format!("{}: {}", file.display(), judged.words))?;
                    }
                    judged.status
                }
                Err(error) => {
                    table.add_unreadable(file);
                    ui::failure(&error)
                }
            };
            worst = worst.worst(status);
        }
        if self.json {
            ui::print(&format!("{}\n", serde_json::to_string_pretty(&reports)?))?;
        } else if self.files.len() > 1 {
            ui::print(&format!("{table}\n"))?;
        }
        Ok(worst)
    }

    fn judge(&self, history: &History, deadline: Instant) -> Judged {
        if self.judging.are_transactions(history) {
            return super::transactions::judge(history, &self.judging, deadline);
        }
        let mut report = self.judging.judge(history, self.all, self.linearization.is_some(), deadline);
        // Linearizable implies all the others.
        let wanted = self.json || report.verdict == Verdict::NotLinearizable && self.files.len() == 1;
        let (ladder, staleness) = wanted.then(|| self.judging.instead(history, deadline)).unzip();
        let found = if self.explain { self.prefixes(history, &report, deadline) } else { Vec::new() };
        let mut words = verdict::describe(history, &report) + &other_models(&report);
        words += &found.first().map_or_else(String::new, |(_, found)| prefix::describe(history, found));
        let is_register = matches!(self.judging.options(history).model, Model::Register | Model::KeyValue);
        if report.verdict == Verdict::NotLinearizable && is_register {
            words += &ladder.as_ref().map_or_else(String::new, |ladder| ladder::describe(ladder, self.explain));
            words += &staleness.as_ref().map_or_else(String::new, ladder::staleness);
        }
        let prefixes = found.iter().map(|(key, found)| {
            let around = prefix::around(history, found.until_ns);
            json!({ "key": key, "until_ns": found.until_ns, "dies_at": found.dies_at, "around": around })
        });
        let prefixes = prefixes.collect();
        Judged {
            status: status_of(report.verdict),
            row: Row::of(&report),
            words,
            orders: report.keys.iter_mut().map(Order::of).collect(),
            report: to_json(&report),
            ladder: to_json(&ladder),
            staleness: to_json(&staleness),
            prefixes,
        }
    }

    /// How far the keys that are shown can be ordered, the clearest violation first: in JSON a few more.
    fn prefixes<'a>(&self, history: &History, report: &'a Report, deadline: Instant) -> Vec<(&'a Value, Prefix)> {
        const MOST: usize = 8;
        let violated = verdict::of(report, Verdict::NotLinearizable);
        let first = verdict::clearest(&violated).map(|(key, _)| key);
        let others = violated.iter().copied().filter(|key| first.is_none_or(|first| first.key != key.key));
        let shown = first.into_iter().chain(others).take(if self.json { MOST } else { 1 });
        shown.filter_map(|key| Some((&key.key, self.judging.prefix(history, &key.key, deadline)?))).collect()
    }

    fn write_orders(&self, out: &mut dyn Write, file: &Path, history: &History, orders: &[Order]) -> io::Result<()> {
        let name = file.display().to_string();
        for order in orders {
            match &order.found {
                Ok(found) => {
                    let name = (self.files.len() > 1).then_some(&*name);
                    linearization::write(out, name, history, found)?;
                }
                Err(verdict) => ui::note(&format!("{name}: {}: {verdict}, so there is no order to write", order.of)),
            }
        }
        Ok(())
    }
}

/// The order that was found, or why there is none.
pub(crate) struct Order {
    /// Of what: a key, or all transactions.
    pub(crate) of: String,
    /// Indexes of `History::operations`; or the verdict.
    pub(crate) found: Result<Vec<u32>, String>,
}

impl Order {
    /// Takes it out of the report on a key.
    fn of(key: &mut KeyReport) -> Self {
        let of = format!("key {}", plain(&key.key));
        Self { of, found: key.order.take().ok_or_else(|| key.verdict.to_string()) }
    }
}

/// What was found out about a file, in every form.
pub(crate) struct Judged {
    pub(crate) status: ExitStatus,
    pub(crate) row: Row,
    pub(crate) words: String,
    pub(crate) orders: Vec<Order>,
    pub(crate) report: serde_json::Value,
    pub(crate) ladder: serde_json::Value,
    pub(crate) staleness: serde_json::Value,
    pub(crate) prefixes: Vec<serde_json::Value>,
}

pub(crate) fn to_json(report: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(report).expect("a report has a form in JSON")
}

impl Judging {
    /// When to give up.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.time_limit
    }

    /// The level that transactions must keep.
    pub(crate) fn level(&self) -> checker::Level {
        self.level.into()
    }

    /// Whether the history is one of transactions.
    pub(crate) fn are_transactions(&self, history: &History) -> bool {
        self.model.map_or(!history.transactions.is_empty(), |model| model.of_keys().is_none())
    }

    /// The verdict on a history without transactions.
    pub(crate) fn judge(&self, history: &History, all: bool, keep_order: bool, deadline: Instant) -> Report {
        self.within_limits(history, deadline, |limits, threads| {
            let options = Options { all, keep_order, threads, limits: *limits, ..self.options(history) };
            checker::check(history, &options)
        })
    }

    /// What holds of a history that is not linearizable, and how stale its reads were; side by side where there are two threads.
    pub(crate) fn instead(&self, history: &History, deadline: Instant) -> (Ladder, StalenessReport) {
        self.within_limits(history, deadline, |limits, threads| {
            let options = Options { limits: *limits, ..self.options(history) };
            if threads == 1 {
                return checker::instead(history, &options);
            }
            thread::scope(|scope| {
                let measured = scope.spawn(|| checker::staleness(history, &options));
                (
                    checker::consistency(history, &options),
                    measured.join().unwrap_or_else(|panic| panic::resume_unwind(panic)),
                )
            })
        })
    }

    /// How far a key's operations can be ordered.
    pub(crate) fn prefix(&self, history: &History, key: &Value, deadline: Instant) -> Option<Prefix> {
        self.within_limits(history, deadline, |limits, _| {
            checker::longest_prefix(history, &Options { limits: *limits, ..self.options(history) }, key)
        })
    }

    /// Does `work` on a history, given when it must give up and how many threads it may use.
    pub(crate) fn within_limits<T>(
        &self,
        history: &History,
        deadline: Instant,
        work: impl FnOnce(&Limits<'_>, usize) -> T,
    ) -> T {
        let progress = CheckProgress::new(history.operations.len());
        let keep_going = || {
            progress.alive();
            Instant::now() < deadline
        };
        let memory = Memory::new(self.memory_limit as usize * (1 << 20));
        let decided = |operations| progress.decided(operations);
        let limits = Limits { keep_going: &keep_going, memory: &memory, decided: &decided };
        work(&limits, self.threads.map_or_else(processors, usize::from))
    }

    fn options(&self, history: &History) -> Options<'static> {
        let model = self.model.and_then(ModelName::of_keys).unwrap_or_else(|| model_of(history));
        let initial = self.initial.clone().unwrap_or_else(|| initial_of(model, history));
        Options { initial, ..Options::new(model) }
    }
}

/// Which models would know the function that the chosen one lacks, if that is why a key is undecided.
fn other_models(report: &Report) -> String {
    let lacking = report.keys.iter().find_map(|key| match &key.why {
        Some(UnknownWhy::Function { name }) => Some(name),
        _ => None,
    });
    let Some(name) = lacking else { return String::new() };
    let knows = |model: &&ModelName| model.of_keys().map_or(name == TRANSACTION, |model| model.has(name));
    let knowing = ModelName::value_variants().iter().filter(knows).filter_map(ValueEnum::to_possible_value);
    let names: Vec<String> = knowing.map(|value| value.get_name().to_owned()).collect();
    if names.is_empty() {
        return format!("  no model has {name}\n");
    }
    format!("  models that have {name}: {}; --model chooses one\n", names.join(", "))
}

/// Reads a history; one that cannot be read has an exit code of its own.
pub(crate) fn read(file: &Path, format: Option<FormatName>) -> anyhow::Result<History> {
    histories::read_file_as(file, format.map(Format::from))
        .map_err(|error| Failure::new(ExitStatus::Unreadable, error.to_string()).into())
}

/// The exit status that says a verdict.
pub(crate) fn status_of(verdict: Verdict) -> ExitStatus {
    match verdict {
        Verdict::Linearizable => ExitStatus::Linearizable,
        Verdict::NotLinearizable => ExitStatus::NotLinearizable,
        Verdict::Unknown => ExitStatus::Unknown,
    }
}

/// How many threads can run at once here.
pub(crate) fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn model_of(history: &History) -> Model {
    let edits = |function| matches!(function, Function::Append | Function::Delete);
    if history.operations.iter().any(|operation| edits(operation.function)) { Model::KeyValue } else { Model::Register }
}

/// Some key-value stores answer an absent key with null, others with empty text: whoever saw null once has the first kind.
fn initial_of(model: Model, history: &History) -> Value {
    let found_null = |operation: &histories::Operation| {
        operation.function == Function::Read && operation.outcome == Outcome::Ok && operation.output == ValueId::NIL
    };
    match model {
        Model::KeyValue if !history.operations.iter().any(found_null) => "".into(),
        _ => Value::Nil,
    }
}

/// The verdict goes to stdout already.
fn parse_output(text: &str) -> Result<PathBuf, String> {
    if text == "-" {
        Err("a linearization goes to a file, as the verdict goes to stdout".to_owned())
    } else {
        Ok(text.into())
    }
}

fn parse_value(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))
}
