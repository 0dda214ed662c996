//! Pairing of invocations with completions, which checks the rules of histories.

use rustc_hash::FxHashMap;

use crate::{
    Event, EventPlace, EventType, Function, History, NEVER, Operation, Outcome, PairingError, Process, TRANSACTION,
    Times, Value, ValueId, Values,
    history::{MAX_REVISION, NO_REVISION},
    transactions::{Columns, is_of_logs},
};

/// Builder of a history from its events, one by one, in their total order.
#[derive(Debug, Default)]
pub struct HistoryBuilder {
    history: History,
    open: FxHashMap<u32, ProcessState>,
    /// Line of the next event, if it comes from a file.
    line: Option<u64>,
    /// Numbers, from [`FIRST_NAMED`] on, of the clients that have none of their own or too large a one.
    names: FxHashMap<Value, u32>,
    rank: u32,
    last_index: Option<u64>,
    last_time: u64,
    /// Micro-operations of the event that is being added.
    micros: Columns,
}

#[derive(Clone, Copy, Debug)]
enum ProcessState {
    /// The operation at this index has not ended yet; it was invoked here.
    At(u32, EventPlace),
    /// The process has no operation open; that at this index ended here. If its outcome is unknown, it counts as open
    /// for ever, but the process goes on.
    Ended(u32, EventPlace),
}

/// Number of the first client with a name, while a history is built; clients below it keep the number that their source
/// gives.
pub(crate) const FIRST_NAMED: u32 = 1 << 31;

/// Placeholder for the time of a completion that was not seen yet; [`HistoryBuilder::finish`] replaces all of them.
const OPEN: u64 = u64::MAX;

impl HistoryBuilder {
    /// Adds the next event.
    ///
    /// # Errors
    /// Returns the rule that the event breaks; the builder must not be used afterwards.
    pub fn push(&mut self, mut event: Event<'_>) -> Result<(), PairingError> {
        if event.f == TRANSACTION && event.process.is_client() {
            if self.is_of_logs(&event)? {
                return self.push_event(event, false);
            }
            // Only `fail` and `info` may carry something else than micro-operations, such as a reason.
            let needed = matches!(event.kind, EventType::Invoke | EventType::Ok);
            self.micros.clear();
            match event.value.take() {
                Some(value) if needed || matches!(value, Value::List(_)) => {
                    self.micros.take(value, &mut self.history.values)?;
                }
                None if needed => return Err(PairingError::NoMicroOperations(Value::Nil)),
                _ => return self.push_event(event, false),
            }
        }
        self.push_event(event, true)
    }

    /// Returns true if a transaction sends to logs and polls them, by the value of its invocation.
    fn is_of_logs(&mut self, event: &Event<'_>) -> Result<bool, PairingError> {
        if event.kind == EventType::Invoke {
            return Ok(event.value.as_ref().is_some_and(is_of_logs));
        }
        let process = self.number(&event.process)?;
        let open = process.and_then(|process| self.open.get(&process));
        let Some(ProcessState::At(place, _)) = open else { return Ok(false) };
        let place = *place as usize;
        let is_txn = self.history.function_name(self.history.operations[place].function) == TRANSACTION;
        Ok(is_txn && self.history.transactions.at(place).is_none())
    }

    /// Adds a transaction as [`HistoryBuilder::push`] does, with the micro-operations that `read` adds. Returns `None`,
    /// with nothing added, if `read` does.
    pub(crate) fn push_transaction<'a>(
        &mut self,
        read: impl FnOnce(&mut Columns, &mut Values) -> Option<Event<'a>>,
    ) -> Option<Result<(), PairingError>> {
        self.micros.clear();
        let event = read(&mut self.micros, &mut self.history.values)?;
        Some(self.push_event(event, true))
    }

    /// Adds the next event; if `has_micros`, the micro-operations of a transaction are in `self.micros`.
    fn push_event(&mut self, event: Event<'_>, has_micros: bool) -> Result<(), PairingError> {
        self.check_order(&event)?;
        if event.revision.is_some_and(|revision| revision > MAX_REVISION) {
            return Err(PairingError::TooMany("a revision is below 2^63"));
        }
        let rank = self.rank;
        self.rank = rank
            .checked_add(1)
            .filter(|next| *next != NEVER)
            .ok_or(PairingError::TooMany("a history has at most 4,294,967,294 events"))?;
        match self.number(&event.process)? {
            None => self.history.others.push(event.into_owned()),
            Some(process) if event.kind == EventType::Invoke => self.invoke(rank, process, event, has_micros)?,
            Some(process) => self.complete(rank, process, event, has_micros)?,
        }
        if self.history.values.has_not_a_number() { Err(PairingError::NotANumber) } else { Ok(()) }
    }

    /// Sets the line of the event that is pushed next.
    pub(crate) fn on_line(&mut self, line: u64) {
        self.line = Some(line);
    }

    /// Returns the position of the event that is being added, the one of this rank.
    fn here(&self, rank: u32) -> EventPlace {
        self.line.map_or(EventPlace::Number(rank), EventPlace::Line)
    }

    /// Returns the number by which a client is known here, or `None` for the nemesis.
    fn number(&mut self, process: &Process) -> Result<Option<u32>, PairingError> {
        match process {
            Process::Nemesis => return Ok(None),
            Process::Client(number) => {
                if let Some(number) = u32::try_from(*number).ok().filter(|number| *number < FIRST_NAMED) {
                    return Ok(Some(number));
                }
            }
            Process::Named(_) => {}
        }
        let name = process.to_value();
        if let Some(number) = self.names.get(&name) {
            return Ok(Some(*number));
        }
        let number = u32::try_from(self.names.len()).ok().and_then(|place| FIRST_NAMED.checked_add(place));
        let number = number.ok_or(PairingError::TooMany("a history has at most 2,147,483,648 names of clients"))?;
        self.names.insert(name.clone(), number);
        self.history.process_names.push(name);
        Ok(Some(number))
    }

    /// Renumbers the clients with names from right above all other clients.
    fn number_names(&mut self) {
        let History { operations, process_names, first_named, .. } = &mut self.history;
        if process_names.is_empty() {
            return;
        }
        let numbered = operations.iter().map(|operation| operation.process).filter(|process| *process < FIRST_NAMED);
        *first_named = numbered.max().map_or(0, |most| most + 1);
        for operation in operations.iter_mut().filter(|operation| operation.process >= FIRST_NAMED) {
            operation.process = operation.process - FIRST_NAMED + *first_named;
        }
    }

    /// Returns the history; operations that are still open have an unknown outcome.
    pub fn finish(mut self) -> History {
        for times in &mut self.history.times {
            if times.completed_ns == OPEN {
                times.completed_ns = self.last_time;
            }
        }
        self.number_names();
        let History { operations, revisions, .. } = &mut self.history;
        if !revisions.is_empty() {
            revisions.resize(operations.len(), NO_REVISION);
        }
        self.history
    }

    /// Returns the number of operations invoked so far.
    pub(crate) fn operations(&self) -> usize {
        self.history.operations.len()
    }

    /// Returns the memory in bytes that adding `values` more values may allocate at once: a table that is full doubles.
    pub(crate) fn growth(&self, values: usize) -> usize {
        self.history.values.growth(values)
    }

    fn check_order(&mut self, event: &Event<'_>) -> Result<(), PairingError> {
        if let (Some(index), Some(previous)) = (event.index, self.last_index)
            && index <= previous
        {
            return Err(PairingError::Index { index, previous });
        }
        if event.time < self.last_time {
            return Err(PairingError::Time { time: event.time.into(), previous: self.last_time.into() });
        }
        self.last_index = event.index.or(self.last_index);
        self.last_time = event.time;
        Ok(())
    }

    fn invoke(&mut self, rank: u32, process: u32, event: Event<'_>, has_micros: bool) -> Result<(), PairingError> {
        let place = u32::try_from(self.history.operations.len()).expect("there are fewer operations than events");
        match self.open.insert(process, ProcessState::At(place, self.here(rank))) {
            None | Some(ProcessState::Ended(..)) => {}
            Some(ProcessState::At(_, open)) => {
                return Err(PairingError::AlreadyOpen { process: event.process, f: event.f.into_owned(), open });
            }
        }
        let function = self.function(&event.f)?;
        let (input, to) = self.arguments(function, event.value)?;
        if event.f == TRANSACTION && has_micros {
            self.history.transactions.begin(place, &self.micros)?;
        }
        // Consecutive operations often share a key, and comparing is faster than looking it up.
        let last = self.history.operations.last().map_or(ValueId::NIL, |last| last.key);
        let key = match event.key {
            None => ValueId::NIL,
            Some(key) if *self.history.value(last) == key => last,
            Some(key) => self.history.values.intern(key),
        };
        self.history.operations.push(Operation {
            invoked: rank,
            completed: NEVER,
            key,
            input,
            to,
            output: ValueId::UNKNOWN,
            process,
            function,
            outcome: Outcome::Info,
        });
        self.history.times.push(Times { invoked_ns: event.time, completed_ns: OPEN });
        self.history.nodes.push(event.node.unwrap_or(0));
        if event.is_final {
            self.history.mark_final(place as usize);
        }
        Ok(())
    }

    fn complete(&mut self, rank: u32, process: u32, event: Event<'_>, has_micros: bool) -> Result<(), PairingError> {
        let function = self.function(&event.f)?;
        let state = self.open.get(&process).copied();
        let Some(ProcessState::At(place, _)) = state else {
            let (process, f) = (event.process, event.f.into_owned());
            return Err(match state {
                Some(ProcessState::Ended(place, first))
                    if self.history.operations[place as usize].function == function =>
                {
                    PairingError::Repeated { process, f, first }
                }
                _ => PairingError::NotOpen { process, f },
            });
        };
        self.open.insert(process, ProcessState::Ended(place, self.here(rank)));
        let invoked = self.history.operations[place as usize];
        if function != invoked.function {
            let invoked = self.history.function_name(invoked.function).to_owned();
            return Err(PairingError::Mismatched { process: event.process, invoked, completed: event.f.into_owned() });
        }
        if let Some(key) = &event.key
            && self.history.value(invoked.key) != key
        {
            let invoked = self.history.value(invoked.key).clone();
            let completed = key.clone();
            return Err(PairingError::OtherKey { process: event.process, invoked, completed });
        }
        if event.f == TRANSACTION && has_micros {
            self.history.transactions.complete(place, &self.micros, event.kind == EventType::Ok)?;
        }
        if event.is_final {
            self.history.mark_final(place as usize);
        }
        if let Some(revision) = event.revision {
            let History { operations, revisions, .. } = &mut self.history;
            revisions.resize(operations.len(), NO_REVISION);
            revisions[place as usize] = revision;
        }
        if event.position.is_some() || event.link.is_some() {
            let values = &mut self.history.values;
            let given = [&event.position, &event.link];
            let ids = given.map(|given| given.clone().map_or(ValueId::UNKNOWN, |value| values.intern(value)));
            self.history.links.insert(place, ids);
        }
        let time = event.time;
        let (outcome, output) = self.end(&invoked, event)?;
        self.history.times[place as usize].completed_ns = time;
        let operation = &mut self.history.operations[place as usize];
        operation.completed = if outcome == Outcome::Info { NEVER } else { rank };
        operation.outcome = outcome;
        operation.output = output;
        Ok(())
    }

    /// Returns the outcome and the output of an operation.
    fn end(&mut self, invoked: &Operation, event: Event<'_>) -> Result<(Outcome, ValueId), PairingError> {
        let values = &mut self.history.values;
        let is_of_logs =
            |values: &Values| event.value.as_ref().is_some_and(is_of_logs) && is_of_logs(values.get(invoked.input));
        Ok(match (event.kind, invoked.function) {
            (EventType::Fail, Function::Cas) => match event.observed {
                Some(found) => (Outcome::Mismatch, values.intern(found)),
                None if event.mismatch => (Outcome::Mismatch, ValueId::UNKNOWN),
                None => (Outcome::Fail, ValueId::UNKNOWN),
            },
            // Offsets and polls count even if the operation on logs did not succeed.
            (EventType::Fail | EventType::Info, Function::Other(_)) if is_of_logs(values) => {
                let outcome = if event.kind == EventType::Fail { Outcome::Fail } else { Outcome::Info };
                (outcome, event.value.map_or(ValueId::UNKNOWN, |value| values.intern(value)))
            }
            (EventType::Fail, _) => (Outcome::Fail, ValueId::UNKNOWN),
            (EventType::Info | EventType::Invoke, _) => (Outcome::Info, ValueId::UNKNOWN),
            (EventType::Ok, Function::Read) => (Outcome::Ok, values.intern(event.value.ok_or(PairingError::NoResult)?)),
            (EventType::Ok, Function::Other(_)) => (Outcome::Ok, values.intern(event.value.unwrap_or_default())),
            (EventType::Ok, function) => {
                if let Some(value) = event.value.filter(|value| *value != Value::Nil)
                    && self.arguments(function, Some(value.clone()))? != (invoked.input, invoked.to)
                {
                    let argument = self.history.value(invoked.input).clone();
                    let invoked = match function {
                        Function::Cas => Value::List(vec![argument, self.history.value(invoked.to).clone()]),
                        _ => argument,
                    };
                    return Err(PairingError::OtherValue { f: event.f.into_owned(), invoked, completed: value });
                }
                (Outcome::Ok, ValueId::UNKNOWN)
            }
        })
    }

    fn arguments(&mut self, function: Function, value: Option<Value>) -> Result<(ValueId, ValueId), PairingError> {
        let values = &mut self.history.values;
        match (function, value) {
            (Function::Cas, Some(Value::List(pair))) => match <[Value; 2]>::try_from(pair) {
                Ok([from, to]) => Ok((values.intern(from), values.intern(to))),
                Err(other) => Err(PairingError::CasValue(Value::List(other))),
            },
            (Function::Cas, other) => Err(PairingError::CasValue(other.unwrap_or_default())),
            (Function::Write | Function::Append, None) => Err(PairingError::NoArgument(function)),
            (_, value) => Ok((values.intern(value.unwrap_or_default()), ValueId::UNKNOWN)),
        }
    }

    fn function(&mut self, name: &str) -> Result<Function, PairingError> {
        if let Some(known) = Function::known(name) {
            return Ok(known);
        }
        let names = &mut self.history.function_names;
        let place = names.iter().position(|known| **known == *name).unwrap_or_else(|| {
            names.push(name.into());
            names.len() - 1
        });
        u8::try_from(place)
            .map(Function::Other)
            .map_err(|_| PairingError::TooMany("a history has at most 256 functions besides the known ones"))
    }
}

#[cfg(test)]
mod tests;
