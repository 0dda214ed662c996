//! Polygraph of versions of unknown order: of two chains of a register, one comes completely before the other
//! (Papadimitriou 1979).
//!
//! First a schedule is tried: transactions one after the other as they are due, such that none overwrites what others
//! still have to read. If that fails, constraints are propagated as in Cobra (Tan et al., OSDI 2020): a chain that
//! cannot come before another, because that would close a cycle, comes after it; this is repeated until nothing
//! changes. Then the order of chains is searched by trial, with a limit. Snapshot isolation is the same problem with
//! two points for each transaction, its beginning and its commit (Huang et al., VLDB 2023): a writer commits before
//! the writer of the next version begins, and a reader begins before that writer commits.

mod points;
mod schedule;
mod table;

use super::{
    graph::Kind,
    indices::{ObjectIndex, Point, RunIndex, TransactionIndex},
    limit::Limit,
};
use crate::{UnknownWhy, index::OptionalIndex, rows::Rows, shrink::try_minimal, sorted::sorted};
use points::Reason;
use schedule::{Schedule, schedule};
use table::{Table, has};

pub(super) use points::{Polygraph, VersionRun};

/// Maximum number of decisions about the order of chains that are tried, and of bytes of the reachability table.
const TRIALS: usize = 256;
const TABLE_BYTES: usize = 256 << 20;

pub(super) enum Solution {
    /// Order of the transactions; under snapshot isolation each occurs twice.
    Order(Vec<TransactionIndex>),
    /// Transactions that contradict each other.
    Contradiction(Vec<TransactionIndex>),
    /// Undecided: it would take too long.
    Open,
}

impl Polygraph {
    /// Searches for an order; `rank` is the time at which each transaction is due.
    pub(super) fn solve(&mut self, rank: &[u32], limit: &Limit<'_>) -> Result<Solution, UnknownWhy> {
        if let Schedule::Complete(order) = schedule(self, rank, limit)? {
            return Ok(Solution::Order(order));
        }
        if self.points as usize * self.columns().div_ceil(64) * 8 > TABLE_BYTES {
            return Ok(Solution::Open);
        }
        let mut core = Vec::new();
        // Decisions that can still be reversed, with the number of edges before each.
        let mut open: Vec<(usize, ObjectIndex, [RunIndex; 2])> = Vec::new();
        for _ in 0..TRIALS {
            limit.keep_going()?;
            if let Some(cycle) = self.propagate(limit)? {
                self.explain(&cycle, &mut core);
                let Some((edges, object, items)) = open.pop() else {
                    return Ok(Solution::Contradiction(self.fewer(sorted(core), limit)?));
                };
                self.edges.truncate(edges);
                self.reasons.truncate(edges - self.known);
                self.decide(object, [items[1], items[0]]);
                continue;
            }
            match schedule(self, rank, limit)? {
                Schedule::Complete(order) => return Ok(Solution::Order(order)),
                Schedule::Stuck(stuck) => {
                    let Some((object, items)) = self.undecided(&stuck, limit)? else { return Ok(Solution::Open) };
                    open.push((self.edges.len(), object, items));
                    self.decide(object, items);
                }
            }
        }
        Ok(Solution::Open)
    }

    fn decide(&mut self, object: ObjectIndex, items: [RunIndex; 2]) {
        self.order_items(object, items, Reason::Trial { object, items });
    }

    fn order_items(&mut self, object: ObjectIndex, [first, then]: [RunIndex; 2], reason: Reason) {
        let (out, next) = (self.run(object, first).out(), self.run(object, then).first);
        self.add(out, next, Kind::Onward);
        self.reasons.resize(self.edges.len() - self.known, reason);
    }

    fn reason(&self, edge: usize) -> Reason {
        edge.checked_sub(self.known).map_or(Reason::Known, |place| self.reasons[place])
    }

    /// Adds consequences until there are no more. Returns the edges of a cycle if there is one.
    fn propagate(&mut self, limit: &Limit<'_>) -> Result<Option<Vec<usize>>, UnknownWhy> {
        loop {
            let Some(table) = self.table(limit)? else { return Ok(Some(self.circle(limit)?)) };
            let before = self.edges.len();
            for object in 0..self.objects.len() {
                self.propagate_object(object.into(), &table, limit)?;
            }
            if self.edges.len() == before {
                return Ok(None);
            }
        }
    }

    fn propagate_object(&mut self, object: ObjectIndex, table: &Table, limit: &Limit<'_>) -> Result<(), UnknownWhy> {
        let edges = u32::try_from(self.edges.len()).unwrap_or(u32::MAX);
        let by_place = self.by_place(object, table);
        for &one in &by_place {
            // Everything that follows this item already, with what is added now.
            let out = self.run(object, one).out();
            let mut after = [table.row(self.begin(out)).to_vec(), table.row(self.commit(out)).to_vec()];
            limit.steps(by_place.len())?;
            for &other in by_place.iter().filter(|other| **other != one) {
                let first = self.run(object, other).first;
                let (begin, commit) = (self.begin(first), self.commit(first));
                if has(&after[0], begin) && has(&after[1], commit) {
                    continue;
                }
                // This one comes first if the other cannot.
                let Some(way) = self.against(object, [other, one], table) else { continue };
                self.order_items(object, [one, other], Reason::Forced { object, items: [one, other], way, edges });
                for (row, point) in after.iter_mut().zip([begin, commit]) {
                    row.iter_mut().zip(table.row(point)).for_each(|(word, more)| *word |= more);
                    row[point.index() / 64] |= 1 << (point.index() % 64);
                }
            }
        }
        Ok(())
    }

    /// Returns the path because of which the first of these items cannot come before the second, if there is one.
    fn against(&self, object: ObjectIndex, [first, then]: [RunIndex; 2], table: &Table) -> Option<[Point; 2]> {
        let (first, then) = (self.run(object, first), self.run(object, then));
        let way = [self.begin(then.first), self.commit(first.last)];
        if table.leads(way) || way[0] == way[1] {
            return Some(way);
        }
        let ways = first.readers.iter().map(|reader| [self.commit(then.first), self.begin(*reader)]);
        ways.into_iter().find(|way| table.leads(*way))
    }

    /// Returns the items of an object in the order of their first writers.
    fn by_place(&self, object: ObjectIndex, table: &Table) -> Vec<RunIndex> {
        let mut items: Vec<RunIndex> = (0..self.objects[object.index()].len()).map(RunIndex::from).collect();
        items.sort_by_key(|item| table.place[self.begin(self.run(object, *item).first).index()]);
        items
    }

    /// Returns two items whose order is not decided yet, preferably those that were stuck.
    fn undecided(
        &self,
        stuck: &[(ObjectIndex, RunIndex)],
        limit: &Limit<'_>,
    ) -> Result<Option<(ObjectIndex, [RunIndex; 2])>, UnknownWhy> {
        let Some(table) = self.table(limit)? else { return Ok(None) };
        let stuck = stuck.iter().map(|(object, item)| (*object, Some(*item)));
        let all = (0..self.objects.len()).map(|object| (object.into(), None));
        for (object, item) in stuck.chain(all) {
            let by_place = self.by_place(object, &table);
            let place = |item: &RunIndex| by_place.iter().position(|other| other == item);
            let follows = |one: RunIndex, other: RunIndex| {
                let (out, first) = (self.run(object, one).out(), self.run(object, other).first);
                table.leads([self.begin(out), self.begin(first)]) && table.leads([self.commit(out), self.commit(first)])
            };
            limit.steps(by_place.len() * by_place.len() / 64)?;
            let open = |one: RunIndex, other: RunIndex| one != other && !follows(one, other) && !follows(other, one);
            let ones: Vec<RunIndex> = item.map_or_else(|| by_place.clone(), |item| vec![item]);
            for one in ones {
                if let Some(&other) = by_place.iter().find(|other| open(one, **other)) {
                    let pair = if place(&one) < place(&other) { [one, other] } else { [other, one] };
                    return Ok(Some((object, pair)));
                }
            }
        }
        Ok(None)
    }

    /// Shrinks these transactions to as few as still contradict each other by propagation.
    fn fewer(&self, core: Vec<TransactionIndex>, limit: &Limit<'_>) -> Result<Vec<TransactionIndex>, UnknownWhy> {
        let all = self.among(&core, limit)?;
        let contradicts = |kept: &[usize]| {
            let mut gone = vec![true; core.len()];
            for &place in kept {
                gone[place] = false;
            }
            Ok(all.without(&gone).propagate(limit)?.is_some())
        };
        let places: Vec<usize> = (0..core.len()).collect();
        if !contradicts(&places)? {
            return Ok(core);
        }
        Ok(try_minimal(places, contradicts)?.into_iter().map(|place| core[place]).collect())
    }

    /// Returns the edges of a cycle, which must exist.
    fn circle(&self, limit: &Limit<'_>) -> Result<Vec<usize>, UnknownWhy> {
        let mut left = vec![true; self.points as usize];
        for point in self.ahead(self.edges.len(), limit)?.sorted(|steps| limit.steps(steps))? {
            left[point as usize] = false;
        }
        // Each point left has a predecessor that is left: go back along these until one repeats.
        let mut into: Vec<u32> = vec![0; self.points as usize];
        for (number, (from, to)) in (0_u32..).zip(&self.edges) {
            if left[from.index()] && left[to.index()] {
                into[to.index()] = number;
            }
        }
        let mut came = vec![None; self.points as usize];
        let mut way: Vec<usize> = Vec::new();
        let mut point = left.iter().position(|left| *left).expect("there is a circle");
        loop {
            if let Some(begin) = came[point].replace(way.len()) {
                return Ok(way.split_off(begin));
            }
            way.push(into[point] as usize);
            point = self.edges[into[point] as usize].0.index();
        }
    }

    /// Computes all that each point leads to. Returns `None` if there is a cycle.
    fn table(&self, limit: &Limit<'_>) -> Result<Option<Table>, UnknownWhy> {
        Table::new(&self.ahead(self.edges.len(), limit)?, self.columns(), limit)
    }

    /// Adds the transactions on which these edges rest to `core`.
    fn explain(&self, edges: &[usize], core: &mut Vec<TransactionIndex>) {
        let mut looked_at = vec![false; self.edges.len()];
        let mut left: Vec<usize> = edges.to_vec();
        while let Some(edge) = left.pop() {
            if std::mem::replace(&mut looked_at[edge], true) {
                continue;
            }
            let (from, to) = self.edges[edge];
            core.extend([from, to].into_iter().filter_map(|point| self.transaction(point)));
            let (object, items, way) = match self.reason(edge) {
                Reason::Known => continue,
                Reason::Forced { object, items, way, edges } => (object, items, Some((way, edges as usize))),
                Reason::Trial { object, items } => (object, items, None),
            };
            for item in items {
                let item = self.run(object, item);
                core.extend([item.first, item.last]);
                core.extend(item.all.iter().take(32));
            }
            if let Some((way, known)) = way {
                left.extend(self.way(way, known));
            }
        }
    }

    /// Returns the edges of a shortest path from one point to another, among the first `edges` edges.
    fn way(&self, [from, to]: [Point; 2], edges: usize) -> Vec<usize> {
        let points = self.points as usize;
        let next =
            Rows::new(points, || self.edges[..edges].iter().zip(0..).map(|(edge, number)| (edge.0.into(), number)));
        let mut into = vec![OptionalIndex::NONE; points];
        let mut queue = std::collections::VecDeque::from([from]);
        while let Some(point) = queue.pop_front() {
            for &edge in next.of(point.into()) {
                let after = self.edges[edge as usize].1;
                if into[after.index()].get().is_none() {
                    into[after.index()] = edge.into();
                    queue.push_back(after);
                }
            }
            if into[to.index()].get().is_some() {
                break;
            }
        }
        let (mut way, mut point) = (Vec::new(), to);
        while let Some(edge) = into[point.index()].get() {
            way.push(edge as usize);
            point = self.edges[edge as usize].0;
            if point == from {
                break;
            }
        }
        way
    }
}
