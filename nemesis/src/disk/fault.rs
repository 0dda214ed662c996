//! Faults of a disk as plain data: how they are asked for, printed and told.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::fault_kind::FaultKind;
use crate::spec_options::{name_of, time_in_words, value_named};

/// Maximum delay of an fsync: a process that waits for one cannot be killed before its end.
const MAX_DELAY_MS: u32 = 2000;
const DEFAULT_DELAY_MS: u32 = 50;
const DEFAULT_FSYNC: u32 = 10;

/// Unsynced changes that a power loss lets through to the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossMode {
    /// None.
    #[default]
    Whole,
    /// The first so many, in their order.
    Part,
    /// The first so many, and of the next, if it is a write, some sectors of 512 bytes.
    Torn,
    /// Any, later ones without earlier ones. The entries of folders keep their order unless they are strict.
    Reordered,
}

/// Rule by which entries of folders become durable; the greater, the stricter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryRule {
    /// Rule of ext4: whatever is synchronised commits the journal, with all entries.
    #[default]
    Ext4,
    /// Promise of POSIX: only once the folder itself was synchronised.
    Strict,
}

/// Damage to the files of a disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Damage {
    /// One bit of one file is another.
    #[default]
    BitFlip,
    /// One file has lost some of its last bytes.
    TruncatedTail,
    /// All files are as they were at the beginning of the fault.
    OldCopy,
}

/// Fault of a node's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskFault {
    /// Power loss: the processes end, and what is not durable is forgotten.
    PowerLoss {
        /// Unsynced changes that are not forgotten.
        mode: LossMode,
        /// Rule by which entries of folders are durable, for the whole run.
        entries: EntryRule,
    },
    /// Each fsync takes longer.
    Slow {
        /// Additional time, ms.
        delay_ms: u32,
    },
    /// Each fsync fails with `EIO`, and what it should have made durable never will be unless it is written again.
    Error,
    /// Nothing can grow: `ENOSPC`.
    Full,
    /// Nothing can be changed: `EROFS`.
    ReadOnly,
    /// Death of all processes at an fsync, before it has any effect.
    CrashAtFsync {
        /// Number of that fsync, from 1.
        n: u32,
    },
    /// Damage to files while the processes are down.
    Corrupt {
        /// Kind of damage.
        damage: Damage,
    },
}

const MODES: [(&str, LossMode); 4] = [
    ("whole", LossMode::Whole),
    ("part", LossMode::Part),
    ("torn", LossMode::Torn),
    ("reordered", LossMode::Reordered),
];
const RULES: [(&str, EntryRule); 2] = [("ext4", EntryRule::Ext4), ("strict", EntryRule::Strict)];
const DAMAGES: [(&str, Damage); 3] =
    [("bit-flip", Damage::BitFlip), ("truncated-tail", Damage::TruncatedTail), ("old-copy", Damage::OldCopy)];

impl DiskFault {
    /// Returns the fault of a kind with its usual options; none if it is no fault of disks.
    pub(crate) fn usual(kind: FaultKind) -> Option<Self> {
        match kind {
            FaultKind::PowerLoss => Some(Self::PowerLoss { mode: <_>::default(), entries: <_>::default() }),
            FaultKind::DiskSlow => Some(Self::Slow { delay_ms: DEFAULT_DELAY_MS }),
            FaultKind::DiskError => Some(Self::Error),
            FaultKind::DiskFull => Some(Self::Full),
            FaultKind::DiskReadOnly => Some(Self::ReadOnly),
            FaultKind::CrashAtFsync => Some(Self::CrashAtFsync { n: DEFAULT_FSYNC }),
            FaultKind::DiskCorrupt => Some(Self::Corrupt { damage: Damage::default() }),
            _ => None,
        }
    }

    /// Sets an option, such as `mode=torn`.
    ///
    /// # Errors
    /// Returns the description of the valid options or values.
    pub(crate) fn set(&mut self, option: &str, value: &str) -> Result<(), &'static str> {
        let number = |most| value.parse().ok().filter(|number| (1..=most).contains(number));
        match (self, option) {
            (Self::PowerLoss { mode, .. }, "mode") => {
                *mode = value_named(&MODES, value).ok_or("whole, part, torn or reordered")?;
            }
            (Self::PowerLoss { entries, .. }, "entries") => {
                *entries = value_named(&RULES, value).ok_or("ext4 or strict")?;
            }
            (Self::Slow { delay_ms }, "delay") => {
                let seconds = value.strip_suffix("ms").is_none();
                let digits = value.strip_suffix("ms").or(value.strip_suffix('s'));
                let given = digits.and_then(|digits| digits.parse::<u32>().ok());
                let given = given.and_then(|given| given.checked_mul(if seconds { 1000 } else { 1 }));
                let given = given.filter(|given| (1..=MAX_DELAY_MS).contains(given));
                *delay_ms = given.ok_or("a time from 1ms to 2s")?;
            }
            (Self::CrashAtFsync { n }, "n") => *n = number(1_000_000).ok_or("a number from 1 to 1000000")?,
            (Self::Corrupt { damage }, "damage") => {
                *damage = value_named(&DAMAGES, value).ok_or("bit-flip, truncated-tail or old-copy")?;
            }
            (fault, _) => return Err(fault.options()),
        }
        Ok(())
    }

    fn options(self) -> &'static str {
        match self {
            Self::PowerLoss { .. } => "a target such as leader, mode=torn or entries=strict",
            Self::Slow { .. } => "a target such as leader, or delay=50ms",
            Self::Error | Self::Full | Self::ReadOnly => "a target such as leader",
            Self::CrashAtFsync { .. } => "a target such as leader, or n=10",
            Self::Corrupt { .. } => "a target such as leader, or damage=bit-flip",
        }
    }

    /// Returns the options as they are typed.
    pub(crate) fn typed(self) -> Vec<String> {
        match self {
            Self::PowerLoss { mode, entries } => {
                vec![format!("mode={}", name_of(&MODES, &mode)), format!("entries={}", name_of(&RULES, &entries))]
            }
            Self::Slow { delay_ms } => vec![format!("delay={delay_ms}ms")],
            Self::Error | Self::Full | Self::ReadOnly => vec![],
            Self::CrashAtFsync { n } => vec![format!("n={n}")],
            Self::Corrupt { damage } => vec![format!("damage={}", name_of(&DAMAGES, &damage))],
        }
    }

    /// Returns the kind of fault.
    pub fn kind(self) -> FaultKind {
        match self {
            Self::PowerLoss { .. } => FaultKind::PowerLoss,
            Self::Slow { .. } => FaultKind::DiskSlow,
            Self::Error => FaultKind::DiskError,
            Self::Full => FaultKind::DiskFull,
            Self::ReadOnly => FaultKind::DiskReadOnly,
            Self::CrashAtFsync { .. } => FaultKind::CrashAtFsync,
            Self::Corrupt { .. } => FaultKind::DiskCorrupt,
        }
    }

    /// Returns true if it is over at once: the processes end, and the files are others from then on.
    pub(crate) fn is_done_at_once(self) -> bool {
        match self {
            Self::PowerLoss { .. } => true,
            Self::Corrupt { damage } => damage != Damage::OldCopy,
            Self::Slow { .. } | Self::Error | Self::Full | Self::ReadOnly | Self::CrashAtFsync { .. } => false,
        }
    }

    /// Returns the rule that the disk must have from the beginning.
    pub fn entry_rule(self) -> EntryRule {
        if let Self::PowerLoss { entries, .. } = self { entries } else { EntryRule::default() }
    }

    /// Writes it as a sentence about these nodes.
    pub(crate) fn write(self, f: &mut fmt::Formatter<'_>, whose: &dyn fmt::Display) -> fmt::Result {
        match self {
            Self::PowerLoss { mode: LossMode::Whole, .. } => {
                write!(f, "cut the power of {whose}, and forget all that was not fsynced")
            }
            Self::PowerLoss { mode: LossMode::Part, .. } => {
                write!(f, "cut the power of {whose}, and forget the last of what was not fsynced")
            }
            Self::PowerLoss { mode: LossMode::Torn, .. } => {
                write!(f, "cut the power of {whose} within a write that was not fsynced")
            }
            Self::PowerLoss { mode: LossMode::Reordered, .. } => {
                write!(f, "cut the power of {whose}, and forget any of what was not fsynced")
            }
            Self::Slow { delay_ms } => write!(f, "delay each fsync of {whose} by {}", time_in_words(delay_ms.into())),
            Self::Error => write!(f, "let each fsync of {whose} fail with EIO"),
            Self::Full => write!(f, "fill the disk of {whose}"),
            Self::ReadOnly => write!(f, "make the disk of {whose} read-only"),
            Self::CrashAtFsync { n } => write!(f, "kill {whose} at fsync number {n}"),
            Self::Corrupt { damage: Damage::BitFlip } => write!(f, "flip a bit on the disk of {whose}"),
            Self::Corrupt { damage: Damage::TruncatedTail } => {
                write!(f, "cut off the end of a file on the disk of {whose}")
            }
            Self::Corrupt { damage: Damage::OldCopy } => write!(f, "put back an old copy of the disk of {whose}"),
        }
    }
}
