//! Capabilities of this host, and those that each fault needs. `doctor` determines them.

use std::fmt;

use serde::Serialize;
use thiserror::Error;

use crate::clock::SkewWay;
use crate::fault::Fault;
use crate::fault_kind::FaultKind;
use crate::net::Partitioner;
use crate::sandbox::is_root;

/// Capability that a host has or lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// Namespaces for ordinary users.
    UserNamespaces,
    /// Mount and PID namespaces.
    MountAndPidNamespaces,
    /// UTS namespaces, with host names of their own.
    UtsNamespaces,
    /// Network namespaces, with their own interfaces, addresses and rules.
    Network,
    /// Bridges and veth pairs between them.
    Links,
    /// Sockets for whole frames.
    PacketSockets,
    /// Program that installs rules, if hosts are to be partitioned by one.
    Firewall,
    /// Device and permission to serve a file system.
    Fuse,
    /// Permission to stop and kill processes.
    Signals,
    /// Permission to trace processes, and a processor on which the clocks of any program can be skewed.
    Tracing,
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
    pub(crate) partitioner: Option<Partitioner>,
}

/// Need of a node that not every host can meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeNeed {
    /// User who is not root.
    OrdinaryUser,
    /// Files that only it sees.
    OwnFiles,
    /// Host name that only it sees.
    OwnHostName,
}

impl NodeNeed {
    /// Returns true if a node without a sandbox cannot have it.
    pub fn needs_sandbox(self) -> bool {
        matches!(self, Self::OwnFiles | Self::OwnHostName)
    }
}

impl fmt::Display for NodeNeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OrdinaryUser => "run nodes as an ordinary user",
            Self::OwnFiles => "give nodes files that only they see",
            Self::OwnHostName => "give nodes a host name that only they see",
        })
    }
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

    /// Returns the means to partition hosts, if they are here.
    pub fn partitioner(&self) -> Option<&Partitioner> {
        self.partitioner.as_ref()
    }

    /// Checks that a fault can be injected on this host, into nodes that read a clock file or do not.
    ///
    /// # Errors
    /// Returns the missing capability, and the remedy.
    pub fn supports(&self, fault: &Fault, reads_clock_file: bool) -> Result<(), Unsupported> {
        let needs = match fault {
            Fault::Clock { skew, .. } if skew.way(reads_clock_file) == SkewWay::Vdso => &[Need::Tracing],
            other => needs_of(other.kind()),
        };
        self.require(needs, || fault.to_string())
    }

    /// Checks that faults of this kind can be injected on this host.
    ///
    /// # Errors
    /// Returns the missing capability, and the remedy.
    pub fn supports_kind(&self, kind: FaultKind) -> Result<(), Unsupported> {
        self.require(needs_of(kind), || format!("inject {kind}"))
    }

    /// Returns the capabilities that faults of this kind take.
    pub fn needed_for(&self, kind: FaultKind) -> impl Iterator<Item = &Capability> {
        let needs = needs_of(kind);
        self.list.iter().filter(|capability| needs.contains(&capability.need))
    }

    /// Checks that nodes with this need can be started on this host.
    ///
    /// # Errors
    /// Returns the missing capability, and the remedy.
    pub fn supports_node(&self, need: NodeNeed) -> Result<(), Unsupported> {
        let needs: &[Need] = match need {
            NodeNeed::OrdinaryUser if !is_root() => &[],
            NodeNeed::OrdinaryUser => &[Need::UserNamespaces],
            NodeNeed::OwnFiles => &[Need::MountAndPidNamespaces],
            NodeNeed::OwnHostName => &[Need::MountAndPidNamespaces, Need::UtsNamespaces],
        };
        self.require(needs, || need.to_string())
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

fn needs_of(kind: FaultKind) -> &'static [Need] {
    match kind {
        FaultKind::Kill
        | FaultKind::Pause
        | FaultKind::Restart
        | FaultKind::RollingRestart
        | FaultKind::CrashLoop
        | FaultKind::StopLong
        | FaultKind::Starve
        | FaultKind::OpenFiles
        | FaultKind::Memory => &[Need::Signals],
        FaultKind::Partition | FaultKind::Flap => {
            &[Need::OwnExecutable, Need::MountAndPidNamespaces, Need::Network, Need::Links, Need::Firewall]
        }
        FaultKind::Loss
        | FaultKind::Delay
        | FaultKind::Reorder
        | FaultKind::Duplicate
        | FaultKind::Corrupt
        | FaultKind::Bandwidth
        | FaultKind::Reset => {
            &[Need::OwnExecutable, Need::MountAndPidNamespaces, Need::Network, Need::Links, Need::PacketSockets]
        }
        FaultKind::Clock | FaultKind::Add | FaultKind::Remove | FaultKind::Replace | FaultKind::Transfer => &[],
        FaultKind::PowerLoss
        | FaultKind::DiskSlow
        | FaultKind::DiskError
        | FaultKind::DiskFull
        | FaultKind::DiskReadOnly
        | FaultKind::CrashAtFsync
        | FaultKind::DiskCorrupt => &[Need::Signals, Need::MountAndPidNamespaces, Need::Fuse],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Skew;
    use crate::disk::DiskFault;
    use crate::shape::Shape;
    use crate::target::Target;

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
            capability(Need::UtsNamespaces, "UTS namespaces", false),
            capability(Need::Network, "network namespaces", true),
            capability(Need::Firewall, "iptables", false),
            capability(Need::Signals, "signals", true),
            capability(Need::Tracing, "ptrace", false),
            capability(Need::Fuse, "/dev/fuse", false),
        ];
        let can = Capabilities { list, partitioner: None };
        assert_eq!(can.supports(&Fault::Kill { target: Target::Leader }, true), Ok(()));
        let clock = Fault::Clock { target: Target::Leader, skew: Skew { rate: 0.2, ..Skew::NONE } };
        assert_eq!(can.supports(&clock, true), Ok(()));
        let refused = can.supports(&clock, false).unwrap_err().to_string();
        assert_eq!(refused, "cannot skew the clock of the leader to 0.2 of its speed on this host: ptrace: not found");
        let refused = can.supports(&Fault::Partition { shape: Shape::Halves }, true).unwrap_err();
        assert_eq!(refused.to_string(), "cannot split the nodes into halves on this host: iptables: not found");
        assert_eq!(refused.remedy, "install iptables");
        let refused = can.supports_kind(FaultKind::Partition).unwrap_err().to_string();
        assert_eq!(refused, "cannot inject partition on this host: iptables: not found");
        assert_eq!(can.supports_kind(FaultKind::Pause), Ok(()));
        let names: Vec<_> = can.needed_for(FaultKind::Partition).map(|needed| needed.name).collect();
        assert_eq!(names, ["network namespaces", "iptables"]);
        let full = Fault::Disk { target: Target::Random, fault: DiskFault::Full };
        let refused = can.supports(&full, true).unwrap_err().to_string();
        assert_eq!(refused, "cannot fill the disk of a random node on this host: /dev/fuse: not found");
        assert_eq!(can.supports_node(NodeNeed::OwnFiles), Ok(()));
        let refused = can.supports_node(NodeNeed::OwnHostName).unwrap_err().to_string();
        assert_eq!(refused, "cannot give nodes a host name that only they see on this host: UTS namespaces: not found");
        let refused = can.supports_node(NodeNeed::OrdinaryUser).map_err(|refused| refused.to_string());
        let said = "cannot run nodes as an ordinary user on this host: user namespaces: not found".to_owned();
        assert_eq!(refused, if is_root() { Err(said) } else { Ok(()) });
    }
}
