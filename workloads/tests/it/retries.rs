//! Clients that send writes again, in sessions: what is sent, to whom, and what is then certain.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use workloads::{
    Action, Answer, Client as _, Connect as _, HttpConnector, HttpOptions, MAX_TRIES, Message, Request, Session,
    http_message,
};

use crate::server::{ReceivedRequest, Reply, Server};

const WRITE: Action = Action::Write(5);

fn connector(servers: &[&Server]) -> HttpConnector {
    HttpConnector::new(HttpOptions {
        nodes: (1..).zip(servers.iter().map(|server| server.address)).collect(),
        read_mode: "quorum".to_owned(),
        connect_timeout: Duration::from_millis(100),
        operation_timeout: Duration::from_millis(200),
        retry: true,
    })
}

/// Returns a server that begins sessions and answers all else like this, and what it was asked else.
async fn server(reply: impl Fn(&ReceivedRequest) -> Reply + Send + Sync + 'static) -> (Server, Arc<Mutex<Vec<Value>>>) {
    let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
    let bodies = Arc::clone(&asked);
    let server = Server::start(move |request| {
        if request.path == "/v1/sessions" {
            return Reply::json(200, &json!({"client": "7"}));
        }
        let answer = reply(&request);
        bodies.lock().unwrap().push(request.body);
        answer
    });
    (server.await, asked)
}

fn refusal() -> Reply {
    Reply::json(503, &json!({"error": "no leader", "happened": "no"}))
}

async fn ask(connector: &HttpConnector, node: u16, actions: &[Action]) -> Vec<Answer> {
    let mut client = connector.open(node).unwrap();
    let mut answers = Vec::new();
    for action in actions {
        let request = Request::new(3, action.clone());
        let invoked = tokio::time::timeout(Duration::from_secs(20), client.invoke(&request)).await;
        answers.push(invoked.expect("a client keeps its limits").answer);
    }
    answers
}

#[tokio::test]
async fn a_write_without_an_answer_is_sent_to_the_next_node_as_the_same_write() {
    let (silent, first) = server(|_| Reply::Silence).await;
    let (other, second) = server(|_| Reply::json(200, &json!({"key": "k3", "revision": 1}))).await;
    let answers = ask(&connector(&[&other, &silent]), 2, &[WRITE, WRITE]).await;
    assert_eq!(answers, [Answer::Done, Answer::Done]);
    let body = |seq: u64| json!({"client": "7", "seq": seq, "value": 5});
    assert_eq!(*first.lock().unwrap(), [body(1), body(2)]);
    assert_eq!(*second.lock().unwrap(), [body(1), body(2)]);
}

#[tokio::test]
async fn what_may_have_happened_once_is_never_certainly_not_done() {
    let (silent, _) = server(|_| Reply::Silence).await;
    let (refusing, asked) = server(|_| refusal()).await;
    let answers = ask(&connector(&[&silent, &refusing]), 1, &[WRITE]).await;
    assert!(matches!(&answers[..], [Answer::Unknown(_)]), "{answers:?}");
    assert_eq!(asked.lock().unwrap().len(), MAX_TRIES as usize - 1);
}

#[tokio::test]
async fn a_write_that_certainly_did_not_happen_and_a_read_are_sent_once() {
    let (refusing, asked) = server(|_| refusal()).await;
    let (other, others) = server(|_| Reply::Silence).await;
    let answers = ask(&connector(&[&refusing, &other]), 1, &[WRITE]).await;
    assert!(matches!(&answers[..], [Answer::NotDone(_)]), "{answers:?}");
    let answers = ask(&connector(&[&refusing, &other]), 2, &[Action::Read]).await;
    assert!(matches!(&answers[..], [Answer::Unknown(_)]), "{answers:?}");
    assert_eq!((asked.lock().unwrap().len(), others.lock().unwrap().len()), (1, 1));
}

#[tokio::test]
async fn without_a_session_nothing_is_written() {
    let refusing = Server::start(|_| refusal()).await;
    let answers = ask(&connector(&[&refusing]), 1, &[WRITE]).await;
    assert!(matches!(&answers[..], [Answer::NotDone(_)]), "{answers:?}");
}

#[test]
fn writes_are_numbered_and_reads_are_not() {
    let mut session = Session::begin(200, br#"{"client":"12"}"#).unwrap();
    let message = |action| http_message(&Request::new(0, action), "quorum", 1);
    let body = |message: Message| String::from_utf8(message.body.unwrap_or_default()).unwrap();
    assert_eq!(body(session.next(message(WRITE))), r#"{"client":"12","seq":1,"value":5}"#);
    assert_eq!(body(session.next(message(Action::Read))), "");
    assert_eq!(body(session.next(message(Action::Dequeue))), r#"{"client":"12","seq":2}"#);
    assert_eq!((Session::begin(503, br#"{"client":"12"}"#), Session::begin(200, b"{}")), (None, None));
}
