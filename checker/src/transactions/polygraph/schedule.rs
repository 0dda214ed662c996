//! Schedule: transactions one after the other as they are due, such that none overwrites what others still have to
//! read.
//!
//! All known precedence is respected. Each object has one current item at a time: the next one begins once its last
//! writer and all its readers are done. Under snapshot isolation a transaction begins and commits: one that changes
//! an object begins when no other that changes it is open, and commits when all readers of the previous content have
//! begun. A schedule that reaches the end explains everything. One that does not proves nothing; it only shows where
//! it got stuck.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::points::Polygraph;
use crate::{
    UnknownWhy,
    index::OptionalIndex,
    transactions::{
        indices::{ObjectIndex, Point, RunIndex, TransactionIndex},
        limit::Limit,
    },
};

/// Item of an object: the numbers of both.
type At = (ObjectIndex, RunIndex);

/// Result of scheduling.
pub(super) enum Schedule {
    /// Order of all transactions.
    Complete(Vec<TransactionIndex>),
    /// Items that others waited for in vain.
    Stuck(Vec<At>),
}

struct Scheduler<'a> {
    graph: &'a Polygraph,
    rank: &'a [u32],
    /// Items that each transaction begins, ends and reads.
    firsts: Vec<Vec<At>>,
    lasts: Vec<Vec<At>>,
    reads: Vec<Vec<At>>,
    /// Item of each object that is being written, and the number of reads of the previous one still to come.
    under_way: Vec<OptionalIndex<RunIndex>>,
    to_read: Vec<u32>,
    /// Current item of each object.
    there: Vec<OptionalIndex<RunIndex>>,
    /// Points that wait for each object.
    waiting: Vec<Vec<Point>>,
    ready: BinaryHeap<Reverse<(u32, Point)>>,
    order: Vec<TransactionIndex>,
}

/// Schedules all transactions as far as possible.
pub(super) fn schedule(graph: &Polygraph, rank: &[u32], limit: &Limit<'_>) -> Result<Schedule, UnknownWhy> {
    let ahead = graph.ahead(graph.edges.len(), limit)?;
    let (count, objects) = (graph.count as usize, graph.objects.len());
    limit.may_take(3 * count * size_of::<Vec<At>>() + 16 * graph.points as usize)?;
    let mut schedule = Scheduler {
        graph,
        rank,
        firsts: vec![Vec::new(); count],
        lasts: vec![Vec::new(); count],
        reads: vec![Vec::new(); count],
        under_way: vec![OptionalIndex::NONE; objects],
        to_read: vec![0; objects],
        there: vec![OptionalIndex::NONE; objects],
        waiting: vec![Vec::new(); objects],
        ready: BinaryHeap::new(),
        order: Vec::new(),
    };
    for (object, items) in graph.objects.iter().enumerate() {
        for (number, item) in items.iter().enumerate() {
            let at = (object.into(), number.into());
            schedule.firsts[item.first.index()].push(at);
            schedule.lasts[item.last.index()].push(at);
            item.readers.iter().for_each(|reader| schedule.reads[reader.index()].push(at));
        }
    }
    let mut waits = ahead.occurrences();
    for point in (0..graph.points).filter(|point| waits[*point as usize] == 0) {
        schedule.enqueue(point.into());
    }
    let mut done = 0;
    while let Some(Reverse((_, point))) = schedule.ready.pop() {
        limit.step()?;
        if let Err(object) = schedule.place(point) {
            schedule.waiting[object.index()].push(point);
            continue;
        }
        done += 1;
        for &to in ahead.of(point.into()) {
            waits[to as usize] -= 1;
            if waits[to as usize] == 0 {
                schedule.enqueue(to.into());
            }
        }
    }
    if done == graph.points {
        return Ok(Schedule::Complete(schedule.order));
    }
    let blocked = (0..objects).filter(|object| !schedule.waiting[*object].is_empty());
    let stuck = blocked.filter_map(|object| Some((object.into(), schedule.there[object].get()?)));
    Ok(Schedule::Stuck(stuck.collect()))
}

impl Scheduler<'_> {
    /// Makes a point ready to be placed when its transaction is due.
    fn enqueue(&mut self, point: Point) {
        let changes = |t: &TransactionIndex| !(self.firsts[t.index()].is_empty() && self.lasts[t.index()].is_empty());
        let begins = |t: &TransactionIndex| self.graph.begin(*t) == point;
        // A transaction that only reads delays no other.
        let begun = self.graph.transaction(point).filter(|t| changes(t) && begins(t));
        let due = begun.map_or(0, |transaction| self.rank[transaction.index()]);
        self.ready.push(Reverse((due, point)));
    }

    /// Places a point, or returns the object that it has to wait for.
    fn place(&mut self, point: Point) -> Result<(), ObjectIndex> {
        let Some(transaction) = self.graph.transaction(point) else { return Ok(()) };
        let (begins, commits) = (point == self.graph.begin(transaction), point == self.graph.commit(transaction));
        let at = transaction.index();
        let is_own = |object: ObjectIndex| self.reads[at].iter().any(|(other, _)| *other == object);
        for &(object, _) in &self.firsts[at] {
            if begins && self.under_way[object.index()].get().is_some() {
                return Err(object);
            }
            // At this moment it has itself read what it replaces.
            let own = u32::from(begins && commits && is_own(object));
            if commits && self.to_read[object.index()] > own {
                return Err(object);
            }
        }
        let mut free = Vec::new();
        if begins {
            for &(object, item) in &self.firsts[at] {
                self.under_way[object.index()] = item.into();
            }
            for &(object, _) in &self.reads[at] {
                self.to_read[object.index()] = self.to_read[object.index()].saturating_sub(1);
                free.extend((self.to_read[object.index()] == 0).then_some(object));
            }
            self.order.push(transaction);
        }
        if commits {
            for &(object, item) in &self.lasts[at] {
                let readers = self.graph.objects[object.index()][item.index()].readers.len();
                self.under_way[object.index()] = OptionalIndex::NONE;
                self.there[object.index()] = item.into();
                self.to_read[object.index()] = u32::try_from(readers).expect("there are fewer reads than steps");
                free.push(object);
            }
            if self.graph.snapshots {
                self.order.push(transaction);
            }
        }
        for object in free {
            for point in std::mem::take(&mut self.waiting[object.index()]) {
                self.enqueue(point);
            }
        }
        Ok(())
    }
}
