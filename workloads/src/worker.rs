//! Workers: sequences of clients of one node, in which a logical process that ends in `info` is followed by a new one.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use histories::{RecordError, Recorder};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    Answer, AnyClient, Client as _, Connect as _, Connector, DriveError, Ending, Generator, Pace, Progress, Request,
    Succession,
};

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
}

/// Succession of logical processes with the client of the current one.
#[derive(Debug)]
pub(crate) struct LogicalProcess {
    pub(crate) succession: Succession,
    pub(crate) client: AnyClient,
}

impl Worker {
    pub(crate) fn new(shared: Arc<WorkerContext>, number: u16, process: LogicalProcess) -> Self {
        Self { shared, number, process }
    }

    /// Works on a load that begins at `begin`, from `start` until `end`, or until it is stopped; returns the number of
    /// its last process.
    pub(crate) async fn run(
        mut self,
        begin: Instant,
        start: Instant,
        end: Instant,
        mut stop: watch::Receiver<bool>,
    ) -> Result<u64, DriveError> {
        let mut ready = start;
        while let Some(()) = wait_until(ready, end, &mut stop).await {
            let due = begin + self.shared.source.lock().expect("no worker panicked").pace.next(begin.elapsed());
            if wait_until(due, end, &mut stop).await.is_none() {
                break;
            }
            let began = Instant::now();
            self.step().await?;
            ready = began + self.process.succession.backoff();
        }
        Ok(self.process.succession.process())
    }

    async fn step(&mut self) -> Result<(), DriveError> {
        let request = self.shared.source.lock().expect("no worker panicked").generator.next(self.number);
        let WorkerContext { recorder, progress, operation_limit, .. } = &*self.shared;
        let ending = self.process.execute(&request, recorder, progress, *operation_limit).await?;
        let mut source = self.shared.source.lock().expect("no worker panicked");
        source.generator.observe(self.number, &request, &ending.answer);
        drop(source);
        if ending.reconnect {
            self.process.client = self.shared.connector.open(self.process.succession.node())?;
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
    ) -> Result<Ending, RecordError> {
        recorder.record(self.succession.invocation(request))?;
        let answered = timeout(limit, self.client.invoke(request)).await;
        let late = || Answer::Unknown(format!("no answer within {} ms", limit.as_millis())).into();
        let ending = self.succession.end(request, answered.unwrap_or_else(|_| late()));
        progress.count(ending.event.kind);
        recorder.record(ending.event.clone())?;
        Ok(ending)
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
