//! General search for registers, with the automaton that fits: in stages, and by the specification alone.

use histories::{History, Value};

use super::{automaton::RegisterAutomaton, plain::SpecificationRegister, text::Text};
use crate::{
    Limits,
    budget::{Budget, Shortage},
    liveness::Liveness,
    prepare::{Action, KeySteps, Step},
    search::{EXACT, Effort, GUIDED_LEVELS, LEVELS, SearchResult, Supply, TEXT_LEVELS, search},
};

/// Number of queries of the limits after which a second opinion is given up.
const MAX_PLAIN_QUESTIONS: usize = 8192;

/// Number of efforts that make up a narrow search.
const NARROW: usize = 5;

/// Stage of the general search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Search with few configurations, to find an order soon.
    Narrow,
    /// Search with more configurations, for efforts beyond the narrow ones, to find an order.
    Wide,
    /// Search in which every unknown change can take effect any number of times, to find that there is no order.
    Relaxed,
    /// Search with all configurations.
    Exact,
}

/// Runs the general search with the automaton that fits.
pub(crate) fn by_search(
    history: &History,
    initial: &Value,
    prepared: &KeySteps,
    limits: &Limits<'_>,
    stage: Stage,
) -> SearchResult {
    let steps = &prepared.steps;
    let exhausted = |out: Shortage| {
        let completed = steps.iter().filter(|step| step.is_certain()).count();
        SearchResult::Limit(out.why(0, completed, steps.len() - completed))
    };
    let has_appends = has_appends(steps);
    let bytes = if has_appends { Text::bytes(history, prepared) } else { prepared.values.len() * size_of::<u32>() };
    let budget = Budget::new(limits);
    if let Err(out) = budget.may_take(bytes + steps.len() * size_of::<u32>()) {
        return exhausted(out);
    }
    let way = |levels: &'static [Effort]| match stage {
        Stage::Narrow => Some((&levels[..NARROW], Supply::Counted)),
        Stage::Wide => (levels.len() > NARROW).then_some((levels, Supply::Counted)),
        Stage::Relaxed => Some((&EXACT[..], Supply::Endless)),
        Stage::Exact => Some((&EXACT[..], Supply::Counted)),
    };
    if has_appends {
        let mut text = match Text::new(history, initial, prepared, &budget) {
            Ok(text) => text,
            Err(out) => return exhausted(out),
        };
        let way = way(if text.is_guided() { &GUIDED_LEVELS } else { &TEXT_LEVELS });
        let found = way.map(|(efforts, supply)| search(steps, &mut text, limits, efforts, supply));
        limits.give_back(text);
        return found.unwrap_or(SearchResult::GaveUp(steps.len()));
    }
    let Some((efforts, supply)) = way(&LEVELS) else { return SearchResult::GaveUp(steps.len()) };
    let mut register = RegisterAutomaton::new(Liveness::new(steps, prepared.values.len()));
    search(steps, &mut register, limits, efforts, supply)
}

/// Returns true if the steps can be ordered according to the specification alone, without the knowledge of the other
/// automata about what can still be observed. Returns `None` if a limit is reached.
pub(crate) fn by_specification(
    history: &History,
    initial: &Value,
    prepared: &KeySteps,
    limits: &Limits<'_>,
) -> Option<bool> {
    let decide = |limits: &Limits<'_>| {
        Budget::new(limits).may_take(SpecificationRegister::bytes(history, prepared)).ok()?;
        let mut plain = SpecificationRegister::new(history, initial, prepared);
        let mut by = |supply| search(&prepared.steps, &mut plain, limits, &EXACT, supply);
        // Steps without an order even if unknown changes take effect any number of times have none; otherwise each
        // takes effect at most once.
        let found = match by(Supply::Endless) {
            SearchResult::Order(_) | SearchResult::GaveUp(_) => by(Supply::Counted),
            decided => decided,
        };
        match found {
            SearchResult::Refuted(_) => Some(false),
            SearchResult::Order(_) => Some(true),
            SearchResult::GaveUp(_) | SearchResult::Limit(_) => None,
        }
    };
    limits.within(MAX_PLAIN_QUESTIONS, decide).0
}

/// Returns true if a step appends: then the register is a text.
pub(super) fn has_appends(steps: &[Step]) -> bool {
    steps.iter().any(|step| matches!(step.action, Action::Append(_)))
}
