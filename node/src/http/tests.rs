//! Tests of the API against a loop played by the test, so that each answer can be chosen.

use std::{
    net::SocketAddr,
    sync::mpsc::{Receiver, sync_channel},
    time::Instant,
};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::*;
use crate::{
    kv::{Command, CommandResult, MicroOperation, Op, Query as KvQuery, VersionedValue},
    raft::{LogIndex, NodeId, Role, Term},
    request::{Failure, ReadMode},
};

const MAX_BODY_BYTES: usize = 200;

/// API whose inputs the test receives, with a client for it.
struct Api {
    address: SocketAddr,
    received: Receiver<Input>,
    client: reqwest::Client,
}

impl Api {
    async fn new(max_inputs: usize) -> Self {
        Self::with(max_inputs, Limits::new(100, MAX_BODY_BYTES)).await
    }

    async fn with(max_inputs: usize, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (inputs, received) = sync_channel(max_inputs);
        tokio::spawn(serve(listener, inputs, limits));
        Self { address, received, client: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    async fn call(&self, method: Method, path: &str, body: &str) -> (u16, Value) {
        let url = format!("http://{}{path}", self.address);
        let response = self.client.request(method, url).body(body.to_owned()).send().await.unwrap();
        (response.status().as_u16(), serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
    }

    /// Sends a request, answers the resulting input with `result`, and returns that input and the response.
    async fn answered(
        &self,
        method: Method,
        path: &str,
        body: &str,
        result: Result<CommandResult, Failure>,
    ) -> (Request, u16, Value) {
        let answer = async {
            loop {
                if let Ok(Input::Client(request, reply)) = self.received.try_recv() {
                    reply.send(Reply { node: NodeId(2), role: Role::Follower, term: Term(3), result }).unwrap();
                    return request;
                }
                tokio::task::yield_now().await;
            }
        };
        let ((status, body), request) = tokio::join!(self.call(method, path, body), answer);
        (request, status, body)
    }
}

fn stored(value: &Value) -> Option<crate::kv::Json> {
    crate::kv::Json::new(value)
}

#[tokio::test]
async fn a_read_names_its_mode_and_gets_value_revision_and_node() {
    let api = Api::new(8).await;
    let modes = [("", ReadMode::Quorum), ("?read=local", ReadMode::Local), ("?read=leader", ReadMode::Leader)];
    for (query, mode) in modes.into_iter().chain([("?read=lease", ReadMode::Lease), ("?read=log", ReadMode::Log)]) {
        let found = VersionedValue { value: stored(&json!({"b": [1, "x"]})), revision: LogIndex(17) };
        let path = format!("/v1/kv/k{query}");
        let (request, status, body) = api.answered(Method::GET, &path, "", Ok(CommandResult::Got(found))).await;
        assert_eq!(request, Request::Read { query: KvQuery::Value("k".into()), mode });
        let expected =
            json!({"key": "k", "value": {"b": [1, "x"]}, "revision": 17, "node": 2, "role": "follower", "term": 3});
        assert_eq!((status, body), (200, expected));
    }
}

#[tokio::test]
async fn an_absent_key_is_null_at_revision_zero() {
    let api = Api::new(8).await;
    let found = VersionedValue { value: None, revision: LogIndex(0) };
    let (request, status, body) =
        api.answered(Method::GET, "/v1/kv/a%2Fb%20c", "", Ok(CommandResult::Got(found))).await;
    assert_eq!(request, Request::Read { query: KvQuery::Value("a/b c".into()), mode: ReadMode::Quorum });
    assert_eq!(
        (status, &body["key"], &body["value"], &body["revision"]),
        (200, &json!("a/b c"), &json!(null), &json!(0))
    );
    assert!(body.as_object().unwrap().contains_key("value"));
}

#[tokio::test]
async fn writes_and_cas_carry_their_session_and_tell_what_they_did() {
    let api = Api::new(8).await;
    let put = r#"{"value": 5, "client": "17", "seq": 1}"#;
    let (request, status, body) = api.answered(Method::PUT, "/v1/kv/k", put, Ok(CommandResult::Put(LogIndex(9)))).await;
    let session = Some(crate::kv::Session { client: LogIndex(17), seq: 1 });
    let op = Op::Put { key: "k".into(), value: stored(&json!(5)).unwrap() };
    assert_eq!(request, Request::Write(Command { session, op }));
    assert_eq!((status, body), (200, json!({"key": "k", "revision": 9, "node": 2, "role": "follower", "term": 3})));

    let applied = CommandResult::Cas { swapped: false, observed: stored(&json!(4)), revision: LogIndex(8) };
    let (request, status, body) =
        api.answered(Method::POST, "/v1/kv/k/cas", r#"{"from": null, "to": "x"}"#, Ok(applied)).await;
    let op = Op::Cas { key: "k".into(), from: None, to: stored(&json!("x")).unwrap() };
    assert_eq!(request, Request::Write(Command { session: None, op }));
    let expected =
        json!({"key": "k", "swapped": false, "observed": 4, "revision": 8, "node": 2, "role": "follower", "term": 3});
    assert_eq!((status, body), (200, expected));
}

#[tokio::test]
async fn sets_and_queues_are_asked_by_key() {
    let api = Api::new(8).await;
    let node = |mut body: Value| {
        let about = json!({"key": "k", "node": 2, "role": "follower", "term": 3});
        body.as_object_mut().unwrap().extend(about.as_object().unwrap().clone());
        body
    };
    let (key, value) = (|| "k".to_owned(), || stored(&json!([5])).unwrap());
    let session = Some(crate::kv::Session { client: LogIndex(17), seq: 1 });
    let got = |value: Value| Ok(CommandResult::Got(VersionedValue { value: stored(&value), revision: LogIndex(9) }));
    for (path, body, op, result, expected) in [
        (
            "add",
            r#"{"value": [5]}"#,
            Op::Add { key: key(), value: value() },
            Ok(CommandResult::Added { added: false, revision: LogIndex(9) }),
            json!({"added": false, "revision": 9}),
        ),
        (
            "enqueue",
            r#"{"value": [5]}"#,
            Op::Enqueue { key: key(), value: value() },
            Ok(CommandResult::Put(LogIndex(9))),
            json!({"revision": 9}),
        ),
        ("dequeue", "", Op::Dequeue { key: key() }, got(json!(5)), json!({"value": 5, "revision": 9})),
        ("dequeue", "{}", Op::Dequeue { key: key() }, got(json!(null)), json!({"value": null, "revision": 9})),
    ] {
        let (request, status, answer) =
            api.answered(Method::POST, &format!("/v1/kv/k/{path}"), body, result.clone()).await;
        assert_eq!(request, Request::Write(Command { session: None, op: op.clone() }));
        assert_eq!((status, answer), (200, node(expected)));
        let with_session = r#"{"value": [5], "client": "17", "seq": 1}"#;
        let with_session = if path == "dequeue" { r#"{"client": "17", "seq": 1}"# } else { with_session };
        let (request, ..) = api.answered(Method::POST, &format!("/v1/kv/k/{path}"), with_session, result).await;
        assert_eq!(request, Request::Write(Command { session, op }));
    }
    let (request, status, answer) =
        api.answered(Method::GET, "/v1/kv/k/first?read=leader", "", got(json!({"a": 1}))).await;
    assert_eq!(request, Request::Read { query: KvQuery::First(key()), mode: ReadMode::Leader });
    assert_eq!((status, answer), (200, node(json!({"value": {"a": 1}, "revision": 9}))));
}

#[tokio::test]
async fn integers_are_incremented_and_a_cas_to_nothing_removes() {
    let api = Api::new(8).await;
    let session = Some(crate::kv::Session { client: LogIndex(17), seq: 1 });
    let sum = CommandResult::Got(VersionedValue { value: stored(&json!(5)), revision: LogIndex(9) });
    let increment = r#"{"by": -2, "client": "17", "seq": 1}"#;
    let (request, status, body) = api.answered(Method::POST, "/v1/kv/k/increment", increment, Ok(sum)).await;
    assert_eq!(request, Request::Write(Command { session, op: Op::Increment { key: "k".into(), by: -2 } }));
    assert_eq!((status, &body["value"], &body["revision"]), (200, &json!(5), &json!(9)));

    let removed = CommandResult::Cas { swapped: true, observed: stored(&json!(7)), revision: LogIndex(0) };
    let cas = r#"{"from": 7, "to": null}"#;
    let (request, status, body) = api.answered(Method::POST, "/v1/kv/k/cas", cas, Ok(removed)).await;
    let op = Op::Delete { key: "k".into(), from: stored(&json!(7)) };
    assert_eq!(request, Request::Write(Command { session: None, op }));
    assert_eq!((status, &body["swapped"], &body["observed"]), (200, &json!(true), &json!(7)));
}

#[tokio::test]
async fn a_transaction_is_answered_with_what_it_read() {
    let api = Api::new(8).await;
    let read = |key: &str| MicroOperation::Read { key: key.into() };
    let micro_operations =
        vec![MicroOperation::Append { key: "a".into(), value: stored(&json!(5)).unwrap() }, read("a"), read("b")];
    let found = vec![None, stored(&json!([1, 5])), None];
    let applied = Ok(CommandResult::Transaction { found, revision: LogIndex(9) });
    let body = r#"{"ops": [["append", "a", 5], ["r", "a", null], ["r", "b", null]], "client": "17", "seq": 2}"#;
    let (request, status, answer) = api.answered(Method::POST, "/v1/txn?read=leader", body, applied).await;
    let session = Some(crate::kv::Session { client: LogIndex(17), seq: 2 });
    assert_eq!(request, Request::Write(Command { session, op: Op::Transaction { micro_operations } }), "never a read");
    let ops = json!([["append", "a", 5], ["r", "a", [1, 5]], ["r", "b", null]]);
    assert_eq!((status, answer), (200, json!({"ops": ops, "revision": 9, "node": 2, "role": "follower", "term": 3})));

    let found = vec![stored(&json!([7])), None];
    let applied = Ok(CommandResult::Transaction { found, revision: LogIndex(4) });
    let body = r#"{"ops": [["r", "a", null], ["r", "b", null]]}"#;
    let (request, _, answer) = api.answered(Method::POST, "/v1/txn?read=leader", body, applied).await;
    let query = KvQuery::Values(vec!["a".into(), "b".into()]);
    assert_eq!(request, Request::Read { query, mode: ReadMode::Leader });
    assert_eq!((&answer["ops"], &answer["revision"]), (&json!([["r", "a", [7]], ["r", "b", null]]), &json!(4)));
}

#[tokio::test]
async fn an_operation_that_does_not_fit_the_value_has_not_happened() {
    let api = Api::new(8).await;
    let refused = Ok(CommandResult::Refused(crate::kv::Refusal::NotAList));
    let (_, status, body) = api.answered(Method::POST, "/v1/kv/k/dequeue", "", refused).await;
    assert_eq!((status, body), (409, json!({"error": "the value of the key is no list", "happened": "no"})));
}

#[tokio::test]
async fn wrong_input_is_refused_and_never_reaches_the_loop() {
    let api = Api::new(8).await;
    let long_key = format!("/v1/kv/{}", "k".repeat(257));
    let large = json!({ "value": "x".repeat(MAX_BODY_BYTES) }).to_string();
    let cases = [
        (Method::POST, "/v1/txn", "{}", 400, "missing field `ops`"),
        (Method::POST, "/v1/txn", r#"{"ops": []}"#, 400, "from 1 to 16 operations"),
        (Method::POST, "/v1/txn", r#"{"ops": [["r", "k"]]}"#, 400, "invalid length"),
        (Method::POST, "/v1/txn", r#"{"ops": [["r", 5, null]]}"#, 400, "expected a string"),
        (Method::POST, "/v1/txn", r#"{"ops": [["r", "", null]]}"#, 400, "a key is not empty"),
        (Method::POST, "/v1/txn", r#"{"ops": [["r", "\u0001", null]]}"#, 400, "control characters"),
        (Method::POST, "/v1/txn", r#"{"ops": [["r", "k", [1]]]}"#, 400, "`r` has no argument"),
        (Method::POST, "/v1/txn", r#"{"ops": [["write", "k", 1]]}"#, 400, "[\"w\", key, value], "),
        (Method::POST, "/v1/txn", r#"{"ops": [["add", "k", "1"]]}"#, 400, "`add` takes a whole number"),
        (Method::POST, "/v1/txn", r#"{"ops": [["at-least", "k", 0.5]]}"#, 400, "`at-least` takes a whole number"),
        (Method::POST, "/v1/txn", r#"{"ops": [["insert", "k", 1]]}"#, 400, "`insert` has no argument"),
        (Method::POST, "/v1/txn", r#"{"ops": [["w", "k", null]]}"#, 400, "`w` is null"),
        (Method::POST, "/v1/txn", r#"{"ops": [["append", "k", null]]}"#, 400, "`append` is null"),
        (Method::POST, "/v1/txn?read=eventual", r#"{"ops": [["r", "k", null]]}"#, 400, "unknown variant `eventual`"),
        (Method::POST, "/v1/txn", r#"{"ops": [["r", "k", null]], "seq": 1}"#, 400, "`client` and `seq` go together"),
        (Method::POST, "/v1/kv/k/add", r#"{"value": null}"#, 400, "`value` is null"),
        (Method::POST, "/v1/kv/k/enqueue", "", 400, "EOF while parsing"),
        (Method::POST, "/v1/kv/k/dequeue", r#"{"value": 1}"#, 400, "unknown field `value`"),
        (Method::GET, "/v1/kv/k/first?raed=log", "", 400, "unknown field `raed`"),
        (Method::GET, "/v1/kv/k/dequeue", "", 405, "no such method"),
        (Method::GET, "/v1/txn", "", 405, "no such method"),
        (Method::GET, "/v1/kv/k?read=eventual", "", 400, "unknown variant `eventual`, expected one of `local`"),
        (Method::GET, "/v1/kv/k?raed=log", "", 400, "unknown field `raed`"),
        (Method::GET, long_key.as_str(), "", 400, "a key has at most 256 bytes"),
        (Method::GET, "/v1/kv/%00", "", 400, "a key has no control characters"),
        (Method::GET, "/v1/kv/%ff", "", 400, "UTF-8"),
        (Method::PUT, "/v1/kv/k", "{", 400, "EOF while parsing"),
        (Method::PUT, "/v1/kv/k", "", 400, "EOF while parsing"),
        (Method::PUT, "/v1/kv/k", "{}", 400, "missing field `value`"),
        (Method::PUT, "/v1/kv/k", r#"{"value": null}"#, 400, "`value` is null"),
        (Method::PUT, "/v1/kv/k", r#"{"value": 1, "valeu": 2}"#, 400, "unknown field `valeu`"),
        (Method::PUT, "/v1/kv/k", r#"{"value": 1} x"#, 400, "trailing characters"),
        (Method::PUT, "/v1/kv/k", r#"{"value": 1, "client": "c"}"#, 400, "`client` and `seq` go together"),
        (Method::PUT, "/v1/kv/k", r#"{"value": 1, "client": "", "seq": 1}"#, 400, "`client` is no session's"),
        (Method::PUT, "/v1/kv/k", r#"{"value": 1, "client": "me", "seq": 1}"#, 400, "POST /v1/sessions"),
        (Method::PUT, "/v1/kv/k", r#"{"value": 1, "client": "c", "seq": -1}"#, 400, "invalid value"),
        (Method::PUT, "/v1/kv/k", large.as_str(), 413, "length limit"),
        (Method::POST, "/v1/kv/k/cas", r#"{"to": 1}"#, 400, "missing field `from`"),
        (Method::POST, "/v1/kv/k/cas", r#"{"from": 1}"#, 400, "missing field `to`"),
        (Method::POST, "/v1/kv/k/increment", r#"{"by": 1.5}"#, 400, "invalid type"),
        (Method::POST, "/v1/kv/k/increment", "{}", 400, "missing field `by`"),
        (Method::GET, "/v1/kv/", "", 404, "no such route"),
        (Method::GET, "/", "", 404, "no such route"),
        (Method::DELETE, "/v1/kv/k", "", 405, "no such method"),
        (Method::GET, "/v1/kv/k/cas", "", 405, "no such method"),
    ];
    for (method, path, body, status, error) in cases {
        let what = format!("{method} {path} {body}");
        let (found, answer) = api.call(method, path, body).await;
        assert_eq!((found, &answer["happened"]), (status, &json!("no")), "{what}: {answer}");
        assert!(answer["error"].as_str().unwrap().contains(error), "{what}: {answer}");
    }
    assert!(api.received.try_recv().is_err());
}

#[tokio::test]
async fn each_failure_has_its_status_and_says_whether_it_may_have_happened() {
    let api = Api::new(8).await;
    let cases = [
        (Reason::NoLeader, Effect::No, 503, json!({"error": "no leader", "happened": "no"})),
        (Reason::Deadline, Effect::Unknown, 504, json!({"error": "no answer in time", "happened": "unknown"})),
        (Reason::Overloaded, Effect::No, 503, json!({"error": "overloaded", "happened": "no"})),
    ];
    for (reason, effect, status, expected) in cases {
        let failure = Err(Failure { reason, effect });
        let (_, found, body) = api.answered(Method::PUT, "/v1/kv/k", r#"{"value":1}"#, failure).await;
        assert_eq!((found, body), (status, expected));
    }
    let reused = Ok(CommandResult::OutOfSequence { latest: 7 });
    let (_, status, body) = api.answered(Method::PUT, "/v1/kv/k", r#"{"value":1}"#, reused).await;
    assert_eq!((status, &body["happened"]), (409, &json!("unknown")));
    let (_, status, body) = api.answered(Method::PUT, "/v1/kv/k", r#"{"value":1}"#, Ok(CommandResult::Expired)).await;
    assert_eq!((status, &body["happened"]), (410, &json!("unknown")), "it may be a retry of what happened long ago");
}

#[tokio::test]
async fn a_transaction_has_a_bounded_number_of_operations() {
    let api = Api::with(8, Limits::new(100, 10_000)).await;
    let many = |count: usize| json!({ "ops": vec![json!(["r", "k", null]); count] }).to_string();
    let (status, body) = api.call(Method::POST, "/v1/txn", &many(17)).await;
    assert_eq!(status, 400, "{body}");
    assert!(body["error"].as_str().unwrap().contains("from 1 to 16 operations"), "{body}");
    let applied = Ok(CommandResult::Transaction { found: vec![None; 16], revision: LogIndex(1) });
    assert_eq!(api.answered(Method::POST, "/v1/txn", &many(16), applied).await.1, 200);
}

#[tokio::test]
async fn a_session_begins_with_a_name() {
    let api = Api::new(8).await;
    let registered = Ok(CommandResult::Registered(LogIndex(17)));
    let (request, status, body) = api.answered(Method::POST, "/v1/sessions", "", registered).await;
    assert_eq!(request, Request::Write(Command { session: None, op: Op::Register }));
    assert_eq!((status, body), (200, json!({"client": "17", "node": 2, "role": "follower", "term": 3})));
}

#[tokio::test]
async fn a_full_loop_is_overloaded_and_a_gone_one_leaves_writes_unknown() {
    let api = Api::new(0).await;
    let (status, body) = api.call(Method::PUT, "/v1/kv/k", r#"{"value":1}"#).await;
    assert_eq!((status, body), (503, json!({"error": "overloaded", "happened": "no"})));

    let api = Api::new(8).await;
    let lose = async {
        while api.received.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
    };
    let ((status, body), ()) = tokio::join!(api.call(Method::PUT, "/v1/kv/k", r#"{"value":1}"#), lose);
    assert_eq!((status, body), (503, json!({"error": "the node is stopping", "happened": "unknown"})));
}

const LIMIT: Duration = Duration::from_secs(10);

/// Sends these bytes and waits; returns everything that is answered until the other side closes.
async fn wait_after(address: SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(LIMIT, stream.read_to_string(&mut answer)).await.expect("closed in time").ok();
    answer
}

#[tokio::test]
async fn half_a_request_is_given_up() {
    let brief = Duration::from_millis(50);
    let api = Api::with(8, Limits { head: brief, body: brief, ..Limits::new(100, MAX_BODY_BYTES) }).await;
    for head in ["", "GET /v1/sta", "PUT /v1/kv/k HTTP/1.1\r\nhost: n\r\n"] {
        let answer = wait_after(api.address, head).await;
        assert!(!answer.starts_with("HTTP/1.1 2"), "{head:?}: {answer}");
    }
    let answer = wait_after(api.address, "PUT /v1/kv/k HTTP/1.1\r\nhost: n\r\ncontent-length: 30\r\n\r\n{").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.ends_with(r#"{"error":"the body did not arrive in time","happened":"no"}"#), "{answer}");
    assert!(api.received.try_recv().is_err());
}

#[tokio::test]
async fn half_requests_in_any_number_keep_nobody_out() {
    let api = Api::with(8, Limits::new(10, MAX_BODY_BYTES)).await;
    let mut halves = Vec::new();
    for half in ["PUT /v1/kv/k HT", "PUT /v1/kv/k HTTP/1.1\r\nhost: n\r\ncontent-length: 30\r\n\r\n{", ""].repeat(10) {
        let mut stream = TcpStream::connect(api.address).await.unwrap();
        stream.write_all(half.as_bytes()).await.unwrap();
        halves.push(stream);
        let start = Instant::now();
        let found = VersionedValue { value: None, revision: LogIndex(0) };
        let (_, status, _) = api.answered(Method::GET, "/v1/kv/k", "", Ok(CommandResult::Got(found))).await;
        assert_eq!(status, 200);
        assert!(start.elapsed() < LIMIT, "long before the limits of the others");
    }
}

#[tokio::test]
async fn whoever_is_at_work_never_gives_way() {
    let api = Api::with(8, Limits::new(2, MAX_BODY_BYTES)).await;
    let read = || api.call(Method::GET, "/v1/kv/k", "");
    let serve = async {
        let mut waiting = Vec::new();
        while waiting.len() < 2 {
            waiting.extend(api.received.try_recv());
            tokio::task::yield_now().await;
        }
        let mut crowd = Vec::new();
        for _ in 0..5 {
            crowd.push(TcpStream::connect(api.address).await.unwrap());
            sleep_a_little().await;
        }
        assert!(api.received.try_recv().is_err());
        for input in waiting {
            let Input::Client(_, reply) = input else { panic!("{input:?}") };
            let result = Ok(CommandResult::Got(VersionedValue { value: None, revision: LogIndex(0) }));
            reply.send(Reply { node: NodeId(2), role: Role::Follower, term: Term(3), result }).unwrap();
        }
    };
    let (first, second, ()) = tokio::join!(read(), read(), serve);
    assert_eq!((first.0, second.0), (200, 200));
}

/// Gives the server time to see what was sent to it.
async fn sleep_a_little() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}
