//! Small HTTP servers on loopback that behave as a test wants.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Request of a client.
#[derive(Debug)]
pub(crate) struct ReceivedRequest {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Value,
}

/// Reply to a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Sends these bytes unchanged; the connection stays open.
    Raw(String),
    /// Sends these bytes and closes the connection.
    Last(String),
    /// Closes the connection without an answer.
    Close,
    /// Sends nothing, for ever.
    Silence,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, "", &body.to_string())
    }

    pub(crate) fn text(status: u16, headers: &str, body: &str) -> Self {
        Self::Raw(format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()))
    }
}

/// Server that is stopped when the test ends.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// Number of requests received.
    pub(crate) asked: Arc<AtomicU32>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start(reply: impl Fn(ReceivedRequest) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (reply, asked) = (Arc::new(reply), Arc::new(AtomicU32::new(0)));
        let counter = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (reply, counter) = (Arc::clone(&reply), Arc::clone(&counter));
                connections.spawn(async move { serve(stream, &*reply, &counter).await });
            }
        });
        Self { address, asked, task }
    }

    /// Starts a server that closes every connection as soon as it is accepted.
    pub(crate) async fn closing_at_once() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move { while listener.accept().await.is_ok() {} });
        Self { address, asked: Arc::default(), task }
    }

    /// Starts nodes that share one register per key, as a linearizable cluster would.
    pub(crate) async fn cluster(
        nodes: u16,
        refuse: impl Fn(&ReceivedRequest) -> Option<Reply> + Clone + Send + Sync + 'static,
    ) -> Vec<Self> {
        let registers = Arc::new(Mutex::new(HashMap::new()));
        let mut servers = Vec::new();
        for _ in 0..nodes {
            let (registers, refuse) = (Arc::clone(&registers), refuse.clone());
            let reply = move |asked: ReceivedRequest| {
                refuse(&asked).unwrap_or_else(|| Reply::json(200, &act(&mut registers.lock().unwrap(), &asked)))
            };
            servers.push(Self::start(reply).await);
        }
        servers
    }

    pub(crate) fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn serve(mut stream: TcpStream, reply: &(impl Fn(ReceivedRequest) -> Reply + ?Sized), asked: &AtomicU32) {
    let mut buffer = Vec::new();
    while let Some(request) = request(&mut stream, &mut buffer).await {
        asked.fetch_add(1, Ordering::SeqCst);
        let (bytes, last) = match reply(request) {
            Reply::Raw(bytes) => (bytes, false),
            Reply::Last(bytes) => (bytes, true),
            Reply::Close => return,
            Reply::Silence => std::future::pending().await,
        };
        if stream.write_all(bytes.as_bytes()).await.is_err() || last {
            return;
        }
    }
}

/// Reads the next request of a connection; none at its end.
async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<ReceivedRequest> {
    loop {
        if let Some(head) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&buffer[..head]).to_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
            let end = head + 4 + length.map_or(0, |length| length.parse::<usize>().unwrap());
            if buffer.len() >= end {
                let text = String::from_utf8_lossy(&buffer[..head]).into_owned();
                let mut words = text.split(' ').map(str::to_owned);
                let (method, path) = (words.next()?, words.next()?);
                let body = serde_json::from_slice(&buffer[head + 4..end]).unwrap_or_default();
                buffer.drain(..end);
                return Some(ReceivedRequest { method, path, body });
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

fn act(registers: &mut HashMap<String, Value>, asked: &ReceivedRequest) -> Value {
    let path = asked.path.strip_prefix("/v1/kv/").unwrap();
    let key = path.split(['/', '?']).next().unwrap();
    let register = registers.entry(key.to_owned()).or_default();
    match asked.method.as_str() {
        "GET" => json!({"key": key, "value": register, "revision": 1}),
        "PUT" => {
            *register = asked.body["value"].clone();
            json!({"key": key, "revision": 1})
        }
        "POST" => {
            let (observed, swapped) = (register.clone(), *register == asked.body["from"]);
            if swapped {
                *register = asked.body["to"].clone();
            }
            json!({"key": key, "swapped": swapped, "observed": observed, "revision": 1})
        }
        other => panic!("{other} is no request of ours"),
    }
}
