//! Race of the two searches, depth-first and sweep: they run in turn on one thread, each for a number of steps that
//! doubles (the sweep for fewer). The one that ends first decides. So the answer takes at most about ten times as long
//! as by the better search, and is deterministic.

use super::{
    completions,
    depth::Depth,
    effort::{EXACT, Supply},
    racer::{Racer, SearchResult, Turn},
    space::Space,
    sweep,
};
use crate::{
    Limits,
    automaton::Automaton,
    budget::{Budget, Shortage},
    prepare::Step,
};

/// Work of the first turn, and the additional work for each completion: enough for an order that is never in doubt.
const FIRST_TURN: usize = 4096;
const FIRST_TURN_PER_COMPLETION: usize = 32;

/// Searches that take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Racers {
    Both,
    DepthOnly,
    #[allow(dead_code, reason = "tests compare each search alone with the other")]
    SweepOnly,
}

/// Searches for an order of all certain steps and any of the others, without giving anything up.
pub(crate) fn race<A: Automaton + ?Sized>(
    steps: &[Step<A::Action>],
    object: &mut A,
    racers: Racers,
    limits: &Limits<'_>,
) -> SearchResult {
    let due = completions(steps);
    let unknown_outcomes = steps.len() - due.len();
    let exhausted = |out: Shortage, explained| SearchResult::Limit(out.why(explained, due.len(), unknown_outcomes));
    let space = match Space::new(steps, &due, &Budget::new(limits)) {
        Ok(space) => space,
        Err(out) => return exhausted(out, 0),
    };
    let mut running: Vec<Box<dyn Racer<A> + '_>> = Vec::new();
    if racers != Racers::SweepOnly {
        running.push(Box::new(Depth::new(&space, limits)));
    }
    // Most races end within the first turn of the depth-first search.
    let later = |object: &A| match racers {
        Racers::DepthOnly => None,
        Racers::Both | Racers::SweepOnly => sweep(steps, &due, object, limits, &EXACT, Supply::Counted),
    };
    let mut explained = 0;
    let first_turn = FIRST_TURN + FIRST_TURN_PER_COMPLETION * due.len();
    let found = run(&mut running, later, object, first_turn, &mut explained);
    limits.give_back(running);
    found.unwrap_or_else(|out| exhausted(out, explained))
}

/// Lets the searches run in turn until one of them ends, or a limit is reached. The one that `later` makes joins after
/// the others have had their first turn.
fn run<'r, A: Automaton + ?Sized>(
    racers: &mut Vec<Box<dyn Racer<A> + 'r>>,
    later: impl FnOnce(&A) -> Option<Box<dyn Racer<A> + 'r>>,
    object: &mut A,
    first_turn: usize,
    explained: &mut usize,
) -> Result<SearchResult, Shortage> {
    let (mut turn, mut later) = (first_turn, Some(later));
    loop {
        let mut at = 0;
        loop {
            if at == racers.len() {
                racers.extend(later.take().and_then(|make| make(object)));
            }
            let Some(racer) = racers.get_mut(at) else { break };
            let found = racer.run(object, &mut Turn::of(turn / racer.share()));
            *explained = racer.explained().max(*explained);
            match found {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => at += 1,
                // The one that needs less may still succeed.
                Err(Shortage::Memory) if later.is_some() => at += 1,
                Err(Shortage::Memory) if racers.len() > 1 => {
                    let largest = (0..racers.len()).max_by_key(|&racer| racers[racer].bytes()).expect("one is running");
                    racers.remove(largest);
                    at = at.min(racers.len() - 1);
                }
                Err(out) => return Err(out),
            }
        }
        turn *= 2;
    }
}
