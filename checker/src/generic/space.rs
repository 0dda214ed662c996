//! What both searches walk through: completions in their order, the operations that are open before each, unknown ones counted by
//! kind, states numbered and transitions remembered.
//!
//! # Why it is right
//! Any linearization can be shifted so that each call takes effect immediately before the completion of some call that is due: so
//! a node stands before a completion, and goes on by calls that have begun by then, until the due one has taken effect. What has
//! completed before is done in every node there, so the state, the open calls that are done, and how many unknown ones of each kind
//! are used up tell all about its future.
//! A certain call that changes nothing and is possible takes effect at once: it stands in nobody's way. Equal calls of unknown
//! outcome have no ends, so they are interchangeable: they are counted. One that changes nothing only uses itself up, and one
//! whose call is read-only is never needed.

use std::{
    fmt::{self, Write},
    rc::Rc,
};

use histories::{History, NEVER, Outcome, Value};
use rustc_hash::FxHashMap;

use crate::{
    memory::{of_table, of_vec},
    model::{Call, Specification},
    patience::{OutOf, Patience},
};

/// Of so many new states in a row, the size of one is measured.
const STATES_PER_MEASURE: usize = 16;

/// What a step by a specification costs, in remembered steps: a guess.
const WORK_PER_STEP: usize = 8;

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

/// By default the one before everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Node {
    /// The completion that is due, by its place among all.
    pub due: u32,
    pub state: u32,
    /// Open items that took effect, ascending: those that may change something.
    pub changed: Vec<u32>,
    /// The others.
    pub answered: Vec<u32>,
    /// How many of each class did, if any: class and number, ascending.
    pub used: Vec<(u32, u32)>,
}

impl Node {
    /// What its lists take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        4 * (self.changed.capacity() + self.answered.capacity()) + 8 * self.used.capacity()
    }
}

pub(super) struct Space<'a, S: Specification> {
    object: &'a S,
    items: Vec<Item>,
    /// Certain items by their ends.
    due: Vec<u32>,
    /// For each completion, the certain items that are open then, by their ends: `open[from[due]..from[due + 1]]`.
    open: Vec<u32>,
    from: Vec<usize>,
    /// By the start of the first.
    classes: Vec<Class>,
    calls: Vec<Call<'a>>,
    /// Which calls are read-only.
    reads: Vec<bool>,
    states: Vec<Rc<S::State>>,
    numbers: FxHashMap<Rc<S::State>, u32>,
    /// The state after a kind of call in a state; nothing if it is impossible.
    steps: FxHashMap<(u32, u32), Option<u32>>,
    /// What the history takes here, and the states by themselves, by and large.
    bytes: usize,
    /// How much was done, in remembered steps.
    pub work: usize,
}

impl<'a, S: Specification> Space<'a, S> {
    /// Of the operations with these indexes; where `is_optional`, what is certain counts as unknown.
    pub(super) fn new(
        object: &'a S,
        history: &'a History,
        operations: &[u32],
        is_optional: impl Fn(u32) -> bool,
        patience: &Patience<'_>,
    ) -> Result<Self, OutOf> {
        let mut kinds: FxHashMap<Call<'a>, u32> = FxHashMap::default();
        let (mut calls, mut items, mut reads) = (Vec::new(), Vec::new(), Vec::new());
        let (mut due, mut classes): (Vec<u32>, FxHashMap<u32, Vec<u32>>) = (Vec::new(), FxHashMap::default());
        for &index in operations {
            patience.step()?;
            let operation = &history.operations[index as usize];
            if operation.outcome == Outcome::Fail {
                continue;
            }
            let call = Call::of(history, operation, object.asks_who());
            if kinds.len() == kinds.capacity() {
                patience.room(of_table(&kinds, 1))?;
            }
            let kind = *kinds.entry(call).or_insert_with(|| {
                calls.push(call);
                reads.push(object.is_read_only(&call));
                number(calls.len() - 1)
            });
            let is_unknown = operation.outcome == Outcome::Info || is_optional(index);
            if is_unknown && reads[kind as usize] {
                continue;
            }
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
        classes.sort_unstable_by_key(|class| class.items[0]);
        let (open, from) = open_at(&items, &due, patience)?;
        let initial = Rc::new(object.initial());
        let numbers = [(Rc::clone(&initial), 0)].into_iter().collect();
        let calls_bytes = calls.capacity() * (size_of::<Call<'_>>() + 1);
        let bytes = items.capacity() * size_of::<Item>() + 4 * open.capacity() + 16 * due.capacity() + calls_bytes;
        let (states, steps) = (vec![initial], FxHashMap::default());
        Ok(Self { object, items, due, open, from, classes, calls, reads, states, numbers, steps, bytes, work: 0 })
    }

    /// What all this takes, by and large, with one step more.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + of_vec(&self.states, 1) + of_table(&self.numbers, 1) + of_table(&self.steps, 1)
    }

    /// How many completions there are.
    pub(super) fn completions(&self) -> usize {
        self.due.len()
    }

    pub(super) fn unknown_outcomes(&self) -> usize {
        self.items.len() - self.due.len()
    }

    /// Rank of a completion.
    pub(super) fn end(&self, due: u32) -> u32 {
        self.items[self.due[due as usize] as usize].end
    }

    /// The operation that an item is.
    pub(super) fn index(&self, item: u32) -> u32 {
        self.items[item as usize].index
    }

    /// Whether every certain call took effect.
    pub(super) fn is_end(&self, node: &Node) -> bool {
        node.due as usize == self.due.len()
    }

    fn open(&self, due: u32) -> std::ops::Range<usize> {
        self.from[due as usize]..self.from[due as usize + 1]
    }

    /// Lets everything take effect that stands in nobody's way, and goes on to the next completion if the due call took effect.
    pub(super) fn settle(&mut self, node: &mut Node, mut took_effect: impl FnMut(u32)) -> bool {
        for at in self.open(node.due) {
            let item = self.open[at];
            let kind = self.items[item as usize].kind;
            if self.reads[kind as usize]
                && let Err(place) = node.answered.binary_search(&item)
                && self.step(node.state, kind).is_some()
            {
                node.answered.insert(place, item);
                took_effect(item);
            }
        }
        let due = self.due[node.due as usize];
        let done =
            if self.reads[self.items[due as usize].kind as usize] { &mut node.answered } else { &mut node.changed };
        let Ok(place) = done.binary_search(&due) else { return false };
        done.remove(place);
        node.due += 1;
        true
    }

    /// How many calls may take effect next, before the due completion.
    pub(super) fn candidates(&self, node: &Node) -> usize {
        let end = self.end(node.due);
        let begun = self.classes.partition_point(|class| self.items[class.items[0] as usize].start < end);
        self.open(node.due).len() + begun
    }

    /// The node after one of them, and the item, if that is possible and of use; the due call is the first.
    pub(super) fn child(&mut self, node: &Node, candidate: usize) -> Option<(u32, Node)> {
        let open = self.open(node.due);
        if candidate < open.len() {
            let item = self.open[open.start + candidate];
            let kind = self.items[item as usize].kind;
            // What only reads and is still open is impossible in this state.
            let place = node.changed.binary_search(&item).err().filter(|_| !self.reads[kind as usize])?;
            let state = self.step(node.state, kind)?;
            let mut child = Node { state, ..node.clone() };
            child.changed.insert(place, item);
            return Some((item, child));
        }
        let class = candidate - open.len();
        let place = node.used.binary_search_by_key(&number(class), |&(class, _)| class);
        let used = place.map_or(0, |place| node.used[place].1);
        let &item = self.classes[class].items.get(used as usize)?;
        if self.items[item as usize].start > self.end(node.due) {
            return None;
        }
        let state = self.step(node.state, self.classes[class].kind).filter(|state| *state != node.state)?;
        let mut child = Node { state, ..node.clone() };
        match place {
            Ok(place) => child.used[place].1 += 1,
            Err(place) => child.used.insert(place, (number(class), 1)),
        }
        Some((item, child))
    }

    fn step(&mut self, state: u32, kind: u32) -> Option<u32> {
        self.work += 1;
        if let Some(&known) = self.steps.get(&(state, kind)) {
            return known;
        }
        self.work += WORK_PER_STEP;
        let mut after = S::State::clone(&self.states[state as usize]);
        let next = self.object.apply(&mut after, &self.calls[kind as usize]).then(|| self.number_of(after));
        self.steps.insert((state, kind), next);
        next
    }

    fn number_of(&mut self, state: S::State) -> u32 {
        if let Some(&known) = self.numbers.get(&state) {
            return known;
        }
        let number = number(self.states.len());
        if self.states.len() % STATES_PER_MEASURE == 1 {
            self.bytes += STATES_PER_MEASURE * bytes_of(&state);
        }
        let state = Rc::new(state);
        self.states.push(Rc::clone(&state));
        self.numbers.insert(state, number);
        number
    }
}

/// About the most that a state takes. How much that is, only its model knows; but every part of it that matters shows in its text:
/// text and digits by their length, and what names and parts values by 10 bytes for each character, room to grow included. What
/// stands in braces may be a tree, of which the smallest node has room for eleven; what stands in brackets has room for four.
fn bytes_of<T: fmt::Debug>(state: &T) -> usize {
    const NODE: usize = 600;
    const SHORT: usize = 4 * size_of::<Value>();
    #[derive(Default)]
    struct Count {
        bytes: usize,
        in_text: bool,
        is_escaped: bool,
    }
    impl Write for Count {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for byte in text.bytes() {
                self.bytes += match byte {
                    b'{' if !self.in_text => NODE,
                    b'[' if !self.in_text => SHORT,
                    b'0'..=b'9' => 1,
                    _ if self.in_text => 1,
                    _ => 10,
                };
                self.in_text ^= byte == b'"' && !self.is_escaped;
                self.is_escaped = byte == b'\\' && !self.is_escaped;
            }
            Ok(())
        }
    }
    let mut count = Count::default();
    write!(count, "{state:?}").expect("counting never fails");
    // Two counters stand before what is shared.
    size_of::<T>() + 2 * size_of::<usize>() + count.bytes
}

/// For each completion, the certain items that have begun and not ended before, by their ends; and where those of each are.
fn open_at(items: &[Item], due: &[u32], patience: &Patience<'_>) -> Result<(Vec<u32>, Vec<usize>), OutOf> {
    let mut begun = (0..number(items.len())).filter(|&item| items[item as usize].end != NEVER).peekable();
    let mut open: Vec<u32> = Vec::new();
    let (mut all, mut from) = (Vec::new(), vec![0]);
    for &item in due {
        let end = items[item as usize].end;
        while let Some(next) = begun.next_if(|&next| items[next as usize].start < end) {
            let place = open.partition_point(|&other| items[other as usize].end < items[next as usize].end);
            open.insert(place, next);
        }
        patience.steps(1 + open.len())?;
        all.extend_from_slice(&open);
        from.push(all.len());
        open.remove(0);
    }
    Ok((all, from))
}

pub(super) fn number(of: usize) -> u32 {
    u32::try_from(of).expect("a history has fewer operations than 2^32, and memory fewer states")
}
