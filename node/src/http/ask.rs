//! Requests of clients, checked before the server's loop receives them: a request that fails here has had no effect.

use axum::{
    body::Bytes,
    extract::{
        Path,
        rejection::{BytesRejection, PathRejection},
    },
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::answer::ApiError;
use crate::{
    kv::{Json, Session},
    raft::LogIndex,
    request::Mode,
};

/// Maximum length of a key, in bytes.
const MAX_KEY_BYTES: usize = 256;
/// Query `?read=…`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadQuery {
    #[serde(default)]
    pub(super) read: Mode,
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

pub(super) fn key(key: Result<Path<String>, PathRejection>) -> Result<String, ApiError> {
    let Path(key) = key.map_err(|rejection| ApiError::bad(rejection.body_text()))?;
    if key.len() > MAX_KEY_BYTES {
        return Err(ApiError::bad(format!("a key has at most {MAX_KEY_BYTES} bytes")));
    }
    if key.chars().any(char::is_control) {
        return Err(ApiError::bad("a key has no control characters"));
    }
    Ok(key)
}

pub(super) fn body<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, ApiError> {
    let bytes = body.map_err(|rejection| ApiError::refused(rejection.status(), rejection.body_text()))?;
    serde_json::from_slice(&bytes).map_err(|error| ApiError::bad(format!("the body: {error}")))
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
