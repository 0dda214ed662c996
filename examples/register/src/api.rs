//! The clients' API: `GET /kv/KEY?read=local`, `index` or `log`, `PUT /kv/KEY` with an integer, `POST /kv/KEY` with
//! `{"from": 1, "to": 2}`, and `GET /status`.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::timeout;

use crate::registers::{Command, Outcome};

/// Time limit of a request, after which its outcome is unknown.
const LIMIT: Duration = Duration::from_secs(2);

/// Node as its clients know it.
pub trait Replica: Clone + Send + Sync + 'static {
    /// Carries out a request.
    fn ask(&self, ask: Ask) -> impl Future<Output = Answer> + Send;
}

/// Request of a client.
#[derive(Debug)]
pub enum Ask {
    Read(Read, String),
    Command(Command),
    Status,
}

/// Way to read.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Read {
    /// Read of the node's own state.
    Local,
    /// Read by means of the library, such as `ReadIndex`.
    Index,
    /// Read through the log.
    Log,
}

#[derive(Debug)]
pub enum Answer {
    Outcome(Outcome),
    Status(Status),
    /// Nothing was done, nor ever will be.
    Refused(&'static str),
    /// It may take effect, or have done so.
    Unknown(&'static str),
}

/// Status of a node; the leader is 0 if it knows of none.
#[derive(Debug, Serialize)]
pub struct Status {
    pub id: u64,
    pub leader: u64,
    pub role: &'static str,
    pub term: u64,
}

#[derive(Deserialize)]
struct ReadParameters {
    read: Read,
}

#[derive(Deserialize)]
struct Cas {
    from: i64,
    to: i64,
}

/// Returns the API of a node.
pub fn router<R: Replica>(replica: R) -> Router {
    let read = |State(replica): State<R>, Path(key), Query(ReadParameters { read })| async move {
        answer(&replica, Ask::Read(read, key)).await
    };
    let write = |State(replica): State<R>, Path(key), Json(value)| async move {
        answer(&replica, Ask::Command(Command::Write { key, value })).await
    };
    let cas = |State(replica): State<R>, Path(key), Json(Cas { from, to })| async move {
        answer(&replica, Ask::Command(Command::Cas { key, from, to })).await
    };
    let status = |State(replica): State<R>| async move { answer(&replica, Ask::Status).await };
    Router::new().route("/kv/{key}", get(read).put(write).post(cas)).route("/status", get(status)).with_state(replica)
}

/// Asks the node, and puts its answer into words. What is refused was not done, and never will be.
async fn answer(replica: &impl Replica, ask: Ask) -> Response {
    let answer = timeout(LIMIT, replica.ask(ask)).await.unwrap_or(Answer::Unknown("no answer in time"));
    let (status, body) = match answer {
        Answer::Outcome(Outcome::Value(value)) => (StatusCode::OK, json!({ "value": value })),
        Answer::Outcome(Outcome::Done) => (StatusCode::OK, json!({})),
        Answer::Outcome(Outcome::Mismatch(found)) => (StatusCode::CONFLICT, json!({ "found": found })),
        Answer::Status(status) => return Json(status).into_response(),
        Answer::Refused(why) => (StatusCode::SERVICE_UNAVAILABLE, json!({ "refused": true, "error": why })),
        Answer::Unknown(why) => (StatusCode::GATEWAY_TIMEOUT, json!({ "error": why })),
    };
    (status, Json(body)).into_response()
}
