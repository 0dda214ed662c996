//! Decisions of one fault about the packets on its links, from a seed: one generator for each link, so that what comes
//! along on one does not change what happens on another. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use super::counts::PacketCounts;
use super::fault::{Checksum, PacketFault};
use super::frame::{self, Segment};
use super::rate::WHOLE_PPM;
use super::reset::{Connections, Verdict};
use crate::links::Links;
use crate::node_id::NodeId;
use crate::random::Random;

/// Frame on its way between two hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) from: NodeId,
    pub(super) to: NodeId,
    pub(super) bytes: Vec<u8>,
}

/// Frame that is to arrive at this time, from the beginning of the switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrival {
    pub(super) due: Duration,
    pub(super) frame: Frame,
}

/// Fault in force.
#[derive(Debug)]
pub(super) struct Rule {
    fault: PacketFault,
    pub(super) links: Links,
    seed: u64,
    lanes: BTreeMap<(NodeId, NodeId), Lane>,
    connections: Connections,
    pub(super) counts: PacketCounts,
}

/// State of one link.
#[derive(Debug)]
struct Lane {
    random: Random,
    /// Time at which all packets of before have left a link with a bandwidth.
    free_at: Duration,
}

impl Lane {
    fn chance(&mut self, ppm: u32) -> bool {
        self.random.below(WHOLE_PPM as usize) < ppm as usize
    }

    /// Carries so many bytes, that are there at this time, at so many bits per second, and returns the time at which
    /// they have left; none if they would have to wait for longer than the queue allows.
    fn carry(&mut self, at: Duration, bytes: usize, bps: u64, queue: Duration) -> Option<Duration> {
        let begins = self.free_at.max(at);
        if begins.saturating_sub(at) > queue {
            return None;
        }
        let takes_ns = (bytes as u128 * 8 * 1_000_000_000).div_ceil(u128::from(bps));
        self.free_at = begins + Duration::from_nanos(u64::try_from(takes_ns).unwrap_or(u64::MAX));
        Some(self.free_at)
    }
}

impl Rule {
    pub(super) fn new(fault: PacketFault, links: Links, seed: u64) -> Self {
        Self { fault, links, seed, lanes: BTreeMap::new(), connections: Connections::default(), counts: <_>::default() }
    }

    /// Decides what becomes of a frame, and adds all that arrives instead.
    pub(super) fn apply(&mut self, arrival: Arrival, arrivals: &mut Vec<Arrival>) {
        let Arrival { mut due, mut frame } = arrival;
        let (from, to) = (frame.from, frame.to);
        if !self.links.contains(from, to) {
            arrivals.push(Arrival { due, frame });
            return;
        }
        let seed = self.seed;
        let begin = || Lane { random: Random::split(seed, &format!("{from} to {to}")), free_at: Duration::ZERO };
        let lane = self.lanes.entry((from, to)).or_insert_with(begin);
        self.counts.seen += 1;
        let mut copies = 1;
        let is_hit = match self.fault {
            PacketFault::Loss { ppm } => {
                let is_lost = lane.chance(ppm);
                copies -= usize::from(is_lost);
                is_lost
            }
            PacketFault::Delay { delay_us, jitter_us } => {
                let span = usize::try_from(2 * jitter_us + 1).unwrap_or(usize::MAX);
                let deviation_us = lane.random.below(span) as u64;
                due += Duration::from_micros((delay_us + deviation_us).saturating_sub(jitter_us));
                true
            }
            PacketFault::Reorder { ppm, by_us } => {
                let is_held = lane.chance(ppm);
                due += Duration::from_micros(if is_held { by_us } else { 0 });
                is_held
            }
            PacketFault::Duplicate { ppm } => {
                let is_doubled = lane.chance(ppm);
                copies += usize::from(is_doubled);
                is_doubled
            }
            PacketFault::Corrupt { ppm, checksum } => {
                let flip = match checksum {
                    Checksum::Repaired => frame::flip_data,
                    Checksum::Wrong => frame::flip_any,
                };
                lane.chance(ppm) && flip(&mut frame.bytes, |bits| lane.random.below(bits))
            }
            PacketFault::Bandwidth { bps, queue_us } => {
                let left = lane.carry(due, frame.bytes.len(), bps, Duration::from_micros(queue_us));
                self.counts.over_limit += u64::from(left.is_none());
                copies = usize::from(left.is_some());
                due = left.unwrap_or(due);
                left.is_some()
            }
            PacketFault::Reset { then } => {
                let verdict = self.connections.judge(Segment::of(&frame.bytes), then);
                copies = usize::from(verdict == Verdict::Pass);
                if let Verdict::Reset { to_sender, to_receiver } = verdict {
                    let back = Frame { from: to, to: from, bytes: to_sender.frame() };
                    let forth = to_receiver.map(|segment| Frame { from, to, bytes: segment.frame() });
                    arrivals.extend(forth.into_iter().chain([back]).map(|frame| Arrival { due, frame }));
                }
                copies == 0
            }
        };
        self.counts.hit += u64::from(is_hit);
        arrivals.extend(std::iter::repeat_n(Arrival { due, frame }, copies));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::fault::AfterReset;
    use super::super::frame::ACK;
    use super::super::frame::tests::segment;
    use super::*;

    const ONE: NodeId = NodeId(1);
    const TWO: NodeId = NodeId(2);

    fn rule(fault: PacketFault, seed: u64) -> Rule {
        Rule::new(fault, Links([(TWO, BTreeSet::from([ONE])), (ONE, BTreeSet::from([TWO]))].into()), seed)
    }

    /// Sends so many frames at these times, and returns when and which arrive.
    fn send(rule: &mut Rule, from: NodeId, to: NodeId, times_us: &[u64]) -> Vec<(u64, u8)> {
        let mut arrivals = Vec::new();
        for (number, us) in (0_u8..).zip(times_us) {
            let frame = Frame { from, to, bytes: vec![number; 125] };
            rule.apply(Arrival { due: Duration::from_micros(*us), frame }, &mut arrivals);
        }
        let told = |arrival: &Arrival| (u64::try_from(arrival.due.as_micros()).unwrap(), arrival.frame.bytes[0]);
        arrivals.iter().map(told).collect()
    }

    #[test]
    fn a_share_is_lost_by_the_seed_on_each_link_for_itself() {
        let loss = PacketFault::Loss { ppm: 300_000 };
        let forth = send(&mut rule(loss, 7), ONE, TWO, &[0; 200]);
        assert!((110..170).contains(&forth.len()), "{}", forth.len());
        let mut mixed = rule(loss, 7);
        send(&mut mixed, TWO, ONE, &[0; 50]);
        assert_eq!(send(&mut mixed, ONE, TWO, &[0; 200]), forth, "the other link draws for itself");
        assert_ne!(send(&mut rule(loss, 8), ONE, TWO, &[0; 200]), forth);
        assert_ne!(send(&mut rule(loss, 7), TWO, ONE, &[0; 200]), forth);
        assert_eq!(send(&mut rule(loss, 7), ONE, NodeId(3), &[0; 200]).len(), 200, "another link is left alone");
        assert!(send(&mut rule(PacketFault::Loss { ppm: WHOLE_PPM }, 1), ONE, TWO, &[0; 200]).is_empty());
        assert_eq!((mixed.counts.seen, mixed.counts.over_limit), (250, 0));
    }

    #[test]
    fn a_delay_is_exact_and_a_jitter_stays_within_its_bounds() {
        let delay = |jitter_us| rule(PacketFault::Delay { delay_us: 50_000, jitter_us }, 1);
        assert_eq!(send(&mut delay(0), ONE, TWO, &[0, 7]), [(50_000, 0), (50_007, 1)]);
        let times: BTreeSet<u64> = send(&mut delay(10), ONE, TWO, &[0; 250]).into_iter().map(|(us, _)| us).collect();
        assert_eq!(times, (49_990..=50_010).collect());
        let times = send(&mut delay(50_000), ONE, TWO, &[0; 250]);
        assert!(times.iter().all(|(us, _)| *us <= 100_000) && times.iter().any(|(us, _)| *us < 25_000));
    }

    #[test]
    fn some_are_held_back_and_some_come_twice() {
        let reorder = PacketFault::Reorder { ppm: 250_000, by_us: 10 };
        let held = send(&mut rule(reorder, 1), ONE, TWO, &[0; 200]).iter().filter(|(us, _)| *us == 10).count();
        assert!((25..80).contains(&held), "{held}");
        let twice = send(&mut rule(PacketFault::Duplicate { ppm: 500_000 }, 1), ONE, TWO, &[0; 200]);
        assert!((260..340).contains(&twice.len()), "{}", twice.len());
    }

    #[test]
    fn a_link_carries_one_packet_after_the_other_and_drops_those_that_would_wait_too_long() {
        // Frames of 1000 bits take 1 ms each, and three of them may wait.
        let mut rule = rule(PacketFault::Bandwidth { bps: 1_000_000, queue_us: 3000 }, 1);
        let found = send(&mut rule, ONE, TWO, &[0, 0, 0, 0, 0, 0, 10_000]);
        assert_eq!(found, [(1000, 0), (2000, 1), (3000, 2), (4000, 3), (11_000, 6)]);
        assert_eq!((rule.counts.hit, rule.counts.over_limit), (5, 2));
        assert_eq!(send(&mut rule, TWO, ONE, &[0]), [(1000, 0)], "the other direction is another link");
    }

    #[test]
    fn a_flipped_bit_is_in_the_share_of_packets_that_carry_something() {
        let mut rule = rule(PacketFault::Corrupt { ppm: WHOLE_PPM, checksum: Checksum::Repaired }, 1);
        let mut arrivals = Vec::new();
        for bytes in [segment(ACK, 1, 1, b"abc"), segment(ACK, 1, 1, b"")] {
            rule.apply(Arrival { due: Duration::ZERO, frame: Frame { from: ONE, to: TWO, bytes } }, &mut arrivals);
        }
        assert_ne!(arrivals[0].frame.bytes, segment(ACK, 1, 1, b"abc"));
        assert_eq!(arrivals[1].frame.bytes, segment(ACK, 1, 1, b""));
        assert_eq!((rule.counts.seen, rule.counts.hit), (2, 1));
    }

    #[test]
    fn a_reset_goes_to_both_ends_instead_of_the_packet() {
        let mut rule = rule(PacketFault::Reset { then: AfterReset::Open }, 1);
        let mut arrivals = Vec::new();
        let frame = Frame { from: ONE, to: TWO, bytes: segment(ACK, 5, 9, b"abc") };
        rule.apply(Arrival { due: Duration::ZERO, frame }, &mut arrivals);
        let ways: Vec<_> = arrivals.iter().map(|arrival| (arrival.frame.from, arrival.frame.to)).collect();
        assert_eq!(ways, [(ONE, TWO), (TWO, ONE)]);
    }
}
