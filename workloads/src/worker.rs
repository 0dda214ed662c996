//! Workers: sequences of clients of one node, in which a logical process that ends in `info` is followed by a new one.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use histories::{Event, EventType, MAX_REVISION, Process, RecordError, Recorder};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    Answer, AnyClient, Client as _, Connect as _, Connector, DriveError, Generator, Progress, Request, Response,
    outcome::Completion, pace::Pace,
};

/// Minimum delay between the beginnings of two attempts after a failure: at first this, then doubled up to
/// [`MAX_BACKOFF`].
const MIN_BACKOFF: Duration = Duration::from_millis(10);
const MAX_BACKOFF: Duration = Duration::from_millis(200);

/// State shared by all workers.
#[derive(Debug)]
pub(crate) struct WorkerContext {
    pub(crate) connector: Connector,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) operation_limit: Duration,
    /// Source of the requests; its lock is held to take the next request or its time, or to report an answer, and never
    /// across an await.
    pub(crate) source: Mutex<Source>,
}

/// Source of requests.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) generator: Box<dyn Generator>,
    pub(crate) pace: Pace,
}

/// Worker: its number and node stay, its process and client change.
#[derive(Debug)]
pub(crate) struct Worker {
    shared: Arc<WorkerContext>,
    number: u16,
    process: LogicalProcess,
    /// Difference between a new process number and the previous one.
    step: u64,
    backoff: Duration,
}

/// Logical process with its client.
#[derive(Debug)]
pub(crate) struct LogicalProcess {
    pub(crate) number: u64,
    pub(crate) node: u16,
    pub(crate) client: AnyClient,
}

impl Worker {
    pub(crate) fn new(shared: Arc<WorkerContext>, number: u16, concurrency: u16, process: LogicalProcess) -> Self {
        Self { shared, number, process, step: u64::from(concurrency), backoff: Duration::ZERO }
    }

    /// Works until `end`, or until it is stopped; returns the number of its last process.
    pub(crate) async fn run(
        mut self,
        start: Instant,
        end: Instant,
        mut stop: watch::Receiver<bool>,
    ) -> Result<u64, DriveError> {
        let mut ready = start;
        while let Some(()) = wait_until(ready, end, &mut stop).await {
            let due = self.shared.source.lock().expect("no worker panicked").pace.next(Instant::now());
            if wait_until(due, end, &mut stop).await.is_none() {
                break;
            }
            let began = Instant::now();
            self.step().await?;
            ready = began + self.backoff;
        }
        Ok(self.process.number)
    }

    async fn step(&mut self) -> Result<(), DriveError> {
        let request = self.shared.source.lock().expect("no worker panicked").generator.next(self.number);
        let WorkerContext { recorder, progress, operation_limit, .. } = &*self.shared;
        let (answer, end) = self.process.execute(&request, recorder, progress, *operation_limit).await?;
        self.shared.source.lock().expect("no worker panicked").generator.observe(self.number, &request, &answer);
        self.backoff = match answer {
            Answer::NotDone(_) | Answer::Unknown(_) => (self.backoff * 2).clamp(MIN_BACKOFF, MAX_BACKOFF),
            _ => Duration::ZERO,
        };
        if end.kind == EventType::Info {
            self.process.number += self.step;
        }
        if end.reconnect {
            self.process.client = self.shared.connector.open(self.process.node)?;
        }
        Ok(())
    }
}

impl LogicalProcess {
    /// Carries out one operation and records its invocation before the request is sent and its completion afterwards.
    pub(crate) async fn execute(
        &mut self,
        request: &Request,
        recorder: &Recorder,
        progress: &Progress,
        limit: Duration,
    ) -> Result<(Answer, Completion), RecordError> {
        let event = |kind| Event {
            key: request.key_name().map(|key| key.as_str().into()),
            ..Event::new(Process::Client(self.number), kind, request.f())
        };
        let invocation = event(EventType::Invoke);
        recorder.record(Event { value: request.argument(), node: Some(self.node), ..invocation })?;
        let answered = timeout(limit, self.client.invoke(request)).await;
        let Response { answer, revision } =
            answered.unwrap_or_else(|_| Answer::Unknown(format!("no answer within {} ms", limit.as_millis())).into());
        let end = Completion::of(request, answer.clone());
        progress.count(end.kind);
        let completion = Event { value: end.value.clone(), observed: end.observed.clone(), ..event(end.kind) };
        recorder.record(Event {
            revision: revision.filter(|revision| *revision <= MAX_REVISION),
            error: end.error.as_deref().map(Into::into),
            ..completion
        })?;
        Ok((answer, end))
    }
}

/// Waits until `due`; returns none if `end` or the stop comes first.
pub(crate) async fn wait_until(due: Instant, end: Instant, stop: &mut watch::Receiver<bool>) -> Option<()> {
    // Without a sender, nothing could stop the run any more, so that counts as a stop.
    let stopped = *stop.borrow() || stop.has_changed().is_err();
    let until = due.min(end);
    if !stopped && until > Instant::now() {
        tokio::select! {
            _ = stop.wait_for(|stopped| *stopped) => return None,
            () = sleep_until(until) => {}
        }
    }
    (!stopped && due < end && Instant::now() < end).then_some(())
}
