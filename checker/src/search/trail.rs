//! Trail of visible changes that led to each configuration, and the order of operations that follows from it.

use crate::{
    automaton::{Act, Automaton},
    memory::of_vec,
    prepare::Step,
};

/// Place of a change in the trail; [`START`] before the first.
pub(super) type Place = u32;

/// Place before any change.
pub(super) const START: Place = Place::MAX;

/// Visible change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Certain step, by its index.
    Step(u32),
    /// Unknown change of this class.
    Class(u32),
}

#[derive(Clone, Copy, Debug)]
struct Node {
    parent: Place,
    /// Number of completions before the change.
    moment: u32,
    change: Change,
}

/// Tree of the visible changes of all configurations. Parents precede their children.
#[derive(Debug)]
pub(super) struct Trail {
    nodes: Vec<Node>,
    /// Number of nodes at which it is compacted.
    full: usize,
}

const SMALL: usize = 1 << 16;

impl Trail {
    pub(super) fn new() -> Self {
        Self { nodes: Vec::new(), full: SMALL }
    }

    pub(super) fn push(&mut self, parent: Place, moment: u32, change: Change) -> Place {
        self.nodes.push(Node { parent, moment, change });
        Place::try_from(self.nodes.len() - 1).expect("the memory limit is reached long before")
    }

    pub(super) fn is_full(&self) -> bool {
        self.nodes.len() >= self.full
    }

    /// Drops the nodes that lead to none of the `ends`, and updates the ends to their new places.
    pub(super) fn tidy<'e>(&mut self, ends: impl Iterator<Item = &'e mut Place>) {
        let mut ends: Vec<&mut Place> = ends.collect();
        let mut kept = vec![false; self.nodes.len()];
        for end in &ends {
            let mut at = **end;
            while at != START && !kept[at as usize] {
                kept[at as usize] = true;
                at = self.nodes[at as usize].parent;
            }
        }
        let mut moved = vec![START; self.nodes.len()];
        let mut next = 0;
        for at in 0..self.nodes.len() {
            if kept[at] {
                let node = self.nodes[at];
                let parent = if node.parent == START { START } else { moved[node.parent as usize] };
                self.nodes[next as usize] = Node { parent, ..node };
                moved[at] = next;
                next += 1;
            }
        }
        self.nodes.truncate(next as usize);
        self.full = SMALL.max(2 * self.nodes.len());
        for end in &mut ends {
            if **end != START {
                **end = moved[**end as usize];
            }
        }
    }

    /// Returns the changes up to `end`, first to last, each with its moment.
    pub(super) fn path(&self, end: Place) -> Vec<(u32, Change)> {
        let mut path = Vec::new();
        let mut at = end;
        while at != START {
            let Node { parent, moment, change } = self.nodes[at as usize];
            path.push((moment, change));
            at = parent;
        }
        path.reverse();
        path
    }

    /// Returns the memory held, in bytes, with `more` nodes added, including what compaction needs.
    pub(super) fn memory_bytes(&self, more: usize) -> usize {
        of_vec(&self.nodes, more) + self.nodes.len() * (size_of::<bool>() + size_of::<Place>())
    }

    /// Returns true if `more` nodes can be added without growing.
    pub(super) fn has_room(&self, more: usize) -> bool {
        self.nodes.len() + more <= self.nodes.capacity()
    }

    /// Grows to make room for `more` nodes.
    pub(super) fn reserve(&mut self, more: usize) {
        self.nodes.reserve(more);
    }
}

/// Expands a path of visible changes to a complete order (indexes of steps).
///
/// `due` are the certain steps in the order of their completions, `classes` the unknown ones of each class in the
/// order of their invocations. Each look takes place as soon as it can. Every other step that is not on the path
/// takes place where it leaves the state unchanged, or hides immediately before the first write of the path that it
/// overlaps.
pub(super) fn unfold<A: Automaton + ?Sized>(
    steps: &[Step<A::Action>],
    due: &[u32],
    classes: &[Vec<u32>],
    object: &mut A,
    path: &[(u32, Change)],
) -> Vec<u32> {
    let mut is_visible = vec![false; steps.len()];
    for &(_, change) in path {
        if let Change::Step(step) = change {
            is_visible[step as usize] = true;
        }
    }
    let mut used = vec![0; classes.len()];
    let mut order = Vec::with_capacity(steps.len());
    let (mut state, mut invoked, mut path) = (object.initial(), 0, path.iter().peekable());
    // Steps that are open, not in the order yet, and not on the path.
    let mut open: Vec<u32> = Vec::new();
    for (moment, &step) in (0..).zip(due) {
        let end = steps[step as usize].end;
        state = object.settle(state, end);
        while invoked < steps.len() && steps[invoked].start < end {
            if steps[invoked].is_certain() && !is_visible[invoked] {
                open.push(u32::try_from(invoked).expect("steps are numbered by u32"));
            }
            invoked += 1;
        }
        loop {
            open.retain(|&step| {
                let fits = object.step(state, steps[step as usize].action) == Some(state);
                if fits {
                    order.push(step);
                }
                !fits
            });
            let Some(&(_, change)) = path.next_if(|(at, _)| *at == moment) else { break };
            let step = match change {
                Change::Step(step) => step,
                Change::Class(class) => {
                    used[class as usize] += 1;
                    classes[class as usize][used[class as usize] - 1]
                }
            };
            if steps[step as usize].action.is_blind() {
                open.retain(|&hidden| {
                    let hides = steps[hidden as usize].action.can_hide();
                    if hides {
                        order.push(hidden);
                    }
                    !hides
                });
            }
            order.push(step);
            state = object.step(state, steps[step as usize].action).expect("the search took this step");
        }
    }
    order
}
