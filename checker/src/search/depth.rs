//! Depth-first search (Wing and Gong 1993, Lowe 2017). Its cache is keyed by the steps that are open at once instead
//! of by the whole history: a node that was seen before leads nowhere new. Fast where almost any order works.

use std::rc::Rc;

use rustc_hash::FxHashSet;

use super::{
    racer::{Racer, SearchResult, Turn},
    space::{Node, Space},
};
use crate::{
    Limits,
    automaton::{Act, Automaton},
    budget::Shortage,
    memory::{Share, of_set, of_vec},
};

/// Room reserved for steps that take effect at once; there are hardly ever more.
const SETTLED_AT_ONCE: usize = 64;

/// Maximum number of states that are added before the automaton is asked again for room.
const NEW_STATES: usize = 64;

/// Work between two queries of the limits.
const WORK_PER_QUESTION: usize = 2048;

/// Node on the current path, its next child to try, and the length of the order there.
struct Frame {
    node: Rc<Node>,
    next: usize,
    ordered: usize,
}

pub(super) struct Depth<'a, K> {
    space: &'a Space<'a, K>,
    limits: &'a Limits<'a>,
    memory: Share<'a>,
    /// Memory that may be held until the next query of the limits, in bytes.
    most: usize,
    until_question: Turn,
    frames: Vec<Frame>,
    seen: FxHashSet<Rc<Node>>,
    /// Steps in the current order.
    order: Vec<u32>,
    /// Last completion that was reached.
    farthest: u32,
    /// Bytes held by the nodes that were seen.
    node_bytes: usize,
    has_begun: bool,
}

impl<'a, K: Act> Depth<'a, K> {
    pub(super) fn new(space: &'a Space<'a, K>, limits: &'a Limits<'a>) -> Self {
        Self {
            space,
            limits,
            memory: limits.memory.share(),
            most: 0,
            until_question: Turn::over(),
            frames: Vec::new(),
            seen: FxHashSet::default(),
            order: Vec::new(),
            farthest: 0,
            node_bytes: 0,
            has_begun: false,
        }
    }

    /// Enters a node unless it was seen. Returns true if it is the end.
    fn enter(&mut self, object: &mut (impl Automaton<Action = K> + ?Sized), mut node: Node) -> bool {
        loop {
            if self.space.is_end(&node) {
                return true;
            }
            if !self.space.settle(object, &mut node, |step| self.order.push(step)) {
                break;
            }
        }
        self.farthest = self.farthest.max(node.due);
        if !self.seen.contains(&node) {
            // A stored node needs no room to grow.
            node.shrink();
            self.node_bytes += node.bytes() + size_of::<(usize, usize, Node)>();
            let node = Rc::new(node);
            self.seen.insert(Rc::clone(&node));
            self.frames.push(Frame { node, next: 0, ordered: self.order.len() });
        }
        false
    }

    /// Queries the limits from time to time, and asks for memory before anything grows.
    fn ask(&mut self, object: &mut (impl Automaton<Action = K> + ?Sized)) -> Result<(), Shortage> {
        if !object.has_room(NEW_STATES) {
            if !object.may_grow(NEW_STATES) {
                return Err(Shortage::Memory);
            }
            object.reserve(NEW_STATES);
        }
        if self.until_question.is_over() || self.memory_bytes() > self.most {
            if !self.memory.hold(self.memory_bytes()) {
                return Err(Shortage::Memory);
            }
            self.most = self.memory.most();
            self.until_question = Turn::of(WORK_PER_QUESTION);
            self.limits.ask()?;
        }
        Ok(())
    }

    /// Returns the memory held with one node more, in bytes.
    fn memory_bytes(&self) -> usize {
        let nodes = self.node_bytes + of_vec(&self.frames, 1) + of_set(&self.seen, 1);
        self.space.bytes() + nodes + of_vec(&self.order, SETTLED_AT_ONCE)
    }

    fn found(&mut self) -> SearchResult {
        SearchResult::Order(std::mem::take(&mut self.order))
    }
}

impl<A: Automaton + ?Sized> Racer<A> for Depth<'_, A::Action> {
    fn run(&mut self, object: &mut A, turn: &mut Turn) -> Result<Option<SearchResult>, Shortage> {
        while !turn.is_over() {
            self.ask(object)?;
            let before = object.work();
            if !self.has_begun {
                self.has_begun = true;
                if self.enter(object, Node::first(object.initial())) {
                    return Ok(Some(self.found()));
                }
            }
            let Some(frame) = self.frames.last_mut() else {
                return Ok(Some(SearchResult::Refuted(self.space.due(self.farthest) as usize)));
            };
            self.order.truncate(frame.ordered);
            if frame.next == self.space.candidates(&frame.node) {
                self.frames.pop();
                continue;
            }
            frame.next += 1;
            if let Some((step, child)) = self.space.child(object, &frame.node, frame.next - 1) {
                self.order.push(step);
                if self.enter(object, child) {
                    return Ok(Some(self.found()));
                }
            }
            let cost = 1 + object.work() - before;
            turn.spend(cost);
            self.until_question.spend(cost);
        }
        Ok(None)
    }

    fn explained(&self) -> usize {
        self.farthest as usize
    }

    fn bytes(&self) -> usize {
        self.memory_bytes()
    }

    fn share(&self) -> usize {
        1
    }
}
