//! Keys of a load: a few at a time, each replaced by a new one before it has too many changes.

use crate::{Answer, Mix, Request, random::Random};

/// Keys in use, each at a place of its own. The number of operations on each key is bounded while all clients still
/// contend for the same few keys.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    places: Random,
    hot_percent: u32,
    mutations_per_key: u32,
    unknowns_per_key: u32,
    next_key: u32,
    slots: Vec<Slot>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    key: u32,
    mutations: u32,
    unknowns: u32,
}

impl Keys {
    /// Creates the keys from 0 to one below `mix.keys`. `concern` names the random numbers that choose among them.
    pub(crate) fn new(seed: u64, concern: &str, mix: &Mix) -> Self {
        let keys = u32::from(mix.keys.max(1));
        Self {
            places: Random::new(seed, concern),
            hot_percent: mix.hot_key_percent.into(),
            mutations_per_key: mix.mutations_per_key,
            unknowns_per_key: mix.unknowns_per_key,
            next_key: keys,
            slots: (0..keys).map(|key| Slot { key, mutations: 0, unknowns: 0 }).collect(),
        }
    }

    /// Draws a key in use: the one in the first place as often as the mix says, or else any.
    pub(crate) fn draw(&mut self) -> u32 {
        if self.hot_percent > 0 && self.places.below(100) < self.hot_percent {
            return self.slots[0].key;
        }
        let slots = u32::try_from(self.slots.len()).expect("there are at most 2^16 slots");
        self.slots[self.places.below(slots) as usize].key
    }

    /// Returns true if the key is in use.
    pub(crate) fn is_live(&self, key: u32) -> bool {
        self.place_of(key).is_some()
    }

    /// Counts a change of a key.
    pub(crate) fn count_change(&mut self, key: u32) {
        let Some(place) = self.place_of(key) else { return };
        self.slots[place].mutations += 1;
        if self.slots[place].mutations >= self.mutations_per_key {
            self.retire(place);
        }
    }

    /// Replaces a key by a new one, if it is in use.
    pub(crate) fn replace(&mut self, key: u32) {
        if let Some(place) = self.place_of(key) {
            self.retire(place);
        }
    }

    /// Counts a change of unknown outcome; one of a retired key does not matter.
    pub(crate) fn count_unknown(&mut self, key: u32) {
        let Some(place) = self.place_of(key) else { return };
        self.slots[place].unknowns += 1;
        if self.slots[place].unknowns >= self.unknowns_per_key {
            self.retire(place);
        }
    }

    /// Notes the outcome of a request: a key whose change has an unknown outcome counts one more of them.
    pub(crate) fn observe(&mut self, request: &Request, answer: &Answer) {
        if let (Some(key), false, Answer::Unknown(_)) = (request.key, request.action.is_read(), answer) {
            self.count_unknown(key);
        }
    }

    /// Returns all keys so far, retired ones first.
    pub(crate) fn all(&self) -> Vec<u32> {
        let retired = (0..self.next_key).filter(|key| !self.is_live(*key));
        retired.chain(self.slots.iter().map(|slot| slot.key)).collect()
    }

    fn place_of(&self, key: u32) -> Option<usize> {
        self.slots.iter().position(|slot| slot.key == key)
    }

    fn retire(&mut self, place: usize) {
        self.slots[place] = Slot { key: self.next_key, mutations: 0, unknowns: 0 };
        self.next_key += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_is_as_hot_as_the_mix_says_and_even_spread_draws_as_ever() {
        let share = |hot_key_percent| {
            let mut keys = Keys::new(1, "test", &Mix { keys: 5, hot_key_percent, ..Mix::default() });
            (0..10_000).filter(|_| keys.draw() == 0).count() / 100
        };
        // Beyond its own share, the hot key has a fifth of the rest.
        assert!((18..=22).contains(&share(0)), "{}", share(0));
        assert!((58..=62).contains(&share(50)), "{}", share(50));
        assert_eq!(share(100), 100);
        let drawn = |mix: &Mix| {
            let mut keys = Keys::new(1, "test", mix);
            (0..8).map(|_| keys.draw()).collect::<Vec<_>>()
        };
        assert_eq!(drawn(&Mix::default()), drawn(&Mix { hot_key_percent: 0, ..Mix::default() }));
    }

    #[test]
    fn a_key_gives_way_after_so_many_changes_or_unknown_outcomes() {
        let mut keys =
            Keys::new(1, "test", &Mix { keys: 2, mutations_per_key: 3, unknowns_per_key: 2, ..Mix::default() });
        assert_eq!(keys.all(), [0, 1]);
        for _ in 0..2 {
            keys.count_change(0);
        }
        assert!(keys.is_live(0));
        keys.count_change(0);
        assert!(!keys.is_live(0) && keys.is_live(2));
        keys.count_unknown(1);
        assert!(keys.is_live(1));
        keys.count_unknown(1);
        assert_eq!(keys.all(), [0, 1, 2, 3], "retired ones first");
        keys.count_change(0);
        keys.count_unknown(0);
        assert_eq!(keys.all(), [0, 1, 2, 3], "late news of a retired key changes nothing");
        keys.replace(2);
        keys.replace(2);
        assert_eq!(keys.all(), [0, 1, 2, 4, 3]);
        keys.replace(4);
        assert!((0..100).all(|_| matches!(keys.draw(), 3 | 5)));
    }
}
