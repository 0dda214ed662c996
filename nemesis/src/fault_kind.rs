//! Kinds of faults, and what everybody who must tell them apart asks of one. Each answer is a match without a default,
//! so that a new kind does not compile before it has them all.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Defines the kinds, and the list of all of them.
macro_rules! kinds {
    ($($(#[$about:meta])* $kind:ident,)+) => {
        /// Kind of fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum FaultKind {
            $($(#[$about])* $kind,)+
        }

        impl FaultKind {
            /// All kinds, in the order in which users see them.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];
        }
    };
}

kinds! {
    /// A process ends, and starts again when it is healed.
    Kill,
    /// A process stands still.
    Pause,
    /// Nodes do not hear each other.
    Partition,
    /// A clock is skewed.
    Clock,
    /// A process ends, and its disk forgets what was not fsynced.
    PowerLoss,
    /// A disk takes long to fsync.
    DiskSlow,
    /// A disk fails to fsync.
    DiskError,
    /// A disk is full.
    DiskFull,
    /// A disk is read-only.
    DiskReadOnly,
    /// A process ends at an fsync.
    CrashAtFsync,
    /// Files are damaged.
    DiskCorrupt,
}

impl FaultKind {
    /// Returns the name, as in `--faults` and in the events of a history.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Partition => "partition",
            Self::Clock => "clock",
            Self::PowerLoss => "power-loss",
            Self::DiskSlow => "disk-slow",
            Self::DiskError => "disk-error",
            Self::DiskFull => "disk-full",
            Self::DiskReadOnly => "disk-read-only",
            Self::CrashAtFsync => "crash-at-fsync",
            Self::DiskCorrupt => "disk-corrupt",
        }
    }

    /// Returns the form in which a user asks for it, with its options in brackets.
    pub fn usage(self) -> &'static str {
        match self {
            Self::Kill => "kill[:TARGET]",
            Self::Pause => "pause[:TARGET]",
            Self::Partition => "partition[:SHAPE]",
            Self::Clock => "clock[:rate=R,jump=TIME,target=TARGET]",
            Self::PowerLoss => "power-loss[:TARGET,mode=MODE,entries=RULE]",
            Self::DiskSlow => "disk-slow[:TARGET,delay=TIME]",
            Self::DiskError => "disk-error[:TARGET]",
            Self::DiskFull => "disk-full[:TARGET]",
            Self::DiskReadOnly => "disk-read-only[:TARGET]",
            Self::CrashAtFsync => "crash-at-fsync[:TARGET,n=N]",
            Self::DiskCorrupt => "disk-corrupt[:TARGET,damage=DAMAGE]",
        }
    }

    /// Returns its effect, or its options, in a few words for help texts.
    pub fn about(self) -> &'static str {
        match self {
            Self::Kill => "SIGKILL, and a restart after a while",
            Self::Pause => "SIGSTOP, and SIGCONT after a while",
            Self::Partition => "isolate-leader, isolate-random, halves, one-way, bridge, ring",
            Self::Clock => "skews a node's clock; before a partition, it is the isolated node's",
            Self::PowerLoss => "SIGKILL, and what was not fsynced is lost: whole, part, torn, reordered",
            Self::DiskSlow => "each fsync takes longer",
            Self::DiskError => "each fsync fails with EIO",
            Self::DiskFull => "files cannot grow: ENOSPC",
            Self::DiskReadOnly => "files cannot be changed: EROFS",
            Self::CrashAtFsync => "SIGKILL at the n-th fsync, before it has any effect",
            Self::DiskCorrupt => "SIGKILL, and damage to files: bit-flip, truncated-tail, old-copy",
        }
    }

    /// Returns the kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Returns true if the processes of the nodes end, or may end: their roles and clocks are lost with them.
    pub fn ends_processes(self) -> bool {
        match self {
            Self::Kill
            | Self::PowerLoss
            | Self::CrashAtFsync
            | Self::DiskCorrupt
            | Self::DiskError
            | Self::DiskFull
            | Self::DiskReadOnly => true,
            Self::Pause | Self::Partition | Self::Clock | Self::DiskSlow => false,
        }
    }

    /// Returns true if it is a fault of a node's disk, which must then be one of ours.
    pub fn needs_disk(self) -> bool {
        match self {
            Self::PowerLoss
            | Self::CrashAtFsync
            | Self::DiskCorrupt
            | Self::DiskSlow
            | Self::DiskError
            | Self::DiskFull
            | Self::DiskReadOnly => true,
            Self::Kill | Self::Pause | Self::Partition | Self::Clock => false,
        }
    }

    /// Iterates over the kinds of a campaign that names none, and of `all`.
    pub fn usual() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|kind| !kind.needs_disk())
    }

    /// Returns true if the processes of the nodes live on, but answer nobody.
    pub fn silences_processes(self) -> bool {
        match self {
            Self::Pause => true,
            Self::Kill
            | Self::Partition
            | Self::Clock
            | Self::PowerLoss
            | Self::DiskSlow
            | Self::DiskError
            | Self::DiskFull
            | Self::DiskReadOnly
            | Self::CrashAtFsync
            | Self::DiskCorrupt => false,
        }
    }

    /// Returns true if it can hide from a running node that the others go on without it.
    pub fn cuts_nodes_off(self) -> bool {
        match self {
            Self::Pause | Self::Partition => true,
            Self::Kill
            | Self::Clock
            | Self::PowerLoss
            | Self::DiskSlow
            | Self::DiskError
            | Self::DiskFull
            | Self::DiskReadOnly
            | Self::CrashAtFsync
            | Self::DiskCorrupt => false,
        }
    }

    /// Returns true if it changes the clocks of nodes.
    pub fn skews_clocks(self) -> bool {
        match self {
            Self::Clock => true,
            Self::Kill
            | Self::Pause
            | Self::Partition
            | Self::PowerLoss
            | Self::DiskSlow
            | Self::DiskError
            | Self::DiskFull
            | Self::DiskReadOnly
            | Self::CrashAtFsync
            | Self::DiskCorrupt => false,
        }
    }

    /// Returns true if it needs networks or mounts that only a sandbox has.
    pub fn needs_sandbox(self) -> bool {
        match self {
            Self::Partition
            | Self::PowerLoss
            | Self::DiskSlow
            | Self::DiskError
            | Self::DiskFull
            | Self::DiskReadOnly
            | Self::CrashAtFsync
            | Self::DiskCorrupt => true,
            Self::Kill | Self::Pause | Self::Clock => false,
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::FaultKind;

    #[test]
    fn each_kind_has_one_name() {
        for &kind in FaultKind::ALL {
            assert_eq!(FaultKind::from_name(kind.name()), Some(kind));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
            assert_eq!(kind.usage().split('[').next(), Some(kind.name()));
        }
        assert_eq!(FaultKind::from_name("none"), None);
    }
}
