//! Breadth-first search: from completion to completion, with all nodes that are possible there (Lowe 2017, just in
//! time), except the hopeless ones.
//!
//! # Hopeless nodes
//! Of two nodes with the same state and the same open changes done, one is no worse if it has answered at least the
//! same reads and used at most the same unknown calls: any order that continues the other also continues it, without
//! the reads that it has answered. The certain changes done must be equal because each is both useful for its effect
//! and an obligation.
//! Few steps are tried before many, so that the better node usually comes first. Fast where unknown calls could
//! explain an answer in many ways.

use rustc_hash::FxHashMap;

use super::{
    depth::SETTLED_AT_ONCE,
    race::{End, Slice},
    space::{Node, Space},
    states::number,
};
use crate::{
    memory::{of_table, of_vec},
    specification::Specification,
};

/// Number of nodes for one completion above which the memory is freed.
const MAX_KEPT: usize = 4096;

/// Number of comparisons that take as long as a cached step.
const COMPARED_PER_STEP: usize = 8;

/// Placeholder for no step before this one.
const NONE: u32 = u32::MAX;

struct Entry {
    node: Node,
    /// Place of its last item in the trail.
    trail: u32,
    is_hopeless: bool,
}

/// Nodes before one completion, none of which is worse than another.
#[derive(Default)]
struct Level {
    entries: Vec<Entry>,
    /// Places of the comparable entries, by state and open changes done.
    places: FxHashMap<(u32, Vec<u32>), Vec<u32>>,
    /// Bytes of the lists in nodes and of places.
    bytes: usize,
}

impl Level {
    /// Returns the memory held with one more node, in bytes.
    fn bytes(&self) -> usize {
        self.bytes + of_vec(&self.entries, 1) + of_table(&self.places, 1)
    }

    /// Adds a node unless another one is no worse. Returns the number of comparisons.
    fn admit(&mut self, node: Node, trail: u32) -> usize {
        let places = self.places.entry((node.state, node.changed.clone())).or_default();
        let compared = places.len();
        if places.iter().any(|&place| is_no_worse(&self.entries[place as usize].node, &node)) {
            return compared;
        }
        places.retain(|&place| {
            let other = &mut self.entries[place as usize];
            other.is_hopeless = is_no_worse(&node, &other.node);
            !other.is_hopeless
        });
        places.push(number(self.entries.len()));
        // Its place, and the key of the first of the comparable ones.
        self.bytes += node.bytes() + 4 * node.changed.len() + 4 * size_of::<u32>();
        self.entries.push(Entry { node, trail, is_hopeless: false });
        compared
    }

    fn clear(&mut self) {
        if self.entries.len() > MAX_KEPT {
            *self = Self::default();
        }
        self.entries.clear();
        self.places.clear();
        self.bytes = 0;
    }
}

/// Returns true if the first has a future whenever the second has, given that they are comparable.
fn is_no_worse(a: &Node, b: &Node) -> bool {
    let has_unused = |&(class, count): &(u32, u32)| {
        b.used.binary_search_by_key(&class, |&(class, _)| class).is_ok_and(|place| b.used[place].1 >= count)
    };
    b.answered.iter().all(|item| a.answered.binary_search(item).is_ok()) && a.used.iter().all(has_unused)
}

#[derive(Default)]
pub(super) struct Sweep {
    now: Level,
    /// Entries in which the previous due call took effect, and which are settled before the next completion.
    waiting: std::vec::IntoIter<Entry>,
    /// Number of entries for which `waiting` has room, and bytes of their lists.
    waiting_room: usize,
    waiting_bytes: usize,
    /// Entry that is being extended, and the number of its next child.
    at: usize,
    next_child: usize,
    /// Entries in which the due call took effect.
    next: Level,
    /// Items, each with the place of the one before.
    trail: Vec<(u32, u32)>,
    /// Completion that is due.
    pub farthest: u32,
    has_begun: bool,
}

impl Sweep {
    pub(super) fn bytes(&self) -> usize {
        let waiting = self.waiting_bytes + self.waiting_room * size_of::<Entry>();
        self.now.bytes() + self.next.bytes() + waiting + of_vec(&self.trail, SETTLED_AT_ONCE)
    }

    /// Runs until the search or its slice ends.
    pub(super) fn run<S: Specification>(&mut self, space: &mut Space<'_, '_, S>, slice: Slice) -> Option<End> {
        if !std::mem::replace(&mut self.has_begun, true)
            && let Some(order) = self.enter(space, Node::default(), NONE)
        {
            return Some(End::Order(order));
        }
        while slice.lasts(space, self.bytes()) {
            space.states.work += 1;
            if let Some(Entry { node, trail, is_hopeless }) = self.waiting.next() {
                self.waiting_bytes -= node.bytes();
                if !is_hopeless && let Some(order) = self.enter(space, node, trail) {
                    return Some(End::Order(order));
                }
                if self.waiting.as_slice().is_empty() {
                    (self.waiting, self.waiting_room) = Default::default();
                }
                continue;
            }
            let Some(entry) = self.now.entries.get(self.at) else {
                if self.next.entries.is_empty() {
                    return Some(End::Refuted(self.farthest));
                }
                std::mem::swap(&mut self.now, &mut self.next);
                self.next.clear();
                (self.at, self.next_child) = (0, 0);
                self.farthest += 1;
                let waiting = std::mem::take(&mut self.now.entries);
                self.waiting_bytes = waiting.iter().map(|entry| entry.node.bytes()).sum();
                self.waiting_room = waiting.capacity();
                self.waiting = waiting.into_iter();
                self.now.clear();
                continue;
            };
            if entry.is_hopeless || self.next_child == space.candidates(&entry.node) {
                self.at += 1;
                self.next_child = 0;
                continue;
            }
            self.next_child += 1;
            if let Some((item, child)) = space.child(&entry.node, self.next_child - 1) {
                let trail = self.push(entry.trail, item);
                if let Some(order) = self.enter(space, child, trail) {
                    return Some(End::Order(order));
                }
            }
        }
        None
    }

    fn push(&mut self, trail: u32, item: u32) -> u32 {
        self.trail.push((trail, item));
        number(self.trail.len() - 1)
    }

    /// Adds a node to the right level. Returns the order that leads to it if it is the end.
    fn enter<S: Specification>(
        &mut self,
        space: &mut Space<'_, '_, S>,
        mut node: Node,
        mut trail: u32,
    ) -> Option<Vec<u32>> {
        if space.is_end(&node) {
            return Some(self.order(trail));
        }
        let arena = &mut self.trail;
        let is_over = space.settle(&mut node, |item| {
            arena.push((trail, item));
            trail = number(arena.len() - 1);
        });
        if !is_over {
            space.states.work += self.now.admit(node, trail) / COMPARED_PER_STEP;
            return None;
        }
        if space.is_end(&node) {
            return Some(self.order(trail));
        }
        space.states.work += self.next.admit(node, trail) / COMPARED_PER_STEP;
        None
    }

    fn order(&self, mut trail: u32) -> Vec<u32> {
        let mut order = Vec::new();
        while trail != NONE {
            let (before, item) = self.trail[trail as usize];
            order.push(item);
            trail = before;
        }
        order.reverse();
        order
    }
}
