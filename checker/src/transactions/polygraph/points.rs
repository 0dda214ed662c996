//! Points of a polygraph, the edges between them, and the items of each object.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::{
    UnknownWhy,
    rows::Rows,
    transactions::{
        graph::{Edge, Graph, Kind, Needs},
        indices::{ObjectIndex, Point, RunIndex, TransactionIndex, Vertex},
        limit::Limit,
    },
};

/// Item: versions that are adjacent.
pub(in crate::transactions) struct VersionRun {
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
    pub(in crate::transactions) fn new(
        first: TransactionIndex,
        last: TransactionIndex,
        readers: Vec<TransactionIndex>,
        all: Vec<TransactionIndex>,
    ) -> Self {
        Self { first, last, readers, all, out: None }
    }

    pub(super) fn out(&self) -> Vertex {
        self.out.expect("items are placed before their order is looked for")
    }
}

/// Reason for an edge.
#[derive(Clone, Copy)]
pub(super) enum Reason {
    /// Fact of the history.
    Known,
    /// Consequence: the second of two items of an object cannot come first, because of a path between two points.
    Forced { object: ObjectIndex, items: [RunIndex; 2], way: [Point; 2], edges: u32 },
    /// Decision that is tried.
    Trial { object: ObjectIndex, items: [RunIndex; 2] },
}

/// Precedence graph together with the items that are not in order yet.
pub(in crate::transactions) struct Polygraph {
    /// Number of transactions.
    pub count: u32,
    /// True if each transaction has two points, its beginning and its commit.
    pub snapshots: bool,
    /// Number of points; those of transactions come first.
    pub points: u32,
    pub edges: Vec<(Point, Point)>,
    pub(super) reasons: Vec<Reason>,
    pub objects: Vec<Vec<VersionRun>>,
    pub(super) known: usize,
}

impl Polygraph {
    pub(in crate::transactions) fn new(
        graph: &Graph,
        needs: Needs,
        snapshots: bool,
        objects: Vec<Vec<VersionRun>>,
    ) -> Self {
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
    pub(super) fn add(&mut self, from: impl Into<Vertex>, to: impl Into<Vertex>, kind: Kind) {
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
    pub(super) fn columns(&self) -> usize {
        (self.width() * self.count.max(1)) as usize
    }

    pub(super) fn run(&self, object: ObjectIndex, item: RunIndex) -> &VersionRun {
        &self.objects[object.index()][item.index()]
    }

    /// Returns the facts about these transactions alone, numbered by their places.
    pub(super) fn among(&self, core: &[TransactionIndex], limit: &Limit<'_>) -> Result<Self, UnknownWhy> {
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
    pub(super) fn without(&self, gone: &[bool]) -> Self {
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

    /// Returns the points that the first `edges` edges lead to, for each point.
    pub(super) fn ahead(&self, edges: usize, limit: &Limit<'_>) -> Result<Rows, UnknownWhy> {
        limit.may_take((3 * self.points as usize + edges) * size_of::<u32>())?;
        limit.steps(edges)?;
        Ok(Rows::new(self.points as usize, || self.edges[..edges].iter().map(|&(from, to)| (from.into(), to.into()))))
    }
}
