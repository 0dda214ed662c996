//! Polygraph of versions of unknown order: of two chains of a register, one comes completely before the other
//! (Papadimitriou 1979).
//!
//! First a schedule is tried: transactions one after the other as they are due, such that none overwrites what others
//! still have to read. If that fails, constraints are propagated as in Cobra (Tan et al., OSDI 2020): a chain that
//! cannot come before another, because that would close a cycle, comes after it; this is repeated until nothing
//! changes. Then the order of chains is searched by trial, with a limit. Snapshot isolation is the same problem with
//! two points for each transaction, its beginning and its commit (Huang et al., VLDB 2023): a writer commits before
//! the writer of the next version begins, and a reader begins before that writer commits.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    graph::{Edge, Graph, Kind, Needs},
    indices::{ObjectIndex, Point, RunIndex, TransactionIndex, Vertex},
    limit::Limit,
    schedule::{Schedule, schedule},
    table::{Table, has},
};
use crate::{UnknownWhy, index::OptionalIndex, rows::Rows, shrink::try_minimal, sorted::sorted};

/// Maximum number of decisions about the order of chains that are tried, and of bytes of the reachability table.
const TRIALS: usize = 256;
const TABLE_BYTES: usize = 256 << 20;

/// Item: versions that are adjacent.
pub(super) struct VersionRun {
    /// Writer of the first version, and of the last.
    pub first: TransactionIndex,
    pub last: TransactionIndex,
    /// Readers of the last version.
    pub readers: Vec<TransactionIndex>,
    /// Writers and readers of all versions.
    pub all: Vec<TransactionIndex>,
    /// Vertex after the last writer and these readers, once it is placed.
    out: Option<Vertex>,
}

impl VersionRun {
    pub(super) fn new(
        first: TransactionIndex,
        last: TransactionIndex,
        readers: Vec<TransactionIndex>,
        all: Vec<TransactionIndex>,
    ) -> Self {
        Self { first, last, readers, all, out: None }
    }

    fn out(&self) -> Vertex {
        self.out.expect("items are placed before their order is looked for")
    }
}

/// Reason for an edge.
#[derive(Clone, Copy)]
enum Reason {
    /// Fact of the history.
    Known,
    /// Consequence: the second of two items of an object cannot come first, because of a path between two points.
    Forced { object: ObjectIndex, items: [RunIndex; 2], way: [Point; 2], edges: u32 },
    /// Decision that is tried.
    Trial { object: ObjectIndex, items: [RunIndex; 2] },
}

/// Precedence graph together with the items that are not in order yet.
pub(super) struct Polygraph {
    /// Number of transactions.
    pub count: u32,
    /// True if each transaction has two points, its beginning and its commit.
    pub snapshots: bool,
    /// Number of points; those of transactions come first.
    pub points: u32,
    pub edges: Vec<(Point, Point)>,
    reasons: Vec<Reason>,
    pub objects: Vec<Vec<VersionRun>>,
    known: usize,
}

pub(super) enum Solution {
    /// Order of the transactions; under snapshot isolation each occurs twice.
    Order(Vec<TransactionIndex>),
    /// Transactions that contradict each other.
    Contradiction(Vec<TransactionIndex>),
    /// Undecided: it would take too long.
    Open,
}

impl Polygraph {
    pub(super) fn new(graph: &Graph, needs: Needs, snapshots: bool, objects: Vec<Vec<VersionRun>>) -> Self {
        let mut all = Self::of(graph.transactions, snapshots, Vec::new(), objects);
        all.points = graph.vertices * all.width();
        if snapshots {
            all.edges.extend((0..graph.transactions).map(|t| (Point::from(2 * t), Point::from(2 * t + 1))));
        }
        // The order of versions by time follows again from the order of transactions, with known reasons.
        let follows =
            |edge: &Edge| edge.kind == Kind::Onward && edge.needs > Needs::Snapshots && edge.key.get().is_some();
        for edge in graph.edges.iter().filter(|edge| edge.needs <= needs && !follows(edge)) {
            all.add(edge.from, edge.to, edge.kind);
        }
        all.place_outs();
        all.known = all.edges.len();
        all
    }

    /// Makes a polygraph of `count` transactions alone, without intermediate vertices.
    fn of(count: u32, snapshots: bool, edges: Vec<(Point, Point)>, objects: Vec<Vec<VersionRun>>) -> Self {
        let points = if snapshots { 2 * count } else { count };
        Self { count, snapshots, points, known: edges.len(), edges, reasons: Vec::new(), objects }
    }

    /// Gives each item the vertex that comes after its last writer and readers.
    fn place_outs(&mut self) {
        let width = self.width();
        for object in 0..self.objects.len() {
            for item in 0..self.objects[object].len() {
                let out = Vertex::from(self.points / width);
                self.points += width;
                let VersionRun { last, ref readers, .. } = self.objects[object][item];
                let readers = readers.clone();
                self.objects[object][item].out = Some(out);
                self.add(last, out, Kind::Ww);
                for reader in readers {
                    self.add(reader, out, Kind::Rw);
                }
            }
        }
    }

    /// Adds an edge between vertices of a graph. With snapshots, the first point of an intermediate vertex leads to
    /// beginnings, the second to commits.
    fn add(&mut self, from: impl Into<Vertex>, to: impl Into<Vertex>, kind: Kind) {
        let [from, to] = [from.into(), to.into()].map(|vertex| (self.begin(vertex), self.commit(vertex)));
        match kind {
            Kind::Onward if self.snapshots => self.edges.extend([(from.0, to.0), (from.1, to.1)]),
            Kind::Rw => self.edges.push((from.0, to.1)),
            Kind::Onward | Kind::Ww | Kind::Wr | Kind::Process | Kind::Realtime => self.edges.push((from.1, to.0)),
        }
    }

    /// Returns the number of points of each vertex.
    pub(super) fn width(&self) -> u32 {
        if self.snapshots { 2 } else { 1 }
    }

    /// Returns the first point of a vertex: the beginning of a transaction.
    pub(super) fn begin(&self, vertex: impl Into<Vertex>) -> Point {
        (self.width() * u32::from(vertex.into())).into()
    }

    /// Returns the last point of a vertex: the commit of a transaction.
    pub(super) fn commit(&self, vertex: impl Into<Vertex>) -> Point {
        (u32::from(self.begin(vertex)) + self.width() - 1).into()
    }

    /// Returns the transaction that a point belongs to; `None` if it is intermediate.
    pub(super) fn transaction(&self, point: Point) -> Option<TransactionIndex> {
        Vertex::from(u32::from(point) / self.width()).transaction(self.count)
    }

    /// Returns the number of points of transactions, at least those of one.
    fn columns(&self) -> usize {
        (self.width() * self.count.max(1)) as usize
    }

    fn run(&self, object: ObjectIndex, item: RunIndex) -> &VersionRun {
        &self.objects[object.index()][item.index()]
    }

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
        let count = self.objects[object.index()].len();
        let mut by_place: Vec<RunIndex> = (0..count).map(RunIndex::from).collect();
        by_place.sort_by_key(|item| table.place[self.begin(self.run(object, *item).first).index()]);
        for &one in &by_place {
            // Everything that follows this item already, with what is added now.
            let out = self.run(object, one).out();
            let mut after = [table.row(self.begin(out)).to_vec(), table.row(self.commit(out)).to_vec()];
            limit.steps(count)?;
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
            let count = self.objects[object.index()].len();
            let place = |item: RunIndex| table.place[self.begin(self.run(object, item).first).index()];
            let follows = |one: RunIndex, other: RunIndex| {
                let (out, first) = (self.run(object, one).out(), self.run(object, other).first);
                table.leads([self.begin(out), self.begin(first)]) && table.leads([self.commit(out), self.commit(first)])
            };
            let mut by_place: Vec<RunIndex> = (0..count).map(RunIndex::from).collect();
            by_place.sort_by_key(|item| place(*item));
            limit.steps(count * count / 64)?;
            let open = |one: RunIndex, other: RunIndex| one != other && !follows(one, other) && !follows(other, one);
            let ones: Vec<RunIndex> = item.map_or_else(|| by_place.clone(), |item| vec![item]);
            for one in ones {
                if let Some(&other) = by_place.iter().find(|other| open(one, **other)) {
                    let pair = if place(one) < place(other) { [one, other] } else { [other, one] };
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

    /// Returns the facts about these transactions alone, numbered by their places.
    fn among(&self, core: &[TransactionIndex], limit: &Limit<'_>) -> Result<Self, UnknownWhy> {
        let width = self.width();
        let numbers = (0_u32..).map(TransactionIndex::from);
        let places: FxHashMap<TransactionIndex, TransactionIndex> = core.iter().copied().zip(numbers).collect();
        let point = |t: TransactionIndex, part: u32| Point::from(width * u32::from(t) + part);
        let ahead = self.ahead(self.known, limit)?;
        let mut edges = Vec::new();
        for (transaction, part) in core.iter().flat_map(|transaction| (0..width).map(move |part| (*transaction, part)))
        {
            // Follow paths through intermediate vertices to transactions in the core.
            let (from, mut seen) = (point(places[&transaction], part), FxHashSet::default());
            let mut left = vec![point(transaction, part)];
            while let Some(vertex) = left.pop() {
                limit.step()?;
                for &to in ahead.of(vertex.into()) {
                    match self.transaction(to.into()).map(|transaction| places.get(&transaction)) {
                        None => left.extend(seen.insert(to).then_some(Point::from(to))),
                        Some(Some(place)) => edges.push((from, point(*place, to % width))),
                        Some(None) => {}
                    }
                }
            }
        }
        let count = u32::try_from(core.len()).expect("they are counted so");
        let run = |item: &VersionRun| {
            let readers = item.readers.iter().filter_map(|reader| places.get(reader).copied()).collect();
            Some(VersionRun::new(*places.get(&item.first)?, *places.get(&item.last)?, readers, Vec::new()))
        };
        let objects = self.objects.iter().map(|items| items.iter().filter_map(run).collect::<Vec<_>>());
        Ok(Self::of(count, self.snapshots, edges, objects.filter(|items| items.len() > 1).collect()))
    }

    /// Returns the same polygraph without some transactions.
    fn without(&self, gone: &[bool]) -> Self {
        let is_left = |transaction: &TransactionIndex| !gone[transaction.index()];
        let stays = |point: Point| self.transaction(point).is_none_or(|transaction| is_left(&transaction));
        let edges = self.edges.iter().copied().filter(|(from, to)| stays(*from) && stays(*to));
        let run = |item: &VersionRun| {
            let readers = item.readers.iter().copied().filter(is_left).collect();
            (is_left(&item.first) && is_left(&item.last))
                .then(|| VersionRun::new(item.first, item.last, readers, Vec::new()))
        };
        let objects = self.objects.iter().map(|items| items.iter().filter_map(run).collect()).collect();
        let mut all = Self::of(self.count, self.snapshots, edges.collect(), objects);
        all.place_outs();
        all.known = all.edges.len();
        all
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

    /// Returns the points that the first `edges` edges lead to, for each point.
    pub(super) fn ahead(&self, edges: usize, limit: &Limit<'_>) -> Result<Rows, UnknownWhy> {
        limit.may_take((3 * self.points as usize + edges) * size_of::<u32>())?;
        limit.steps(edges)?;
        Ok(Rows::new(self.points as usize, || self.edges[..edges].iter().map(|&(from, to)| (from.into(), to.into()))))
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
