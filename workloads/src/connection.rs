//! Connection of one client to one node over HTTP/1.1: one request at a time, nothing is sent twice, and no redirect is
//! followed. The only module that speaks HTTP.
//!
//! The task that sends a request also moves its bytes, so that no other task has to be woken.

use std::{fmt, future::Future, net::SocketAddr, pin::pin, time::Duration};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{CONTENT_TYPE, HOST, HeaderName},
};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};

use crate::Answer;

/// Maximum size of a response body, bytes.
const MAX_BODY_BYTES: usize = 1 << 20;

/// Time limits of a connection; that for connecting must be lower than that of the whole operation.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Maximum time for connecting.
    pub connect: Duration,
    /// Maximum time for an operation, connecting included.
    pub operation: Duration,
}

/// Request to be sent.
#[derive(Clone, Debug)]
pub struct Message {
    /// Method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// Headers beside those that every request has.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Option<Vec<u8>>,
}

impl Message {
    fn new(method: Method, path: String) -> Self {
        Self { method, path, headers: Vec::new(), body: None }
    }

    /// Creates a GET request without a body.
    pub fn get(path: String) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn put(path: String) -> Self {
        Self::new(Method::PUT, path)
    }

    /// Creates a POST request without a body.
    pub fn post(path: String) -> Self {
        Self::new(Method::POST, path)
    }

    /// Returns the request with this body.
    pub(crate) fn json(self, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("a request is plain data");
        let content_type = (CONTENT_TYPE.to_string(), "application/json".to_owned());
        Self { headers: vec![content_type], body: Some(body), ..self }
    }
}

/// Connection of one logical process, which is made when it is first needed, and anew after it broke.
pub struct Connection {
    address: SocketAddr,
    /// The address, as requests name it.
    host: String,
    limits: ConnectionLimits,
    /// None while a request is under way, so that whoever gives up on one drops its connection.
    open: Option<Box<Open>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Connection {
    /// Prepares a connection to this address.
    ///
    /// # Errors
    /// Returns an error if connecting may take as long as the whole operation: an unanswered attempt to connect would
    /// look like an unknown outcome.
    pub fn new(address: SocketAddr, limits: ConnectionLimits) -> Result<Self, String> {
        let ConnectionLimits { connect, operation } = limits;
        if connect >= operation {
            let limits = format!("{connect:?} to connect, {operation:?} for all");
            return Err(format!("connecting must have less time than the whole operation, not {limits}"));
        }
        Ok(Self { address, host: address.to_string(), limits, open: None })
    }

    /// Sends a request, and returns the status and the body of the answer.
    ///
    /// # Errors
    /// Returns what is certain if there is no whole answer: only a request that was malformed or found no connection
    /// was certainly never sent.
    pub async fn exchange(&mut self, message: Message) -> Result<(u16, Vec<u8>), Answer> {
        let mut request = hyper::Request::builder().method(message.method).uri(encoded(&message.path));
        request = request.header(HOST, &self.host);
        for (name, value) in message.headers {
            let name = HeaderName::try_from(name).map_err(|error| Answer::NotDone(error.to_string()))?;
            request = request.header(name, value);
        }
        let request = request
            .body(Full::from(message.body.unwrap_or_default()))
            .map_err(|error| Answer::NotDone(format!("no request: {error}")))?;
        let end = Instant::now() + self.limits.operation;
        let usable = match self.open.take() {
            Some(open) => timeout_at(end, open.if_usable()).await.ok().flatten(),
            None => None,
        };
        let mut open = match usable {
            Some(open) => open,
            None => self.connect().await.map_err(|why| Answer::NotDone(format!("no connection: {why}")))?,
        };
        let answer = timeout_at(end, open.exchange(request)).await;
        let answer = answer.unwrap_or_else(|_| Err("timed out".to_owned())).map_err(Answer::Unknown)?;
        self.open = Some(open);
        Ok(answer)
    }

    async fn connect(&self) -> Result<Box<Open>, String> {
        timeout(self.limits.connect, Open::to(self.address)).await.unwrap_or_else(|_| Err("timed out".to_owned()))
    }
}

/// Connection that is there.
struct Open {
    sender: http1::SendRequest<Full<Bytes>>,
    /// The end that moves the bytes; none once it has ended.
    driver: Option<http1::Connection<TokioIo<TcpStream>, Full<Bytes>>>,
}

impl Open {
    async fn to(address: SocketAddr) -> Result<Box<Self>, String> {
        let connect = async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let stream = connect.await.map_err(|error: std::io::Error| error.to_string())?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| with_cause(&error))?;
        Ok(Box::new(Self { sender, driver: Some(driver) }))
    }

    /// Returns the connection unless it has ended, as when the other side closed it while it was idle.
    async fn if_usable(mut self: Box<Self>) -> Option<Box<Self>> {
        let is_ready = driven(&mut self.driver, self.sender.ready()).await.is_ok();
        (is_ready && self.driver.is_some()).then_some(self)
    }

    async fn exchange(&mut self, request: hyper::Request<Full<Bytes>>) -> Result<(u16, Vec<u8>), String> {
        let Self { sender, driver } = self;
        let response = driven(driver, sender.send_request(request)).await.map_err(|error| with_cause(&error))?;
        let (status, mut incoming) = (response.status().as_u16(), response.into_body());
        let body = driven(driver, body(&mut incoming)).await.map_err(|error| with_cause(&error))?;
        Ok((status, body))
    }
}

/// Awaits what needs the connection, while the connection moves its bytes.
async fn driven<F: Future>(
    driver: &mut Option<http1::Connection<TokioIo<TcpStream>, Full<Bytes>>>,
    wait: F,
) -> F::Output {
    let mut wait = pin!(wait);
    std::future::poll_fn(|cx| {
        // What has ended needs no more polling; whoever waits for it is told so.
        if let Some(connection) = driver
            && pin!(connection).poll(cx).is_ready()
        {
            *driver = None;
        }
        wait.as_mut().poll(cx)
    })
    .await
}

/// Reads the body, up to the maximum size.
async fn body(incoming: &mut Incoming) -> hyper::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        if let Some(data) = frame?.data_ref() {
            body.extend_from_slice(data);
        }
        if body.len() > MAX_BODY_BYTES {
            break;
        }
    }
    Ok(body)
}

/// Describes an error together with its first cause.
fn with_cause(error: &hyper::Error) -> String {
    let cause = std::iter::successors(std::error::Error::source(error), |cause| cause.source()).last();
    cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

/// Replaces the bytes that no path may have (RFC 3986, section 3.3) by their codes, such as `%20` for a space.
fn encoded(path: &str) -> String {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=%".contains(&byte);
    path.bytes()
        .map(|byte| if is_allowed(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn a_path_has_only_what_a_path_may_have() {
        assert_eq!(encoded("/v1/kv/k0?read=quorum&b=%7B"), "/v1/kv/k0?read=quorum&b=%7B");
        assert_eq!(encoded("/a b/\"{ü}\"#c"), "/a%20b/%22%7B%C3%BC%7D%22%23c");
    }
}
