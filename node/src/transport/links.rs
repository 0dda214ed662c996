//! Outgoing links of a node.

use std::{collections::BTreeMap, net::SocketAddr};

use tokio::runtime;

use super::{Hello, dial::Link};
use crate::{defect::Defect, event::Log, frame::Frame, raft::NodeId};

/// Outgoing links of a node.
#[derive(Debug)]
pub(crate) struct Links {
    links: BTreeMap<NodeId, Link>,
    sent: u64,
    /// Planted defect.
    defect: Option<Defect>,
}

impl Links {
    /// Dials every peer except `id`, and keeps the links for as long as this value lives.
    pub(crate) fn dial(runtime: &runtime::Handle, id: NodeId, peers: &BTreeMap<NodeId, SocketAddr>, log: &Log) -> Self {
        let others = peers.iter().filter(|(peer, _)| **peer != id);
        let dial = |(peer, address): (&NodeId, &SocketAddr)| {
            (*peer, Link::dial(runtime, *address, Hello::new(id, *peer, peers), log.clone()))
        };
        Self { links: others.map(dial).collect(), sent: 0, defect: None }
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
