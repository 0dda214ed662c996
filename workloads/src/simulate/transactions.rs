//! Simulated clients that append to lists and read them, with four micro-operations per transaction, on a strictly
//! serializable store; optionally with reads that are certainly stale, or appends that are certainly lost.
//!
//! After [`WRITES`] appends, a key is replaced by a new one, so that lists stay short, as in Jepsen.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use histories::{Event, EventType, Process, TRANSACTION, Value};

use super::{LATE_NS, SHORTEST_NS, SPREAD_NS, THINK_NS, Violation, WINDOW};
use crate::random::Random;

/// Number of appends to a list after which its key is replaced by a new one.
const WRITES: usize = 32;
/// Number of micro-operations of a transaction.
const LENGTH: usize = 4;

/// Parameters of a simulated history of transactions. Numbers of clients and keys are at least 1.
#[derive(Clone, Copy, Debug)]
pub struct TransactionSimulation {
    /// Number of transactions.
    pub transactions: u64,
    /// Number of concurrent clients.
    pub clients: u16,
    /// Number of keys in use at once.
    pub keys: u32,
    /// Percentage of transactions with an unknown outcome. Half of these take effect in time, a quarter late, a quarter
    /// never.
    pub unknown_percent: u8,
    /// True if clients begin their next transaction at once; otherwise they are busy for a third of the time.
    pub always_overlapping: bool,
    /// Violation to plant, which certainly makes the history not strictly serializable.
    ///
    /// A stale transaction only reads, and reads the whole store as it was at an earlier moment between two
    /// transactions: before an append that was acknowledged before the stale transaction began. So the history stays
    /// serializable. A lost append is acknowledged, and no read ever returns it, although a transaction that began
    /// later reads the list; most of these reads return elements appended later, since only elements of the first half
    /// of a list are lost.
    pub violation: Option<Violation>,
    /// Number of violations, evenly spread, with the last one near the end.
    pub violations: u32,
    /// Seed: the same seed gives the same events.
    pub seed: u64,
}

impl TransactionSimulation {
    /// Passes each event to `record`, in order. Returns true if all violations that were asked for were planted.
    ///
    /// # Errors
    /// Returns the first error of `record`.
    pub fn run<E>(&self, record: impl FnMut(&Event<'_>) -> Result<(), E>) -> Result<bool, E> {
        let keys = i64::from(self.keys.max(1));
        let mut world = World {
            plan: *self,
            record,
            random: Random::new(self.seed, "transactions"),
            queue: BTreeMap::new(),
            scheduled: 0,
            now_ns: 0,
            index: 0,
            begun: 0,
            planted: 0,
            lost: Vec::new(),
            effects: 0,
            next_key: keys,
            next_process: u64::from(self.clients),
            in_use: (0..keys).collect(),
            lists: (0..keys).map(|key| (key, List::default())).collect(),
            clients: (0..u64::from(self.clients)).map(|process| Client { process, open: None }).collect(),
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
                Step::Late(mut transaction) => world.apply(&mut transaction),
            }
        }
        let wanted = if self.violation.is_some() { self.violations } else { 0 };
        Ok(world.planted == wanted && world.lost.is_empty())
    }
}

struct World<R> {
    plan: TransactionSimulation,
    record: R,
    random: Random,
    /// Steps by time, and then in the order in which they were scheduled.
    queue: BTreeMap<(u64, u64), Step>,
    scheduled: u64,
    now_ns: u64,
    /// Index of the next event.
    index: u64,
    begun: u64,
    planted: u32,
    /// Lost appends that no read has revealed yet.
    lost: Vec<LostAppend>,
    /// Number of transactions that took effect.
    effects: u64,
    next_key: i64,
    next_process: u64,
    in_use: Vec<i64>,
    /// Lists of the keys in use, and of those that open transactions still touch.
    lists: BTreeMap<i64, List>,
    clients: Vec<Client>,
}

#[derive(Default)]
struct List {
    elements: Vec<Element>,
    /// Number of appends handed out; they are numbered from 1.
    handed_out: i64,
    /// Number of micro-operations of open transactions on the list.
    open: u32,
}

struct Element {
    value: i64,
    /// Number of transactions that took effect before the one that appended it.
    effect: u64,
    /// Index of the event that acknowledged it.
    acknowledged: Option<u64>,
}

/// Append that did not take effect, though it is or will be acknowledged.
struct LostAppend {
    key: i64,
    value: i64,
    /// Index of the event that acknowledged it.
    acknowledged: Option<u64>,
}

impl LostAppend {
    /// Returns true if the transaction reads the list and began after the append was acknowledged.
    fn is_shown_by(&self, transaction: &Transaction) -> bool {
        let reads = |micro: &Micro| matches!(micro, Micro::Read { key, .. } if *key == self.key);
        self.acknowledged.is_some_and(|at| at < transaction.invoked) && transaction.micros.iter().any(reads)
    }
}

enum Step {
    Invoke(usize),
    Effect(usize),
    Complete(usize),
    /// Effect of a transaction whose client has gone on.
    Late(Transaction),
}

struct Client {
    process: u64,
    open: Option<Transaction>,
}

#[derive(Clone)]
struct Transaction {
    micros: Vec<Micro>,
    /// Index of its invocation.
    invoked: u64,
    unknown: bool,
}

#[derive(Clone)]
enum Micro {
    Append { key: i64, value: i64 },
    Read { key: i64, found: Vec<i64> },
}

impl Micro {
    fn key(&self) -> i64 {
        match *self {
            Self::Append { key, .. } | Self::Read { key, .. } => key,
        }
    }

    fn value(&self, filled: bool) -> Value {
        let (f, key, value) = match self {
            Self::Append { key, value } => ("append", key, Value::Int(*value)),
            Self::Read { key, found } if filled => {
                ("r", key, Value::List(found.iter().map(|v| Value::Int(*v)).collect()))
            }
            Self::Read { key, .. } => ("r", key, Value::Nil),
        };
        Value::List(vec![f.into(), Value::Int(*key), value])
    }
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

    fn emit(&mut self, process: u64, kind: EventType, transaction: &Transaction) -> Result<(), E> {
        let filled = kind == EventType::Ok;
        let event = Event {
            index: Some(self.index),
            time: self.now_ns,
            value: Some(Value::List(transaction.micros.iter().map(|micro| micro.value(filled)).collect())),
            ..Event::new(Process::Client(process), kind, TRANSACTION)
        };
        self.index += 1;
        (self.record)(&event)
    }

    fn invoke(&mut self, client: usize) -> Result<(), E> {
        if self.begun == self.plan.transactions {
            return Ok(());
        }
        self.begun += 1;
        let micros = (0..LENGTH).map(|_| self.draw()).collect();
        let unknown = self.random.below(100) < u32::from(self.plan.unknown_percent);
        let transaction = Transaction { micros, invoked: self.index, unknown };
        self.emit(self.clients[client].process, EventType::Invoke, &transaction)?;
        let lasts_ns = SHORTEST_NS + self.random.below(SPREAD_NS);
        let effect_ns = 1 + self.random.below(lasts_ns - 1);
        match if unknown { self.random.below(4) } else { 0 } {
            2 => {
                let late_ns = lasts_ns + 1 + self.random.below(LATE_NS);
                self.schedule(late_ns.into(), Step::Late(transaction.clone()));
            }
            3 => self.release(&transaction),
            _ => self.schedule(effect_ns.into(), Step::Effect(client)),
        }
        self.clients[client].open = Some(transaction);
        self.schedule(lasts_ns.into(), Step::Complete(client));
        Ok(())
    }

    fn draw(&mut self) -> Micro {
        let slot = self.random.below(self.plan.keys.max(1)) as usize;
        let key = self.in_use[slot];
        let list = self.lists.entry(key).or_default();
        list.open += 1;
        if self.random.below(2) == 0 {
            return Micro::Read { key, found: Vec::new() };
        }
        list.handed_out += 1;
        let value = list.handed_out;
        if list.handed_out == WRITES.cast_signed() as i64 {
            self.in_use[slot] = self.next_key;
            self.next_key += 1;
        }
        Micro::Append { key, value }
    }

    fn take_effect(&mut self, client: usize) {
        let Some(mut transaction) = self.clients[client].open.take() else { return };
        self.apply(&mut transaction);
        self.clients[client].open = Some(transaction);
    }

    fn apply(&mut self, transaction: &mut Transaction) {
        let due = self.plan.violation.filter(|_| !transaction.unknown && self.is_due());
        let stale = if due == Some(Violation::StaleRead) { self.stale(transaction) } else { None };
        let lost = if due == Some(Violation::LostWrite) { self.lose(transaction) } else { None };
        self.planted += u32::from(stale.is_some() || lost.is_some());
        for micro in &mut transaction.micros {
            let list = self.lists.entry(micro.key()).or_default();
            match micro {
                Micro::Append { key, value } if lost == Some((*key, *value)) => {}
                Micro::Append { value, .. } => {
                    list.elements.push(Element { value: *value, effect: self.effects, acknowledged: None });
                }
                Micro::Read { found, .. } => {
                    let seen = list.elements.iter().filter(|element| stale.is_none_or(|now| element.effect < now));
                    found.extend(seen.map(|element| element.value));
                }
            }
        }
        self.effects += 1;
        if transaction.unknown {
            self.release(transaction);
        }
    }

    /// Returns the moment as of which a stale transaction reads, if this one only reads: just before the last append to
    /// one of its lists that was acknowledged before it began.
    fn stale(&self, transaction: &Transaction) -> Option<u64> {
        if transaction.micros.iter().any(|micro| matches!(micro, Micro::Append { .. })) {
            return None;
        }
        let lists = transaction.micros.iter().filter_map(|micro| self.lists.get(&micro.key()));
        let old = |element: &&Element| element.acknowledged.is_some_and(|at| at < transaction.invoked);
        lists.flat_map(|list| list.elements.iter().filter(old)).map(|element| element.effect).max()
    }

    /// Loses an append, and returns its key and value: it is the only append of its transaction, which does not read
    /// that list afterwards, and it is in the first half of the list.
    fn lose(&mut self, transaction: &Transaction) -> Option<(i64, i64)> {
        let is_append = |micro: &Micro| matches!(micro, Micro::Append { .. });
        let place = transaction.micros.iter().position(is_append)?;
        let (append, rest) = transaction.micros[place..].split_first()?;
        let &Micro::Append { key, value } = append else { return None };
        let is_seen = rest.iter().any(|micro| is_append(micro) || micro.key() == key);
        if is_seen || value > WRITES.cast_signed() as i64 / 2 {
            return None;
        }
        self.lost.push(LostAppend { key, value, acknowledged: None });
        Some((key, value))
    }

    /// Returns true if the next violation should be planted now.
    fn is_due(&self) -> bool {
        if self.planted == self.plan.violations {
            return false;
        }
        let each = self.plan.transactions / u64::from(self.plan.violations);
        // A lost append must be noticed before the end.
        let until_missed =
            if self.plan.violation == Some(Violation::LostWrite) { 20 * u64::from(self.plan.keys) } else { 0 };
        let window = WINDOW.max(each / 20).max(until_missed);
        self.begun + window >= (u64::from(self.planted) + 1) * each
    }

    fn complete(&mut self, client: usize) -> Result<(), E> {
        let process = self.clients[client].process;
        let Some(transaction) = self.clients[client].open.take() else { return Ok(()) };
        if transaction.unknown {
            self.emit(process, EventType::Info, &transaction)?;
            self.clients[client].process = self.next_process;
            self.next_process += 1;
        } else {
            self.acknowledge(&transaction);
            self.lost.retain(|lost| !lost.is_shown_by(&transaction));
            self.emit(process, EventType::Ok, &transaction)?;
            self.release(&transaction);
        }
        self.think(client);
        Ok(())
    }

    /// Marks the appends of the transaction, including lost ones, as acknowledged by the next event.
    fn acknowledge(&mut self, transaction: &Transaction) {
        for micro in &transaction.micros {
            let Micro::Append { key, value } = micro else { continue };
            let list = self.lists.get_mut(key);
            if let Some(element) =
                list.and_then(|list| list.elements.iter_mut().find(|element| element.value == *value))
            {
                element.acknowledged = Some(self.index);
            } else if let Some(lost) = self.lost.iter_mut().find(|lost| (lost.key, lost.value) == (*key, *value)) {
                lost.acknowledged = Some(self.index);
            }
        }
    }

    /// Removes lists whose keys were replaced and that no open transaction touches.
    fn release(&mut self, transaction: &Transaction) {
        for key in transaction.micros.iter().map(Micro::key) {
            if let Some(list) = self.lists.get_mut(&key) {
                list.open -= 1;
                if list.open == 0 && list.handed_out >= WRITES.cast_signed() as i64 {
                    self.lists.remove(&key);
                    // A lost append that no read can reveal any more does not count as planted.
                    let before = self.lost.len();
                    self.lost.retain(|lost| lost.key != key);
                    self.planted -= u32::from(self.lost.len() < before);
                }
            }
        }
    }
}
