//! Requests to the server's loop, each made from the parts of an HTTP request, with its subject, which the answer
//! repeats.

use super::{
    request::{
        self, CasBody, IncrementBody, PutBody, SessionBody, TransactionBody, TransferBody, body, body_if_any,
        micro_operations, session, value,
    },
    response::{ApiError, Subject},
};
use crate::{
    kv::{Command, Json, MicroOperation, Op, Query},
    request::{ReadMode, Request},
};

/// Request with its subject, or the answer to one that is malformed.
pub(super) type Question = Result<(Subject, Request), ApiError>;

pub(super) fn read(key: String, mode: Result<ReadMode, ApiError>) -> Question {
    let query = Query::Value(key.clone());
    Ok((Subject::Key(key), Request::Read { query, mode: mode? }))
}

pub(super) fn first(key: String, mode: Result<ReadMode, ApiError>) -> Question {
    let query = Query::First(key.clone());
    Ok((Subject::Key(key), Request::Read { query, mode: mode? }))
}

pub(super) fn put(key: String, bytes: &[u8]) -> Question {
    write_value(key, bytes, |key, value| Op::Put { key, value })
}

pub(super) fn add(key: String, bytes: &[u8]) -> Question {
    write_value(key, bytes, |key, value| Op::Add { key, value })
}

pub(super) fn enqueue(key: String, bytes: &[u8]) -> Question {
    write_value(key, bytes, |key, value| Op::Enqueue { key, value })
}

fn write_value(key: String, bytes: &[u8], op: fn(String, Json) -> Op) -> Question {
    let PutBody { value: written, client, seq } = body(bytes)?;
    let op = op(key.clone(), value("value", &written)?);
    write(Subject::Key(key), client, seq, op)
}

pub(super) fn cas(key: String, bytes: &[u8]) -> Question {
    let CasBody { from, to, client, seq } = body(bytes)?;
    let from = Json::new(&from);
    let op = match Json::new(&to) {
        Some(to) => Op::Cas { key: key.clone(), from, to },
        None => Op::Delete { key: key.clone(), from },
    };
    write(Subject::Key(key), client, seq, op)
}

pub(super) fn increment(key: String, bytes: &[u8]) -> Question {
    let IncrementBody { by, client, seq } = body(bytes)?;
    write(Subject::Key(key.clone()), client, seq, Op::Increment { key, by })
}

pub(super) fn dequeue(key: String, bytes: &[u8]) -> Question {
    let SessionBody { client, seq } = body_if_any(bytes)?;
    write(Subject::Key(key.clone()), client, seq, Op::Dequeue { key })
}

pub(super) fn transact(mode: ReadMode, bytes: &[u8]) -> Question {
    let TransactionBody { ops, client, seq } = body(bytes)?;
    let micro_operations = micro_operations(&ops)?;
    let session = session(client, seq)?;
    let key_read = |micro_operation: &MicroOperation| match micro_operation {
        MicroOperation::Read { key } => Some(key.clone()),
        MicroOperation::Append { .. }
        | MicroOperation::Write { .. }
        | MicroOperation::Add { .. }
        | MicroOperation::AtLeast { .. }
        | MicroOperation::Insert { .. } => None,
    };
    let keys_read: Option<Vec<String>> = micro_operations.iter().map(key_read).collect();
    let request = keys_read.map_or_else(
        || Request::Write(Command { session, op: Op::Transaction { micro_operations: micro_operations.clone() } }),
        |keys| Request::Read { query: Query::Values(keys), mode },
    );
    Ok((Subject::Transaction(micro_operations), request))
}

pub(super) fn change(bytes: &[u8]) -> Question {
    Ok((Subject::None, Request::Change(request::change(&body(bytes)?)?)))
}

pub(super) fn transfer(bytes: &[u8]) -> Question {
    let TransferBody { to } = body_if_any(bytes)?;
    Ok((Subject::None, Request::Transfer(to)))
}

pub(super) fn register() -> Question {
    write(Subject::None, None, None, Op::Register)
}

fn write(subject: Subject, client: Option<String>, seq: Option<u64>, op: Op) -> Question {
    Ok((subject, Request::Write(Command { session: session(client, seq)?, op })))
}

/// Reads a request that came without a connection: its method, its target such as `/v1/kv/k?read=log`, and its body.
/// Paths are taken as they are, without `%` and its codes.
pub(super) fn of_message(method: &str, target: &str, bytes: &[u8]) -> Question {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mode = || match query.strip_prefix("read=") {
        None if !query.is_empty() => Err(ApiError::bad("the only parameter is `read`")),
        name => request::mode_named(name),
    };
    let mut parts = path.strip_prefix("/v1/").unwrap_or_default().splitn(3, '/');
    let key = |key: &str| request::checked_key(key.to_owned());
    match (method, [parts.next(), parts.next(), parts.next()]) {
        ("GET", [Some("kv"), Some(of), None]) => read(key(of)?, mode()),
        ("GET", [Some("kv"), Some(of), Some("first")]) => first(key(of)?, mode()),
        ("PUT", [Some("kv"), Some(of), None]) => put(key(of)?, bytes),
        ("POST", [Some("kv"), Some(of), Some("cas")]) => cas(key(of)?, bytes),
        ("POST", [Some("kv"), Some(of), Some("increment")]) => increment(key(of)?, bytes),
        ("POST", [Some("kv"), Some(of), Some("add")]) => add(key(of)?, bytes),
        ("POST", [Some("kv"), Some(of), Some("enqueue")]) => enqueue(key(of)?, bytes),
        ("POST", [Some("kv"), Some(of), Some("dequeue")]) => dequeue(key(of)?, bytes),
        ("POST", [Some("txn"), None, None]) => transact(mode()?, bytes),
        ("POST", [Some("sessions"), None, None]) => register(),
        ("POST", [Some("members"), None, None]) => change(bytes),
        ("POST", [Some("transfer"), None, None]) => transfer(bytes),
        _ => Err(ApiError::no_route()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, target: &str, body: &str) -> Option<Request> {
        of_message(method, target, body.as_bytes()).ok().map(|(_, request)| request)
    }

    #[test]
    fn a_message_asks_for_what_its_route_does() {
        let query = Query::Value("k".to_owned());
        let read = |mode| Some(Request::Read { query: query.clone(), mode });
        assert_eq!(asked("GET", "/v1/kv/k?read=log", ""), read(ReadMode::Log));
        assert_eq!(asked("GET", "/v1/kv/k", ""), read(ReadMode::Quorum));
        let value = Json::new(&5.into()).unwrap();
        let put = Command { session: None, op: Op::Put { key: "k".to_owned(), value } };
        assert_eq!(asked("PUT", "/v1/kv/k", r#"{"value":5}"#), Some(Request::Write(put)));
        let increment = Command { session: None, op: Op::Increment { key: "k".to_owned(), by: 2 } };
        assert_eq!(asked("POST", "/v1/kv/k/increment", r#"{"by":2}"#), Some(Request::Write(increment)));
        for (method, target) in
            [("GET", "/v1/kv/k?read=lucky"), ("GET", "/v1/kv/k?mode=log"), ("PUT", "/v1/kv/k/cas"), ("GET", "/kv/k")]
        {
            assert_eq!(asked(method, target, "{}"), None, "{method} {target}");
        }
    }
}
