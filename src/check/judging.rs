//! Judging of histories for all commands: the options, and the verdict.

use std::{panic, path::Path, sync::LazyLock, thread, time::Duration};

use checker::{Evidence, Hierarchy, Model, Options, Prefix, Report, StalenessReport, Verdict};
use clap::{
    Args, ValueEnum,
    builder::{PossibleValue, RangedI64ValueParser},
};
use histories::{Event, EventType, Function, History, Operation, Outcome, Process, Value, ValueId};
use workloads::Workload;

use super::{
    budget::Budget,
    evidence,
    evidence::FoundOrder,
    levels::{LevelName, initial_mismatch},
    reading_options::ReadingOptions,
};
use crate::{
    error::{ExitStatus, Failure},
    terminal::words::parse_time,
};

/// Bytes that the hierarchy and staleness take together, roughly, for each operation of a history that is not
/// linearizable.
const SIDE_BY_SIDE_BYTES: usize = 256;

/// Limits of a command.
#[derive(Clone, Debug, Args)]
pub(crate) struct LimitArgs {
    /// Time limit for all files together, reading included.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_time)]
    time_limit: Duration,
    /// Memory limit of the process in MiB, the history included.
    #[arg(long, value_name = "MIB", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..))]
    memory_limit: u32,
}

impl LimitArgs {
    /// Returns a budget of these limits, beginning now.
    pub(crate) fn budget(&self) -> Budget {
        Budget::new(self.time_limit, self.memory_limit as usize * (1 << 20))
    }
}

/// Options for reading and judging histories.
#[derive(Clone, Debug, Args)]
pub(crate) struct JudgingOptions {
    /// Model: the kind of object that each key is [default: transactions if there are any; `kv` if anything is appended
    /// or deleted, or a read finds "" and nobody writes it; else `register`].
    #[arg(long, value_enum)]
    model: Option<ModelName>,
    /// Isolation level that transactions must keep [default: snapshot-isolation for `long-fork`, else
    /// strict-serializable].
    #[arg(long, value_enum)]
    level: Option<LevelName>,
    #[command(flatten)]
    reading: ReadingOptions,
    /// Initial value of every key, as JSON or EDN [default: null; for `kv`, "" if no read is answered with null, and no
    /// cas finds or expects it; for `causal`, 0 if a `read-init` finds it, no read finds null, and nobody writes 0].
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true, value_parser = histories::parse_value)]
    initial: Option<Value>,
    #[command(flatten)]
    limits: LimitArgs,
    /// Number of keys to check at once [default: one for each processor].
    #[arg(short = 'j', long = "at-once", alias = "threads", value_name = "N", value_parser = number_at_once())]
    threads: Option<u16>,
}

/// Name of a model: of single operations, from the checker's own list, or of transactions.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ModelName {
    Single(Model),
    /// Alternative name of a register.
    CasRegister,
    ListAppend,
    RwRegister,
    /// Registers in transactions, of which only what Jepsen's test of long forks looks for is asked by default.
    LongFork,
}

impl ModelName {
    /// Returns the model of single operations; none for transactions, whose keys show by themselves what they are.
    pub(crate) fn of_keys(self) -> Option<Model> {
        match self {
            Self::Single(model) => Some(model),
            Self::CasRegister => Some(Model::Register),
            Self::ListAppend | Self::RwRegister | Self::LongFork => None,
        }
    }
}

impl ValueEnum for ModelName {
    fn value_variants<'a>() -> &'a [Self] {
        static ALL: LazyLock<Vec<ModelName>> = LazyLock::new(|| {
            let mut all = Vec::new();
            for model in Model::ALL {
                all.push(ModelName::Single(*model));
                all.extend((*model == Model::Register).then_some(ModelName::CasRegister));
            }
            all.extend([ModelName::ListAppend, ModelName::RwRegister, ModelName::LongFork]);
            all
        });
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, functions) = match self {
            Self::Single(model) => (model.name(), model.functions()),
            Self::CasRegister => ("cas-register", "read, write and cas"),
            Self::ListAppend => ("list-append", "transactions that append to lists and read them"),
            Self::RwRegister => ("rw-register", "transactions that write registers and read them"),
            Self::LongFork => ("long-fork", "as rw-register, by default under snapshot isolation"),
        };
        Some(PossibleValue::new(name).help(functions))
    }
}

impl JudgingOptions {
    /// Returns a budget of these limits, beginning now.
    pub(crate) fn budget(&self) -> Budget {
        self.limits.budget()
    }

    /// Returns the options for reading.
    pub(crate) fn reading(&self) -> ReadingOptions {
        self.reading
    }

    fn threads(&self) -> usize {
        self.threads.map_or_else(processors, usize::from)
    }

    /// Returns the level that transactions must keep.
    pub(crate) fn level(&self) -> checker::Level {
        let default = match self.model {
            Some(ModelName::LongFork) => LevelName::SnapshotIsolation,
            _ => LevelName::StrictSerializable,
        };
        self.level.unwrap_or(default).into()
    }

    /// Returns the initial value of every key of transactions.
    pub(crate) fn initial_of_transactions(&self) -> &Value {
        self.initial.as_ref().unwrap_or(&Value::Nil)
    }

    /// Returns true if the history is one of transactions.
    ///
    /// # Errors
    /// Fails if an option was given that does not apply to the history.
    pub(crate) fn are_transactions(&self, history: &History) -> Result<bool, Failure> {
        // Transactions within groups of registers are judged as the history says, group by group.
        let shows = || !history.transactions.is_empty() && kept(history).is_none();
        let found = self.model.map_or_else(shows, |model| model.of_keys().is_none());
        let refused = |what: String, hint: &str| Err(Failure::new(ExitStatus::Usage, what).hint(hint));
        if found {
            let initial_mismatch = initial_mismatch(history, self.initial_of_transactions());
            return initial_mismatch.map_or(Ok(true), |what| {
                refused(what, "lists begin as a list such as `--initial '[1]'`, registers as any other value")
            });
        }
        if let Some(level) = self.level.and_then(|level| level.to_possible_value()) {
            let what = format!("--level {}: only transactions have a level, and there are none here", level.get_name());
            return refused(what, "without --level, each object is checked for linearizability");
        }
        Ok(false)
    }

    /// Returns the verdict on a history without transactions.
    pub(crate) fn judge(&self, history: &History, all: bool, keep_order: bool, budget: &Budget) -> Report {
        budget.within(history.operations.len(), |limits| {
            let threads = self.threads();
            let options = Options { all, keep_order, threads, limits: *limits, ..self.options(history) };
            checker::check(history, &options)
        })
    }

    /// Computes which weaker models hold of a history that is not linearizable, and how stale its reads were; side by
    /// side if there are two threads and memory for both.
    pub(crate) fn weaker_models(
        &self,
        history: &History,
        report: &Report,
        budget: &Budget,
    ) -> (Hierarchy, StalenessReport) {
        let (mut hierarchy, staleness) = budget.within(history.operations.len(), |limits| {
            let options = Options { limits: *limits, ..self.options(history) };
            let is_tight = !limits.memory.has_room(history.operations.len() * SIDE_BY_SIDE_BYTES);
            if is_tight || self.threads() == 1 {
                return checker::weaker_models(history, &options);
            }
            thread::scope(|scope| {
                let measure = || checker::staleness(history, &options);
                let Ok(measured) = thread::Builder::new().spawn_scoped(scope, measure) else {
                    return checker::weaker_models(history, &options);
                };
                (
                    checker::consistency(history, &options),
                    measured.join().unwrap_or_else(|panic| panic::resume_unwind(panic)),
                )
            })
        });
        evidence::align(&mut hierarchy, report);
        (hierarchy, staleness)
    }

    /// Returns the command that judges this file in the same way.
    pub(crate) fn command(&self, what: &Path) -> String {
        let mut words = vec!["schism".to_owned(), "check".to_owned(), "--all".to_owned()];
        let name = |value: Option<PossibleValue>| value.map(|value| value.get_name().to_owned());
        let mut option = |option: &str, value: Option<String>| {
            words.extend(value.into_iter().flat_map(|value| [option.to_owned(), value]));
        };
        option("--model", name(self.model.as_ref().and_then(ValueEnum::to_possible_value)));
        for (given, value) in self.reading.given() {
            option(given, Some(value));
        }
        option("--level", name(self.level.as_ref().and_then(ValueEnum::to_possible_value)));
        option("--initial", self.initial.as_ref().and_then(|initial| serde_json::to_string(initial).ok()));
        let file = what.to_string_lossy();
        words.extend(file.starts_with('-').then(|| "--".to_owned()));
        words.push(file.into_owned());
        words.iter().map(|word| nemesis::quoted(word)).collect::<Vec<_>>().join(" ")
    }

    /// Computes how far the operations of a key can be ordered.
    pub(crate) fn prefix(&self, history: &History, key: &Value, budget: &Budget) -> Option<Prefix> {
        budget.within(history.operations.len(), |limits| {
            checker::longest_prefix(history, &Options { limits: *limits, ..self.options(history) }, key)
        })
    }

    /// Computes how far the operations of the evidence of a key can be ordered.
    pub(crate) fn prefix_of_evidence(
        &self,
        history: &History,
        key: &Value,
        of: &Evidence,
        budget: &Budget,
    ) -> Option<Prefix> {
        budget.within(history.operations.len(), |limits| {
            evidence::prefix(history, &Options { limits: *limits, ..self.options(history) }, key, of)
        })
    }

    /// Returns the linearizations of a report whose orders were kept, with their states.
    pub(crate) fn found_orders(&self, history: &History, report: &Report, budget: &Budget) -> Vec<FoundOrder> {
        budget.within(history.operations.len(), |limits| {
            evidence::found_orders(history, &Options { limits: *limits, ..self.options(history) }, report)
        })
    }

    pub(crate) fn options(&self, history: &History) -> Options<'static> {
        let kept = kept(history);
        let said = self.model.and_then(ModelName::of_keys);
        let model = said.or(kept.as_ref().map(|kept| kept.0)).unwrap_or_else(|| model_of(history));
        let kept = kept.filter(|(of, _)| *of == model);
        let guessed = said.is_none() && kept.is_none();
        let initial = self.initial.clone().or(kept.map(|(_, initial)| initial));
        let initial = initial.unwrap_or_else(|| initial_of(model, history));
        Options { initial, guessed, ..Options::new(model) }
    }

    /// Returns the same limits without any statement on the history.
    pub(crate) fn without_overrides(&self) -> Self {
        let reading = ReadingOptions::default();
        Self { model: None, initial: None, reading, ..self.clone() }
    }

    /// Returns the name of the model that a history is judged by: the one that was given, if it stands for this model.
    pub(crate) fn name_of(&self, model: Model) -> String {
        let given = self.model.filter(|name| name.of_keys() == Some(model)).and_then(|name| name.to_possible_value());
        given.map_or_else(|| model.name().to_owned(), |value| value.get_name().to_owned())
    }

    /// Returns true if the initial value is given.
    pub(crate) fn says_initial(&self) -> bool {
        self.initial.is_some()
    }

    /// Checks that the model can begin with the value of `--initial`: the model of a history without transactions;
    /// before it is read, the model that is given.
    ///
    /// # Errors
    /// Fails if it cannot, and says what it can begin with.
    pub(crate) fn check_initial(&self, history: Option<&History>) -> anyhow::Result<()> {
        let model = match self.model {
            Some(name) => name.of_keys(),
            None => history.map(|history| self.options(history).model),
        };
        let (Some(model), Some(initial)) = (model, &self.initial) else { return Ok(()) };
        let Err(allowed) = model.begins_with(initial) else { return Ok(()) };
        let name = ModelName::value_variants().iter().find(|name| name.of_keys() == Some(model));
        let name =
            name.and_then(ValueEnum::to_possible_value).map_or_else(String::new, |name| name.get_name().to_owned());
        let what = format!("a {name} cannot begin with {initial}, the value of --initial");
        Err(Failure::new(ExitStatus::Usage, what).hint(format!("a {name} begins with {allowed}")).into())
    }

    /// Refuses options that do not apply to what was judged already.
    ///
    /// # Errors
    /// Fails if one was given; `why` gives the reason.
    pub(crate) fn refuse_options(&self, why: &str) -> anyhow::Result<()> {
        let mut given = self.reading.given();
        given.extend(self.model.map(|_| ("--model", String::new())));
        given.extend(self.initial.as_ref().map(|_| ("--initial", String::new())));
        given.extend(self.level.map(|_| ("--level", String::new())));
        given.extend(self.threads.map(|_| ("-j", String::new())));
        let Some((option, _)) = given.first() else { return Ok(()) };
        Err(Failure::new(ExitStatus::Usage, format!("{option} has no meaning here: {why}"))
            .hint(format!("leave out {option}"))
            .into())
    }
}

/// Name of the event, of no client, that says how a history is to be judged.
pub(crate) const JUDGE_AS: &str = "judge-as";

/// Returns the options by which histories of this workload are judged; none for transactions, whose keys show by
/// themselves what they are.
pub(crate) fn options_of(workload: &dyn Workload) -> Option<Options<'static>> {
    let model = ModelName::from_str(workload.model(), false).ok()?.of_keys()?;
    Some(Options { initial: workload.initial(), ..Options::new(model) })
}

/// Returns the name of the property by which histories of a workload are judged, if it is one that only the end of a
/// history decides.
pub(crate) fn decided_at_the_end(workload: &dyn Workload) -> Option<&'static str> {
    options_of(workload).map(|options| options.model).filter(|model| model.is_property()).map(Model::name)
}

/// Returns the event that says that a history is to be judged as one of this workload; none if the history shows it by
/// itself.
pub(crate) fn judge_by(workload: &dyn Workload) -> Option<Event<'static>> {
    judge_as(&options_of(workload).filter(|options| options.model != Model::Register)?, 0)
}

/// Returns the event that says how a history is to be judged by default: a part of a history may no longer show it.
pub(crate) fn judge_as(options: &Options<'_>, time: u64) -> Option<Event<'static>> {
    let name =
        ModelName::value_variants().iter().find(|name| name.of_keys() == Some(options.model))?.to_possible_value()?;
    let value = [("model", Value::from(name.get_name())), ("initial", options.initial.clone())];
    let value = Value::map(value.into_iter().map(|(name, value)| (name.into(), value)).collect()).ok()?;
    Some(Event { time, value: Some(value), ..Event::new(Process::nemesis(), EventType::Info, JUDGE_AS) })
}

/// Returns the content of such an event.
fn kept(history: &History) -> Option<(Model, Value)> {
    let event = history.others.iter().find(|event| event.f == JUDGE_AS)?;
    let Some(Value::Map(said)) = &event.value else { return None };
    let name = ModelName::from_str(said.named("model")?.name()?, false).ok()?;
    Some((name.of_keys()?, said.named("initial").cloned().unwrap_or_default()))
}

/// Returns the exit status for a verdict.
pub(crate) fn status_of(verdict: Verdict) -> ExitStatus {
    match verdict {
        Verdict::Linearizable => ExitStatus::Linearizable,
        Verdict::NotLinearizable => ExitStatus::NotLinearizable,
        Verdict::Unknown => ExitStatus::Unknown,
    }
}

/// Returns the exit status for a report: that of its verdict, unless that is unknown because the checker contradicted
/// itself.
pub(crate) fn status_of_report(report: &Report) -> ExitStatus {
    let internal = if report.has_internal_error() { ExitStatus::Internal } else { ExitStatus::Linearizable };
    status_of(report.verdict).worst(internal)
}

/// Returns the parser of a number of things that are done at once.
pub(crate) fn number_at_once() -> RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..=256)
}

/// Returns the number of threads that can run at once here.
pub(crate) fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Guesses the model: a key-value store if there are edits of text, or an absent key was answered with empty text.
fn model_of(history: &History) -> Model {
    let edits = |operation: &Operation| matches!(operation.function, Function::Append | Function::Delete);
    let is_store = history.operations.iter().any(edits) || begins_with_empty_text(history);
    if is_store { Model::KeyValue } else { Model::Register }
}

/// Returns true if some read found empty text, which nobody wrote.
fn begins_with_empty_text(history: &History) -> bool {
    let Some(empty) = history.values.find(&"".into()) else { return false };
    let mut operations = history.operations.iter();
    let sets = |operation: &Operation| match operation.function {
        Function::Write => operation.input == empty,
        Function::Cas => operation.to == empty,
        _ => false,
    };
    let finds = |operation: &Operation| operation.function == Function::Read && operation.output == empty;
    operations.clone().any(finds) && !operations.any(sets)
}

/// Returns the default initial value of a key: null. But some key-value stores answer with empty text for an absent
/// key, and never with null: so it is empty text for `kv` if no read was answered with null, and no cas found or
/// expected it.
fn initial_of(model: Model, history: &History) -> Value {
    let names_null = |operation: &Operation| match (operation.function, operation.outcome) {
        (Function::Read, Outcome::Ok) => operation.output == ValueId::NIL,
        (Function::Cas, outcome) => {
            operation.input == ValueId::NIL || outcome == Outcome::Mismatch && operation.output == ValueId::NIL
        }
        _ => false,
    };
    match model {
        Model::KeyValue if !history.operations.iter().any(names_null) => "".into(),
        Model::Causal if begins_with_zero(history) => Value::Int(0),
        _ => Value::Nil,
    }
}

/// Returns true if registers begin with 0, as in Jepsen's test of causal consistency: some `read-init` found 0, none
/// found null, and nobody wrote 0.
fn begins_with_zero(history: &History) -> bool {
    let zero = |id| *history.value(id) == Value::Int(0);
    let is_init = |operation: &&Operation| {
        operation.outcome == Outcome::Ok && history.function_name(operation.function) == "read-init"
    };
    let finds_null = |operation: &Operation| {
        let is_read = operation.function == Function::Read || is_init(&operation);
        operation.outcome == Outcome::Ok && is_read && operation.output == ValueId::NIL
    };
    let sets_zero = |operation: &Operation| match operation.function {
        Function::Write => zero(operation.input),
        Function::Cas => zero(operation.to),
        _ => false,
    };
    history
        .operations
        .iter()
        .filter(is_init)
        .any(|operation| operation.output != ValueId::UNKNOWN && zero(operation.output))
        && !history.operations.iter().any(|operation| finds_null(operation) || sets_zero(operation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_names_a_model_and_how_it_begins_and_its_history_says_both() {
        for workload in workloads::WORKLOADS {
            let named = ModelName::from_str(workload.model(), false).unwrap();
            assert_eq!(options_of(*workload).map(|options| options.model), named.of_keys());
            let mut history = History::default();
            history.others.extend(judge_by(*workload));
            match options_of(*workload) {
                Some(options) => {
                    assert_eq!(options.model.begins_with(&options.initial), Ok(()), "{workload:?}");
                    let kept = kept(&history).unwrap_or((Model::Register, Value::Nil));
                    assert_eq!(kept, (options.model, options.initial), "{workload:?}");
                }
                None => assert!(history.others.is_empty(), "transactions are known by themselves"),
            }
        }
    }

    #[test]
    fn a_store_that_answers_absent_keys_with_empty_text_is_guessed_unless_somebody_wrote_that() {
        let guess = |first: &str| {
            let call = |f: &str, value: &str| {
                let event = |kind| format!("{{\"process\":0,\"type\":\"{kind}\",\"f\":\"{f}\",\"value\":{value}}}\n");
                event("invoke") + &event("ok")
            };
            let calls = call("write", first) + &call("read", "\"\"") + &call("write", "\"b\"");
            let history = histories::read_bytes("h", calls.as_bytes(), None::<histories::Format>).unwrap();
            (model_of(&history), initial_of(model_of(&history), &history))
        };
        assert_eq!(guess("\"a\""), (Model::KeyValue, "".into()));
        assert_eq!(guess("\"\""), (Model::Register, Value::Nil));
    }
}
