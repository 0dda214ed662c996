//! Search space of the depth-first search: the completions in order, the steps that are open before each, and the
//! number of unknown ones of each class that took effect.
//!
//! # Why it is right
//! Any linearization can be shifted so that each step takes effect immediately before the completion of some step
//! that is due. So a node stands before a completion, and is extended by steps that have begun by then, until the due
//! one has taken effect. Every step that completed before is done in every node there, so the state, the open steps
//! that are done, and the number of unknown ones used of each class determine the future of a node.
//! A look that is possible takes effect at once: it constrains no other step. Equal steps of unknown outcome have no
//! ends, so they are interchangeable and only counted. Using one that changes nothing only wastes it, and a look is
//! never needed.

use rustc_hash::FxHashMap;

use crate::{
    automaton::{Act, Automaton, State},
    budget::{Budget, Shortage},
    prepare::Step,
};

/// Class of equal unknown steps, in the order of their starts.
struct Class<K> {
    action: K,
    steps: Vec<u32>,
}

/// Node of the search, before some completion.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Node {
    /// Position of the completion that is due among all completions.
    pub due: u32,
    pub state: State,
    /// Open steps that took effect and may change something, ascending.
    pub changed: Vec<u32>,
    /// Open looks that took effect, ascending.
    pub looked: Vec<u32>,
    /// Number of steps of each class that took effect, if any: class and number, ascending.
    pub used: Vec<(u32, u32)>,
}

impl Node {
    /// Returns the node before all steps.
    pub(super) fn first(state: State) -> Self {
        Self { due: 0, state, changed: Vec::new(), looked: Vec::new(), used: Vec::new() }
    }

    /// Returns the bytes of its lists.
    pub(super) fn bytes(&self) -> usize {
        4 * (self.changed.capacity() + self.looked.capacity()) + 8 * self.used.capacity()
    }

    /// Frees the unused capacity of its lists.
    pub(super) fn shrink(&mut self) {
        self.changed.shrink_to_fit();
        self.looked.shrink_to_fit();
        self.used.shrink_to_fit();
    }
}

pub(super) struct Space<'a, K> {
    steps: &'a [Step<K>],
    /// Certain steps by their ends.
    due: &'a [u32],
    /// Certain steps that are open at each completion, by their ends: `open[from[due]..from[due + 1]]`.
    open: Vec<u32>,
    from: Vec<usize>,
    /// Classes by the start of their first step.
    classes: Vec<Class<K>>,
}

impl<'a, K: Act> Space<'a, K> {
    /// Builds the space of steps in the order of their starts, of which `due` are the certain ones.
    pub(super) fn new(steps: &'a [Step<K>], due: &'a [u32], budget: &Budget<'_>) -> Result<Self, Shortage> {
        let mut classes: FxHashMap<K, Vec<u32>> = FxHashMap::default();
        for (index, step) in (0..).zip(steps) {
            budget.step()?;
            if !step.is_certain() && !step.action.is_look() {
                classes.entry(step.action).or_default().push(index);
            }
        }
        let mut classes: Vec<Class<K>> = classes.into_iter().map(|(action, steps)| Class { action, steps }).collect();
        classes.sort_unstable_by_key(|class| class.steps[0]);
        let (open, from) = open_at(steps, due, budget)?;
        Ok(Self { steps, due, open, from, classes })
    }

    /// Returns the memory held, in bytes, as an estimate.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.steps) + 4 * self.open.capacity() + 16 * self.due.len()
    }

    /// Returns true if every certain step took effect.
    pub(super) fn is_end(&self, node: &Node) -> bool {
        node.due as usize == self.due.len()
    }

    /// Returns the step that is due.
    pub(super) fn due(&self, due: u32) -> u32 {
        self.due[due as usize]
    }

    fn open(&self, due: u32) -> std::ops::Range<usize> {
        self.from[due as usize]..self.from[due as usize + 1]
    }

    /// Lets every look take effect that can, and goes on to the next completion if the due step took effect.
    pub(super) fn settle(
        &self,
        object: &mut (impl Automaton<Action = K> + ?Sized),
        node: &mut Node,
        mut took_effect: impl FnMut(u32),
    ) -> bool {
        for &step in &self.open[self.open(node.due)] {
            let action = self.steps[step as usize].action;
            if action.is_look()
                && let Err(place) = node.looked.binary_search(&step)
                && object.step(node.state, action).is_some()
            {
                node.looked.insert(place, step);
                took_effect(step);
            }
        }
        let due = self.due(node.due);
        let is_look = self.steps[due as usize].action.is_look();
        let done = if is_look { &mut node.looked } else { &mut node.changed };
        let Ok(place) = done.binary_search(&due) else { return false };
        done.remove(place);
        node.due += 1;
        true
    }

    /// Returns the number of steps that may take effect next, before the due completion.
    pub(super) fn candidates(&self, node: &Node) -> usize {
        let end = self.steps[self.due(node.due) as usize].end;
        let begun = self.classes.partition_point(|class| self.steps[class.steps[0] as usize].start < end);
        self.open(node.due).len() + begun
    }

    /// Returns a candidate step and the node after it, if the step is possible and useful. The due step is the first
    /// candidate.
    pub(super) fn child(
        &self,
        object: &mut (impl Automaton<Action = K> + ?Sized),
        node: &Node,
        candidate: usize,
    ) -> Option<(u32, Node)> {
        let open = self.open(node.due);
        if candidate < open.len() {
            let step = self.open[open.start + candidate];
            let action = self.steps[step as usize].action;
            // A look that is still open is impossible in this state.
            let place = node.changed.binary_search(&step).err().filter(|_| !action.is_look())?;
            let state = object.step(node.state, action)?;
            let mut child = Node { state, ..node.clone() };
            child.changed.insert(place, step);
            return Some((step, child));
        }
        let class = candidate - open.len();
        let number = u32::try_from(class).expect("steps are numbered by u32");
        let place = node.used.binary_search_by_key(&number, |&(class, _)| class);
        let used = place.map_or(0, |place| node.used[place].1);
        let &step = self.classes[class].steps.get(used as usize)?;
        if self.steps[step as usize].start > self.steps[self.due(node.due) as usize].end {
            return None;
        }
        let state = object.step(node.state, self.classes[class].action).filter(|state| *state != node.state)?;
        let mut child = Node { state, ..node.clone() };
        match place {
            Ok(place) => child.used[place].1 += 1,
            Err(place) => child.used.insert(place, (number, 1)),
        }
        Some((step, child))
    }
}

/// Returns the certain steps that are open at each completion, by their ends, and the offsets of each completion's
/// steps.
fn open_at<K>(steps: &[Step<K>], due: &[u32], budget: &Budget<'_>) -> Result<(Vec<u32>, Vec<usize>), Shortage> {
    let mut begun = (0..).zip(steps).filter(|(_, step)| step.is_certain()).peekable();
    let mut open: Vec<u32> = Vec::new();
    let (mut all, mut from) = (Vec::new(), vec![0]);
    for &step in due {
        let end = steps[step as usize].end;
        while let Some((next, Step { end, .. })) = begun.next_if(|(_, next)| next.start < end) {
            let place = open.partition_point(|&other| steps[other as usize].end < *end);
            open.insert(place, next);
        }
        budget.steps(1 + open.len())?;
        all.extend_from_slice(&open);
        from.push(all.len());
        open.remove(0);
    }
    Ok((all, from))
}
