//! Capabilities of this host, and those that each fault needs. `doctor` determines them.

use std::path::{Path, PathBuf};

use serde::Serialize;
use thiserror::Error;

use crate::fault::Fault;
use crate::net::Firewall;
use crate::sandbox::is_root;

/// Capability that a host has or lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// Namespaces for ordinary users.
    UserNamespaces,
    /// Mount and PID namespaces.
    MountAndPidNamespaces,
    /// Network namespaces, with their own interfaces, addresses and rules.
    Network,
    /// Program `ip`.
    Ip,
    /// Program `iptables` or `nft`.
    Firewall,
    /// Device and permission to serve a file system.
    Fuse,
    /// Permission to stop and kill processes.
    Signals,
    /// Ability to start this executable again.
    OwnExecutable,
}

/// Line of the report of `doctor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Capability {
    /// Kind of the capability.
    pub need: Need,
    /// Name in words, for a table.
    pub name: &'static str,
    /// True if a real attempt succeeded.
    pub present: bool,
    /// Description of the successful attempt, or the error.
    pub detail: String,
    /// Part of a run that depends on it.
    pub enables: &'static str,
    /// Package to install or permission to grant if it is absent.
    pub remedy: String,
}

/// Findings of `doctor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Capabilities {
    pub(crate) list: Vec<Capability>,
    pub(crate) ip: Option<PathBuf>,
    pub(crate) firewall: Option<Firewall>,
}

/// Need of a node that not every host can meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeNeed {
    /// User who is not root.
    OrdinaryUser,
    /// View of the host that differs from that of others.
    OwnView,
}

/// Fault that cannot be injected on this host, or node that cannot be started on it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("cannot {what} on this host: {why}")]
pub struct Unsupported {
    /// Description of the fault, or of the start.
    pub what: String,
    /// Missing capability.
    pub why: String,
    /// Package to install or permission to grant.
    pub remedy: String,
}

impl Capabilities {
    /// Returns all capabilities, in the order of a table.
    pub fn list(&self) -> &[Capability] {
        &self.list
    }

    /// Returns true if an attempt at it succeeded.
    pub fn has(&self, need: Need) -> bool {
        self.missing(need).is_none()
    }

    /// Returns the path of the program `ip`, if it works.
    pub fn ip(&self) -> Option<&Path> {
        self.ip.as_deref()
    }

    /// Returns the program that can install rules, if there is one.
    pub fn firewall(&self) -> Option<&Firewall> {
        self.firewall.as_ref()
    }

    /// Checks that a fault of this kind can be injected on this host.
    ///
    /// # Errors
    /// Returns the missing capability, and the remedy.
    pub fn supports(&self, fault: &Fault) -> Result<(), Unsupported> {
        let needs: &[Need] = match fault {
            Fault::Kill { .. } | Fault::Pause { .. } => &[Need::Signals],
            Fault::Partition { .. } => {
                &[Need::OwnExecutable, Need::MountAndPidNamespaces, Need::Network, Need::Ip, Need::Firewall]
            }
            Fault::Clock { .. } => &[],
            Fault::Disk { .. } => &[Need::Signals, Need::MountAndPidNamespaces, Need::Fuse],
        };
        self.require(needs, || fault.to_string())
    }

    /// Checks that nodes with this need can be started on this host.
    ///
    /// # Errors
    /// Returns the missing capability, and the remedy.
    pub fn supports_node(&self, need: NodeNeed) -> Result<(), Unsupported> {
        let (needs, what): (&[Need], _) = match need {
            NodeNeed::OrdinaryUser if !is_root() => (&[], ""),
            NodeNeed::OrdinaryUser => (&[Need::UserNamespaces], "run nodes as an ordinary user"),
            NodeNeed::OwnView => (&[Need::MountAndPidNamespaces], "give nodes files or a host name that only they see"),
        };
        self.require(needs, || what.to_owned())
    }

    fn require(&self, needs: &[Need], what: impl FnOnce() -> String) -> Result<(), Unsupported> {
        let Some(missing) = needs.iter().find_map(|need| self.missing(*need)) else { return Ok(()) };
        let why = format!("{}: {}", missing.name, missing.detail);
        Err(Unsupported { what: what(), why, remedy: missing.remedy.clone() })
    }

    fn missing(&self, need: Need) -> Option<&Capability> {
        self.list.iter().find(|capability| capability.need == need && !capability.present)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::DiskFault;
    use crate::fault::{Shape, Target};

    #[test]
    fn a_fault_is_refused_by_what_is_missing_for_it() {
        let capability = |need, name, present| Capability {
            need,
            name,
            present,
            detail: "not found".into(),
            enables: "",
            remedy: format!("install {name}"),
        };
        let list = vec![
            capability(Need::UserNamespaces, "user namespaces", false),
            capability(Need::Network, "network namespaces", true),
            capability(Need::Firewall, "iptables", false),
            capability(Need::Signals, "signals", true),
            capability(Need::Fuse, "/dev/fuse", false),
        ];
        let can = Capabilities { list, ip: None, firewall: None };
        assert_eq!(can.supports(&Fault::Kill { target: Target::Leader }), Ok(()));
        assert_eq!(can.supports(&Fault::Clock { target: Target::Leader, rate: 0.2, jump_ns: 0 }), Ok(()));
        let refused = can.supports(&Fault::Partition { shape: Shape::Halves }).unwrap_err();
        assert_eq!(refused.to_string(), "cannot split the nodes into halves on this host: iptables: not found");
        assert_eq!(refused.remedy, "install iptables");
        let full = Fault::Disk { target: Target::Random, fault: DiskFault::Full };
        let refused = can.supports(&full).unwrap_err().to_string();
        assert_eq!(refused, "cannot fill the disk of a random node on this host: /dev/fuse: not found");
        assert_eq!(can.supports_node(NodeNeed::OwnView), Ok(()));
        let refused = can.supports_node(NodeNeed::OrdinaryUser).map_err(|refused| refused.to_string());
        let said = "cannot run nodes as an ordinary user on this host: user namespaces: not found".to_owned();
        assert_eq!(refused, if is_root() { Err(said) } else { Ok(()) });
    }
}
