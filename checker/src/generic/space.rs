//! What both searches walk through: completions in their order, the operations that are open before each, unknown ones counted by
//! kind.
//!
//! # Why it is right
//! Any linearization can be shifted so that each call takes effect immediately before the completion of some call that is due: so
//! a node stands before a completion, and goes on by calls that have begun by then, until the due one has taken effect. What has
//! completed before is done in every node there, so the state, the open calls that are done, and how many unknown ones of each kind
//! are used up tell all about its future.
//! A certain call that changes nothing and is possible takes effect at once: it stands in nobody's way. Equal calls of unknown
//! outcome have no ends, so they are interchangeable: they are counted. One that changes nothing only uses itself up, and one
//! whose call is read-only is never needed.

use histories::{NEVER, Operation, Outcome};
use rustc_hash::FxHashMap;

use super::states::{States, number};
use crate::{
    model::{Call, Specification},
    patience::{OutOf, Patience},
};

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

    /// Gives back what its lists have room for.
    pub(super) fn shrink(&mut self) {
        self.changed.shrink_to_fit();
        self.answered.shrink_to_fit();
        self.used.shrink_to_fit();
    }
}

pub(super) struct Space<'s, 'a, S: Specification> {
    pub states: &'s mut States<'a, S>,
    items: Vec<Item>,
    /// Certain items by their ends.
    due: Vec<u32>,
    /// For each completion, the certain items that are open then, by their ends: `open[from[due]..from[due + 1]]`.
    open: Vec<u32>,
    from: Vec<usize>,
    /// By the start of the first.
    classes: Vec<Class>,
    /// What the history takes here.
    bytes: usize,
}

impl<'s, 'a, S: Specification> Space<'s, 'a, S> {
    /// Of these calls, each with the operation that made it and that one's index, by their starts; where `is_optional`, what is certain
    /// counts as unknown.
    pub(super) fn new(
        states: &'s mut States<'a, S>,
        calls: impl Iterator<Item = (u32, Operation, Call<'a>)>,
        is_optional: impl Fn(u32) -> bool,
        patience: &Patience<'_>,
    ) -> Result<Self, OutOf> {
        let mut items = Vec::new();
        let (mut due, mut classes): (Vec<u32>, FxHashMap<u32, Vec<u32>>) = (Vec::new(), FxHashMap::default());
        for (index, operation, call) in calls {
            patience.step()?;
            if operation.outcome == Outcome::Fail {
                continue;
            }
            let kind = states.kind(call);
            let is_unknown = operation.outcome == Outcome::Info || is_optional(index);
            if is_unknown && states.only_reads(kind) {
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
        let bytes = items.capacity() * size_of::<Item>() + 4 * open.capacity() + 16 * due.capacity();
        Ok(Self { states, items, due, open, from, classes, bytes })
    }

    /// What all this takes, by and large, with one step more.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.states.bytes()
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
            if self.states.only_reads(kind)
                && let Err(place) = node.answered.binary_search(&item)
                && self.states.step(node.state, kind).is_some()
            {
                node.answered.insert(place, item);
                took_effect(item);
            }
        }
        let due = self.due[node.due as usize];
        let is_read = self.states.only_reads(self.items[due as usize].kind);
        let done = if is_read { &mut node.answered } else { &mut node.changed };
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
            let place = node.changed.binary_search(&item).err().filter(|_| !self.states.only_reads(kind))?;
            let state = self.states.step(node.state, kind)?;
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
        let state = self.states.step(node.state, self.classes[class].kind).filter(|state| *state != node.state)?;
        let mut child = Node { state, ..node.clone() };
        match place {
            Ok(place) => child.used[place].1 += 1,
            Err(place) => child.used.insert(place, (number(class), 1)),
        }
        Some((item, child))
    }
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
