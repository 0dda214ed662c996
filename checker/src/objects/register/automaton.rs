//! Register with read, write and cas as an automaton: a value that nothing observes any more is as good as any other.

use crate::{
    automaton::{Automaton, State},
    liveness::Liveness,
    prepare::{Action, INITIAL},
};

/// Register with read, write and cas. Its state is its value.
#[derive(Debug)]
pub(super) struct RegisterAutomaton {
    liveness: Liveness,
}

/// State of every value that no later operation observes.
const SETTLED: State = State::MAX;

impl RegisterAutomaton {
    pub(super) fn new(liveness: Liveness) -> Self {
        Self { liveness }
    }
}

impl Automaton for RegisterAutomaton {
    type Action = Action;

    fn initial(&self) -> State {
        INITIAL
    }

    fn step(&mut self, state: State, action: Action) -> Option<State> {
        match action {
            Action::Read(value) => (value == state).then_some(state),
            Action::NotEqual(value) => (state != SETTLED && value != state).then_some(state),
            Action::Write(value) => Some(value),
            Action::Cas { from, to } => (from == state).then_some(to),
            Action::Contradiction(_) | Action::Append(_) => None,
        }
    }

    fn settle(&self, state: State, rank: u32) -> State {
        if state == SETTLED || self.liveness.asked_until(state) < rank { SETTLED } else { state }
    }

    fn useful_until(&self, action: Action) -> u32 {
        action.installs().map_or(0, |value| self.liveness.asked_until(value))
    }

    fn memory_bytes(&self, _more: usize) -> usize {
        0
    }

    fn has_room(&self, _more: usize) -> bool {
        true
    }

    fn reserve(&mut self, _more: usize) {}
}

#[cfg(test)]
mod tests {
    use histories::NEVER;

    use super::*;
    use crate::{
        Limits,
        prepare::Step,
        search::{EXACT, SearchResult, Supply, search},
    };

    fn run(steps: &[(u32, u32, Action)]) -> SearchResult {
        let steps: Vec<Step> =
            (0..).zip(steps).map(|(operation, &(start, end, action))| Step { operation, start, end, action }).collect();
        search(&steps, &mut RegisterAutomaton::new(Liveness::new(&steps, 10)), &Limits::none(), &EXACT, Supply::Counted)
    }

    fn is_ordered(found: &SearchResult) -> bool {
        matches!(found, SearchResult::Order(_))
    }

    use Action::{Cas, NotEqual, Read, Write};

    #[test]
    fn a_read_sees_the_last_write_before_it() {
        assert!(is_ordered(&run(&[(0, 1, Write(1)), (2, 3, Read(1))])));
        assert_eq!(run(&[(0, 1, Write(1)), (2, 3, Read(INITIAL))]), SearchResult::Refuted(1));
    }

    #[test]
    fn a_read_beside_a_write_may_see_either() {
        assert!(is_ordered(&run(&[(0, 3, Write(1)), (1, 2, Read(INITIAL)), (4, 5, Read(1))])));
        assert_eq!(run(&[(0, 5, Write(1)), (1, 2, Read(1)), (3, 4, Read(INITIAL))]), SearchResult::Refuted(2));
    }

    #[test]
    fn an_unknown_write_may_happen_late_or_never_but_not_twice() {
        assert!(is_ordered(&run(&[(0, NEVER, Write(1)), (1, 2, Read(INITIAL)), (3, 4, Read(1))])));
        assert!(is_ordered(&run(&[(0, NEVER, Write(1)), (1, 2, Read(INITIAL))])));
        let twice = [(0, NEVER, Write(1)), (1, 2, Read(1)), (3, 4, Write(2)), (5, 6, Read(2)), (7, 8, Read(1))];
        assert_eq!(run(&twice), SearchResult::Refuted(4));
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
        assert_eq!(run(&steps), SearchResult::Refuted(8));
    }

    #[test]
    fn a_cas_takes_what_it_expects() {
        let chain = [(0, 1, Cas { from: INITIAL, to: 1 }), (2, 3, Cas { from: 1, to: 2 }), (4, 5, Read(2))];
        assert!(is_ordered(&run(&chain)));
        assert_eq!(
            run(&[(0, 3, Cas { from: INITIAL, to: 1 }), (1, 2, Cas { from: INITIAL, to: 2 })]),
            SearchResult::Refuted(0)
        );
    }

    #[test]
    fn a_cas_that_did_not_match_saw_something_else() {
        assert_eq!(run(&[(0, 1, NotEqual(INITIAL))]), SearchResult::Refuted(0));
        assert!(is_ordered(&run(&[(0, 3, Write(1)), (1, 2, NotEqual(INITIAL))])));
        assert!(is_ordered(&run(&[(0, NEVER, Write(1)), (1, 2, NotEqual(INITIAL))])));
        assert_eq!(
            run(&[(0, NEVER, Write(1)), (1, 2, NotEqual(INITIAL)), (3, 4, Read(INITIAL))]),
            SearchResult::Refuted(2)
        );
    }
}
