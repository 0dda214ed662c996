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
    let mut guests: Vec<(Arc<Guest>, oneshot::Sender<()>)> = Vec::new();
    let start = Instant::now();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(RETRY_INTERVAL).await; // out of descriptors: some will come back
            continue;
        };
        while guests.len() >= limits.connections {
            guests.retain(|(_, connection)| !connection.is_closed());
            if guests.len() >= limits.connections && !displace(&mut guests) {
                sleep(RETRY_INTERVAL).await;
            }
        }
        if tune(&stream).is_err() {
            continue; // it has gone already
        }
        let guest = Arc::new(Guest { start, idle_since: AtomicU64::new(0) });
        guest.rest();
        let (connection, displaced) = oneshot::channel();
        guests.push((Arc::clone(&guest), connection));
        let router = router.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = host(stream, router, guest, limits.head) => {}
                _ = displaced => {}
            }
        });
    }
}

/// Closes the connection that has been idle longest; returns false if all are at work.
fn displace(guests: &mut Vec<(Arc<Guest>, oneshot::Sender<()>)>) -> bool {
    let oldest = guests.iter().enumerate().min_by_key(|(_, (guest, _))| guest.idle_since.load(Ordering::Relaxed));
    match oldest {
        Some((at, (guest, _))) if guest.idle_since.load(Ordering::Relaxed) != AT_WORK => {
            drop(guests.swap_remove(at));
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
async fn host(stream: TcpStream, router: Router, guest: Arc<Guest>, head: Duration) {
    let router = TowerToHyperService::new(router);
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Arc::clone(&guest));
        router.call(request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head).max_buf_size(MAX_HEAD_BYTES);
    http.serve_connection(TokioIo::new(stream), service).await.ok();
}

/// State of one connection.
#[derive(Debug)]
pub(super) struct Guest {
    start: Instant,
    /// Milliseconds from `start` to the time at which it became idle, or [`AT_WORK`].
    idle_since: AtomicU64,
}

const AT_WORK: u64 = u64::MAX;

impl Guest {
    /// Marks the connection as at work as long as the returned value lives.
    pub(super) fn work(self: Arc<Self>) -> Work {
        self.idle_since.store(AT_WORK, Ordering::Relaxed);
        Work(self)
    }

    fn rest(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(AT_WORK - 1);
        self.idle_since.store(now, Ordering::Relaxed);
    }
}

/// Request that is being carried out.
#[derive(Debug)]
pub(super) struct Work(Arc<Guest>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.rest();
    }
}
