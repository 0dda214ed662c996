//! The outgoing link to one peer: dials, says who it is, writes what is queued, and starts over when the connection is of no more use.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
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
    BATCH_FRAMES, CONNECT_TIMEOUT, Frame, Hello, PING_INTERVAL, QUEUE_FRAMES, RETRY_INTERVAL, Welcome, codec, tune,
};
use crate::event::{Event, Log};

/// The loop's end of a link.
#[derive(Debug)]
pub(super) struct Link {
    queue: mpsc::Sender<Frame>,
    up: Arc<AtomicBool>,
}

impl Link {
    /// Keeps a link to `address` until the returned value is dropped.
    pub(super) fn dial(runtime: &runtime::Handle, address: SocketAddr, hello: Hello, log: Log) -> Self {
        let (queue, frames) = mpsc::channel(QUEUE_FRAMES);
        let up = Arc::new(AtomicBool::new(false));
        runtime.spawn(keep_linked(address, hello, frames, Arc::clone(&up), log));
        Self { queue, up }
    }

    /// Queues a frame; false if the link does not work or its queue is full.
    pub(super) fn send(&self, frame: Frame) -> bool {
        self.up.load(Ordering::Acquire) && self.queue.try_send(frame).is_ok()
    }
}

async fn keep_linked(
    address: SocketAddr,
    hello: Hello,
    mut frames: mpsc::Receiver<Frame>,
    up: Arc<AtomicBool>,
    log: Log,
) {
    let peer = hello.to;
    while !frames.is_closed() {
        if let Ok(Ok((reader, writer))) = timeout(CONNECT_TIMEOUT, connect(address, &hello)).await {
            while frames.try_recv().is_ok() {} // queued for a connection that is gone
            up.store(true, Ordering::Release);
            log.write(Event::PeerUp { peer });
            let reason = serve(reader, writer, &mut frames).await;
            up.store(false, Ordering::Release);
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
    let Welcome = codec::read(&mut reader, &mut bytes).await?;
    Ok((reader, writer))
}

/// Writes frames until the connection fails, and says why it did.
async fn serve(mut reader: OwnedReadHalf, mut writer: OwnedWriteHalf, frames: &mut mpsc::Receiver<Frame>) -> io::Error {
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
                Ok(_) => io::Error::other("the peer wrote where it may not"),
                Err(error) => error,
            },
        }
        for frame in batch.drain(..) {
            codec::append(&mut bytes, &frame);
        }
        if let Err(error) = writer.write_all(&bytes).await {
            return error;
        }
        bytes.clear();
    }
}
