//! All processes of a node, as one thing to be signalled: the process group, and those that have left it.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::strays::{Process, Sign, members, strays};

/// Processes of a node. It may be signalled only as long as the one that leads the group has not been reaped, as the
/// number may belong to another afterwards.
#[derive(Debug, Clone)]
pub(crate) struct ProcessGroup {
    /// Id of the group, which is that of the process that leads it.
    pub(crate) id: Pid,
    /// Processes that were started by us.
    pub(crate) children: BTreeSet<Pid>,
    /// Sign of its processes.
    pub(crate) sign: Arc<Sign>,
}

impl ProcessGroup {
    /// Signals the whole group, and those that have left it unless they are only asked to end, which the process does
    /// itself, and returns the latter.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<BTreeSet<Pid>> {
        let strays = match signal {
            Signal::SIGKILL | Signal::SIGSTOP => self.stop()?,
            Signal::SIGCONT => self.strays(),
            _ => BTreeSet::new(),
        };
        self.signal_with(&strays, signal)?;
        Ok(strays)
    }

    /// Signals the group, and these that have left it.
    pub(crate) fn signal_with(&self, strays: &BTreeSet<Pid>, signal: Signal) -> io::Result<()> {
        killpg(self.id, signal)?;
        for stray in strays {
            kill(*stray, signal).ok(); // It may have ended.
        }
        Ok(())
    }

    /// Stops the group and all that have left it, and returns these. Whoever has been told to stop makes no more
    /// children, so that none is missed.
    pub(crate) fn stop(&self) -> io::Result<BTreeSet<Pid>> {
        killpg(self.id, Signal::SIGSTOP)?;
        let mut stopped = BTreeSet::new();
        loop {
            let more: Vec<Pid> = self.strays().difference(&stopped).copied().collect();
            if more.is_empty() {
                return Ok(stopped);
            }
            for stray in more {
                kill(stray, Signal::SIGSTOP).ok(); // It may have ended.
                stopped.insert(stray);
            }
        }
    }

    /// Returns all processes of the node that have not ended.
    pub(crate) fn members(&self) -> Vec<Process> {
        members(self.id, self.children.clone(), &self.sign)
    }

    fn strays(&self) -> BTreeSet<Pid> {
        strays(self.id, self.children.clone(), &self.sign)
    }
}
