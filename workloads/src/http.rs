//! Clients of the key-value API over HTTP; the only module that builds an HTTP client, also for other APIs.

use std::{net::SocketAddr, time::Duration};

use histories::Value;
use reqwest::{RequestBuilder, StatusCode, redirect, retry};
use serde::{Deserialize, Serialize};

use crate::{
    Action, Answer, Client, ClientError, Connect, MicroOperation, Request, Response,
    answers::{present, quoted, transaction},
    composed,
};

/// Maximum size of a response body, bytes.
const MAX_BODY_BYTES: usize = 1 << 20;

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
    /// Time limit for an operation, including the connection.
    pub operation_timeout: Duration,
}

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
    http: reqwest::Client,
    /// Prefix of all URLs: `http://address/v1/`.
    base: String,
    read_mode: String,
}

/// Time limits of a client; that for connecting must be lower than that of the whole operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connect: Duration,
    pub(crate) operation: Duration,
}

/// Builds a client of one process. No request may be retried, redirected, or sent over a connection of another process.
pub(crate) fn build(limits: Limits) -> Result<reqwest::Client, String> {
    let Limits { connect, operation } = limits;
    if connect >= operation {
        let limits = format!("{connect:?} to connect, {operation:?} for all");
        return Err(format!("connecting must have less time than the whole operation, not {limits}"));
    }
    reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .pool_max_idle_per_host(1)
        .connect_timeout(connect)
        .timeout(operation)
        .build()
        .map_err(|error| error.to_string())
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
        let http = build(Limits { connect: connect_timeout, operation: operation_timeout }).map_err(failed)?;
        Ok(HttpClient { http, base: format!("http://{address}/v1/"), read_mode: self.options.read_mode.clone() })
    }
}

#[derive(Serialize)]
struct Put {
    value: i64,
}

#[derive(Serialize)]
struct Cas {
    from: i64,
    to: i64,
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

impl HttpClient {
    /// Returns the HTTP request for a request.
    fn request(&self, request: &Request) -> RequestBuilder {
        let mode = &self.read_mode;
        if let Some(ops) = composed::micro_operations(request) {
            return self.http.post(format!("{}txn?read={mode}", self.base)).json(&Transaction { ops });
        }
        let url = format!("{}kv/{}", self.base, request.key_name().unwrap_or_default());
        match &request.action {
            Action::Read | Action::Elements => self.http.get(format!("{url}?read={mode}")),
            Action::Peek => self.http.get(format!("{url}/first?read={mode}")),
            Action::Write(value) => self.http.put(url).json(&Put { value: *value }),
            Action::Cas { from, to } => self.http.post(format!("{url}/cas")).json(&Cas { from: *from, to: *to }),
            Action::Add(value) => self.http.post(format!("{url}/add")).json(&Put { value: *value }),
            Action::Enqueue(value) => self.http.post(format!("{url}/enqueue")).json(&Put { value: *value }),
            Action::Dequeue => self.http.post(format!("{url}/dequeue")),
            Action::Transaction(micro_operations) => {
                self.http.post(format!("{}txn?read={mode}", self.base)).json(&Transaction::of(micro_operations))
            }
            Action::Generate | Action::Increase(_) | Action::Balances | Action::Transfer { .. } => {
                unreachable!("these are composed of micro-operations")
            }
        }
    }
}

impl Client for HttpClient {
    async fn invoke(&mut self, request: &Request) -> Response {
        match complete(self.request(request)).await {
            Ok((status, body)) => parse_answer(request, status, &body),
            Err(answer) => answer.into(),
        }
    }
}

/// Sends a request and reads the whole answer. If there is none, returns what is certain.
pub(crate) async fn complete(request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), Answer> {
    let received = async {
        let response = request.send().await?;
        let status = response.status();
        Ok((status, body(response).await?))
    };
    received.await.map_err(|error| failure_of(&error))
}

/// Reads the body, up to the maximum size.
async fn body(mut response: reqwest::Response) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_BODY_BYTES {
            break;
        }
    }
    Ok(body)
}

/// Returns the answer for a failed request. The only certain case is a failed connection: that request was never sent.
fn failure_of(error: &reqwest::Error) -> Answer {
    let mut why = if error.is_timeout() { "timed out".to_owned() } else { error.to_string() };
    if let Some(cause) = std::iter::successors(std::error::Error::source(error), |cause| cause.source()).last() {
        why = format!("{why}: {cause}");
    }
    if error.is_connect() { Answer::NotDone(format!("no connection: {why}")) } else { Answer::Unknown(why) }
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
fn parse_answer(request: &Request, status: StatusCode, text: &[u8]) -> Response {
    let unclear = |why: &str| {
        Answer::Unknown(format!("unclear answer, status {}, {why}: {}", status.as_u16(), quoted(text))).into()
    };
    let body: Body = match serde_json::from_slice(text) {
        Ok(body) => body,
        Err(error) => return unclear(&error.to_string()),
    };
    if body.key.is_some() && body.key != request.key_name() {
        return unclear("it is about another key");
    }
    if status.is_client_error() || status.is_server_error() {
        let why = body.error.unwrap_or_else(|| format!("status {}", status.as_u16()));
        return match body.happened.as_deref() {
            Some("no") => Answer::NotDone(why),
            _ => Answer::Unknown(why),
        }
        .into();
    }
    if status != StatusCode::OK {
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
        (Action::Read | Action::Peek | Action::Dequeue, Body { value: Some(value), .. })
        | (Action::Elements, Body { value: Some(value @ Value::List(_)), .. }) => Ok(Answer::Value(value)),
        (Action::Elements, Body { value: Some(Value::Nil), .. }) => Ok(Answer::Value(Value::List(Vec::new()))),
        (Action::Elements, Body { value: Some(_), .. }) => Err("its \"value\" is no list"),
        (Action::Read | Action::Peek | Action::Dequeue | Action::Elements, _) => Err("it has no \"value\""),
        (Action::Write(_) | Action::Enqueue(_), Body { revision: Some(_), .. })
        | (Action::Cas { .. }, Body { swapped: Some(true), .. })
        | (Action::Add(_), Body { added: Some(_), .. }) => Ok(Answer::Done),
        (Action::Write(_) | Action::Enqueue(_), _) => Err("it has no \"revision\""),
        (Action::Cas { .. }, Body { swapped: Some(false), observed: Some(found), .. }) => Ok(Answer::Mismatch(found)),
        (Action::Cas { .. }, _) => Err("it lacks \"swapped\" or \"observed\""),
        (Action::Add(_), _) => Err("it has no \"added\""),
        (Action::Transaction(asked), Body { ops: Some(done), .. }) => transaction(asked, done),
        (Action::Transaction(_), _) => Err("it has no \"ops\""),
        (_, Body { ops: Some(done), .. }) => composed::answer(request, &done),
        (_, _) => Err("it has no \"ops\""),
    }
}
