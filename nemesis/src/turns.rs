//! List of faults as a user requests them: which take turns, and which are in force at once.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::spec::{FaultSpec, SpecError};

/// Faults that are in force at once: one, or several joined by `+`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Turn {
    /// One fault.
    One(FaultSpec),
    /// Several, in the order of their injection.
    Together(Vec<FaultSpec>),
}

impl Turn {
    /// Returns the faults.
    pub fn specs(&self) -> &[FaultSpec] {
        match self {
            Self::One(spec) => std::slice::from_ref(spec),
            Self::Together(specs) => specs,
        }
    }
}

/// Faults of a run that take turns, as in `--faults kill,partition:halves+pause`; `none` is the empty list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultSpecs(pub Vec<Turn>);

impl FaultSpecs {
    /// Returns all faults, whatever their turn.
    pub fn each(&self) -> impl Iterator<Item = &FaultSpec> {
        self.0.iter().flat_map(Turn::specs)
    }
}

impl FromStr for FaultSpecs {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        if text == "none" {
            return Ok(Self::default());
        }
        // Options are separated by commas too: `rate=…` belongs to the part before it.
        let mut parts: Vec<String> = Vec::new();
        for part in text.split(',').map(str::trim) {
            match parts.last_mut() {
                Some(last) if part.split_once('=').is_some_and(|(name, _)| !name.contains(':')) => {
                    last.push(',');
                    last.push_str(part);
                }
                _ => parts.push(part.into()),
            }
        }
        parts.iter().map(|part| part.parse()).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Turn {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let mut specs = text.split('+').map(str::parse).collect::<Result<Vec<FaultSpec>, _>>()?;
        Ok(if specs.len() > 1 { Self::Together(specs) } else { Self::One(specs.remove(0)) })
    }
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.specs().iter().map(FaultSpec::to_string).collect::<Vec<_>>().join("+"))
    }
}

impl fmt::Display for FaultSpecs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        f.write_str(&self.0.iter().map(Turn::to_string).collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Skew;
    use crate::disk::{DiskFault, EntryRule, LossMode};
    use crate::fault_kind::FaultKind;
    use crate::node_id::NodeId;
    use crate::shape::Shape;
    use crate::target::Target;

    fn read(text: &str) -> Result<Vec<FaultSpec>, String> {
        text.parse::<FaultSpecs>().map(|specs| specs.each().copied().collect()).map_err(|error| error.to_string())
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
    fn faults_at_once_are_one_turn() {
        let text = "kill:n1+clock:rate=0.5,jump=5ms,target=n2+pause:n3,partition,starve:n1,cpu=5%,period=25ms+kill:n2";
        let specs: FaultSpecs = text.parse().unwrap();
        assert_eq!(specs.0.iter().map(|turn| turn.specs().len()).collect::<Vec<_>>(), [3, 1, 2]);
        assert_eq!(specs.to_string(), text);
        let kept = serde_json::to_string(&specs).unwrap();
        assert_eq!(serde_json::from_str::<FaultSpecs>(&kept).unwrap(), specs);
        let of_old = r#"[{"kill":null},{"partition":{"isolate":"leader"}}]"#;
        let specs: FaultSpecs = serde_json::from_str(of_old).unwrap();
        assert_eq!(specs.to_string(), "kill,partition:isolate-leader");
        assert_eq!(serde_json::to_string(&specs).unwrap(), of_old, "a list of single faults is kept as it always was");
        assert_eq!(read("kill+none"), read("none+kill"), "`none` is no fault");
    }

    #[test]
    fn each_kind_is_read_by_its_name() {
        for kind in FaultKind::ALL {
            let specs: FaultSpecs = kind.name().parse().unwrap();
            assert_eq!(specs.each().map(FaultSpec::kind).collect::<Vec<_>>(), [*kind]);
        }
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        for (short, long) in [
            ("rolling-restart", "rolling-restart:down=500ms,every=2000ms"),
            ("crash-loop:n1", "crash-loop:n1,up=100ms"),
            ("stop-long", "stop-long:down=10000ms"),
            ("starve:leader,cpu=5%", "starve:leader,cpu=5%,period=25ms"),
            ("flap:ring", "flap:ring,every=500ms"),
            ("loss", "loss:20%"),
            ("delay:shape=pair", "delay:50ms,shape=pair"),
            ("reorder", "reorder:25%,by=10ms"),
            ("duplicate", "duplicate:10%"),
            ("corrupt", "corrupt:1%,checksum=repaired"),
            ("bandwidth", "bandwidth:1mbit,queue=200ms"),
            ("reset", "reset:then=open"),
        ] {
            assert_eq!(short.parse::<FaultSpec>().unwrap().to_string(), long);
        }
    }

    #[test]
    fn a_clock_takes_options_across_commas() {
        let clock = |rate, jump_ns, target| FaultSpec::Clock { target, skew: Skew { rate, jump_ns, ..Skew::NONE } };
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
    fn faults_of_disks_take_a_target_and_options() {
        let disk = |target, fault| FaultSpec::Disk { target, fault };
        let torn = DiskFault::PowerLoss { mode: LossMode::Torn, entries: EntryRule::Strict };
        assert_eq!(
            read("power-loss:leader,mode=torn,entries=strict,disk-slow:delay=2s,disk-error"),
            Ok(vec![
                disk(Some(Target::Leader), torn),
                disk(None, DiskFault::Slow { delay_ms: 2000 }),
                disk(None, DiskFault::Error)
            ])
        );
        for (text, expected) in [
            ("power-loss:mode=half", "`mode=half` must be whole, part, torn or reordered"),
            ("power-loss:n=1", "`n=1` must be a target such as leader, mode=torn or entries=strict"),
            ("disk-slow:delay=3s", "`delay=3s` must be a time from 1ms to 2s"),
            ("disk-slow:delay=50", "`delay=50` must be a time from 1ms to 2s"),
            ("crash-at-fsync:n=0", "`n=0` must be a number from 1 to 1000000"),
            ("disk-corrupt:damage=fire", "`damage=fire` must be bit-flip, truncated-tail or old-copy"),
            ("disk-full:first", "`first` cannot be aimed at; there are: leader, "),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.starts_with(expected), "for {text:?}: {said}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_with_what_there_is() {
        for (text, expected) in [
            ("kil", "there is no fault `kil`; there are: kill, pause, restart, "),
            ("", "there is no fault ``; there are: kill, "),
            ("rate=1", "there is no fault `rate=1`; there are: kill, "),
            ("kill:n0", "`n0` cannot be aimed at; there are: leader, "),
            ("kill:leader,for=3s", "`for=3s` is no option of kill, which is kill[:TARGET]"),
            ("kill:leader,random", "there is no fault `random`; there are: kill, "),
            ("rolling-restart:n1", "`n1` is no option of rolling-restart, which is rolling-restart[:down=TIME,"),
            (
                "rolling-restart:down=2s",
                "`every=2000ms` must be longer than `down`, so that one node is down at a time",
            ),
            ("restart:down=0s", "`down=0s` must be a time from 1ms to 1d, such as 500ms, 5s or 1m30s"),
            ("starve:cpu=100%", "`cpu=100%` must be a percentage from 1% to 99%"),
            ("starve:cpu=20", "`cpu=20` must be a percentage from 1% to 99%"),
            ("flap:half", "there is no partition `half`; there are: isolate-TARGET, "),
            ("loss:20", "`20` must be a percentage above 0% and up to 100%, such as 20% or 0.5%"),
            ("loss:20%,to=n1", "`to=n1` is no option of loss, which is loss[:PERCENT,shape=SHAPE]"),
            ("delay:2h", "`2h` must be a time from 1us to 60s, such as 200us, 50ms or 1s"),
            ("delay:10ms,jitter=20ms", "`jitter=20ms` must be at most the delay, as no packet can come before"),
            ("corrupt:checksum=right", "`checksum=right` must be repaired or wrong"),
            ("bandwidth:1mb", "`1mb` must be bits per second from 1kbit to 100gbit, such as 1mbit"),
            ("reset:then=closed", "`then=closed` must be open or cut"),
            ("loss:5%,shape=half", "there is no partition `half`; there are: isolate-TARGET, "),
            ("partition:half", "there is no partition `half`; there are: isolate-TARGET, "),
            (
                "clock:speed=2",
                "`speed=2` is no option of clock; there are: rate=0.2, jump=500ms (or 5s, -5s), target=leader",
            ),
            ("clock:strobe=0s,jump=1s", "`strobe=0s` must be a time such as 200ms, up to a day"),
            ("clock:strobe=200ms", "`strobe=200ms` must be beside a jump, which it makes there and back"),
            ("clock:clocks=some", "`clocks=some` must be wall or all"),
            ("clock:by=force", "`by=force` must be file or vdso"),
            (
                "clock:by=file,rate=0",
                "`by=file` must be without strobe and clocks=all, and with a rate of at least 0.001",
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
            let said = read(text).unwrap_err();
            assert!(said.starts_with(expected), "for {text:?}: {said}");
        }
    }

    #[test]
    fn what_is_printed_is_read_back() {
        for text in [
            "none",
            "clock:rate=0,jump=500ms,strobe=200ms,clocks=all,by=vdso,target=leader,kill",
            "clock:rate=2,jump=0ms,by=file,target=n1",
            "kill,pause:minority,partition,partition:ring,clock:rate=0.2,jump=-5ms,target=n2,kill:all",
            "power-loss:all,mode=torn,entries=ext4,disk-slow:delay=50ms,disk-full:n1,disk-error,crash-at-fsync:n=3",
            "restart,restart:follower,down=5000ms,rolling-restart:down=500ms,every=2000ms,starve:cpu=20%,period=25ms",
            "crash-loop:leader,up=100ms,stop-long:down=10000ms,flap:clients-n2,every=500ms",
            "kill:deposed-leader,partition:mute-leader,flap:every=500ms,starve:majority,cpu=1%,period=1000ms",
            "loss:0.5%,shape=all-links+delay:200us,jitter=50us,shape=clients-n1,reorder:25%,by=10ms,duplicate:100%",
            "corrupt:1%,checksum=wrong,shape=one-way,bandwidth:500kbit,queue=1ms,reset:isolate-leader,then=cut",
        ] {
            let specs: FaultSpecs = text.parse().unwrap();
            assert_eq!(specs.to_string(), text);
        }
    }
}
