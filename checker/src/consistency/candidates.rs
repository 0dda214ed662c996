//! Total order of all events that rarely contradicts the causal order: it tells where to look for violations.
//!
//! Each access takes place at a moment, a rank of the history. A value is set at the left end of its block's zone, or
//! at the end of the zone before it that it must follow (`zones/mod.rs`), or, further along a chain, when all before
//! it have begun. A look takes place when it begins, or when its value is set, whichever is later. If each moment
//! lies within its operation, the order of the moments keeps the order of each session and sets each value before it
//! is found. So it extends the causal order, which therefore has no cycle, and the reader at a value can only know of
//! a newer change that lies *between* the two in that order. If every look finds the value that was set last, the
//! history is causally consistent. For any other look, all that can contradict causality (the look, the setting of
//! its value, the newer change, and every event that makes one known to the other) lies in the range from the setting
//! of the value to the look. So the events in such ranges suffice to find every violation, and they yield no false
//! one, because the causal order of a part is a part of the causal order.

use histories::{History, NEVER};

use super::key::took_place;
use crate::{
    budget::{Budget, Shortage},
    causal::{AccessEvent, AccessEvents, AccessKind},
    conflict_ranges::ConflictRanges,
    index::OptionalIndex,
    prepare::{INITIAL, KeySteps},
    rows::Rows,
    zones::{KeyZones, begin, finish},
};

/// Number of events before a look at an initial value that are searched for one after which its session knew of a
/// newer value.
const LOOK_BACK: usize = 1 << 12;

/// Events of all keys that took place, with their moments.
#[derive(Debug, Default)]
pub(super) struct CausalCandidates {
    /// Events, key by key.
    pub events: AccessEvents,
    /// Moment of each event.
    moments: Vec<u32>,
    /// Number of each value among those of its key, in the order of the zones.
    numbers: Vec<u32>,
    /// True if some moment is not within its operation.
    broken: bool,
}

impl CausalCandidates {
    /// Memory for each step, in bytes: an event with its moment (growing can take twice as much), then their order
    /// and the worst case of what is derived from it.
    pub(super) const BYTES: usize = 2 * size_of::<AccessEvent>() + 4 * size_of::<u32>();

    pub(super) fn with_capacity(steps: usize) -> Self {
        let events = AccessEvents { events: Vec::with_capacity(steps), ..AccessEvents::default() };
        Self { events, moments: Vec::with_capacity(steps), ..Self::default() }
    }

    /// Adds a key.
    pub(super) fn add(
        &mut self,
        history: &History,
        mut prepared: KeySteps,
        placed: KeyZones,
        budget: &Budget<'_>,
    ) -> Result<(), Shortage> {
        let clusters = &placed.clusters;
        let offset = u32::try_from(self.events.keys.len()).expect("values are counted by u32");
        let number = u32::try_from(self.events.initial.len()).expect("keys are counted by u32");
        self.events.initial.push(offset + INITIAL);
        self.events.keys.resize(self.events.keys.len() + clusters.len() as usize, number);
        let (values, numbers) = of_values(&placed);
        self.numbers.extend(numbers);
        prepared.steps.retain(|step| took_place(step, clusters));
        // For long histories this is as large as what follows.
        drop(placed);
        for step in &prepared.steps {
            budget.step()?;
            for event in AccessEvent::of(history, step, offset) {
                let set = values[(event.value - offset) as usize];
                let moment = if event.touch == AccessKind::Look { set.max(begin(step.start)) } else { set };
                self.broken |= !(begin(step.start)..=finish(step.end)).contains(&moment);
                self.events.events.push(event);
                self.moments.push(moment);
            }
        }
        Ok(())
    }

    /// Returns the events that decide whether all of it is causally consistent, session by session.
    pub(super) fn suspects(&mut self, budget: &Budget<'_>) -> Result<Vec<AccessEvent>, Shortage> {
        let all = &self.events.events;
        let mut events = if self.broken {
            all.clone()
        } else {
            let order = self.order(budget)?;
            let (windows, set_at) = self.windows(&order, budget)?;
            let is_inside = |&(place, event): &(u32, AccessEvent)| {
                let setter = set_at[event.value as usize].get();
                windows.number(place).is_some() && setter.is_none_or(|setter| windows.number(setter).is_some())
            };
            let events = (0..).zip(order.iter().map(|&at| all[at as usize]));
            if windows.is_empty() { Vec::new() } else { events.filter(is_inside).map(|(_, event)| event).collect() }
        };
        AccessEvent::sort(&mut events);
        Ok(events)
    }

    /// Returns the events ordered by their moments. Those of one moment belong to one key and are ordered by their
    /// values.
    fn order(&self, budget: &Budget<'_>) -> Result<Vec<u32>, Shortage> {
        let moments = self.moments.iter().max().map_or(0, |&last| last as usize + 1);
        budget.steps(moments)?;
        let mut order = Rows::new(moments, || self.moments.iter().copied().zip(0..)).numbers;
        let key = |&at: &u32| {
            let AccessEvent { value, touch, .. } = self.events.events[at as usize];
            (self.moments[at as usize], self.numbers[value as usize], touch == AccessKind::Look)
        };
        for at in 1..order.len() {
            budget.step()?;
            let mut place = at;
            while place > 0 && key(&order[place]) < key(&order[place - 1]) {
                order.swap(place, place - 1);
                place -= 1;
            }
        }
        Ok(order)
    }

    /// Returns the ranges of this order from the setting of a value to a look that finds it although another was set
    /// last, and the place at which each value is set.
    fn windows(&self, order: &[u32], budget: &Budget<'_>) -> Result<(ConflictRanges, Vec<OptionalIndex>), Shortage> {
        let AccessEvents { events, keys, initial } = &self.events;
        let mut last_set = initial.clone();
        let mut set_at = vec![OptionalIndex::NONE; keys.len()];
        let mut ranges = Vec::new();
        for (place, &at) in (0_u32..).zip(order) {
            budget.step()?;
            let AccessEvent { value, touch, .. } = events[at as usize];
            let key = keys[value as usize] as usize;
            if touch == AccessKind::Set {
                last_set[key] = value;
                set_at[value as usize] = place.into();
            } else if last_set[key] != value {
                let from = set_at[value as usize].get();
                ranges.push((from.unwrap_or_else(|| self.first_newer_value(order, place, &set_at)), place));
            }
        }
        Ok((ConflictRanges::new(ranges), set_at))
    }

    /// Returns the place from which on it is certain that the session of this look should not find an initial value.
    fn first_newer_value(&self, order: &[u32], place: u32, set_at: &[OptionalIndex]) -> u32 {
        let AccessEvents { events, keys, .. } = &self.events;
        let event = |place: u32| events[order[place as usize] as usize];
        let look = event(place);
        let is_better = |&before: &AccessEvent| {
            before.process == look.process
                && keys[before.value as usize] == keys[look.value as usize]
                && before.value != look.value
        };
        let known = (0..place).rev().take(LOOK_BACK).map(event).find(is_better);
        known.and_then(|known| set_at[known.value as usize].get()).unwrap_or(0)
    }
}

/// Returns for each value the moment at which it is set ([`NEVER`] if it is not), and its number in the order of the
/// zones.
fn of_values(placed: &KeyZones) -> (Vec<u32>, Vec<u32>) {
    let KeyZones { clusters, zones, .. } = placed;
    let (mut moments, mut numbers) = (vec![NEVER; clusters.len() as usize], vec![0; clusters.len() as usize]);
    let (mut held_until, mut number) = (0, 0);
    for zone in zones {
        let end = if zone.is_forward() { zone.left() } else { zone.right() };
        let fits = held_until <= end;
        let mut moment = if fits { zone.left().max(held_until) } else { zone.left() };
        // If two zones conflict, usually the one that claims more is wrong.
        held_until = match (fits, zone.is_forward()) {
            (true, false) => held_until,
            (true, true) => zone.right(),
            (false, true) => held_until.min(zone.right()),
            (false, false) => 0,
        };
        let mut looked = 0;
        for value in clusters.chain(zone.origin) {
            let cluster = &clusters[value];
            if value != zone.origin && cluster.writer.get().is_some() {
                moment = moment.max(cluster.begun);
                if looked <= cluster.ended.min(cluster.first_end.0) {
                    moment = moment.max(looked);
                }
            }
            looked = cluster.last_begin.0;
            moments[value as usize] = moment;
            numbers[value as usize] = number;
            number += 1;
        }
    }
    (moments, numbers)
}
