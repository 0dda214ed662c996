//! Operator of our own server: asks its client API for changes of the members.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use nemesis::{Answer, MemberRequest, NodeId, Operator};
use serde::Deserialize;
use serde_json::json;
use tokio::runtime::Handle;
use workloads::{Connection, ConnectionLimits, Message};

use crate::systems::{Address, Deployment};

/// Time limits for the answer of one node.
const LIMITS: ConnectionLimits =
    ConnectionLimits { connect: Duration::from_millis(200), operation: Duration::from_secs(1) };
/// Status of a change that the members do not allow.
const CONFLICT: u16 = 409;

/// Operator that asks one node after the other, until one has begun the change or says why it cannot be.
#[derive(Debug)]
pub(super) struct ApiOperator {
    runtime: Handle,
    nodes: BTreeMap<NodeId, Address>,
}

/// Body of the answer to a request that failed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    error: String,
    happened: String,
}

impl ApiOperator {
    /// Creates an operator; must be called where there is a runtime, which its requests use.
    pub(super) fn new(deployment: &Deployment) -> Self {
        let nodes = (1..).map(NodeId).zip(deployment.addresses.iter().copied()).collect();
        Self { runtime: Handle::current(), nodes }
    }

    async fn ask_each(&self, request: MemberRequest) -> Answer {
        let message = message(request, |node| self.nodes.get(&node).map(|address| address.peer));
        let mut why = "no node answers".to_owned();
        for address in self.nodes.values().map(|address| address.client) {
            match ask_one(address, message.clone()).await {
                Err(refused) => why = refused,
                Ok(answer) => return answer,
            }
        }
        Answer::Refused(why)
    }
}

/// Returns the message that asks a node for a change, by the address at which its peers reach each node.
pub(super) fn message(request: MemberRequest, peer: impl Fn(NodeId) -> Option<SocketAddr>) -> Message {
    let (path, body) = match request {
        MemberRequest::Add(node) => ("/v1/members", json!({"add": node, "address": peer(node)})),
        MemberRequest::Remove(node) => ("/v1/members", json!({"remove": node})),
        MemberRequest::Replace { old, new } => {
            ("/v1/members", json!({"replace": old, "with": new, "address": peer(new)}))
        }
        MemberRequest::Transfer(node) => ("/v1/transfer", json!({"to": node})),
    };
    Message { body: Some(body.to_string().into_bytes()), ..Message::post(path.to_owned()) }
}

/// Asks a node; returns the reason if it certainly did nothing, and another may be asked.
async fn ask_one(address: SocketAddr, message: Message) -> Result<Answer, String> {
    let mut connection = Connection::new(address, LIMITS)?;
    match connection.exchange(message).await {
        Ok((status, body)) => answer_of(status, &body),
        Err(workloads::Answer::NotDone(why)) => Err(why),
        Err(other) => Ok(Answer::Unknown(format!("{other:?}"))),
    }
}

/// Returns what a node's answer says of the change; the reason if it certainly did nothing, and another may be asked.
pub(crate) fn answer_of(status: u16, body: &[u8]) -> Result<Answer, String> {
    if status == 200 {
        return Ok(Answer::Begun);
    }
    let ErrorBody { error, happened } = serde_json::from_slice(body).unwrap_or_default();
    match (status, happened.as_str()) {
        (CONFLICT, "no") => Ok(Answer::Refused(error)),
        (_, "no") => Err(error),
        _ => Ok(Answer::Unknown(error)),
    }
}

impl Operator for ApiOperator {
    fn ask(&self, request: MemberRequest) -> Answer {
        self.runtime.block_on(self.ask_each(request))
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;
    use crate::systems::Ports;

    /// Returns an operator of nodes that give these answers, and what it makes of them.
    async fn ask(answers: &[(&'static str, &'static str)]) -> Answer {
        let mut nodes = BTreeMap::new();
        for (id, (status, body)) in (1..).zip(answers) {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let client = listener.local_addr().unwrap();
            let ports = Ports { peer: 7, client: client.port(), election: 7 };
            nodes.insert(NodeId(id), Address::with_ports(client.ip(), ports));
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                assert!(stream.read(&mut [0; 1000]).await.unwrap() > 0);
                stream.write_all(answer.as_bytes()).await.unwrap();
            });
        }
        let operator = ApiOperator { runtime: Handle::current(), nodes };
        operator.ask_each(MemberRequest::Remove(NodeId(1))).await
    }

    #[tokio::test]
    async fn nodes_are_asked_until_one_knows() {
        let no_leader = ("503 No", r#"{"error":"no leader","happened":"no"}"#);
        let in_flight = ("409 No", r#"{"error":"another change","happened":"no"}"#);
        assert_eq!(ask(&[no_leader, ("200 OK", "{}")]).await, Answer::Begun);
        assert_eq!(ask(&[no_leader, in_flight]).await, Answer::Refused("another change".to_owned()));
        assert_eq!(ask(&[no_leader]).await, Answer::Refused("no leader".to_owned()));
        let unknown = ("504 No", r#"{"error":"no answer in time","happened":"unknown"}"#);
        assert_eq!(ask(&[unknown, ("200 OK", "{}")]).await, Answer::Unknown("no answer in time".to_owned()));
        assert_eq!(ask(&[]).await, Answer::Refused("no node answers".to_owned()));
    }
}
