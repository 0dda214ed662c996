//! Depth-first search (Wing and Gong 1993, Lowe 2017). Its cache is keyed by the operations that are open at once
//! instead of by the whole history: a node that was seen before leads nowhere new. Fast where almost any order works.

use std::rc::Rc;

use rustc_hash::FxHashSet;

use super::{
    race::{End, Slice},
    space::{Node, Space},
};
use crate::{
    memory::{of_set, of_vec},
    specification::Specification,
};

/// Room reserved for calls that take effect at once; there are hardly ever more.
pub(super) const SETTLED_AT_ONCE: usize = 64;

/// Node on the current path, its next child to try, and the length of the order there.
struct Frame {
    node: Rc<Node>,
    next: usize,
    ordered: usize,
}

#[derive(Default)]
pub(super) struct Depth {
    frames: Vec<Frame>,
    seen: FxHashSet<Rc<Node>>,
    /// Items in the current order.
    order: Vec<u32>,
    /// Last completion that was reached.
    pub farthest: u32,
    /// Bytes held by the nodes that were seen.
    bytes: usize,
    has_begun: bool,
}

impl Depth {
    /// Returns the memory held with one node more, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + of_vec(&self.frames, 1) + of_set(&self.seen, 1) + of_vec(&self.order, SETTLED_AT_ONCE)
    }

    /// Runs until the search or its slice ends.
    pub(super) fn run<S: Specification>(&mut self, space: &mut Space<'_, '_, S>, slice: Slice) -> Option<End> {
        if !std::mem::replace(&mut self.has_begun, true) && self.enter(space, Node::default()) {
            return Some(End::Order(std::mem::take(&mut self.order)));
        }
        while slice.lasts(space, self.bytes()) {
            let Some(frame) = self.frames.last_mut() else { return Some(End::Refuted(self.farthest)) };
            self.order.truncate(frame.ordered);
            if frame.next == space.candidates(&frame.node) {
                self.frames.pop();
                continue;
            }
            frame.next += 1;
            space.states.work += 1;
            if let Some((item, child)) = space.child(&frame.node, frame.next - 1) {
                self.order.push(item);
                if self.enter(space, child) {
                    return Some(End::Order(std::mem::take(&mut self.order)));
                }
            }
        }
        None
    }

    /// Enters a node unless it was seen. Returns true if it is the end.
    fn enter<S: Specification>(&mut self, space: &mut Space<'_, '_, S>, mut node: Node) -> bool {
        loop {
            if space.is_end(&node) {
                return true;
            }
            if !space.settle(&mut node, |item| self.order.push(item)) {
                break;
            }
        }
        self.farthest = self.farthest.max(node.due);
        if !self.seen.contains(&node) {
            // A stored node needs no room to grow.
            node.shrink();
            self.bytes += node.bytes() + size_of::<(usize, usize, Node)>();
            let node = Rc::new(node);
            self.seen.insert(Rc::clone(&node));
            self.frames.push(Frame { node, next: 0, ordered: self.order.len() });
        }
        false
    }
}
