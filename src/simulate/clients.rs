//! Clients of a simulated cluster: those of the load, and those that read everything once more at the end.

use std::collections::VecDeque;
use std::time::Duration;

use histories::EventType;
use histories::{Event, PairingError};
use nemesis::NodeId;
use workloads::{
    Answer, Generator, Message, Mix, Pace, Request, Response, Session, Succession, Workload, http_answer, http_message,
};

use super::record::Record;
use crate::run::plan::Plan;

/// Delay between the first operations of two clients.
const STAGGER_NS: u64 = 1_000_000;
/// Pause between a failed final read and the next.
const RETRY_NS: u64 = 50_000_000;
/// Maximum number of keys that are read at the end on each node.
const FINAL_KEYS: usize = 200;
/// Maximum number of times that a client that retries sends a write.
const MAX_TRIES: u16 = 5;
/// Bits of a request's number that name its client.
const CLIENT_BITS: u32 = 16;

/// Number of the operator among the clients, greater than that of any client.
pub(super) const OPERATOR: ClientNumber = ClientNumber((1 << CLIENT_BITS) - 1);

/// Number of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClientNumber(pub(super) usize);

impl ClientNumber {
    /// Returns the client of the request with this number.
    pub(super) fn of(number: u64) -> Self {
        Self(usize::try_from(number & ((1 << CLIENT_BITS) - 1)).expect("it has few bits"))
    }

    /// Returns the number of its `nth` request.
    pub(super) fn number(self, nth: u64) -> u64 {
        nth << CLIENT_BITS | self.0 as u64
    }
}

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
    nodes: u16,
    /// True if clients of the load send writes that were not answered again.
    retry: bool,
    requests: u64,
}

#[derive(Debug)]
struct Client {
    succession: Succession,
    /// Keys that are still to be read; none for a client of the load.
    left: Option<VecDeque<u32>>,
    open: Option<OpenRequest>,
    /// Session of a client that retries, once it has begun one.
    session: Option<Session>,
    is_done: bool,
}

#[derive(Debug)]
struct OpenRequest {
    /// Number of the request that is under way; 0, which none has, until it is sent again.
    number: u64,
    /// Request of an operation; none if it begins a session.
    request: Option<Request>,
    message: Message,
    node: u16,
    began_ns: u64,
    tries: u16,
    /// True if a try may have taken effect, and is to be sent again.
    is_unclear: bool,
}

impl OpenRequest {
    fn new(number: u64, node: u16, request: Option<Request>, message: Message, began_ns: u64) -> Self {
        Self { number, request, message, node, began_ns, tries: 1, is_unclear: false }
    }
}

impl Clients {
    /// Creates the clients of a load that begins at `origin_ns`.
    pub(super) fn new(plan: &Plan, mix: &Mix, origin_ns: u64) -> Self {
        let (workload, concurrency) = (plan.workload(), plan.concurrency);
        let nodes = (1..=plan.all_nodes()).cycle();
        let clients = (0..u64::from(concurrency)).zip(nodes).map(|(number, node)| Client {
            succession: Succession::new(node, number, concurrency.into()),
            left: None,
            open: None,
            session: None,
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
            nodes: plan.all_nodes(),
            retry: plan.simulation.as_ref().is_some_and(|conditions| conditions.retry),
            requests: 0,
        }
    }

    /// Returns the times at which the clients of the load are first ready.
    pub(super) fn first_times(&self) -> impl Iterator<Item = (usize, u64)> + use<> {
        let origin_ns = self.origin_ns;
        (0..self.load_clients).map(move |client| (client, origin_ns + client as u64 * STAGGER_NS))
    }

    /// Adds a client for each of these nodes that reads the keys of the load until `end_ns`; returns their numbers.
    pub(super) fn begin_final_reads(&mut self, nodes: &[NodeId], end_ns: u64) -> std::ops::Range<usize> {
        let first = self.clients.iter().map(|client| client.succession.process() + 1).max().unwrap_or_default();
        let keys = self.generator.keys();
        let keys: VecDeque<u32> = keys[keys.len().saturating_sub(FINAL_KEYS)..].iter().copied().collect();
        self.end_ns = end_ns;
        let step = nodes.len() as u64;
        self.clients.extend((first..).zip(nodes).map(|(process, node)| Client {
            succession: Succession::new(node.0, process, step),
            left: Some(keys.clone()),
            open: None,
            session: None,
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

    /// Returns the time at which a client that is ready begins its next operation; none if it is done.
    pub(super) fn due_ns(&mut self, client: usize, ready_ns: u64) -> Option<u64> {
        let end_ns = self.end_ns;
        if self.clients[client].open.is_some() {
            return Some(ready_ns);
        }
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

    /// Begins an operation, or sends it once more; returns the number of the request, its node and the message.
    pub(super) fn begin(
        &mut self,
        client: usize,
        now_ns: u64,
        record: &mut Record,
    ) -> Result<(u64, u16, Message), PairingError> {
        self.requests += 1;
        let number = ClientNumber(client).number(self.requests);
        let own = &mut self.clients[client];
        if let Some(open) = &mut own.open {
            (open.number, open.tries) = (number, open.tries + 1);
            open.node = open.node % self.nodes + 1;
            return Ok((number, open.node, open.message.clone()));
        }
        let (node, is_of_load) = (own.succession.node(), own.left.is_none());
        if self.retry && is_of_load && own.session.is_none() {
            let message = Session::request();
            own.open = Some(OpenRequest::new(number, node, None, message.clone(), now_ns));
            return Ok((number, node, message));
        }
        let request = match own.left.as_ref().and_then(|left| left.front()) {
            Some(key) => self.workload.final_read(*key),
            None => self.generator.next(u16::try_from(client).expect("there are at most 1024 clients")),
        };
        record.add(now_ns, own.succession.invocation(&request))?;
        // A client holds locks under a number that no other ever had.
        let owner = i64::try_from(own.succession.process()).unwrap_or(i64::MAX).saturating_add(1);
        let message = http_message(&request, &self.read_mode, owner);
        let message = match &mut own.session {
            Some(session) => session.next(message),
            None => message,
        };
        // Only what may have to be sent again is kept.
        let kept = if own.session.is_some() { message.clone() } else { Message::get(String::new()) };
        own.open = Some(OpenRequest::new(number, node, Some(request), kept, now_ns));
        Ok((number, node, message))
    }

    /// Ends an operation, unless the client has given up on it, or sends it again; returns the time at which the client
    /// is ready again.
    pub(super) fn end(
        &mut self,
        number: u64,
        reply: Reply,
        now_ns: u64,
        record: &mut Record,
    ) -> Result<Option<u64>, PairingError> {
        let ClientNumber(client) = ClientNumber::of(number);
        let own = &mut self.clients[client];
        let Some(open) = own.open.take_if(|open| open.number == number) else { return Ok(None) };
        let Some(request) = &open.request else {
            own.session = match reply {
                Reply::Answer(status, body) => Session::begin(status, &body),
                Reply::Refused | Reply::Reset | Reply::Late => None,
            };
            return Ok(Some(if own.session.is_some() { now_ns } else { now_ns + RETRY_NS }));
        };
        let mut response = response_to(request, reply);
        if own.session.is_some() && open.message.method.as_str() != "GET" {
            let is_unclear = open.is_unclear || matches!(response.answer, Answer::Unknown(_));
            match response.answer {
                Answer::NotDone(_) | Answer::Unknown(_) if is_unclear && open.tries < MAX_TRIES => {
                    own.open = Some(OpenRequest { number: 0, is_unclear, ..open });
                    return Ok(Some(now_ns + RETRY_NS));
                }
                // The first try may have happened.
                Answer::NotDone(why) if is_unclear => response = Answer::Unknown(why).into(),
                _ => {}
            }
        }
        let OpenRequest { request: Some(request), began_ns, .. } = open else { return Ok(None) };
        let ending = own.succession.end(&request, response);
        let Event { kind, .. } = ending.event;
        record.add(now_ns, ending.event)?;
        if kind == EventType::Info {
            own.session = None; // its last write may still come
        }
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
        let open = self.clients.iter().filter_map(|client| client.open.as_ref());
        open.filter(move |open| open.node == node && open.number != 0).map(|open| open.number)
    }
}

/// Returns the answer to a request that ended like this.
fn response_to(request: &Request, reply: Reply) -> Response {
    match reply {
        Reply::Answer(status, body) => http_answer(request, status, &body),
        Reply::Refused => Answer::NotDone("no connection: refused".to_owned()).into(),
        Reply::Reset => Answer::Unknown("connection reset".to_owned()).into(),
        Reply::Late => Answer::Unknown("timed out".to_owned()).into(),
    }
}
