//! Drains of queues, with which tests of Jepsen end: operations that take out one element after the other until the
//! queue is empty, and answer with all of them. Each is judged as the dequeues that it consists of; their order counts
//! if nothing else happens meanwhile. A drain that was not answered is none that a model knows.

use histories::{Event, EventType, History, HistoryBuilder, NEVER, Operation, Outcome, Process, Value, ValueId};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::{
    Limits, Model, Report, UnknownWhy,
    budget::{Budget, Shortage},
    objects::DRAIN,
    tally::Tally,
};

/// Name of a drain that was not answered with a list of elements.
const NO_ANSWER: &str = "drain without a list of elements";

/// Memory for an event while the history is built, and for half of an operation then, in bytes.
const EVENT_BYTES: usize = size_of::<Moment>() + size_of::<Operation>() + size_of::<Value>();

/// History in which each drain is the dequeues that it consists of.
pub(crate) struct Drained {
    pub(crate) history: History,
    /// Index of each operation, or of the drain that it belongs to, in the history as it was read.
    origins: Vec<usize>,
}

/// Event of the new history. The order of the fields is that of the events.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Moment {
    /// Rank of the event that it comes from.
    rank: u32,
    /// Place among those that come from the same event.
    place: usize,
    /// Index of the operation that it comes from.
    origin: usize,
    /// Number of the dequeue, if that is a drain.
    part: usize,
    is_completion: bool,
}

impl Drained {
    /// Takes the drains of a history apart. Returns `None` if there are none, or if the model knows no dequeues.
    ///
    /// # Errors
    /// Says what runs out, if there is too little time or memory.
    pub(crate) fn of(history: &History, model: Model, limits: &Limits<'_>) -> Result<Option<Self>, UnknownWhy> {
        if !model.has(DRAIN) || !history.operations.iter().any(|operation| is_drain(history, operation)) {
            return Ok(None);
        }
        let moments = moments(history, &Budget::new(limits)).map_err(|out| out.why(0, history.operations.len(), 0))?;
        let broken = || UnknownWhy::Internal { what: "the dequeues of a drain broke a rule of histories".to_owned() };
        Self::built(history, &moments).ok_or_else(broken).map(Some)
    }

    /// Builds the history of these events; `None` if they break a rule.
    fn built(history: &History, moments: &[Moment]) -> Option<Self> {
        let mut builder = HistoryBuilder::default();
        let mut origins = Vec::new();
        // Dequeues of a drain that can overlap have processes of their own, named as that of the drain.
        let (mut numbers, mut names) = (FxHashMap::default(), Vec::new());
        for moment in moments {
            if !moment.is_completion {
                origins.push(moment.origin);
            }
            let operation = &history.operations[moment.origin];
            let part = if is_alone(operation) { 0 } else { moment.part };
            let process = *numbers.entry((operation.process, part)).or_insert_with(|| {
                names.push(history.process(operation.process));
                names.len() as u64 - 1
            });
            builder.push(event(history, *moment, process)).ok()?;
        }
        let mut built = builder.finish();
        built.name_processes(&names);
        Some(Self { history: built, origins })
    }

    /// Returns the report on this history as one on that which was read, `history`.
    pub(crate) fn as_read(&self, history: &History, mut report: Report) -> Report {
        let mut tallies: FxHashMap<&Value, (usize, Tally)> = FxHashMap::default();
        for operation in &history.operations {
            let (count, tally) = tallies.entry(history.value(operation.key)).or_default();
            *count += 1;
            tally.add(operation);
        }
        report.operations = history.operations.len();
        report.answered = tallies.values().map(|(_, tally)| tally.answered).sum();
        report.unanswered = tallies.values().map(|(_, tally)| tally.unanswered).sum();
        for key in &mut report.keys {
            if let Some(UnknownWhy::Function { name, model }) = &key.why
                && name == NO_ANSWER
            {
                key.why = Some(UnknownWhy::Unsupported { what: format!("a {NO_ANSWER}"), model: model.clone() });
            }
            if let Some((count, tally)) = tallies.get(&key.key) {
                (key.operations, key.answered, key.unanswered) = (*count, tally.answered, tally.unanswered);
            }
            if let Some(evidence) = &mut key.evidence {
                evidence.operations.iter_mut().for_each(|index| *index = self.origins[*index]);
                evidence.operations.dedup();
            }
            if let Some(order) = &mut key.order {
                for index in &mut *order {
                    *index = u32::try_from(self.origins[*index as usize]).expect("operations are numbered by u32");
                }
                // A drain is where it ended.
                let mut seen = FxHashSet::default();
                order.reverse();
                order.retain(|index| seen.insert(*index));
                order.reverse();
            }
        }
        report
    }
}

/// Returns the events of a history in which each drain is the dequeues that it consists of, in their order.
fn moments(history: &History, budget: &Budget<'_>) -> Result<Vec<Moment>, Shortage> {
    let mut moments = Vec::new();
    for (origin, operation) in history.operations.iter().enumerate() {
        // The last dequeue finds the queue empty.
        let parts = elements(history, operation).map_or(1, |elements| elements.len() + 1);
        budget.steps(parts)?;
        budget.may_take(2 * parts * EVENT_BYTES)?;
        let is_alone = is_alone(operation);
        for part in 0..parts {
            let (rank, place) = if is_alone { (operation.invoked, 2 * part) } else { (operation.invoked, part) };
            moments.push(Moment { rank, place, origin, part, is_completion: false });
            let (rank, place) = if is_alone { (rank, place + 1) } else { (operation.completed, part) };
            moments.push(Moment { rank, place, origin, part, is_completion: true });
        }
    }
    moments.retain(|moment| moment.rank != NEVER);
    moments.sort_unstable();
    Ok(moments)
}

/// Returns the elements that an operation took out, if it is a drain that was answered.
fn elements<'h>(history: &'h History, operation: &Operation) -> Option<&'h [Value]> {
    match history.value(operation.output) {
        Value::List(elements) if operation.outcome == Outcome::Ok && is_drain(history, operation) => Some(elements),
        _ => None,
    }
}

fn is_drain(history: &History, operation: &Operation) -> bool {
    history.function_name(operation.function) == DRAIN
}

/// Returns true if no event lies between those of the operation.
fn is_alone(operation: &Operation) -> bool {
    operation.completed == operation.invoked + 1
}

/// Returns the event of a moment, of this process.
fn event(history: &History, moment: Moment, process: u64) -> Event<'static> {
    let operation = &history.operations[moment.origin];
    let known = |id: ValueId| (id != ValueId::UNKNOWN && id != ValueId::NIL).then(|| history.value(id).clone());
    let drained = elements(history, operation);
    let is_unanswered = drained.is_none() && is_drain(history, operation) && operation.outcome != Outcome::Fail;
    let f = if is_unanswered { NO_ANSWER } else { history.function_name(operation.function) };
    let (kind, value) = match (moment.is_completion, operation.outcome) {
        (false, _) => (EventType::Invoke, known(operation.input)),
        (true, Outcome::Ok) => {
            let found = drained.map(|elements| elements.get(moment.part).cloned().unwrap_or_default());
            (EventType::Ok, found.or_else(|| known(operation.output)))
        }
        (true, _) => (EventType::Fail, None),
    };
    let times = history.times(moment.origin);
    // Of dequeues one after the other, all but the last are known to have ended only by their order.
    let is_last = !is_alone(operation) || drained.is_none_or(|elements| moment.part == elements.len());
    Event {
        time: if moment.is_completion && is_last { times.completed_ns } else { times.invoked_ns },
        key: known(operation.key),
        value,
        node: Some(history.node(moment.origin)).filter(|node| *node > 0),
        ..Event::new(Process::Client(process), kind, f.to_owned())
    }
}
