//! Requests of clients, checked before the server's loop receives them: a request that fails here has had no effect.

use std::net::SocketAddr;

use axum::{
    body::Bytes,
    extract::{
        Path, Query,
        rejection::{BytesRejection, PathRejection, QueryRejection},
    },
};
use serde::{
    Deserialize,
    de::{self, DeserializeOwned, value::StrDeserializer},
};
use serde_json::Value;

use super::response::ApiError;
use crate::{
    kv::{Json, MAX_MICRO_OPERATIONS, MicroOperation, Session},
    raft::{Change, LogIndex, NodeId},
    request::ReadMode,
};

/// Maximum length of a key, in bytes.
const MAX_KEY_BYTES: usize = 256;

/// Query `?read=…`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadQuery {
    #[serde(default)]
    pub(super) read: ReadMode,
}

/// Body of a write.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PutBody {
    pub(super) value: Value,
    pub(super) client: Option<String>,
    pub(super) seq: Option<u64>,
}

/// Body of a compare-and-set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CasBody {
    pub(super) from: Value,
    pub(super) to: Value,
    pub(super) client: Option<String>,
    pub(super) seq: Option<u64>,
}

/// Body of an increment.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IncrementBody {
    pub(super) by: i64,
    pub(super) client: Option<String>,
    pub(super) seq: Option<u64>,
}

/// Body of an operation without arguments.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionBody {
    pub(super) client: Option<String>,
    pub(super) seq: Option<u64>,
}

/// Body of a change of the members.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeBody {
    add: Option<NodeId>,
    remove: Option<NodeId>,
    replace: Option<NodeId>,
    with: Option<NodeId>,
    address: Option<SocketAddr>,
}

/// Body of a transfer of the leadership.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TransferBody {
    pub(super) to: Option<NodeId>,
}

/// Body of a transaction.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TransactionBody {
    /// Micro-operations: name, key, and argument.
    pub(super) ops: Vec<(String, String, Value)>,
    pub(super) client: Option<String>,
    pub(super) seq: Option<u64>,
}

pub(super) fn mode(query: Result<Query<ReadQuery>, QueryRejection>) -> Result<ReadMode, ApiError> {
    let Query(ReadQuery { read }) = query.map_err(|rejection| ApiError::bad(rejection.body_text()))?;
    Ok(read)
}

/// Returns the mode of this name; the default one without a name.
pub(super) fn mode_named(name: Option<&str>) -> Result<ReadMode, ApiError> {
    let Some(name) = name else { return Ok(ReadMode::default()) };
    let mode = ReadMode::deserialize(StrDeserializer::new(name));
    mode.map_err(|error: de::value::Error| ApiError::bad(error.to_string()))
}

pub(super) fn key(key: Result<Path<String>, PathRejection>) -> Result<String, ApiError> {
    let Path(key) = key.map_err(|rejection| ApiError::bad(rejection.body_text()))?;
    checked_key(key)
}

/// Returns a key unless it is too long or has control characters.
pub(super) fn checked_key(key: String) -> Result<String, ApiError> {
    check_key(&key)?;
    Ok(key)
}

fn check_key(key: &str) -> Result<(), ApiError> {
    if key.len() > MAX_KEY_BYTES {
        return Err(ApiError::bad(format!("a key has at most {MAX_KEY_BYTES} bytes")));
    }
    if key.chars().any(char::is_control) {
        return Err(ApiError::bad("a key has no control characters"));
    }
    Ok(())
}

/// Returns the micro-operations of a transaction; refuses none at all, too many, and any that it does not know.
pub(super) fn micro_operations(ops: &[(String, String, Value)]) -> Result<Vec<MicroOperation>, ApiError> {
    if !(1..=MAX_MICRO_OPERATIONS).contains(&ops.len()) {
        return Err(ApiError::bad(format!("a transaction has from 1 to {MAX_MICRO_OPERATIONS} operations")));
    }
    ops.iter().map(|(name, key, argument)| micro_operation(name, key, argument)).collect()
}

fn micro_operation(name: &str, key: &str, argument: &Value) -> Result<MicroOperation, ApiError> {
    if key.is_empty() {
        return Err(ApiError::bad("a key is not empty"));
    }
    check_key(key)?;
    match name {
        "append" => Ok(MicroOperation::Append { key: key.to_owned(), value: value("append", argument)? }),
        "w" => Ok(MicroOperation::Write { key: key.to_owned(), value: value("w", argument)? }),
        "add" => Ok(MicroOperation::Add { key: key.to_owned(), number: whole("add", argument)? }),
        "at-least" => Ok(MicroOperation::AtLeast { key: key.to_owned(), number: whole("at-least", argument)? }),
        "r" if argument.is_null() => Ok(MicroOperation::Read { key: key.to_owned() }),
        "insert" if argument.is_null() => Ok(MicroOperation::Insert { key: key.to_owned() }),
        "r" | "insert" => Err(ApiError::bad(format!("`{name}` has no argument: it is [\"{name}\", key, null]"))),
        _ => Err(ApiError::bad(
            "an operation of a transaction is [\"append\", key, value], [\"w\", key, value], [\"add\", key, number], \
            [\"at-least\", key, number], [\"insert\", key, null] or [\"r\", key, null]",
        )),
    }
}

/// Returns the change that a body asks for; refuses any that names more or less than that takes.
pub(super) fn change(body: &ChangeBody) -> Result<Change, ApiError> {
    let change = match *body {
        ChangeBody { add: Some(node), remove: None, replace: None, with: None, address: Some(address) } => {
            Change::Add { node, address }
        }
        ChangeBody { add: None, remove: Some(node), replace: None, with: None, address: None } => {
            Change::Remove { node }
        }
        ChangeBody { add: None, remove: None, replace: Some(old), with: Some(new), address: Some(address) } => {
            Change::Replace { old, new, address }
        }
        _ => {
            return Err(ApiError::bad(
                "a change is {\"add\": id, \"address\": address}, {\"remove\": id} or {\"replace\": id, \"with\": id, \
                \"address\": address}",
            ));
        }
    };
    match change {
        Change::Add { node: NodeId(0), .. } | Change::Replace { new: NodeId(0), .. } => {
            Err(ApiError::bad("ids start at 1"))
        }
        _ => Ok(change),
    }
}

fn whole(name: &str, argument: &Value) -> Result<i64, ApiError> {
    argument.as_i64().ok_or_else(|| ApiError::bad(format!("`{name}` takes a whole number of 64 bits")))
}

/// Returns the bytes of a body that arrived.
pub(super) fn bytes(body: Result<Bytes, BytesRejection>) -> Result<Bytes, ApiError> {
    body.map_err(|rejection| ApiError::refused(rejection.status(), rejection.body_text()))
}

pub(super) fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| ApiError::bad(format!("the body: {error}")))
}

/// Returns the body, which may be left out.
pub(super) fn body_if_any<T: DeserializeOwned + Default>(bytes: &[u8]) -> Result<T, ApiError> {
    if bytes.is_empty() { Ok(T::default()) } else { body(bytes) }
}

/// Converts a value to be written; refuses `null`.
pub(super) fn value(field: &str, value: &Value) -> Result<Json, ApiError> {
    Json::new(value).ok_or_else(|| {
        ApiError::bad(format!("`{field}` is null, which stands for an absent key and cannot be written"))
    })
}

pub(super) fn session(client: Option<String>, seq: Option<u64>) -> Result<Option<Session>, ApiError> {
    match (client, seq) {
        (None, None) => Ok(None),
        (Some(client), Some(seq)) => {
            let none =
                |_| ApiError::bad("`client` is no session's: POST /v1/sessions begins one and gives it its name");
            Ok(Some(Session { client: LogIndex(client.parse().map_err(none)?), seq }))
        }
        (Some(_), None) | (None, Some(_)) => Err(ApiError::bad("`client` and `seq` go together")),
    }
}
