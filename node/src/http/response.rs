//! Responses to clients, with their status codes.

use std::borrow::Cow;

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    kv::{self, CommandResult, MicroOperation},
    raft::{ChangeRefusal, LogIndex, NodeId, Role, Term},
    request::{Effect, Failure, Reason, Reply},
};

/// Successful operation, with the node that answered.
#[derive(Debug)]
pub(super) struct ApiResponse {
    pub(super) subject: Subject,
    pub(super) applied: CommandResult,
    pub(super) node: NodeId,
    pub(super) role: Role,
    pub(super) term: Term,
}

/// Subject of an operation, which its answer repeats.
#[derive(Debug)]
pub(super) enum Subject {
    /// Subject of a registration, and of what is not about the data.
    None,
    /// Key of the operation.
    Key(String),
    /// Micro-operations of a transaction.
    Transaction(Vec<MicroOperation>),
}

/// Body of any response; fields that do not apply are left out.
#[derive(Serialize)]
struct ResponseBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    swapped: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    added: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ops: Option<Vec<(&'static str, &'a str, Cow<'a, RawValue>)>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<LogIndex>,
    node: NodeId,
    role: Role,
    term: Term,
}

impl IntoResponse for ApiResponse {
    fn into_response(self) -> Response {
        let body = self.body().map(|body| Json(body).into_response());
        body.unwrap_or_else(IntoResponse::into_response)
    }
}

impl ApiResponse {
    /// Creates the response of a node's reply.
    ///
    /// # Errors
    /// Returns the failure that the reply is.
    pub(super) fn of(subject: Subject, reply: Reply) -> Result<Self, ApiError> {
        let Reply { node, role, term, result } = reply;
        let applied = result.map_err(ApiError::from)?;
        Ok(Self { subject, applied, node, role, term })
    }

    /// Returns the status and the body.
    ///
    /// # Errors
    /// Returns the error that the result of the command is.
    pub(super) fn in_bytes(&self) -> Result<(u16, Vec<u8>), ApiError> {
        self.body().map(|body| (StatusCode::OK.as_u16(), to_bytes(&body)))
    }

    fn body(&self) -> Result<ResponseBody<'_>, ApiError> {
        let unknown = |reason| Err(ApiError::from(Failure { reason, effect: Effect::Unknown }));
        let &Self { ref subject, node, role, term, .. } = self;
        let key = if let Subject::Key(key) = subject { Some(key.as_str()) } else { None };
        let body = ResponseBody {
            key,
            client: None,
            value: None,
            swapped: None,
            added: None,
            ops: None,
            observed: None,
            revision: None,
            node,
            role,
            term,
        };
        Ok(match &self.applied {
            CommandResult::Got(found) => {
                ResponseBody { value: Some(json(found.value.as_ref())), revision: Some(found.revision), ..body }
            }
            CommandResult::Put(revision) => ResponseBody { revision: Some(*revision), ..body },
            CommandResult::Cas { swapped, observed, revision } => {
                let observed = Some(json(observed.as_ref()));
                ResponseBody { swapped: Some(*swapped), observed, revision: Some(*revision), ..body }
            }
            CommandResult::Added { added, revision } => {
                ResponseBody { added: Some(*added), revision: Some(*revision), ..body }
            }
            CommandResult::Transaction { found, revision } => {
                ResponseBody { ops: Some(answered(subject, found)), revision: Some(*revision), ..body }
            }
            CommandResult::Begun => body,
            CommandResult::Refused(refusal) => {
                return Err(ApiError::refused(StatusCode::CONFLICT, refusal.to_string()));
            }
            CommandResult::Registered(client) => ResponseBody { client: Some(client.to_string()), ..body },
            CommandResult::OutOfSequence { latest } => return unknown(Reason::OutOfSequence { latest: *latest }),
            CommandResult::Expired => return unknown(Reason::SessionExpired),
        })
    }
}

fn to_bytes(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("a response is plain data")
}

/// Returns the micro-operations of a transaction with the values that they read, and the rows that they inserted.
fn answered<'a>(
    subject: &'a Subject,
    found: &'a [Option<kv::Json>],
) -> Vec<(&'static str, &'a str, Cow<'a, RawValue>)> {
    let Subject::Transaction(micro_operations) = subject else { return Vec::new() };
    let with_found = |(micro_operation, found): (&'a MicroOperation, &'a Option<kv::Json>)| match micro_operation {
        MicroOperation::Append { key, value } => ("append", key.as_str(), Cow::Borrowed(json(Some(value)))),
        MicroOperation::Write { key, value } => ("w", key.as_str(), Cow::Borrowed(json(Some(value)))),
        MicroOperation::Add { key, number } => ("add", key.as_str(), Cow::Owned(of_number(*number))),
        MicroOperation::AtLeast { key, number } => ("at-least", key.as_str(), Cow::Owned(of_number(*number))),
        MicroOperation::Insert { key } => ("insert", key.as_str(), Cow::Borrowed(json(found.as_ref()))),
        MicroOperation::Read { key } => ("r", key.as_str(), Cow::Borrowed(json(found.as_ref()))),
    };
    micro_operations.iter().zip(found).map(with_found).collect()
}

/// Returns a number as raw JSON.
fn of_number(number: i64) -> Box<RawValue> {
    RawValue::from_string(number.to_string()).expect("a number is JSON")
}

/// Returns a stored value as raw JSON, and an absent one as `null`.
fn json(value: Option<&kv::Json>) -> &RawValue {
    serde_json::from_str(value.map_or("null", kv::Json::as_str)).expect("stored values are JSON")
}

/// Failed operation.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    error: String,
    effect: Effect,
}

impl ApiError {
    /// Creates the answer to a malformed request, which has had no effect.
    pub(super) fn bad(error: impl Into<String>) -> Self {
        Self::refused(StatusCode::BAD_REQUEST, error)
    }

    /// Creates the answer to a request that has had no effect.
    pub(super) fn refused(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), effect: Effect::No }
    }

    /// Creates the answer to a request for something that there is not.
    pub(super) fn no_route() -> Self {
        Self::refused(StatusCode::NOT_FOUND, "no such route")
    }

    /// Returns the status and the body.
    pub(super) fn in_bytes(self) -> (u16, Vec<u8>) {
        (self.status.as_u16(), to_bytes(&ErrorBody { error: self.error, happened: self.effect }))
    }

    /// Creates the answer to a request that the node cannot serve now.
    pub(super) fn unavailable(reason: &Reason, effect: Effect) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, error: reason.to_string(), effect }
    }
}

/// Body of a response to a failed request.
#[derive(Serialize)]
struct ErrorBody {
    error: String,
    happened: Effect,
}

impl From<Failure> for ApiError {
    fn from(Failure { reason, effect }: Failure) -> Self {
        let status = match reason {
            Reason::Deadline => StatusCode::GATEWAY_TIMEOUT,
            Reason::SessionExpired => StatusCode::GONE,
            Reason::NoLeases => StatusCode::BAD_REQUEST,
            Reason::NoLeader
            | Reason::LeaderChanged
            | Reason::NoQuorum
            | Reason::Unreachable(_)
            | Reason::Overloaded
            | Reason::Superseded
            | Reason::Change(ChangeRefusal::Transferring)
            | Reason::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            Reason::OutOfSequence { .. } | Reason::Change(_) => StatusCode::CONFLICT,
        };
        Self { status, error: reason.to_string(), effect }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(ErrorBody { error: self.error, happened: self.effect })).into_response()
    }
}
