//! Simulated clients of a linearizable store, in one thread and in virtual time; optionally with one violation planted
//! near the end.
//!
//! Each client thinks and then invokes an operation, which takes effect at some moment before it completes. Memory
//! grows with clients and keys, not with operations. The argument why a planted read is a violation is in
//! [`proof`](self::proof).

mod proof;
mod transactions;

use std::collections::BTreeMap;

use histories::{Event, EventType, Process, Value};

use crate::random::Random;
use proof::{HeldValue, Proof};
pub use transactions::TransactionSimulation;

/// Object that each key is, and thereby the operations of the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimulatedModel {
    /// Register of numbers: `read` and `write`.
    Register,
    /// Register of numbers with cas: `read`, `write` and `cas`.
    CasRegister,
    /// Text: `get`, `put`, `append`, `delete` and `cas`.
    KeyValue,
}

/// Kind of violation to plant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A stale read: it returns a value whose replacement was acknowledged before the read began.
    StaleRead,
    /// A lost write: it is acknowledged but never takes effect, and a later read returns the value that it should have
    /// replaced.
    LostWrite,
}

/// Parameters of a simulated history. Numbers of clients and keys are at least 1.
#[derive(Clone, Copy, Debug)]
pub struct Simulation {
    /// Object that each key is.
    pub model: SimulatedModel,
    /// Number of operations.
    pub operations: u64,
    /// Number of concurrent clients.
    pub clients: u16,
    /// Number of keys, `k0` and so on; each operation picks one uniformly.
    pub keys: u32,
    /// Percentage of operations with an unknown outcome. Half of these take effect in time, a quarter late, a quarter
    /// never.
    pub unknown_percent: u8,
    /// Upper bound (exclusive) of the values, drawn from 0 on; if not given, each value is written once.
    pub values: Option<u32>,
    /// True if clients begin their next operation at once; otherwise they are busy for a third of the time.
    pub always_overlapping: bool,
    /// Violation to plant, once, among the last operations (a twentieth of them, but at least 200 and at least 20 per
    /// key).
    pub violation: Option<Violation>,
    /// Seed: the same seed gives the same events.
    pub seed: u64,
}

/// Minimum duration of an operation, ns; the maximum is [`SPREAD_NS`] more.
const SHORTEST_NS: u32 = 200_000;
const SPREAD_NS: u32 = 1_600_000;
const THINK_NS: u32 = 4_000_000;
/// Maximum delay of a late effect, ns.
const LATE_NS: u32 = 20_000_000;
/// Minimum number of operations at the end among which a violation is planted.
const WINDOW: u64 = 200;

impl Simulation {
    /// Passes each event to `record`, in order. Returns true if the violation that was asked for was planted and is
    /// provably one; it is not planted where unknown outcomes could explain every value.
    ///
    /// # Errors
    /// Returns the first error of `record`.
    pub fn run<E>(&self, record: impl FnMut(&Event<'_>) -> Result<(), E>) -> Result<bool, E> {
        let mut world = World {
            plan: *self,
            record,
            random: Random::new(self.seed, "simulation"),
            queue: BTreeMap::new(),
            scheduled: 0,
            now_ns: 0,
            index: 0,
            begun: 0,
            next_token: 0,
            next_process: u64::from(self.clients),
            clients: (0..u64::from(self.clients)).map(|process| Client { process, operation: None }).collect(),
            keys: (0..self.keys.max(1)).map(|key| Key::new(key, self)).collect(),
            wanted: self.violation,
            lost: None,
        };
        for client in 0..world.clients.len() {
            world.think(client);
        }
        while let Some(((now_ns, _), step)) = world.queue.pop_first() {
            world.now_ns = now_ns;
            match step {
                Step::Invoke(client) => world.invoke(client)?,
                Step::Effect(client) => world.take_effect(client),
                Step::Complete(client) => world.complete(client)?,
                Step::Late(operation) => world.apply(&operation),
            }
        }
        Ok(world.wanted.is_none())
    }
}

struct World<R> {
    plan: Simulation,
    record: R,
    random: Random,
    /// Steps by time, and then in the order in which they were scheduled.
    queue: BTreeMap<(u64, u64), Step>,
    scheduled: u64,
    now_ns: u64,
    /// Index of the next event.
    index: u64,
    begun: u64,
    next_token: u64,
    next_process: u64,
    clients: Vec<Client>,
    keys: Vec<Key>,
    /// Violation that is still to be planted.
    wanted: Option<Violation>,
    lost: Option<LostWrite>,
}

/// Write that did not take effect, though it is or will be acknowledged.
struct LostWrite {
    key: usize,
    /// Index of its invocation.
    invoked: u64,
    /// Index of its completion.
    completed: Option<u64>,
    /// State that it should have replaced.
    previous: HeldValue,
}

enum Step {
    Invoke(usize),
    Effect(usize),
    Complete(usize),
    /// Effect of an operation whose client has gone on.
    Late(Operation),
}

struct Client {
    process: u64,
    operation: Option<Operation>,
}

struct Key {
    name: Value,
    state: HeldValue,
    proof: Proof,
}

#[derive(Clone)]
struct Operation {
    key: usize,
    action: Action,
    /// Index of its invocation.
    invoked: u64,
    /// Value of [`Proof::replaced_at`] just before that.
    replaced_at: Option<u64>,
    unknown: bool,
    /// State of the key when the operation took effect, which decides whether a cas matched.
    found: HeldValue,
}

#[derive(Clone, PartialEq)]
enum Action {
    Read,
    Write(u64),
    Append(u64),
    Delete,
    Cas { from: Value, to: u64 },
}

impl Action {
    /// Returns the token that the action may leave behind.
    fn token(&self) -> Option<u64> {
        match self {
            Self::Read | Self::Delete => None,
            Self::Write(token) | Self::Append(token) | Self::Cas { to: token, .. } => Some(*token),
        }
    }
}

impl Key {
    fn new(key: u32, plan: &Simulation) -> Self {
        let remembered = plan.values.map_or(8 * usize::from(plan.clients), |values| values as usize);
        let name = format!("k{key}").as_str().into();
        Self { name, state: HeldValue::default(), proof: Proof::new(remembered) }
    }
}

impl SimulatedModel {
    fn names(self) -> [&'static str; 2] {
        if self == Self::KeyValue { ["get", "put"] } else { ["read", "write"] }
    }

    fn value(self, token: u64) -> Value {
        match self {
            Self::KeyValue => token.to_string().as_str().into(),
            Self::Register | Self::CasRegister => Value::Int(token.cast_signed()),
        }
    }

    fn function(self, action: &Action) -> &'static str {
        match action {
            Action::Read => self.names()[0],
            Action::Write(_) => self.names()[1],
            Action::Append(_) => "append",
            Action::Delete => "delete",
            Action::Cas { .. } => "cas",
        }
    }
}

/// Returns the text that an append of `token` adds.
fn appended(token: u64) -> String {
    format!(",{token}")
}

impl<E, R: FnMut(&Event<'_>) -> Result<(), E>> World<R> {
    fn schedule(&mut self, after_ns: u64, step: Step) {
        self.queue.insert((self.now_ns + after_ns, self.scheduled), step);
        self.scheduled += 1;
    }

    fn think(&mut self, client: usize) {
        let think_ns = if self.plan.always_overlapping { 1 } else { self.random.below(THINK_NS) };
        self.schedule(think_ns.into(), Step::Invoke(client));
    }

    fn emit(&mut self, process: u64, kind: EventType, operation: &Operation, value: Option<Value>) -> Result<(), E> {
        let mismatch = kind == EventType::Fail;
        let (value, observed) = if mismatch { (None, value) } else { (value, None) };
        let event = Event {
            index: Some(self.index),
            time: self.now_ns,
            key: Some(self.keys[operation.key].name.clone()),
            value,
            observed,
            ..Event::new(Process::Client(process), kind, self.plan.model.function(&operation.action))
        };
        self.index += 1;
        (self.record)(&event)
    }

    fn invoke(&mut self, client: usize) -> Result<(), E> {
        if self.begun == self.plan.operations {
            return Ok(());
        }
        self.begun += 1;
        let key = self.random.below(self.plan.keys.max(1)) as usize;
        let action = self.draw(key);
        let unknown = self.random.below(100) < u32::from(self.plan.unknown_percent);
        let replaced_at = self.keys[key].proof.replaced_at();
        if let Some(token) = action.token() {
            self.keys[key].proof.begin(token);
        }
        let operation =
            Operation { key, action, invoked: self.index, replaced_at, unknown, found: HeldValue::default() };
        let model = self.plan.model;
        let argument = match &operation.action {
            Action::Read | Action::Delete => None,
            Action::Write(token) => Some(model.value(*token)),
            Action::Append(token) => Some(appended(*token).as_str().into()),
            Action::Cas { from, to } => Some(Value::List(vec![from.clone(), model.value(*to)])),
        };
        self.emit(self.clients[client].process, EventType::Invoke, &operation, argument)?;
        let lasts_ns = SHORTEST_NS + self.random.below(SPREAD_NS);
        let effect_ns = 1 + self.random.below(lasts_ns - 1);
        match if unknown { self.random.below(4) } else { 0 } {
            2 => {
                let late_ns = lasts_ns + 1 + self.random.below(LATE_NS);
                self.schedule(late_ns.into(), Step::Late(operation.clone()));
            }
            3 => {}
            _ => self.schedule(effect_ns.into(), Step::Effect(client)),
        }
        self.clients[client].operation = Some(operation);
        self.schedule(lasts_ns.into(), Step::Complete(client));
        Ok(())
    }

    /// Draws an action; half of all actions are reads. Where values are unique, a cas expects the value of the key at
    /// its invocation.
    fn draw(&mut self, key: usize) -> Action {
        let percent = self.random.below(100);
        if percent < 50 {
            return Action::Read;
        }
        let token = self.token();
        match (self.plan.model, percent) {
            (SimulatedModel::CasRegister, 75..) | (SimulatedModel::KeyValue, 90..) => {
                let from = match self.plan.values {
                    Some(values) => self.plan.model.value(self.random.below(values).into()),
                    None => self.keys[key].state.value.clone(),
                };
                Action::Cas { from, to: token }
            }
            (SimulatedModel::KeyValue, 85..) => Action::Delete,
            (SimulatedModel::KeyValue, 70..) => Action::Append(token),
            _ => Action::Write(token),
        }
    }

    fn token(&mut self) -> u64 {
        if let Some(values) = self.plan.values {
            return self.random.below(values).into();
        }
        self.next_token += 1;
        self.next_token
    }

    fn take_effect(&mut self, client: usize) {
        let Some(mut operation) = self.clients[client].operation.take() else { return };
        let key = &self.keys[operation.key];
        operation.found = key.state.clone();
        let wanted = self.wanted == Some(Violation::LostWrite) && self.lost.is_none() && self.near_the_end();
        let plain = matches!(operation.action, Action::Write(_)) && !operation.unknown;
        if wanted && plain && key.proof.is_stale(&key.state, Some(operation.invoked)) {
            let previous = operation.found.clone();
            self.lost = Some(LostWrite { key: operation.key, invoked: operation.invoked, completed: None, previous });
        } else {
            self.apply(&operation);
        }
        self.clients[client].operation = Some(operation);
    }

    fn apply(&mut self, operation: &Operation) {
        let key = &mut self.keys[operation.key];
        let value = match operation.action {
            Action::Read => return,
            Action::Cas { ref from, .. } if key.state.value != *from => return,
            Action::Delete => Value::Nil,
            Action::Write(token) | Action::Cas { to: token, .. } => self.plan.model.value(token),
            Action::Append(token) => match &key.state.value {
                Value::Str(text) => format!("{text}{}", appended(token)).as_str().into(),
                _ => appended(token).as_str().into(),
            },
        };
        key.state = HeldValue { value, token: operation.action.token() };
        key.proof.holds(&key.state);
    }

    fn complete(&mut self, client: usize) -> Result<(), E> {
        let process = self.clients[client].process;
        let Some(operation) = self.clients[client].operation.take() else { return Ok(()) };
        let token = operation.action.token();
        if operation.unknown {
            if let Some(token) = token {
                self.keys[operation.key].proof.lose(token);
            }
            self.emit(process, EventType::Info, &operation, None)?;
            self.clients[client].process = self.next_process;
            self.next_process += 1;
        } else {
            match &operation.action {
                Action::Read => {
                    let value = self.answer(&operation);
                    self.emit(process, EventType::Ok, &operation, Some(value))?;
                }
                Action::Cas { from, to } if operation.found.value != *from => {
                    self.keys[operation.key].proof.cancel(*to);
                    self.emit(process, EventType::Fail, &operation, Some(operation.found.value.clone()))?;
                }
                _ => {
                    if let Some(lost) = self.lost.as_mut().filter(|lost| lost.invoked == operation.invoked) {
                        lost.completed = Some(self.index);
                    }
                    self.keys[operation.key].proof.end(token, operation.invoked, self.index);
                    self.emit(process, EventType::Ok, &operation, None)?;
                }
            }
        }
        self.think(client);
        Ok(())
    }

    /// Returns the value that a read returns: the one it found, unless this read is to be the stale one.
    fn answer(&mut self, read: &Operation) -> Value {
        let proof = &self.keys[read.key].proof;
        let planted = match (self.wanted, &self.lost) {
            (Some(Violation::StaleRead), _) if self.near_the_end() => proof.stale_value(read.replaced_at),
            (Some(Violation::LostWrite), Some(lost))
                if lost.key == read.key
                    && lost.completed.is_some_and(|completed| completed < read.invoked)
                    && proof.is_stale(&lost.previous, read.replaced_at) =>
            {
                Some(lost.previous.value.clone())
            }
            _ => None,
        };
        if planted.is_some() {
            self.wanted = None;
        }
        planted.unwrap_or_else(|| read.found.value.clone())
    }

    fn near_the_end(&self) -> bool {
        let window = WINDOW.max(20 * u64::from(self.plan.keys)).max(self.plan.operations / 20);
        self.plan.operations - self.begun <= window
    }
}

#[cfg(test)]
mod tests;
