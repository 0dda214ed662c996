//! Open steps at some moment: each certain one in a slot of its own, equal changes grouped.

use super::{antichain::Config, mask::Mask};
use crate::{
    automaton::{Act, Automaton, Effect, State},
    prepare::Step,
};

/// Group of open certain changes with the same action.
#[derive(Clone, Debug)]
pub(super) struct Group<A> {
    pub action: A,
    /// Slots in the order of their ends: of equal changes, the one that ends first takes effect first.
    pub slots: Vec<u32>,
}

impl<A: Act> Group<A> {
    fn find(&self, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        self.slots.iter().map(|&slot| slot as usize).find(|&slot| wanted(slot))
    }

    /// Returns the first to end that can still take effect visibly.
    pub(super) fn first<const N: usize>(&self, config: &Config<N>) -> Option<usize> {
        let taken = if self.action.can_hide() { &config.spent } else { &config.done };
        self.find(|slot| !taken.has(slot))
    }

    /// Returns, for appends, the first to end that is done if `first` is not, or not done if `first` is: one that is
    /// done is only a means, the other also an obligation. (Writes need no such distinction: one visible write makes
    /// all open ones done.)
    pub(super) fn second<const N: usize>(&self, config: &Config<N>, first: usize) -> Option<usize> {
        if self.action.effect() != Effect::Extension {
            return None;
        }
        let is_done = config.done.has(first);
        self.find(|slot| !config.spent.has(slot) && config.done.has(slot) != is_done)
    }
}

/// Number of states whose idle steps are cached.
const REMEMBERED: usize = 32;

/// Open certain steps.
#[derive(Clone, Debug)]
pub(super) struct OpenSteps<A, const N: usize> {
    /// Step in each slot.
    pub slots: Vec<u32>,
    taken: Mask<N>,
    /// Changes that are possible only in some states.
    pub dependent: Mask<N>,
    /// Changes that are possible in all states.
    pub hiding: Mask<N>,
    looks: Mask<N>,
    pub groups: Vec<Group<A>>,
    /// Cache of the open steps that leave a state unchanged, by state.
    idle: Vec<(State, Mask<N>)>,
}

impl<A: Act, const N: usize> OpenSteps<A, N> {
    pub(super) fn new() -> Self {
        let none = Mask::NONE;
        let (slots, groups, idle) = (Vec::new(), Vec::new(), Vec::new());
        Self { slots, taken: none, dependent: none, hiding: none, looks: none, groups, idle }
    }

    pub(super) fn invoke(&mut self, steps: &[Step<A>], index: u32, object: &mut (impl Automaton<Action = A> + ?Sized)) {
        let slot = self.taken.first_free().expect("there are as many slots as steps open at once");
        self.taken.add(slot);
        if slot == self.slots.len() {
            self.slots.push(index);
        }
        self.slots[slot] = index;
        let Step { action, end, .. } = steps[index as usize];
        if action.is_look() {
            self.looks.add(slot);
        } else {
            if action.can_hide() { &mut self.hiding } else { &mut self.dependent }.add(slot);
            let at = self.groups.iter().position(|group| group.action == action).unwrap_or_else(|| {
                self.groups.push(Group { action, slots: Vec::new() });
                self.groups.len() - 1
            });
            let slots = &mut self.groups[at].slots;
            let place = slots.partition_point(|&other| steps[self.slots[other as usize] as usize].end < end);
            slots.insert(place, u32::try_from(slot).expect("there are few slots"));
        }
        if action.is_look() || action.can_hide() {
            for (state, idle) in &mut self.idle {
                if object.step(*state, action) == Some(*state) {
                    idle.add(slot);
                }
            }
        }
    }

    pub(super) fn slot_of(&self, index: u32) -> usize {
        let is_it = |slot: &usize| self.slots[*slot] == index && self.taken.has(*slot);
        (0..self.slots.len()).find(is_it).expect("a step that completes is open")
    }

    pub(super) fn complete(&mut self, slot: usize, action: A) {
        for mask in [&mut self.taken, &mut self.hiding, &mut self.dependent, &mut self.looks] {
            mask.remove(slot);
        }
        for (_, idle) in &mut self.idle {
            idle.remove(slot);
        }
        if let Some(at) = self.groups.iter().position(|group| group.action == action) {
            self.groups[at].slots.retain(|&other| other as usize != slot);
            if self.groups[at].slots.is_empty() {
                self.groups.swap_remove(at);
            }
        }
    }

    /// Returns the open looks that can take place in `state`, and the other open steps that leave it unchanged.
    pub(super) fn idle(
        &mut self,
        steps: &[Step<A>],
        state: State,
        object: &mut (impl Automaton<Action = A> + ?Sized),
    ) -> Mask<N> {
        if let Some((_, idle)) = self.idle.iter().find(|(known, _)| *known == state) {
            return *idle;
        }
        if self.idle.len() == REMEMBERED {
            self.idle.clear();
        }
        let mut idle = Mask::NONE;
        let wanted = self.looks.or(self.hiding);
        for (slot, &step) in self.slots.iter().enumerate() {
            if wanted.has(slot) && object.step(state, steps[step as usize].action) == Some(state) {
                idle.add(slot);
            }
        }
        self.idle.push((state, idle));
        idle
    }

    /// Returns the memory held, in bytes, as an estimate.
    pub(super) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * 2 * size_of::<u32>()
            + self.groups.capacity() * (size_of::<Group<A>>() + 16)
            + self.idle.capacity() * size_of::<(State, Mask<N>)>()
    }

    /// Returns the steps that make a change worthwhile when it makes one of them newly done.
    pub(super) fn worth(&self) -> Mask<N> {
        self.looks.or(self.dependent)
    }
}
