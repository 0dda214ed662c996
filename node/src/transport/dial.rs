//! Outgoing link to one peer: dials, identifies itself, writes queued frames, and reconnects when the connection
//! fails.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    runtime,
    sync::mpsc,
    time::{interval, sleep, timeout},
};

use super::{
    BATCH_FRAMES, CONNECT_TIMEOUT, Hello, MAX_HELLO_BYTES, PING_INTERVAL, QUEUE_BYTES, QUEUE_FRAMES, RETRY_INTERVAL,
    Welcome, codec, tune,
};
use crate::{
    event::{Event, Log},
    frame::Frame,
};

/// Sending half of a link, held by the loop.
#[derive(Debug)]
pub(super) struct Link {
    queue: mpsc::Sender<Frame>,
    state: Arc<LinkState>,
}

/// State shared by both ends of the queue.
#[derive(Debug, Default)]
struct LinkState {
    up: AtomicBool,
    /// Total weight of the queued frames.
    bytes: AtomicUsize,
}

impl LinkState {
    /// Returns true if a frame of `weight` may be queued, and then counts it as queued.
    fn admit(&self, weight: usize) -> bool {
        let before = self.bytes.fetch_add(weight, Ordering::Relaxed);
        let admitted = before == 0 || before + weight <= QUEUE_BYTES;
        if !admitted {
            self.release(weight);
        }
        admitted
    }

    fn release(&self, weight: usize) {
        self.bytes.fetch_sub(weight, Ordering::Relaxed);
    }
}

impl Link {
    /// Maintains a link to `address` until the returned value is dropped.
    pub(super) fn dial(runtime: &runtime::Handle, address: SocketAddr, hello: Hello, log: Log) -> Self {
        let (queue, frames) = mpsc::channel(QUEUE_FRAMES);
        let state = Arc::new(LinkState::default());
        runtime.spawn(keep_linked(address, hello, frames, Arc::clone(&state), log));
        Self { queue, state }
    }

    /// Queues a frame; returns false if the link is down or its queue is full.
    pub(super) fn send(&self, frame: Frame) -> bool {
        let weight = frame.weight();
        if !self.state.up.load(Ordering::Acquire) || !self.state.admit(weight) {
            return false;
        }
        let queued = self.queue.try_send(frame).is_ok();
        if !queued {
            self.state.release(weight);
        }
        queued
    }
}

async fn keep_linked(
    address: SocketAddr,
    hello: Hello,
    mut frames: mpsc::Receiver<Frame>,
    state: Arc<LinkState>,
    log: Log,
) {
    let peer = hello.to;
    while !frames.is_closed() {
        if let Ok(Ok((reader, writer))) = timeout(CONNECT_TIMEOUT, connect(address, &hello)).await {
            while let Ok(frame) = frames.try_recv() {
                state.release(frame.weight()); // queued for a connection that is gone
            }
            state.up.store(true, Ordering::Release);
            log.write(Event::PeerUp { peer });
            let reason = serve(reader, writer, &mut frames, &state).await;
            state.up.store(false, Ordering::Release);
            log.write(Event::PeerDown { peer, reason: reason.to_string() });
        }
        sleep(RETRY_INTERVAL).await;
    }
}

async fn connect(address: SocketAddr, hello: &Hello) -> io::Result<(OwnedReadHalf, OwnedWriteHalf)> {
    let stream = TcpStream::connect(address).await?;
    tune(&stream)?;
    let (mut reader, mut writer) = stream.into_split();
    let mut bytes = Vec::new();
    codec::append(&mut bytes, hello);
    writer.write_all(&bytes).await?;
    let Welcome = codec::read(&mut reader, &mut bytes, MAX_HELLO_BYTES).await?;
    Ok((reader, writer))
}

/// Writes frames until the connection fails; returns the cause.
async fn serve(
    mut reader: OwnedReadHalf,
    mut writer: OwnedWriteHalf,
    frames: &mut mpsc::Receiver<Frame>,
    state: &LinkState,
) -> io::Error {
    let (mut batch, mut bytes, mut nothing) = (Vec::new(), Vec::new(), [0]);
    let mut ping = interval(PING_INTERVAL);
    loop {
        tokio::select! {
            count = frames.recv_many(&mut batch, BATCH_FRAMES) => if count == 0 {
                return io::Error::other("this node stops");
            },
            _ = ping.tick() => batch.push(Frame::Ping),
            read = reader.read(&mut nothing) => return match read {
                Ok(0) => io::Error::other("closed by the peer"),
                Ok(_) => io::Error::other("the peer wrote on a link on which it may only read"),
                Err(error) => error,
            },
        }
        for frame in batch.drain(..) {
            state.release(frame.weight());
            codec::append(&mut bytes, &frame);
        }
        if let Err(error) = writer.write_all(&bytes).await {
            return error;
        }
        bytes.clear();
    }
}
