//! Client API: JSON over HTTP/1.1.
//!
//! - `GET /v1/kv/{key}?read=local|leader|lease|quorum|log` reads; an absent key has the value `null` and the revision
//!   0.
//! - `PUT /v1/kv/{key}` with `{"value": …}` writes.
//! - `POST /v1/kv/{key}/cas` with `{"from": …, "to": …}` writes if the value is `from`; `null` is "absent", also as
//!   `to`, which removes the key.
//! - `POST /v1/kv/{key}/increment` with `{"by": …}` adds to an integer, which is 0 if the key is absent, and answers
//!   with the sum as `"value"`.
//! - `POST /v1/kv/{key}/add` with `{"value": …}` adds to a list unless it has the value already: a set. The answer says
//!   in `"added"` which of the two.
//! - `POST /v1/kv/{key}/enqueue` with `{"value": …}` adds at the end of a list, `POST /v1/kv/{key}/dequeue` takes the
//!   first element out and answers with it as `"value"`, and `GET /v1/kv/{key}/first?read=…` reads it. Of an empty
//!   list, which an absent key is, it is `null`.
//! - `POST /v1/txn?read=…` with `{"ops": [["append", key, value], ["w", key, value], ["r", key, null], …]}` does all of
//!   this at one moment, or none of it, and answers with the same `"ops"`, in which each `"r"` has the value that it
//!   read. One that only reads is read in this mode; any other is an entry of the log. `["add", key, number]` adds to a
//!   whole number, and `["at-least", key, number]` refuses all of it unless the value is that large; absent is 0.
//! - `POST /v1/sessions` begins a session and answers with its `"client"`.
//! - `GET /v1/status` describes the state of the node.
//!
//! An operation that needs a list or an integer and finds another value, a list at its limit of 64 KiB, and a sum
//! beyond 64 bits are refused with 409.
//!
//! A write may carry the `"client"` of a session and a `"seq"`: sent again with the same two, to any node, it takes
//! effect once. The cluster remembers 4,096 sessions and forgets the one that was idle longest; later requests of a
//! forgotten session are refused with 410, because it is no longer known whether they happened before. Each error
//! states in `"happened"` whether the operation may have taken effect. A partial request is waited for only for a
//! limited time, and its connection may be closed for others at the limit (`connections`). Integers beyond 64 bits
//! become floating-point numbers.

mod connections;
mod request;
mod response;

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Bytes, HttpBody as _},
    extract::{
        self, DefaultBodyLimit, FromRequest as _, Path, Query, State,
        rejection::{BytesRejection, PathRejection, QueryRejection},
    },
    http::StatusCode,
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use tokio::{net::TcpListener, sync::oneshot, time::timeout};

pub(crate) use self::connections::Limits;
use self::{
    connections::ConnectionState,
    request::{CasBody, IncrementBody, PutBody, ReadQuery, SessionBody, TransactionBody},
    response::{ApiError, ApiResponse, Subject},
};
use crate::{
    input::{Input, Inputs},
    kv::{Command, MicroOperation, Op, Query as Question},
    request::{Effect, Reason, Reply, Request, StatusReport},
};

/// Serves clients until dropped.
pub(crate) async fn serve(listener: TcpListener, inputs: Inputs, limits: Limits) {
    connections::serve(listener, router(inputs, limits), limits).await;
}

fn router(inputs: Inputs, limits: Limits) -> Router {
    Router::new()
        .route("/v1/kv/{key}", get(read).put(put))
        .route("/v1/kv/{key}/cas", post(cas))
        .route("/v1/kv/{key}/increment", post(increment))
        .route("/v1/kv/{key}/add", post(add))
        .route("/v1/kv/{key}/enqueue", post(enqueue))
        .route("/v1/kv/{key}/dequeue", post(dequeue))
        .route("/v1/kv/{key}/first", get(first))
        .route("/v1/txn", post(transact))
        .route("/v1/sessions", post(register))
        .route("/v1/status", get(status))
        .fallback(async || ApiError::refused(StatusCode::NOT_FOUND, "no such route"))
        .method_not_allowed_fallback(async || ApiError::refused(StatusCode::METHOD_NOT_ALLOWED, "no such method here"))
        .layer(middleware::from_fn_with_state(limits.body, receive))
        .layer(DefaultBodyLimit::max(limits.body_bytes))
        .with_state(inputs)
}

/// Waits for the whole request, within a limit; only then does it count as being carried out.
async fn receive(State(limit): State<Duration>, request: extract::Request, next: Next) -> Result<Response, ApiError> {
    let state = request.extensions().get::<Arc<ConnectionState>>().cloned();
    let request = if request.body().is_end_stream() { request } else { with_whole_body(request, limit).await? };
    let _work = state.map(ConnectionState::begin_request);
    Ok(next.run(request).await)
}

async fn with_whole_body(request: extract::Request, limit: Duration) -> Result<extract::Request, ApiError> {
    let (parts, body) = request.into_parts();
    let request = extract::Request::from_parts(parts.clone(), body);
    let late = |_| ApiError::refused(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time");
    let received = timeout(limit, Bytes::from_request(request, &())).await.map_err(late)?;
    let body = received.map_err(|rejection| ApiError::refused(rejection.status(), rejection.body_text()))?;
    Ok(extract::Request::from_parts(parts, body.into()))
}

type KeyPath = Result<Path<String>, PathRejection>;
type BodyBytes = Result<Bytes, BytesRejection>;
type ReadParameter = Result<Query<ReadQuery>, QueryRejection>;

async fn read(State(inputs): State<Inputs>, key: KeyPath, reading: ReadParameter) -> Result<ApiResponse, ApiError> {
    let (key, mode) = (request::key(key)?, request::mode(reading)?);
    let query = Question::Value(key.clone());
    ask_server(&inputs, Subject::Key(key), Request::Read { query, mode }).await
}

async fn first(State(inputs): State<Inputs>, key: KeyPath, reading: ReadParameter) -> Result<ApiResponse, ApiError> {
    let (key, mode) = (request::key(key)?, request::mode(reading)?);
    let query = Question::First(key.clone());
    ask_server(&inputs, Subject::Key(key), Request::Read { query, mode }).await
}

async fn put(State(inputs): State<Inputs>, key: KeyPath, body: BodyBytes) -> Result<ApiResponse, ApiError> {
    write_value(&inputs, key, body, |key, value| Op::Put { key, value }).await
}

async fn add(State(inputs): State<Inputs>, key: KeyPath, body: BodyBytes) -> Result<ApiResponse, ApiError> {
    write_value(&inputs, key, body, |key, value| Op::Add { key, value }).await
}

async fn enqueue(State(inputs): State<Inputs>, key: KeyPath, body: BodyBytes) -> Result<ApiResponse, ApiError> {
    write_value(&inputs, key, body, |key, value| Op::Enqueue { key, value }).await
}

async fn write_value(
    inputs: &Inputs,
    key: KeyPath,
    body: BodyBytes,
    op: fn(String, crate::kv::Json) -> Op,
) -> Result<ApiResponse, ApiError> {
    let key = request::key(key)?;
    let PutBody { value, client, seq } = request::body(body)?;
    let op = op(key.clone(), request::value("value", &value)?);
    let command = Command { session: request::session(client, seq)?, op };
    ask_server(inputs, Subject::Key(key), Request::Write(command)).await
}

async fn cas(State(inputs): State<Inputs>, key: KeyPath, body: BodyBytes) -> Result<ApiResponse, ApiError> {
    let key = request::key(key)?;
    let CasBody { from, to, client, seq } = request::body(body)?;
    let from = crate::kv::Json::new(&from);
    let op = match crate::kv::Json::new(&to) {
        Some(to) => Op::Cas { key: key.clone(), from, to },
        None => Op::Delete { key: key.clone(), from },
    };
    let command = Command { session: request::session(client, seq)?, op };
    ask_server(&inputs, Subject::Key(key), Request::Write(command)).await
}

async fn increment(State(inputs): State<Inputs>, key: KeyPath, body: BodyBytes) -> Result<ApiResponse, ApiError> {
    let key = request::key(key)?;
    let IncrementBody { by, client, seq } = request::body(body)?;
    let command = Command { session: request::session(client, seq)?, op: Op::Increment { key: key.clone(), by } };
    ask_server(&inputs, Subject::Key(key), Request::Write(command)).await
}

async fn dequeue(State(inputs): State<Inputs>, key: KeyPath, body: BodyBytes) -> Result<ApiResponse, ApiError> {
    let key = request::key(key)?;
    let SessionBody { client, seq } = request::body_if_any(body)?;
    let command = Command { session: request::session(client, seq)?, op: Op::Dequeue { key: key.clone() } };
    ask_server(&inputs, Subject::Key(key), Request::Write(command)).await
}

async fn transact(
    State(inputs): State<Inputs>,
    reading: ReadParameter,
    body: BodyBytes,
) -> Result<ApiResponse, ApiError> {
    let mode = request::mode(reading)?;
    let TransactionBody { ops, client, seq } = request::body(body)?;
    let micro_operations = request::micro_operations(&ops)?;
    let session = request::session(client, seq)?;
    let key_read = |micro_operation: &MicroOperation| match micro_operation {
        MicroOperation::Read { key } => Some(key.clone()),
        MicroOperation::Append { .. }
        | MicroOperation::Write { .. }
        | MicroOperation::Add { .. }
        | MicroOperation::AtLeast { .. } => None,
    };
    let keys_read: Option<Vec<String>> = micro_operations.iter().map(key_read).collect();
    let request = keys_read.map_or_else(
        || Request::Write(Command { session, op: Op::Transaction { micro_operations: micro_operations.clone() } }),
        |keys| Request::Read { query: Question::Values(keys), mode },
    );
    ask_server(&inputs, Subject::Transaction(micro_operations), request).await
}

async fn register(State(inputs): State<Inputs>) -> Result<ApiResponse, ApiError> {
    ask_server(&inputs, Subject::None, Request::Write(Command { session: None, op: Op::Register })).await
}

async fn status(State(inputs): State<Inputs>) -> Result<Json<StatusReport>, ApiError> {
    let (reply, answer) = oneshot::channel();
    inputs.try_send(Input::Status(reply)).map_err(|_| ApiError::unavailable(&Reason::Overloaded, Effect::No))?;
    answer.await.map(Json).map_err(|_| ApiError::unavailable(&Reason::Stopping, Effect::No))
}

/// Hands a request to the server's loop, which answers it by the deadline, if only with an error.
async fn ask_server(inputs: &Inputs, subject: Subject, request: Request) -> Result<ApiResponse, ApiError> {
    let unanswered = if matches!(request, Request::Write(_)) { Effect::Unknown } else { Effect::No };
    let (reply, answer) = oneshot::channel();
    let full = |_| ApiError::unavailable(&Reason::Overloaded, Effect::No);
    inputs.try_send(Input::Client(request, reply)).map_err(full)?;
    let Reply { node, role, term, result } =
        answer.await.map_err(|_| ApiError::unavailable(&Reason::Stopping, unanswered))?;
    let applied = result.map_err(ApiError::from)?;
    Ok(ApiResponse { subject, applied, node, role, term })
}

#[cfg(test)]
mod tests;
