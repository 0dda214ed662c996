//! Clients of an HTTP API that is data.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use super::{
    Api,
    rule::{AppliedRule, Rule, understand, understand_by},
};
use crate::{
    Action, Answer, Client, ClientError, Connect, Request, Response,
    connection::{Connection, ConnectionLimits, Message},
    http::new_owner,
};

/// Factory of clients of an API.
#[derive(Clone, Debug)]
pub struct ApiConnector {
    /// The API, in the read mode of these clients.
    api: Arc<Api>,
    read_mode: String,
    nodes: Vec<SocketAddr>,
    ids: Vec<u16>,
    limits: ConnectionLimits,
}

impl ApiConnector {
    /// Returns a factory of clients for the nodes at these addresses, whose numbers count from 1. The time limit for
    /// connecting must be lower than that of the whole operation.
    pub fn new(
        api: Api,
        read_mode: &str,
        nodes: Vec<SocketAddr>,
        connect_timeout: Duration,
        operation_timeout: Duration,
    ) -> Self {
        let ids = (1..).zip(&nodes).map(|(id, _)| id).collect();
        let limits = ConnectionLimits { connect: connect_timeout, operation: operation_timeout };
        Self { api: Arc::new(api), read_mode: read_mode.to_owned(), nodes, ids, limits }
    }
}

impl Connect for ApiConnector {
    type Client = ApiClient;

    fn nodes(&self) -> &[u16] {
        &self.ids
    }

    fn open(&self, node: u16) -> Result<ApiClient, ClientError> {
        let failed = |reason: String| ClientError { node, reason };
        let address = usize::from(node).checked_sub(1).and_then(|index| self.nodes.get(index));
        let address = address.ok_or_else(|| failed("it has no address".to_owned()))?;
        let connection = Connection::new(*address, self.limits).map_err(failed)?;
        let (api, read_mode) = (Arc::clone(&self.api), self.read_mode.clone());
        Ok(ApiClient { connection, api, read_mode, owner: new_owner() })
    }
}

/// Client of one logical process, with one connection to one node.
#[derive(Debug)]
pub struct ApiClient {
    connection: Connection,
    api: Arc<Api>,
    read_mode: String,
    owner: i64,
}

/// Operation as it went over the wire, and as it was understood.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Method, path and body that were sent.
    pub sent: String,
    /// Status and body that were received, or why there are none.
    pub received: String,
    /// Meaning of the answer.
    pub response: Response,
    /// Rule of the operation that the answer met, with the name of the operation.
    pub rule: Option<(&'static str, AppliedRule)>,
}

impl ApiClient {
    /// Sends a request, and returns what was sent and received along with what it means.
    pub async fn exchange(&mut self, request: &Request) -> Exchange {
        let Some(message) = self.message(request) else {
            let (sent, received) = (String::new(), String::new());
            return Exchange { sent, received, response: lacking(&request.action), rule: None };
        };
        let body = message.body.as_ref().map(|body| format!(" {}", String::from_utf8_lossy(body)));
        let sent = format!("{} {}{}", message.method, message.path, body.unwrap_or_default());
        match self.connection.exchange(message).await {
            Ok((status, body)) => {
                let (response, rule) = understand_by(self.rules(&request.action), &request.action, status, &body);
                let received = format!("{} {}", status, String::from_utf8_lossy(&body));
                let rule = self.api.name_of(&request.action).zip(rule);
                Exchange { sent, received, response, rule }
            }
            Err(answer) => Exchange { sent, received: "no answer".to_owned(), response: answer.into(), rule: None },
        }
    }

    /// Returns the request with its placeholders filled; none if the API has no such operation.
    fn message(&self, request: &Request) -> Option<Message> {
        let operation = self.api.operation(&request.action)?;
        let value_of = |name: &str| match (name, &request.action) {
            ("key", _) => request.key_name().unwrap_or_default(),
            ("read_mode", _) => self.read_mode.clone(),
            ("from", Action::Cas { from, .. }) => from.to_string(),
            ("to", Action::Cas { to, .. }) => to.to_string(),
            ("owner", _) => self.owner.to_string(),
            (
                "value",
                Action::Write(value) | Action::Add(value) | Action::Enqueue(value) | Action::Increment(value),
            ) => value.to_string(),
            _ => String::new(),
        };
        let headers = self.api.headers.iter().chain(&operation.headers);
        Some(Message {
            method: operation.request.method.clone(),
            path: operation.request.path.fill(value_of),
            headers: headers.map(|(name, text)| (name.clone(), text.0.fill(value_of))).collect(),
            body: operation.body.as_ref().map(|body| body.0.fill(value_of).into_bytes()),
        })
    }

    fn rules(&self, action: &Action) -> &[Rule] {
        self.api.operation(action).map_or(&[][..], |operation| &operation.rules)
    }
}

fn lacking(action: &Action) -> Response {
    Answer::NotDone(format!("the API has no such operation: {action:?}")).into()
}

impl Client for ApiClient {
    async fn invoke(&mut self, request: &Request) -> Response {
        let Some(message) = self.message(request) else { return lacking(&request.action) };
        match self.connection.exchange(message).await {
            Ok((status, body)) => understand(self.rules(&request.action), &request.action, status, &body),
            Err(answer) => answer.into(),
        }
    }
}
