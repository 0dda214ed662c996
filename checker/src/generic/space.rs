//! Search space of both searches: the completions in order, the operations that are open before each, and the number
//! of unknown ones of each class that took effect.
//!
//! # Why it is right
//! Any linearization can be shifted so that each call takes effect immediately before the completion of some call
//! that is due. So a node stands before a completion, and is extended by calls that have begun by then, until the due
//! one has taken effect. Every operation that completed before is done in every node there, so the state, the open
//! calls that are done, and the number of unknown ones used of each class determine the future of a node.
//! A certain call that changes nothing and is possible takes effect at once: it constrains no other call. Equal calls
//! of unknown outcome have no ends, so they are interchangeable and only counted. Using one that changes nothing only
//! wastes it, and a read-only one is never needed.

use histories::{NEVER, Operation, Outcome};
use rustc_hash::FxHashMap;

use super::states::{States, number};
use crate::{
    budget::{Budget, Exhausted},
    specification::{Call, Specification},
};

/// Operation that counts.
struct Item {
    index: u32,
    start: u32,
    end: u32,
    kind: u32,
}

/// Class of equal unknown calls, in the order of their starts.
struct Class {
    kind: u32,
    items: Vec<u32>,
}

/// Node of the search. The default is the one before all operations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Node {
    /// Position of the completion that is due among all completions.
    pub due: u32,
    pub state: u32,
    /// Open items that took effect and may change something, ascending.
    pub changed: Vec<u32>,
    /// Open items that took effect and are read-only, ascending.
    pub answered: Vec<u32>,
    /// Number of items of each class that took effect, if any: class and number, ascending.
    pub used: Vec<(u32, u32)>,
}

impl Node {
    /// Returns the bytes of its lists.
    pub(super) fn bytes(&self) -> usize {
        4 * (self.changed.capacity() + self.answered.capacity()) + 8 * self.used.capacity()
    }

    /// Frees the unused capacity of its lists.
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
    /// Certain items that are open at each completion, by their ends: `open[from[due]..from[due + 1]]`.
    open: Vec<u32>,
    from: Vec<usize>,
    /// Classes by the start of their first item.
    classes: Vec<Class>,
    /// Bytes taken by the items.
    bytes: usize,
}

impl<'s, 'a, S: Specification> Space<'s, 'a, S> {
    /// Builds the space from calls in the order of their starts, each with its operation and the index of that.
    /// Certain operations count as unknown if `is_optional`.
    pub(super) fn new(
        states: &'s mut States<'a, S>,
        calls: impl Iterator<Item = (u32, Operation, Call<'a>)>,
        is_optional: impl Fn(u32) -> bool,
        budget: &Budget<'_>,
    ) -> Result<Self, Exhausted> {
        let mut items = Vec::new();
        let (mut due, mut classes): (Vec<u32>, FxHashMap<u32, Vec<u32>>) = (Vec::new(), FxHashMap::default());
        for (index, operation, call) in calls {
            budget.step()?;
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
        let (open, from) = open_at(&items, &due, budget)?;
        let bytes = items.capacity() * size_of::<Item>() + 4 * open.capacity() + 16 * due.capacity();
        Ok(Self { states, items, due, open, from, classes, bytes })
    }

    /// Returns the memory held with one step more, as an estimate.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.states.bytes()
    }

    /// Returns the number of completions.
    pub(super) fn completions(&self) -> usize {
        self.due.len()
    }

    pub(super) fn unknown_outcomes(&self) -> usize {
        self.items.len() - self.due.len()
    }

    /// Returns the rank of a completion.
    pub(super) fn end(&self, due: u32) -> u32 {
        self.items[self.due[due as usize] as usize].end
    }

    /// Returns the index of an item's operation.
    pub(super) fn index(&self, item: u32) -> u32 {
        self.items[item as usize].index
    }

    /// Returns true if every certain call took effect.
    pub(super) fn is_end(&self, node: &Node) -> bool {
        node.due as usize == self.due.len()
    }

    fn open(&self, due: u32) -> std::ops::Range<usize> {
        self.from[due as usize]..self.from[due as usize + 1]
    }

    /// Lets every read take effect that can, and goes on to the next completion if the due call took effect.
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

    /// Returns the number of calls that may take effect next, before the due completion.
    pub(super) fn candidates(&self, node: &Node) -> usize {
        let end = self.end(node.due);
        let begun = self.classes.partition_point(|class| self.items[class.items[0] as usize].start < end);
        self.open(node.due).len() + begun
    }

    /// Returns the item of a candidate call and the node after it, if the call is possible and useful. The due call
    /// is the first candidate.
    pub(super) fn child(&mut self, node: &Node, candidate: usize) -> Option<(u32, Node)> {
        let open = self.open(node.due);
        if candidate < open.len() {
            let item = self.open[open.start + candidate];
            let kind = self.items[item as usize].kind;
            // A read-only call that is still open is impossible in this state.
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

/// Returns the certain items that are open at each completion, by their ends, and the offsets of each completion's
/// items.
fn open_at(items: &[Item], due: &[u32], budget: &Budget<'_>) -> Result<(Vec<u32>, Vec<usize>), Exhausted> {
    let mut begun = (0..number(items.len())).filter(|&item| items[item as usize].end != NEVER).peekable();
    let mut open: Vec<u32> = Vec::new();
    let (mut all, mut from) = (Vec::new(), vec![0]);
    for &item in due {
        let end = items[item as usize].end;
        while let Some(next) = begun.next_if(|&next| items[next as usize].start < end) {
            let place = open.partition_point(|&other| items[other as usize].end < items[next as usize].end);
            open.insert(place, next);
        }
        budget.steps(1 + open.len())?;
        all.extend_from_slice(&open);
        from.push(all.len());
        open.remove(0);
    }
    Ok((all, from))
}
