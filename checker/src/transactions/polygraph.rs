//! Polygraph of versions of unknown order: of two chains of a register, one comes completely before the other
//! (Papadimitriou 1979).
//!
//! First a schedule is tried: transactions one after the other as they are due, such that none overwrites what others
//! still have to read. If that fails, constraints are propagated as in Cobra (Tan et al., OSDI 2020): a chain that
//! cannot come before another, because that would close a cycle, comes after it; this is repeated until nothing
//! changes. Then the order of chains is searched by trial, with a limit. Snapshot isolation is the same problem with
//! two vertices for each transaction, its beginning and its commit (Huang et al., VLDB 2023): a writer commits before
//! the writer of the next version begins, and a reader begins before that writer commits.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    graph::{Edge, Graph, Kind, Needs},
    limit::Limit,
    schedule::{Schedule, schedule},
};
use crate::{UnknownWhy, index::OptionalIndex, rows::Rows, shrink::try_minimal};

/// Maximum number of decisions about the order of chains that are tried, and of bytes of the reachability table.
const TRIALS: usize = 256;
const TABLE_BYTES: usize = 256 << 20;

/// Item: versions that are adjacent.
pub(super) struct VersionRun {
    /// Writer of the first version, and of the last.
    pub first: u32,
    pub last: u32,
    /// Readers of the last version.
    pub readers: Vec<u32>,
    /// Writers and readers of all versions.
    pub all: Vec<u32>,
    /// Vertex after the last writer and these readers, once it is placed.
    out: u32,
}

impl VersionRun {
    pub(super) fn new(first: u32, last: u32, readers: Vec<u32>, all: Vec<u32>) -> Self {
        Self { first, last, readers, all, out: 0 }
    }
}

/// Reason for an edge.
#[derive(Clone, Copy)]
enum Reason {
    /// Fact of the history.
    Known,
    /// Consequence: the second of two items of an object cannot come first, because of a path between two vertices.
    Forced { object: u32, items: [u32; 2], way: [u32; 2], edges: u32 },
    /// Decision that is tried.
    Trial { object: u32, items: [u32; 2] },
}

/// Precedence graph together with the items that are not in order yet.
pub(super) struct Polygraph {
    /// Number of transactions.
    pub count: u32,
    /// True if each transaction has two vertices, its beginning and its commit.
    pub snapshots: bool,
    pub vertices: u32,
    pub edges: Vec<(u32, u32)>,
    reasons: Vec<Reason>,
    pub objects: Vec<Vec<VersionRun>>,
    known: usize,
}

pub(super) enum Solution {
    /// Order of the transactions; under snapshot isolation each occurs twice.
    Order(Vec<u32>),
    /// Transactions that contradict each other.
    Contradiction(Vec<u32>),
    /// Undecided: it would take too long.
    Open,
}

impl Polygraph {
    pub(super) fn new(graph: &Graph, needs: Needs, snapshots: bool, objects: Vec<Vec<VersionRun>>) -> Self {
        let mut all = Self::of(graph.transactions, snapshots, Vec::new(), objects);
        all.vertices = graph.vertices * all.width();
        if snapshots {
            all.edges.extend((0..graph.transactions).map(|t| (2 * t, 2 * t + 1)));
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

    /// Makes a polygraph of transactions alone, without intermediate vertices.
    fn of(count: u32, snapshots: bool, edges: Vec<(u32, u32)>, objects: Vec<Vec<VersionRun>>) -> Self {
        let vertices = if snapshots { 2 * count } else { count };
        Self { count, snapshots, vertices, known: edges.len(), edges, reasons: Vec::new(), objects }
    }

    /// Gives each item the vertex that comes after its last writer and readers.
    fn place_outs(&mut self) {
        let width = self.width();
        for object in 0..self.objects.len() {
            for item in 0..self.objects[object].len() {
                let out = self.vertices / width;
                self.vertices += width;
                let VersionRun { last, ref readers, .. } = self.objects[object][item];
                let readers = readers.clone();
                self.objects[object][item].out = out;
                self.add(last, out, Kind::Ww);
                for reader in readers {
                    self.add(reader, out, Kind::Rw);
                }
            }
        }
    }

    /// Adds an edge between vertices of a graph. With snapshots, the first vertex of an intermediate pair leads to
    /// beginnings, the second to commits.
    fn add(&mut self, from: u32, to: u32, kind: Kind) {
        if !self.snapshots {
            return self.edges.push((from, to));
        }
        match kind {
            Kind::Rw => self.edges.push((2 * from, 2 * to + 1)),
            Kind::Onward => self.edges.extend([(2 * from, 2 * to), (2 * from + 1, 2 * to + 1)]),
            Kind::Ww | Kind::Wr | Kind::Process | Kind::Realtime => self.edges.push((2 * from + 1, 2 * to)),
        }
    }

    /// Returns the number of vertices of each transaction.
    pub(super) fn width(&self) -> u32 {
        if self.snapshots { 2 } else { 1 }
    }

    pub(super) fn begin(&self, transaction: u32) -> u32 {
        if self.snapshots { 2 * transaction } else { transaction }
    }

    pub(super) fn commit(&self, transaction: u32) -> u32 {
        if self.snapshots { 2 * transaction + 1 } else { transaction }
    }

    fn columns(&self) -> usize {
        self.commit(self.count.saturating_sub(1)) as usize + 1
    }

    /// Searches for an order; `rank` is the time at which each transaction is due.
    pub(super) fn solve(&mut self, rank: &[u32], limit: &Limit<'_>) -> Result<Solution, UnknownWhy> {
        if let Schedule::Complete(order) = schedule(self, rank, limit)? {
            return Ok(Solution::Order(order));
        }
        if self.vertices as usize * self.columns().div_ceil(64) * 8 > TABLE_BYTES {
            return Ok(Solution::Open);
        }
        let mut core = Vec::new();
        // Decisions that can still be reversed, with the number of edges before each.
        let mut open: Vec<(usize, u32, [u32; 2])> = Vec::new();
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

    fn decide(&mut self, object: u32, items: [u32; 2]) {
        self.order_items(object, items, Reason::Trial { object, items });
    }

    fn order_items(&mut self, object: u32, [first, then]: [u32; 2], reason: Reason) {
        let all = &self.objects[object as usize];
        let (out, next) = (all[first as usize].out, all[then as usize].first);
        self.add(out, next, Kind::Onward);
        self.reasons.resize(self.edges.len() - self.known, reason);
    }

    fn reason(&self, edge: usize) -> Reason {
        edge.checked_sub(self.known).map_or(Reason::Known, |place| self.reasons[place])
    }

    /// Adds consequences until there are no more. Returns the edges of a cycle if there is one.
    fn propagate(&mut self, limit: &Limit<'_>) -> Result<Option<Vec<usize>>, UnknownWhy> {
        loop {
            let Some(table) = Table::new(self, limit)? else { return Ok(Some(self.circle(limit)?)) };
            let before = self.edges.len();
            for object in 0..u32::try_from(self.objects.len()).expect("there are fewer keys than values") {
                self.propagate_object(object, &table, limit)?;
            }
            if self.edges.len() == before {
                return Ok(None);
            }
        }
    }

    fn propagate_object(&mut self, object: u32, table: &Table, limit: &Limit<'_>) -> Result<(), UnknownWhy> {
        let edges = u32::try_from(self.edges.len()).unwrap_or(u32::MAX);
        let count = u32::try_from(self.objects[object as usize].len()).expect("there are fewer versions than values");
        let mut by_place: Vec<u32> = (0..count).collect();
        by_place
            .sort_by_key(|item| table.place[self.begin(self.objects[object as usize][*item as usize].first) as usize]);
        for &one in &by_place {
            // Everything that follows this item already, with what is added now.
            let out = self.objects[object as usize][one as usize].out;
            let mut after = [table.row(self.begin(out)).to_vec(), table.row(self.commit(out)).to_vec()];
            limit.steps(count as usize)?;
            for &other in by_place.iter().filter(|other| **other != one) {
                let first = self.objects[object as usize][other as usize].first;
                let (begin, commit) = (self.begin(first), self.commit(first));
                if has(&after[0], begin) && has(&after[1], commit) {
                    continue;
                }
                // This one comes first if the other cannot.
                let Some(way) = self.against(object, [other, one], table) else { continue };
                self.order_items(object, [one, other], Reason::Forced { object, items: [one, other], way, edges });
                for (row, vertex) in after.iter_mut().zip([begin, commit]) {
                    row.iter_mut().zip(table.row(vertex)).for_each(|(word, more)| *word |= more);
                    row[vertex as usize / 64] |= 1 << (vertex % 64);
                }
            }
        }
        Ok(())
    }

    /// Returns the path because of which the first of these items cannot come before the second, if there is one.
    fn against(&self, object: u32, [first, then]: [u32; 2], table: &Table) -> Option<[u32; 2]> {
        let all = &self.objects[object as usize];
        let (first, then) = (&all[first as usize], &all[then as usize]);
        let way = [self.begin(then.first), self.commit(first.last)];
        if table.leads(way) || way[0] == way[1] {
            return Some(way);
        }
        let ways = first.readers.iter().map(|reader| [self.commit(then.first), self.begin(*reader)]);
        ways.into_iter().find(|way| table.leads(*way))
    }

    /// Returns two items whose order is not decided yet, preferably those that were stuck.
    fn undecided(&self, stuck: &[(u32, u32)], limit: &Limit<'_>) -> Result<Option<(u32, [u32; 2])>, UnknownWhy> {
        let Some(table) = Table::new(self, limit)? else { return Ok(None) };
        let stuck = stuck.iter().map(|(object, item)| (*object as usize, Some(*item as usize)));
        let all = (0..self.objects.len()).map(|object| (object, None));
        for (object, item) in stuck.chain(all) {
            let items = &self.objects[object];
            let place = |item: usize| table.place[self.begin(items[item].first) as usize];
            let follows = |one: usize, other: usize| {
                let (out, first) = (items[one].out, items[other].first);
                table.leads([self.begin(out), self.begin(first)]) && table.leads([self.commit(out), self.commit(first)])
            };
            let mut by_place: Vec<usize> = (0..items.len()).collect();
            by_place.sort_by_key(|item| place(*item));
            limit.steps(items.len() * items.len() / 64)?;
            let open = |one: usize, other: usize| one != other && !follows(one, other) && !follows(other, one);
            let ones: Vec<usize> = item.map_or_else(|| by_place.clone(), |item| vec![item]);
            for one in ones {
                if let Some(&other) = by_place.iter().find(|other| open(one, **other)) {
                    let pair = if place(one) < place(other) { [one, other] } else { [other, one] };
                    let narrow = |number: usize| u32::try_from(number).expect("it was counted");
                    return Ok(Some((narrow(object), pair.map(narrow))));
                }
            }
        }
        Ok(None)
    }

    /// Shrinks these transactions to as few as still contradict each other by propagation.
    fn fewer(&self, core: Vec<u32>, limit: &Limit<'_>) -> Result<Vec<u32>, UnknownWhy> {
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
    fn among(&self, core: &[u32], limit: &Limit<'_>) -> Result<Self, UnknownWhy> {
        let width = self.width();
        let places: FxHashMap<u32, u32> = core.iter().copied().zip(0_u32..).collect();
        let ahead = self.ahead(self.known, limit)?;
        let mut edges = Vec::new();
        for (transaction, part) in core.iter().flat_map(|transaction| (0..width).map(move |part| (*transaction, part)))
        {
            // Follow paths through intermediate vertices to transactions in the core.
            let (from, mut seen) = (places[&transaction] * width + part, FxHashSet::default());
            let mut left = vec![transaction * width + part];
            while let Some(vertex) = left.pop() {
                limit.step()?;
                for &to in ahead.of(vertex) {
                    if to / width >= self.count {
                        left.extend(seen.insert(to).then_some(to));
                    } else if let Some(place) = places.get(&(to / width)) {
                        edges.push((from, place * width + to % width));
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
        let width = self.width();
        let is_left = |transaction: &u32| !gone[*transaction as usize];
        let edges = self.edges.iter().copied().filter(|(from, to)| is_left(&(from / width)) && is_left(&(to / width)));
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
        let mut left = vec![true; self.vertices as usize];
        for vertex in self.ahead(self.edges.len(), limit)?.sorted(|steps| limit.steps(steps))? {
            left[vertex as usize] = false;
        }
        // Each vertex left has a predecessor that is left: go back along these until one repeats.
        let mut into: Vec<u32> = vec![0; self.vertices as usize];
        for (number, (from, to)) in (0_u32..).zip(&self.edges) {
            if left[*from as usize] && left[*to as usize] {
                into[*to as usize] = number;
            }
        }
        let mut came = vec![None; self.vertices as usize];
        let mut way: Vec<usize> = Vec::new();
        let mut vertex = left.iter().position(|left| *left).expect("there is a circle");
        loop {
            if let Some(begin) = came[vertex].replace(way.len()) {
                return Ok(way.split_off(begin));
            }
            way.push(into[vertex] as usize);
            vertex = self.edges[into[vertex] as usize].0 as usize;
        }
    }

    /// Returns the vertices that the first `edges` edges lead to, for each vertex.
    pub(super) fn ahead(&self, edges: usize, limit: &Limit<'_>) -> Result<Rows, UnknownWhy> {
        limit.may_take((3 * self.vertices as usize + edges) * size_of::<u32>())?;
        limit.steps(edges)?;
        Ok(Rows::new(self.vertices as usize, || self.edges[..edges].iter().copied()))
    }

    /// Adds the transactions on which these edges rest to `core`.
    fn explain(&self, edges: &[usize], core: &mut Vec<u32>) {
        let width = self.width();
        let mut looked_at = vec![false; self.edges.len()];
        let mut left: Vec<usize> = edges.to_vec();
        let take = |core: &mut Vec<u32>, vertex: u32| {
            let transaction = vertex / width;
            core.extend((transaction < self.count).then_some(transaction));
        };
        while let Some(edge) = left.pop() {
            if std::mem::replace(&mut looked_at[edge], true) {
                continue;
            }
            let (from, to) = self.edges[edge];
            take(core, from);
            take(core, to);
            let (object, items, way) = match self.reason(edge) {
                Reason::Known => continue,
                Reason::Forced { object, items, way, edges } => (object, items, Some((way, edges as usize))),
                Reason::Trial { object, items } => (object, items, None),
            };
            for item in items {
                let item = &self.objects[object as usize][item as usize];
                core.extend([item.first, item.last]);
                core.extend(item.all.iter().take(32));
            }
            if let Some((way, known)) = way {
                left.extend(self.way(way, known));
            }
        }
    }

    /// Returns the edges of a shortest path from one vertex to another, among the first `edges` edges.
    fn way(&self, [from, to]: [u32; 2], edges: usize) -> Vec<usize> {
        let vertices = self.vertices as usize;
        let next = Rows::new(vertices, || self.edges[..edges].iter().zip(0..).map(|(edge, number)| (edge.0, number)));
        let mut into = vec![OptionalIndex::NONE; vertices];
        let mut queue = std::collections::VecDeque::from([from]);
        while let Some(vertex) = queue.pop_front() {
            for &edge in next.of(vertex) {
                let after = self.edges[edge as usize].1;
                if into[after as usize].get().is_none() {
                    into[after as usize] = edge.into();
                    queue.push_back(after);
                }
            }
            if into[to as usize].get().is_some() {
                break;
            }
        }
        let (mut way, mut vertex) = (Vec::new(), to);
        while let Some(edge) = into[vertex as usize].get() {
            way.push(edge as usize);
            vertex = self.edges[edge as usize].0;
            if vertex == from {
                break;
            }
        }
        way
    }
}

fn sorted(mut core: Vec<u32>) -> Vec<u32> {
    core.sort_unstable();
    core.dedup();
    core
}

fn has(row: &[u64], vertex: u32) -> bool {
    row[vertex as usize / 64] & (1 << (vertex % 64)) != 0
}

/// Reachability table: a row for each vertex, with a bit for each vertex of a transaction.
struct Table {
    words: usize,
    bits: Vec<u64>,
    columns: usize,
    /// Place of each vertex in a topological order.
    place: Vec<u32>,
}

impl Table {
    /// Computes the table, or returns `None` if there is a cycle.
    fn new(graph: &Polygraph, limit: &Limit<'_>) -> Result<Option<Self>, UnknownWhy> {
        let ahead = graph.ahead(graph.edges.len(), limit)?;
        let order = ahead.sorted(|steps| limit.steps(steps))?;
        if order.len() < graph.vertices as usize {
            return Ok(None);
        }
        let (columns, vertices) = (graph.columns(), graph.vertices as usize);
        let words = columns.div_ceil(64);
        limit.may_take(words * vertices * 8 + vertices * 4)?;
        let (mut bits, mut place) = (vec![0_u64; words * vertices], vec![0_u32; vertices]);
        for (at, &vertex) in (0_u32..).zip(&order) {
            place[vertex as usize] = at;
        }
        for &vertex in order.iter().rev() {
            for &to in ahead.of(vertex) {
                limit.steps(words / 16)?;
                let (from, next) = (vertex as usize * words, to as usize * words);
                for word in 0..words {
                    bits[from + word] |= bits[next + word];
                }
                if (to as usize) < columns {
                    bits[from + to as usize / 64] |= 1 << (to % 64);
                }
            }
        }
        Ok(Some(Self { words, bits, columns, place }))
    }

    fn row(&self, vertex: u32) -> &[u64] {
        &self.bits[vertex as usize * self.words..][..self.words]
    }

    fn leads(&self, [from, to]: [u32; 2]) -> bool {
        debug_assert!((to as usize) < self.columns, "ways end in transactions");
        has(self.row(from), to)
    }
}
