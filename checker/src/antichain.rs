//! Configurations of the search, of which none can do all that another can.

use rustc_hash::FxHashMap;

use crate::automaton::State;

/// What the object may be in at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// Its state.
    pub state: State,
    /// Which open certain steps have taken effect: a bit for each slot.
    pub done: u128,
    /// How many unknown changes of each class have; classes beyond the end have none.
    pub used: Box<[u16]>,
}

impl Config {
    /// Counts one more of `class`.
    pub(crate) fn use_up(&mut self, class: usize) {
        if class >= self.used.len() {
            let mut longer = vec![0; class + 1];
            longer[..self.used.len()].copy_from_slice(&self.used);
            self.used = longer.into();
        }
        self.used[class] += 1;
    }

    /// Whether this can do whatever `other` can, given that state and certain changes are the same.
    fn covers(&self, other: &Self) -> bool {
        self.done & other.done == other.done
            && self.used.iter().enumerate().all(|(class, used)| *used <= other.used.get(class).copied().unwrap_or(0))
    }
}

/// Up to this many are compared one by one; more are found by state and changes.
const SCANNED: usize = 12;

const NONE: u32 = u32::MAX;

/// A set in which nobody covers another. Places stay: one that is covered later leaves a gap.
#[derive(Debug, Default)]
pub(crate) struct Antichain {
    items: Vec<Option<Config>>,
    /// The one before with the same state and changes, once there are many.
    previous: Vec<u32>,
    last: FxHashMap<(State, u128), u32>,
    live: usize,
    used_bytes: usize,
}

impl Antichain {
    /// Adds `config` unless one covers it; those that it covers go. `changes` are the slots of certain changes.
    pub(crate) fn insert(&mut self, config: Config, changes: u128) {
        if self.items.len() < SCANNED {
            let same = |other: &Config| other.state == config.state && (other.done ^ config.done) & changes == 0;
            for item in &mut self.items {
                if let Some(other) = item.as_ref().filter(|other| same(other)) {
                    if other.covers(&config) {
                        return;
                    }
                    if config.covers(other) {
                        *item = None;
                        self.live -= 1;
                    }
                }
            }
            self.push(config);
            return;
        }
        if self.previous.is_empty() {
            self.index(changes);
        }
        let key = (config.state, config.done & changes);
        let head = self.last.get(&key).copied().unwrap_or(NONE);
        let mut at = head;
        while at != NONE {
            if let Some(other) = &self.items[at as usize] {
                if other.covers(&config) {
                    return;
                }
                if config.covers(other) {
                    self.items[at as usize] = None;
                    self.live -= 1;
                }
            }
            at = self.previous[at as usize];
        }
        self.last.insert(key, place(self.items.len()));
        self.previous.push(head);
        self.push(config);
    }

    fn push(&mut self, config: Config) {
        self.live += 1;
        self.used_bytes += config.used.len() * size_of::<u16>();
        self.items.push(Some(config));
    }

    fn index(&mut self, changes: u128) {
        for (at, item) in self.items.iter().enumerate() {
            let previous = item.as_ref().and_then(|c| self.last.insert((c.state, c.done & changes), place(at)));
            self.previous.push(previous.unwrap_or(NONE));
        }
    }

    /// How many places there are, gaps among them.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// The configuration in this place, unless it was covered since.
    pub(crate) fn get(&self, at: usize) -> Option<&Config> {
        self.items[at].as_ref()
    }

    /// Keeps only `width` configurations: of each state and changes done first the one that has used the fewest unknown changes,
    /// then the second of each, and so on. Whether any had to go.
    pub(crate) fn keep_least_used(&mut self, width: usize, changes: u128) -> bool {
        if self.live <= width {
            return false;
        }
        let mut all: Vec<(usize, u32, Config)> =
            self.drain().map(|config| (0, config.used.iter().map(|&used| u32::from(used)).sum(), config)).collect();
        all.sort_by_key(|(_, used, config)| (config.state, config.done & changes, *used));
        for at in 1..all.len() {
            let (before, this) = (&all[at - 1], &all[at].2);
            if before.2.state == this.state && (before.2.done ^ this.done) & changes == 0 {
                all[at].0 = before.0 + 1;
            }
        }
        all.sort_by_key(|(place, used, config)| (*place, *used, config.done.count_ones()));
        all.truncate(width);
        self.live = all.len();
        self.items = all.into_iter().map(|(.., config)| Some(config)).collect();
        true
    }

    /// Takes all.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Config> + use<> {
        std::mem::take(self).items.into_iter().flatten()
    }

    pub(crate) fn clear(&mut self) {
        self.items.clear();
        self.previous.clear();
        self.last.clear();
        self.live = 0;
        self.used_bytes = 0;
    }

    /// What it holds, in bytes, tables included.
    pub(crate) fn memory_bytes(&self) -> usize {
        let entry = size_of::<(State, u128)>() + size_of::<u32>() + 1;
        self.items.capacity() * size_of::<Option<Config>>()
            + self.previous.capacity() * size_of::<u32>()
            + self.last.capacity() * entry * 8 / 7
            + self.used_bytes
    }
}

fn place(at: usize) -> u32 {
    u32::try_from(at).expect("the memory limit is reached long before")
}
