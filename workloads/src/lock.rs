//! Workloads `lock`, `fenced-lock` and `leased-lock`: clients that acquire one of a few locks, and release it by their
//! next request. An acquire of the latter two returns a fencing token. In `leased-lock`, whose holders may lose it, a
//! holder sets what the lock guards under its token, once or a few times, before it releases it: who lost the lock
//! without noticing may then still write after the next holder did.
//!
//! Whoever holds a lock does nothing else meanwhile, so that no process ends while it holds one, unless it is its
//! release whose outcome is unknown. The final reads ask for a release by who holds nothing, which must be refused:
//! they show that a node takes part again, and take no lock whose holder is gone with the load.

use std::collections::HashMap;

use histories::Value;

use crate::{Action, Answer, Generator, Mix, Request, Workload, keys::Keys, random::Random};

/// Number of refusals in a row after which a lock is left alone: its holder may be one whose acquire had no answer, and
/// which will never release it.
const MAX_REFUSALS: u32 = 20;

/// Maximum number of writes by a holder of what its lock guards.
const MAX_WRITES: u32 = 3;

/// Locks without tokens.
pub(crate) static LOCK: Lock = Lock {
    name: "lock",
    about: "acquires and releases of several locks by their holders",
    model: "mutex",
    acquire: Action::Acquire,
    guards_something: false,
};

/// Locks with fencing tokens.
pub(crate) static FENCED_LOCK: Lock = Lock {
    name: "fenced-lock",
    about: "the same, and each acquire returns a fencing token",
    model: "fenced-lock",
    acquire: Action::AcquireWithToken,
    guards_something: false,
};

/// Locks that their holders may lose, with tokens.
pub(crate) static LEASED_LOCK: Lock = Lock {
    name: "leased-lock",
    about: "the same, with writes of what the lock guards under the token, as a lock with a lease needs",
    model: "leased-lock",
    acquire: Action::AcquireWithToken,
    guards_something: true,
};

/// Workload of locks of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Lock {
    name: &'static str,
    about: &'static str,
    model: &'static str,
    acquire: Action,
    /// True if a holder writes what the lock guards.
    guards_something: bool,
}

impl Workload for Lock {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn model(&self) -> &'static str {
        self.model
    }

    fn generator(&self, seed: u64, mix: &Mix) -> Box<dyn Generator> {
        Box::new(Locks {
            acquire: self.acquire.clone(),
            keys: Keys::new(seed, "lock key", mix),
            guards_something: self.guards_something,
            writes: Random::new(seed, "lock writes"),
            held: HashMap::new(),
            refusals: HashMap::new(),
            next_value: 1,
        })
    }

    fn final_read(&self, key: u32) -> Request {
        Request::new(key, Action::Release)
    }

    fn ends_final_read(&self, answer: &Answer) -> bool {
        matches!(answer, Answer::Done | Answer::Value(_) | Answer::Mismatch(_))
    }

    /// Nothing of a lock is only read.
    fn probe_read(&self, key: u32) -> Request {
        self.final_read(key)
    }

    fn probe_write(&self, key: u32, _number: u32) -> Request {
        self.final_read(key)
    }
}

#[derive(Clone, Debug)]
struct Locks {
    acquire: Action,
    keys: Keys,
    guards_something: bool,
    writes: Random,
    /// Lock that each worker holds, and what it will still write.
    held: HashMap<u16, (u32, Option<WritesLeft>)>,
    /// Number of refusals in a row of each lock in use.
    refusals: HashMap<u32, u32>,
    /// Next value that is written.
    next_value: i64,
}

/// Writes that a holder has not yet made.
#[derive(Clone, Copy, Debug)]
struct WritesLeft {
    token: i64,
    /// Number of the writes; at least one.
    count: u32,
}

impl Generator for Locks {
    fn next(&mut self, worker: u16) -> Request {
        if let Some((key, left)) = self.held.get(&worker) {
            let Some(WritesLeft { token, .. }) = *left else { return Request::new(*key, Action::Release) };
            self.next_value += 1;
            return Request::new(*key, Action::GuardedWrite { token, value: self.next_value - 1 });
        }
        let key = self.keys.draw();
        self.keys.count_change(key);
        Request::new(key, self.acquire.clone())
    }

    fn observe(&mut self, worker: u16, request: &Request, answer: &Answer) {
        let Some(key) = request.key else { return };
        match (&request.action, answer) {
            (Action::Release, Answer::NotDone(_)) => {}
            // After an answer that never came, another client takes the place of the holder.
            (Action::Release, _) | (Action::GuardedWrite { .. }, Answer::Unknown(_)) => drop(self.held.remove(&worker)),
            (Action::GuardedWrite { .. }, Answer::Done) => {
                if let Some((_, left)) = self.held.get_mut(&worker) {
                    *left =
                        left.and_then(|left| (left.count > 1).then(|| WritesLeft { count: left.count - 1, ..left }));
                }
            }
            // Who is refused knows that the lock is lost.
            (Action::GuardedWrite { .. }, _) => drop(self.held.insert(worker, (key, None))),
            (_, Answer::Done | Answer::Value(_)) => {
                let left = match answer {
                    Answer::Value(Value::Int(token)) if self.guards_something => {
                        Some(WritesLeft { token: *token, count: 1 + self.writes.below(MAX_WRITES) })
                    }
                    _ => None,
                };
                self.held.insert(worker, (key, left));
                self.refusals.remove(&key);
            }
            (_, Answer::Mismatch(_)) => {
                let refusals = self.refusals.entry(key).or_default();
                *refusals += 1;
                if *refusals >= MAX_REFUSALS {
                    self.refusals.remove(&key);
                    self.keys.replace(key);
                }
            }
            _ => {}
        }
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

    fn locks() -> Box<dyn Generator> {
        LOCK.generator(1, &Mix { keys: 1, ..Mix::default() })
    }

    /// Lets a worker make its next request, and get this answer.
    fn step(locks: &mut dyn Generator, worker: u16, answer: &Answer) -> (u32, Action) {
        let request = locks.next(worker);
        locks.observe(worker, &request, answer);
        (request.key.unwrap(), request.action)
    }

    #[test]
    fn a_worker_releases_what_it_holds_and_nothing_else() {
        let (refused, not_done) = (Answer::Mismatch(Value::Nil), Answer::NotDone(String::new()));
        let unknown = Answer::Unknown(String::new());
        let mut locks = locks();
        for (answer, action) in [
            (&refused, Action::Acquire),
            (&not_done, Action::Acquire),
            (&Answer::Done, Action::Acquire),
            (&not_done, Action::Release),
            (&Answer::Done, Action::Release),
            (&Answer::Done, Action::Acquire),
            (&unknown, Action::Release),
            (&unknown, Action::Acquire),
            (&Answer::Done, Action::Acquire),
            (&refused, Action::Release),
            (&Answer::Done, Action::Acquire),
        ] {
            assert_eq!(step(&mut *locks, 0, answer), (0, action));
            assert_eq!(locks.next(1).action, Action::Acquire, "another worker holds nothing");
        }
    }

    #[test]
    fn a_fenced_lock_is_held_with_its_token() {
        let mut locks = FENCED_LOCK.generator(1, &Mix::default());
        let (key, action) = step(&mut *locks, 0, &Answer::Value(7.into()));
        assert_eq!(action, Action::AcquireWithToken);
        assert_eq!(locks.next(0), Request::new(key, Action::Release));
    }

    #[test]
    fn the_holder_of_a_leased_lock_writes_under_its_token_and_releases_it() {
        let mut locks = LEASED_LOCK.generator(1, &Mix { keys: 1, ..Mix::default() });
        let (refused, unknown) = (Answer::NotDone(String::new()), Answer::Unknown(String::new()));
        let (mut counts, mut last) = (BTreeSet::new(), 0);
        for _ in 0..100 {
            let acquired = step(&mut *locks, 0, &Answer::Value(7.into()));
            assert_eq!(acquired, (0, Action::AcquireWithToken));
            let mut count = 0;
            while let (0, Action::GuardedWrite { token: 7, value }) = step(&mut *locks, 0, &Answer::Done) {
                assert!(value > last, "values are unique");
                (last, count) = (value, count + 1);
            }
            counts.insert(count);
        }
        assert_eq!(counts, (1..=MAX_WRITES).collect());
        for (answer, next) in [(&refused, Action::Release), (&unknown, Action::AcquireWithToken)] {
            step(&mut *locks, 0, &Answer::Value(7.into()));
            assert!(matches!(step(&mut *locks, 0, answer), (0, Action::GuardedWrite { token: 7, .. })));
            assert_eq!(step(&mut *locks, 0, &Answer::Done), (0, next), "{answer:?}");
        }
    }

    #[test]
    fn a_lock_that_is_never_free_is_replaced_but_its_holder_still_releases_it() {
        let mut locks = locks();
        step(&mut *locks, 0, &Answer::Done);
        for _ in 0..MAX_REFUSALS {
            assert_eq!(step(&mut *locks, 1, &Answer::Mismatch(Value::Nil)), (0, Action::Acquire));
        }
        assert_eq!(step(&mut *locks, 1, &Answer::Done), (1, Action::Acquire));
        assert_eq!(step(&mut *locks, 0, &Answer::Done), (0, Action::Release));
        assert_eq!(locks.keys(), [0, 1]);
    }

    #[test]
    fn a_refused_release_is_the_end_of_a_final_read() {
        assert!(LOCK.ends_final_read(&Answer::Mismatch(Value::Nil)));
        assert!(!LOCK.ends_final_read(&Answer::NotDone(String::new())));
        assert!(!LOCK.ends_final_read(&Answer::Unknown(String::new())));
    }
}
