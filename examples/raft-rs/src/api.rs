//! The clients' API: `GET /kv/KEY?read=MODE`, `PUT /kv/KEY` with an integer, `POST /kv/KEY` with `{"from": 1, "to": 2}`,
//! and `GET /status`.

use std::{sync::mpsc::SyncSender, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::json;
use tokio::{sync::oneshot, time::timeout};

use crate::{
    node::{Answer, Ask, Input, Read},
    registers::{Command, Outcome},
};

/// Time limit of a request, after which its outcome is unknown.
const LIMIT: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct ReadParameters {
    read: Read,
}

#[derive(Deserialize)]
struct Cas {
    from: i64,
    to: i64,
}

type Inputs = State<SyncSender<Input>>;

pub fn router(inputs: SyncSender<Input>) -> Router {
    let read = |State(inputs): Inputs, Path(key), Query(ReadParameters { read })| async move {
        ask(&inputs, Ask::Read(read, key)).await
    };
    let write = |State(inputs): Inputs, Path(key), Json(value)| async move {
        ask(&inputs, Ask::Command(Command::Write { key, value })).await
    };
    let cas = |State(inputs): Inputs, Path(key), Json(Cas { from, to })| async move {
        ask(&inputs, Ask::Command(Command::Cas { key, from, to })).await
    };
    let status = |State(inputs): Inputs| async move { ask(&inputs, Ask::Status).await };
    Router::new().route("/kv/{key}", get(read).put(write).post(cas)).route("/status", get(status)).with_state(inputs)
}

/// Hands a request to the node and waits for its answer. What is refused was not done, and never will be.
async fn ask(inputs: &SyncSender<Input>, ask: Ask) -> Response {
    let (reply, answer) = oneshot::channel();
    if inputs.try_send(Input::Request(ask, reply)).is_err() {
        return refuse("the node is too busy");
    }
    match timeout(LIMIT, answer).await {
        Ok(Ok(Answer::Outcome(Outcome::Value(value)))) => Json(json!({ "value": value })).into_response(),
        Ok(Ok(Answer::Outcome(Outcome::Done))) => Json(json!({})).into_response(),
        Ok(Ok(Answer::Outcome(Outcome::Mismatch(found)))) => {
            (StatusCode::CONFLICT, Json(json!({ "found": found }))).into_response()
        }
        Ok(Ok(Answer::Status(status))) => Json(status).into_response(),
        Ok(Ok(Answer::Refused(why))) => refuse(why),
        Ok(Ok(Answer::Unknown(why))) => unknown(why),
        Ok(Err(_)) | Err(_) => unknown("no answer in time"),
    }
}

fn unknown(why: &str) -> Response {
    (StatusCode::GATEWAY_TIMEOUT, Json(json!({ "error": why }))).into_response()
}

fn refuse(why: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "refused": true, "error": why }))).into_response()
}
