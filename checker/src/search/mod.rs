//! The general search: a sweep over the completions in their order that keeps every configuration the object can be in
//! (Wing and Gong 1993, just in time as in Lowe 2017), with the duties of an open write told apart from what it can still do.
//!
//! # Why it is right
//! A configuration is a state and, of the *open* certain steps, which are *done* (nothing is left to do until they complete) and
//! which writes are *spent* (they took effect visibly). Any linearization can be shifted so that each step takes effect
//! immediately before the completion of some step that is due: so only completions need work, and there a configuration need
//! only be extended until the due step is done. What is left out changes no verdict:
//! - A step that only looks and can take effect now, does: it stands in nobody's way, and later it would be one more duty. So
//!   does a write or append that leaves what is there; it can still be used visibly later, and then it simply was not here.
//! - *Hidden changes.* Nobody sees a write or an append that a write follows immediately, so it can stand before any write that
//!   takes effect while it is open. Hence with each visible write all open ones are done; they are not spent, until they
//!   complete. One that is done but not spent may therefore still show at its own completion, for the last time.
//! - A change after which nothing is newly done but what can hide must be followed by a change that sees it, an append or a cas
//!   (*bare*): followed by a write, or by nothing, it could as well be hidden or come later. It still serves to hide others, even
//!   if it sets the value that is there, hence a change that sees it may follow, and a due write of that value is an occasion of
//!   its own.
//! - A change that can hide and that leads where nobody sees anything until the next write is not tried before it is due: whatever
//!   is due instead is possible without it, and it can still be hidden or come later.
//! - Of equal changes the one that completes first goes first, and a certain one before one of unknown outcome is never worse
//!   (exchange the two in the rest of the order). Of appends this holds among those that are done and among those that are not: one
//!   is still a duty and the other only a means, so both are tried. Equal changes of unknown outcome have no completion: they are
//!   counted.
//! - Of two configurations with the same state and the same dependent certain changes done, one that has done at least as much,
//!   spent at most as much and used at most as many unknown changes of each kind can do all that the other can: only it is
//!   kept. (Dependent changes must be equal: such a one is a duty and a means at once.)
//! - An unknown change is not tried when nobody can see it any more, and states that nobody asks for are one (`relevance`).
//!
//! # Yes, no, and neither
//! A narrow search ([`LEVELS`]) gives up most configurations; where none is left it widens its effort at that completion, and if
//! that does not help goes back some way and comes again with more. What survives is an order, which the trail of visible
//! changes tells; only where nothing was given up is its death a no. Of text most of which is made only once, the first efforts
//! keep to the order in which its blocks would come by themselves ([`Automaton::follows`]). With an endless supply of unknown
//! changes ([`Supply`]) the counts go, and with them most configurations: more is possible than really is, so its no is a no, and
//! its yes nothing.
//!
//! Memory depends on how many steps are open at once and on how many kinds of unknown changes there are, not on the length; but
//! for the trail: 12 bytes for each visible change, tidied whenever half of it leads nowhere.

mod antichain;
mod counts;
mod mask;
mod open;
mod sweep;
mod trail;

use std::collections::VecDeque;

use crate::{Limits, UnknownWhy, automaton::Automaton, patience::OutOf, prepare::Step};

use sweep::{Now, Sweep};

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// This order of steps (by their indexes) explains everything.
    Order(Vec<u32>),
    /// No configuration survived the completion of this step (an index into the steps).
    Dead(usize),
    /// As `Dead`, but some had been given up before, one of which might have survived; or what survived proves nothing.
    Lost(usize),
    /// A limit was reached.
    Limit(UnknownWhy),
}

/// How many certain steps can be open at once.
pub(crate) const MAX_OPEN: usize = 4096;

/// How much is tried at a completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Effort {
    /// How many changes may take effect there before the last one.
    between: u8,
    /// How many of them may be of unknown outcome.
    unknown: u8,
    /// How many configurations are kept after it.
    width: usize,
    /// Whether states come only in the order that is the best guess.
    is_guided: bool,
}

impl Effort {
    const fn new(between: u8, unknown: u8, width: usize) -> Self {
        Self { between, unknown, width, is_guided: false }
    }

    const fn guided(between: u8, unknown: u8, width: usize) -> Self {
        Self { is_guided: true, ..Self::new(between, unknown, width) }
    }
}

/// Efforts that mostly find a way through, if there is one, each tried where the one before did not.
pub(crate) const LEVELS: [Effort; 5] = [
    Effort::new(1, 0, 16),
    Effort::new(1, 1, 64),
    Effort::new(2, 2, 256),
    Effort::new(3, 3, 1024),
    Effort::new(5, 4, 4096),
];

/// As [`LEVELS`], of text that grows: what somebody sees of it tells more of the way there, and what is of unknown outcome is better
/// saved.
pub(crate) const TEXT_LEVELS: [Effort; 7] = [
    Effort::new(3, 0, 16),
    Effort::new(4, 0, 64),
    Effort::new(4, 0, 256),
    Effort::new(4, 1, 256),
    Effort::new(6, 1, 1024),
    Effort::new(6, 2, 2048),
    Effort::new(8, 3, 4096),
];

/// As [`TEXT_LEVELS`], where most texts have a place of their own: then the way may be long, since it is known.
pub(crate) const GUIDED_LEVELS: [Effort; 6] = [
    Effort::guided(16, 0, 16),
    Effort::guided(32, 2, 64),
    Effort::guided(32, 4, 256),
    Effort::new(16, 2, 256),
    Effort::new(16, 2, 1024),
    Effort::new(32, 3, 4096),
];

/// Everything.
pub(crate) const EXACT: [Effort; 1] = [Effort::new(u8::MAX, u8::MAX, usize::MAX)];

/// How often an unknown change can take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Supply {
    /// Once each.
    Counted,
    /// As often as anybody likes, once one of its kind was invoked.
    Endless,
}

/// Completions from one place to which a search can go back to the next.
const BETWEEN_SNAPSHOTS: usize = 64;

/// How many such places are held.
const MAX_SNAPSHOTS: usize = 17;

/// Looks for an order of all certain steps and any of the others, with the first of the `efforts` wherever that is enough.
pub(crate) fn search<A: Automaton>(
    steps: &[Step],
    object: &mut A,
    limits: &Limits<'_>,
    efforts: &[Effort],
    supply: Supply,
) -> Found {
    let mut due: Vec<u32> = (0..).zip(steps).filter(|(_, step)| step.is_certain()).map(|(index, _)| index).collect();
    due.sort_unstable_by_key(|&index| steps[index as usize].end);
    match most_open(steps, &due) {
        0..=64 => Drive::<A, 1>::new(steps, &due, object, limits, efforts, supply).run(),
        65..=128 => Drive::<A, 2>::new(steps, &due, object, limits, efforts, supply).run(),
        129..=512 => Drive::<A, 8>::new(steps, &due, object, limits, efforts, supply).run(),
        513..=MAX_OPEN => Drive::<A, 64>::new(steps, &due, object, limits, efforts, supply).run(),
        _ => Found::Limit(UnknownWhy::Open { limit: MAX_OPEN }),
    }
}

/// How many certain steps are open at the same time, at most.
fn most_open(steps: &[Step], due: &[u32]) -> usize {
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

struct Drive<'a, A, const N: usize> {
    steps: &'a [Step],
    due: &'a [u32],
    limits: &'a Limits<'a>,
    efforts: &'a [Effort],
    supply: Supply,
    sweep: Sweep<'a, A, N>,
    snapshots: VecDeque<Now<N>>,
}

impl<'a, A: Automaton, const N: usize> Drive<'a, A, N> {
    fn new(
        steps: &'a [Step],
        due: &'a [u32],
        object: &'a mut A,
        limits: &'a Limits<'a>,
        efforts: &'a [Effort],
        supply: Supply,
    ) -> Self {
        let sweep = Sweep::new(steps, object, limits, supply);
        Self { steps, due, limits, efforts, supply, sweep, snapshots: VecDeque::new() }
    }

    fn run(mut self) -> Found {
        // Up to here no effort below `least` will do.
        let (mut least, mut until) = (0, 0);
        while let Some(&step) = self.due.get(self.sweep.now.completed) {
            let at = self.sweep.now.completed;
            self.hold();
            self.sweep.advance(self.steps[step as usize].end);
            let first = if at <= until { least } else { 0 };
            match self.complete(step, first) {
                Ok(true) => {}
                Ok(false) => {
                    least = if at <= until { least + 1 } else { 1 };
                    until = until.max(at);
                    if !self.sweep.now.gave_up {
                        return Found::Dead(step as usize);
                    }
                    if least >= self.efforts.len() {
                        return Found::Lost(self.due[until] as usize);
                    }
                    self.rewind(1 << least);
                }
                Err(out) => {
                    let why = self.why(out);
                    self.limits.give_back(self);
                    return Found::Limit(why);
                }
            }
            self.tidy();
        }
        self.order()
    }

    /// Completes `step` with the first effort that lets something survive.
    fn complete(&mut self, step: u32, first: usize) -> Result<bool, OutOf> {
        for &effort in &self.efforts[first..] {
            if self.sweep.complete(step, effort)? {
                self.sweep.go_on(step, effort.width);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Remembers where it is, now and then, if it may have to go back.
    fn hold(&mut self) {
        let at = self.sweep.now.completed;
        let is_new = self.snapshots.back().is_none_or(|last| last.completed != at);
        if self.efforts.len() > 1 && at.is_multiple_of(BETWEEN_SNAPSHOTS) && is_new {
            if self.snapshots.len() == MAX_SNAPSHOTS {
                self.snapshots.pop_front();
            }
            self.snapshots.push_back(self.sweep.now.clone());
            self.sweep.held_bytes = self.snapshots.iter().map(Now::memory_bytes).sum();
        }
    }

    /// Goes back by so many places, or as far as it can.
    fn rewind(&mut self, places: usize) {
        self.snapshots.truncate(self.snapshots.len().saturating_sub(places - 1).max(1));
        self.sweep.now = self.snapshots.back().expect("the beginning or a later place is held").clone();
        self.sweep.held_bytes = self.snapshots.iter().map(Now::memory_bytes).sum();
    }

    fn tidy(&mut self) {
        if self.sweep.trail.is_full() {
            let held = self.snapshots.iter_mut().flat_map(|now| &mut now.frontier);
            let ends = self.sweep.now.frontier.iter_mut().chain(held).map(|config| &mut config.trail);
            self.sweep.trail.tidy(ends);
        }
    }

    fn order(self) -> Found {
        let last = self.due.last().map_or(0, |&step| step as usize);
        let Some(config) = self.sweep.now.frontier.first().filter(|_| self.supply == Supply::Counted) else {
            return Found::Lost(last);
        };
        let path = self.sweep.trail.path(config.trail);
        let members = self.sweep.members();
        Found::Order(trail::unfold(self.steps, self.due, &members, self.sweep.object, &path))
    }

    fn why(&self, out: OutOf) -> UnknownWhy {
        let completed = self.due.len();
        out.why(self.sweep.now.completed, completed, self.steps.len() - completed)
    }
}

#[cfg(test)]
mod tests {
    use histories::NEVER;

    use super::*;
    use crate::{
        automaton::Register,
        prepare::{Action, INITIAL},
        relevance::Relevance,
    };

    fn run(steps: &[(u32, u32, Action)]) -> Found {
        let steps: Vec<Step> =
            (0..).zip(steps).map(|(operation, &(start, end, action))| Step { operation, start, end, action }).collect();
        search(&steps, &mut Register::new(Relevance::new(&steps, 10)), &Limits::none(), &EXACT, Supply::Counted)
    }

    fn is_ordered(found: &Found) -> bool {
        matches!(found, Found::Order(_))
    }

    use Action::{Cas, NotEqual, Read, Write};

    #[test]
    fn a_read_sees_the_last_write_before_it() {
        assert!(is_ordered(&run(&[(0, 1, Write(1)), (2, 3, Read(1))])));
        assert_eq!(run(&[(0, 1, Write(1)), (2, 3, Read(INITIAL))]), Found::Dead(1));
    }

    #[test]
    fn a_read_beside_a_write_may_see_either() {
        assert!(is_ordered(&run(&[(0, 3, Write(1)), (1, 2, Read(INITIAL)), (4, 5, Read(1))])));
        assert_eq!(run(&[(0, 5, Write(1)), (1, 2, Read(1)), (3, 4, Read(INITIAL))]), Found::Dead(2));
    }

    #[test]
    fn an_unknown_write_may_happen_late_or_never_but_not_twice() {
        assert!(is_ordered(&run(&[(0, NEVER, Write(1)), (1, 2, Read(INITIAL)), (3, 4, Read(1))])));
        assert!(is_ordered(&run(&[(0, NEVER, Write(1)), (1, 2, Read(INITIAL))])));
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
        assert!(is_ordered(&run(&steps[..8])));
        assert_eq!(run(&steps), Found::Dead(8));
    }

    #[test]
    fn a_cas_takes_what_it_expects() {
        let chain = [(0, 1, Cas { from: INITIAL, to: 1 }), (2, 3, Cas { from: 1, to: 2 }), (4, 5, Read(2))];
        assert!(is_ordered(&run(&chain)));
        assert_eq!(run(&[(0, 3, Cas { from: INITIAL, to: 1 }), (1, 2, Cas { from: INITIAL, to: 2 })]), Found::Dead(0));
    }

    #[test]
    fn a_cas_that_did_not_match_saw_something_else() {
        assert_eq!(run(&[(0, 1, NotEqual(INITIAL))]), Found::Dead(0));
        assert!(is_ordered(&run(&[(0, 3, Write(1)), (1, 2, NotEqual(INITIAL))])));
        assert!(is_ordered(&run(&[(0, NEVER, Write(1)), (1, 2, NotEqual(INITIAL))])));
        assert_eq!(run(&[(0, NEVER, Write(1)), (1, 2, NotEqual(INITIAL)), (3, 4, Read(INITIAL))]), Found::Dead(2));
    }
}
