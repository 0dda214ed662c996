//! Packets that the switch holds, and the faults that decide for how long. Pure: times come from the caller.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use super::counts::PacketCounts;
use super::fate::{Arrival, Frame, Rule};
use super::fault::PacketFault;
use crate::grudge::Grudge;
use crate::links::Links;

/// Maximum of the packets that are held at once, and of their bytes; those beyond are dropped and counted.
const MOST_HELD: usize = 65_536;
const MOST_HELD_BYTES: usize = 64 << 20;

/// Frame with its place among those of the same time.
#[derive(Debug)]
struct Held {
    arrival: Arrival,
    number: u64,
}

impl Held {
    fn rank(&self) -> (Duration, u64) {
        (self.arrival.due, self.number)
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Held {}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

/// Faults in force, by their numbers, and packets that are yet to arrive.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    rules: BTreeMap<u32, Rule>,
    held: BinaryHeap<Reverse<Held>>,
    held_bytes: usize,
    taken: u64,
    /// Partition in force, by which no packet arrives that was sent before it.
    cut: Grudge,
}

impl Traffic {
    pub(super) fn add(&mut self, number: u32, fault: PacketFault, links: Links, seed: u64) {
        self.rules.insert(number, Rule::new(fault, links, seed));
    }

    /// Ends a fault, and lets the packets on its links arrive now.
    pub(super) fn remove(&mut self, number: u32, now: Duration) -> Option<PacketCounts> {
        let rule = self.rules.remove(&number)?;
        let release = |Reverse(mut held): Reverse<Held>| {
            let Frame { from, to, .. } = held.arrival.frame;
            if rule.links.contains(from, to) {
                held.arrival.due = held.arrival.due.min(now);
            }
            Reverse(held)
        };
        // Those of the same time keep their order only if they are numbered by it.
        let mut all = std::mem::take(&mut self.held).into_vec();
        all.sort_unstable_by(|Reverse(a), Reverse(b)| a.cmp(b));
        for (number, Reverse(held)) in (self.taken..).zip(&mut all) {
            held.number = number;
        }
        self.taken += all.len() as u64;
        self.held = all.into_iter().map(release).collect();
        Some(rule.counts)
    }

    pub(super) fn set_cut(&mut self, cut: Grudge) {
        self.cut = cut;
    }

    /// Returns the links of all faults, except for one.
    pub(super) fn links_without(&self, number: Option<u32>) -> Links {
        let mut links = Links::default();
        for (_, rule) in self.rules.iter().filter(|(of, _)| Some(**of) != number) {
            links.extend(&rule.links);
        }
        links
    }

    /// Takes a frame that was sent now: every fault on its link decides in turn.
    pub(super) fn take(&mut self, frame: Frame, now: Duration) {
        let (mut arrivals, mut next) = (vec![Arrival { due: now, frame }], Vec::new());
        for rule in self.rules.values_mut() {
            arrivals.drain(..).for_each(|arrival| rule.apply(arrival, &mut next));
            std::mem::swap(&mut arrivals, &mut next);
        }
        for arrival in arrivals {
            let length = arrival.frame.bytes.len();
            if self.held.len() >= MOST_HELD || self.held_bytes + length > MOST_HELD_BYTES {
                let Frame { from, to, .. } = arrival.frame;
                let blamed = self.rules.values_mut().find(|rule| rule.links.contains(from, to));
                if let Some(rule) = blamed {
                    rule.counts.over_limit += 1;
                }
                continue;
            }
            self.held_bytes += length;
            self.taken += 1;
            self.held.push(Reverse(Held { arrival, number: self.taken }));
        }
    }

    /// Counts packets that could not be looked at, or not be sent on.
    pub(super) fn miss(&mut self, packets: u64) {
        for rule in self.rules.values_mut() {
            rule.counts.missed += packets;
        }
    }

    /// Returns the time at which the next packet arrives.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.held.peek().map(|Reverse(held)| held.arrival.due)
    }

    /// Returns the next packet that has arrived by now.
    pub(super) fn arrive(&mut self, now: Duration) -> Option<Frame> {
        while self.next_due().is_some_and(|due| due <= now) {
            let Reverse(held) = self.held.pop()?;
            let frame = held.arrival.frame;
            self.held_bytes -= frame.bytes.len();
            if !self.cut.0.get(&frame.to).is_some_and(|dropped| dropped.contains(&frame.from)) {
                return Some(frame);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::grudge::directed;
    use crate::node_id::NodeId;

    const ONE: NodeId = NodeId(1);
    const TWO: NodeId = NodeId(2);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn frame(from: NodeId, to: NodeId, number: u8) -> Frame {
        Frame { from, to, bytes: vec![number] }
    }

    fn links(from: NodeId, to: NodeId) -> Links {
        Links([(to, BTreeSet::from([from]))].into())
    }

    fn delay(ms: u64) -> PacketFault {
        PacketFault::Delay { delay_us: ms * 1000, jitter_us: 0 }
    }

    /// Returns the numbers of the frames that have arrived by then.
    fn arrived(traffic: &mut Traffic, now: Duration) -> Vec<u8> {
        std::iter::from_fn(|| traffic.arrive(now)).map(|frame| frame.bytes[0]).collect()
    }

    #[test]
    fn faults_on_the_same_link_add_up() {
        let mut traffic = Traffic::default();
        traffic.add(1, delay(10), links(ONE, TWO), 1);
        traffic.add(2, delay(5), links(ONE, TWO), 1);
        traffic.add(3, PacketFault::Duplicate { ppm: 1_000_000 }, links(ONE, TWO), 1);
        traffic.take(frame(ONE, TWO, 1), ms(0));
        traffic.take(frame(TWO, ONE, 2), ms(0));
        assert_eq!(arrived(&mut traffic, ms(14)), [2]);
        assert_eq!(traffic.next_due(), Some(ms(15)));
        assert_eq!(arrived(&mut traffic, ms(15)), [1, 1]);
        assert_eq!(traffic.next_due(), None);
    }

    #[test]
    fn packets_of_one_time_keep_their_order_and_a_heal_lets_them_arrive_in_it() {
        let mut traffic = Traffic::default();
        traffic.add(1, delay(1000), links(ONE, TWO), 1);
        traffic.add(2, delay(500), links(TWO, ONE), 1);
        for number in 0..100 {
            traffic.take(frame(ONE, TWO, number), ms(number.into()));
            traffic.take(frame(TWO, ONE, 100 + number), ms(number.into()));
        }
        assert!(arrived(&mut traffic, ms(100)).is_empty());
        assert_eq!(traffic.remove(1, ms(100)).unwrap().hit, 100);
        assert_eq!(arrived(&mut traffic, ms(100)), (0..100).collect::<Vec<_>>(), "the other fault goes on");
        assert_eq!(traffic.links_without(None), links(TWO, ONE));
        assert_eq!(traffic.links_without(Some(2)), Links::default());
        assert_eq!(arrived(&mut traffic, ms(599)), (100..200).collect::<Vec<_>>());
        assert_eq!(traffic.remove(1, ms(600)), None);
    }

    #[test]
    fn nothing_passes_a_partition_though_it_was_sent_before() {
        let mut traffic = Traffic::default();
        traffic.add(1, delay(10), Links([(TWO, [ONE].into()), (ONE, [TWO].into())].into()), 1);
        traffic.take(frame(ONE, TWO, 1), ms(0));
        traffic.take(frame(TWO, ONE, 2), ms(0));
        traffic.set_cut(directed([(TWO, ONE)]));
        assert_eq!(arrived(&mut traffic, ms(10)), [2]);
        traffic.set_cut(Grudge::default());
        traffic.take(frame(ONE, TWO, 3), ms(10));
        assert_eq!(arrived(&mut traffic, ms(20)), [3]);
    }

    #[test]
    fn packets_beyond_the_limits_are_dropped_and_counted() {
        let mut traffic = Traffic::default();
        traffic.add(1, delay(10), links(ONE, TWO), 1);
        for _ in 0..MOST_HELD + 3 {
            traffic.take(frame(ONE, TWO, 0), ms(0));
        }
        assert_eq!(arrived(&mut traffic, ms(10)).len(), MOST_HELD);
        for _ in 0..5 {
            traffic.take(Frame { bytes: vec![0; MOST_HELD_BYTES / 4], ..frame(ONE, TWO, 0) }, ms(10));
        }
        assert_eq!(arrived(&mut traffic, ms(20)).len(), 4);
        traffic.miss(7);
        let expected = PacketCounts { seen: 65_536 + 3 + 5, hit: 65_536 + 3 + 5, over_limit: 4, missed: 7 };
        assert_eq!(traffic.remove(1, ms(20)), Some(expected));
    }
}
