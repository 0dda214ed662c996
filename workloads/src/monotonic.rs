//! Workload `monotonic`: insertions of rows whose values count on from the largest, under the system's own timestamps,
//! and reads of all rows by their timestamps. Their values must grow in that order.

use crate::{Action, Generator, Mix, Request, Workload, mixed::Mixed};

/// Maximum number of rows of a table: each read returns all of them.
const MAX_ROWS: u32 = 200;

/// Workload of tables of numbered rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Monotonic;

impl Workload for Monotonic {
    fn name(&self) -> &'static str {
        "monotonic"
    }

    fn about(&self) -> &'static str {
        "insertions of rows that count on, under the system's timestamps, and reads of all rows of a table"
    }

    fn model(&self) -> &'static str {
        "monotonic"
    }

    fn generator(&self, seed: u64, mix: &Mix) -> Box<dyn Generator> {
        let mix = Mix { mutations_per_key: mix.mutations_per_key.min(MAX_ROWS), ..mix.clone() };
        Box::new(Mixed::new(seed, "monotonic", &mix, Action::Rows, |_| Action::Insert))
    }

    fn final_read(&self, key: u32) -> Request {
        Request::new(key, Action::Rows)
    }

    fn probe_read(&self, key: u32) -> Request {
        self.final_read(key)
    }

    /// Inserts into one table after another, so that none gets long.
    fn probe_write(&self, key: u32, number: u32) -> Request {
        Request::new(key - number / MAX_ROWS, Action::Insert)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn tables_stay_short() {
        let mut generator = Monotonic.generator(1, &Mix { read_percent: 30, ..Mix::default() });
        let mut sizes = BTreeMap::<_, u32>::new();
        for _ in 0..10_000 {
            match generator.next(0) {
                Request { action: Action::Insert, key } => *sizes.entry(key).or_default() += 1,
                request => assert_eq!(request.action, Action::Rows),
            }
        }
        assert!(sizes.len() > 20 && sizes.values().all(|size| *size <= MAX_ROWS), "{sizes:?}");
    }
}
