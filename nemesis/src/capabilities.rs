//! What this host lets a run do, and which fault needs what. `doctor` finds it out.

use std::path::{Path, PathBuf};

use serde::Serialize;
use thiserror::Error;

use crate::fault::Fault;
use crate::net::Firewall;

/// Something that a host has or lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// Namespaces for ordinary users.
    UserNamespaces,
    /// Mounts and process numbers of one's own.
    MountAndPidNamespaces,
    /// Interfaces, addresses and rules of one's own.
    Network,
    /// The program `ip`.
    Ip,
    /// The program `iptables` or `nft`.
    Firewall,
    /// Stopping and ending processes.
    Signals,
    /// Starting itself again.
    OwnExecutable,
}

/// One line of what `doctor` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Capability {
    /// Which.
    pub need: Need,
    /// In words, for a table.
    pub name: &'static str,
    /// Whether a real attempt succeeded.
    pub present: bool,
    /// How, or with what error.
    pub detail: String,
    /// What a run can do with it.
    pub enables: &'static str,
    /// What to install or allow where it is absent.
    pub remedy: String,
}

/// All that `doctor` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Capabilities {
    pub(crate) list: Vec<Capability>,
    pub(crate) ip: Option<PathBuf>,
    pub(crate) firewall: Option<Firewall>,
}

/// A fault that cannot work on this host.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("cannot {fault} on this host: {why}")]
pub struct Unsupported {
    /// In words.
    pub fault: String,
    /// What is missing.
    pub why: String,
    /// What to install or allow.
    pub remedy: String,
}

impl Capabilities {
    /// All of them, in the order of a table.
    pub fn list(&self) -> &[Capability] {
        &self.list
    }

    /// Whether an attempt at it succeeded.
    pub fn has(&self, need: Need) -> bool {
        self.missing(need).is_none()
    }

    /// The program `ip`, if it works.
    pub fn ip(&self) -> Option<&Path> {
        self.ip.as_deref()
    }

    /// The program that can install rules, if there is one.
    pub fn firewall(&self) -> Option<&Firewall> {
        self.firewall.as_ref()
    }

    /// Whether a fault of this kind can be injected here at all.
    ///
    /// # Errors
    /// What is missing for it, and the remedy.
    pub fn supports(&self, fault: &Fault) -> Result<(), Unsupported> {
        let needs: &[Need] = match fault {
            Fault::Kill { .. } | Fault::Pause { .. } => &[Need::Signals],
            Fault::Partition { .. } => {
                &[Need::OwnExecutable, Need::MountAndPidNamespaces, Need::Network, Need::Ip, Need::Firewall]
            }
            Fault::Clock { .. } => &[],
        };
        match needs.iter().find_map(|need| self.missing(*need)) {
            None => Ok(()),
            Some(missing) => Err(Unsupported {
                fault: fault.to_string(),
                why: format!("{}: {}", missing.name, missing.detail),
                remedy: missing.remedy.clone(),
            }),
        }
    }

    fn missing(&self, need: Need) -> Option<&Capability> {
        self.list.iter().find(|capability| capability.need == need && !capability.present)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        ];
        let can = Capabilities { list, ip: None, firewall: None };
        assert_eq!(can.supports(&Fault::Kill { target: Target::Leader }), Ok(()));
        assert_eq!(can.supports(&Fault::Clock { target: Target::Leader, rate: 0.2, jump_ns: 0 }), Ok(()));
        let refused = can.supports(&Fault::Partition { shape: Shape::Halves }).unwrap_err();
        assert_eq!(refused.to_string(), "cannot split the nodes into halves on this host: iptables: not found");
        assert_eq!(refused.remedy, "install iptables");
    }
}
