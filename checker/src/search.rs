//! The general search: a sweep over the completions in their order that keeps every configuration the object can be in
//! (Wing and Gong 1993, just in time as in Lowe 2017).
//!
//! # Why it is right
//! A configuration is a state and which of the *open* steps have taken effect; steps that completed have, in all of them. Any
//! linearization can be shifted so that each step takes effect immediately before the completion of some step that is due: so
//! only completions need work, and there a configuration need only be extended until the due step has taken effect.
//! What is left out changes no verdict:
//! - a step that only looks and can take effect now, does: it stands in nobody's way, and later it would be one more duty;
//! - equal steps of unknown outcome are interchangeable, since they have no completion: they are counted, not told apart;
//! - of two configurations with the same state and the same certain changes done, one that has looked at least as much and
//!   used at most as many unknown changes of each kind can do all that the other can: only it is kept;
//! - an unknown change is not tried when nobody can see it any more, and states that nobody asks for are one (`relevance`).
//!
//! Memory depends on how many steps are open at once and on how many kinds of unknown changes there are, not on the length.

use std::mem;

use rustc_hash::FxHashMap;

use crate::{
    Limits, UnknownWhy,
    antichain::{Antichain, Config},
    automaton::Automaton,
    prepare::{Action, Step},
};

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Some configuration survived every completion.
    Order,
    /// None survived the completion of this step (an index into the steps).
    Dead(usize),
    /// As `Dead`, but some had been given up before: one of those might have survived.
    Lost(usize),
    /// A limit was reached.
    Limit(UnknownWhy),
}

/// How many certain steps can be open at once: one bit each.
pub(crate) const MAX_OPEN: usize = 128;

/// With a width, how many configurations are extended before a completion for each that may survive it.
const EXTENDED_PER_KEPT: usize = 4;

/// Configurations between two questions to the caller whether to go on.
const STEPS_PER_QUESTION: u32 = 2048;

/// How much a search tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Effort {
    /// How many configurations it keeps between completions.
    pub width: usize,
    /// Whether it uses unknown changes even where something survives without.
    pub lavish: bool,
}

impl Effort {
    /// Everything.
    pub(crate) const EXACT: Self = Self { width: usize::MAX, lavish: true };

    /// Unknown changes only where nothing survives without.
    pub(crate) const fn stingy(width: usize) -> Self {
        Self { width, lavish: false }
    }

    /// Unknown changes wherever they are possible.
    pub(crate) const fn lavish(width: usize) -> Self {
        Self { width, lavish: true }
    }
}

/// Looks for an order of all certain steps and any of the others.
///
/// Where more configurations are possible than the effort allows for, those stay that have used up least. What survives is an
/// order all the same.
pub(crate) fn search<S: Automaton>(steps: &[Step], object: &mut S, limits: &Limits<'_>, effort: Effort) -> Found {
    let mut due: Vec<usize> = (0..steps.len()).filter(|&i| steps[i].is_certain()).collect();
    due.sort_unstable_by_key(|&i| steps[i].end);
    let mut sweep = Sweep::new(steps, object, limits, effort);
    let mut invoked = 0;
    for (explained, &step) in due.iter().enumerate() {
        while invoked < steps.len() && steps[invoked].start < steps[step].end {
            if let Err(why) = sweep.invoke(invoked) {
                return Found::Limit(why);
            }
            invoked += 1;
        }
        if let Err(limit) = sweep.complete(step) {
            return Found::Limit(limit.why(explained, steps));
        }
        if sweep.frontier.is_empty() {
            return if sweep.gave_up { Found::Lost(step) } else { Found::Dead(step) };
        }
    }
    Found::Order
}

enum Limit {
    Time,
    Memory,
}

impl Limit {
    fn why(&self, explained: usize, steps: &[Step]) -> UnknownWhy {
        let completed = steps.iter().filter(|step| step.is_certain()).count();
        let unknown_outcomes = steps.len() - completed;
        match self {
            Self::Time => UnknownWhy::Time { explained, completed, unknown_outcomes },
            Self::Memory => UnknownWhy::Memory { explained, completed, unknown_outcomes },
        }
    }
}

/// Equal changes of unknown outcome.
struct Class {
    action: Action,
    invoked: u16,
    useful_until: u32,
}

/// The completion that is being worked on.
#[derive(Clone, Copy)]
struct Moment {
    rank: u32,
    /// The slot of the step that is due.
    bit: u128,
    /// The slots of open certain changes.
    changes: u128,
    /// The slots of open steps that only look.
    looks: u128,
}

struct Sweep<'a, S> {
    steps: &'a [Step],
    object: &'a mut S,
    limits: &'a Limits<'a>,
    /// The open certain step in each slot.
    slots: Vec<Option<usize>>,
    /// Where each open certain step is.
    slot_of: FxHashMap<usize, usize>,
    classes: Vec<Class>,
    class_of: FxHashMap<Action, usize>,
    frontier: Antichain,
    /// Configurations that are being extended; empty between two completions.
    reached: Antichain,
    /// Room for what one configuration leads to.
    extended: Vec<Config>,
    effort: Effort,
    gave_up: bool,
    until_question: u32,
}

impl<'a, S: Automaton> Sweep<'a, S> {
    fn new(steps: &'a [Step], object: &'a mut S, limits: &'a Limits<'a>, effort: Effort) -> Self {
        let mut frontier = Antichain::default();
        frontier.insert(Config { state: object.initial(), done: 0, used: Box::default() }, 0);
        Self {
            steps,
            object,
            limits,
            slots: Vec::new(),
            slot_of: FxHashMap::default(),
            classes: Vec::new(),
            class_of: FxHashMap::default(),
            frontier,
            reached: Antichain::default(),
            extended: Vec::new(),
            effort,
            gave_up: false,
            until_question: STEPS_PER_QUESTION,
        }
    }

    fn invoke(&mut self, index: usize) -> Result<(), UnknownWhy> {
        let step = &self.steps[index];
        if step.is_certain() {
            let slot = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
            if slot == MAX_OPEN {
                return Err(UnknownWhy::Open { limit: MAX_OPEN });
            }
            if slot == self.slots.len() {
                self.slots.push(None);
            }
            self.slots[slot] = Some(index);
            self.slot_of.insert(index, slot);
            return Ok(());
        }
        let useful_until = self.object.useful_until(step.action);
        if useful_until < step.start {
            return Ok(());
        }
        let class = *self.class_of.entry(step.action).or_insert_with(|| {
            self.classes.push(Class { action: step.action, invoked: 0, useful_until });
            self.classes.len() - 1
        });
        let invoked = &mut self.classes[class].invoked;
        *invoked = invoked.checked_add(1).ok_or(UnknownWhy::Open { limit: usize::from(u16::MAX) })?;
        Ok(())
    }

    /// Extends every configuration until `due` has taken effect, and forgets `due`.
    fn complete(&mut self, due: usize) -> Result<(), Limit> {
        let rank = self.steps[due].end;
        let slot = self.slot_of[&due];
        let bit = 1_u128 << slot;
        let changes = self.open_mask(|action| !action.is_read_only());
        let looks = self.open_mask(Action::is_read_only);
        let mut next = Antichain::default();
        let mut reached = mem::take(&mut self.reached);
        for mut config in self.frontier.drain() {
            self.settle(&mut config, rank);
            self.look(&mut config, looks);
            if config.done & bit == 0 {
                reached.insert(config, changes);
            } else {
                config.done &= !bit;
                next.insert(config, changes);
            }
        }
        self.reach(&mut reached, &mut next, Moment { rank, bit, changes, looks })?;
        reached.clear();
        self.reached = reached;
        self.gave_up |= next.keep_least_used(self.effort.width, changes & !bit);
        self.frontier = next;
        self.slots[slot] = None;
        self.slot_of.remove(&due);
        Ok(())
    }

    /// Extends what is `reached`, and what that reaches; what has the due step done goes to `next`.
    ///
    /// A stingy search uses unknown changes only where nothing survives without.
    fn reach(&mut self, reached: &mut Antichain, next: &mut Antichain, moment: Moment) -> Result<(), Limit> {
        let room = self.effort.width.saturating_mul(EXTENDED_PER_KEPT);
        let (mut by_certain, mut by_unknown) = (0, 0);
        loop {
            while by_certain < reached.len().min(room) {
                self.ask(next, reached)?;
                self.extend(by_certain, reached, next, moment, Self::certain_changes);
                by_certain += 1;
            }
            self.gave_up |= reached.len() > room;
            if !self.effort.lavish && !next.is_empty() {
                self.gave_up |= !self.classes.is_empty();
                return Ok(());
            }
            let until = reached.len().min(room);
            if by_unknown == until {
                return Ok(());
            }
            while by_unknown < until {
                self.ask(next, reached)?;
                self.extend(by_unknown, reached, next, moment, Self::unknown_changes);
                by_unknown += 1;
            }
        }
    }

    /// Adds every configuration that is one change away from the one in this place.
    fn extend(
        &mut self,
        at: usize,
        reached: &mut Antichain,
        next: &mut Antichain,
        moment: Moment,
        changes: fn(&mut Self, &Config, Moment, &mut Vec<Config>),
    ) {
        let Some(config) = reached.get(at) else { return };
        let mut extended = mem::take(&mut self.extended);
        changes(self, config, moment, &mut extended);
        for mut config in extended.drain(..) {
            self.look(&mut config, moment.looks);
            if config.done & moment.bit == 0 {
                reached.insert(config, moment.changes);
            } else {
                config.done &= !moment.bit;
                next.insert(config, moment.changes);
            }
        }
        self.extended = extended;
    }

    fn certain_changes(&mut self, config: &Config, moment: Moment, extended: &mut Vec<Config>) {
        let mut open = moment.changes & !config.done;
        while open != 0 {
            let slot = open.trailing_zeros() as usize;
            open &= open - 1;
            let step = self.slots[slot].expect("a bit of an open step");
            if let Some(state) = self.object.step(config.state, self.steps[step].action) {
                extended.push(Config { state, done: config.done | 1 << slot, used: config.used.clone() });
            }
        }
    }

    fn unknown_changes(&mut self, config: &Config, moment: Moment, extended: &mut Vec<Config>) {
        for class in 0..self.classes.len() {
            let Class { action, invoked, useful_until } = self.classes[class];
            let used = config.used.get(class).copied().unwrap_or(0);
            if used == invoked || useful_until < moment.rank {
                continue;
            }
            let Some(state) = self.object.step(config.state, action) else { continue };
            // A change that changes nothing only uses itself up.
            if state != config.state {
                let mut config = Config { state, done: config.done, used: config.used.clone() };
                config.use_up(class);
                extended.push(config);
            }
        }
    }

    /// Lets every open step that only looks, and can see what it saw, take effect.
    fn look(&mut self, config: &mut Config, looks: u128) {
        let mut open = looks & !config.done;
        while open != 0 {
            let slot = open.trailing_zeros() as usize;
            open &= open - 1;
            let step = self.slots[slot].expect("a bit of an open step");
            if self.object.step(config.state, self.steps[step].action).is_some() {
                config.done |= 1 << slot;
            }
        }
    }

    /// Forgets what can make no difference after `rank`.
    fn settle(&self, config: &mut Config, rank: u32) {
        config.state = self.object.settle(config.state, rank);
        for (used, class) in config.used.iter_mut().zip(&self.classes) {
            if class.useful_until < rank {
                *used = 0;
            }
        }
    }

    fn open_mask(&self, wanted: impl Fn(Action) -> bool) -> u128 {
        (0..).zip(&self.slots).fold(0, |mask, (slot, step)| match step {
            Some(step) if wanted(self.steps[*step].action) => mask | 1 << slot,
            _ => mask,
        })
    }

    fn ask(&mut self, next: &Antichain, reached: &Antichain) -> Result<(), Limit> {
        self.until_question -= 1;
        if self.until_question > 0 {
            return Ok(());
        }
        self.until_question = STEPS_PER_QUESTION;
        let bytes = next.memory_bytes() + reached.memory_bytes() + self.object.memory_bytes();
        if bytes > self.limits.max_memory_bytes {
            return Err(Limit::Memory);
        }
        if (self.limits.keep_going)() { Ok(()) } else { Err(Limit::Time) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, automaton::Register, prepare::INITIAL, relevance::Relevance};
    use histories::NEVER;

    fn run(steps: &[(u32, u32, Action)]) -> Found {
        let steps: Vec<Step> =
            (0..).zip(steps).map(|(operation, &(start, end, action))| Step { operation, start, end, action }).collect();
        search(&steps, &mut Register::new(Relevance::new(&steps, 10)), &Limits::none(), Effort::EXACT)
    }

    use Action::{Cas, NotEqual, Read, Write};

    #[test]
    fn a_read_sees_the_last_write_before_it() {
        assert_eq!(run(&[(0, 1, Write(1)), (2, 3, Read(1))]), Found::Order);
        assert_eq!(run(&[(0, 1, Write(1)), (2, 3, Read(INITIAL))]), Found::Dead(1));
    }

    #[test]
    fn a_read_beside_a_write_may_see_either() {
        assert_eq!(run(&[(0, 3, Write(1)), (1, 2, Read(INITIAL)), (4, 5, Read(1))]), Found::Order);
        assert_eq!(run(&[(0, 5, Write(1)), (1, 2, Read(1)), (3, 4, Read(INITIAL))]), Found::Dead(2));
    }

    #[test]
    fn an_unknown_write_may_happen_late_or_never_but_not_twice() {
        assert_eq!(run(&[(0, NEVER, Write(1)), (1, 2, Read(INITIAL)), (3, 4, Read(1))]), Found::Order);
        assert_eq!(run(&[(0, NEVER, Write(1)), (1, 2, Read(INITIAL))]), Found::Order);
        let twice = [(0, NEVER, Write(1)), (1, 2, Read(1)), (3, 4, Write(2)), (5, 6, Read(2)), (7, 8, Read(1))];
        assert_eq!(run(&twice), Found::Dead(4));
    }

    #[test]
    fn equal_unknown_writes_are_counted() {
        let mut steps = vec![(0, NEVER, Write(1)), (1, NEVER, Write(1))];
        for round in 0..3 {
            let start = 2 + 8 * round;
            steps.extend([
                (start, start + 1, Read(1)),
                (start + 2, start + 3, Write(2)),
                (start + 4, start + 5, Read(2)),
            ]);
        }
        assert_eq!(run(&steps[..8]), Found::Order);
        assert_eq!(run(&steps), Found::Dead(8));
    }

    #[test]
    fn a_cas_takes_what_it_expects() {
        assert_eq!(
            run(&[(0, 1, Cas { from: INITIAL, to: 1 }), (2, 3, Cas { from: 1, to: 2 }), (4, 5, Read(2))]),
            Found::Order
        );
        assert_eq!(run(&[(0, 3, Cas { from: INITIAL, to: 1 }), (1, 2, Cas { from: INITIAL, to: 2 })]), Found::Dead(0));
    }

    #[test]
    fn a_cas_that_did_not_match_saw_something_else() {
        assert_eq!(run(&[(0, 1, NotEqual(INITIAL))]), Found::Dead(0));
        assert_eq!(run(&[(0, 3, Write(1)), (1, 2, NotEqual(INITIAL))]), Found::Order);
        assert_eq!(run(&[(0, NEVER, Write(1)), (1, 2, NotEqual(INITIAL))]), Found::Order);
        assert_eq!(run(&[(0, NEVER, Write(1)), (1, 2, NotEqual(INITIAL)), (3, 4, Read(INITIAL))]), Found::Dead(2));
    }
}
