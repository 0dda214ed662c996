//! Sweep step: from the configurations before a completion to those after it.

use std::iter;

use histories::NEVER;
use rustc_hash::FxHashMap;

use super::{
    antichain::{Antichain, Config},
    counts::Counts,
    effort::{Effort, Supply},
    mask::Mask,
    open::OpenSteps,
    racer::Turn,
    trail::{Change, Trail},
};
use crate::{
    Limits,
    automaton::{Act, Automaton, State},
    budget::Shortage,
    memory::Share,
    prepare::Step,
};

/// Number of configurations that are extended before a completion for each that is kept after it, if the width is
/// limited.
const EXTENDED_PER_KEPT: usize = 4;

/// Number of comparisons that take as long as extending one configuration.
const COMPARED_PER_STEP: u32 = 16;

/// Number of configurations between two queries of the limits.
const STEPS_PER_QUESTION: u32 = 2048;

/// Class of equal changes of unknown outcome.
struct Class<A> {
    action: A,
    useful_until: u32,
}

/// State of the sweep between completions: what a rewind restores.
#[derive(Clone)]
pub(super) struct SweepState<A, const N: usize> {
    pub open: OpenSteps<A, N>,
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
struct DueStep<A, const N: usize> {
    action: A,
    slot: usize,
    /// Slots of the open changes that depend on the state.
    dependent: Mask<N>,
    effort: Effort,
}

impl<A: Act, const N: usize> SweepState<A, N> {
    /// Returns the memory held, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.frontier.capacity() * size_of::<Config<N>>()
            + self.open.memory_bytes()
            + (self.begun.capacity() + self.live.capacity()) * size_of::<u32>()
    }
}

pub(super) struct Sweep<'a, A: Automaton + ?Sized, const N: usize> {
    steps: &'a [Step<A::Action>],
    limits: &'a Limits<'a>,
    memory: Share<'a>,
    /// Bytes held by the snapshots.
    pub held_bytes: usize,
    supply: Supply,
    pub now: SweepState<A::Action, N>,
    classes: Vec<Class<A::Action>>,
    class_of: FxHashMap<A::Action, u32>,
    counts: Counts,
    pub trail: Trail,
    reached: Antichain<N>,
    next: Antichain<N>,
    until_question: u32,
    /// Work of the object at which the limits are queried.
    until_work: usize,
    /// Numbers of configurations that were entered and extended, if the completion that is due was interrupted.
    interrupted: Option<(usize, usize)>,
}

impl<'a, A: Automaton + ?Sized, const N: usize> Sweep<'a, A, N> {
    pub(super) fn new(steps: &'a [Step<A::Action>], object: &A, limits: &'a Limits<'a>, supply: Supply) -> Self {
        let now = SweepState {
            open: OpenSteps::new(),
            frontier: vec![Config::new(object.initial())],
            invoked: 0,
            completed: 0,
            begun: Vec::new(),
            live: Vec::new(),
            next_death: NEVER,
            gave_up: false,
        };
        let (reached, next, counts) = (Antichain::new(), Antichain::new(), Counts::new());
        let (classes, class_of) = (Vec::new(), FxHashMap::default());
        let (trail, until_question) = (Trail::new(), STEPS_PER_QUESTION);
        let memory = limits.memory.share();
        Self {
            steps,
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
            until_work: STEPS_PER_QUESTION as usize,
            interrupted: None,
        }
    }

    /// Opens every step that begins before `rank`, and merges what can make no difference from then on.
    pub(super) fn advance(&mut self, object: &mut A, rank: u32) {
        while let Some(step) = self.steps.get(self.now.invoked).filter(|step| step.start < rank) {
            let index = u32::try_from(self.now.invoked).expect("steps are numbered by u32");
            self.now.invoked += 1;
            if step.is_certain() {
                self.now.open.invoke(self.steps, index, object);
            } else if !step.action.is_look() {
                self.begin_unknown(object, step);
            }
        }
        let dead = |class: u32| self.classes[class as usize].useful_until < rank;
        let dies = self.now.next_death < rank;
        if dies {
            self.now.live.retain(|&class| !dead(class));
            let left = self.now.live.iter().map(|&class| self.classes[class as usize].useful_until);
            self.now.next_death = left.min().unwrap_or(NEVER);
        }
        for config in &mut self.now.frontier {
            config.state = object.settle(config.state, rank);
            if dies {
                config.used = self.counts.keep(config.used, |class| !dead(class));
            }
        }
    }

    fn begin_unknown(&mut self, object: &A, step: &Step<A::Action>) {
        let useful_until = object.useful_until(step.action);
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
    /// configuration survives, or `None` if the turn ended before; then the next call goes on.
    pub(super) fn complete(
        &mut self,
        object: &mut A,
        due: u32,
        effort: Effort,
        turn: &mut Turn,
    ) -> Result<Option<bool>, Shortage> {
        let slot = self.now.open.slot_of(due);
        let due = DueStep { action: self.steps[due as usize].action, slot, dependent: self.now.open.dependent, effort };
        let (mut entered, mut extended) = self.interrupted.unwrap_or_else(|| {
            self.reached.clear();
            self.next.clear();
            (0, 0)
        });
        let room = effort.width.saturating_mul(EXTENDED_PER_KEPT);
        loop {
            let is_entered = entered == self.now.frontier.len();
            if is_entered && extended == self.reached.len().min(room) {
                break;
            }
            self.interrupted = Some((entered, extended));
            if turn.is_over() {
                return Ok(None);
            }
            let (cost, before) = (self.ask(object)?, object.work());
            if is_entered {
                if let Some(config) = self.reached.get(extended) {
                    self.extend(object, config, due);
                    turn.spend(self.now.open.groups.len() + self.now.live.len());
                }
                extended += 1;
            } else {
                let mut config = self.now.frontier[entered];
                (config.between, config.unknown, config.bare) = (0, 0, false);
                config.done = config.done.or(self.idle(object, config.state));
                self.enter(config, due);
                entered += 1;
            }
            turn.spend(cost + object.work() - before);
        }
        self.interrupted = None;
        self.now.gave_up |= self.reached.len() > room;
        Ok(Some(!self.next.is_empty()))
    }

    /// Continues with the configurations that survived the completion of `due`.
    pub(super) fn go_on(&mut self, due: u32, width: usize) {
        self.now.gave_up |= self.next.take(width, &self.counts, &mut self.now.frontier);
        let slot = self.now.open.slot_of(due);
        self.now.open.complete(slot, self.steps[due as usize].action);
        self.now.completed += 1;
    }

    fn idle(&mut self, object: &mut A, state: State) -> Mask<N> {
        self.now.open.idle(self.steps, state, object)
    }

    /// Enters a configuration as it is before the completion, before any change.
    fn enter(&mut self, config: Config<N>, due: DueStep<A::Action, N>) {
        let is_done = config.done.has(due.slot);
        if is_done {
            self.survive(config, due);
        }
        // A change that was hidden may take effect visibly instead, for the last time.
        if !is_done || (due.action.can_hide() && !config.spent.has(due.slot)) {
            self.reached.insert(config, due.dependent, &self.counts);
        }
    }

    /// Records that `config` has nothing left to do before the completion.
    fn survive(&mut self, mut config: Config<N>, due: DueStep<A::Action, N>) {
        config.done.remove(due.slot);
        config.spent.remove(due.slot);
        config.bare = false;
        let mut dependent = due.dependent;
        dependent.remove(due.slot);
        self.next.insert(config, dependent, &self.counts);
    }

    /// Extends `config` by one change in every possible way.
    fn extend(&mut self, object: &mut A, config: Config<N>, due: DueStep<A::Action, N>) {
        let is_look = due.action.is_look();
        if !(is_look || config.bare && due.action.is_blind()) {
            self.finish(object, config, due);
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
                self.change(object, config, due, action, Change::Step(self.now.open.slots[slot]), Some(slot));
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
                self.change(object, config, due, action, Change::Class(class), None);
            }
        }
    }

    /// Lets the due change take effect, as the last one.
    fn finish(&mut self, object: &mut A, config: Config<N>, due: DueStep<A::Action, N>) {
        let Some(state) = object.step(config.state, due.action) else { return };
        let step = Change::Step(self.now.open.slots[due.slot]);
        if let Some(child) = self.changed(object, config, due, state, due.action.is_blind(), step) {
            self.survive(child, due);
        }
    }

    /// Returns true if an open step still waits for a state that should have come before this one.
    fn is_early(&self, object: &A, config: &Config<N>) -> bool {
        let mut open = self.now.open.slots.iter().enumerate();
        open.any(|(slot, &step)| {
            self.now.open.worth().has(slot)
                && !config.done.has(slot)
                && object.follows(config.state, self.steps[step as usize].action)
        })
    }

    fn change(
        &mut self,
        object: &mut A,
        config: Config<N>,
        due: DueStep<A::Action, N>,
        action: A::Action,
        change: Change,
        slot: Option<usize>,
    ) {
        let (is_blind, can_hide) = (action.is_blind(), action.can_hide());
        if is_blind && config.bare {
            return;
        }
        let Some(state) = object.step(config.state, action) else { return };
        // A change that leaves the state unchanged can hide others, if there are any to hide.
        let is_obligation = slot.is_some() && !can_hide;
        if state == config.state && !is_obligation && (!is_blind || config.done.contains(self.now.open.hiding)) {
            return;
        }
        if can_hide && object.is_blank(state) {
            return;
        }
        let is_last = config.between == due.effort.between;
        if is_last && !self.idle(object, state).has(due.slot) {
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
        let Some(mut child) = self.changed(object, config, due, state, is_blind, change) else { return };
        let worth = self.now.open.worth();
        child.bare = !is_obligation && config.done.and(worth) == child.done.and(worth);
        if due.action.is_look() && child.done.has(due.slot) {
            self.survive(child, due);
        } else {
            self.reached.insert(child, due.dependent, &self.counts);
        }
    }

    /// Derives `config` in its new state: all looks that can take effect there are done, and after a blind change
    /// also all changes that it can hide. Returns `None` if it comes too early for a guided effort, and is given up.
    fn changed(
        &mut self,
        object: &mut A,
        config: Config<N>,
        due: DueStep<A::Action, N>,
        state: State,
        is_blind: bool,
        change: Change,
    ) -> Option<Config<N>> {
        let mut child = Config { state, ..config };
        child.done = child.done.or(self.idle(object, state));
        if is_blind {
            child.done = child.done.or(self.now.open.hiding);
        }
        if due.effort.is_guided && self.is_early(object, &child) {
            self.now.gave_up = true;
            return None;
        }
        if self.supply == Supply::Counted {
            let moment = u32::try_from(self.now.completed).expect("steps are numbered by u32");
            child.trail = self.trail.push(config.trail, moment, change);
        }
        Some(child)
    }

    /// Queries the time limit from time to time, and asks for memory before anything grows. Returns the cost of the
    /// configuration before, in steps.
    fn ask(&mut self, object: &mut A) -> Result<usize, Shortage> {
        let cost = 1 + (self.reached.compared() + self.next.compared()) / COMPARED_PER_STEP;
        self.until_question = self.until_question.saturating_sub(cost);
        let cost = cost as usize;
        // One configuration leads to at most this many.
        let more = self.now.open.groups.len() + self.now.live.len() + 2;
        let has_room = self.reached.has_room(more)
            && self.next.has_room(more)
            && self.trail.has_room(2 * more)
            && object.has_room(more);
        let is_due = self.until_question == 0 || object.work() >= self.until_work;
        if !is_due && has_room {
            return Ok(cost);
        }
        if !(self.memory.hold(self.bytes(object, more)) && object.may_grow(more)) {
            return Err(Shortage::Memory);
        }
        self.reached.reserve(more);
        self.next.reserve(more);
        self.trail.reserve(2 * more);
        object.reserve(more);
        if is_due {
            self.until_question = STEPS_PER_QUESTION;
            self.until_work = object.work() + STEPS_PER_QUESTION as usize;
        }
        if is_due {
            self.limits.ask()?;
        }
        Ok(cost)
    }

    /// Returns the bytes held once this many more configurations are.
    fn bytes(&self, object: &A, more: usize) -> usize {
        self.memory_bytes(more) + object.memory_bytes(more)
    }

    /// Returns the bytes held as [`Self::bytes`] does, without those of the object.
    pub(super) fn memory_bytes(&self, more: usize) -> usize {
        // Surviving configurations are sorted and kept, and perhaps stored in a snapshot.
        let survivors = 2 * (self.next.len() + more) * (size_of::<Config<N>>() + size_of::<u64>());
        self.next.memory_bytes(more)
            + self.reached.memory_bytes(more)
            + survivors.max(self.now.memory_bytes())
            + self.now.memory_bytes()
            + self.held_bytes
            + self.counts.memory_bytes(STEPS_PER_QUESTION as usize)
            + self.trail.memory_bytes(2 * more)
    }
}
