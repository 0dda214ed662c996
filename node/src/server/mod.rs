//! A running node: its listeners, its threads, and its shutdown.
//!
//! The loop in `node` runs on a thread of its own, since it waits for the disk; clients and peers are served by two
//! more threads, which hand it inputs through a bounded queue and nothing else.

mod checkpoints;
mod compaction;
mod descriptors;
mod node;
mod outlet;
mod pending;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::mpsc::{Receiver, sync_channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{
    net,
    runtime::{self, Runtime},
    signal::unix::{SignalKind, signal},
};

pub(crate) use self::{
    node::{Node, Surroundings},
    outlet::Outlet,
};
use crate::{
    config::Config,
    error::{Error, in_full},
    event::{Event, Log},
    http,
    input::{Input, Inputs},
    raft::NodeId,
    transport::{self, Links},
};

/// Maximum number of inputs that wait for the loop; far above what arrives while one batch is made durable.
pub(crate) const MAX_INPUTS: usize = 8192;
/// Number of threads that serve clients and peers.
const SERVING_THREADS: usize = 2;

/// Time that the serving threads may take to end; they only ever wait for sockets.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Handle of a running node. The node ends when [`stop`](Self::stop) is called or its disk fails.
#[derive(Debug)]
pub struct Handle {
    id: NodeId,
    client_addr: SocketAddr,
    inputs: Inputs,
    server: JoinHandle<Result<(), Error>>,
    runtime: Runtime,
}

/// Runs a node until SIGTERM or SIGINT, or until its disk fails.
///
/// # Errors
/// Returns an error if the node could not start, or its disk failed.
pub fn run(config: &Config) -> Result<(), Error> {
    descriptors::take_all();
    let node = start(config)?;
    let (mut terminate, mut interrupt) = {
        let _guard = node.runtime.enter();
        let listen = |kind| signal(kind).map_err(Error::Runtime);
        (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?)
    };
    let inputs = node.inputs.clone();
    node.runtime.spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tokio::task::spawn_blocking(move || inputs.send(Input::Stop).ok());
    });
    node.wait()
}

/// Starts a node and returns once it listens.
///
/// # Errors
/// Returns an error if a setting cannot work, an address is unavailable, or the data on the disk cannot be used.
pub fn start(config: &Config) -> Result<Handle, Error> {
    start_with(config, &Log::to_stderr(config.id))
}

pub(crate) fn start_with(config: &Config, log: &Log) -> Result<Handle, Error> {
    config.validate()?;
    let (peers, clients) = (listen(config.peer_addr())?, listen(config.client_addr)?);
    let client_addr = clients.local_addr().map_err(Error::Runtime)?;
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(SERVING_THREADS)
        .thread_name(format!("{}-serve", config.id))
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    let (inputs, received) = sync_channel(MAX_INPUTS);
    let links = Links::dial(runtime.handle(), config.id, &config.peers, log)
        .joining(config.join, &config.peers)
        .with_defect(config.defect);
    let id = config.id;
    let node = Node::open(config, links, log.clone()).inspect_err(|error| {
        if let Error::Storage { source, .. } = error {
            log.write(Event::StorageError { error: in_full(source) });
        }
    })?;
    {
        let _guard = runtime.enter();
        let peers = net::TcpListener::from_std(peers).map_err(Error::Runtime)?;
        let clients = net::TcpListener::from_std(clients).map_err(Error::Runtime)?;
        runtime.spawn(transport::accept_links(peers, id, config.peers.clone(), inputs.clone(), log.clone()));
        let limits = http::Limits::new(descriptors::for_clients(), config.max_body_bytes);
        runtime.spawn(http::serve(clients, inputs.clone(), limits));
    }
    let server = spawn_loop(node, received, id).map_err(Error::Runtime)?;
    log.write(Event::Ready { client_addr });
    Ok(Handle { id, client_addr, inputs, server, runtime })
}

impl Handle {
    /// Returns the address at which clients are served; the port is the real one if the configuration said 0.
    pub fn client_addr(&self) -> SocketAddr {
        self.client_addr
    }

    /// Ends the node. A crash would leave the same state: what is durable stays durable, and nothing else is done.
    ///
    /// # Errors
    /// Returns an error if the node had failed before.
    pub fn stop(self) -> Result<(), Error> {
        self.inputs.send(Input::Stop).ok(); // an error means that it has ended already
        self.wait()
    }

    /// Waits until the node ends by itself.
    fn wait(self) -> Result<(), Error> {
        let result = self.server.join().unwrap_or(Err(Error::Panicked(self.id)));
        self.runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
        result
    }
}

fn spawn_loop(mut node: Node, received: Receiver<Input>, id: NodeId) -> io::Result<JoinHandle<Result<(), Error>>> {
    thread::Builder::new().name(format!("{id}-loop")).spawn(move || node.run(&received))
}

fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    let listening = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listening.map_err(|source| Error::Listen { address, source })
}

#[cfg(test)]
mod tests;
