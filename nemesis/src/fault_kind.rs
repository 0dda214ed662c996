//! Kinds of faults, and what everybody who must tell them apart asks of one. Each answer is a match without a default,
//! so that a new kind does not compile before it has them all.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::shape::SHAPES;
use crate::target::TARGETS;

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
    /// A process is asked to end, and starts again when it is healed.
    Restart,
    /// All nodes are restarted, one after the other: several restarts.
    RollingRestart,
    /// A process is killed again and again while it starts: several kills of the same nodes.
    CrashLoop,
    /// A process ends for so long that it must catch up: a long kill.
    StopLong,
    /// A process gets only a share of the processor.
    Starve,
    /// A process can open no more files.
    OpenFiles,
    /// A process can allocate no more memory.
    Memory,
    /// Nodes do not hear each other.
    Partition,
    /// A partition comes and goes: several of the same.
    Flap,
    /// Packets are lost.
    Loss,
    /// Packets come later.
    Delay,
    /// Packets are overtaken by later ones.
    Reorder,
    /// Packets come twice.
    Duplicate,
    /// Packets come with a wrong bit.
    Corrupt,
    /// Links carry only so much.
    Bandwidth,
    /// Connections are reset.
    Reset,
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
    /// A node becomes a member.
    Add,
    /// A member is removed, and its process goes on.
    Remove,
    /// A member is removed and another node takes its place.
    Replace,
    /// The leader hands over to another member.
    Transfer,
}

/// Parameter of a fault, as a user gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// Name, or the placeholder of one that is given by its value alone.
    pub name: &'static str,
    /// Possible values, with their units.
    pub values: &'static str,
    /// Value, or what decides, where it is left out.
    pub default: &'static str,
}

const fn parameter(name: &'static str, values: &'static str, default: &'static str) -> Parameter {
    Parameter { name, values, default }
}

/// Target that the schedule draws where none is given.
const TARGET: Parameter = parameter("TARGET", TARGETS, "drawn: leader, random or minority");
const SHAPE: Parameter = parameter("SHAPE", SHAPES, "drawn");
/// Links of faults of packets.
const LINKS: Parameter = parameter("shape", SHAPES, "drawn");
const SHARE: &str = "percentage, above 0% and up to 100%";
/// Times of packets, and of faults, as a user types them.
const DELAY: &str = "time, such as 200us or 50ms, 1us to 60s";
const TIME: &str = "time, such as 500ms, 1ms to 1d";

impl FaultKind {
    /// Kinds that `all` stands for in a campaign.
    pub const USUAL: [Self; 4] = [Self::Kill, Self::Pause, Self::Partition, Self::Clock];

    /// Returns the name, as in `--faults` and in the events of a history.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Restart => "restart",
            Self::RollingRestart => "rolling-restart",
            Self::CrashLoop => "crash-loop",
            Self::StopLong => "stop-long",
            Self::Starve => "starve",
            Self::OpenFiles => "open-files",
            Self::Memory => "memory",
            Self::Partition => "partition",
            Self::Flap => "flap",
            Self::Loss => "loss",
            Self::Delay => "delay",
            Self::Reorder => "reorder",
            Self::Duplicate => "duplicate",
            Self::Corrupt => "corrupt",
            Self::Bandwidth => "bandwidth",
            Self::Reset => "reset",
            Self::Clock => "clock",
            Self::PowerLoss => "power-loss",
            Self::DiskSlow => "disk-slow",
            Self::DiskError => "disk-error",
            Self::DiskFull => "disk-full",
            Self::DiskReadOnly => "disk-read-only",
            Self::CrashAtFsync => "crash-at-fsync",
            Self::DiskCorrupt => "disk-corrupt",
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Replace => "replace",
            Self::Transfer => "transfer",
        }
    }

    /// Returns the form in which a user asks for it, with its options in brackets.
    pub fn usage(self) -> &'static str {
        match self {
            Self::Kill => "kill[:TARGET]",
            Self::Pause => "pause[:TARGET]",
            Self::Restart => "restart[:TARGET,down=TIME]",
            Self::RollingRestart => "rolling-restart[:down=TIME,every=TIME]",
            Self::CrashLoop => "crash-loop[:TARGET,up=TIME]",
            Self::StopLong => "stop-long[:TARGET,down=TIME]",
            Self::Starve => "starve[:TARGET,cpu=PERCENT,period=TIME]",
            Self::OpenFiles => "open-files[:TARGET,files=N]",
            Self::Memory => "memory[:TARGET,more=SIZE]",
            Self::Partition => "partition[:SHAPE]",
            Self::Flap => "flap[:SHAPE,every=TIME]",
            Self::Loss => "loss[:PERCENT,shape=SHAPE]",
            Self::Delay => "delay[:TIME,jitter=TIME,shape=SHAPE]",
            Self::Reorder => "reorder[:PERCENT,by=TIME,shape=SHAPE]",
            Self::Duplicate => "duplicate[:PERCENT,shape=SHAPE]",
            Self::Corrupt => "corrupt[:PERCENT,checksum=CHECKSUM,shape=SHAPE]",
            Self::Bandwidth => "bandwidth[:RATE,queue=TIME,shape=SHAPE]",
            Self::Reset => "reset[:SHAPE,then=STATE]",
            Self::Clock => "clock[:rate=R,jump=TIME,strobe=TIME,clocks=CLOCKS,by=WAY,target=TARGET]",
            Self::PowerLoss => "power-loss[:TARGET,mode=MODE,entries=RULE]",
            Self::DiskSlow => "disk-slow[:TARGET,delay=TIME]",
            Self::DiskError => "disk-error[:TARGET]",
            Self::DiskFull => "disk-full[:TARGET]",
            Self::DiskReadOnly => "disk-read-only[:TARGET]",
            Self::CrashAtFsync => "crash-at-fsync[:TARGET,n=N]",
            Self::DiskCorrupt => "disk-corrupt[:TARGET,damage=DAMAGE]",
            Self::Add => "add",
            Self::Remove => "remove[:TARGET]",
            Self::Replace => "replace[:TARGET]",
            Self::Transfer => "transfer[:TARGET]",
        }
    }

    /// Returns its effect in a few words.
    pub fn about(self) -> &'static str {
        match self {
            Self::Kill => "SIGKILL, and a restart after a while",
            Self::Pause => "SIGSTOP, and SIGCONT after a while",
            Self::Restart => "asks to end in good order, and starts again after a while",
            Self::RollingRestart => "restarts all nodes, one after the other",
            Self::CrashLoop => "SIGKILL again and again while the node starts",
            Self::StopLong => "SIGKILL, and a restart so late that the node must catch up",
            Self::Starve => "SIGSTOP and SIGCONT in turn: a share of the processor",
            Self::OpenFiles => "no more files and sockets can be opened: EMFILE",
            Self::Memory => "no more memory can be allocated: ENOMEM",
            Self::Partition => "nodes drop the packets of others",
            Self::Flap => "a partition that comes and goes",
            Self::Loss => "packets are lost",
            Self::Delay => "packets come later",
            Self::Reorder => "packets are held back, so that later ones overtake them",
            Self::Duplicate => "packets come twice",
            Self::Corrupt => "packets come with a flipped bit: one that checksums do not see, or do",
            Self::Bandwidth => "links carry no more than so many bits per second",
            Self::Reset => "TCP connections are reset at both ends",
            Self::Clock => "skews a node's clock; before a partition, it is the isolated node's",
            Self::PowerLoss => "SIGKILL, and what was not fsynced is lost: whole, part, torn, reordered",
            Self::DiskSlow => "each fsync takes longer",
            Self::DiskError => "each fsync fails with EIO",
            Self::DiskFull => "files cannot grow: ENOSPC",
            Self::DiskReadOnly => "files cannot be changed: EROFS",
            Self::CrashAtFsync => "SIGKILL at the n-th fsync, before it has any effect",
            Self::DiskCorrupt => "SIGKILL, and damage to files: bit-flip, truncated-tail, old-copy",
            Self::Add => "adds a spare node, or one that was removed, to the members",
            Self::Remove => "removes a member, whose process goes on",
            Self::Replace => "removes a member and adds another node in its place",
            Self::Transfer => "asks the leader to hand over to another member",
        }
    }

    /// Returns what a user can set.
    pub fn parameters(self) -> Vec<Parameter> {
        match self {
            Self::Kill | Self::Pause | Self::DiskError | Self::DiskFull | Self::DiskReadOnly => vec![TARGET],
            Self::Add => Vec::new(),
            Self::Remove | Self::Replace => vec![parameter("TARGET", TARGETS, "drawn: leader or random")],
            Self::Transfer => vec![parameter("TARGET", TARGETS, "follower")],
            Self::Restart => vec![TARGET, parameter("down", TIME, "as long as any fault")],
            Self::RollingRestart => vec![parameter("down", TIME, "500ms"), parameter("every", TIME, "2s")],
            Self::CrashLoop => vec![TARGET, parameter("up", TIME, "100ms")],
            Self::StopLong => vec![TARGET, parameter("down", TIME, "10s")],
            Self::Starve => {
                vec![TARGET, parameter("cpu", "percentage, 1% to 99%", "20%"), parameter("period", TIME, "25ms")]
            }
            Self::OpenFiles => {
                vec![TARGET, parameter("files", "number, 0 to 1000000", "as many as are open when it begins")]
            }
            Self::Memory => vec![TARGET, parameter("more", "size, such as 512KiB or 4MiB, up to 1TiB", "none")],
            Self::Partition => vec![SHAPE],
            Self::Flap => vec![SHAPE, parameter("every", TIME, "500ms")],
            Self::Loss => vec![parameter("PERCENT", SHARE, "20%"), LINKS],
            Self::Delay => {
                vec![parameter("TIME", DELAY, "50ms"), parameter("jitter", "time, up to the delay", "none"), LINKS]
            }
            Self::Reorder => vec![parameter("PERCENT", SHARE, "25%"), parameter("by", DELAY, "10ms"), LINKS],
            Self::Duplicate => vec![parameter("PERCENT", SHARE, "10%"), LINKS],
            Self::Corrupt => {
                let checksum = parameter("checksum", "repaired or wrong", "repaired");
                vec![parameter("PERCENT", SHARE, "1%"), checksum, LINKS]
            }
            Self::Bandwidth => {
                let rate = parameter("RATE", "bits per second, 1kbit to 100gbit, such as 1mbit", "1mbit");
                vec![rate, parameter("queue", DELAY, "200ms"), LINKS]
            }
            Self::Reset => vec![SHAPE, parameter("then", "open or cut", "open")],
            Self::Clock => vec![
                parameter("rate", "clock seconds per second, 0 to 1000", "0.2"),
                parameter("jump", "time, -1d to 1d, such as 500ms", "0s"),
                parameter("strobe", "time from one jump there and back to the next, 1ms to 1d", "none"),
                parameter("clocks", "wall or all: those that jump", "wall"),
                parameter("by", "file or vdso", "the clock file, if nodes read one"),
                parameter("target", TARGETS, "leader"),
            ],
            Self::PowerLoss => vec![
                TARGET,
                parameter("mode", "whole, part, torn or reordered", "whole"),
                parameter("entries", "ext4 or strict", "ext4"),
            ],
            Self::DiskSlow => vec![TARGET, parameter("delay", "time, 1ms to 2s", "50ms")],
            Self::CrashAtFsync => vec![TARGET, parameter("n", "number, 1 to 1000000", "10")],
            Self::DiskCorrupt => vec![TARGET, parameter("damage", "bit-flip, truncated-tail or old-copy", "bit-flip")],
        }
    }

    /// Returns what it needs of the system under test, if anything.
    pub fn needs_of_system(self) -> Option<&'static str> {
        let to_change = self.changes_members().then_some("an API to change its members");
        self.skews_clocks().then_some("nodes that read a clock file, or ptrace").or(to_change)
    }

    /// Returns the kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    fn effect(self) -> Effect {
        match self {
            Self::Kill
            | Self::Restart
            | Self::RollingRestart
            | Self::CrashLoop
            | Self::StopLong
            | Self::PowerLoss
            | Self::CrashAtFsync
            | Self::DiskCorrupt
            | Self::DiskError
            | Self::DiskFull
            | Self::DiskReadOnly
            | Self::OpenFiles
            | Self::Memory => Effect::End,
            Self::Pause => Effect::Silence,
            Self::Starve => Effect::Slowness,
            Self::Partition | Self::Flap => Effect::Division,
            Self::Loss
            | Self::Delay
            | Self::Reorder
            | Self::Duplicate
            | Self::Corrupt
            | Self::Bandwidth
            | Self::Reset => Effect::Disturbance,
            Self::Clock => Effect::Skew,
            Self::DiskSlow => Effect::Delay,
            Self::Add | Self::Remove | Self::Replace | Self::Transfer => Effect::Change,
        }
    }

    /// Returns true if the processes of the nodes end, or may end: their roles and clocks are lost with them.
    pub fn ends_processes(self) -> bool {
        self.effect() == Effect::End
    }

    /// Returns true if it is a fault of a node's disk, which must then be one of ours.
    pub fn needs_disk(self) -> bool {
        matches!(
            self,
            Self::PowerLoss
                | Self::CrashAtFsync
                | Self::DiskCorrupt
                | Self::DiskSlow
                | Self::DiskError
                | Self::DiskFull
                | Self::DiskReadOnly
        )
    }

    /// Returns true if the processes of the nodes live on, but answer nobody.
    pub fn silences_processes(self) -> bool {
        self.effect() == Effect::Silence
    }

    /// Returns true if it changes the clocks of nodes.
    pub fn skews_clocks(self) -> bool {
        self.effect() == Effect::Skew
    }

    /// Returns true if it changes the members of the cluster, or the leader among them.
    pub fn changes_members(self) -> bool {
        self.effect() == Effect::Change
    }

    /// Returns true if it takes nodes that are no members at first.
    pub fn needs_spares(self) -> bool {
        matches!(self, Self::Add | Self::Replace)
    }

    /// Returns true if it cuts all packets off, of which only one fault at a time can decide.
    pub(crate) fn divides(self) -> bool {
        self.effect() == Effect::Division
    }

    /// Returns true if each node must have a network of its own, as in a sandbox.
    fn needs_separate_networks(self) -> bool {
        self.divides() || self.effect() == Effect::Disturbance
    }

    /// Returns true if it needs networks or mounts that only a sandbox has.
    pub fn needs_sandbox(self) -> bool {
        self.needs_separate_networks() || self.needs_disk()
    }
}

/// Effect of a fault on the nodes that it hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Their processes end, and start again.
    End,
    /// Their processes stand still.
    Silence,
    /// Their processes stand still now and then.
    Slowness,
    /// Packets do not reach them.
    Division,
    /// Packets reach them late, changed, or not all.
    Disturbance,
    /// Their clocks are wrong.
    Skew,
    /// Their disks take longer.
    Delay,
    /// They become members, or are none any more, or lead.
    Change,
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
