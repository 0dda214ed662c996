//! FIFO queues in which values may repeat and which may be peeked at: a search that decides as late as possible.
//!
//! # Decisions
//! The order in which values were put in shows only when they are taken out. So nothing is decided when a put
//! happens. A state knows which puts are *gone* (their values were taken), and a take chooses the put of its value
//! that was first: one such that no other put that is not gone had ended before it began. An order of everything
//! exists if and only if there is such a choice of takes, each within its time. (The puts then follow as in
//! [`super::method`], each at the last start of those up to it.)
//!
//! - A take takes effect immediately before some completion (as in any search), so calls that are open there may come
//!   in any order.
//! - Of puts of the same value, one that begins and ends no later than another goes first (exchange the two). Of open
//!   takes that find the same value, the one that ends first.
//! - A take that finds the queue empty takes effect as soon as every put that has ended is gone: puts that are still
//!   open can come after it, and since all others are gone, that decides nothing new about which was first.
//! - A peek at the front chooses the first put; the next take takes that one.
//! - A put of unknown outcome does not prevent others from being first; a take of unknown outcome takes any value, or
//!   none.
//!
//! With values that are put in once, hardly any choice is left.

use std::rc::Rc;

use histories::{Outcome, Value, ValueId};
use rustc_hash::{FxHashMap, FxHashSet};

use super::specification::{NAMES, Queue};
use crate::{
    Limits, UnknownWhy,
    budget::{Budget, Shortage},
    generic::{Object, RaceResult, shrink_by, tell},
    memory::{of_set, of_vec},
    objects::{
        container::collection::Collection,
        key::{Claim, Key, Violation},
    },
    unknown::unsupported,
};

/// Start or end of an operation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Moment {
    /// Rank of an event; negative for an initial value.
    At(i64),
    /// End of an operation that need not take place: after all others.
    Never,
}

/// Put, or a value that was there initially.
struct Put {
    value: ValueId,
    /// Index of the operation; none for an initial value.
    operation: Option<u32>,
    /// Start, later than that of all puts before.
    start: Moment,
    end: Moment,
}

/// Take or peek that was answered.
#[derive(Clone, Copy)]
struct Look {
    operation: u32,
    start: Moment,
    end: Moment,
    /// Value that it found, or `None` if it found the queue empty.
    found: Option<ValueId>,
    takes: bool,
}

/// Completion, in the order of the ends.
#[derive(Clone, Copy)]
enum Completion {
    Put { end: Moment },
    Look { end: Moment, look: u32 },
}

impl Completion {
    fn end(self) -> Moment {
        let (Self::Put { end } | Self::Look { end, .. }) = self;
        end
    }
}

/// Node of the search.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct QueueState {
    /// Number of events that are over.
    over: u32,
    /// Number of the first put that is not gone.
    base: u32,
    /// Later puts that are gone, ascending.
    gone: Vec<u32>,
    /// Looks that took effect and have not ended, ascending; those that need not take place stay.
    done: Vec<u32>,
    /// Number of takes of unknown outcome that took a value.
    adrift: u32,
    /// Put that was seen at the front.
    front: Option<u32>,
}

/// Move of the search: a look or take, and the put that it found, or `None` if the queue was empty.
#[derive(Clone, Copy)]
struct Move {
    who: Who,
    put: Option<u32>,
    /// Number of events that were over.
    over: u32,
}

#[derive(Clone, Copy)]
enum Who {
    Look(u32),
    Adrift,
}

struct SearchFrame {
    children: Vec<(QueueState, Option<Move>)>,
    moves: usize,
}

struct Fifo {
    puts: Vec<Put>,
    looks: Vec<Look>,
    /// Looks that are open and must take place, for each number of events that are over. The other looks are
    /// `optional`.
    open: Vec<Vec<u32>>,
    optional: Vec<u32>,
    events: Vec<Completion>,
    /// Takes of unknown outcome, by their starts: start and operation.
    adrift: Vec<(Moment, u32)>,
}

/// Decides one queue.
pub(super) fn decide(key: &Key<'_>) -> Claim {
    let queue = Collection::<Queue>::new(key.initial);
    queue.knows(key.history, &key.operations)?;
    if let Some(violation) = key.unexplained()? {
        return Err(violation.into());
    }
    match search(key, &key.operations, &FxHashSet::default(), key.limits) {
        RaceResult::Order(order) => Ok(order),
        RaceResult::Limit(why) => Err(why.into()),
        RaceResult::Refuted(rank) => {
            let mut oracle = |all: &[u32], spare: &FxHashSet<u32>, limits: &Limits<'_>| search(key, all, spare, limits);
            let small = shrink_by(&queue, key.history, &key.operations, rank, key.limits, &mut oracle);
            let (claim, reasons) = tell(key.history, &small);
            Err(Violation { reasons, ..Violation::new(small.shown, claim) }.into())
        }
    }
}

/// Searches for an order of these operations, of which those in `spare` need not take place.
fn search(key: &Key<'_>, operations: &[u32], spare: &FxHashSet<u32>, limits: &Limits<'_>) -> RaceResult {
    let budget = Budget::new(limits);
    let exhausted = |out: Shortage| out.among(key.history, operations);
    let found =
        Fifo::new(key, operations, spare, &budget).and_then(|fifo| fifo.run(limits, &budget).map_err(exhausted));
    found.unwrap_or_else(RaceResult::Limit)
}

impl Fifo {
    fn new(key: &Key<'_>, operations: &[u32], spare: &FxHashSet<u32>, budget: &Budget<'_>) -> Result<Self, UnknownWhy> {
        let exhausted = |out: Shortage| out.among(key.history, operations);
        budget.may_take(operations.len() * 128).map_err(exhausted)?;
        let first: &[Value] = if let Value::List(items) = key.initial { items } else { &[] };
        let id = |value: &Value| key.history.values.find(value).unwrap_or(ValueId::UNKNOWN);
        let mut puts: Vec<Put> = (first.iter().zip(0_i64..))
            .map(|(value, place)| {
                let start = 2 * (place - i64::try_from(first.len()).expect("a list in memory"));
                Put { value: id(value), operation: None, start: Moment::At(start), end: Moment::At(start + 1) }
            })
            .collect();
        let (mut looks, mut adrift) = (Vec::new(), Vec::new());
        for &index in operations {
            budget.step().map_err(exhausted)?;
            let operation = key.operation(index);
            let name = key.name(operation);
            let moment = |rank: u32| Moment::At(rank.into());
            let start = moment(operation.invoked);
            let is_certain = operation.outcome == Outcome::Ok && !spare.contains(&index);
            let end = if is_certain { moment(operation.completed) } else { Moment::Never };
            let is_answered = operation.outcome == Outcome::Ok && operation.output != ValueId::UNKNOWN;
            let found = Some(operation.output).filter(|&found| found != ValueId::NIL);
            if NAMES.put.contains(&name) {
                puts.push(Put { value: operation.input, operation: Some(index), start, end });
            } else if NAMES.take.contains(&name) && is_answered {
                looks.push(Look { operation: index, start, end, found, takes: true });
            } else if NAMES.take.contains(&name) {
                adrift.push((start, index, end));
            } else if is_answered && is_certain {
                looks.push(Look { operation: index, start, end, found, takes: false });
            }
        }
        if let Some(&(_, index, _)) = adrift.iter().find(|&&(.., end)| end != Moment::Never) {
            return unsupported(format!("{} that says not what it took", key.name(key.operation(index))));
        }
        let adrift = adrift.into_iter().map(|(start, index, _)| (start, index)).collect();
        let wanted: FxHashSet<ValueId> = looks.iter().filter_map(|look| look.found).collect();
        // A value that may have been put in and was never found is not needed.
        puts.retain(|put| put.end != Moment::Never || wanted.contains(&put.value));
        Ok(Self::of(puts, looks, adrift))
    }

    fn of(puts: Vec<Put>, looks: Vec<Look>, adrift: Vec<(Moment, u32)>) -> Self {
        let number = |of: usize| u32::try_from(of).expect("a history has fewer operations than 2^32");
        let mut events: Vec<Completion> = puts
            .iter()
            .filter(|put| put.end != Moment::Never && put.operation.is_some())
            .map(|put| Completion::Put { end: put.end })
            .chain(
                (0..)
                    .zip(&looks)
                    .filter(|(_, look)| look.end != Moment::Never)
                    .map(|(place, look)| Completion::Look { end: look.end, look: place }),
            )
            .collect();
        events.sort_unstable_by_key(|event| event.end());
        let by_start: Vec<u32> = (0..number(looks.len())).collect();
        let optional = by_start.iter().copied().filter(|&look| looks[look as usize].end == Moment::Never).collect();
        let (mut begun, mut now) = (by_start.into_iter().peekable(), Vec::new());
        let mut open = Vec::with_capacity(events.len());
        for event in &events {
            while let Some(look) = begun.next_if(|&look| looks[look as usize].start < event.end()) {
                if looks[look as usize].end != Moment::Never {
                    now.push(look);
                }
            }
            open.push(now.clone());
            if let Completion::Look { look, .. } = *event {
                now.retain(|&other| other != look);
            }
        }
        Self { puts, looks, open, optional, events, adrift }
    }

    fn is_gone(node: &QueueState, put: u32) -> bool {
        put < node.base || node.gone.binary_search(&put).is_ok()
    }

    /// Returns the puts that may be first among those that are not gone and begin before `now`.
    fn firsts(&self, node: &QueueState, now: Moment) -> Vec<u32> {
        if let Some(front) = node.front {
            return vec![front];
        }
        let (mut firsts, mut first_end) = (Vec::new(), now);
        for put in (node.base..).take_while(|&put| (put as usize) < self.puts.len()) {
            let Put { start, end, .. } = self.puts[put as usize];
            if start > first_end {
                break;
            }
            if !Self::is_gone(node, put) {
                firsts.push(put);
                first_end = first_end.min(end);
            }
        }
        firsts.retain(|&put| self.puts[put as usize].start < first_end);
        firsts
    }

    /// Returns the puts of a value among these, without those that another of them must precede.
    fn of_value(&self, firsts: &[u32], value: ValueId) -> Vec<u32> {
        let mut best: Vec<u32> = Vec::new();
        // By their starts: one that ends later than one before it is never better.
        for &put in firsts.iter().filter(|&&put| self.puts[put as usize].value == value) {
            let end = self.puts[put as usize].end;
            if best.iter().all(|&other| end < self.puts[other as usize].end) {
                best.push(put);
            }
        }
        best
    }

    /// Returns true if everything that was certainly put in by now is gone, and nothing was seen at the front.
    fn is_empty(&self, node: &QueueState, now: Moment) -> bool {
        let left = self.puts.iter().zip(0_u32..).skip(node.base as usize);
        let mut begun = left.take_while(|(put, _)| put.start < now);
        node.front.is_none() && begun.all(|(put, number)| put.end >= now || Self::is_gone(node, number))
    }

    fn take(node: &mut QueueState, put: u32) {
        if let Err(place) = node.gone.binary_search(&put) {
            node.gone.insert(place, put);
        }
        let passed = node.gone.iter().zip(node.base..).take_while(|&(&gone, base)| gone == base).count();
        node.base += u32::try_from(passed).expect("puts are numbered by u32");
        node.gone.drain(..passed);
        node.front = None;
    }

    fn add_done(node: &mut QueueState, look: u32) {
        if let Err(place) = node.done.binary_search(&look) {
            node.done.insert(place, look);
        }
    }

    /// Lets every look take effect that constrains no other call, and passes the events that require nothing more.
    fn settle(&self, node: &mut QueueState, mut took_effect: impl FnMut(Move)) {
        while let Some(event) = self.events.get(node.over as usize) {
            let now = event.end();
            let mut is_waiting = false;
            for &look in &self.open[node.over as usize] {
                if node.done.binary_search(&look).is_ok() {
                    continue;
                }
                let Look { found, takes, .. } = self.looks[look as usize];
                let put = match found {
                    None if self.is_empty(node, now) => None,
                    None => {
                        is_waiting = true;
                        continue;
                    }
                    Some(value) => match node.front {
                        Some(front) if !takes && self.puts[front as usize].value == value => Some(front),
                        _ => continue,
                    },
                };
                Self::add_done(node, look);
                took_effect(Move { who: Who::Look(look), put, over: node.over });
            }
            match *event {
                Completion::Put { .. } if is_waiting => return,
                Completion::Put { .. } => {}
                Completion::Look { look, .. } => match node.done.binary_search(&look) {
                    Ok(place) => {
                        node.done.remove(place);
                    }
                    Err(_) => return,
                },
            }
            node.over += 1;
        }
    }

    /// Returns the nodes that one more take or look leads to. The one that is due comes last, because the last is
    /// tried first.
    fn children(&self, node: &QueueState) -> Vec<(QueueState, Option<Move>)> {
        let event = self.events[node.over as usize];
        let now = event.end();
        let firsts = self.firsts(node, now);
        let mut children = Vec::new();
        let mut add = |who: Who, put: u32, change: &dyn Fn(&mut QueueState)| {
            let mut child = node.clone();
            change(&mut child);
            children.push((child, Some(Move { who, put: Some(put), over: node.over })));
        };
        let begun = usize::try_from(node.adrift).expect("operations are numbered by u32");
        if self.adrift.get(begun).is_some_and(|&(start, _)| start < now) {
            // A put of unknown outcome does not prevent others from being first, unless it was seen at the front.
            let is_in_the_way = |put: u32| self.puts[put as usize].end != Moment::Never || node.front.is_some();
            for &put in firsts.iter().filter(|&&put| is_in_the_way(put)) {
                add(Who::Adrift, put, &|child| {
                    child.adrift += 1;
                    Self::take(child, put);
                });
            }
        }
        let mut seen: FxHashSet<(Option<ValueId>, bool)> = FxHashSet::default();
        let mut open: Vec<u32> = self.open[node.over as usize].clone();
        open.sort_by_key(|&look| self.looks[look as usize].end);
        let optional = self.optional.iter().copied().take_while(|&look| self.looks[look as usize].start < now);
        let mut able: Vec<u32> = Vec::new();
        for look in open.into_iter().chain(optional).filter(|look| node.done.binary_search(look).is_err()) {
            let Look { found, takes, .. } = self.looks[look as usize];
            if found.is_some() && seen.insert((found, takes)) {
                able.push(look);
            }
        }
        for look in able.into_iter().rev() {
            let Look { found, takes, .. } = self.looks[look as usize];
            let Some(value) = found else { continue };
            for put in self.of_value(&firsts, value) {
                add(Who::Look(look), put, &|child| {
                    Self::add_done(child, look);
                    if takes {
                        Self::take(child, put);
                    } else {
                        child.front = Some(put);
                    }
                });
            }
        }
        if let Completion::Put { .. } = event {
            // A look that waits for the queue to be empty may go on waiting.
            children.push((QueueState { over: node.over + 1, ..node.clone() }, None));
        }
        children
    }

    fn run(&self, limits: &Limits<'_>, budget: &Budget<'_>) -> Result<RaceResult, Shortage> {
        let mut memory = limits.memory.share();
        let mut seen: FxHashSet<Rc<QueueState>> = FxHashSet::default();
        let (mut path, mut moves, mut bytes, mut farthest) = (Vec::<SearchFrame>::new(), Vec::<Move>::new(), 0, 0);
        let mut next = Some((QueueState::default(), None));
        loop {
            if let Some((mut node, step)) = next.take() {
                moves.extend(step);
                self.settle(&mut node, |step| moves.push(step));
                farthest = farthest.max(node.over as usize);
                if node.over as usize == self.events.len() {
                    return Ok(RaceResult::Order(self.order(&moves)));
                }
                let size = 4 * (node.gone.len() + node.done.len()) + size_of::<(usize, usize, QueueState)>();
                budget.steps(1 + size / 256)?;
                if !seen.contains(&node) {
                    bytes += size;
                    let children = self.children(&node);
                    seen.insert(Rc::new(node));
                    let held: usize = bytes + of_set(&seen, 1) + of_vec(&path, 1) + of_vec(&moves, 1);
                    // The untried children on the path take about as much as what is stored of it.
                    if !memory.hold(2 * held) {
                        return Err(Shortage::Memory);
                    }
                    path.push(SearchFrame { children, moves: moves.len() });
                }
            }
            let Some(frame) = path.last_mut() else {
                let Moment::At(rank) = self.events[farthest].end() else { unreachable!("what never ends is no event") };
                return Ok(RaceResult::Refuted(u32::try_from(rank).expect("an event of the history")));
            };
            moves.truncate(frame.moves);
            next = frame.children.pop();
            if next.is_none() {
                path.pop();
            }
        }
    }

    /// Returns the order that these moves stand for: each put as late as possible.
    fn order(&self, moves: &[Move]) -> Vec<u32> {
        // Each put once, as the values went through the queue: first those that were taken, then the one seen at the
        // front, then the rest.
        let mut line: Vec<u32> = Vec::with_capacity(self.puts.len());
        let mut is_in_line = vec![false; self.puts.len()];
        let mut front = None;
        for step in moves {
            let takes = match step.who {
                Who::Adrift => true,
                Who::Look(look) => self.looks[look as usize].takes,
            };
            match step.put {
                Some(put) if takes => {
                    is_in_line[put as usize] = true;
                    line.push(put);
                    front = None;
                }
                Some(put) => front = Some(put),
                None => {}
            }
        }
        let rest = (0_u32..).take(self.puts.len()).filter(|&put| self.puts[put as usize].end != Moment::Never);
        for put in front.into_iter().chain(rest) {
            if !std::mem::replace(&mut is_in_line[put as usize], true) {
                line.push(put);
            }
        }
        let places: FxHashMap<u32, usize> = line.iter().copied().zip(0..).collect();
        let by_end: FxHashMap<Moment, usize> =
            line.iter().map(|&put| (self.puts[put as usize].end, places[&put])).collect();
        let (mut order, mut put_in, mut adrift) = (Vec::new(), 0, self.adrift.iter());
        let mut put_until = |order: &mut Vec<u32>, place: usize| {
            while put_in <= place {
                order.extend(self.puts[line[put_in] as usize].operation);
                put_in += 1;
            }
        };
        let mut moves = moves.iter().peekable();
        for (over, event) in (0..).zip(&self.events) {
            while let Some(step) = moves.next_if(|step| step.over == over) {
                if let Some(put) = step.put {
                    put_until(&mut order, places[&put]);
                }
                match step.who {
                    Who::Look(look) => order.push(self.looks[look as usize].operation),
                    Who::Adrift => order.extend(adrift.next().map(|&(_, operation)| operation)),
                }
            }
            if let Completion::Put { end } = event {
                put_until(&mut order, by_end[end]);
            }
        }
        order
    }
}
