//! Judgement of a history: level by level, from the strongest to the weakest, until one is known to hold.

use histories::{History, Outcome, Value, ValueId};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    cycles,
    facts::{Facts, Initial, KeyClass},
    findings::Findings,
    graph::{Edge, Graph, Kind, Needs, Sorting},
    indices::{TransactionIndex, Vertex},
    levels::Levels,
    limit::Limit,
    links::{LinkWriter, of_transactions},
    lists::Lists,
    polygraph::{Polygraph, Solution, VersionRun},
    registers::{self, Registers},
    report::{AnomalyKind, Level, Status},
    small::{self, SmallDecision, SmallHistory},
    time_order::{add_processes, add_realtime},
    verify::{self, Replay},
    versions,
};
use crate::{Limits, UnknownWhy, shrink::try_minimal};

/// Maximum number of states tried when confirming that a few transactions contradict each other.
const CONFIRMED: usize = 1 << 15;

/// Facts that are known before levels are judged.
struct Case<'a, 'h> {
    history: &'h History,
    initial: &'h Value,
    facts: Facts<'h>,
    lists: Lists<'h>,
    registers: Registers,
    graph: Graph,
    limit: &'a Limit<'a>,
    /// True if process order is in the graph; real time implies it.
    has_processes: bool,
}

fn internal(what: &str) -> UnknownWhy {
    UnknownWhy::Internal { what: format!("the method for transactions found {what}") }
}

/// Judges all levels: fills `levels`, and adds the anomalies that refute levels to `findings`.
pub(super) fn judge<'h>(
    history: &'h History,
    (initial, start): (&'h Value, &'h Initial),
    limits: &Limits<'_>,
    findings: &mut Findings<'h>,
    levels: &mut Levels,
) -> Result<(), UnknownWhy> {
    if let Some(other) = (0..history.operations.len()).find(|&at| history.transactions.at(at).is_none()) {
        let name = history.function_name(history.operations[other].function).to_owned();
        return Err(UnknownWhy::Function { name, model: Some("transactions".to_owned()) });
    }
    let limit = Limit::new(limits, history.transactions.len());
    let mut facts = Facts::gather(history, start, findings, &limit)?;
    levels.reads = facts.answered_reads;
    limit.fits(&facts)?;
    let mut graph = Graph::new(history.transactions.len());
    let mut lists = Lists::resolve(&mut facts, findings, &limit)?;
    let registers = registers::relate(&mut facts, findings, &mut graph, &limit)?;
    lists.relate(&facts, findings, &mut graph, &limit)?;
    let is_dependency = |edge: &&Edge| matches!(edge.kind, Kind::Ww | Kind::Wr | Kind::Rw);
    levels.dependencies = graph.edges.iter().filter(is_dependency).count();
    levels.written_twice = facts.twice_in_words();
    add_realtime(&facts, &mut graph, &limit)?;
    limit.keep_going()?;
    let mut case = Case { history, initial, facts, lists, registers, graph, limit: &limit, has_processes: false };
    case.look_at_cycles(findings)?;
    case.serially(findings, levels)?;
    if !levels.is_known(findings, Level::SnapshotIsolation) {
        case.by_snapshots(findings, levels)?;
    }
    if !levels.is_known(findings, Level::ReadCommitted) {
        case.committed(findings, levels)?;
    }
    if !levels.is_known(findings, Level::ReadUncommitted) {
        let open = case.lists.disagree || !case.is_sure(KeyClass::List);
        levels.set(Level::ReadUncommitted, if open { Status::NotRefuted } else { Status::Holds });
    }
    case.try_all(findings, levels)
}

impl<'h> Case<'_, 'h> {
    /// Returns true if each value of the keys of this class is written only once.
    fn is_sure(&self, class: KeyClass) -> bool {
        self.facts.written_twice.keys().all(|key| self.facts.classes[key.index()] != class)
    }

    /// Returns true if each value is written only once, so that it is known where each read came from.
    fn knows_sources(&self) -> bool {
        self.facts.written_twice.is_empty()
    }

    /// Returns true if the absence of anomalies and cycles implies an order.
    fn is_exact(&self) -> bool {
        self.knows_sources() && self.facts.classes.iter().all(|class| *class == KeyClass::List)
    }

    /// Returns the transactions in an order that respects the edges that [`Graph::sort`] considers.
    fn order(&self, needs: Needs, without: Option<Kind>) -> Result<Vec<TransactionIndex>, UnknownWhy> {
        match self.graph.sort(needs, without, self.limit)? {
            Sorting::Order(order) => Ok(self.transactions(order)),
            Sorting::Cycles(_) => Err(internal("a cycle that refutes nothing")),
        }
    }

    fn add_processes(&mut self) -> Result<(), UnknownWhy> {
        if !std::mem::replace(&mut self.has_processes, true) {
            self.limit.edges(&self.graph, self.facts.happened.len())?;
            add_processes(&self.facts, &mut self.graph);
        }
        Ok(())
    }

    fn look_at_cycles(&mut self, findings: &mut Findings<'h>) -> Result<(), UnknownWhy> {
        let Sorting::Cycles(alive) = self.graph.sort(Needs::Realtime, None, self.limit)? else { return Ok(()) };
        self.add_processes()?;
        self.limit.keep_going()?;
        let writer = LinkWriter { facts: &self.facts, lists: &self.lists, registers: &self.registers };
        let is_certain = |vertex: Vertex| {
            vertex.transaction(self.graph.transactions).is_none_or(|t| self.facts.outcome(t) == Outcome::Ok)
        };
        let mut wrong = None;
        for component in cycles::components(&self.graph, &alive) {
            self.limit.keep_going()?;
            for cycle in cycles::worst(self.graph.transactions, &component, &is_certain, self.limit)? {
                findings.add_with(cycle.kind, cycle.orders, cycle.refutes, &mut || {
                    let description = writer.cycle(&cycle);
                    for link in &description.2 {
                        wrong = wrong.take().or(verify::confirm(self.history, self.initial, link).err());
                    }
                    description
                });
            }
        }
        match wrong {
            Some(why) => Err(internal(&format!("a link of a cycle that the history does not show: {why}"))),
            None if findings.weakest().is_none() => Err(internal("a cycle that refutes nothing")),
            None => Ok(()),
        }
    }

    /// Judges the levels from serializable on: looks for an order of all transactions.
    fn serially(&mut self, findings: &mut Findings<'h>, levels: &mut Levels) -> Result<(), UnknownWhy> {
        for (level, needs) in [
            (Level::StrictSerializable, Needs::Realtime),
            (Level::StrongSessionSerializable, Needs::Process),
            (Level::Serializable, Needs::Snapshots),
        ] {
            if levels.is_known(findings, level) {
                continue;
            }
            self.limit.keep_going()?;
            if level < Level::StrictSerializable {
                self.add_processes()?;
            }
            let order = self.operations_of(&self.order(needs, None)?);
            let order_status = self.replay("an order of transactions that is none", self.is_exact(), &|replay| {
                replay.serially(&order, level)
            })?;
            if order_status == Status::Holds {
                levels.order = Some(order);
                levels.set(level, Status::Holds);
                return Ok(());
            }
            let status = match self.solve(needs, false)? {
                Solution::Order(order) => {
                    let order = self.operations_of(&order);
                    let status = self.replay("a schedule that is none", self.knows_sources(), &|replay| {
                        replay.serially(&order, level)
                    })?;
                    if status == Status::Holds {
                        levels.order = Some(order);
                    }
                    status
                }
                Solution::Contradiction(core) => self.contradiction(&core, level, findings)?,
                Solution::Open => Status::NotRefuted,
            };
            levels.set(level, status);
            if status == Status::Holds {
                return Ok(());
            }
        }
        Ok(())
    }

    fn by_snapshots(&self, findings: &mut Findings<'h>, levels: &mut Levels) -> Result<(), UnknownWhy> {
        // The rules about cycles are exact if all versions are in order.
        if self.is_exact() && !self.lists.loose_ends {
            levels.set(Level::SnapshotIsolation, Status::Holds);
            return Ok(());
        }
        self.limit.keep_going()?;
        let status = match self.solve(Needs::Snapshots, true)? {
            Solution::Order(events) => {
                let events = self.operations_of(&events);
                self.replay("snapshots that are none", self.knows_sources(), &|replay| replay.by_snapshots(&events))?
            }
            Solution::Contradiction(core) => self.contradiction(&core, Level::SnapshotIsolation, findings)?,
            Solution::Open => Status::NotRefuted,
        };
        levels.set(Level::SnapshotIsolation, status);
        Ok(())
    }

    /// Judges read committed: in any order that keeps write-read dependencies and the order of lists, the versions of
    /// registers can have the order of their writers.
    fn committed(&self, findings: &mut Findings<'h>, levels: &mut Levels) -> Result<(), UnknownWhy> {
        self.limit.keep_going()?;
        let order = self.order(Needs::Nothing, Some(Kind::Rw))?;
        let mut operations = self.operations_of(&order);
        if !self.is_sure(KeyClass::Register) {
            match self.in_order_of_reads(&order) {
                Ok(found) => {
                    // A transaction that appended to a list something that was never read is assumed not to have
                    // happened.
                    let placed = found.iter().filter(|t| self.facts.happened[t.index()] || !self.changes_lists(**t));
                    operations = placed.map(|t| self.operation(*t)).collect();
                }
                Err(stuck) if self.is_sure(KeyClass::List) => {
                    let claim = |names: &[String]| {
                        let all = match names {
                            [one] => one.clone(),
                            _ => format!("each of {}", of_transactions(self.facts.history, &stuck)),
                        };
                        format!(
                            "{all} read what only others of these wrote, or what was replaced before anybody could \
                            have read it"
                        )
                    };
                    findings.add(AnomalyKind::G1c, Level::ReadCommitted, &stuck, &claim);
                    return Ok(());
                }
                Err(_) => {}
            }
        }
        let status = self.replay("reads of what was committed that are none", self.knows_sources(), &|replay| {
            replay.committed(&operations)
        })?;
        levels.set(Level::ReadCommitted, status);
        Ok(())
    }

    /// Returns the transactions in an order in which each value of a register that was read was left by a transaction
    /// before the reader, even if several may have written it. Otherwise returns the transactions that wait for each
    /// other. Transactions keep their `order` where possible.
    fn in_order_of_reads(&self, order: &[TransactionIndex]) -> Result<Vec<TransactionIndex>, Vec<TransactionIndex>> {
        use histories::{MicroOperation as Micro, ReadResult};
        let facts = &self.facts;
        let mut left: FxHashSet<(ValueId, ValueId)> = FxHashSet::default();
        let classes: FxHashMap<ValueId, KeyClass> =
            facts.keys.iter().copied().zip(facts.classes.iter().copied()).collect();
        let micros = |t: TransactionIndex| self.history.transactions.micro_operations(t.index());
        let reads = |t: TransactionIndex| -> Vec<(ValueId, ValueId)> {
            let mut own = Vec::new();
            let mut found = Vec::new();
            for micro in micros(t) {
                match micro {
                    Micro::Write { key, value } => own.push((key, value)),
                    Micro::Read { key, found: ReadResult::Value(value) }
                        if classes[&key] == KeyClass::Register
                            && !own.contains(&(key, value))
                            && value != facts.initial.value =>
                    {
                        found.push((key, value));
                    }
                    _ => {}
                }
            }
            found
        };
        let extra = self.all().filter(|t| !facts.happened[t.index()] && facts.outcome(*t) == Outcome::Info);
        let known = order.iter().copied().filter(|t| facts.happened[t.index()]);
        let mut waiting: Vec<TransactionIndex> = extra.chain(known).collect();
        let mut placed = Vec::new();
        loop {
            let before = placed.len();
            let mut still = Vec::new();
            for t in waiting {
                if !facts.happened[t.index()] || reads(t).iter().all(|read| left.contains(read)) {
                    let last = micros(t).filter_map(|micro| match micro {
                        Micro::Write { key, value } => Some((key, value)),
                        _ => None,
                    });
                    let last: FxHashMap<ValueId, ValueId> = last.collect();
                    left.extend(last);
                    placed.push(t);
                } else {
                    still.push(t);
                }
            }
            if still.is_empty() {
                return Ok(placed);
            }
            if placed.len() == before {
                return Err(still);
            }
            waiting = still;
        }
    }

    fn changes_lists(&self, transaction: TransactionIndex) -> bool {
        let mut all = self.history.transactions.micro_operations(transaction.index());
        all.any(|micro| matches!(micro, histories::MicroOperation::Append { .. }))
    }

    fn solve(&self, needs: Needs, snapshots: bool) -> Result<Solution, UnknownWhy> {
        let mut objects: Vec<Vec<VersionRun>> = Vec::new();
        for register in &self.registers.all {
            self.limit.steps(register.reads.len())?;
            objects.push(versions::unordered(&self.facts, register, &self.registers.next));
        }
        if snapshots {
            let alone = |t: &TransactionIndex| VersionRun::new(*t, *t, Vec::new(), vec![*t]);
            objects.extend(self.lists.loose.iter().map(|loose| loose.iter().map(alone).collect()));
        }
        let bytes = self.graph.edges.len() * 2 * size_of::<(u32, u32)>()
            + self.facts.changes.rows.len() * size_of::<VersionRun>();
        self.limit.may_take(bytes)?;
        let rank = |t: TransactionIndex| {
            let operation = self.facts.operation(t);
            if operation.outcome == Outcome::Ok { operation.completed } else { operation.invoked }
        };
        let ranks: Vec<u32> = self.all().map(rank).collect();
        Polygraph::new(&self.graph, needs, snapshots, objects).solve(&ranks, self.limit)
    }

    /// Confirms that these transactions contradict each other by trying all their orders, and shrinks them to as few
    /// as possible.
    fn contradiction(
        &self,
        core: &[TransactionIndex],
        level: Level,
        findings: &mut Findings<'h>,
    ) -> Result<Status, UnknownWhy> {
        let mut few = self.with_sources(core);
        if few.len() > small::MOST || !self.is_refuted(&few, level)? {
            few = core.to_vec();
            if few.len() > small::MOST || !self.is_refuted(&few, level)? {
                return Ok(Status::NotRefuted);
            }
        }
        let few = try_minimal(few, |few| self.is_refuted(few, level))?;
        let claim = |_: &[String]| {
            format!(
                "no order of {} explains what they read of each other: all were tried",
                of_transactions(self.facts.history, &few)
            )
        };
        findings.add(AnomalyKind::NoOrder, level, &few, &claim);
        Ok(Status::Refuted)
    }

    /// Returns these transactions, those whose writes they read, and so on.
    fn with_sources(&self, core: &[TransactionIndex]) -> Vec<TransactionIndex> {
        let mut few: Vec<TransactionIndex> = core.to_vec();
        let mut place = 0;
        let reads = self.graph.edges.iter().filter(|edge| edge.kind == Kind::Wr);
        let mut sources: FxHashMap<Vertex, Vec<Vertex>> = FxHashMap::default();
        for edge in reads {
            sources.entry(edge.to).or_default().push(edge.from);
        }
        while let Some(t) = few.get(place).copied().filter(|_| few.len() <= small::MOST) {
            place += 1;
            for source in self.transactions(sources.get(&t.into()).into_iter().flatten().copied()) {
                if !few.contains(&source) {
                    few.push(source);
                }
            }
        }
        few.sort_unstable();
        few
    }

    fn is_refuted(&self, transactions: &[TransactionIndex], level: Level) -> Result<bool, UnknownWhy> {
        let operations: Vec<u32> = transactions.iter().map(|t| self.operation(*t)).collect();
        let small = SmallHistory::new(self.history, self.facts.initial, &operations, false);
        Ok(matches!(small.decide(level, CONFIRMED, self.limit)?, SmallDecision::Refuted))
    }

    /// Decides the levels that are still open if there are few transactions.
    fn try_all(&self, findings: &mut Findings<'h>, levels: &mut Levels) -> Result<(), UnknownWhy> {
        let all: Vec<TransactionIndex> = self.all().filter(|t| self.facts.outcome(*t) != Outcome::Fail).collect();
        if all.len() > small::FEW {
            return Ok(());
        }
        let operations: Vec<u32> = all.iter().map(|t| self.operation(*t)).collect();
        let small = SmallHistory::new(self.history, self.facts.initial, &operations, true);
        for level in Level::ALL.into_iter().rev() {
            let is_refuted = findings.weakest().is_some_and(|weakest| weakest <= level);
            if is_refuted || levels.status(level) != Status::NotRefuted {
                continue;
            }
            match small.decide(level, small::STATES, self.limit)? {
                SmallDecision::Open => {}
                SmallDecision::Explained(order) => self.explained(level, order, levels)?,
                SmallDecision::Refuted => {
                    if self.contradiction(&all, level, findings)? != Status::Refuted {
                        let claim = |_: &[String]| {
                            let all = of_transactions(self.facts.history, &all);
                            format!("no order of {all} explains what they read: all were tried")
                        };
                        findings.add(AnomalyKind::NoOrder, level, &all, &claim);
                    }
                }
            }
        }
        Ok(())
    }

    fn explained(&self, level: Level, order: Vec<u32>, levels: &mut Levels) -> Result<(), UnknownWhy> {
        self.replay("an order that was tried and is none", true, &|replay| match level {
            Level::ReadUncommitted => Ok(()),
            Level::ReadCommitted => replay.committed(&order),
            Level::SnapshotIsolation => replay.by_snapshots(&order),
            _ => replay.serially(&order, level),
        })?;
        if level >= Level::Serializable {
            levels.order = Some(order);
        }
        levels.set(level, Status::Holds);
        Ok(())
    }

    /// Replays an order within the limits: the level holds, or it is not refuted. If it `must_hold`, the order is
    /// `claim` otherwise, which contradicts the method.
    fn replay(
        &self,
        claim: &str,
        must_hold: bool,
        run: &dyn Fn(&mut Replay<'_>) -> Result<(), String>,
    ) -> Result<Status, UnknownWhy> {
        let mut stopped = Ok(());
        let mut goes_on = |steps: usize| {
            stopped = self.limit.steps(steps);
            stopped.is_ok()
        };
        let replayed = run(&mut Replay { history: self.history, initial: self.initial, goes_on: &mut goes_on });
        stopped?;
        match replayed {
            Ok(()) => Ok(Status::Holds),
            Err(why) if must_hold => Err(internal(&format!("{claim}: {why}"))),
            Err(_) => Ok(Status::NotRefuted),
        }
    }

    fn operation(&self, transaction: TransactionIndex) -> u32 {
        let operation = self.history.transactions.operation(transaction.index());
        u32::try_from(operation).expect("operations are counted so")
    }

    /// Returns all transactions.
    fn all(&self) -> impl Iterator<Item = TransactionIndex> {
        (0..self.graph.transactions).map(TransactionIndex::from)
    }

    /// Returns the transactions among these vertices.
    fn transactions(&self, vertices: impl IntoIterator<Item = Vertex>) -> Vec<TransactionIndex> {
        vertices.into_iter().filter_map(|vertex| vertex.transaction(self.graph.transactions)).collect()
    }

    /// Returns the operations of those of these transactions that happened. One of unknown outcome that was not read is
    /// left out.
    fn operations_of(&self, order: &[TransactionIndex]) -> Vec<u32> {
        order.iter().filter(|t| self.facts.happened[t.index()]).map(|t| self.operation(*t)).collect()
    }
}
