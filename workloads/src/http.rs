//! Clients of the key-value API over HTTP; the only module that builds an HTTP client.

use std::{net::SocketAddr, time::Duration};

use histories::Value;
use reqwest::{Response, StatusCode, redirect, retry};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Action, Answer, Answered, Client, ClientError, Connect, Request};

/// Maximum size of a response body, bytes.
const MAX_BODY_BYTES: usize = 1 << 20;
/// Number of characters quoted of a response that is not understood.
const QUOTE_CHARS: usize = 80;

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
    /// Prefix of all URLs: `http://address/v1/kv/`.
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
        // No request may be retried, redirected, or sent over a connection of another process.
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

/// Reads the body, up to the maximum size.
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

/// Returns the answer for a failed request. The only certain case is a failed connection: that request was never sent.
fn not_answered(error: &reqwest::Error) -> Answer {
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
    #[serde(default, deserialize_with = "present")]
    observed: Option<Value>,
    revision: Option<u64>,
    error: Option<String>,
    happened: Option<String>,
}

/// Deserializes a field that is present, so that `null` differs from a missing field: a response without a value is not
/// an answer.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Returns the answer in a complete response. Any deviation from the API leaves the outcome unknown.
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
