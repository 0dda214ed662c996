//! Queue of what will happen, in the order of virtual time; what is to happen at the same time, in the order in which
//! it was planned.

use std::{cmp::Reverse, collections::BinaryHeap};

/// Queue of events of type `E`.
#[derive(Debug)]
pub(super) struct Queue<E> {
    order: BinaryHeap<Reverse<(u64, u64, usize)>>,
    /// Events at the places that `order` names, so that sorting moves no event.
    events: Vec<Option<E>>,
    free: Vec<usize>,
    planned: u64,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { order: BinaryHeap::new(), events: Vec::new(), free: Vec::new(), planned: 0 }
    }
}

impl<E> Queue<E> {
    /// Plans an event at a time, in nanoseconds.
    pub(super) fn plan(&mut self, at_ns: u64, event: E) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.events.push(None);
            self.events.len() - 1
        });
        self.events[place] = Some(event);
        self.order.push(Reverse((at_ns, self.planned, place)));
        self.planned += 1;
    }

    /// Takes the next event with its time.
    pub(super) fn next(&mut self) -> Option<(u64, E)> {
        let Reverse((at_ns, _, place)) = self.order.pop()?;
        self.free.push(place);
        self.events[place].take().map(|event| (at_ns, event))
    }

    /// Returns the number of events planned so far.
    pub(super) fn planned(&self) -> u64 {
        self.planned
    }
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
        assert_eq!(queue.next(), Some((3, "a")));
        queue.plan(4, "between");
        let rest: Vec<_> = std::iter::from_fn(|| queue.next()).collect();
        assert_eq!(rest, [(3, "b"), (4, "between"), (5, "c"), (5, "d")]);
        assert_eq!((queue.planned(), queue.events.len()), (5, 4), "places are used again");
    }
}
