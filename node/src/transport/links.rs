//! Outgoing links of a node.

use std::{collections::BTreeMap, net::SocketAddr};

use tokio::runtime;

use super::{Hello, MAX_JOINED, dial::Link};
use crate::{defect::Defect, event::Log, frame::Frame, raft::NodeId};

/// Outgoing links of a node.
#[derive(Debug)]
pub(crate) struct Links {
    runtime: runtime::Handle,
    log: Log,
    /// First frame on each link, but for its recipient.
    hello: Hello,
    links: BTreeMap<NodeId, Link>,
    /// Addresses of the peers that joined later.
    joined: BTreeMap<NodeId, SocketAddr>,
    sent: u64,
    /// Planted defect.
    defect: Option<Defect>,
}

impl Links {
    /// Dials every peer except `id`, and keeps the links for as long as this value lives.
    pub(crate) fn dial(runtime: &runtime::Handle, id: NodeId, peers: &BTreeMap<NodeId, SocketAddr>, log: &Log) -> Self {
        let mut links = Self {
            runtime: runtime.clone(),
            log: log.clone(),
            hello: Hello::new(id, id, peers),
            links: BTreeMap::new(),
            joined: BTreeMap::new(),
            sent: 0,
            defect: None,
        };
        links.dial_all(peers);
        links
    }

    /// Dials the peers again as a node that joined later, whose own address they do not know.
    pub(crate) fn joining(mut self, address: Option<SocketAddr>, peers: &BTreeMap<NodeId, SocketAddr>) -> Self {
        if address.is_some() {
            self.hello.address = address;
            self.dial_all(peers);
        }
        self
    }

    fn dial_all(&mut self, peers: &BTreeMap<NodeId, SocketAddr>) {
        for (peer, address) in peers.iter().filter(|(peer, _)| **peer != self.hello.from) {
            self.links.insert(*peer, self.dial_one(*peer, *address));
        }
    }

    fn dial_one(&self, peer: NodeId, address: SocketAddr) -> Link {
        let hello = Hello { to: peer, ..self.hello.clone() };
        Link::dial(&self.runtime, address, hello, self.log.clone())
    }

    /// Dials a peer that joined later, unless that has been done. A link stays until the node ends, also to a node that
    /// was removed: it may come back.
    pub(crate) fn connect(&mut self, peer: NodeId, address: SocketAddr) {
        let is_new = peer != self.hello.from && self.joined.get(&peer) != Some(&address);
        if is_new && (self.joined.contains_key(&peer) || self.joined.len() < MAX_JOINED) {
            self.joined.insert(peer, address);
            self.links.insert(peer, self.dial_one(peer, address));
        }
    }

    /// Plants a defect, if one is given.
    pub(crate) fn with_defect(self, defect: Option<Defect>) -> Self {
        Self { defect, ..self }
    }

    /// Queues a frame; returns false if it was certainly not sent and never will be.
    pub(crate) fn send(&mut self, to: NodeId, frame: Frame) -> bool {
        let link = self.links.get(&to);
        if self.defect == Some(Defect::LinkRepeatsFrames) {
            link.map(|link| link.send(frame.clone()));
        }
        let queued = link.is_some_and(|link| link.send(frame));
        self.sent += u64::from(queued);
        queued
    }

    /// Returns the number of frames queued so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }
}
