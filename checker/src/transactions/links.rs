//! Links of a cycle: its edges as links between operations, each with its evidence and a sentence.

use histories::{History, Outcome, Value, ValueId};

use super::{
    cycles::Cycle,
    facts::{Facts, KeyClass, Read},
    graph::{Edge, Kind, Needs},
    indices::{ChangeIndex, KeyIndex, TransactionIndex},
    lists::Lists,
    registers::Registers,
    report::{AnomalyKind, Link, LinkEvidence, Orders},
};
use crate::words;

/// Edge of a cycle.
type TransactionEdge = Edge<TransactionIndex>;

/// Describes cycles in words.
pub(super) struct LinkWriter<'a, 'h> {
    pub facts: &'a Facts<'h>,
    pub lists: &'a Lists<'h>,
    pub registers: &'a Registers,
}

impl LinkWriter<'_, '_> {
    /// Returns the operations of a cycle, the claim, and a link for each edge.
    pub(super) fn cycle(&self, cycle: &Cycle) -> (Vec<usize>, String, Vec<Link>) {
        let operation = |t: TransactionIndex| self.facts.history.transactions.operation(t.index());
        let count = cycle.edges.len();
        let links: Vec<Link> = (0..count)
            .map(|place| self.link(&cycle.edges[place], [place + 1, (place + 1) % count + 1], place + 1 == count))
            .collect();
        (cycle.edges.iter().map(|edge| operation(edge.from)).collect(), self.claim(cycle), links)
    }

    fn claim(&self, cycle: &Cycle) -> String {
        self.missed_change(cycle).unwrap_or_else(|| claim(self.facts.history, cycle))
    }

    /// Describes a cycle of two transactions of which one missed what the other changed, though it came later or saw
    /// another change of it.
    fn missed_change(&self, cycle: &Cycle) -> Option<String> {
        let (missed, other) = match &cycle.edges[..] {
            [missed, other] | [other, missed] if missed.kind == Kind::Rw && other.kind != Kind::Rw => (missed, other),
            _ => return None,
        };
        let history = self.facts.history;
        let [reader, writer] = [missed.from, missed.to].map(|t| history.transactions.operation(t.index()));
        let name = words::key_name(&self.key(missed));
        let (saw, change) = if self.facts.classes[missed.key().index()] == KeyClass::List {
            let value = self.missed(missed);
            (format!("read {name} without {value}"), format!("the append of {value}"))
        } else {
            let [before, after] = self.versions(missed).map(|version| self.value(version));
            (format!("read {before} in {name}"), format!("the write of {after}"))
        };
        let (ended, process) = (words::ended(history, writer), history.process(history.operations[writer].process));
        let why = match other.kind {
            Kind::Realtime | Kind::Onward => {
                let after_ns = history.times(reader).invoked_ns.saturating_sub(history.times(writer).completed_ns);
                let apart = words::apart(history, after_ns, "before");
                format!("{change} by process {process} had been acknowledged at {ended}, {apart} the transaction began")
            }
            Kind::Process => format!("{change} by the same process had been acknowledged at {ended}"),
            Kind::Wr => {
                let (value, of) = (self.seen(other), words::key_name(&self.key(other)));
                let wrote = self.wrote(other);
                format!("it read {value} in {of}, which process {process} {wrote} together with {change}")
            }
            Kind::Ww | Kind::Rw => return None,
        };
        Some(format!("{} {saw}, although {why}", words::made(history, "transaction", reader)))
    }

    fn link(&self, edge: &TransactionEdge, [from_name, to_name]: [usize; 2], closes: bool) -> Link {
        let history = self.facts.history;
        let [from, to] = [edge.from, edge.to].map(|t| history.transactions.operation(t.index()));
        let [from_began, from_ended, to_began, to_ended] = [
            words::began(history, from),
            words::ended(history, from),
            words::began(history, to),
            words::ended(history, to),
        ];
        let (a, b) = (format!("T{from_name}"), format!("T{to_name}"));
        let (evidence, why) = match edge.kind {
            Kind::Realtime | Kind::Onward => {
                (LinkEvidence::Realtime, format!("{a} had ended at {from_ended}, before {b} was invoked at {to_began}"))
            }
            Kind::Process => {
                let process = history.process(history.operations[from].process);
                let why = format!("process {process} ended {a} at {from_ended} and then invoked {b} at {to_began}");
                (LinkEvidence::Process, why)
            }
            Kind::Wr => {
                let (key, value) = (self.key(edge), self.seen(edge));
                let name = words::key_name(&key);
                let wrote = self.wrote(edge);
                let why = format!("{b} read {value} in {name} (it ended at {to_ended}), which {a} {wrote} there");
                (LinkEvidence::Read { key, value }, why)
            }
            Kind::Rw if self.facts.classes[edge.key().index()] == KeyClass::List => {
                let (key, value) = (self.key(edge), self.missed(edge));
                let name = words::key_name(&key);
                let why = format!("{a} read {name} at {from_began} without {value}, which {b} appended");
                (LinkEvidence::Missed { key, value }, why)
            }
            Kind::Ww if self.facts.classes[edge.key().index()] == KeyClass::List => self.overwritten(edge, &a, &b),
            Kind::Ww | Kind::Rw => self.replaced(edge, &a, &b),
        };
        let so = if closes { "yet " } else { "" };
        let sentence = format!("{so}{why}: so {a} must come before {b}");
        Link { from, to, evidence, sentence }
    }

    /// Returns the word for a change of the edge's key.
    fn wrote(&self, edge: &TransactionEdge) -> &'static str {
        if self.facts.classes[edge.key().index()] == KeyClass::List { "appended" } else { "wrote" }
    }

    fn key(&self, edge: &TransactionEdge) -> Value {
        self.facts.history.value(self.facts.keys[edge.key().index()]).clone()
    }

    fn value(&self, id: ValueId) -> Value {
        self.facts.history.value(id).clone()
    }

    /// Returns what a transaction changed in the edge's key: only those values that no other may have written, if
    /// there are any.
    fn changes(&self, edge: &TransactionEdge, transaction: TransactionIndex) -> std::vec::IntoIter<ValueId> {
        let all = self.facts.changes.of(edge.key()).iter();
        let all = all.filter(move |change| change.transaction == transaction).map(|change| change.value);
        let sure: Vec<ValueId> =
            all.clone().filter(|value| !self.facts.twice(edge.key()).any(|other| other == *value)).collect();
        if sure.is_empty() { all.collect::<Vec<_>>().into_iter() } else { sure.into_iter() }
    }

    fn read(&self, edge: &TransactionEdge, transaction: TransactionIndex) -> &Read<'_> {
        let mut all = self.facts.reads.of(edge.key()).iter();
        all.find(|read| read.transaction == transaction).expect("the edge comes from what it read")
    }

    /// Returns a value that the later transaction read and the earlier one wrote.
    fn seen(&self, edge: &TransactionEdge) -> Value {
        let reads = self.facts.all_reads(edge.key()).filter(|read| read.transaction == edge.to);
        let holds =
            |read: &Read<'_>, value: &ValueId| read.list[..read.base as usize].contains(value) || read.value == *value;
        let seen = |value: &ValueId| reads.clone().any(|read| holds(read, value));
        let value = self.changes(edge, edge.from).rev().find(seen);
        self.value(value.expect("the edge comes from what it read"))
    }

    /// Returns a value that the later transaction added and the earlier one did not read.
    fn missed(&self, edge: &TransactionEdge) -> Value {
        let read = self.read(edge, edge.from);
        let value = self.changes(edge, edge.to).find(|value| !read.list.contains(value));
        self.value(value.expect("the edge comes from what it did not read"))
    }

    fn overwritten(&self, edge: &TransactionEdge, a: &str, b: &str) -> (LinkEvidence, String) {
        let longest = self.lists.longest[edge.key().index()].expect("only what was read has an order");
        let history = self.facts.history;
        let place = |value: ValueId| longest.list.iter().position(|element| *element == value);
        let first = self.changes(edge, edge.from).filter(|value| place(*value).is_some());
        let first = first.min_by_key(|value| place(*value)).expect("the earlier one was read");
        let later = self.changes(edge, edge.to).max_by_key(|value| place(*value).unwrap_or(usize::MAX));
        let later = later.expect("the later one added something");
        let (key, value, later_value) = (self.key(edge), self.value(first), self.value(later));
        let witness = history.transactions.operation(longest.transaction.index());
        let (name, began) = (words::key_name(&key), words::began(history, witness));
        let process = history.process(history.operations[witness].process);
        let shows = if place(later).is_some() { "before" } else { "without" };
        let why = format!(
            "{a} appended {value} to {name} and {b} appended {later_value}: process {process} read {value} {shows} \
            {later_value} at {began}"
        );
        (LinkEvidence::Overwritten { key, value, later: later_value, witness }, why)
    }

    /// Returns the version that the earlier transaction of a register's edge wrote or read, and the one that the
    /// later transaction left behind.
    fn versions(&self, edge: &TransactionEdge) -> [ValueId; 2] {
        let last = |transaction| self.changes(edge, transaction).next_back().expect("it wrote");
        let before = if edge.kind == Kind::Ww { last(edge.from) } else { self.read(edge, edge.from).value };
        [before, last(edge.to)]
    }

    fn replaced(&self, edge: &TransactionEdge, a: &str, b: &str) -> (LinkEvidence, String) {
        let [before, after] = self.versions(edge);
        let (key, value, later) = (self.key(edge), self.value(before), self.value(after));
        let (name, did) = (words::key_name(&key), if edge.kind == Kind::Ww { "wrote" } else { "read" });
        if edge.needs > Needs::Snapshots {
            let (evidence, shown) = self.later(edge, [before, after]);
            return (evidence, format!("{a} {did} {value} in {name} and {b} wrote {later}, which came later: {shown}"));
        }
        let mut reads = self.facts.reads.of(edge.key()).iter();
        if reads.any(|read| read.transaction == edge.to && read.value == before) {
            let why = format!("{a} {did} {value} in {name}, and {b} read {value} there and replaced it by {later}");
            return (LinkEvidence::Replaced { key, value, later }, why);
        }
        let chain = self.chain(edge.key(), before);
        let chain: Vec<usize> = chain.into_iter().filter_map(|version| self.operation(version)).collect();
        if chain.is_empty() {
            let why = format!("{a} read {name} before anything was written there, and {b} wrote {later} there");
            return (LinkEvidence::First { key, later, chain }, why);
        }
        let came = if chain.len() == 1 {
            "right after what was there at first".to_owned()
        } else {
            format!("from what was there at first{}", counted_replacements(chain.len()))
        };
        let why = format!("{a} {did} {value} in {name}, which came {came}, and {b} wrote {later} there");
        (LinkEvidence::First { key, later, chain }, why)
    }

    fn operation(&self, change: ChangeIndex) -> Option<usize> {
        let change = self.facts.changes.rows.get(change.index())?;
        Some(self.facts.history.transactions.operation(change.transaction.index()))
    }

    /// Returns the changes of a version's chain up to it, from the first. Empty for the initial value.
    fn chain(&self, key: KeyIndex, version: ValueId) -> Vec<ChangeIndex> {
        let (range, next) = (self.facts.changes.range(key), &self.registers.next);
        let rows = &self.facts.changes.rows;
        let register = self.registers.all.iter().find(|register| register.key == key);
        let first = register.and_then(|register| register.first.get());
        let is_final = |place: &usize| rows[*place].value == version && self.facts.is_final(key, (*place).into());
        let Some(mut place) = range.clone().find(is_final).map(ChangeIndex::from) else { return Vec::new() };
        let mut chain = vec![place];
        while Some(place) != first && chain.len() <= range.len() {
            let Some(before) = range.clone().find(|&before| next[before].get() == Some(place)) else { break };
            place = before.into();
            chain.push(place);
        }
        chain.reverse();
        chain
    }

    /// Returns all changes of a version's chain, in order.
    fn whole_chain(&self, key: KeyIndex, version: ValueId) -> Vec<ChangeIndex> {
        let mut chain = self.chain(key, version);
        let next = |last: &ChangeIndex| self.registers.next.get(last.index())?.get();
        while let Some(next) = chain.last().and_then(next).filter(|next| !chain.contains(next)) {
            chain.push(next);
        }
        chain
    }

    /// Returns the evidence that one version came before the other by time.
    fn later(&self, edge: &TransactionEdge, [before, after]: [ValueId; 2]) -> (LinkEvidence, String) {
        let history = self.facts.history;
        let orders = if edge.needs == Needs::Process { Orders::Process } else { Orders::Realtime };
        let of = |t: TransactionIndex| self.facts.operation(t);
        let accesses = |version| {
            let chain = self.whole_chain(edge.key(), version);
            let places = 0..chain.len();
            let all = places.flat_map(|place| {
                self.accesses(edge.key(), self.facts.changes.rows[chain[place].index()].value).map(move |t| (place, t))
            });
            let all: Vec<(usize, TransactionIndex)> = all.collect();
            (chain, all)
        };
        let ((one, ended), (other, began)) = (accesses(before), accesses(after));
        let ended = ended.into_iter().filter(|(_, t)| self.facts.outcome(*t) == Outcome::Ok);
        let pairs = ended.flat_map(|a| began.iter().map(move |b| (a, *b))).filter(|((_, t), (_, other))| {
            let issued = orders == Orders::Realtime || of(*t).process == of(*other).process;
            issued && of(*t).completed < of(*other).invoked
        });
        let pair = pairs.min_by_key(|((_, t), (_, other))| of(*other).invoked - of(*t).completed);
        let ((place, first), (last, then)) = pair.expect("the edge comes from what shows it");
        let operations = |chain: &[ChangeIndex]| chain.iter().filter_map(|version| self.operation(*version)).collect();
        let value_at =
            |chain: &[ChangeIndex], place: usize| self.value(self.facts.changes.rows[chain[place].index()].value);
        let (shown_first, shown_then) = (value_at(&one, place), value_at(&other, last));
        let end = one.iter().position(|version| self.facts.changes.rows[version.index()].value == before);
        let end = end.expect("a version lies on its chain");
        let (before_it, after_it): (Vec<usize>, Vec<usize>) =
            (operations(one.get(place + 1..=end).unwrap_or_default()), operations(&other[1..=last]));
        let [first, then] = [first, then].map(|t| history.transactions.operation(t.index()));
        let [process, other_process] =
            [first, then].map(|operation| history.process(history.operations[operation].process));
        let (done, began) = (words::ended(history, first), words::began(history, then));
        let (key, value, later) = (self.key(edge), self.value(before), self.value(after));
        let mut why = format!(
            "process {process} ended a transaction with {shown_first} at {done}, before process {other_process} began \
            one with {shown_then} at {began}"
        );
        if !before_it.is_empty() {
            why += &format!(", and {value} came from {shown_first}{}", counted_replacements(before_it.len()));
        }
        if !after_it.is_empty() {
            why += &format!(", and {shown_then} came from {later}{}", counted_replacements(after_it.len()));
        }
        (LinkEvidence::Later { key, value, later, first, then, orders, before: before_it, after: after_it }, why)
    }

    /// Returns the transactions that wrote or read a version of a register.
    fn accesses(&self, key: KeyIndex, version: ValueId) -> impl Iterator<Item = TransactionIndex> {
        let wrote = self.facts.changes.of(key).iter().filter(move |change| change.value == version);
        let wrote = wrote.map(|change| change.transaction).filter(|t| self.facts.happened[t.index()]);
        let read = self.facts.reads.of(key).iter().filter(move |read| read.value == version);
        wrote.chain(read.map(|read| read.transaction))
    }
}

/// Formats the number of transactions that replaced a version, each having read it.
fn counted_replacements(count: usize) -> String {
    match count {
        1 => " by one who had read it".to_owned(),
        many => format!(" through {many} who had each read the one before"),
    }
}

/// Maximum number of processes that are named.
const MAX_NAMED: usize = 6;

/// Counts transactions and names their processes, unless these are many: `3 transactions of processes 5 and 7`.
pub(super) fn of_transactions(history: &History, transactions: &[TransactionIndex]) -> String {
    let mut processes: Vec<String> = Vec::new();
    for transaction in transactions {
        let operation = history.transactions.operation(transaction.index());
        let process = history.process(history.operations[operation].process).to_string();
        if !processes.contains(&process) && processes.len() <= MAX_NAMED {
            processes.push(process);
        }
    }
    let count = transactions.len();
    match &processes[..] {
        [only] => format!("{count} transactions of process {only}"),
        [others @ .., last] if processes.len() <= MAX_NAMED => {
            format!("{count} transactions of processes {} and {last}", others.join(", "))
        }
        _ => format!("{count} transactions"),
    }
}

fn claim(history: &History, cycle: &Cycle) -> String {
    let all: Vec<TransactionIndex> = cycle.edges.iter().map(|edge| edge.from).collect();
    let all = of_transactions(history, &all);
    let order = match cycle.orders {
        Orders::Data => "",
        Orders::Process => ", by what they read and wrote and the order in which processes issued them",
        Orders::Realtime => ", by what they read and wrote and by when they took place",
    };
    // Where time puts some of them in order, not each did something to what the one before had written.
    let who = if cycle.orders == Orders::Data { "each" } else { "some" };
    let what = match cycle.kind {
        AnomalyKind::G0 => format!("{who} overwrote what the one before had written"),
        AnomalyKind::G1c => format!("{who} read or overwrote what the one before had written"),
        AnomalyKind::GSingle => "one of them read a version that was already replaced".to_owned(),
        _ => "some of them read versions that others replaced".to_owned(),
    };
    format!("{all} must each come before the next, and the last before the first{order}: {what}")
}
