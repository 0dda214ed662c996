//! Drains of queues, with which tests of Jepsen end: operations that take out one element after the other until the
//! queue is empty, and answer with all of them. Each is judged as the dequeues that it consists of; their order counts
//! if nothing else happens meanwhile. A drain that was not answered is none that a model knows.

use histories::{Event, EventType, History, HistoryBuilder, NEVER, Operation, Outcome, Process, Value, ValueId};

use crate::{
    Limits, Model, Report,
    budget::{Budget, Shortage},
};

const DRAIN: &str = "drain";
const DEQUEUE: &str = "dequeue";

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
    pub(crate) fn of(history: &History, model: Model, limits: &Limits<'_>) -> Result<Option<Self>, Shortage> {
        if !model.has(DEQUEUE) || !history.operations.iter().any(|operation| elements(history, operation).is_some()) {
            return Ok(None);
        }
        let budget = Budget::new(limits);
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
        Ok(Self::built(history, &moments))
    }

    /// Builds the history of these events; `None` if they break a rule.
    fn built(history: &History, moments: &[Moment]) -> Option<Self> {
        let mut builder = HistoryBuilder::default();
        let mut origins = Vec::new();
        let processes = history.operations.iter().map(|operation| u64::from(operation.process) + 1).max().unwrap_or(0);
        for moment in moments {
            if !moment.is_completion {
                origins.push(moment.origin);
            }
            builder.push(event(history, *moment, processes)).ok()?;
        }
        Some(Self { history: builder.finish(), origins })
    }

    /// Returns the report on this history as one on that which was read.
    pub(crate) fn as_read(&self, mut report: Report) -> Report {
        for key in &mut report.keys {
            if let Some(evidence) = &mut key.evidence {
                evidence.operations.iter_mut().for_each(|index| *index = self.origins[*index]);
                evidence.operations.dedup();
            }
            for index in key.order.iter_mut().flatten() {
                *index = u32::try_from(self.origins[*index as usize]).expect("operations are numbered by u32");
            }
        }
        report
    }
}

/// Returns the elements that an operation took out, if it is a drain that was answered.
fn elements<'h>(history: &'h History, operation: &Operation) -> Option<&'h [Value]> {
    match history.value(operation.output) {
        Value::List(elements)
            if operation.outcome == Outcome::Ok && history.function_name(operation.function) == DRAIN =>
        {
            Some(elements)
        }
        _ => None,
    }
}

/// Returns true if no event lies between those of the operation.
fn is_alone(operation: &Operation) -> bool {
    operation.completed == operation.invoked + 1
}

/// Returns the event of a moment; dequeues of a drain that can overlap have processes of their own, from `processes`
/// times the number of the dequeue on.
fn event(history: &History, moment: Moment, processes: u64) -> Event<'static> {
    let operation = &history.operations[moment.origin];
    let known = |id: ValueId| (id != ValueId::UNKNOWN && id != ValueId::NIL).then(|| history.value(id).clone());
    let drained = elements(history, operation);
    let f = if drained.is_some() { DEQUEUE } else { history.function_name(operation.function) };
    let (kind, value) = match (moment.is_completion, operation.outcome) {
        (false, _) => (EventType::Invoke, known(operation.input)),
        (true, Outcome::Ok) => {
            let found = drained.map(|elements| elements.get(moment.part).cloned().unwrap_or_default());
            (EventType::Ok, found.or_else(|| known(operation.output)))
        }
        (true, _) => (EventType::Fail, None),
    };
    let times = history.times(moment.origin);
    // Of dequeues one after the other, only the first is known to have begun when the drain did.
    let is_later = moment.part > 0 && is_alone(operation);
    let process = u64::from(operation.process) + processes * moment.part as u64;
    Event {
        time: if moment.is_completion || is_later { times.completed_ns } else { times.invoked_ns },
        key: known(operation.key),
        value,
        node: Some(history.node(moment.origin)).filter(|node| *node > 0),
        ..Event::new(Process::Client(process), kind, f.to_owned())
    }
}
