//! Clients of the key-value API over HTTP.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use histories::Value;
use hyper::Method;
use serde::{Deserialize, Serialize};

use crate::{
    Action, Answer, Client, ClientError, Connect, MicroOperation, Request, Response,
    answers::{present, quoted, transaction, with_value},
    composed,
    connection::{Connection, ConnectionLimits, Message},
    session::Session,
};

/// Options of the HTTP clients.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Number and client address of each node.
    pub nodes: Vec<(u16, SocketAddr)>,
    /// Read mode, as the API spells it.
    pub read_mode: String,
    /// Time limit for connecting: must be lower than `operation_timeout`, or an unanswered connection attempt would
    /// look like an unknown outcome.
    pub connect_timeout: Duration,
    /// Time limit for an operation, including the connection; with `retry`, for each time that it is sent.
    pub operation_timeout: Duration,
    /// True if writes that were not answered are sent again, to one node after the other, in a session of the client,
    /// in which each takes effect once.
    pub retry: bool,
}

/// Maximum number of times that a client that retries sends a write.
pub const MAX_TRIES: u32 = 5;
/// Pause between two of them.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Factory of HTTP clients.
#[derive(Clone, Debug)]
pub struct HttpConnector {
    options: HttpOptions,
    ids: Vec<u16>,
}

impl HttpConnector {
    /// Returns a factory of clients for these nodes.
    pub fn new(options: HttpOptions) -> Self {
        let ids = options.nodes.iter().map(|(id, _)| *id).collect();
        Self { options, ids }
    }
}

/// Client of one logical process, with one connection to one node.
#[derive(Debug)]
pub struct HttpClient {
    connection: Connection,
    read_mode: String,
    owner: i64,
    /// The client's means to send writes again, if it does.
    retries: Option<Retries>,
}

/// Means to send writes again.
#[derive(Debug)]
struct Retries {
    /// The session, once a write has begun it.
    session: Option<Session>,
    /// Addresses of the other nodes, from the one behind the client's own.
    others: Vec<SocketAddr>,
    limits: ConnectionLimits,
}

/// Returns a number under which a client holds locks, and no other. A client whose request may still take effect is
/// replaced by another, so that nothing comes late under a number in use.
pub(crate) fn new_owner() -> i64 {
    static LAST: AtomicI64 = AtomicI64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

impl Connect for HttpConnector {
    type Client = HttpClient;

    fn nodes(&self) -> &[u16] {
        &self.ids
    }

    fn open(&self, node: u16) -> Result<HttpClient, ClientError> {
        let failed = |reason: String| ClientError { node, reason };
        let address = self.options.nodes.iter().find(|(id, _)| *id == node).map(|(_, address)| address);
        let address = address.ok_or_else(|| failed("it has no address".to_owned()))?;
        let HttpOptions { connect_timeout, operation_timeout, .. } = self.options;
        let limits = ConnectionLimits { connect: connect_timeout, operation: operation_timeout };
        let connection = Connection::new(*address, limits).map_err(failed)?;
        let others = || {
            let nodes = self.options.nodes.iter();
            let own = nodes.clone().position(|(id, _)| *id == node).unwrap_or_default();
            nodes.clone().cycle().skip(own + 1).take(nodes.len() - 1).map(|(_, address)| *address).collect()
        };
        let retries = self.options.retry.then(|| Retries { session: None, others: others(), limits });
        Ok(HttpClient { connection, read_mode: self.options.read_mode.clone(), owner: new_owner(), retries })
    }
}

#[derive(Serialize)]
struct Put {
    value: i64,
}

#[derive(Serialize)]
struct Cas {
    /// Expected and new value; none for an absent key.
    from: Option<i64>,
    to: Option<i64>,
}

#[derive(Serialize)]
struct Increment {
    by: i64,
}

#[derive(Serialize)]
struct Transaction {
    /// Micro-operations: name, key, and argument.
    ops: Vec<composed::Micro>,
}

impl Transaction {
    fn of(micro_operations: &[MicroOperation]) -> Self {
        Self { ops: micro_operations.iter().map(|it| (it.name(), it.key_name(), it.argument())).collect() }
    }
}

/// Returns the HTTP request for a request, in a read mode, of a client that holds locks as `owner`.
pub fn http_message(request: &Request, mode: &str, owner: i64) -> Message {
    if let Some(ops) = composed::micro_operations(request) {
        return Message::post(format!("/v1/txn?read={mode}")).json(&Transaction { ops });
    }
    let key = request.key_name().unwrap_or_default();
    let path = |end: [&str; 2]| ["/v1/kv/", &key, end[0], end[1]].concat();
    let post = |end: &str| Message::post(path([end, ""]));
    let cas = |from, to| post("/cas").json(&Cas { from, to });
    match &request.action {
        Action::Read | Action::Elements | Action::Count => Message::get(path(["?read=", mode])),
        Action::Peek => Message::get(path(["/first?read=", mode])),
        Action::Write(value) => Message::put(path([""; 2])).json(&Put { value: *value }),
        Action::Cas { from, to } => cas(Some(*from), Some(*to)),
        Action::Acquire | Action::AcquireWithToken => cas(None, Some(owner)),
        Action::Release => cas(Some(owner), None),
        Action::Increment(by) => post("/increment").json(&Increment { by: *by }),
        Action::Add(value) => post("/add").json(&Put { value: *value }),
        Action::Enqueue(value) => post("/enqueue").json(&Put { value: *value }),
        Action::Dequeue => post("/dequeue"),
        Action::Transaction(micro_operations) => {
            Message::post(format!("/v1/txn?read={mode}")).json(&Transaction::of(micro_operations))
        }
        Action::GuardedWrite { .. }
        | Action::Send(_)
        | Action::Poll(_)
        | Action::Insert
        | Action::Rows
        | Action::Generate
        | Action::Balances
        | Action::Transfer { .. } => {
            unreachable!("these are composed of micro-operations")
        }
    }
}

impl Client for HttpClient {
    async fn invoke(&mut self, request: &Request) -> Response {
        let message = http_message(request, &self.read_mode, self.owner);
        match &mut self.retries {
            Some(retries) if message.method != Method::GET => {
                retries.send(&mut self.connection, request, message).await
            }
            _ => send(&mut self.connection, request, message).await,
        }
    }
}

async fn send(connection: &mut Connection, request: &Request, message: Message) -> Response {
    match connection.exchange(message).await {
        Ok((status, body)) => http_answer(request, status, &body),
        Err(answer) => answer.into(),
    }
}

impl Retries {
    /// Sends a write until it is answered, or certainly did not happen, or was sent often enough.
    async fn send(&mut self, connection: &mut Connection, request: &Request, message: Message) -> Response {
        if self.session.is_none() {
            self.session = match connection.exchange(Session::request()).await {
                Ok((status, body)) => Session::begin(status, &body),
                Err(_) => None,
            };
        }
        let Some(session) = &mut self.session else {
            return Answer::NotDone("no session in which a write could be sent again".to_owned()).into();
        };
        let message = session.next(message);
        let mut response = send(connection, request, message.clone()).await;
        let mut others = self.others.iter().cycle();
        for _ in 1..MAX_TRIES {
            if !matches!(response.answer, Answer::Unknown(_)) {
                break;
            }
            tokio::time::sleep(RETRY_PAUSE).await;
            let other = others.next().map(|address| Connection::new(*address, self.limits));
            let again = match other {
                Some(Ok(mut other)) => send(&mut other, request, message.clone()).await,
                Some(Err(_)) | None => send(connection, request, message.clone()).await,
            };
            response = match again.answer {
                // An earlier try may have happened.
                Answer::NotDone(why) => Answer::Unknown(why).into(),
                _ => again,
            };
        }
        response
    }
}

/// Fields of all responses; the request decides which of them are required.
#[derive(Deserialize)]
struct Body {
    key: Option<String>,
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
    swapped: Option<bool>,
    added: Option<bool>,
    ops: Option<Vec<(String, String, Value)>>,
    #[serde(default, deserialize_with = "present")]
    observed: Option<Value>,
    revision: Option<u64>,
    error: Option<String>,
    happened: Option<String>,
}

/// Returns the answer in a complete response. Any deviation from the API leaves the outcome unknown.
pub fn http_answer(request: &Request, status: u16, text: &[u8]) -> Response {
    let unclear =
        |why: &str| Answer::Unknown(format!("unclear answer, status {}, {why}: {}", status, quoted(text))).into();
    let Ok(text) = str::from_utf8(text) else { return unclear("it is no text") };
    let body: Body = match serde_json::from_str(text) {
        Ok(body) => body,
        Err(error) => return unclear(&error.to_string()),
    };
    if body.key.is_some() && body.key != request.key_name() {
        return unclear("it is about another key");
    }
    if (400..600).contains(&status) {
        let why = body.error.unwrap_or_else(|| format!("status {status}"));
        return match body.happened.as_deref() {
            Some("no") => Answer::NotDone(why),
            _ => Answer::Unknown(why),
        }
        .into();
    }
    if status != 200 {
        return unclear("expected 200, 4xx or 5xx");
    }
    let revision = body.revision;
    let answer = match understand_success(request, body) {
        Ok(answer) => answer,
        Err(why) => return unclear(why),
    };
    Response { answer, revision: revision.filter(|_| request.action.is_of_register()) }
}

/// Returns the answer in the body of a successful response, or what that lacks.
fn understand_success(request: &Request, body: Body) -> Result<Answer, &'static str> {
    match (&request.action, body) {
        (Action::Read | Action::Peek | Action::Dequeue | Action::Elements | Action::Count, body) => {
            with_value(&request.action, body.value.ok_or("it has no \"value\"")?)
        }
        (Action::AcquireWithToken, Body { swapped: Some(true), revision: Some(token), .. }) => {
            Ok(Answer::Value(i64::try_from(token).map_err(|_| "its \"revision\" is beyond 64 bits")?.into()))
        }
        (Action::Write(_) | Action::Enqueue(_) | Action::Increment(_), Body { revision: Some(_), .. })
        | (Action::Cas { .. } | Action::Acquire | Action::Release, Body { swapped: Some(true), .. })
        | (Action::Add(_), Body { added: Some(_), .. }) => Ok(Answer::Done),
        (Action::Write(_) | Action::Enqueue(_) | Action::Increment(_), _) => Err("it has no \"revision\""),
        (
            Action::Cas { .. } | Action::Acquire | Action::AcquireWithToken | Action::Release,
            Body { swapped: Some(false), observed: Some(found), .. },
        ) => Ok(Answer::Mismatch(found)),
        (Action::Cas { .. } | Action::Acquire | Action::Release, _) => Err("it lacks \"swapped\" or \"observed\""),
        (Action::AcquireWithToken, _) => Err("it lacks \"swapped\", \"observed\" or \"revision\""),
        (Action::Add(_), _) => Err("it has no \"added\""),
        (Action::Transaction(asked), Body { ops: Some(done), .. }) => transaction(asked, done),
        (Action::Transaction(_), _) => Err("it has no \"ops\""),
        (_, Body { ops: Some(done), .. }) => composed::answer(request, &done),
        (_, _) => Err("it has no \"ops\""),
    }
}
