//! Connections within limits: on their number, on the time for the head of a request, on idle time, and on the time
//! after shutdown.

use std::{
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{Instant, Sleep, sleep, timeout},
};

/// Maximum number of connections; a browser opens about six.
const MAX_CONNECTIONS: usize = 64;
/// Maximum time for the head of a request, and the wait for it.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// Maximum time without any byte while a response is made or sent.
const IDLE_LIMIT: Duration = Duration::from_secs(30);
/// Maximum time that responses under way may take after shutdown.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(300);
/// Wait before another attempt where the host cannot open a connection.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Serves until `stop`, and a moment longer for what is under way.
pub(super) async fn serve(listener: TcpListener, app: Router, stop: impl Future<Output = ()>) {
    let mut stop = pin!(stop);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let (ending, ends) = watch::channel(false);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            () = &mut stop => break,
        };
        match (accepted, Arc::clone(&places).try_acquire_owned()) {
            (Ok((stream, _)), Ok(place)) => {
                let connection = connection(stream, app.clone(), ends.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            // There is no place for it.
            (Ok(_), Err(_)) => {}
            (Err(_), _) => sleep(RETRY_INTERVAL).await,
        }
    }
    ending.send(true).ok();
    let all_ended = async { while connections.join_next().await.is_some() {} };
    // Those that take longer are cut off.
    timeout(SHUTDOWN_GRACE, all_ended).await.ok();
}

async fn connection(stream: TcpStream, app: Router, mut ends: watch::Receiver<bool>) {
    let stream = TokioIo::new(IdleLimitedStream::new(stream));
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT);
    let mut served = pin!(server.serve_connection(stream, TowerToHyperService::new(app)));
    let told = async move { ends.wait_for(|ends| *ends).await.is_ok() };
    // Whoever has gone, or was too slow, needs no answer.
    tokio::select! {
        _ = served.as_mut() => {}
        _ = told => {
            served.as_mut().graceful_shutdown();
            drop(served.await);
        }
    }
}

/// Stream that fails when nothing has moved for too long.
struct IdleLimitedStream {
    stream: TcpStream,
    limit: Pin<Box<Sleep>>,
}

impl IdleLimitedStream {
    fn new(stream: TcpStream) -> Self {
        Self { stream, limit: Box::pin(sleep(IDLE_LIMIT)) }
    }

    /// Returns the result of an attempt, or an error if it came too late.
    fn in_time<T>(&mut self, cx: &mut Context<'_>, tried: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if tried.is_ready() {
            self.limit.as_mut().reset(Instant::now() + IDLE_LIMIT);
            return tried;
        }
        self.limit.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for IdleLimitedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let tried = Pin::new(&mut self.stream).poll_read(cx, room);
        self.in_time(cx, tried)
    }
}

impl AsyncWrite for IdleLimitedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let tried = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.in_time(cx, tried)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let tried = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.in_time(cx, tried)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tried = Pin::new(&mut self.stream).poll_flush(cx);
        self.in_time(cx, tried)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tried = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.in_time(cx, tried)
    }
}
