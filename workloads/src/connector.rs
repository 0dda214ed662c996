//! Connectors of any kind behind one type, so that a system can be chosen at run time: clients that speak HTTP, another
//! protocol, or to a program of their own.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use crate::{Client, ClientError, Connect, Request, Response};

/// Factory of clients whose kind is not known to its user. Clones share it.
#[derive(Clone)]
pub struct Connector(Arc<dyn AnyConnect>);

impl Connector {
    /// Returns a connector that creates the clients of `connect`.
    pub fn new(connect: impl Connect) -> Self {
        Self(Arc::new(connect))
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("nodes", &self.0.nodes()).finish_non_exhaustive()
    }
}

impl Connect for Connector {
    type Client = AnyClient;

    fn nodes(&self) -> &[u16] {
        self.0.nodes()
    }

    fn open(&self, node: u16) -> Result<AnyClient, ClientError> {
        self.0.open(node)
    }
}

/// Client of any kind. Dropping it closes its connections.
pub struct AnyClient(Box<dyn Invoke>);

impl fmt::Debug for AnyClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyClient").finish_non_exhaustive()
    }
}

impl Client for AnyClient {
    async fn ready(&mut self) {
        self.0.ready().await;
    }

    async fn invoke(&mut self, request: &Request) -> Response {
        self.0.invoke(request).await
    }
}

/// [`Connect`] without its associated type.
trait AnyConnect: Send + Sync {
    fn nodes(&self) -> &[u16];

    fn open(&self, node: u16) -> Result<AnyClient, ClientError>;
}

impl<C: Connect> AnyConnect for C {
    fn nodes(&self) -> &[u16] {
        Connect::nodes(self)
    }

    fn open(&self, node: u16) -> Result<AnyClient, ClientError> {
        Connect::open(self, node).map(|client| AnyClient(Box::new(client)))
    }
}

/// [`Client`] with boxed futures.
trait Invoke: Send {
    fn ready(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    fn invoke<'a>(&'a mut self, request: &'a Request) -> Pin<Box<dyn Future<Output = Response> + Send + 'a>>;
}

impl<C: Client> Invoke for C {
    fn ready(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(Client::ready(self))
    }

    fn invoke<'a>(&'a mut self, request: &'a Request) -> Pin<Box<dyn Future<Output = Response> + Send + 'a>> {
        Box::pin(Client::invoke(self, request))
    }
}
