//! Tests of the answer that a client derives from each way in which a server can fail, through the real behaviour of
//! reqwest.

use std::{net::SocketAddr, time::Duration};

use histories::Value;
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use workloads::{
    Action, Answer, Client as _, Connect as _, HttpConnector, HttpOptions, MicroOperation, Request, Response,
};

use crate::server::{Reply, Server};

const READ: Action = Action::Read;
const WRITE: Action = Action::Write(5);
const CAS: Action = Action::Cas { from: 4, to: 5 };

fn connector(address: SocketAddr) -> HttpConnector {
    HttpConnector::new(HttpOptions {
        nodes: vec![(1, address)],
        read_mode: "leader".to_owned(),
        connect_timeout: Duration::from_millis(200),
        operation_timeout: Duration::from_millis(400),
        retry: false,
    })
}

async fn ask(address: SocketAddr, action: Action) -> Answer {
    answered(address, action).await.answer
}

async fn answered(address: SocketAddr, action: Action) -> Response {
    let mut client = connector(address).open(1).unwrap();
    let request = match action {
        Action::Transaction(micro_operations) => Request::transaction(micro_operations),
        action => Request::new(3, action),
    };
    tokio::time::timeout(Duration::from_secs(5), client.invoke(&request)).await.expect("a client keeps its own limit")
}

/// Returns the answers to a read, a write and a cas if the server always sends this reply; it must receive each request
/// exactly once.
async fn answers(reply: Reply) -> [Answer; 3] {
    let server = Server::start(move |_| reply.clone()).await;
    let answers = [ask(server.address, READ).await, ask(server.address, WRITE).await, ask(server.address, CAS).await];
    assert_eq!(server.asked(), 3, "each request is sent once");
    answers
}

fn is_unknown(answer: &Answer) -> bool {
    matches!(answer, Answer::Unknown(_))
}

fn is_not_done(answer: &Answer) -> bool {
    matches!(answer, Answer::NotDone(_))
}

#[tokio::test]
async fn a_refused_connection_was_never_asked() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for action in [READ, WRITE, CAS] {
        let answer = ask(address, action).await;
        assert!(is_not_done(&answer), "{answer:?}");
    }
}

#[tokio::test]
async fn a_connection_that_never_came_about_was_never_asked() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // Once the queue of a listener that accepts nothing is full, the kernel drops every further SYN.
    let mut waiting = Vec::new();
    let connect = || tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address));
    while let Ok(stream) = connect().await {
        waiting.push(stream.unwrap());
        assert!(waiting.len() < 20, "the queue never fills");
    }
    let answer = ask(address, WRITE).await;
    assert!(is_not_done(&answer), "{answer:?}");
}

#[tokio::test]
async fn a_connection_that_is_closed_at_once_says_nothing() {
    let server = Server::closing_at_once().await;
    let answer = ask(server.address, WRITE).await;
    assert!(is_unknown(&answer), "{answer:?}");
}

#[tokio::test]
async fn a_request_that_was_read_may_have_happened() {
    for reply in
        [Reply::Close, Reply::Silence, Reply::Last("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_owned())]
    {
        let answers = answers(reply.clone()).await;
        assert!(answers.iter().all(is_unknown), "{reply:?}: {answers:?}");
    }
}

#[tokio::test]
async fn an_answer_that_stops_in_the_middle_is_cut_off_in_time() {
    let answers = answers(Reply::Raw("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_owned())).await;
    assert!(answers.iter().all(is_unknown), "{answers:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let answers = answers(Reply::text(307, "location: /elsewhere\r\n", "{}")).await;
    assert!(answers.iter().all(is_unknown), "{answers:?}");
}

#[tokio::test]
async fn what_is_not_the_promised_answer_is_unclear() {
    let endless = format!("{{\"value\":1,\"revision\":1,\"swapped\":true,\"x\":\"{}\"}}", "x".repeat(2 << 20));
    let other_key = json!({"key": "k4", "value": 1, "revision": 1, "swapped": true});
    for (status, body) in [
        (200, "<html>".to_owned()),
        (200, String::new()),
        (200, "{}".to_owned()),
        (200, "[]".to_owned()),
        (200, "null".to_owned()),
        (200, r#"{"happened":"no"}"#.to_owned()),
        (201, r#"{"value":1,"revision":1,"swapped":true}"#.to_owned()),
        (200, endless),
        (200, other_key.to_string()),
        (503, "busy".to_owned()),
        (503, "{}".to_owned()),
        (503, r#"{"error":"x","happened":"maybe"}"#.to_owned()),
    ] {
        let answers = answers(Reply::text(status, "", &body)).await;
        assert!(answers.iter().all(is_unknown), "{status} {body:.80}: {answers:?}");
    }
}

#[tokio::test]
async fn a_cas_that_failed_without_saying_what_it_found_is_unclear() {
    let [_, _, cas] = answers(Reply::json(200, &json!({"swapped": false}))).await;
    assert!(is_unknown(&cas), "{cas:?}");
}

#[tokio::test]
async fn a_node_may_say_whether_it_happened() {
    for status in [400, 404, 409, 410, 413, 503, 504] {
        let no = answers(Reply::json(status, &json!({"error": "no leader", "happened": "no"}))).await;
        assert!(no.iter().all(|answer| *answer == Answer::NotDone("no leader".to_owned())), "{no:?}");
        let unknown = answers(Reply::json(status, &json!({"error": "leader lost", "happened": "unknown"}))).await;
        assert!(unknown.iter().all(|answer| *answer == Answer::Unknown("leader lost".to_owned())), "{unknown:?}");
    }
}

#[tokio::test]
async fn a_good_answer_is_what_it_says() {
    let body = |observed: serde_json::Value, swapped| {
        json!({
            "key": "k3", "value": observed, "revision": 7, "swapped": swapped, "observed": observed, "node": 1,
            "role": "leader", "term": 3,
        })
    };
    let [read, write, cas] = answers(Reply::json(200, &body(json!(4), true))).await;
    assert_eq!((read, write, cas), (Answer::Value(4.into()), Answer::Done, Answer::Done));
    let [read, _, cas] = answers(Reply::json(200, &body(json!(null), false))).await;
    assert_eq!((read, cas), (Answer::Value(Value::Nil), Answer::Mismatch(Value::Nil)), "null is absent, and is known");
}

#[tokio::test]
async fn a_revision_is_what_an_answer_carries_that_is_understood() {
    for (status, body, expected) in [
        (200, json!({"value": 4, "revision": 7, "swapped": true}), Some(7)),
        (200, json!({"value": null, "revision": 0, "swapped": false, "observed": null}), Some(0)),
        (200, json!({"key": "other", "value": 4, "revision": 7, "swapped": true}), None),
        (503, json!({"error": "no leader", "happened": "no", "revision": 7}), None),
    ] {
        let server = Server::start(move |_| Reply::json(status, &body)).await;
        for action in [READ, WRITE, CAS] {
            assert_eq!(answered(server.address, action.clone()).await.revision, expected, "{status} {action:?}");
        }
    }
    let server = Server::start(|_| Reply::json(200, &json!({"value": 4, "swapped": true}))).await;
    assert_eq!(answered(server.address, READ).await, Answer::Value(4.into()).into());
}

fn transaction() -> Action {
    Action::Transaction(vec![MicroOperation::append(3, 5), MicroOperation::read_list(4)])
}

/// Returns the answer to one request that is answered so.
async fn answer_to(action: Action, body: serde_json::Value) -> Answer {
    let server = Server::start(move |_| Reply::json(200, &body)).await;
    ask(server.address, action).await
}

#[tokio::test]
async fn sets_and_queues_are_answered_as_promised_or_not_understood() {
    let list = Answer::Value(Value::List(vec![4.into(), 5.into()]));
    for (action, body, expected) in [
        (Action::Elements, json!({"value": [4, 5], "revision": 7}), Some(list)),
        (Action::Elements, json!({"value": null, "revision": 0}), Some(Answer::Value(Value::List(Vec::new())))),
        (Action::Elements, json!({"value": 5}), None),
        (Action::Elements, json!({}), None),
        (Action::Add(5), json!({"added": true, "revision": 7}), Some(Answer::Done)),
        (Action::Add(5), json!({"revision": 7}), None),
        (Action::Enqueue(5), json!({"revision": 7}), Some(Answer::Done)),
        (Action::Enqueue(5), json!({"value": 5}), None),
        (Action::Dequeue, json!({"value": 5, "revision": 7}), Some(Answer::Value(5.into()))),
        (Action::Dequeue, json!({"value": null, "revision": 7}), Some(Answer::Value(Value::Nil))),
        (Action::Dequeue, json!({"revision": 7}), None),
        (Action::Peek, json!({"value": 5}), Some(Answer::Value(5.into()))),
        (Action::Peek, json!({}), None),
    ] {
        let answer = answer_to(action.clone(), body.clone()).await;
        assert!(expected.map_or_else(|| is_unknown(&answer), |it| it == answer), "{action:?} {body}: {answer:?}");
    }
}

#[tokio::test]
async fn counters_and_locks_are_answered_as_promised_or_not_understood() {
    let held = || Some(Answer::Mismatch(7.into()));
    for (action, body, expected) in [
        (Action::Count, json!({"value": 5, "revision": 7}), Some(Answer::Value(5.into()))),
        (Action::Count, json!({"value": null, "revision": 0}), Some(Answer::Value(0.into()))),
        (Action::Count, json!({"value": "5"}), None),
        (Action::Count, json!({}), None),
        (Action::Increment(5), json!({"value": 5, "revision": 7}), Some(Answer::Done)),
        (Action::Increment(5), json!({"value": 5}), None),
        (Action::Acquire, json!({"swapped": true, "observed": null, "revision": 7}), Some(Answer::Done)),
        (Action::Acquire, json!({"swapped": false, "observed": 7, "revision": 7}), held()),
        (Action::Acquire, json!({"swapped": false}), None),
        (Action::AcquireWithToken, json!({"swapped": true, "revision": 9}), Some(Answer::Value(9.into()))),
        (Action::AcquireWithToken, json!({"swapped": true}), None),
        (Action::AcquireWithToken, json!({"swapped": true, "revision": u64::MAX}), None),
        (Action::AcquireWithToken, json!({"swapped": false, "observed": 7, "revision": 7}), held()),
        (Action::Release, json!({"swapped": true, "observed": 5, "revision": 0}), Some(Answer::Done)),
        (Action::Release, json!({"swapped": false, "observed": 7, "revision": 7}), held()),
        (Action::Release, json!({"revision": 7}), None),
    ] {
        let answer = answer_to(action.clone(), body.clone()).await;
        assert!(expected.map_or_else(|| is_unknown(&answer), |it| it == answer), "{action:?} {body}: {answer:?}");
    }
}

#[tokio::test]
async fn a_client_holds_locks_under_a_name_of_its_own() {
    let server = Server::start(|asked| {
        let found = if asked.body["from"].is_null() { &asked.body["to"] } else { &asked.body["from"] };
        Reply::json(200, &json!({"swapped": false, "observed": found}))
    })
    .await;
    let connector = connector(server.address);
    let (mut one, mut other) = (connector.open(1).unwrap(), connector.open(1).unwrap());
    let (acquire, release) = (Request::new(3, Action::Acquire), Request::new(3, Action::Release));
    let owner = one.invoke(&acquire).await;
    assert_eq!(one.invoke(&release).await, owner);
    assert_ne!(other.invoke(&acquire).await, owner);
}

#[tokio::test]
async fn a_transaction_is_answered_by_its_own_micro_operations() {
    let micro = |name: &str, key: &str, value: Value| Value::List(vec![name.into(), key.into(), value]);
    let done = |read: Vec<Value>| {
        let micros = vec![micro("append", "k3", 5.into()), micro("r", "k4", Value::List(read))];
        Some(Answer::Value(Value::List(micros)))
    };
    for (ops, expected) in [
        (json!([["append", "k3", 5], ["r", "k4", [1, 2]]]), done(vec![1.into(), 2.into()])),
        (json!([["append", "k3", 5], ["r", "k4", null]]), done(Vec::new())),
        (json!([["append", "k3", 5], ["r", "k4", 7]]), None),
        (json!([["append", "k3", 6], ["r", "k4", []]]), None),
        (json!([["append", "k3", null], ["r", "k4", []]]), None),
        (json!([["append", "k3", 5], ["r", "k3", []]]), None),
        (json!([["append", "k3", 5], ["append", "k4", []]]), None),
        (json!([["append", "k3", 5]]), None),
        (json!(null), None),
    ] {
        let answer = answer_to(transaction(), json!({"ops": ops, "revision": 7})).await;
        assert!(expected.map_or_else(|| is_unknown(&answer), |it| it == answer), "{ops}: {answer:?}");
    }
}

#[tokio::test]
async fn each_request_is_what_the_api_expects() {
    let server = Server::start(|asked| {
        Reply::json(503, &json!({"error": format!("{} {} {}", asked.method, asked.path, asked.body), "happened": "no"}))
    })
    .await;
    for (action, expected) in [
        (READ, "GET /v1/kv/k3?read=leader null"),
        (WRITE, r#"PUT /v1/kv/k3 {"value":5}"#),
        (CAS, r#"POST /v1/kv/k3/cas {"from":4,"to":5}"#),
        (Action::Elements, "GET /v1/kv/k3?read=leader null"),
        (Action::Add(5), r#"POST /v1/kv/k3/add {"value":5}"#),
        (Action::Enqueue(5), r#"POST /v1/kv/k3/enqueue {"value":5}"#),
        (Action::Dequeue, "POST /v1/kv/k3/dequeue null"),
        (Action::Peek, "GET /v1/kv/k3/first?read=leader null"),
        (Action::Count, "GET /v1/kv/k3?read=leader null"),
        (Action::Increment(5), r#"POST /v1/kv/k3/increment {"by":5}"#),
        (transaction(), r#"POST /v1/txn?read=leader {"ops":[["append","k3",5],["r","k4",null]]}"#),
    ] {
        assert_eq!(ask(server.address, action).await, Answer::NotDone(expected.to_owned()));
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_replaced_and_the_request_sent_once() {
    let done = r#"{"key":"k3","revision":1}"#;
    let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{done}", done.len());
    let server = Server::start(move |_| Reply::Last(reply.clone())).await;
    let mut client = connector(server.address).open(1).unwrap();
    let mut done = 0;
    for sent in 1..=20 {
        // The close may or may not be noticed before the next request is sent: in either case it must not be sent
        // twice.
        done += u32::from(client.invoke(&Request::new(3, WRITE)).await.answer == Answer::Done);
        assert!(server.asked() <= sent, "a request was sent twice");
    }
    assert!(done <= server.asked());
}

#[test]
fn connecting_must_have_less_time_than_the_operation() {
    let limit = Duration::from_millis(400);
    let options = HttpOptions {
        nodes: vec![(1, "127.0.0.1:1".parse().unwrap())],
        read_mode: "log".to_owned(),
        connect_timeout: limit,
        operation_timeout: limit,
        retry: false,
    };
    assert!(HttpConnector::new(options.clone()).open(1).is_err());
    let connector = HttpConnector::new(HttpOptions { connect_timeout: limit / 2, ..options });
    assert!(connector.open(1).is_ok());
    assert_eq!(connector.open(2).unwrap_err().node, 2, "a node without an address");
}
