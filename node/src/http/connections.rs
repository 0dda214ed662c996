//! Client connections: their number, their time limits, and the choice of the one to close at the limit.
//!
//! A connection holds a descriptor and some memory whether or not it is used, so their number is limited. When
//! another arrives at the limit, the one that has waited longest without a complete request is closed, so idle
//! connections and partial requests keep nobody out. A connection whose request is being carried out is never closed
//! for another.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, extract::Request};
use hyper::{body::Incoming, server::conn::http1, service::Service as _};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::sleep,
};

/// Limits on clients.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Maximum number of simultaneous connections.
    pub(crate) connections: usize,
    /// Time that a connection may wait for the next request's head.
    pub(crate) head: Duration,
    /// Time that a request's body may take to arrive.
    pub(crate) body: Duration,
    /// Maximum size of a request's body, in bytes.
    pub(crate) body_bytes: usize,
}

impl Limits {
    /// Returns the default time limits with the given bounds.
    pub(crate) fn new(connections: usize, body_bytes: usize) -> Self {
        Self { connections, head: Duration::from_secs(20), body: Duration::from_secs(5), body_bytes }
    }
}

/// Wait when there is no descriptor for a connection, or none that could be closed for it.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);
/// Time that a response may wait for the client to read.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum size of a request's head, in bytes.
const MAX_HEAD_BYTES: usize = 1 << 14;

/// Serves clients until dropped.
pub(super) async fn serve(listener: TcpListener, router: Router, limits: Limits) {
    let mut connections: Vec<(Arc<ConnectionState>, oneshot::Sender<()>)> = Vec::new();
    let start = Instant::now();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(RETRY_INTERVAL).await; // out of descriptors: some will come back
            continue;
        };
        while connections.len() >= limits.connections {
            connections.retain(|(_, connection)| !connection.is_closed());
            if connections.len() >= limits.connections && !close_idle(&mut connections) {
                sleep(RETRY_INTERVAL).await;
            }
        }
        if tune(&stream).is_err() {
            continue; // it has gone already
        }
        let state = Arc::new(ConnectionState { start, idle_since: AtomicU64::new(0) });
        state.set_idle();
        let (connection, displaced) = oneshot::channel();
        connections.push((Arc::clone(&state), connection));
        let router = router.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = serve_connection(stream, router, state, limits.head) => {}
                _ = displaced => {}
            }
        });
    }
}

/// Closes the connection that has been idle longest; returns false if all are at work.
fn close_idle(connections: &mut Vec<(Arc<ConnectionState>, oneshot::Sender<()>)>) -> bool {
    let oldest = connections.iter().enumerate().min_by_key(|(_, (state, _))| state.idle_since.load(Ordering::Relaxed));
    match oldest {
        Some((at, (state, _))) if state.idle_since.load(Ordering::Relaxed) != ACTIVE => {
            drop(connections.swap_remove(at));
            true
        }
        _ => false,
    }
}

fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let timeout_ms = u32::try_from(STALL_TIMEOUT.as_millis()).expect("ten seconds");
    nix::sys::socket::setsockopt(stream, nix::sys::socket::sockopt::TcpUserTimeout, &timeout_ms)?;
    Ok(())
}

/// Serves one connection until it ends. Errors are ignored, as the client notices them as well.
async fn serve_connection(stream: TcpStream, router: Router, state: Arc<ConnectionState>, head: Duration) {
    let router = TowerToHyperService::new(router);
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Arc::clone(&state));
        router.call(request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head).max_buf_size(MAX_HEAD_BYTES);
    http.serve_connection(TokioIo::new(stream), service).await.ok();
}

/// State of one connection.
#[derive(Debug)]
pub(super) struct ConnectionState {
    start: Instant,
    /// Milliseconds from `start` to the time at which it became idle, or [`ACTIVE`].
    idle_since: AtomicU64,
}

const ACTIVE: u64 = u64::MAX;

impl ConnectionState {
    /// Marks the connection as at work as long as the returned value lives.
    pub(super) fn begin_request(self: Arc<Self>) -> ActiveRequest {
        self.idle_since.store(ACTIVE, Ordering::Relaxed);
        ActiveRequest(self)
    }

    fn set_idle(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(ACTIVE - 1);
        self.idle_since.store(now, Ordering::Relaxed);
    }
}

/// Request that is being carried out.
#[derive(Debug)]
pub(super) struct ActiveRequest(Arc<ConnectionState>);

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.0.set_idle();
    }
}
