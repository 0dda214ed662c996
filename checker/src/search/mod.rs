//! General search of any object that is an automaton: a sweep over the completions, in order, that keeps every
//! configuration the object can be in (Wing and Gong 1993, just in time as in Lowe 2017). An open write's obligation
//! to take effect is tracked apart from its further possible effects. Against the sweep, a depth-first search can run
//! ([`race()`]), which is faster where almost any order works.
//!
//! The automaton says of each action what can be pruned ([`crate::automaton::Effect`]): the rules below about looks
//! hold for all, those about writes and appends for actions that are possible in every state.
//!
//! # Why it is right
//! A configuration is a state and two sets of *open* certain steps: those that are *done* (they have nothing left to
//! do until they complete) and the writes that are *spent* (they took effect visibly). Any linearization can be
//! shifted so that each step takes effect immediately before the completion of some step that is due. So only
//! completions need work, and a configuration need only be extended there until the due step is done. Nothing that is
//! left out changes a verdict:
//! - A step that only looks and can take effect now does: it constrains no other step, and later it would be one more
//!   obligation. The same goes for a write or append that leaves the state unchanged; it can still be used visibly
//!   later, and then it simply did not take effect here.
//! - *Hidden changes.* No step observes a write or an append that a write follows immediately, so it can stand before
//!   any write that takes effect while it is open. Hence each visible write makes all open ones done; they are not
//!   spent until they complete. One that is done but not spent may therefore still take effect visibly at its own
//!   completion, for the last time.
//! - A change after which nothing is newly done but what can hide must be followed by a change that observes it, an
//!   append or a cas (it is *bare*): followed by a write, or by nothing, it could as well be hidden or come later. It
//!   still serves to hide others, even if it sets the current value. Hence a change that observes it may follow, and
//!   a due write that sets the current value is tried as well.
//! - A change that can hide, and after which nothing can be observed until the next write, is not tried before it is
//!   due: whatever is due instead is possible without it, and it can still be hidden or come later.
//! - Among equal changes, the one that completes first goes first, and a certain one before one of unknown outcome is
//!   never worse (exchange the two in the rest of the order). For appends this holds among those that are done and
//!   among those that are not: one that is not done is still an obligation, one that is done is only a means, so both
//!   are tried. Equal changes of unknown outcome have no completion: they are counted.
//! - Among configurations with the same state and the same dependent certain changes done, one that has done at least
//!   as much, spent at most as much and used at most as many unknown changes of each class can do all that another
//!   can: only it is kept. (The dependent changes must be equal because each is an obligation and a means at once.)
//! - An unknown change is not tried once it cannot be observed any more, and states that no later step expects are
//!   merged (`liveness`).
//!
//! # Yes, no, and neither
//! A narrow search ([`LEVELS`]) gives up most configurations. Where none is left, it widens its effort at that
//! completion; if that does not help, it goes back some way and tries again with more effort. A configuration that
//! survives to the end yields an order, reconstructed from the trail of visible changes. If none survives, that
//! proves a violation only if no configuration was given up. For text most of which is made only once, the first
//! efforts keep to the order in which its blocks would come by themselves ([`Automaton::follows`]). With an endless
//! supply of unknown changes ([`Supply`]) the counts go, and with them most configurations. That permits more than is
//! really possible: its "no" is proof, its "yes" means nothing.
//!
//! Memory depends on the number of steps that are open at once and on the number of classes of unknown changes, not
//! on the length, except for the trail: 12 bytes for each visible change, compacted whenever half of it leads
//! nowhere.

mod antichain;
mod counts;
mod depth;
mod effort;
mod mask;
mod open;
mod race;
mod racer;
mod space;
mod sweep;
mod trail;

use std::collections::VecDeque;

use crate::{Limits, UnknownWhy, automaton::Automaton, budget::Shortage, prepare::Step};
use racer::{Racer, Turn};
use sweep::{Sweep, SweepState};

pub(crate) use effort::{EXACT, Effort, GUIDED_LEVELS, LEVELS, Supply, TEXT_LEVELS};
pub(crate) use race::{Racers, race};
pub(crate) use racer::SearchResult;

/// Maximum number of certain steps that can be open at once.
pub(crate) const MAX_OPEN: usize = 4096;

/// Number of completions between two snapshots to which a search can go back.
const BETWEEN_SNAPSHOTS: usize = 64;

/// Maximum number of snapshots held.
const MAX_SNAPSHOTS: usize = 17;

/// Searches for an order of all certain steps and any of the others, using at each completion the first of the
/// `efforts` that suffices.
pub(crate) fn search<A: Automaton + ?Sized>(
    steps: &[Step<A::Action>],
    object: &mut A,
    limits: &Limits<'_>,
    efforts: &[Effort],
    supply: Supply,
) -> SearchResult {
    let due = completions(steps);
    let Some(mut sweep) = sweep(steps, &due, object, limits, efforts, supply) else {
        return SearchResult::Limit(UnknownWhy::Open { limit: MAX_OPEN });
    };
    let found = sweep.run(object, &mut Turn::endless());
    let explained = sweep.explained();
    match found {
        Ok(found) => found.expect("an endless turn does not end"),
        Err(out) => {
            limits.give_back(sweep);
            SearchResult::Limit(out.why(explained, due.len(), steps.len() - due.len()))
        }
    }
}

/// Returns the certain steps in the order of their completions.
fn completions<K>(steps: &[Step<K>]) -> Vec<u32> {
    let mut due: Vec<u32> = (0..).zip(steps).filter(|(_, step)| step.is_certain()).map(|(index, _)| index).collect();
    due.sort_unstable_by_key(|&index| steps[index as usize].end);
    due
}

/// Prepares a sweep over the completions of `due`. Returns `None` if more than [`MAX_OPEN`] steps are open at once.
fn sweep<'a, A: Automaton + ?Sized + 'a>(
    steps: &'a [Step<A::Action>],
    due: &'a [u32],
    object: &A,
    limits: &'a Limits<'a>,
    efforts: &'a [Effort],
    supply: Supply,
) -> Option<Box<dyn Racer<A> + 'a>> {
    Some(match most_open(steps, due) {
        0..=64 => Box::new(SearchDriver::<A, 1>::new(steps, due, object, limits, efforts, supply)),
        65..=128 => Box::new(SearchDriver::<A, 2>::new(steps, due, object, limits, efforts, supply)),
        129..=512 => Box::new(SearchDriver::<A, 8>::new(steps, due, object, limits, efforts, supply)),
        513..=MAX_OPEN => Box::new(SearchDriver::<A, 64>::new(steps, due, object, limits, efforts, supply)),
        _ => return None,
    })
}

/// Returns the maximum number of certain steps that are open at the same time.
fn most_open<K>(steps: &[Step<K>], due: &[u32]) -> usize {
    let (mut begun, mut certain, mut most) = (0, 0, 0);
    for (completed, &index) in due.iter().enumerate() {
        while begun < steps.len() && steps[begun].start < steps[index as usize].end {
            certain += usize::from(steps[begun].is_certain());
            begun += 1;
        }
        most = most.max(certain - completed);
    }
    most
}

struct SearchDriver<'a, A: Automaton + ?Sized, const N: usize> {
    steps: &'a [Step<A::Action>],
    due: &'a [u32],
    efforts: &'a [Effort],
    supply: Supply,
    sweep: Sweep<'a, A, N>,
    snapshots: VecDeque<SweepState<A::Action, N>>,
    /// No effort below `least` suffices up to completion `until`.
    least: usize,
    until: usize,
    /// Effort at the completion that was interrupted.
    effort: Option<usize>,
}

impl<'a, A: Automaton + ?Sized, const N: usize> SearchDriver<'a, A, N> {
    fn new(
        steps: &'a [Step<A::Action>],
        due: &'a [u32],
        object: &A,
        limits: &'a Limits<'a>,
        efforts: &'a [Effort],
        supply: Supply,
    ) -> Self {
        let sweep = Sweep::new(steps, object, limits, supply);
        Self { steps, due, efforts, supply, sweep, snapshots: VecDeque::new(), least: 0, until: 0, effort: None }
    }

    /// Completes `step` with the first effort that lets a configuration survive. Returns `None` if the turn ended
    /// before.
    fn complete(&mut self, object: &mut A, step: u32, first: usize, turn: &mut Turn) -> Result<Option<bool>, Shortage> {
        let first = self.effort.take().unwrap_or(first);
        for (at, &effort) in self.efforts.iter().enumerate().skip(first) {
            self.effort = Some(at);
            match self.sweep.complete(object, step, effort, turn)? {
                None => return Ok(None),
                Some(false) => {}
                Some(true) => {
                    self.effort = None;
                    self.sweep.go_on(step, effort.width);
                    return Ok(Some(true));
                }
            }
        }
        self.effort = None;
        Ok(Some(false))
    }

    /// Takes a snapshot from time to time if the search may have to go back.
    fn hold(&mut self) {
        let at = self.sweep.now.completed;
        let is_new = self.snapshots.back().is_none_or(|last| last.completed != at);
        if self.efforts.len() > 1 && at.is_multiple_of(BETWEEN_SNAPSHOTS) && is_new {
            if self.snapshots.len() == MAX_SNAPSHOTS {
                self.snapshots.pop_front();
            }
            self.snapshots.push_back(self.sweep.now.clone());
            self.sweep.held_bytes = self.snapshots.iter().map(SweepState::memory_bytes).sum();
        }
    }

    /// Goes back by this many snapshots, or as far as possible.
    fn rewind(&mut self, places: usize) {
        self.snapshots.truncate(self.snapshots.len().saturating_sub(places - 1).max(1));
        self.sweep.now = self.snapshots.back().expect("the beginning or a later place is held").clone();
        self.sweep.held_bytes = self.snapshots.iter().map(SweepState::memory_bytes).sum();
    }

    fn tidy(&mut self) {
        if self.sweep.trail.is_full() {
            let held = self.snapshots.iter_mut().flat_map(|now| &mut now.frontier);
            let ends = self.sweep.now.frontier.iter_mut().chain(held).map(|config| &mut config.trail);
            self.sweep.trail.tidy(ends);
        }
    }

    fn order(&self, object: &mut A) -> SearchResult {
        let last = self.due.last().map_or(0, |&step| step as usize);
        let Some(config) = self.sweep.now.frontier.first().filter(|_| self.supply == Supply::Counted) else {
            return SearchResult::GaveUp(last);
        };
        let path = self.sweep.trail.path(config.trail);
        let members = self.sweep.members();
        SearchResult::Order(trail::unfold(self.steps, self.due, &members, object, &path))
    }
}

impl<A: Automaton + ?Sized, const N: usize> Racer<A> for SearchDriver<'_, A, N> {
    fn run(&mut self, object: &mut A, turn: &mut Turn) -> Result<Option<SearchResult>, Shortage> {
        while let Some(&step) = self.due.get(self.sweep.now.completed) {
            let at = self.sweep.now.completed;
            self.hold();
            self.sweep.advance(object, self.steps[step as usize].end);
            let first = if at <= self.until { self.least } else { 0 };
            match self.complete(object, step, first, turn)? {
                None => return Ok(None),
                Some(true) => {}
                Some(false) => {
                    self.least = if at <= self.until { self.least + 1 } else { 1 };
                    self.until = self.until.max(at);
                    if !self.sweep.now.gave_up {
                        return Ok(Some(SearchResult::Refuted(step as usize)));
                    }
                    if self.least >= self.efforts.len() {
                        return Ok(Some(SearchResult::GaveUp(self.due[self.until] as usize)));
                    }
                    self.rewind(1 << self.least);
                }
            }
            self.tidy();
        }
        Ok(Some(self.order(object)))
    }

    fn explained(&self) -> usize {
        self.sweep.now.completed
    }

    fn bytes(&self) -> usize {
        self.sweep.memory_bytes(0)
    }

    /// A quarter of a turn: where the sweep is the better search, it is better by far.
    fn share(&self) -> usize {
        4
    }
}
