//! Clients of the key-value API over HTTP; the only place that builds an HTTP client.

use std::{net::SocketAddr, time::Duration};

use histories::Value;
use reqwest::{Response, StatusCode, redirect, retry};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Action, Answer, Answered, Client, ClientError, Connect, Request};

/// The largest answer that is read, bytes.
const MAX_BODY_BYTES: usize = 1 << 20;
/// How much of an answer is quoted where it is not understood, characters.
const QUOTE_CHARS: usize = 80;

/// How nodes are asked.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Each node's number and where it serves clients.
    pub nodes: Vec<(u16, SocketAddr)>,
    /// The read mode, as the API spells it.
    pub read_mode: String,
    /// How long a connection may take: less than `operation_timeout`, or a refusal by silence looks like an unknown outcome.
    pub connect_timeout: Duration,
    /// How long an operation may take, with its connection.
    pub operation_timeout: Duration,
}

/// Makes HTTP clients.
#[derive(Clone, Debug)]
pub struct HttpConnector {
    options: HttpOptions,
    ids: Vec<u16>,
}

impl HttpConnector {
    /// For these nodes.
    pub fn new(options: HttpOptions) -> Self {
        let ids = options.nodes.iter().map(|(id, _)| *id).collect();
        Self { options, ids }
    }
}

/// One logical process's client, with one connection to one node.
#[derive(Debug)]
pub struct HttpClient {
    http: reqwest::Client,
    /// `http://address/v1/kv/`
    base: String,
    read_mode: String,
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
        if connect_timeout >= operation_timeout {
            let limits = format!("{connect_timeout:?} to connect, {operation_timeout:?} for all");
            return Err(failed(format!("connecting must have less time than the whole operation, not {limits}")));
        }
        // Nothing may ask a second time, elsewhere, or on a connection that another process used.
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .pool_max_idle_per_host(1)
            .connect_timeout(connect_timeout)
            .timeout(operation_timeout)
            .build()
            .map_err(|error| failed(error.to_string()))?;
        Ok(HttpClient { http, base: format!("http://{address}/v1/kv/"), read_mode: self.options.read_mode.clone() })
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

impl Client for HttpClient {
    async fn invoke(&mut self, request: &Request) -> Answered {
        let (base, key) = (&self.base, request.key);
        let sent = match request.action {
            Action::Read => self.http.get(format!("{base}k{key}?read={}", self.read_mode)),
            Action::Write(value) => self.http.put(format!("{base}k{key}")).json(&Put { value }),
            Action::Cas { from, to } => self.http.post(format!("{base}k{key}/cas")).json(&Cas { from, to }),
        };
        let received = async {
            let response = sent.send().await?;
            let status = response.status();
            Ok((status, body(response).await?))
        };
        match received.await {
            Ok((status, body)) => understand(request, status, &body),
            Err(error) => not_answered(&error).into(),
        }
    }
}

/// The body, as far as it is read at all.
async fn body(mut response: Response) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_BODY_BYTES {
            break;
        }
    }
    Ok(body)
}

/// Without an answer only one thing is certain: what was never connected was never asked.
fn not_answered(error: &reqwest::Error) -> Answer {
    let mut why = if error.is_timeout() { "timed out".to_owned() } else { error.to_string() };
    if let Some(cause) = std::iter::successors(std::error::Error::source(error), |cause| cause.source()).last() {
        why = format!("{why}: {cause}");
    }
    if error.is_connect() { Answer::NotDone(format!("no connection: {why}")) } else { Answer::Unknown(why) }
}

/// Every field that any answer has; which of them must be there depends on what was asked.
#[derive(Deserialize)]
struct Body {
    key: Option<String>,
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
    swapped: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    observed: Option<Value>,
    revision: Option<u64>,
    error: Option<String>,
    happened: Option<String>,
}

/// A field that is there, even as `null`, differs from one that is not: an answer without a value is no answer.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// What a whole answer says. Whatever is not exactly what the API promises leaves the outcome unknown.
fn understand(request: &Request, status: StatusCode, text: &[u8]) -> Answered {
    let unclear = |why: &str| {
        let quote: String = String::from_utf8_lossy(text).chars().take(QUOTE_CHARS).collect();
        Answer::Unknown(format!("unclear answer, status {}, {why}: {quote:?}", status.as_u16())).into()
    };
    let body: Body = match serde_json::from_slice(text) {
        Ok(body) => body,
        Err(error) => return unclear(&error.to_string()),
    };
    if body.key.as_ref().is_some_and(|key| *key != request.key_name()) {
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
    let answer = match (request.action, body) {
        (Action::Read, Body { value: Some(value), .. }) => Answer::Value(value),
        (Action::Read, _) => return unclear("it has no \"value\""),
        (Action::Write(_), Body { revision: Some(_), .. }) | (Action::Cas { .. }, Body { swapped: Some(true), .. }) => {
            Answer::Done
        }
        (Action::Write(_), _) => return unclear("it has no \"revision\""),
        (Action::Cas { .. }, Body { swapped: Some(false), observed: Some(found), .. }) => Answer::Mismatch(found),
        (Action::Cas { .. }, _) => return unclear("it lacks \"swapped\" or \"observed\""),
    };
    Answered { answer, revision }
}
