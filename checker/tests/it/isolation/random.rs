//! Random histories of few transactions.

use histories::EventType;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use super::{First, KEYS, Op, RandomHistory, State, Txn};

/// Kinds of keys in a history.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Mix {
    Lists,
    Registers,
    Both,
}

struct Draw {
    rng: Pcg64,
    keys: usize,
    /// Number of distinct values to draw from; 0 makes every value new.
    domain: i64,
    next: i64,
    held: Vec<State>,
    drawn: RandomHistory,
}

pub(super) fn draw(mix: Mix, seed: u64) -> RandomHistory {
    let mut rng = Pcg64::seed_from_u64(seed);
    let keys = rng.random_range(1..=KEYS);
    let is_list = std::array::from_fn(|_| match mix {
        Mix::Lists => true,
        Mix::Registers => false,
        Mix::Both => rng.random_range(0..2) == 0,
    });
    let mut first = First::default();
    if mix != Mix::Both && rng.random_range(0..4) == 0 {
        match mix {
            Mix::Lists => first.list = vec![0],
            _ => first.value = Some(0),
        }
    }
    let domain = if rng.random_range(0..3) == 0 { rng.random_range(2..6) } else { 0 };
    let drawn = RandomHistory { txns: Vec::new(), is_list, first };
    let held = vec![drawn.initially()];
    let mut draw = Draw { rng, keys, domain, next: 0, held, drawn };
    draw.txns();
    draw.spoil();
    draw.drawn
}

impl Draw {
    fn txns(&mut self) {
        let count = self.rng.random_range(2..=6);
        let (mut clients, mut process, mut rank) = (vec![0, 1, 2], 3, 0);
        let mut open: Vec<(usize, bool)> = Vec::new();
        while self.drawn.txns.len() < count || !open.is_empty() {
            let begins = self.drawn.txns.len() < count && !clients.is_empty();
            if begins && (open.is_empty() || self.rng.random_range(0..5) < 3) {
                let client = clients.swap_remove(self.rng.random_range(0..clients.len()));
                let ops = (0..self.rng.random_range(1..=4)).map(|_| self.op()).collect();
                let txn = Txn { process: client, invoked: rank, completed: usize::MAX, end: EventType::Info, ops };
                self.drawn.txns.push(txn);
                let now = self.rng.random_range(0..2) == 0;
                if now {
                    self.run(self.drawn.txns.len() - 1);
                }
                open.push((self.drawn.txns.len() - 1, now));
            } else {
                let (at, ran) = open.swap_remove(self.rng.random_range(0..open.len()));
                let choice = self.rng.random_range(0..14);
                let end = [EventType::Info, EventType::Info, EventType::Fail, EventType::Ok][choice.min(3)];
                if !ran && (choice > 2 || self.rng.random_range(0..2) == 0) {
                    self.run(at);
                }
                let txn = &mut self.drawn.txns[at];
                (txn.end, txn.completed) = (end, rank);
                if end == EventType::Info {
                    clients.push(process);
                    process += 1;
                } else {
                    clients.push(txn.process);
                }
            }
            rank += 1;
        }
    }

    fn op(&mut self) -> Op {
        let key = self.rng.random_range(0..self.keys);
        self.next += 1;
        let value = if self.domain > 0 { self.rng.random_range(0..self.domain) } else { self.next };
        match (self.drawn.is_list[key], self.rng.random_range(0..2) == 0) {
            (true, true) => Op::Append(key, value),
            (true, false) => Op::Lists(key, Vec::new()),
            (false, true) => Op::Write(key, value),
            (false, false) => Op::Holds(key, None),
        }
    }

    /// Runs a transaction on the newest state, sometimes on an older one, or on another one at each step.
    fn run(&mut self, at: usize) {
        let mode = self.rng.random_range(0..8);
        let pick = |rng: &mut Pcg64, held: &[State]| held[rng.random_range(0..held.len())].clone();
        let newest = self.held[self.held.len() - 1].clone();
        let mut own = if mode == 0 { pick(&mut self.rng, &self.held) } else { newest.clone() };
        let mut after = newest;
        let mut ops = std::mem::take(&mut self.drawn.txns[at].ops);
        for op in &mut ops {
            if mode == 1 && self.rng.random_range(0..2) == 0 {
                own = pick(&mut self.rng, &self.held);
            }
            RandomHistory::apply(&mut own, op);
            RandomHistory::apply(&mut after, op);
            match op {
                Op::Lists(key, list) => list.clone_from(&own[*key]),
                Op::Holds(key, value) => *value = own[*key].last().copied(),
                Op::Append(..) | Op::Write(..) => {}
            }
            if mode == 2 {
                self.held.push(after.clone());
            }
        }
        self.held.push(after);
        self.drawn.txns[at].ops = ops;
    }

    /// Changes, in half of the cases, the result of a read.
    fn spoil(&mut self) {
        if self.rng.random_range(0..2) > 0 {
            return;
        }
        let at = self.rng.random_range(0..self.drawn.txns.len());
        let all = self.drawn.txns.iter().flat_map(|txn| &txn.ops);
        let values: Vec<i64> = all
            .filter_map(|op| match op {
                Op::Append(_, value) | Op::Write(_, value) => Some(*value),
                _ => None,
            })
            .collect();
        let rng = &mut self.rng;
        for op in &mut self.drawn.txns[at].ops {
            let any = if values.is_empty() { 7 } else { values[rng.random_range(0..values.len())] };
            match op {
                Op::Lists(_, list) => match rng.random_range(0..7) {
                    0 => drop(list.pop()),
                    1 if list.len() > 1 => list.swap(0, 1),
                    2 if !list.is_empty() => drop(list.remove(0)),
                    3 => list.push(any),
                    4 => list.insert(0, any),
                    _ => {}
                },
                Op::Holds(_, value) => match rng.random_range(0..4) {
                    0 => *value = None,
                    1 => *value = Some(any),
                    _ => {}
                },
                Op::Append(..) | Op::Write(..) => {}
            }
        }
    }
}
