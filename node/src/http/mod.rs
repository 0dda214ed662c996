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
//!   `["insert", key, null]` adds a row `{"val": …, "sts": …}` to a list, one more than the `val` of the last row with
//!   the revision of this transaction, and answers with the row.
//! - `POST /v1/sessions` begins a session and answers with its `"client"`.
//! - `GET /v1/status` describes the state of the node.
//! - `GET /v1/members` answers with the members that this node knows: its `"voters"`, those that it leaves
//!   (`"outgoing"`), its `"learners"`, and whether the last change `"is_complete"`.
//! - `POST /v1/members` with `{"add": id, "address": address}`, `{"remove": id}` or `{"replace": id, "with": id,
//!   "address": address}` begins a change, and answers once its first entry is committed, whose index is the
//!   `"revision"`. One that the members do not allow, or that comes during another, is refused with 409.
//! - `POST /v1/transfer`, with `{"to": id}` or without a body, begins to hand the leadership over. It has succeeded
//!   once another node leads, and is given up after an election timeout; meanwhile writes are refused with 503.
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
mod question;
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
    question::Question,
    request::ReadQuery,
    response::{ApiError, ApiResponse, Subject},
};
use crate::{
    input::{Input, Inputs},
    request::{Effect, MembershipReport, Reason, Reply, Request, StatusReport},
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
        .route("/v1/members", get(members).post(change))
        .route("/v1/transfer", post(transfer))
        .fallback(async || ApiError::no_route())
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
type ApiResult = Result<ApiResponse, ApiError>;

async fn read(State(inputs): State<Inputs>, key: KeyPath, reading: ReadParameter) -> ApiResult {
    ask(&inputs, question::read(request::key(key)?, request::mode(reading))).await
}

async fn first(State(inputs): State<Inputs>, key: KeyPath, reading: ReadParameter) -> ApiResult {
    ask(&inputs, question::first(request::key(key)?, request::mode(reading))).await
}

async fn put(State(inputs): State<Inputs>, key: KeyPath, body: BodyBytes) -> ApiResult {
    ask(&inputs, question::put(request::key(key)?, &request::bytes(body)?)).await
}

async fn add(State(inputs): State<Inputs>, key: KeyPath, body: BodyBytes) -> ApiResult {
    ask(&inputs, question::add(request::key(key)?, &request::bytes(body)?)).await
}

async fn enqueue(State(inputs): State<Inputs>, key: KeyPath, body: BodyBytes) -> ApiResult {
    ask(&inputs, question::enqueue(request::key(key)?, &request::bytes(body)?)).await
}

async fn cas(State(inputs): State<Inputs>, key: KeyPath, body: BodyBytes) -> ApiResult {
    ask(&inputs, question::cas(request::key(key)?, &request::bytes(body)?)).await
}

async fn increment(State(inputs): State<Inputs>, key: KeyPath, body: BodyBytes) -> ApiResult {
    ask(&inputs, question::increment(request::key(key)?, &request::bytes(body)?)).await
}

async fn dequeue(State(inputs): State<Inputs>, key: KeyPath, body: BodyBytes) -> ApiResult {
    ask(&inputs, question::dequeue(request::key(key)?, &request::bytes(body)?)).await
}

async fn transact(State(inputs): State<Inputs>, reading: ReadParameter, body: BodyBytes) -> ApiResult {
    ask(&inputs, question::transact(request::mode(reading)?, &request::bytes(body)?)).await
}

async fn register(State(inputs): State<Inputs>) -> ApiResult {
    ask(&inputs, question::register()).await
}

async fn change(State(inputs): State<Inputs>, body: BodyBytes) -> ApiResult {
    ask(&inputs, question::change(&request::bytes(body)?)).await
}

async fn transfer(State(inputs): State<Inputs>, body: BodyBytes) -> ApiResult {
    ask(&inputs, question::transfer(&request::bytes(body)?)).await
}

async fn members(inputs: State<Inputs>) -> Result<Json<MembershipReport>, ApiError> {
    status(inputs).await.map(|Json(report)| Json(report.membership))
}

async fn status(State(inputs): State<Inputs>) -> Result<Json<StatusReport>, ApiError> {
    let (reply, answer) = oneshot::channel();
    inputs.try_send(Input::Status(reply)).map_err(|_| ApiError::unavailable(&Reason::Overloaded, Effect::No))?;
    answer.await.map(Json).map_err(|_| ApiError::unavailable(&Reason::Stopping, Effect::No))
}

/// Hands a request to the server's loop, which answers it by the deadline, if only with an error.
async fn ask(inputs: &Inputs, question: Question) -> ApiResult {
    let (subject, request) = question?;
    let unanswered = if matches!(request, Request::Read { .. }) { Effect::No } else { Effect::Unknown };
    let (reply, answer) = oneshot::channel();
    let full = |_| ApiError::unavailable(&Reason::Overloaded, Effect::No);
    inputs.try_send(Input::Client(request, reply)).map_err(full)?;
    ApiResponse::of(subject, answer.await.map_err(|_| ApiError::unavailable(&Reason::Stopping, unanswered))?)
}

/// Request of a client without a connection, and the way to answer it.
#[derive(Debug)]
pub(crate) struct DirectRequest(Subject);

impl DirectRequest {
    /// Reads a request: its method, its target such as `/v1/kv/k?read=log`, and its body.
    ///
    /// # Errors
    /// Returns the status and the body of the answer to a request that is malformed.
    pub(crate) fn read(method: &str, target: &str, body: &[u8]) -> Result<(Self, Request), (u16, Vec<u8>)> {
        let asked = question::of_message(method, target, body);
        asked.map(|(subject, request)| (Self(subject), request)).map_err(ApiError::in_bytes)
    }

    /// Returns the status and the body of the answer.
    pub(crate) fn answer(self, reply: Reply) -> (u16, Vec<u8>) {
        let answer = ApiResponse::of(self.0, reply).and_then(|response| response.in_bytes());
        answer.unwrap_or_else(ApiError::in_bytes)
    }
}

#[cfg(test)]
mod tests;
