//! Tests of clients of an API that is data, through the real behaviour of reqwest.

use std::{net::SocketAddr, time::Duration};

use serde_json::json;
use tokio::net::TcpListener;
use workloads::{Action, Answer, Api, ApiConnector, Client as _, Connect as _, Request};

use crate::server::{Reply, Server};

const WRITE: Action = Action::Write(5);

fn connector(address: SocketAddr) -> ApiConnector {
    let api: Api = serde_json::from_value(json!({
        "kind": "http",
        "headers": {"x-mode": "{read_mode}"},
        "read": {
            "request": "GET /{key}?mode={read_mode}",
            "rules": [{"status": 200, "outcome": "ok", "value": "/value"}],
        },
        "write": {
            "request": "PUT /{key}",
            "body": "{\"value\":{value}}",
            "rules": [{"status": 200, "outcome": "ok"}, {"status": 409, "outcome": "fail"}],
        },
    }))
    .unwrap();
    ApiConnector::new(api, "near", vec![address], Duration::from_millis(200), Duration::from_millis(400))
}

async fn ask(address: SocketAddr, action: Action) -> Answer {
    connector(address).open(1).unwrap().invoke(&Request::new(3, action)).await.answer
}

fn reply(status: u16, body: &str) -> Reply {
    Reply::Raw(format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
}

#[tokio::test]
async fn requests_are_sent_as_their_templates_say_and_answers_understood_by_the_rules() {
    let server = Server::start(|asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/k3?mode=near") => reply(200, r#"{"value":7}"#),
        ("PUT", "/k3") if asked.body == json!({"value": 5}) => reply(409, "no"),
        _ => reply(404, ""),
    })
    .await;
    assert_eq!(ask(server.address, Action::Read).await, Answer::Value(7.into()));
    assert_eq!(ask(server.address, WRITE).await, Answer::NotDone("status 409: \"no\"".to_owned()));
    let exchange = connector(server.address).open(1).unwrap().exchange(&Request::new(3, WRITE)).await;
    assert_eq!((&*exchange.sent, &*exchange.received), ("PUT /k3 {\"value\":5}", "409 no"));
    let lacking = ask(server.address, Action::Dequeue).await;
    assert!(matches!(&lacking, Answer::NotDone(why) if why.contains("no such operation")), "{lacking:?}");
}

#[tokio::test]
async fn only_what_was_never_sent_is_certainly_not_done() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert!(matches!(ask(address, WRITE).await, Answer::NotDone(_)), "nobody listens");
    for unclear in [Reply::Close, Reply::Silence, Reply::Raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx".into())] {
        let server = Server::start(move |_| unclear.clone()).await;
        assert!(matches!(ask(server.address, WRITE).await, Answer::Unknown(_)));
        assert_eq!(server.asked(), 1, "nothing is sent twice");
    }
    let moved = "HTTP/1.1 307 x\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n";
    let server = Server::start(move |_| Reply::Raw(moved.into())).await;
    assert!(matches!(ask(server.address, WRITE).await, Answer::Unknown(_)));
    assert_eq!(server.asked(), 1, "no redirect is followed");
}
