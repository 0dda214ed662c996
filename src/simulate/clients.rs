//! Clients of a simulated cluster: those of the load, and those that read everything once more at the end.

use std::collections::VecDeque;
use std::time::Duration;

use histories::EventType;
use histories::{Event, PairingError};
use workloads::{
    Answer, Generator, Message, Mix, Pace, Request, Response, Succession, Workload, http_answer, http_message,
};

use super::record::Record;
use crate::run::plan::Plan;

/// Delay between the first operations of two clients.
const STAGGER_NS: u64 = 1_000_000;
/// Pause between a failed final read and the next.
const RETRY_NS: u64 = 50_000_000;
/// Maximum number of keys that are read at the end on each node.
const FINAL_KEYS: usize = 200;
/// Bits of a request's number that name its client.
const CLIENT_BITS: u32 = 16;

/// End of a request, as its client sees it.
#[derive(Debug)]
pub(super) enum Reply {
    /// Status and body of the answer.
    Answer(u16, Vec<u8>),
    /// The node's process does not run.
    Refused,
    /// The node's process ended before it answered.
    Reset,
    /// There was no answer in time.
    Late,
}

/// Clients with their shared source of requests. All times are virtual.
#[derive(Debug)]
pub(super) struct Clients {
    workload: &'static dyn Workload,
    read_mode: String,
    generator: Box<dyn Generator>,
    pace: Pace,
    origin_ns: u64,
    end_ns: u64,
    clients: Vec<Client>,
    load_clients: usize,
    requests: u64,
}

#[derive(Debug)]
struct Client {
    succession: Succession,
    /// Keys that are still to be read; none for a client of the load.
    left: Option<VecDeque<u32>>,
    open: Option<OpenRequest>,
    is_done: bool,
}

#[derive(Debug)]
struct OpenRequest {
    number: u64,
    request: Request,
    began_ns: u64,
}

/// Returns the client of the request with this number.
pub(super) fn client_of(number: u64) -> usize {
    usize::try_from(number & ((1 << CLIENT_BITS) - 1)).expect("it has few bits")
}

impl Clients {
    /// Creates the clients of a load that begins at `origin_ns`.
    pub(super) fn new(plan: &Plan, mix: &Mix, origin_ns: u64) -> Self {
        let (workload, concurrency) = (plan.workload(), plan.concurrency);
        let nodes = (1..=plan.nodes).cycle();
        let clients = (0..u64::from(concurrency)).zip(nodes).map(|(number, node)| Client {
            succession: Succession::new(node, number, concurrency.into()),
            left: None,
            open: None,
            is_done: false,
        });
        Self {
            workload,
            read_mode: plan.read.name().to_owned(),
            generator: workload.generator(plan.seed, mix),
            pace: Pace::new(plan.rate, plan.seed),
            origin_ns,
            end_ns: origin_ns + plan.time_limit_ms * 1_000_000,
            clients: clients.collect(),
            load_clients: concurrency.into(),
            requests: 0,
        }
    }

    /// Returns the times at which the clients of the load are first ready.
    pub(super) fn first_times(&self) -> impl Iterator<Item = (usize, u64)> + use<> {
        let origin_ns = self.origin_ns;
        (0..self.load_clients).map(move |client| (client, origin_ns + client as u64 * STAGGER_NS))
    }

    /// Adds a client for each node that reads the keys of the load until `end_ns`; returns their numbers.
    pub(super) fn begin_final_reads(&mut self, nodes: u16, end_ns: u64) -> std::ops::Range<usize> {
        let first = self.clients.iter().map(|client| client.succession.process() + 1).max().unwrap_or_default();
        let keys = self.generator.keys();
        let keys: VecDeque<u32> = keys[keys.len().saturating_sub(FINAL_KEYS)..].iter().copied().collect();
        self.end_ns = end_ns;
        self.clients.extend((first..).zip(1..=nodes).map(|(process, node)| Client {
            succession: Succession::new(node, process, nodes.into()),
            left: Some(keys.clone()),
            open: None,
            is_done: false,
        }));
        self.load_clients..self.clients.len()
    }

    /// Returns true if no client has anything open or left to do.
    pub(super) fn are_done(&self) -> bool {
        self.clients.iter().all(|client| client.is_done)
    }

    /// Returns the first key that could not be read at the end, with the node, and how many reads are missing.
    pub(super) fn unread(&self) -> Option<(u32, u16, usize)> {
        let left = |client: &Client| client.left.as_ref().and_then(|left| left.front().copied());
        let first = self.clients.iter().find_map(|client| Some((left(client)?, client.succession.node())))?;
        let all = self.clients.iter().filter_map(|client| client.left.as_ref()).map(VecDeque::len).sum();
        Some((first.0, first.1, all))
    }

    /// Returns the node of a client.
    pub(super) fn node(&self, client: usize) -> u16 {
        self.clients[client].succession.node()
    }

    /// Returns the time at which a client that is ready begins its next operation; none if it is done.
    pub(super) fn due_ns(&mut self, client: usize, ready_ns: u64) -> Option<u64> {
        let end_ns = self.end_ns;
        let is_reader = self.clients[client].left.is_some();
        let due_ns = match &self.clients[client].left {
            _ if ready_ns >= end_ns => None,
            Some(left) => (!left.is_empty()).then_some(ready_ns),
            None => {
                let due = self.pace.next(Duration::from_nanos(ready_ns - self.origin_ns));
                Some((self.origin_ns + u64::try_from(due.as_nanos()).unwrap_or(u64::MAX)).max(ready_ns))
            }
        };
        let due_ns = due_ns.filter(|due_ns| is_reader || *due_ns < end_ns);
        self.clients[client].is_done = due_ns.is_none();
        due_ns
    }

    /// Begins an operation; returns the number of the request and the message.
    pub(super) fn begin(
        &mut self,
        client: usize,
        now_ns: u64,
        record: &mut Record,
    ) -> Result<(u64, Message), PairingError> {
        self.requests += 1;
        let number = self.requests << CLIENT_BITS | client as u64;
        let own = &mut self.clients[client];
        let request = match own.left.as_ref().and_then(|left| left.front()) {
            Some(key) => self.workload.final_read(*key),
            None => self.generator.next(u16::try_from(client).expect("there are at most 1024 clients")),
        };
        record.add(now_ns, own.succession.invocation(&request))?;
        // A client holds locks under a number that no other ever had.
        let owner = i64::try_from(own.succession.process()).unwrap_or(i64::MAX).saturating_add(1);
        let message = http_message(&request, &self.read_mode, owner);
        own.open = Some(OpenRequest { number, request, began_ns: now_ns });
        Ok((number, message))
    }

    /// Ends an operation, unless the client has given up on it; returns the time at which the client is ready again.
    pub(super) fn end(
        &mut self,
        number: u64,
        reply: Reply,
        now_ns: u64,
        record: &mut Record,
    ) -> Result<Option<u64>, PairingError> {
        let client = client_of(number);
        let own = &mut self.clients[client];
        let Some(OpenRequest { request, began_ns, .. }) = own.open.take_if(|open| open.number == number) else {
            return Ok(None);
        };
        let response: Response = match reply {
            Reply::Answer(status, body) => http_answer(&request, status, &body),
            Reply::Refused => Answer::NotDone("no connection: refused".to_owned()).into(),
            Reply::Reset => Answer::Unknown("connection reset".to_owned()).into(),
            Reply::Late => Answer::Unknown("timed out".to_owned()).into(),
        };
        let ending = own.succession.end(&request, response);
        let Event { kind, .. } = ending.event;
        record.add(now_ns, ending.event)?;
        let Some(left) = &mut own.left else {
            self.generator.observe(
                u16::try_from(client).expect("there are at most 1024 clients"),
                &request,
                &ending.answer,
            );
            let pause_ns = u64::try_from(own.succession.backoff().as_nanos()).unwrap_or(u64::MAX);
            return Ok(Some(now_ns.max(began_ns + pause_ns)));
        };
        let is_last = self.workload.ends_final_read(&ending.answer);
        if is_last && kind != EventType::Info {
            left.pop_front();
        }
        Ok(Some(if kind == EventType::Ok || is_last { now_ns } else { now_ns + RETRY_NS }))
    }

    /// Returns the requests that are open at a node.
    pub(super) fn open_at(&self, node: u16) -> impl Iterator<Item = u64> {
        let at_node = self.clients.iter().filter(move |client| client.succession.node() == node);
        at_node.filter_map(|client| Some(client.open.as_ref()?.number))
    }
}
