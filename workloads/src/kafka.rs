//! Workload `kafka`: sends of unique values to a few logs, each answered by its offset, and polls, each from where its
//! client has come to. Each offset has one value, and whoever reads on misses none.

use std::collections::BTreeMap;

use histories::Value;

use crate::{Action, Answer, Generator, Mix, Request, Workload, keys::Keys, random::Random};

/// Maximum number of sends to a log, which our node reads as a whole.
const MAX_SENDS: u32 = 100;

/// Workload of logs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kafka;

impl Workload for Kafka {
    fn name(&self) -> &'static str {
        "kafka"
    }

    fn about(&self) -> &'static str {
        "sends of unique values to several logs, and polls, each from where its client has come to"
    }

    fn model(&self) -> &'static str {
        "kafka"
    }

    fn generator(&self, seed: u64, mix: &Mix) -> Box<dyn Generator> {
        let mix = Mix { mutations_per_key: mix.mutations_per_key.min(MAX_SENDS), ..mix.clone() };
        Box::new(Logs {
            functions: Random::new(seed, "kafka function"),
            keys: Keys::new(seed, "kafka key", &mix),
            read_percent: mix.read_percent,
            next_value: 1,
            places: BTreeMap::new(),
        })
    }

    fn final_read(&self, key: u32) -> Request {
        Request::new(key, Action::Poll(0))
    }

    fn probe_read(&self, key: u32) -> Request {
        self.final_read(key)
    }

    /// Sends to one log after another, so that none gets long.
    fn probe_write(&self, key: u32, number: u32) -> Request {
        Request::new(key - number / MAX_SENDS, Action::Send(number.into()))
    }
}

#[derive(Clone, Debug)]
struct Logs {
    functions: Random,
    keys: Keys,
    read_percent: u8,
    next_value: i64,
    /// Offset from which each worker polls each log next.
    places: BTreeMap<(u16, u32), i64>,
}

impl Generator for Logs {
    fn next(&mut self, worker: u16) -> Request {
        let key = self.keys.draw();
        if self.functions.below(100) < u32::from(self.read_percent) {
            let from = self.places.get(&(worker, key)).copied().unwrap_or_default();
            return Request::new(key, Action::Poll(from));
        }
        self.keys.count_change(key);
        self.next_value += 1;
        Request::new(key, Action::Send(self.next_value - 1))
    }

    fn observe(&mut self, worker: u16, request: &Request, answer: &Answer) {
        self.keys.observe(request, answer);
        if let (Some(key), Action::Poll(_), Answer::Value(Value::List(pairs))) = (request.key, &request.action, answer)
            && let Some(Value::List(last)) = pairs.last()
            && let Some(Value::Int(offset)) = last.first()
        {
            self.places.insert((worker, key), offset.saturating_add(1));
        }
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
    fn a_worker_polls_on_where_it_was_and_values_are_unique() {
        let mut generator = Kafka.generator(1, &Mix { keys: 1, ..Mix::default() });
        let mut values = BTreeSet::new();
        let pairs = [3, 4].map(|offset| Value::List(vec![Value::Int(offset), 7.into()]));
        let answer = Answer::Value(Value::List(pairs.to_vec()));
        let mut begins = [BTreeSet::new(), BTreeSet::new()];
        for worker in [0, 1].into_iter().cycle().take(100) {
            let request = generator.next(worker);
            match request.action {
                Action::Send(value) => assert!(values.insert(value)),
                Action::Poll(from) => drop(begins[usize::from(worker)].insert((request.key, from))),
                _ => panic!("{request:?}"),
            }
            if worker == 0 {
                generator.observe(worker, &request, &answer);
            }
        }
        let key = Some(0);
        assert_eq!(begins, [BTreeSet::from([(key, 0), (key, 5)]), BTreeSet::from([(key, 0)])]);
    }
}
