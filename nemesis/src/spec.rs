//! Faults as a user requests them: `kill,pause,clock:rate=0.2,jump=5s,partition:isolate-leader`. Choices that the
//! user leaves open stay open here; the schedule draws them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::clock::{Clocks, Skew, SkewWay};
use crate::disk::DiskFault;
use crate::fault::Fault;
use crate::fault_kind::FaultKind;
use crate::limit::Limit;
use crate::members::MemberChange;
use crate::node_id::NodeId;
use crate::packet::PacketFault;
use crate::shape::{Shape, UnknownShape};
use crate::spec_options::{OptionError, TypedOptions, milliseconds, value_named};
use crate::target::{Target, UnknownTarget};

/// Default rate of a clock, a fifth of the correct speed: a lease then lasts five times as long as promised.
const DEFAULT_RATE: f64 = 0.2;
/// Maximum rate; a greater one is more likely a typing error.
const MAX_RATE: f64 = 1000.0;

/// Default times of restarts, crash loops, long stops, starvation and flapping, ms.
const ROLLING_DOWN_MS: u64 = 500;
const ROLLING_EVERY_MS: u64 = 2000;
const CRASH_UP_MS: u64 = 100;
const LONG_DOWN_MS: u64 = 10_000;
const STARVE_PERIOD_MS: u64 = 25;
const FLAP_EVERY_MS: u64 = 500;
/// Default percentage of the processor that is left to a starved node.
const STARVE_CPU_PERCENT: u8 = 20;

/// Kind of fault that the schedule may plan.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultSpec {
    /// Kill of the target, or of one that the schedule draws.
    Kill(Option<Target>),
    /// Pause of the target, or of one that the schedule draws.
    Pause(Option<Target>),
    /// Restart of the target, or of one that the schedule draws.
    Restart {
        /// Target that is restarted.
        target: Option<Target>,
        /// Time from its end to its start, ms; the duration of any fault if none.
        down_ms: Option<u64>,
    },
    /// Restarts of all nodes, one after the other.
    RollingRestart {
        /// Time from the end of a node to its start, ms.
        down_ms: u64,
        /// Time from the end of a node to that of the next, ms.
        every_ms: u64,
    },
    /// Kills of the same target, or of one that the schedule draws, again and again.
    CrashLoop {
        /// Target that is killed.
        target: Option<Target>,
        /// Time from its start to the next kill, ms.
        up_ms: u64,
    },
    /// Kill of the target, or of one that the schedule draws, with a late restart.
    StopLong {
        /// Target that is killed.
        target: Option<Target>,
        /// Time from its end to its start, ms.
        down_ms: u64,
    },
    /// Starvation of the target, or of one that the schedule draws.
    Starve {
        /// Target that is starved.
        target: Option<Target>,
        /// Percentage of the time in which it may run.
        cpu_percent: u8,
        /// Time from one SIGSTOP to the next, ms.
        period_ms: u64,
    },
    /// Limit of what the processes of the target may have, or of one that the schedule draws.
    Limit {
        /// Target whose processes are limited.
        target: Option<Target>,
        /// The limit.
        limit: Limit,
    },
    /// Partitions of the same shape, or of one that the schedule draws, again and again.
    Flap {
        /// Shape of the partitions.
        shape: Option<Shape>,
        /// Time for which one lasts, and then time without, ms.
        every_ms: u64,
    },
    /// Partition of this shape, or of one that the schedule draws.
    Partition(Option<Shape>),
    /// Skew of a clock.
    Clock {
        /// Target whose clock is skewed.
        target: Target,
        /// Skew of that clock.
        #[serde(flatten)]
        skew: Skew,
    },
    /// Fault of the packets on the links of this shape, or of one that the schedule draws.
    Packets {
        /// Shape of a partition, which would cut these links.
        shape: Option<Shape>,
        /// Fault of each packet.
        fault: PacketFault,
    },
    /// Fault of a disk.
    Disk {
        /// Target whose disk is at fault, or none if the schedule draws it.
        target: Option<Target>,
        /// Fault of the disk.
        fault: DiskFault,
    },
    /// Changes the members, or the leader among them.
    Members {
        /// Target that was asked for.
        target: Option<Target>,
        /// Kind of change.
        change: MemberChange,
    },
}

impl FaultSpec {
    /// Returns true if it leaves, for as long as it lasts, a leader that others may have replaced within reach of
    /// clients. A paused leader answers nobody, and hears of its successor when it goes on; one under a partition whose
    /// shape is drawn may stay with a majority.
    pub fn leaves_a_leader_deserted(&self) -> bool {
        let Self::Partition(Some(shape)) = self else { return false };
        matches!(shape, Shape::Isolate(Target::Leader) | Shape::Deaf(Target::Leader) | Shape::LeaderInMinority)
    }

    /// Returns the kind of fault.
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Kill(_) => FaultKind::Kill,
            Self::Pause(_) => FaultKind::Pause,
            Self::Restart { .. } => FaultKind::Restart,
            Self::RollingRestart { .. } => FaultKind::RollingRestart,
            Self::CrashLoop { .. } => FaultKind::CrashLoop,
            Self::StopLong { .. } => FaultKind::StopLong,
            Self::Starve { .. } => FaultKind::Starve,
            Self::Limit { limit, .. } => limit.kind(),
            Self::Flap { .. } => FaultKind::Flap,
            Self::Partition(_) => FaultKind::Partition,
            Self::Clock { .. } => FaultKind::Clock,
            Self::Packets { fault, .. } => fault.kind(),
            Self::Disk { fault, .. } => fault.kind(),
            Self::Members { change, .. } => change.kind(),
        }
    }

    /// Returns a fault as a user would ask for it.
    pub(crate) fn of(fault: &Fault) -> Self {
        match *fault {
            Fault::Kill { target } => Self::Kill(Some(target)),
            Fault::Pause { target } => Self::Pause(Some(target)),
            Fault::Restart { target } => Self::Restart { target: Some(target), down_ms: None },
            Fault::Starve { target, cpu_percent, period_ms } => {
                Self::Starve { target: Some(target), cpu_percent, period_ms }
            }
            Fault::Limit { target, limit } => Self::Limit { target: Some(target), limit },
            Fault::Partition { shape } => Self::Partition(Some(shape)),
            Fault::Packets { shape, fault } => Self::Packets { shape: Some(shape), fault },
            Fault::Clock { target, skew } => Self::Clock { target, skew },
            Fault::Disk { target, fault } => Self::Disk { target: Some(target), fault },
            Fault::Members { target, change } => {
                Self::Members { target: (change != MemberChange::Add).then_some(target), change }
            }
        }
    }

    /// Returns the faults that it allows; if a choice is open, the one most likely to show a violation first.
    pub(crate) fn candidates(&self) -> Vec<Fault> {
        let of = |target: Option<Target>, fault: &dyn Fn(Target) -> Fault| {
            let open = [Target::Leader, Target::Random, Target::Minority];
            target.as_ref().map_or(&open[..], std::slice::from_ref).iter().map(|target| fault(*target)).collect()
        };
        match *self {
            Self::Kill(target) | Self::CrashLoop { target, .. } | Self::StopLong { target, .. } => {
                of(target, &|target| Fault::Kill { target })
            }
            Self::Pause(target) => of(target, &|target| Fault::Pause { target }),
            Self::Restart { target, .. } => of(target, &|target| Fault::Restart { target }),
            Self::RollingRestart { .. } => vec![Fault::Restart { target: Target::Node(NodeId(1)) }],
            Self::Starve { target, cpu_percent, period_ms } => {
                of(target, &|target| Fault::Starve { target, cpu_percent, period_ms })
            }
            Self::Limit { target, limit } => of(target, &|target| Fault::Limit { target, limit }),
            Self::Partition(Some(shape)) | Self::Flap { shape: Some(shape), .. } => vec![Fault::Partition { shape }],
            Self::Partition(None) | Self::Flap { shape: None, .. } => {
                let isolate = [Target::Leader, Target::Random].map(Shape::Isolate);
                let shapes = isolate.into_iter().chain([Shape::Halves, Shape::OneWay, Shape::Bridge, Shape::Ring]);
                shapes.map(|shape| Fault::Partition { shape }).collect()
            }
            Self::Packets { shape: Some(shape), fault } => vec![Fault::Packets { shape, fault }],
            Self::Packets { shape: None, fault } => {
                let isolate = [Target::Leader, Target::Random].map(Shape::Isolate);
                let shapes = [Shape::AllLinks].into_iter().chain(isolate).chain([Shape::OneWay, Shape::Pair]);
                shapes.map(|shape| Fault::Packets { shape, fault }).collect()
            }
            Self::Clock { target, skew } => vec![Fault::Clock { target, skew }],
            Self::Disk { target, fault } => of(target, &|target| Fault::Disk { target, fault }),
            Self::Members { target, change } => {
                let open = match change {
                    MemberChange::Add => vec![Target::Random],
                    MemberChange::Remove | MemberChange::Replace => vec![Target::Leader, Target::Random],
                    MemberChange::Transfer => vec![Target::Follower],
                };
                let targets = target.map_or(open, |target| vec![target]);
                targets.into_iter().map(|target| Fault::Members { target, change }).collect()
            }
        }
    }
}

impl FaultSpec {
    /// Returns the target that was asked for, if it has any.
    pub(crate) fn target(&self) -> Option<Target> {
        match *self {
            Self::Kill(target)
            | Self::Pause(target)
            | Self::Restart { target, .. }
            | Self::CrashLoop { target, .. }
            | Self::StopLong { target, .. }
            | Self::Starve { target, .. }
            | Self::Limit { target, .. }
            | Self::Disk { target, .. }
            | Self::Members { target, .. } => target,
            Self::Partition(shape) | Self::Flap { shape, .. } | Self::Packets { shape, .. } => {
                shape.and_then(Shape::target)
            }
            Self::Clock { target, .. } => Some(target),
            Self::RollingRestart { .. } => None,
        }
    }
}

/// Error in a list of faults. The message names the wrong part and the alternatives.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SpecError {
    /// The word before the colon names no fault.
    #[error("there is no fault `{0}`; there are: {names} (or none)", names = kind_names())]
    UnknownFault(String),
    /// `none` stands beside faults.
    #[error("`none` stands alone; leave it out, or all the others")]
    NoneAmongOthers,
    /// The word is not a target.
    #[error(transparent)]
    UnknownTarget(#[from] UnknownTarget),
    /// The word is not a shape.
    #[error(transparent)]
    UnknownShape(#[from] UnknownShape),
    /// An option does not exist, or its value is wrong.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// The word is not an option of a clock fault.
    #[error(
        "`{0}` is no option of clock; there are: rate=0.2, jump=500ms (or 5s, -5s), target=leader, strobe=200ms, \
         clocks=wall (or all), by=file (or vdso)"
    )]
    UnknownClockOption(String),
}

impl FromStr for FaultSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (kind, detail) = match text.split_once(':') {
            Some((kind, detail)) => (kind, Some(detail)),
            None => (text, None),
        };
        if kind == "none" {
            return Err(SpecError::NoneAmongOthers);
        }
        let kind = FaultKind::from_name(kind).ok_or_else(|| SpecError::UnknownFault(kind.into()))?;
        if let Some(usual) = DiskFault::usual(kind) {
            return disk(usual, detail.unwrap_or_default());
        }
        if kind == FaultKind::Clock {
            return clock(detail.unwrap_or_default());
        }
        let mut options = TypedOptions::split(kind, detail);
        if let Some(fault) = PacketFault::read(kind, &mut options)? {
            let named = options.take("shape", "the shape of a partition", |value| Some(value.to_owned()))?;
            let shape = named.as_deref().or_else(|| options.alone()).map(str::parse).transpose()?;
            options.end()?;
            return Ok(Self::Packets { shape, fault });
        }
        if let Some(limit) = Limit::read(kind, &mut options)? {
            let target = target(&mut options)?;
            options.end()?;
            return Ok(Self::Limit { target, limit });
        }
        let spec = match kind {
            FaultKind::Kill => Self::Kill(target(&mut options)?),
            FaultKind::Pause => Self::Pause(target(&mut options)?),
            FaultKind::Restart => Self::Restart { target: target(&mut options)?, down_ms: options.time_ms("down")? },
            FaultKind::RollingRestart => rolling_restart(&mut options)?,
            FaultKind::CrashLoop => {
                Self::CrashLoop { target: target(&mut options)?, up_ms: options.time_ms("up")?.unwrap_or(CRASH_UP_MS) }
            }
            FaultKind::StopLong => Self::StopLong {
                target: target(&mut options)?,
                down_ms: options.time_ms("down")?.unwrap_or(LONG_DOWN_MS),
            },
            FaultKind::Starve => Self::Starve {
                target: target(&mut options)?,
                cpu_percent: options.percentage("cpu")?.unwrap_or(STARVE_CPU_PERCENT),
                period_ms: options.time_ms("period")?.unwrap_or(STARVE_PERIOD_MS),
            },
            FaultKind::Partition => Self::Partition(shape(&mut options)?),
            FaultKind::Flap => {
                Self::Flap { shape: shape(&mut options)?, every_ms: options.time_ms("every")?.unwrap_or(FLAP_EVERY_MS) }
            }
            FaultKind::Add => Self::Members { target: None, change: MemberChange::Add },
            FaultKind::Remove => Self::Members { target: target(&mut options)?, change: MemberChange::Remove },
            FaultKind::Replace => Self::Members { target: target(&mut options)?, change: MemberChange::Replace },
            FaultKind::Transfer => Self::Members { target: target(&mut options)?, change: MemberChange::Transfer },
            _ => unreachable!("it was read above"),
        };
        options.end()?;
        Ok(spec)
    }
}

fn kind_names() -> String {
    FaultKind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ")
}

fn target(options: &mut TypedOptions<'_>) -> Result<Option<Target>, SpecError> {
    Ok(options.alone().map(str::parse).transpose()?)
}

fn shape(options: &mut TypedOptions<'_>) -> Result<Option<Shape>, SpecError> {
    Ok(options.alone().map(str::parse).transpose()?)
}

fn rolling_restart(options: &mut TypedOptions<'_>) -> Result<FaultSpec, SpecError> {
    let down_ms = options.time_ms("down")?.unwrap_or(ROLLING_DOWN_MS);
    let every_ms = options.time_ms("every")?.unwrap_or(ROLLING_EVERY_MS);
    if every_ms > down_ms {
        return Ok(FaultSpec::RollingRestart { down_ms, every_ms });
    }
    let option = format!("every={every_ms}ms");
    Err(OptionError::BadValue { option, expected: "longer than `down`, so that one node is down at a time" }.into())
}

fn disk(mut fault: DiskFault, options: &str) -> Result<FaultSpec, SpecError> {
    let mut target = None;
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("target", value)) => target = Some(value.parse()?),
            Some((name, value)) => {
                let bad = |expected| OptionError::BadValue { option: option.into(), expected };
                fault.set(name, value).map_err(bad)?;
            }
            None => target = Some(option.parse()?),
        }
    }
    Ok(FaultSpec::Disk { target, fault })
}

fn clock(options: &str) -> Result<FaultSpec, SpecError> {
    let (mut target, mut skew) = (Target::Leader, Skew { rate: DEFAULT_RATE, ..Skew::NONE });
    let bad = |option: &str, expected| OptionError::BadValue { option: option.into(), expected };
    for option in options.split(',').filter(|option| !option.is_empty()) {
        let bad = |expected| bad(option, expected);
        match option.split_once('=') {
            Some(("rate", value)) => {
                let number = value.parse().ok().filter(|number| (0.0..=MAX_RATE).contains(number));
                skew.rate = number.ok_or_else(|| bad("a number from 0 (standing still) to 1000"))?;
            }
            Some(("jump", value)) => {
                let jump_ms = milliseconds(value);
                let expected = "a time such as 500ms, 5s, -5s or 1m30s, up to a day";
                skew.jump_ns = jump_ms.ok_or_else(|| bad(expected))? * 1_000_000;
            }
            Some(("strobe", value)) => {
                let period_ms = milliseconds(value).filter(|ms| *ms > 0).map(i64::unsigned_abs);
                skew.strobe_ms = Some(period_ms.ok_or_else(|| bad("a time such as 200ms, up to a day"))?);
            }
            Some(("clocks", value)) => {
                skew.clocks = value_named(&Clocks::NAMES, value).ok_or_else(|| bad("wall or all"))?;
            }
            Some(("by", value)) => {
                skew.by = Some(value_named(&SkewWay::NAMES, value).ok_or_else(|| bad("file or vdso"))?);
            }
            Some(("target", value)) => target = value.parse()?,
            _ => return Err(SpecError::UnknownClockOption(option.into())),
        }
    }
    if let Some(period_ms) = skew.strobe_ms.filter(|_| skew.jump_ns == 0) {
        return Err(bad(&format!("strobe={period_ms}ms"), "beside a jump, which it makes there and back").into());
    }
    if skew.by == Some(SkewWay::File) && !skew.fits_file() {
        return Err(bad("by=file", "without strobe and clocks=all, and with a rate of at least 0.001").into());
    }
    Ok(FaultSpec::Clock { target, skew })
}

impl fmt::Display for FaultSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind().name();
        match self {
            Self::Kill(target) | Self::Pause(target) | Self::Members { target, .. } => {
                write_kind(f, kind, [target.map(Target::name)])
            }
            Self::Restart { target, down_ms } => {
                write_kind(f, kind, [target.map(Target::name), down_ms.map(|ms| format!("down={ms}ms"))])
            }
            Self::RollingRestart { down_ms, every_ms } => {
                write_kind(f, kind, [Some(format!("down={down_ms}ms,every={every_ms}ms"))])
            }
            Self::CrashLoop { target, up_ms } => {
                write_kind(f, kind, [target.map(Target::name), Some(format!("up={up_ms}ms"))])
            }
            Self::StopLong { target, down_ms } => {
                write_kind(f, kind, [target.map(Target::name), Some(format!("down={down_ms}ms"))])
            }
            Self::Starve { target, cpu_percent, period_ms } => {
                let share = format!("cpu={cpu_percent}%,period={period_ms}ms");
                write_kind(f, kind, [target.map(Target::name), Some(share)])
            }
            Self::Limit { target, limit } => write_kind(f, kind, [target.map(Target::name), limit.options()]),
            Self::Partition(shape) => write_kind(f, kind, [shape.map(Shape::name)]),
            Self::Flap { shape, every_ms } => {
                write_kind(f, kind, [shape.map(Shape::name), Some(format!("every={every_ms}ms"))])
            }
            Self::Packets { shape, fault } => {
                write_kind(f, kind, fault.typed(shape.map(Shape::name)).into_iter().map(Some))
            }
            Self::Disk { target, fault } => {
                write_kind(f, kind, [target.map(Target::name)].into_iter().chain(fault.typed().into_iter().map(Some)))
            }
            Self::Clock { target, skew } => {
                let strobe = skew.strobe_ms.map(|period_ms| format!("strobe={period_ms}ms"));
                let clocks = (skew.clocks == Clocks::All).then(|| "clocks=all".to_owned());
                let by =
                    SkewWay::NAMES.iter().find(|(_, way)| skew.by == Some(*way)).map(|(name, _)| format!("by={name}"));
                let first = format!("rate={},jump={}ms", skew.rate, skew.jump_ns / 1_000_000);
                write_kind(f, kind, [Some(first), strobe, clocks, by, Some(format!("target={}", target.name()))])
            }
        }
    }
}

fn write_kind(
    f: &mut fmt::Formatter<'_>,
    kind: &str,
    details: impl IntoIterator<Item = Option<String>>,
) -> fmt::Result {
    let details: Vec<String> = details.into_iter().flatten().collect();
    if details.is_empty() { f.write_str(kind) } else { write!(f, "{kind}:{}", details.join(",")) }
}
