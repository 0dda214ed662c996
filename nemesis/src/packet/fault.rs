//! Faults of packets as plain data: how they are asked for, printed and told.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::rate::{bandwidth, lasting, percent, read_bandwidth, read_share, time};
use crate::fault_kind::FaultKind;
use crate::spec_options::{OptionError, TypedOptions, name_of, value_named};

const DEFAULT_LOSS_PPM: u32 = 200_000;
const DEFAULT_DELAY_US: u64 = 50_000;
const DEFAULT_REORDER_PPM: u32 = 250_000;
const DEFAULT_REORDER_BY_US: u64 = 10_000;
const DEFAULT_DUPLICATE_PPM: u32 = 100_000;
const DEFAULT_CORRUPT_PPM: u32 = 10_000;
const DEFAULT_BANDWIDTH_BPS: u64 = 1_000_000;
const DEFAULT_QUEUE_US: u64 = 200_000;

/// Treatment of the checksums of a packet in which a bit is flipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checksum {
    /// A bit of what TCP or UDP carries is flipped, and their checksum is made to fit: only the application can see it.
    #[default]
    Repaired,
    /// Any bit behind the Ethernet header is flipped, and no checksum follows: the receiver's kernel sees it, and drops
    /// the packet.
    Wrong,
}

/// State of the links after connections were reset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AfterReset {
    /// New connections are let through.
    #[default]
    Open,
    /// Every packet of TCP is answered by a reset, and others are dropped.
    Cut,
}

/// Fault of the packets on links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PacketFault {
    /// Packets are lost.
    Loss {
        /// Share of the packets, in millionths.
        ppm: u32,
    },
    /// Packets come later.
    Delay {
        /// Mean delay, µs.
        delay_us: u64,
        /// Maximum deviation from it, µs; all up to it are equally likely.
        jitter_us: u64,
    },
    /// Packets are overtaken by later ones.
    Reorder {
        /// Share of the packets that are held back, in millionths.
        ppm: u32,
        /// Time for which they are held back, µs.
        by_us: u64,
    },
    /// Packets come twice.
    Duplicate {
        /// Share of the packets, in millionths.
        ppm: u32,
    },
    /// Packets with one wrong bit.
    Corrupt {
        /// Share of the packets, in millionths.
        ppm: u32,
        /// Treatment of their checksums.
        checksum: Checksum,
    },
    /// Links that carry no more than so much.
    Bandwidth {
        /// Bits of frames per second, for each link.
        bps: u64,
        /// Time for which a packet may have to wait for those before it, µs; one that would wait longer is dropped.
        queue_us: u64,
    },
    /// Connections of TCP that are reset at both ends at their next packet.
    Reset {
        /// State of the links afterwards.
        then: AfterReset,
    },
}

const CHECKSUMS: [(&str, Checksum); 2] = [("repaired", Checksum::Repaired), ("wrong", Checksum::Wrong)];
const AFTER_RESET: [(&str, AfterReset); 2] = [("open", AfterReset::Open), ("cut", AfterReset::Cut)];

impl PacketFault {
    /// Reads the options of a kind of fault, except for its shape; none if it is no fault of packets.
    pub(crate) fn read(kind: FaultKind, options: &mut TypedOptions<'_>) -> Result<Option<Self>, OptionError> {
        let share = |options: &mut TypedOptions<'_>, usual| {
            Ok(options.first("a percentage above 0% and up to 100%, such as 20% or 0.5%", read_share)?.unwrap_or(usual))
        };
        Ok(Some(match kind {
            FaultKind::Loss => Self::Loss { ppm: share(options, DEFAULT_LOSS_PPM)? },
            FaultKind::Delay => {
                let delay_us = options.first_time_us()?.unwrap_or(DEFAULT_DELAY_US);
                let jitter_us = options.time_us("jitter")?.unwrap_or(0);
                if jitter_us > delay_us {
                    let expected = "at most the delay, as no packet can come before it was sent";
                    return Err(OptionError::BadValue { option: format!("jitter={}", time(jitter_us)), expected });
                }
                Self::Delay { delay_us, jitter_us }
            }
            FaultKind::Reorder => Self::Reorder {
                ppm: share(options, DEFAULT_REORDER_PPM)?,
                by_us: options.time_us("by")?.unwrap_or(DEFAULT_REORDER_BY_US),
            },
            FaultKind::Duplicate => Self::Duplicate { ppm: share(options, DEFAULT_DUPLICATE_PPM)? },
            FaultKind::Corrupt => {
                let read = |value: &str| value_named(&CHECKSUMS, value);
                let checksum = options.take("checksum", "repaired or wrong", read)?.unwrap_or_default();
                Self::Corrupt { ppm: share(options, DEFAULT_CORRUPT_PPM)?, checksum }
            }
            FaultKind::Bandwidth => {
                let expected = "bits per second from 1kbit to 100gbit, such as 1mbit";
                let bps = options.first(expected, read_bandwidth)?.unwrap_or(DEFAULT_BANDWIDTH_BPS);
                Self::Bandwidth { bps, queue_us: options.time_us("queue")?.unwrap_or(DEFAULT_QUEUE_US) }
            }
            FaultKind::Reset => {
                let read = |value: &str| value_named(&AFTER_RESET, value);
                Self::Reset { then: options.take("then", "open or cut", read)?.unwrap_or_default() }
            }
            _ => return Ok(None),
        }))
    }

    /// Returns the options as they are typed, with the name of the shape, if any, at its place.
    pub(crate) fn typed(self, shape: Option<String>) -> Vec<String> {
        let mut options = match self {
            Self::Loss { ppm } | Self::Duplicate { ppm } => vec![format!("{}%", percent(ppm))],
            Self::Delay { delay_us, jitter_us: 0 } => vec![time(delay_us)],
            Self::Delay { delay_us, jitter_us } => vec![time(delay_us), format!("jitter={}", time(jitter_us))],
            Self::Reorder { ppm, by_us } => vec![format!("{}%", percent(ppm)), format!("by={}", time(by_us))],
            Self::Corrupt { ppm, checksum } => {
                vec![format!("{}%", percent(ppm)), format!("checksum={}", name_of(&CHECKSUMS, &checksum))]
            }
            Self::Bandwidth { bps, queue_us } => vec![bandwidth(bps), format!("queue={}", time(queue_us))],
            Self::Reset { then } => {
                return shape.into_iter().chain([format!("then={}", name_of(&AFTER_RESET, &then))]).collect();
            }
        };
        options.extend(shape.map(|shape| format!("shape={shape}")));
        options
    }

    /// Returns the kind of fault.
    pub fn kind(self) -> FaultKind {
        match self {
            Self::Loss { .. } => FaultKind::Loss,
            Self::Delay { .. } => FaultKind::Delay,
            Self::Reorder { .. } => FaultKind::Reorder,
            Self::Duplicate { .. } => FaultKind::Duplicate,
            Self::Corrupt { .. } => FaultKind::Corrupt,
            Self::Bandwidth { .. } => FaultKind::Bandwidth,
            Self::Reset { .. } => FaultKind::Reset,
        }
    }

    /// Returns true if it changes what applications are told. Between clients and nodes, it would make clients say and
    /// see what nobody said, for which no system can answer.
    pub(crate) fn forges_data(self) -> bool {
        matches!(self, Self::Corrupt { checksum: Checksum::Repaired, .. })
    }
}

impl fmt::Display for PacketFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Loss { ppm } => write!(f, "lose {} % of packets", percent(ppm)),
            Self::Delay { delay_us, jitter_us: 0 } => write!(f, "delay packets by {}", lasting(delay_us)),
            Self::Delay { delay_us, jitter_us } => {
                write!(f, "delay packets by {} ± {}", lasting(delay_us), lasting(jitter_us))
            }
            Self::Reorder { ppm, by_us } => write!(f, "hold {} % of packets back by {}", percent(ppm), lasting(by_us)),
            Self::Duplicate { ppm } => write!(f, "send {} % of packets twice", percent(ppm)),
            Self::Corrupt { ppm, checksum: Checksum::Repaired } => {
                write!(f, "flip a bit, unseen by checksums, in {} % of packets", percent(ppm))
            }
            Self::Corrupt { ppm, checksum: Checksum::Wrong } => {
                write!(f, "flip a bit in {} % of packets", percent(ppm))
            }
            Self::Bandwidth { bps, .. } => write!(f, "let {} per second through", bandwidth(bps)),
            Self::Reset { then: AfterReset::Open } => f.write_str("reset connections"),
            Self::Reset { then: AfterReset::Cut } => f.write_str("reset connections, and let none through"),
        }
    }
}
