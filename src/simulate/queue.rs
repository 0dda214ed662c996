//! Queue of what will happen, in the order of virtual time; what is to happen at the same time, in the order in which
//! it was planned.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

/// Queue of events of type `E`.
#[derive(Debug)]
pub(super) struct Queue<E> {
    /// Time, number and place of each event, as one integer of 64, 32 and 32 bits, which compares faster.
    order: BinaryHeap<Reverse<u128>>,
    /// Events at the places that `order` names, so that sorting moves no event.
    events: Vec<Option<E>>,
    free: Vec<u32>,
    /// Limits in time, which are mostly planned in the order in which they run out, and need no sorting.
    limits: VecDeque<(u128, E)>,
    planned: u32,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { order: BinaryHeap::new(), events: Vec::new(), free: Vec::new(), limits: VecDeque::new(), planned: 0 }
    }
}

impl<E> Queue<E> {
    /// Plans an event at a time, in nanoseconds.
    ///
    /// # Panics
    /// Panics if it is the 2^32nd.
    pub(super) fn plan(&mut self, at_ns: u64, event: E) {
        let place = if let Some(place) = self.free.pop() {
            self.events[place as usize] = Some(event);
            place
        } else {
            self.events.push(Some(event));
            u32::try_from(self.events.len() - 1).expect("no more than were planned")
        };
        let order = self.next_order(at_ns) | u128::from(place);
        self.order.push(Reverse(order));
    }

    /// Plans a limit in time, in nanoseconds: the same as [`Self::plan`], and faster if it runs out after those planned
    /// before.
    pub(super) fn plan_limit(&mut self, at_ns: u64, event: E) {
        if self.limits.back().is_some_and(|(last, _)| at_of(*last) > at_ns) {
            return self.plan(at_ns, event);
        }
        let order = self.next_order(at_ns);
        self.limits.push_back((order, event));
    }

    /// Takes the number of the next event; returns its place in the order: its time and that number.
    fn next_order(&mut self, at_ns: u64) -> u128 {
        let order = u128::from(at_ns) << 64 | u128::from(self.planned) << 32;
        self.planned = self.planned.checked_add(1).expect("a run ends before");
        order
    }

    /// Takes the next event with its time, if it is due by then.
    pub(super) fn next_until(&mut self, until_ns: u64) -> Option<(u64, E)> {
        let first = self.order.peek().map(|Reverse(order)| *order);
        let limit =
            self.limits.front().map(|(order, _)| *order).filter(|limit| first.is_none_or(|first| *limit < first));
        if limit.or(first).is_none_or(|next| at_of(next) > until_ns) {
            return None;
        }
        if limit.is_some() {
            return self.limits.pop_front().map(|(order, event)| (at_of(order), event));
        }
        let Reverse(order) = self.order.pop()?;
        let place = u32::try_from(order & u128::from(u32::MAX)).expect("32 bits are left");
        self.free.push(place);
        self.events[place as usize].take().map(|event| (at_of(order), event))
    }
}

/// Returns the time of an event in the order.
fn at_of(order: u128) -> u64 {
    u64::try_from(order >> 64).expect("64 bits are left")
}

#[cfg(test)]
mod tests {
    use super::Queue;

    #[test]
    fn events_come_by_time_and_then_as_they_were_planned() {
        let mut queue = Queue::default();
        for (at_ns, name) in [(5, "c"), (3, "a"), (5, "d"), (3, "b")] {
            queue.plan(at_ns, name);
        }
        assert_eq!(queue.next_until(u64::MAX), Some((3, "a")));
        queue.plan(4, "between");
        let rest: Vec<_> = std::iter::from_fn(|| queue.next_until(u64::MAX)).collect();
        assert_eq!(rest, [(3, "b"), (4, "between"), (5, "c"), (5, "d")]);
        assert_eq!((queue.planned, queue.events.len()), (5, 4), "places are used again");
    }

    #[test]
    fn limits_come_among_the_events_by_time_and_as_they_were_planned() {
        let mut queue = Queue::default();
        queue.plan(5, "a");
        queue.plan_limit(5, "b");
        queue.plan(5, "c");
        queue.plan_limit(4, "earlier");
        queue.plan_limit(9, "d");
        queue.plan(7, "between");
        let all: Vec<_> = std::iter::from_fn(|| queue.next_until(u64::MAX)).collect();
        assert_eq!(all, [(4, "earlier"), (5, "a"), (5, "b"), (5, "c"), (7, "between"), (9, "d")]);
    }
}
