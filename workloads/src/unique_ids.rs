//! Workload `unique-ids`: clients ask for ids, which must differ from all others of their key. There are no reads.

use crate::{Action, Answer, Generator, Mix, Request, Workload, keys::Keys};

/// Workload of ids.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UniqueIds;

impl Workload for UniqueIds {
    fn name(&self) -> &'static str {
        "unique-ids"
    }

    fn about(&self) -> &'static str {
        "requests for ids, none of which may be given out twice"
    }

    fn model(&self) -> &'static str {
        "unique-ids"
    }

    fn generator(&self, seed: u64, mix: &Mix) -> Box<dyn Generator> {
        Box::new(Ids(Keys::new(seed, "unique-ids key", mix)))
    }

    fn final_read(&self, key: u32) -> Request {
        Request::new(key, Action::Generate)
    }

    fn probe_read(&self, key: u32) -> Request {
        Request::new(key, Action::Read)
    }

    fn probe_write(&self, key: u32, _number: u32) -> Request {
        self.final_read(key)
    }
}

#[derive(Clone, Debug)]
struct Ids(Keys);

impl Generator for Ids {
    fn next(&mut self, _worker: u16) -> Request {
        let key = self.0.draw();
        self.0.count_change(key);
        Request::new(key, Action::Generate)
    }

    fn observe(&mut self, _worker: u16, request: &Request, answer: &Answer) {
        self.0.observe(request, answer);
    }

    fn keys(&self) -> Vec<u32> {
        self.0.all()
    }
}
