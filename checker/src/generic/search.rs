//! The search that needs nothing but a specification: depth first (Wing and Gong 1993, Lowe 2017), with a memory that is keyed by
//! the operations that are open at once instead of by the whole history.
//!
//! # Why it is right
//! Any linearization can be shifted so that each call takes effect immediately before the completion of some call that is due: so
//! a node stands before a completion, and goes on by calls that have begun by then, until the due one has taken effect. What has
//! completed before is done in every node there, so the state, the open calls that are done, and how many unknown ones of each kind
//! are used up tell all about its future; a node that was seen before leads nowhere new.
//! A certain call that changes nothing and is possible takes effect at once: it stands in nobody's way. Equal calls of unknown
//! outcome have no ends, so they are interchangeable: they are counted. One that changes nothing only uses itself up, and one
//! whose call is read-only is never needed.

use histories::{History, NEVER, Outcome};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::{
    Limits, UnknownWhy,
    model::{Call, Specification},
    options::Share,
};

/// Nodes between two questions to the caller whether to go on.
const NODES_PER_QUESTION: usize = 1024;

/// What the search found.
pub(super) enum Found {
    /// Indexes of operations, in an order that explains everything.
    Order(Vec<u32>),
    /// No order explains even what happened until this rank.
    Dead(u32),
    /// A limit was reached.
    Limit(UnknownWhy),
}

/// An operation that counts.
struct Item {
    index: u32,
    start: u32,
    end: u32,
    kind: u32,
}

/// Equal unknown calls, in the order of their starts.
struct Class {
    kind: u32,
    items: Vec<u32>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Node {
    /// The completion that is due, by its place among all.
    due: u32,
    state: u32,
    /// Open items that took effect, ascending.
    done: Vec<u32>,
    /// How many of each class did.
    used: Vec<u32>,
}

/// What is still to be tried after a node, the last first, and how long the order was there.
struct Frame {
    children: Vec<(u32, Node)>,
    ordered: usize,
}

struct Search<'a, S: Specification> {
    object: &'a S,
    items: Vec<Item>,
    /// Certain items by their ends.
    due: Vec<u32>,
    /// For each completion, the certain items that are open then, by their ends.
    open: Vec<Vec<u32>>,
    classes: Vec<Class>,
    calls: Vec<Call<'a>>,
    states: Vec<S::State>,
    numbers: FxHashMap<S::State, u32>,
    /// The state after a kind of call in a state; nothing if it is impossible.
    steps: FxHashMap<(u32, u32), Option<u32>>,
    seen: FxHashSet<Node>,
    bytes: usize,
    order: Vec<u32>,
    /// The last completion that was reached.
    farthest: u32,
}

/// Looks for an order of the operations with these indexes.
pub(super) fn search<S: Specification>(
    object: &S,
    history: &History,
    operations: &[u32],
    limits: &Limits<'_>,
) -> Found {
    let mut search = Search::new(object, history, operations);
    match search.run(limits) {
        Ok(true) => Found::Order(search.order.iter().map(|&item| search.items[item as usize].index).collect()),
        Ok(false) => Found::Dead(search.end(search.farthest)),
        Err(why) => Found::Limit(why),
    }
}

impl<'a, S: Specification> Search<'a, S> {
    fn new(object: &'a S, history: &'a History, operations: &[u32]) -> Self {
        let mut kinds: FxHashMap<Call<'a>, u32> = FxHashMap::default();
        let (mut calls, mut items) = (Vec::new(), Vec::new());
        let (mut due, mut classes): (Vec<u32>, FxHashMap<u32, Vec<u32>>) = (Vec::new(), FxHashMap::default());
        for &index in operations {
            let operation = &history.operations[index as usize];
            let call = Call::of(history, operation, object.asks_who());
            let is_unknown = operation.outcome == Outcome::Info;
            if operation.outcome == Outcome::Fail || is_unknown && object.is_read_only(&call) {
                continue;
            }
            let kind = *kinds.entry(call).or_insert_with(|| {
                calls.push(call);
                number(calls.len() - 1)
            });
            let place = number(items.len());
            if is_unknown {
                classes.entry(kind).or_default().push(place);
            } else {
                due.push(place);
            }
            let end = if is_unknown { NEVER } else { operation.completed };
            items.push(Item { index, start: operation.invoked, end, kind });
        }
        due.sort_unstable_by_key(|&item| items[item as usize].end);
        let mut classes: Vec<Class> = classes.into_iter().map(|(kind, items)| Class { kind, items }).collect();
        classes.sort_unstable_by_key(|class| class.kind);
        let open = open_at(&items, &due);
        let initial = object.initial();
        let numbers = [(initial.clone(), 0)].into_iter().collect();
        Self {
            object,
            items,
            due,
            open,
            classes,
            calls,
            states: vec![initial],
            numbers,
            steps: FxHashMap::default(),
            seen: FxHashSet::default(),
            bytes: 0,
            order: Vec::new(),
            farthest: 0,
        }
    }

    /// Rank of a completion.
    fn end(&self, due: u32) -> u32 {
        self.items[self.due[due as usize] as usize].end
    }

    /// Whether there is an order; it is then in `order`.
    fn run(&mut self, limits: &Limits<'_>) -> Result<bool, UnknownWhy> {
        let mut root = Node { due: 0, state: 0, done: Vec::new(), used: vec![0; self.classes.len()] };
        if self.settle(&mut root) {
            return Ok(true);
        }
        self.farthest = root.due;
        let mut frames = vec![Frame { children: self.children(&root), ordered: self.order.len() }];
        let (mut until_question, mut memory) = (NODES_PER_QUESTION, limits.memory.share());
        while let Some(frame) = frames.last_mut() {
            self.order.truncate(frame.ordered);
            let Some((item, mut node)) = frame.children.pop() else {
                frames.pop();
                continue;
            };
            self.order.push(item);
            if self.settle(&mut node) {
                return Ok(true);
            }
            self.farthest = self.farthest.max(node.due);
            until_question -= 1;
            if until_question == 0 {
                until_question = NODES_PER_QUESTION;
                self.ask(limits, &mut memory)?;
            }
            if !self.seen.contains(&node) {
                let children = self.children(&node);
                self.bytes += 2 * size_of::<Node>() + 4 * node.done.len() + 4 * node.used.len() + 32;
                self.seen.insert(node);
                frames.push(Frame { children, ordered: self.order.len() });
            }
        }
        Ok(false)
    }

    fn ask(&self, limits: &Limits<'_>, memory: &mut Share<'_>) -> Result<(), UnknownWhy> {
        let (explained, completed) = (self.farthest as usize, self.due.len());
        let unknown_outcomes = self.items.len() - completed;
        // How large a state is, only its model knows: a guess.
        let bytes = self.bytes + 256 * self.states.len() + 32 * self.steps.len();
        if !memory.hold(bytes) {
            return Err(UnknownWhy::Memory { explained, completed, unknown_outcomes });
        }
        if (limits.keep_going)() { Ok(()) } else { Err(UnknownWhy::Time { explained, completed, unknown_outcomes }) }
    }

    /// Lets everything take effect that stands in nobody's way, and goes on to the next completion that lacks its call; `true`
    /// if there is none.
    fn settle(&mut self, node: &mut Node) -> bool {
        while let Some(&due) = self.due.get(node.due as usize) {
            for at in 0..self.open[node.due as usize].len() {
                let item = self.open[node.due as usize][at];
                let kind = self.items[item as usize].kind;
                let Err(place) = node.done.binary_search(&item) else { continue };
                if self.object.is_read_only(&self.calls[kind as usize]) && self.step(node.state, kind).is_some() {
                    node.done.insert(place, item);
                    self.order.push(item);
                }
            }
            let Ok(place) = node.done.binary_search(&due) else { return false };
            node.done.remove(place);
            node.due += 1;
        }
        true
    }

    /// The nodes that are one change away, and the item that changes; the one that is due goes last, so that it is tried first.
    fn children(&mut self, node: &Node) -> Vec<(u32, Node)> {
        let mut children = Vec::new();
        let end = self.end(node.due);
        for class in 0..self.classes.len() {
            let used = node.used[class] as usize;
            let kind = self.classes[class].kind;
            let Some(&item) = self.classes[class].items.get(used) else { continue };
            if self.items[item as usize].start > end {
                continue;
            }
            if let Some(state) = self.step(node.state, kind).filter(|state| *state != node.state) {
                let mut child = Node { state, ..node.clone() };
                child.used[class] += 1;
                children.push((item, child));
            }
        }
        for at in (0..self.open[node.due as usize].len()).rev() {
            let item = self.open[node.due as usize][at];
            let Err(place) = node.done.binary_search(&item) else { continue };
            if let Some(state) = self.step(node.state, self.items[item as usize].kind) {
                let mut child = Node { state, ..node.clone() };
                child.done.insert(place, item);
                children.push((item, child));
            }
        }
        children
    }

    fn step(&mut self, state: u32, kind: u32) -> Option<u32> {
        if let Some(&known) = self.steps.get(&(state, kind)) {
            return known;
        }
        let mut after = self.states[state as usize].clone();
        let next = self.object.apply(&mut after, &self.calls[kind as usize]).then(|| {
            *self.numbers.entry(after).or_insert_with_key(|after| {
                self.states.push(after.clone());
                number(self.states.len() - 1)
            })
        });
        self.steps.insert((state, kind), next);
        next
    }
}

/// For each completion, the certain items that have begun and not ended before, by their ends.
fn open_at(items: &[Item], due: &[u32]) -> Vec<Vec<u32>> {
    let mut begun = (0..number(items.len())).filter(|&item| items[item as usize].end != NEVER).peekable();
    let mut open: Vec<u32> = Vec::new();
    let mut all = Vec::with_capacity(due.len());
    for &item in due {
        let end = items[item as usize].end;
        while let Some(next) = begun.next_if(|&next| items[next as usize].start < end) {
            let place = open.partition_point(|&other| items[other as usize].end < items[next as usize].end);
            open.insert(place, next);
        }
        all.push(open.clone());
        open.retain(|&other| other != item);
    }
    all
}

fn number(of: usize) -> u32 {
    u32::try_from(of).expect("a history has fewer operations than 2^32, and memory fewer states")
}
