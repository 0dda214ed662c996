//! Faults as a user requests them: `kill,pause,clock:rate=0.2,jump=5s,partition:isolate-leader`. Choices that the
//! user leaves open stay open here; the schedule draws them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::fault::{Fault, Shape, Target};
use crate::fault_kind::{FaultKind, TARGETS};
use crate::node_id::NodeId;

/// Default rate of a clock, a fifth of the correct speed: a lease then lasts five times as long as promised.
const DEFAULT_RATE: f64 = 0.2;
/// Maximum rate; a greater one is more likely a typing error.
const MAX_RATE: f64 = 1000.0;

/// Kind of fault that the schedule may plan.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultSpec {
    /// Kill of the target, or of one that the schedule draws.
    Kill(Option<Target>),
    /// Pause of the target, or of one that the schedule draws.
    Pause(Option<Target>),
    /// Partition of this shape, or of one that the schedule draws.
    Partition(Option<Shape>),
    /// Skew of a clock.
    Clock {
        /// Target whose clock is skewed.
        target: Target,
        /// Seconds that this clock advances in one true second.
        rate: f64,
        /// Nanoseconds added at once.
        jump_ns: i64,
    },
}

impl FaultSpec {
    /// Returns the kind of fault.
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Kill(_) => FaultKind::Kill,
            Self::Pause(_) => FaultKind::Pause,
            Self::Partition(_) => FaultKind::Partition,
            Self::Clock { .. } => FaultKind::Clock,
        }
    }

    /// Returns the faults that it allows; if a choice is open, the one most likely to show a violation first.
    pub(crate) fn candidates(&self) -> Vec<Fault> {
        let targets = |target: Option<Target>| match target {
            Some(target) => vec![target],
            None => vec![Target::Leader, Target::Random, Target::Minority],
        };
        match *self {
            Self::Kill(target) => targets(target).into_iter().map(|target| Fault::Kill { target }).collect(),
            Self::Pause(target) => targets(target).into_iter().map(|target| Fault::Pause { target }).collect(),
            Self::Partition(Some(shape)) => vec![Fault::Partition { shape }],
            Self::Partition(None) => {
                let isolate = [Target::Leader, Target::Random].map(Shape::Isolate);
                let shapes = isolate.into_iter().chain([Shape::Halves, Shape::OneWay, Shape::Bridge, Shape::Ring]);
                shapes.map(|shape| Fault::Partition { shape }).collect()
            }
            Self::Clock { target, rate, jump_ns } => vec![Fault::Clock { target, rate, jump_ns }],
        }
    }
}

/// Faults of a run, as in `--faults kill,partition:halves`; `none` is the empty list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultSpecs(pub Vec<FaultSpec>);

/// Error in a list of faults. The message names the wrong part and the alternatives.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SpecError {
    /// The word before the colon names no fault.
    #[error("there is no fault `{0}`; there are: {names} (or none)", names = kind_names())]
    UnknownFault(String),
    /// The word is not a target.
    #[error("`{0}` cannot be aimed at; there are: {TARGETS}")]
    UnknownTarget(String),
    /// The word is not a shape.
    #[error("there is no partition `{0}`; there are: {names}", names = SHAPES.map(|(name, _)| name).join(", "))]
    UnknownShape(String),
    /// The word is not an option of a clock fault.
    #[error("`{0}` is no option of clock; there are: rate=0.2, jump=500ms (or 5s, -5s), target=leader")]
    UnknownClockOption(String),
    /// A value is out of its range.
    #[error("`{option}` must be {expected}")]
    BadValue {
        /// Option as typed, with its value.
        option: String,
        /// Description of the valid values.
        expected: &'static str,
    },
}

const SHAPES: [(&str, Shape); 6] = [
    ("isolate-leader", Shape::Isolate(Target::Leader)),
    ("isolate-random", Shape::Isolate(Target::Random)),
    ("halves", Shape::Halves),
    ("one-way", Shape::OneWay),
    ("bridge", Shape::Bridge),
    ("ring", Shape::Ring),
];

impl FromStr for Target {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        match text {
            "leader" => Ok(Self::Leader),
            "random" => Ok(Self::Random),
            "minority" => Ok(Self::Minority),
            "all" => Ok(Self::All),
            _ => match text.strip_prefix('n').and_then(|number| number.parse().ok()) {
                Some(number) if number > 0 => Ok(Self::Node(NodeId(number))),
                _ => Err(SpecError::UnknownTarget(text.into())),
            },
        }
    }
}

impl FromStr for FaultSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (kind, detail) = match text.split_once(':') {
            Some((kind, detail)) => (kind, Some(detail)),
            None => (text, None),
        };
        match FaultKind::from_name(kind).ok_or_else(|| SpecError::UnknownFault(kind.into()))? {
            FaultKind::Kill => Ok(Self::Kill(detail.map(str::parse).transpose()?)),
            FaultKind::Pause => Ok(Self::Pause(detail.map(str::parse).transpose()?)),
            FaultKind::Partition => Ok(Self::Partition(detail.map(shape).transpose()?)),
            FaultKind::Clock => clock(detail.unwrap_or_default()),
        }
    }
}

impl FromStr for FaultSpecs {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        if text == "none" {
            return Ok(Self::default());
        }
        // The options of a clock are separated by commas too: `rate=…` belongs to the part before it.
        let mut parts: Vec<String> = Vec::new();
        for part in text.split(',').map(str::trim) {
            match parts.last_mut() {
                Some(last) if part.contains('=') && !part.contains(':') => {
                    last.push(',');
                    last.push_str(part);
                }
                _ => parts.push(part.into()),
            }
        }
        parts.iter().map(|part| part.parse()).collect::<Result<_, _>>().map(Self)
    }
}

fn kind_names() -> String {
    FaultKind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ")
}

fn shape(text: &str) -> Result<Shape, SpecError> {
    let known = SHAPES.iter().find(|(name, _)| *name == text);
    known.map(|(_, shape)| *shape).ok_or_else(|| SpecError::UnknownShape(text.into()))
}

fn clock(options: &str) -> Result<FaultSpec, SpecError> {
    let (mut target, mut rate, mut jump_ns) = (Target::Leader, DEFAULT_RATE, 0);
    for option in options.split(',').filter(|option| !option.is_empty()) {
        let bad = |expected| SpecError::BadValue { option: option.into(), expected };
        match option.split_once('=') {
            Some(("rate", value)) => {
                let number = value.parse().ok().filter(|number| (0.0..=MAX_RATE).contains(number));
                rate = number.ok_or_else(|| bad("a number from 0 (standing still) to 1000"))?;
            }
            Some(("jump", value)) => {
                jump_ns =
                    nanoseconds(value).ok_or_else(|| bad("a time such as 500ms, 5s, -5s or 1m30s, up to a day"))?;
            }
            Some(("target", value)) => target = value.parse()?,
            _ => return Err(SpecError::UnknownClockOption(option.into())),
        }
    }
    Ok(FaultSpec::Clock { target, rate, jump_ns })
}

/// Units of a jump, each in milliseconds.
const UNITS_MS: [(&str, i64); 6] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const MAX_JUMP_MS: i64 = 86_400_000;

/// Parses `5s`, `-20ms` or `1m30s` to nanoseconds, at most a day.
fn nanoseconds(text: &str) -> Option<i64> {
    let (sign, mut rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let mut jump_ms = 0_i64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, unit) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (unit, after) = unit.split_at(unit.find(|c: char| c.is_ascii_digit()).unwrap_or(unit.len()));
        let (_, unit_ms) = UNITS_MS.into_iter().find(|(name, _)| *name == unit)?;
        jump_ms = jump_ms.checked_add(number.parse::<i64>().ok()?.checked_mul(unit_ms)?)?;
        rest = after;
    }
    (jump_ms <= MAX_JUMP_MS).then(|| sign * jump_ms * 1_000_000)
}

impl fmt::Display for FaultSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind().name();
        match self {
            Self::Kill(target) | Self::Pause(target) => write_kind(f, kind, target.map(target_name)),
            Self::Partition(shape) => {
                let name = shape.map(|wanted| SHAPES.iter().find(|(_, shape)| *shape == wanted).map(|(name, _)| *name));
                write_kind(f, kind, name.flatten().map(String::from))
            }
            Self::Clock { target, rate, jump_ns } => {
                write!(f, "{kind}:rate={rate},jump={}ms,target={}", jump_ns / 1_000_000, target_name(*target))
            }
        }
    }
}

impl fmt::Display for FaultSpecs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        f.write_str(&self.0.iter().map(FaultSpec::to_string).collect::<Vec<_>>().join(","))
    }
}

fn write_kind(f: &mut fmt::Formatter<'_>, kind: &str, detail: Option<String>) -> fmt::Result {
    match detail {
        Some(detail) => write!(f, "{kind}:{detail}"),
        None => f.write_str(kind),
    }
}

fn target_name(target: Target) -> String {
    match target {
        Target::Leader | Target::Skewed => "leader".into(),
        Target::Random => "random".into(),
        Target::Minority => "minority".into(),
        Target::All => "all".into(),
        Target::Node(node) => node.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault_kind;

    fn read(text: &str) -> Result<Vec<FaultSpec>, String> {
        text.parse::<FaultSpecs>().map(|specs| specs.0).map_err(|error| error.to_string())
    }

    #[test]
    fn a_list_is_read_in_its_order() {
        assert_eq!(
            read("kill,pause:leader, partition:isolate-leader"),
            Ok(vec![
                FaultSpec::Kill(None),
                FaultSpec::Pause(Some(Target::Leader)),
                FaultSpec::Partition(Some(Shape::Isolate(Target::Leader)))
            ])
        );
        assert_eq!(read("none"), Ok(vec![]));
        assert_eq!(read("kill:n3"), Ok(vec![FaultSpec::Kill(Some(Target::Node(NodeId(3))))]));
    }

    #[test]
    fn the_help_has_each_shape() {
        let help: Vec<&str> = fault_kind::SHAPES.split(", ").collect();
        assert_eq!(help, SHAPES.map(|(name, _)| name));
    }

    #[test]
    fn each_kind_is_read_by_its_name() {
        for kind in FaultKind::ALL {
            let specs: FaultSpecs = kind.name().parse().unwrap();
            assert_eq!(specs.0.iter().map(FaultSpec::kind).collect::<Vec<_>>(), [*kind]);
        }
    }

    #[test]
    fn a_clock_takes_options_across_commas() {
        let clock = |rate, jump_ns, target| FaultSpec::Clock { target, rate, jump_ns };
        assert_eq!(read("clock"), Ok(vec![clock(0.2, 0, Target::Leader)]));
        assert_eq!(
            read("clock:rate=0.5,jump=-20ms,target=random,kill"),
            Ok(vec![clock(0.5, -20_000_000, Target::Random), FaultSpec::Kill(None)])
        );
        for (jump, seconds) in
            [("5s", 5), ("1m", 60), ("-1m", -60), ("1m30s", 90), ("2min", 120), ("24h", 86_400), ("-1d", -86_400)]
        {
            let expected = clock(0.2, seconds * 1_000_000_000, Target::Leader);
            assert_eq!(read(&format!("clock:jump={jump}")), Ok(vec![expected]), "{jump}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_with_what_there_is() {
        for (text, expected) in [
            ("kil", "there is no fault `kil`; there are: kill, pause, partition, clock (or none)"),
            ("", "there is no fault ``; there are: kill, pause, partition, clock (or none)"),
            ("rate=1", "there is no fault `rate=1`; there are: kill, pause, partition, clock (or none)"),
            ("kill:n0", "`n0` cannot be aimed at; there are: leader, random, minority, all, or a node such as n1"),
            (
                "partition:half",
                "there is no partition `half`; there are: isolate-leader, isolate-random, halves, one-way, bridge, \
                ring",
            ),
            (
                "clock:speed=2",
                "`speed=2` is no option of clock; there are: rate=0.2, jump=500ms (or 5s, -5s), target=leader",
            ),
            ("clock:rate=-1", "`rate=-1` must be a number from 0 (standing still) to 1000"),
            ("clock:rate=NaN", "`rate=NaN` must be a number from 0 (standing still) to 1000"),
            ("clock:jump=5", "`jump=5` must be a time such as 500ms, 5s, -5s or 1m30s, up to a day"),
            ("clock:jump=", "`jump=` must be a time such as 500ms, 5s, -5s or 1m30s, up to a day"),
            ("clock:jump=-", "`jump=-` must be a time such as 500ms, 5s, -5s or 1m30s, up to a day"),
            ("clock:jump=1d1ms", "`jump=1d1ms` must be a time such as 500ms, 5s, -5s or 1m30s, up to a day"),
            ("clock:jump=1w", "`jump=1w` must be a time such as 500ms, 5s, -5s or 1m30s, up to a day"),
            (
                "clock:jump=9000000000000000s",
                "`jump=9000000000000000s` must be a time such as 500ms, 5s, -5s or 1m30s, up to a day",
            ),
        ] {
            assert_eq!(read(text), Err(expected.into()), "for {text:?}");
        }
    }

    #[test]
    fn what_is_printed_is_read_back() {
        for text in ["none", "kill,pause:minority,partition,partition:ring,clock:rate=0.2,jump=-5ms,target=n2,kill:all"]
        {
            let specs: FaultSpecs = text.parse().unwrap();
            assert_eq!(specs.to_string(), text);
        }
    }
}
