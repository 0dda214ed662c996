//! Succession of the logical processes of one worker: their numbers, the events of their operations, and the pause that
//! follows a failure. The same for clients on a network and for simulated ones.

use std::time::Duration;

use histories::{Event, EventType, MAX_REVISION, Process, Value};

use crate::{Answer, Request, Response, outcome::Completion};

/// Minimum delay between the beginnings of two attempts after a failure: at first this, then doubled up to
/// [`MAX_BACKOFF`].
const MIN_BACKOFF: Duration = Duration::from_millis(10);
const MAX_BACKOFF: Duration = Duration::from_millis(200);

/// Succession of logical processes, in which one that ends in `info` is followed by a new one.
#[derive(Clone, Debug)]
pub struct Succession {
    node: u16,
    process: u64,
    /// Difference between a new process number and the previous one.
    step: u64,
    backoff: Duration,
}

/// End of an operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// Completion, without index and time.
    pub event: Event<'static>,
    /// The answer that it records.
    pub answer: Answer,
    /// True if the request may still be under way, so that its connection must not be reused.
    pub reconnect: bool,
}

impl Succession {
    /// Begins with process number `first` at a node; each new process has a number that is higher by `step`.
    pub fn new(node: u16, first: u64, step: u64) -> Self {
        Self { node, process: first, step, backoff: Duration::ZERO }
    }

    /// Returns the node that all processes use.
    pub fn node(&self) -> u16 {
        self.node
    }

    /// Returns the number of the current process.
    pub fn process(&self) -> u64 {
        self.process
    }

    /// Returns the minimum delay between the beginning of the last operation and that of the next.
    pub fn backoff(&self) -> Duration {
        self.backoff
    }

    /// Returns the invocation of a request, without index and time.
    pub fn invocation(&self, request: &Request) -> Event<'static> {
        Event { value: request.argument(), node: Some(self.node), ..self.event(EventType::Invoke, request) }
    }

    /// Ends the operation of a request, and goes on with the next process if the outcome is unknown.
    pub fn end(&mut self, request: &Request, Response { answer, revision }: Response) -> Ending {
        let Completion { kind, value, observed, error, reconnect } = Completion::of(request, answer.clone());
        let event = Event {
            value,
            observed,
            revision: revision.filter(|revision| *revision <= MAX_REVISION),
            error: error.map(Into::into),
            ..self.event(kind, request)
        };
        self.backoff = match answer {
            Answer::NotDone(_) | Answer::Unknown(_) => (self.backoff * 2).clamp(MIN_BACKOFF, MAX_BACKOFF),
            _ => Duration::ZERO,
        };
        if kind == EventType::Info {
            self.process += self.step;
        }
        Ending { event, answer, reconnect }
    }

    fn event(&self, kind: EventType, request: &Request) -> Event<'static> {
        Event {
            key: request.key_name().map(Value::from),
            ..Event::new(Process::Client(self.process), kind, request.f())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Action;

    #[test]
    fn an_unknown_outcome_ends_a_process_and_failures_slow_its_successors_down() {
        let mut succession = Succession::new(2, 1, 5);
        let write = Request::new(0, Action::Write(7));
        let invocation = succession.invocation(&write);
        assert_eq!((invocation.node, &invocation.process), (Some(2), &Process::Client(1)));
        let lost = succession.end(&write, Answer::Unknown("reset".to_owned()).into());
        assert_eq!((lost.event.process, lost.event.kind, lost.reconnect), (Process::Client(1), EventType::Info, true));
        assert_eq!((succession.process(), succession.backoff()), (6, MIN_BACKOFF));
        for _ in 0..9 {
            succession.end(&write, Answer::NotDone("no leader".to_owned()).into());
        }
        assert_eq!((succession.process(), succession.backoff()), (6, MAX_BACKOFF));
        let revision = Some(MAX_REVISION + 1);
        let done = succession.end(&write, Response { answer: Answer::Done, revision });
        assert_eq!((done.event.revision, succession.backoff()), (None, Duration::ZERO));
    }
}
