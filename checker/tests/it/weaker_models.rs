//! Oracle for the weaker models on small histories: each definition by itself, with every order and every choice
//! tried.

use checker::Consistency;
use histories::{Function, History, NEVER, Outcome, ValueId};

/// Effect of an operation, if it takes place.
#[derive(Clone, Copy, Debug)]
struct Op {
    key: u32,
    process: u32,
    node: u16,
    invoked: u32,
    completed: u32,
    look: Option<u32>,
    set: Option<u32>,
    /// True if it claims not to have found the value that it found.
    absurd: bool,
}

impl Op {
    fn before(&self, other: &Self) -> bool {
        self.completed < other.invoked
    }

    fn precedes_in_session(&self, other: &Self) -> bool {
        self.process == other.process && self.invoked < other.invoked
    }
}

/// Initial value: absent.
const INITIAL: u32 = 0;

/// Returns true if some choice of the changes of unknown outcome makes `model` hold of these operations alone. A
/// mismatched cas without the value found is left out; a cas whose expected value is set by others, but not by any of
/// these, is a write.
pub(crate) fn holds(history: &History, indexes: &[usize], model: Consistency) -> bool {
    let all: Vec<Op> = indexes.iter().filter_map(|&index| op(history, indexes, index)).collect();
    let unknown: Vec<usize> = (0..all.len()).filter(|&at| all[at].completed == NEVER).collect();
    (0..1_usize << unknown.len()).any(|chosen| {
        let takes_place = |at: &usize| unknown.iter().position(|u| u == at).is_none_or(|bit| chosen >> bit & 1 == 1);
        let ops: Vec<Op> = (0..all.len()).filter(takes_place).map(|at| all[at]).collect();
        match model {
            Consistency::Causal => is_causal(&ops),
            Consistency::Converged => of_each_key(&ops, &|own| is_converged(own, &all)),
            Consistency::Linearizable => of_each_key(&ops, &|own| in_one_order(own, &Op::before)),
            Consistency::SequentialPerKey => of_each_key(&ops, &|own| in_one_order(own, &Op::precedes_in_session)),
            Consistency::Regular => of_each_key(&ops, &|own| own.iter().all(|look| is_regular(own, look))),
            session => of_each_key(&ops, &|own| has_version_order(own, session)),
        }
    })
}

fn op(history: &History, indexes: &[usize], index: usize) -> Option<Op> {
    let o = &history.operations[index];
    let mut op = Op {
        key: o.key.0,
        process: o.process,
        node: history.node(index),
        invoked: o.invoked,
        completed: if o.outcome == Outcome::Info { NEVER } else { o.completed },
        look: None,
        set: None,
        absurd: false,
    };
    match (o.function, o.outcome) {
        (_, Outcome::Fail) | (Function::Read, Outcome::Info) => return None,
        (Function::Read, _) => op.look = Some(o.output.0),
        (Function::Cas, Outcome::Mismatch) if o.output == ValueId::UNKNOWN => return None,
        (Function::Cas, Outcome::Mismatch) => {
            op.look = Some(o.output.0);
            op.absurd = o.output == o.input;
        }
        (Function::Cas, _) => (op.look, op.set) = (Some(o.input.0), Some(o.to.0)),
        _ => op.set = Some(o.input.0),
    }
    let sets = |place: usize| {
        let other = &history.operations[place];
        let set = match (other.function, other.outcome) {
            (_, Outcome::Fail | Outcome::Mismatch) | (Function::Read, _) => return None,
            (Function::Cas, _) => other.to.0,
            _ => other.input.0,
        };
        (other.key == o.key).then_some(set)
    };
    let orphan = op.set.is_some()
        && op.look.is_some_and(|look| look != INITIAL && !indexes.iter().any(|&i| sets(i) == Some(look)))
        && (0..history.operations.len()).any(|place| sets(place) == op.look);
    if orphan {
        op.look = None;
    }
    Some(op)
}

fn of_each_key(ops: &[Op], holds: &dyn Fn(&[Op]) -> bool) -> bool {
    let mut keys: Vec<u32> = ops.iter().map(|op| op.key).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.iter().all(|&key| {
        let own: Vec<Op> = ops.iter().copied().filter(|op| op.key == key).collect();
        holds(&own)
    })
}

/// Returns true if one order that keeps `before` explains every lookup.
fn in_one_order(ops: &[Op], before: &dyn Fn(&Op, &Op) -> bool) -> bool {
    explains(ops, 0, INITIAL, before, &|op, value| !op.absurd && op.look.is_none_or(|look| look == value))
}

/// Returns true if the operations not in `done` can follow on `value`, in an order in which each satisfies `fits`.
fn explains(
    ops: &[Op],
    done: u32,
    value: u32,
    before: &dyn Fn(&Op, &Op) -> bool,
    fits: &dyn Fn(&Op, u32) -> bool,
) -> bool {
    done.count_ones() as usize == ops.len()
        || (0..ops.len()).filter(|&at| done >> at & 1 == 0).any(|at| {
            let op = &ops[at];
            let first = (0..ops.len()).all(|other| done >> other & 1 == 1 || other == at || !before(&ops[other], op));
            first && fits(op, value) && explains(ops, done | 1 << at, op.set.unwrap_or(value), before, fits)
        })
}

/// Returns true if some order of all changes and this lookup in real time explains the lookup.
fn is_regular(ops: &[Op], reader: &Op) -> bool {
    let Some(look) = reader.look else { return true };
    let those: Vec<Op> = ops.iter().copied().filter(|o| o.set.is_some() || o.invoked == reader.invoked).collect();
    !reader.absurd
        && explains(&those, 0, INITIAL, &Op::before, &|op, value| op.invoked != reader.invoked || value == look)
}

/// Returns true if this session guarantee holds in some order of the values in which each cas directly follows the
/// value it found.
fn has_version_order(ops: &[Op], model: Consistency) -> bool {
    let values: Vec<u32> = ops.iter().filter_map(|op| op.set).collect();
    !ops.iter().any(|op| op.absurd)
        && ops.iter().filter_map(|op| op.look).all(|look| look == INITIAL || values.contains(&look))
        && some_permutation(&mut vec![INITIAL], &values, &|order| guarantees(ops, order, model))
}

fn some_permutation(order: &mut Vec<u32>, values: &[u32], good: &dyn Fn(&[u32]) -> bool) -> bool {
    if order.len() == values.len() + 1 {
        return good(order);
    }
    values.iter().any(|&value| {
        !order.contains(&value) && {
            order.push(value);
            let found = some_permutation(order, values, good);
            order.pop();
            found
        }
    })
}

fn guarantees(ops: &[Op], order: &[u32], model: Consistency) -> bool {
    let place = |value: u32| order.iter().position(|&other| other == value).unwrap();
    let cas = |op: &Op| op.look.is_none() || op.set.is_none() || place(op.set.unwrap()) == place(op.look.unwrap()) + 1;
    // Pairs of one session, and, within one cas, its lookup before its change.
    let older = |a: Option<u32>, b: Option<u32>| a.zip(b).is_some_and(|(a, b)| place(b) < place(a));
    let not_newer = |a: Option<u32>, b: Option<u32>| a.zip(b).is_some_and(|(a, b)| place(b) <= place(a));
    ops.iter().all(cas)
        && ops.iter().all(|a| {
            ops.iter().filter(|b| a.precedes_in_session(b) || a.invoked == b.invoked).all(|b| {
                let same = a.invoked == b.invoked;
                match model {
                    Consistency::MonotonicReads => !older(a.look, b.look),
                    Consistency::MonotonicWrites => same || !not_newer(a.set, b.set),
                    Consistency::ReadYourWrites => same || !older(a.set, b.look),
                    _ => !not_newer(a.look, b.set),
                }
            })
        })
}

/// Decides causal consistency (CC): for each lookup, some order of its causal past that keeps the causal order explains
/// that lookup.
fn is_causal(ops: &[Op]) -> bool {
    let n = ops.len();
    let mut past = vec![0_u32; n];
    for at in 0..n {
        for other in 0..n {
            let found = ops[at].look.is_some_and(|look| ops[other].set == Some(look) && ops[other].key == ops[at].key);
            if found || ops[other].precedes_in_session(&ops[at]) {
                past[at] |= 1 << other;
            }
        }
    }
    for middle in 0..n {
        for at in 0..n {
            if past[at] >> middle & 1 == 1 {
                past[at] |= past[middle];
            }
        }
    }
    (0..n).all(|at| {
        let Some(look) = ops[at].look else { return past[at] >> at & 1 == 0 };
        let chosen: Vec<usize> = (0..n).filter(|&other| past[at] >> other & 1 == 1 || other == at).collect();
        // Operations are identified by the rank of their invocation.
        let before = |a: &Op, b: &Op| {
            let place = |o: &Op| ops.iter().position(|other| other.invoked == o.invoked).unwrap();
            past[place(b)] >> place(a) & 1 == 1
        };
        let mut own: Vec<Op> = chosen.iter().map(|&other| ops[other]).collect();
        own.iter_mut().filter(|op| op.key != ops[at].key).for_each(|op| op.set = None);
        let fits = |op: &Op, value: u32| op.invoked != ops[at].invoked || value == look;
        past[at] >> at & 1 == 0 && explains(&own, 0, INITIAL, &before, &fits)
    })
}

/// Returns true if the final reads fit one copy, and each of them is regular. `all` also contains changes that did not
/// take place.
fn is_converged(own: &[Op], all: &[Op]) -> bool {
    let key = own[0].key;
    let reads = final_reads(all, key);
    let changes = all.iter().filter(|op| op.key == key && op.set.is_some());
    let certain = changes.clone().filter(|op| op.completed != NEVER).filter_map(|op| op.set);
    let late = own.iter().filter(|op| op.completed == NEVER).map(|op| Op { look: None, ..*op });
    let phase: Vec<Op> = reads.iter().copied().chain(late).collect();
    let fits = |op: &Op, value: u32| op.look.is_none_or(|look| look == value);
    reads.iter().all(|read| is_regular(own, read))
        && std::iter::once(INITIAL).chain(certain).any(|first| {
            // Changes that took effect before the final reads make no difference any more.
            let late = phase.len() - reads.len();
            (0..1_u32 << late).any(|early| {
                let phase: Vec<Op> = (0..phase.len())
                    .filter(|&at| at < reads.len() || early >> (at - reads.len()) & 1 == 0)
                    .map(|at| phase[at])
                    .collect();
                explains(&phase, 0, first, &Op::before, &fits)
            })
        })
}

/// Returns the last read of each node (or process) that begins after all changes of the key.
fn final_reads(all: &[Op], key: u32) -> Vec<Op> {
    let own = || all.iter().filter(|op| op.key == key);
    let quiet =
        own().filter(|op| op.set.is_some()).map(|op| if op.completed == NEVER { op.invoked } else { op.completed });
    let quiet = quiet.max();
    let after: Vec<&Op> =
        own().filter(|op| op.set.is_none() && !op.absurd && quiet.is_none_or(|quiet| op.invoked > quiet)).collect();
    let same = |a: &Op, b: &Op| if a.node == 0 { b.node == 0 && a.process == b.process } else { a.node == b.node };
    (after.iter()).filter(|a| !after.iter().any(|b| same(a, b) && b.invoked > a.invoked)).map(|a| **a).collect()
}

/// Returns true if some key has no final read.
pub(crate) fn some_key_is_unread(history: &History) -> bool {
    let indexes: Vec<usize> = (0..history.operations.len()).collect();
    let all: Vec<Op> = indexes.iter().filter_map(|&index| op(history, &indexes, index)).collect();
    all.iter().any(|one| final_reads(&all, one.key).is_empty())
}
