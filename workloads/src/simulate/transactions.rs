//! Clients that append to lists and read them, four micro-operations a transaction, against a store that is strictly serializable;
//! and, if asked for, reads that certainly are stale.
//!
//! Keys are used up: after [`WRITES`] appends another takes its place, so that lists stay short, as Jepsen does it.

use std::collections::BTreeMap;

use histories::{Event, EventType, Process, TRANSACTION, Value};

use super::{LATE_NS, SHORTEST_NS, SPREAD_NS, THINK_NS, WINDOW};
use crate::random::Random;

/// How many elements a list gets before another key takes its place.
const WRITES: usize = 32;
/// How many micro-operations a transaction has.
const LENGTH: usize = 4;

/// A history of transactions to simulate. Numbers of clients and keys are at least 1.
#[derive(Clone, Copy, Debug)]
pub struct TransactionSimulation {
    /// How many transactions begin.
    pub transactions: u64,
    /// How many clients there are at once.
    pub clients: u16,
    /// How many keys are in use at once.
    pub keys: u32,
    /// How many of a hundred transactions have an unknown outcome. Half of these take effect in time, a quarter late, a quarter never.
    pub unknown_percent: u8,
    /// Whether clients begin their next transaction at once; else they are busy for a third of the time.
    pub always_overlapping: bool,
    /// How many transactions are stale, evenly spread, the last near the end. Each only reads, and all of it as the store was at an
    /// earlier moment between two transactions: before an append that was acknowledged before the reading transaction began. So
    /// the history stays serializable, and certainly is not strictly so.
    pub stale_reads: u32,
    /// The same seed, the same events.
    pub seed: u64,
}

impl TransactionSimulation {
    /// Hands each event to `record`, in order. Returns whether all that was to be planted is there.
    ///
    /// # Errors
    /// What `record` said.
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
        Ok(world.planted == self.stale_reads)
    }
}

struct World<R> {
    plan: TransactionSimulation,
    record: R,
    random: Random,
    /// By time and by the order in which it was scheduled.
    queue: BTreeMap<(u64, u64), Step>,
    scheduled: u64,
    now_ns: u64,
    /// Of the next event.
    index: u64,
    begun: u64,
    planted: u32,
    /// How many transactions took effect.
    effects: u64,
    next_key: i64,
    next_process: u64,
    in_use: Vec<i64>,
    /// Those in use, and those that open transactions still touch.
    lists: BTreeMap<i64, List>,
    clients: Vec<Client>,
}

#[derive(Default)]
struct List {
    elements: Vec<Element>,
    /// How many appends were handed out; they are numbered from 1.
    handed_out: i64,
    /// How many open transactions touch it.
    open: u32,
}

struct Element {
    value: i64,
    /// How many transactions took effect before the one that added it.
    effect: u64,
    /// Index of the event that acknowledged it.
    acknowledged: Option<u64>,
}

enum Step {
    Invoke(usize),
    Effect(usize),
    Complete(usize),
    /// The effect of a transaction whose client has gone on.
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
        let due = self.is_due();
        let stale = if due && !transaction.unknown { self.stale(transaction) } else { None };
        self.planted += u32::from(stale.is_some());
        for micro in &mut transaction.micros {
            let list = self.lists.entry(micro.key()).or_default();
            match micro {
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

    /// For a transaction that only reads: the effect of the last append to what it reads that was acknowledged before it began.
    fn stale(&self, transaction: &Transaction) -> Option<u64> {
        if transaction.micros.iter().any(|micro| matches!(micro, Micro::Append { .. })) {
            return None;
        }
        let lists = transaction.micros.iter().filter_map(|micro| self.lists.get(&micro.key()));
        let old = |element: &&Element| element.acknowledged.is_some_and(|at| at < transaction.invoked);
        lists.flat_map(|list| list.elements.iter().filter(old)).map(|element| element.effect).max()
    }

    /// Whether the next stale read should come now.
    fn is_due(&self) -> bool {
        if self.planted == self.plan.stale_reads {
            return false;
        }
        let each = self.plan.transactions / u64::from(self.plan.stale_reads);
        let window = WINDOW.max(each / 20);
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
            for micro in &transaction.micros {
                if let Micro::Append { key, value } = micro
                    && let Some(list) = self.lists.get_mut(key)
                    && let Some(element) = list.elements.iter_mut().find(|element| element.value == *value)
                {
                    element.acknowledged = Some(self.index);
                }
            }
            self.emit(process, EventType::Ok, &transaction)?;
            self.release(&transaction);
        }
        self.think(client);
        Ok(())
    }

    /// Forgets lists that are used up and that no open transaction touches.
    fn release(&mut self, transaction: &Transaction) {
        for key in transaction.micros.iter().map(Micro::key) {
            if let Some(list) = self.lists.get_mut(&key) {
                list.open -= 1;
                if list.open == 0 && list.handed_out >= WRITES.cast_signed() as i64 {
                    self.lists.remove(&key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TransactionSimulation;
    use histories::{EventType, Value};

    const PLAN: TransactionSimulation = TransactionSimulation {
        transactions: 2000,
        clients: 5,
        keys: 3,
        unknown_percent: 5,
        always_overlapping: false,
        stale_reads: 0,
        seed: 1,
    };

    fn lines(plan: TransactionSimulation) -> (bool, Vec<String>) {
        let mut lines = Vec::new();
        let planted = plan.run(|event| {
            lines.push(serde_json::to_string(event).unwrap());
            Ok::<(), ()>(())
        });
        (planted.unwrap(), lines)
    }

    #[test]
    fn each_transaction_begins_and_ends_with_four_micro_operations_on_short_lists() {
        let (mut begun, mut ended) = (0, 0);
        let planted = PLAN.run(|event| {
            *if event.kind == EventType::Invoke { &mut begun } else { &mut ended } += 1;
            let Some(Value::List(micros)) = &event.value else { panic!("{event:?}") };
            assert_eq!(micros.len(), 4);
            for micro in micros {
                let Value::List(parts) = micro else { panic!("{event:?}") };
                assert!(!matches!(&parts[2], Value::List(list) if list.len() > 32), "{event:?}");
            }
            Ok::<(), ()>(())
        });
        assert_eq!((planted, begun, ended), (Ok(true), 2000, 2000));
    }

    #[test]
    fn a_seed_means_the_same_events_and_stale_reads_change_them() {
        assert_eq!(lines(PLAN), lines(PLAN));
        assert_ne!(lines(PLAN), lines(TransactionSimulation { seed: 2, ..PLAN }));
        let (planted, changed) = lines(TransactionSimulation { stale_reads: 4, ..PLAN });
        assert!(planted);
        let differ = lines(PLAN).1.iter().zip(&changed).filter(|(a, b)| a != b).count();
        assert_eq!(differ, 4, "only the answers of the transactions that read what was stale");
    }

    #[test]
    fn where_nothing_can_be_stale_it_says_so() {
        assert!(!lines(TransactionSimulation { transactions: 1, stale_reads: 1, ..PLAN }).0);
    }
}
