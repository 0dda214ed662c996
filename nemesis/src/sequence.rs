//! Faults that are sequences of others: rolling restarts, crash loops, flapping partitions. Pure. Each step is a fault
//! of its own in the schedule, and so in the history, with its own beginning and end.

use std::time::Duration;

use crate::fault::Fault;
use crate::node_id::NodeId;
use crate::planned::{Aim, PlannedFault};
use crate::spec::FaultSpec;
use crate::target::Target;

/// Maximum number of steps of a sequence.
const MAX_STEPS: u32 = 1000;
/// Time from a kill to the start in a crash loop.
const CRASH: Duration = Duration::from_millis(1);
/// Time that a change of members is given; nothing ends with it.
const CHANGE: Duration = Duration::from_secs(1);

impl FaultSpec {
    /// Returns its duration in a cluster of so many nodes, if that does not depend on the schedule.
    pub(crate) fn length(&self, nodes: u16) -> Option<Duration> {
        match *self {
            Self::Restart { down_ms, .. } => down_ms.map(Duration::from_millis),
            Self::StopLong { down_ms, .. } => Some(Duration::from_millis(down_ms)),
            Self::Members { .. } => Some(CHANGE),
            Self::RollingRestart { every_ms, .. } => Some(Duration::from_millis(every_ms) * u32::from(nodes)),
            Self::Kill(_)
            | Self::Pause(_)
            | Self::CrashLoop { .. }
            | Self::Starve { .. }
            | Self::Limit { .. }
            | Self::Partition(_)
            | Self::Packets { .. }
            | Self::Flap { .. }
            | Self::Clock { .. }
            | Self::Disk { .. } => None,
        }
    }

    /// Returns the steps of this fault, of which `whole` is the window, with its target and its draw. They are to
    /// begin at this place of the schedule.
    pub(crate) fn steps(&self, whole: PlannedFault, place: usize, nodes: u16) -> Vec<PlannedFault> {
        match *self {
            Self::RollingRestart { down_ms, every_ms } => {
                let [down, every] = [down_ms, every_ms].map(Duration::from_millis);
                let step = |node: u16| PlannedFault {
                    at: whole.at + every * u32::from(node - 1),
                    lasts: down,
                    fault: Fault::Restart { target: Target::Node(NodeId(node)) },
                    ..whole.clone()
                };
                (1..=nodes).map(step).filter(|step| step.until() <= whole.until()).collect()
            }
            Self::CrashLoop { up_ms, .. } => repeat(&whole, CRASH, Duration::from_millis(up_ms), place),
            Self::Flap { every_ms, .. } => {
                let every = Duration::from_millis(every_ms);
                repeat(&whole, every, every, place)
            }
            Self::Kill(_)
            | Self::Pause(_)
            | Self::Restart { .. }
            | Self::StopLong { .. }
            | Self::Starve { .. }
            | Self::Limit { .. }
            | Self::Partition(_)
            | Self::Packets { .. }
            | Self::Clock { .. }
            | Self::Disk { .. }
            | Self::Members { .. } => vec![whole],
        }
    }
}

/// Returns the fault again and again with breaks in its window, each time on the same nodes; at least once.
fn repeat(whole: &PlannedFault, lasts: Duration, pause: Duration, place: usize) -> Vec<PlannedFault> {
    let step = |number| PlannedFault {
        at: whole.at + (lasts + pause) * number,
        lasts: lasts.min(whole.lasts),
        aim: (number > 0).then_some(Aim::Again(place)),
        ..whole.clone()
    };
    (0..MAX_STEPS).map(step).take_while(|step| step.until() <= whole.until()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Returns beginnings and durations of the steps of a fault between 1 s and 3 s, among three nodes, in ms.
    fn steps(text: &str) -> Vec<(u128, u128, String, Option<Aim>)> {
        let fault = Fault::Kill { target: Target::Leader };
        let whole = PlannedFault { at: ms(1000), lasts: ms(2000), ..PlannedFault::of(fault) };
        let steps = text.parse::<FaultSpec>().unwrap().steps(whole, 7, 3);
        steps
            .into_iter()
            .map(|step| (step.at.as_millis(), step.lasts.as_millis(), step.fault.to_string(), step.aim))
            .collect()
    }

    #[test]
    fn a_rolling_restart_has_one_node_down_at_a_time() {
        let restart = |at, node| (at, 300, format!("restart {node}"), None);
        let all = [restart(1000, "n1"), restart(1600, "n2"), restart(2200, "n3")];
        assert_eq!(steps("rolling-restart:down=300ms,every=600ms"), all);
        assert_eq!(steps("rolling-restart:down=300ms,every=900ms").len(), 2, "none ends beyond the window");
    }

    #[test]
    fn a_crash_loop_hits_the_same_nodes_until_its_end() {
        let found = steps("crash-loop:up=499ms");
        let kill = |at, aim| (at, 1, "kill the leader".to_owned(), aim);
        let again = || Some(Aim::Again(7));
        assert_eq!(found, [kill(1000, None), kill(1500, again()), kill(2000, again()), kill(2500, again())]);
        assert_eq!(steps("crash-loop:up=1ms").len(), 1000);
    }

    #[test]
    fn a_partition_flaps_at_least_once() {
        let found: Vec<_> = steps("flap:every=400ms").into_iter().map(|(at, lasts, ..)| (at, lasts)).collect();
        assert_eq!(found, [(1000, 400), (1800, 400), (2600, 400)]);
        let found: Vec<_> = steps("flap:every=5s").into_iter().map(|(at, lasts, ..)| (at, lasts)).collect();
        assert_eq!(found, [(1000, 2000)]);
    }

    #[test]
    fn other_faults_are_one_step() {
        for text in ["kill", "pause:n1", "restart:down=1s", "stop-long", "starve", "partition:ring", "clock"] {
            assert_eq!(steps(text).len(), 1, "{text}");
        }
    }
}
