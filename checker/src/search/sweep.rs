//! Sweep step: from the configurations before a completion to those after it.

use std::iter;

use rustc_hash::FxHashMap;

use super::{
    Effort, Supply,
    antichain::{Antichain, Config},
    counts::Counts,
    mask::Mask,
    open::{Open, can_hide, is_blind, is_look},
    trail::{Change, Trail},
};
use crate::{
    Limits,
    automaton::{Automaton, State},
    budget::Exhausted,
    memory::Share,
    prepare::{Action, Step},
};

/// Number of configurations that are extended before a completion for each that is kept after it, if the width is
/// limited.
const EXTENDED_PER_KEPT: usize = 4;

/// Number of comparisons that take as long as extending one configuration.
const COMPARED_PER_STEP: u32 = 16;

/// Number of configurations between two queries of the limits.
const STEPS_PER_QUESTION: u32 = 2048;

/// Bytes of text that are made between two queries of the limits.
const WORK_BYTES_PER_QUESTION: usize = 1 << 20;

/// Class of equal changes of unknown outcome.
struct Class {
    action: Action,
    useful_until: u32,
}

/// State of the sweep between completions: what a rewind restores.
#[derive(Clone)]
pub(super) struct SweepState<const N: usize> {
    pub open: Open<N>,
    pub frontier: Vec<Config<N>>,
    /// Number of steps that began.
    pub invoked: usize,
    /// Number of steps that completed.
    pub completed: usize,
    /// Number of unknown changes of each class that began.
    begun: Vec<u32>,
    /// Classes whose effect can still be observed.
    live: Vec<u32>,
    /// Rank at which the next of these classes ceases to matter.
    next_death: u32,
    pub gave_up: bool,
}

/// Completion that is being processed.
#[derive(Clone, Copy)]
struct DueStep<const N: usize> {
    action: Action,
    slot: usize,
    /// Slots of the open changes that depend on the state.
    dependent: Mask<N>,
    effort: Effort,
}

impl<const N: usize> SweepState<N> {
    /// Returns the memory held, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.frontier.capacity() * size_of::<Config<N>>()
            + self.open.memory_bytes()
            + (self.begun.capacity() + self.live.capacity()) * size_of::<u32>()
    }
}

pub(super) struct Sweep<'a, A, const N: usize> {
    steps: &'a [Step],
    pub object: &'a mut A,
    limits: &'a Limits<'a>,
    memory: Share<'a>,
    /// Bytes held by the snapshots.
    pub held_bytes: usize,
    supply: Supply,
    pub now: SweepState<N>,
    classes: Vec<Class>,
    class_of: FxHashMap<Action, u32>,
    counts: Counts,
    pub trail: Trail,
    reached: Antichain<N>,
    next: Antichain<N>,
    until_question: u32,
    until_work_bytes: usize,
}

impl<'a, A: Automaton, const N: usize> Sweep<'a, A, N> {
    pub(super) fn new(steps: &'a [Step], object: &'a mut A, limits: &'a Limits<'a>, supply: Supply) -> Self {
        let now = SweepState {
            open: Open::new(),
            frontier: vec![Config::new(object.initial())],
            invoked: 0,
            completed: 0,
            begun: Vec::new(),
            live: Vec::new(),
            next_death: u32::MAX,
            gave_up: false,
        };
        let (reached, next, counts) = (Antichain::new(), Antichain::new(), Counts::new());
        let (classes, class_of) = (Vec::new(), FxHashMap::default());
        let (trail, until_question) = (Trail::new(), STEPS_PER_QUESTION);
        let memory = limits.memory.share();
        Self {
            steps,
            object,
            limits,
            memory,
            held_bytes: 0,
            supply,
            now,
            classes,
            class_of,
            counts,
            trail,
            reached,
            next,
            until_question,
            until_work_bytes: WORK_BYTES_PER_QUESTION,
        }
    }

    /// Opens every step that begins before `rank`, and merges what can make no difference from then on.
    pub(super) fn advance(&mut self, rank: u32) {
        while let Some(step) = self.steps.get(self.now.invoked).filter(|step| step.start < rank) {
            let index = u32::try_from(self.now.invoked).expect("steps are numbered by u32");
            self.now.invoked += 1;
            if step.is_certain() {
                self.now.open.invoke(self.steps, index, self.object);
            } else if !is_look(step.action) {
                self.begin_unknown(step);
            }
        }
        let dead = |class: u32| self.classes[class as usize].useful_until < rank;
        let dies = self.now.next_death < rank;
        if dies {
            self.now.live.retain(|&class| !dead(class));
            let left = self.now.live.iter().map(|&class| self.classes[class as usize].useful_until);
            self.now.next_death = left.min().unwrap_or(u32::MAX);
        }
        for config in &mut self.now.frontier {
            config.state = self.object.settle(config.state, rank);
            if dies {
                config.used = self.counts.keep(config.used, |class| !dead(class));
            }
        }
    }

    fn begin_unknown(&mut self, step: &Step) {
        let useful_until = self.object.useful_until(step.action);
        if useful_until < step.start {
            return;
        }
        let class = *self.class_of.entry(step.action).or_insert_with(|| {
            self.classes.push(Class { action: step.action, useful_until });
            u32::try_from(self.classes.len() - 1).expect("steps are numbered by u32")
        });
        self.now.begun.resize(self.classes.len(), 0);
        let begun = &mut self.now.begun[class as usize];
        *begun += 1;
        if *begun == 1 {
            self.now.live.push(class);
            self.now.next_death = self.now.next_death.min(useful_until);
        }
    }

    /// Returns the unknown steps of each class, in the order of their invocations.
    pub(super) fn members(&self) -> Vec<Vec<u32>> {
        let mut members = vec![Vec::new(); self.classes.len()];
        for (index, step) in (0..).zip(self.steps) {
            if let (false, Some(&class)) = (step.is_certain(), self.class_of.get(&step.action)) {
                members[class as usize].push(index);
            }
        }
        members
    }

    /// Extends every configuration until the step `due` has taken effect, within `effort`. Returns true if some
    /// configuration survives.
    pub(super) fn complete(&mut self, due: u32, effort: Effort) -> Result<bool, Exhausted> {
        let slot = self.now.open.slot_of(due);
        let due = DueStep { action: self.steps[due as usize].action, slot, dependent: self.now.open.dependent, effort };
        self.reached.clear();
        self.next.clear();
        for at in 0..self.now.frontier.len() {
            self.ask()?;
            let mut config = self.now.frontier[at];
            (config.between, config.unknown, config.bare) = (0, 0, false);
            config.done = config.done.or(self.idle(config.state));
            self.enter(config, due);
        }
        let room = effort.width.saturating_mul(EXTENDED_PER_KEPT);
        let mut at = 0;
        while at < self.reached.len().min(room) {
            self.ask()?;
            if let Some(config) = self.reached.get(at) {
                self.extend(config, due);
            }
            at += 1;
        }
        self.now.gave_up |= self.reached.len() > room;
        Ok(!self.next.is_empty())
    }

    /// Continues with the configurations that survived the completion of `due`.
    pub(super) fn go_on(&mut self, due: u32, width: usize) {
        self.now.gave_up |= self.next.take(width, &self.counts, &mut self.now.frontier);
        let slot = self.now.open.slot_of(due);
        self.now.open.complete(slot, self.steps[due as usize].action);
        self.now.completed += 1;
    }

    fn idle(&mut self, state: State) -> Mask<N> {
        self.now.open.idle(self.steps, state, self.object)
    }

    /// Enters a configuration as it is before the completion, before any change.
    fn enter(&mut self, config: Config<N>, due: DueStep<N>) {
        let is_done = config.done.has(due.slot);
        if is_done {
            self.survive(config, due);
        }
        // A change that was hidden may take effect visibly instead, for the last time.
        if !is_done || (can_hide(due.action) && !config.spent.has(due.slot)) {
            self.reached.insert(config, due.dependent, &self.counts);
        }
    }

    /// Records that `config` has nothing left to do before the completion.
    fn survive(&mut self, mut config: Config<N>, due: DueStep<N>) {
        config.done.remove(due.slot);
        config.spent.remove(due.slot);
        config.bare = false;
        let mut dependent = due.dependent;
        dependent.remove(due.slot);
        self.next.insert(config, dependent, &self.counts);
    }

    /// Extends `config` by one change in every possible way.
    fn extend(&mut self, config: Config<N>, due: DueStep<N>) {
        let is_look = is_look(due.action);
        if !(is_look || config.bare && is_blind(due.action)) {
            self.finish(config, due);
        }
        let last = config.between == due.effort.between;
        if last && !is_look {
            self.now.gave_up = true;
            return;
        }
        for at in 0..self.now.open.groups.len() {
            let group = &self.now.open.groups[at];
            let action = group.action;
            if action == due.action {
                continue;
            }
            let Some(first) = group.first(&config) else { continue };
            let second = group.second(&config, first);
            for slot in iter::once(first).chain(second) {
                self.change(config, due, action, Change::Step(self.now.open.slots[slot]), Some(slot), last);
            }
        }
        if config.unknown == due.effort.unknown {
            self.now.gave_up |= !self.now.live.is_empty();
            return;
        }
        for at in 0..self.now.live.len() {
            let class = self.now.live[at];
            let action = self.classes[class as usize].action;
            let mut groups = self.now.open.groups.iter();
            if groups.any(|group| group.action == action && group.first(&config).is_some()) {
                continue;
            }
            let is_left = match self.supply {
                Supply::Counted => self.counts.of(config.used, class) < self.now.begun[class as usize],
                Supply::Endless => true,
            };
            if is_left {
                self.change(config, due, action, Change::Class(class), None, last);
            }
        }
    }

    /// Lets the due change take effect, as the last one.
    fn finish(&mut self, config: Config<N>, due: DueStep<N>) {
        let Some(state) = self.object.step(config.state, due.action) else { return };
        let step = Change::Step(self.now.open.slots[due.slot]);
        self.changed(config, due, state, is_blind(due.action), step, |sweep, config| sweep.survive(config, due));
    }

    /// Returns true if an open step still waits for a state that should have come before this one.
    fn is_early(&self, config: &Config<N>) -> bool {
        let mut open = self.now.open.slots.iter().enumerate();
        open.any(|(slot, &step)| {
            self.now.open.worth().has(slot)
                && !config.done.has(slot)
                && self.object.follows(config.state, self.steps[step as usize].action)
        })
    }

    fn change(
        &mut self,
        config: Config<N>,
        due: DueStep<N>,
        action: Action,
        change: Change,
        slot: Option<usize>,
        last: bool,
    ) {
        let (is_blind, can_hide) = (is_blind(action), can_hide(action));
        if is_blind && config.bare {
            return;
        }
        let Some(state) = self.object.step(config.state, action) else { return };
        // A change that leaves the state unchanged can hide others, if there are any to hide.
        if state == config.state && (!is_blind || config.done.contains(self.now.open.hiding)) {
            return;
        }
        if can_hide && self.object.is_blank(state) {
            return;
        }
        if last && !self.idle(state).has(due.slot) {
            self.now.gave_up = true;
            return;
        }
        let mut config = config;
        config.between = config.between.saturating_add(1).min(u8::MAX - 1);
        if let Some(slot) = slot {
            config.done.add(slot);
            if can_hide {
                config.spent.add(slot);
            }
        } else {
            config.unknown = config.unknown.saturating_add(1).min(u8::MAX - 1);
            if let (Supply::Counted, Change::Class(class)) = (self.supply, change) {
                config.used = self.counts.use_up(config.used, class);
            }
        }
        let newly = slot.is_some() && !can_hide;
        self.changed(config, due, state, is_blind, change, |sweep, mut child| {
            let worth = sweep.now.open.worth();
            child.bare = !newly && config.done.and(worth) == child.done.and(worth);
            if is_look(due.action) && child.done.has(due.slot) {
                sweep.survive(child, due);
            } else {
                sweep.reached.insert(child, due.dependent, &sweep.counts);
            }
        });
    }

    /// Derives `config` in its new state: all looks that can take effect there are done, and after a blind change
    /// also all changes that it can hide. Gives it up if it comes too early for a guided effort.
    fn changed(
        &mut self,
        config: Config<N>,
        due: DueStep<N>,
        state: State,
        is_blind: bool,
        change: Change,
        then: impl FnOnce(&mut Self, Config<N>),
    ) {
        let mut child = Config { state, ..config };
        child.done = child.done.or(self.idle(state));
        if is_blind {
            child.done = child.done.or(self.now.open.hiding);
        }
        if due.effort.is_guided && self.is_early(&child) {
            self.now.gave_up = true;
            return;
        }
        if self.supply == Supply::Counted {
            let moment = u32::try_from(self.now.completed).expect("steps are numbered by u32");
            child.trail = self.trail.push(config.trail, moment, change);
        }
        then(self, child);
    }

    /// Queries the time limit from time to time, and asks for memory before anything grows.
    fn ask(&mut self) -> Result<(), Exhausted> {
        let compared = self.reached.compared() + self.next.compared();
        self.until_question = self.until_question.saturating_sub(1 + compared / COMPARED_PER_STEP);
        // One configuration leads to at most this many.
        let more = self.now.open.groups.len() + self.now.live.len() + 2;
        let has_room = self.reached.has_room(more)
            && self.next.has_room(more)
            && self.trail.has_room(2 * more)
            && self.object.has_room(more);
        let is_due = self.until_question == 0 || self.object.work_bytes() >= self.until_work_bytes;
        if !is_due && has_room {
            return Ok(());
        }
        if !self.memory.hold(self.bytes(more)) {
            return Err(Exhausted::Memory);
        }
        self.reached.reserve(more);
        self.next.reserve(more);
        self.trail.reserve(2 * more);
        self.object.reserve(more);
        if is_due {
            self.until_question = STEPS_PER_QUESTION;
            self.until_work_bytes = self.object.work_bytes() + WORK_BYTES_PER_QUESTION;
        }
        if is_due { self.limits.ask() } else { Ok(()) }
    }

    /// Returns the bytes held once this many more configurations are.
    fn bytes(&self, more: usize) -> usize {
        // Surviving configurations are sorted and kept, and perhaps stored in a snapshot.
        let survivors = 2 * (self.next.len() + more) * (size_of::<Config<N>>() + size_of::<u64>());
        self.next.memory_bytes(more)
            + self.reached.memory_bytes(more)
            + survivors.max(self.now.memory_bytes())
            + self.now.memory_bytes()
            + self.held_bytes
            + self.counts.memory_bytes(STEPS_PER_QUESTION as usize)
            + self.trail.memory_bytes(2 * more)
            + self.object.memory_bytes(more)
    }
}
