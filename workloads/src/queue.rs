//! Workload `queue`: a few queues of unique elements, into which clients put, from which they take, and at whose first
//! element they peek.
//!
//! A `dequeue` is a write, and goes through the log whatever the read mode; a `peek` is a read. The final reads take
//! out all that is left, so that an element that was lost is missed.

use histories::Value;

use crate::{Action, Answer, Generator, Mix, Request, Workload, keys::Keys, random::Random};

/// Workload of queues, first in, first out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queue;

impl Workload for Queue {
    fn name(&self) -> &'static str {
        "queue"
    }

    fn about(&self) -> &'static str {
        "enqueues of unique elements, dequeues, and peeks at the first element of several queues"
    }

    fn model(&self) -> &'static str {
        "queue"
    }

    fn generator(&self, seed: u64, mix: &Mix) -> Box<dyn Generator> {
        Box::new(Queues {
            functions: Random::new(seed, "queue function"),
            keys: Keys::new(seed, "queue key", mix),
            read_percent: mix.read_percent,
            next_element: 1,
        })
    }

    fn final_read(&self, key: u32) -> Request {
        Request::new(key, Action::Dequeue)
    }

    fn ends_final_read(&self, answer: &Answer) -> bool {
        *answer == Answer::Value(Value::Nil)
    }

    fn probe_read(&self, key: u32) -> Request {
        Request::new(key, Action::Peek)
    }

    /// Takes from a queue that is always empty.
    fn probe_write(&self, key: u32, _number: u32) -> Request {
        Request::new(key, Action::Dequeue)
    }
}

#[derive(Clone, Debug)]
struct Queues {
    functions: Random,
    keys: Keys,
    read_percent: u8,
    next_element: i64,
}

impl Generator for Queues {
    fn next(&mut self, _worker: u16) -> Request {
        let key = self.keys.draw();
        // Of those that do not peek, one half puts in and one half takes out.
        let half_percent = self.functions.below(200);
        let peeks = 2 * u32::from(self.read_percent);
        if half_percent < peeks {
            return Request::new(key, Action::Peek);
        }
        self.keys.count_change(key);
        if half_percent.is_multiple_of(2) {
            return Request::new(key, Action::Dequeue);
        }
        self.next_element += 1;
        Request::new(key, Action::Enqueue(self.next_element - 1))
    }

    fn observe(&mut self, _worker: u16, request: &Request, answer: &Answer) {
        self.keys.observe(request, answer);
    }

    fn keys(&self) -> Vec<u32> {
        self.keys.all()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn as_much_is_put_in_as_taken_out_and_nothing_twice() {
        let mut generator = Queue.generator(1, &Mix { read_percent: 40, ..Mix::default() });
        let (mut elements, mut dequeues) = (BTreeSet::new(), 0);
        for _ in 0..10_000 {
            match generator.next(0).action {
                Action::Enqueue(element) => assert!(elements.insert(element)),
                Action::Dequeue => dequeues += 1,
                action => assert_eq!(action, Action::Peek),
            }
        }
        assert!((2800..3200).contains(&elements.len()) && (2800..3200).contains(&dequeues));
    }

    #[test]
    fn a_queue_is_read_to_its_end() {
        assert!(!Queue.ends_final_read(&Answer::Value(5.into())));
        assert!(Queue.ends_final_read(&Answer::Value(Value::Nil)));
        assert!(!Queue.ends_final_read(&Answer::Unknown(String::new())));
    }
}
