//! Antichain of configurations: a set in which no configuration covers another.

use rustc_hash::FxHashMap;

use super::{
    counts::{Counts, CountsId},
    mask::Mask,
    trail::{Place, START},
};
use crate::{
    automaton::State,
    index::OptionalIndex,
    memory::{of_table, of_vec},
};

/// Configuration: a possible state of the search at some moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Config<const N: usize> {
    /// State of the object.
    pub state: State,
    /// Number of unknown changes of each class that have taken effect.
    pub used: CountsId,
    /// Last visible change so far, as a place in the trail.
    pub trail: Place,
    /// Number of changes since the last completion.
    pub between: u8,
    /// Number of these that are of unknown outcome.
    pub unknown: u8,
    /// True if the last change is not yet observed: a change that depends on it must follow.
    pub bare: bool,
    /// Open certain steps that have nothing left to do.
    pub done: Mask<N>,
    /// Open certain writes that took effect visibly, and so cannot do so again.
    pub spent: Mask<N>,
}

impl<const N: usize> Config<N> {
    pub(super) fn new(state: State) -> Self {
        let (done, spent) = (Mask::NONE, Mask::NONE);
        Self { state, used: 0, trail: START, between: 0, unknown: 0, bare: false, done, spent }
    }

    /// Returns true if this configuration can do whatever `other` can, given that both have the same state and the
    /// same dependent changes done.
    fn covers(&self, other: &Self, counts: &Counts) -> bool {
        self.done.contains(other.done)
            && other.spent.contains(self.spent)
            && self.bare <= other.bare
            && counts.covers(self.used, other.used)
    }
}

/// Number of configurations up to which they are compared one by one; beyond that they are indexed by state and
/// dependent changes done.
const SCANNED: usize = 16;

/// Set in which no configuration covers another. Places are stable: a configuration that is covered later leaves a
/// gap.
#[derive(Debug, Default)]
pub(super) struct Antichain<const N: usize> {
    items: Vec<Config<N>>,
    gone: Vec<bool>,
    /// Place of the previous configuration with the same state and changes, once there are many.
    previous: Vec<OptionalIndex>,
    last: FxHashMap<(State, Mask<N>), u32>,
    live: usize,
    /// Number of comparisons since the last query.
    compared: u32,
}

impl<const N: usize> Antichain<N> {
    pub(super) fn new() -> Self {
        let (items, gone, previous, last) = (Vec::new(), Vec::new(), Vec::new(), FxHashMap::default());
        Self { items, gone, previous, last, live: 0, compared: 0 }
    }

    /// Adds `config` unless a configuration covers it, and removes those that it covers. `changes` are the slots of
    /// the dependent certain changes.
    pub(super) fn insert(&mut self, config: Config<N>, changes: Mask<N>, counts: &Counts) {
        let done = config.done.and(changes);
        if self.items.len() < SCANNED {
            for at in 0..self.items.len() {
                let other = &self.items[at];
                if other.state == config.state
                    && other.done.and(changes) == done
                    && self.is_settled(at, &config, counts)
                {
                    return;
                }
            }
            self.push(config);
            return;
        }
        if self.previous.is_empty() {
            for (at, item) in (0..).zip(&self.items) {
                self.previous.push(self.last.insert((item.state, item.done.and(changes)), at).into());
            }
        }
        let head = self.last.get(&(config.state, done)).copied();
        let mut next = head;
        while let Some(at) = next {
            if self.is_settled(at as usize, &config, counts) {
                return;
            }
            next = self.previous[at as usize].get();
        }
        let place = u32::try_from(self.items.len()).expect("the memory limit is reached long before");
        self.last.insert((config.state, done), place);
        self.previous.push(head.into());
        self.push(config);
    }

    /// Returns true if the configuration in this place covers `config`. Removes it if `config` covers it.
    fn is_settled(&mut self, at: usize, config: &Config<N>, counts: &Counts) -> bool {
        self.compared += 1;
        if self.gone[at] {
            return false;
        }
        if self.items[at].covers(config, counts) {
            return true;
        }
        if config.covers(&self.items[at], counts) {
            self.gone[at] = true;
            self.live -= 1;
        }
        false
    }

    fn push(&mut self, config: Config<N>) {
        self.live += 1;
        self.items.push(config);
        self.gone.push(false);
    }

    /// Returns the number of places, gaps included.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Returns the configuration in this place, unless it has been covered since.
    pub(super) fn get(&self, at: usize) -> Option<Config<N>> {
        (!self.gone[at]).then(|| self.items[at])
    }

    /// Moves at most `width` configurations to `out`, those that have used up least first, taking turns among the
    /// states. Returns true if some were dropped.
    pub(super) fn take(&mut self, width: usize, counts: &Counts, out: &mut Vec<Config<N>>) -> bool {
        out.clear();
        out.reserve_exact(self.live);
        out.extend(self.items.iter().zip(&self.gone).filter(|(_, gone)| !**gone).map(|(item, _)| *item));
        self.clear();
        if out.len() <= width {
            return false;
        }
        let cost = |c: &Config<N>| (counts.total(c.used), c.spent.len(), u32::MAX - c.done.len());
        out.sort_by_key(|c| (c.state, cost(c)));
        let mut turns: Vec<(u32, Config<N>)> = Vec::with_capacity(out.len());
        for config in out.drain(..) {
            let turn = turns.last().map_or(0, |(turn, before)| if before.state == config.state { turn + 1 } else { 0 });
            turns.push((turn, config));
        }
        turns.sort_by_key(|(turn, config)| (*turn, cost(config)));
        out.extend(turns.into_iter().take(width).map(|(_, config)| config));
        true
    }

    /// Returns the number of comparisons since the last call.
    pub(super) fn compared(&mut self) -> u32 {
        std::mem::take(&mut self.compared)
    }

    pub(super) fn clear(&mut self) {
        self.items.clear();
        self.gone.clear();
        self.previous.clear();
        self.last.clear();
        self.live = 0;
    }

    /// Returns the memory held with `more` configurations added, in bytes.
    pub(super) fn memory_bytes(&self, more: usize) -> usize {
        let indexed = if self.is_indexed_with(more) { self.items.len() + more - self.last.len() } else { 0 };
        of_vec(&self.items, more)
            + of_vec(&self.gone, more)
            + of_vec(&self.previous, indexed)
            + of_table(&self.last, indexed)
    }

    fn is_indexed_with(&self, more: usize) -> bool {
        self.items.len() + more >= SCANNED
    }

    /// Returns true if `more` configurations can be added without growing.
    pub(super) fn has_room(&self, more: usize) -> bool {
        let needed = self.items.len() + more;
        needed <= self.items.capacity().min(self.gone.capacity())
            && (!self.is_indexed_with(more) || needed <= self.previous.capacity().min(self.last.capacity()))
    }

    /// Grows to make room for `more` configurations.
    pub(super) fn reserve(&mut self, more: usize) {
        self.items.reserve(more);
        self.gone.reserve(more);
        if self.is_indexed_with(more) {
            let needed = self.items.len() + more;
            self.previous.reserve(needed - self.previous.len());
            self.last.reserve(needed - self.last.len());
        }
    }
}
