//! Random small histories: what clients of a real object observe, often with one answer changed.

use histories::{Event, EventType, History, HistoryBuilder, Process, Value};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

/// Kind of random histories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Register in which every value is set once.
    Unique,
    /// Register with this many values, including the initial one.
    Repeated(i64),
    /// Text with append and delete.
    Text,
    /// Text by many clients that mostly append.
    Grown,
    /// Text as in `Grown`, where no part is written or appended twice.
    Parts,
    /// Text, numbers and absence, with append and delete, including appends of empty text, of absence and of a number,
    /// to absence and to a number.
    Mixed,
}

#[derive(Clone, Debug)]
struct Call {
    f: &'static str,
    argument: Option<Value>,
    /// Answer that it will return when it ends; set when it takes effect.
    answer: Option<Answer>,
    invoked: usize,
}

#[derive(Clone, Debug)]
enum Answer {
    Done(Option<Value>),
    Mismatch(Option<Value>),
}

/// Generates one history from a seed.
pub(crate) fn history(kind: Kind, seed: u64, max_operations: usize) -> History {
    let mut simulation = simulated(kind, seed, max_operations);
    simulation.mutate();
    paired(simulation.events)
}

/// Generates one history from a seed without changes: it is linearizable.
pub(crate) fn simulated(kind: Kind, seed: u64, max_operations: usize) -> Simulation {
    let mut simulation = Simulation::new(kind, seed, max_operations);
    simulation.run();
    simulation
}

/// Builds a history of these events.
pub(crate) fn paired(events: impl IntoIterator<Item = Event<'static>>) -> History {
    let mut builder = HistoryBuilder::default();
    for event in events {
        builder.push(event).unwrap();
    }
    builder.finish()
}

/// Records an event, 1 ms after the one before.
pub(crate) fn record(
    events: &mut Vec<Event<'static>>,
    process: u64,
    kind: EventType,
    f: &'static str,
    value: Option<Value>,
) {
    let time = events.len() as u64 * 1_000_000;
    events.push(Event { time, value, ..Event::new(Process::Client(process), kind, f) });
}

/// Swaps an event and the next one, but not their times, if that keeps the order of each process.
pub(crate) fn swap(events: &mut [Event<'static>], at: usize) {
    if events.get(at + 1).is_some_and(|next| next.process != events[at].process) {
        events.swap(at, at + 1);
        let time = events[at].time;
        events[at].time = events[at + 1].time;
        events[at + 1].time = time;
    }
}

/// Returns values that look alike as text; the first four are also appended.
fn mixed(number: usize) -> Value {
    match number {
        0 => "".into(),
        1 => Value::Nil,
        2 => Value::Int(5),
        3 => "a".into(),
        4 => "5".into(),
        5 => "a5".into(),
        _ => "55".into(),
    }
}

/// Returns a value as text.
fn text(value: &Value) -> String {
    match value {
        Value::Str(text) => text.to_string(),
        Value::Nil => String::new(),
        other => other.to_string(),
    }
}

/// Simulation of a real object and its clients.
pub(crate) struct Simulation {
    kind: Kind,
    rng: Pcg64,
    value: Value,
    next_unique: i64,
    left: usize,
    clients: Vec<(u64, Option<Call>)>,
    next_process: u64,
    /// Calls whose clients gave up on them: they may still take effect.
    adrift: Vec<Call>,
    pub events: Vec<Event<'static>>,
}

impl Simulation {
    fn new(kind: Kind, seed: u64, max_operations: usize) -> Self {
        let mut rng = Pcg64::seed_from_u64(seed);
        let clients = rng.random_range(if matches!(kind, Kind::Grown | Kind::Parts) { 3..=6 } else { 2..=4 });
        let left = rng.random_range(4..=max_operations);
        Self {
            kind,
            rng,
            value: Value::Nil,
            next_unique: 1,
            left,
            clients: (0..clients).map(|process| (process, None)).collect(),
            next_process: clients,
            adrift: Vec::new(),
            events: Vec::new(),
        }
    }

    fn run(&mut self) {
        while self.left > 0 || self.clients.iter().any(|(_, call)| call.is_some()) {
            if !self.adrift.is_empty() && self.rng.random_bool(0.15) {
                let mut call = self.adrift.swap_remove(0);
                self.take_effect(&mut call);
            }
            let client = self.rng.random_range(0..self.clients.len());
            match self.clients[client].1.take() {
                None if self.left > 0 => self.invoke(client),
                None => {}
                Some(mut call) if call.answer.is_none() && self.rng.random_bool(0.55) => {
                    self.take_effect(&mut call);
                    self.clients[client].1 = Some(call);
                }
                Some(call) if self.ends(&call) => self.end(client, call),
                waiting => self.clients[client].1 = waiting,
            }
        }
    }

    fn ends(&mut self, call: &Call) -> bool {
        match self.kind {
            Kind::Grown | Kind::Parts => self.rng.random_bool(if call.answer.is_some() { 0.3 } else { 0.05 }),
            Kind::Unique | Kind::Repeated(_) | Kind::Text | Kind::Mixed => {
                call.answer.is_some() || self.rng.random_bool(0.3)
            }
        }
    }

    fn some_value(&mut self) -> Value {
        match self.kind {
            Kind::Unique => {
                let seen = self.rng.random_range(0..self.next_unique);
                if seen == 0 { Value::Nil } else { Value::Int(seen) }
            }
            Kind::Repeated(domain) => match self.rng.random_range(0..domain) {
                0 => Value::Nil,
                value => Value::Int(value),
            },
            Kind::Parts => self.rng.random_range(0..10).to_string().as_str().into(),
            Kind::Mixed => mixed(self.rng.random_range(0..7)),
            Kind::Text | Kind::Grown => ["", "a", "b", "ab", "ba"][self.rng.random_range(0..5)].into(),
        }
    }

    fn new_value(&mut self) -> Value {
        self.next_unique += 1;
        match self.kind {
            Kind::Unique => Value::Int(self.next_unique - 1),
            Kind::Parts => (self.next_unique - 1).to_string().as_str().into(),
            Kind::Repeated(_) | Kind::Text | Kind::Grown | Kind::Mixed => self.some_value(),
        }
    }

    fn invoke(&mut self, client: usize) {
        self.left -= 1;
        let choice = self.rng.random_range(0..100);
        let (f, argument) = match (self.kind, choice) {
            (Kind::Grown | Kind::Parts, 0..20)
            | (Kind::Text | Kind::Unique | Kind::Repeated(_) | Kind::Mixed, 0..45) => ("read", None),
            (Kind::Parts, 20..75) => ("append", Some(format!(",{}", self.new_value()).as_str().into())),
            (Kind::Grown, 20..75) | (Kind::Text, 45..65) => {
                ("append", Some(["a", "b"][self.rng.random_range(0..2)].into()))
            }
            (Kind::Mixed, 45..68) => ("append", Some(mixed(self.rng.random_range(0..4)))),
            (Kind::Grown | Kind::Parts, 93..96) | (Kind::Text, 65..75) | (Kind::Mixed, 68..75) => ("delete", None),
            (Kind::Grown | Kind::Parts, 75..93) | (_, 45..75) => ("write", Some(self.new_value())),
            _ => {
                let from = if self.rng.random_bool(0.6) { self.value.clone() } else { self.some_value() };
                ("cas", Some(Value::List(vec![from, self.new_value()])))
            }
        };
        let call = Call { f, argument, answer: None, invoked: self.events.len() };
        self.record(client, EventType::Invoke, f, call.argument.clone());
        self.clients[client].1 = Some(call);
    }

    fn take_effect(&mut self, call: &mut Call) {
        let before = self.value.clone();
        call.answer = Some(match (call.f, call.argument.clone()) {
            ("write", Some(value)) => {
                self.value = value;
                Answer::Done(None)
            }
            ("cas", Some(Value::List(pair))) if pair[0] == before => {
                self.value = pair[1].clone();
                Answer::Done(None)
            }
            ("cas", _) => Answer::Mismatch(self.rng.random_bool(0.5).then_some(before)),
            ("append", Some(suffix)) => {
                self.value = Value::from((text(&before) + &text(&suffix)).as_str());
                Answer::Done(None)
            }
            ("delete", _) => {
                self.value = Value::Nil;
                Answer::Done(None)
            }
            _ => Answer::Done(Some(before)),
        });
    }

    fn end(&mut self, client: usize, call: Call) {
        if call.answer.is_none() && self.rng.random_bool(0.5) {
            self.record(client, EventType::Fail, call.f, None);
            return;
        }
        let Some(answer) = call.answer.clone().filter(|_| self.rng.random_bool(0.9)) else {
            if self.rng.random_bool(0.7) {
                self.record(client, EventType::Info, call.f, None);
            }
            self.clients[client].0 = self.next_process;
            self.next_process += 1;
            if call.answer.is_none() {
                self.adrift.push(call);
            }
            return;
        };
        match answer {
            Answer::Done(value) => self.record(client, EventType::Ok, call.f, value),
            Answer::Mismatch(found) => {
                self.record(client, EventType::Fail, call.f, None);
                let event = self.events.last_mut().unwrap();
                event.mismatch = found.is_none();
                event.observed = found;
            }
        }
        assert!(call.invoked < self.events.len());
    }

    fn record(&mut self, client: usize, kind: EventType, f: &'static str, value: Option<Value>) {
        record(&mut self.events, self.clients[client].0, kind, f, value);
    }

    /// Changes nothing, an answer, or the order of two events of different clients; the result may or may not be
    /// linearizable.
    pub(crate) fn mutate(&mut self) {
        for _ in 0..self.rng.random_range(0..7) {
            let at = self.rng.random_range(0..self.events.len());
            let other = self.some_value();
            let event = &mut self.events[at];
            match (event.kind, &*event.f) {
                (EventType::Ok, "read") => event.value = Some(other),
                (EventType::Fail, "cas") if event.observed.is_some() => event.observed = Some(other),
                (EventType::Fail, "cas") => event.mismatch ^= true,
                (EventType::Ok, "cas") if self.rng.random_bool(0.5) => {
                    event.kind = EventType::Fail;
                    event.mismatch = true;
                }
                (EventType::Ok, "write" | "append" | "delete") if self.rng.random_bool(0.5) => {
                    event.kind = EventType::Fail;
                }
                _ => swap(&mut self.events, at),
            }
        }
    }
}
