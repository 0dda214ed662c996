//! Sessions of the key-value API: a write that is sent again in its session takes effect once.

use hyper::Method;
use serde_json::{Map, Value};

use crate::Message;

/// Session of one client, which numbers its writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    name: String,
    last: u64,
}

impl Session {
    /// Returns the request that begins a session.
    pub fn request() -> Message {
        Message::post("/v1/sessions".to_owned())
    }

    /// Reads the answer to that request; none if it begins no session.
    pub fn begin(status: u16, body: &[u8]) -> Option<Self> {
        let answer: Value = serde_json::from_slice(body).ok().filter(|_| status == 200)?;
        Some(Self { name: answer.get("client")?.as_str()?.to_owned(), last: 0 })
    }

    /// Returns the request as the next write of this session; one that only reads stays as it is.
    pub fn next(&mut self, message: Message) -> Message {
        if message.method == Method::GET {
            return message;
        }
        self.last += 1;
        let body = message.body.as_deref().and_then(|body| serde_json::from_slice(body).ok());
        let mut fields: Map<String, Value> = body.unwrap_or_default();
        fields.insert("client".to_owned(), self.name.as_str().into());
        fields.insert("seq".to_owned(), self.last.into());
        message.json(&fields)
    }
}
