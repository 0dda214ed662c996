//! Interface of workloads: the operations of clients, their proportions, and the model that judges their history.

use std::fmt::Debug;

use histories::Value;

use crate::{Answer, Request};

/// Workload: the requests of all clients, before, while and after faults are in force.
pub trait Workload: Debug + Send + Sync {
    /// Returns its name on the command line and in plans.
    fn name(&self) -> &'static str;

    /// Describes its operations in a few words.
    fn about(&self) -> &'static str;

    /// Returns the model by which its histories are judged, as `schism check --model` names it.
    fn model(&self) -> &'static str;

    /// Returns the value that each key has before its first change, as the model has it; null if it is absent.
    fn initial(&self) -> Value {
        Value::Nil
    }

    /// Creates a generator of the requests.
    fn generator(&self, seed: u64, mix: &Mix) -> Box<dyn Generator>;

    /// Returns the request that reads a key on a node after all faults are healed; it is repeated until
    /// [`Workload::ends_final_read`].
    fn final_read(&self, key: u32) -> Request;

    /// Returns true if the answer to a final read is the last one that is needed.
    fn ends_final_read(&self, answer: &Answer) -> bool {
        matches!(answer, Answer::Value(_))
    }

    /// Returns the request that finds out if a node answers reads, or, where nothing only reads, writes. `key` is the
    /// highest of the keys that no generator uses, of which there are many.
    fn probe_read(&self, key: u32) -> Request;

    /// Returns the request that finds out if a node takes writes; it is number `number` of its kind on its node. The
    /// state that all these requests leave must stay small.
    fn probe_write(&self, key: u32, number: u32) -> Request;
}

/// Pure generator of requests: the same seed, and the same calls in the same order, give the same requests.
pub trait Generator: Debug + Send {
    /// Returns the next request of `worker`.
    fn next(&mut self, worker: u16) -> Request;

    /// Tells the generator the answer to a request of `worker`.
    fn observe(&mut self, worker: u16, request: &Request, answer: &Answer);

    /// Returns the keys used so far: retired ones first, those in use last.
    fn keys(&self) -> Vec<u32>;
}

/// Mix of the operations of a workload.
#[derive(Clone, Debug)]
pub struct Mix {
    /// Number of keys in use at once, from 1.
    pub keys: u16,
    /// Percentage of operations on one of them, the hot one; the others are spread evenly.
    pub hot_key_percent: u8,
    /// Percentage of operations that only read.
    pub read_percent: u8,
    /// Percentage of cas, for a workload that has any; the other operations change something.
    pub cas_percent: u8,
    /// Number of changes after which a key is replaced by a new one; a workload may have a lower limit.
    pub mutations_per_key: u32,
    /// Number of changes with unknown outcome after which a key is replaced, too: each stays open for ever, which is
    /// expensive for a checker.
    pub unknowns_per_key: u32,
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            keys: 5,
            hot_key_percent: 0,
            read_percent: 50,
            cas_percent: 10,
            mutations_per_key: 1000,
            unknowns_per_key: 10,
        }
    }
}
