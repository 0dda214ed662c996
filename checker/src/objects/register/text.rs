//! Register whose value can also grow at its end. Only texts that can still be observed are told apart.
//!
//! # Why it is right
//! An operation that observes a text expects one particular value. If no expected value begins with a text, then none
//! begins with that text after any number of appends either: operations that expect a value do not find it, and
//! operations that expect any other value do. So all such texts are one state, [`BLANK`], which only a write leaves.
//! Every other text is the beginning of expected values. When these are sorted, those with a common beginning are
//! adjacent, and a state is their range together with the length of the beginning. No text is ever concatenated.
//!
//! A value that is not text (nil, a number) has a state of its own beside that of the text that [`as_text`] makes of
//! it: any append, even of empty text, yields text.

mod expected;
mod guide;

use std::borrow::Cow;

use aho_corasick::AhoCorasick;
use histories::{History, NEVER, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use super::specification::{as_text, is_text};
use crate::{
    automaton::{Automaton, State, TEXT_BYTES_PER_STEP},
    budget::{Budget, Shortage},
    memory::{of_table, of_vec},
    prepare::{Action, INITIAL, KeySteps, Step, Val},
    sorted::sorted,
};

use expected::{Beginning, ExpectedTexts, number};
use guide::{TextMakers, places};

/// State of all texts that no operation observes.
const BLANK: State = State::MAX;

/// Number of bytes that are searched in the time of one step.
const BYTES_PER_STEP: usize = 16;

/// Register of text. The first states are the values of the history, under their numbers in the key.
#[derive(Debug)]
pub(crate) struct Text<'a> {
    /// Text of each value.
    texts: Vec<Cow<'a, str>>,
    asked: ExpectedTexts<'a>,
    states: Vec<Beginning>,
    /// State of a text by the start of its range and its length.
    numbers: FxHashMap<(u32, u32), State>,
    appended: FxHashMap<(State, Val), State>,
    /// Rank up to which a text is expected that contains this append of unknown outcome.
    seen_until: FxHashMap<Val, u32>,
    /// Rank of the last completion of a cas that did not match, which observes any value but the one that it names.
    other_until: u32,
    work_bytes: usize,
}

impl<'a> Text<'a> {
    /// Returns the estimated memory for the texts of the history, in bytes.
    pub(crate) fn bytes(history: &History, prepared: &KeySteps) -> usize {
        /// Estimated bytes for each value, in these tables and in [`TextMakers`].
        const OF_VALUE: usize = 2 * size_of::<Cow<'_, str>>() + size_of::<Beginning>() + 128;
        const OF_STEP: usize = 4 * size_of::<usize>();
        /// Estimated bytes for each byte that is searched for in all texts.
        const OF_UNKNOWN: usize = 32;
        let length = |value: Val| match prepared.values[value as usize].map(|id| history.value(id)) {
            Some(Value::Str(text)) => text.len(),
            _ => 0,
        };
        let unknown = prepared.steps.iter().map(|step| match step.action {
            Action::Append(suffix) if !step.is_certain() => OF_UNKNOWN * (length(suffix) + 1),
            _ => 0,
        });
        unknown.sum::<usize>() + prepared.values.len() * OF_VALUE + prepared.steps.len() * OF_STEP
    }

    pub(crate) fn new(
        history: &'a History,
        initial: &'a Value,
        prepared: &KeySteps,
        budget: &Budget<'_>,
    ) -> Result<Self, Shortage> {
        let steps = &prepared.steps;
        let values = prepared.values.iter().map(|id| id.map_or(initial, |id| history.value(id)));
        let texts: Vec<Cow<'a, str>> = values.clone().map(as_text).collect();
        let made = TextMakers::by(steps, &texts, budget)?;
        let (asked, other_until) = ExpectedTexts::by(steps, &texts, &made, budget)?;
        let places = places(&made, &texts, steps, budget)?;
        let mut states = vec![Beginning::default(); texts.len()];
        let mut numbers = FxHashMap::default();
        let is_text: Vec<bool> = values.map(is_text).collect();
        let mut name = |value: Val| {
            let Some(beginning) = asked.beginning(&texts[value as usize]) else { return };
            states[value as usize] = Beginning { place: places[value as usize], ..beginning };
            if is_text[value as usize] {
                numbers.insert((beginning.first, beginning.length), value);
            }
        };
        name(INITIAL);
        for step in steps {
            budget.step()?;
            match step.action {
                Action::Read(value) | Action::NotEqual(value) | Action::Write(value) => name(value),
                Action::Cas { from, to } => {
                    name(from);
                    name(to);
                }
                Action::Append(_) | Action::Contradiction(_) => {}
            }
        }
        let mut seen_until = seen_until(&asked, &made, &texts, steps, budget)?;
        let as_text_until = as_text_until(&asked, &texts, &is_text, steps);
        for step in steps.iter().filter(|step| !step.is_certain()) {
            if let Action::Append(suffix) = step.action
                && texts[suffix as usize].is_empty()
            {
                seen_until.insert(suffix, as_text_until);
            }
        }
        let appended = FxHashMap::default();
        Ok(Self { texts, asked, states, numbers, appended, seen_until, other_until, work_bytes: 0 })
    }

    /// Returns true if most expected values have a position in the guessed order.
    pub(crate) fn is_guided(&self) -> bool {
        let asked = || self.states.iter().filter(|state| state.until > 0);
        2 * asked().filter(|state| state.place > 0).count() > asked().count()
    }

    /// Returns the state of a value, [`BLANK`] if it is not expected.
    fn of(&self, value: Val) -> State {
        if self.states[value as usize].until == 0 { BLANK } else { value }
    }

    fn append(&mut self, state: State, suffix: Val) -> State {
        if state == BLANK {
            return BLANK;
        }
        if let Some(&known) = self.appended.get(&(state, suffix)) {
            return known;
        }
        let text = &self.texts[suffix as usize];
        self.work_bytes += text.len();
        let next = match self.asked.extended(self.states[state as usize], text) {
            None => BLANK,
            Some(beginning) => *self.numbers.entry((beginning.first, beginning.length)).or_insert_with(|| {
                self.states.push(beginning);
                number(self.states.len() - 1)
            }),
        };
        self.appended.insert((state, suffix), next);
        next
    }
}

/// Returns for each append of unknown outcome the rank up to which a text is expected that contains the appended
/// text, where the rest before and after it can have been made by other steps.
fn seen_until(
    asked: &ExpectedTexts<'_>,
    made: &TextMakers<'_>,
    texts: &[Cow<'_, str>],
    steps: &[Step],
    budget: &Budget<'_>,
) -> Result<FxHashMap<Val, u32>, Shortage> {
    let suffixes = (steps.iter().filter(|step| !step.is_certain()))
        .filter_map(|step| if let Action::Append(suffix) = step.action { Some(suffix) } else { None })
        .filter(|&suffix| !texts[suffix as usize].is_empty());
    let suffixes = sorted(suffixes);
    let mut seen: FxHashMap<Val, u32> = FxHashMap::default();
    if suffixes.is_empty() {
        return Ok(seen);
    }
    let Ok(search) = AhoCorasick::new(suffixes.iter().map(|&suffix| texts[suffix as usize].as_bytes())) else {
        return Ok(suffixes.into_iter().map(|suffix| (suffix, NEVER)).collect());
    };
    for (place, text) in (0..).zip(&asked.texts) {
        budget.steps(1 + text.len() / BYTES_PER_STEP)?;
        let until = asked.until(place, place + 1);
        for found in search.find_overlapping_iter(text.as_bytes()) {
            let (before, after) = (&text.as_bytes()[..found.start()], &text.as_bytes()[found.end()..]);
            let is_initial = before.is_empty() || before == texts[INITIAL as usize].as_bytes();
            let begins = is_initial || made.written.are(before) || made.appended.end(before);
            if !begins || !(after.is_empty() || made.appended.begin(after)) {
                continue;
            }
            let latest = seen.entry(suffixes[found.pattern().as_usize()]).or_insert(0);
            *latest = until.max(*latest);
        }
    }
    Ok(seen)
}

/// Returns the rank up to which a text is expected that an append of empty text makes of a value that is not text.
/// (Appending more than that gives the same result for the value and for its text.)
fn as_text_until(asked: &ExpectedTexts<'_>, texts: &[Cow<'_, str>], is_text: &[bool], steps: &[Step]) -> u32 {
    let mut sought = vec![false; texts.len()];
    let mut becomes_text = vec![INITIAL];
    for step in steps {
        match step.action {
            Action::Read(value) | Action::NotEqual(value) => sought[value as usize] = true,
            Action::Write(value) => becomes_text.push(value),
            Action::Cas { from, to } => {
                sought[from as usize] = true;
                becomes_text.push(to);
            }
            Action::Append(_) | Action::Contradiction(_) => {}
        }
    }
    let of_none: FxHashSet<&str> = becomes_text
        .into_iter()
        .filter(|&value| !is_text[value as usize])
        .map(|value| &*texts[value as usize])
        .collect();
    let wanted = (0..texts.len()).filter(|&value| is_text[value] && sought[value] && of_none.contains(&*texts[value]));
    wanted.map(|value| asked.place(&texts[value])).map(|place| asked.until(place, place + 1)).max().unwrap_or(0)
}

impl Automaton for Text<'_> {
    type Action = Action;

    fn initial(&self) -> State {
        self.of(INITIAL)
    }

    fn step(&mut self, state: State, action: Action) -> Option<State> {
        match action {
            Action::Read(value) => (value == state).then_some(state),
            Action::NotEqual(value) => (value != state).then_some(state),
            Action::Write(value) => Some(self.of(value)),
            Action::Cas { from, to } => (from == state).then(|| self.of(to)),
            Action::Append(suffix) => Some(self.append(state, suffix)),
            Action::Contradiction(_) => None,
        }
    }

    fn settle(&self, state: State, rank: u32) -> State {
        if state == BLANK || self.states[state as usize].until < rank { BLANK } else { state }
    }

    fn useful_until(&self, action: Action) -> u32 {
        let seen = match action {
            Action::Write(to) | Action::Cas { to, .. } => self.states[to as usize].until,
            Action::Append(suffix) => self.seen_until.get(&suffix).copied().unwrap_or(0),
            Action::Read(_) | Action::NotEqual(_) | Action::Contradiction(_) => 0,
        };
        seen.max(self.other_until)
    }

    fn follows(&self, state: State, look: Action) -> bool {
        let (Action::Read(value) | Action::Cas { from: value, .. }) = look else { return false };
        let place = self.states[value as usize].place;
        state != BLANK && place != 0 && place < self.states[state as usize].place
    }

    fn is_blank(&self, state: State) -> bool {
        state == BLANK && self.other_until == 0
    }

    fn memory_bytes(&self, more: usize) -> usize {
        of_vec(&self.states, more) + of_table(&self.numbers, more) + of_table(&self.appended, more)
    }

    fn has_room(&self, more: usize) -> bool {
        let room = |length, capacity| length + more <= capacity;
        room(self.states.len(), self.states.capacity())
            && room(self.numbers.len(), self.numbers.capacity())
            && room(self.appended.len(), self.appended.capacity())
    }

    fn work(&self) -> usize {
        self.work_bytes / TEXT_BYTES_PER_STEP
    }

    fn reserve(&mut self, more: usize) {
        self.states.reserve(more);
        self.numbers.reserve(more);
        self.appended.reserve(more);
    }
}

#[cfg(test)]
mod tests {
    use histories::{Event, EventType, HistoryBuilder, Process};

    use super::*;
    use crate::prepare::{Keys, Preparer};

    /// Runs `test` on the automaton of these operations, one after the other: function, argument or answer, and
    /// whether it completed.
    fn with_text<T>(initial: &str, operations: &[(&'static str, &str, bool)], test: impl Fn(&mut Text<'_>) -> T) -> T {
        with_text_of(&initial.into(), operations, test)
    }

    fn with_text_of<T>(
        initial: &Value,
        operations: &[(&'static str, &str, bool)],
        test: impl Fn(&mut Text<'_>) -> T,
    ) -> T {
        let mut builder = HistoryBuilder::default();
        for (process, &(f, text, has_ended)) in (0..).zip(operations) {
            let event = |kind, value| Event { value, ..Event::new(Process::Client(process), kind, f) };
            let (argument, answer) = if f == "read" { (None, Some(text.into())) } else { (Some(text.into()), None) };
            builder.push(event(EventType::Invoke, argument)).unwrap();
            if has_ended {
                builder.push(event(EventType::Ok, answer)).unwrap();
            }
        }
        let history = builder.finish();
        let keys = Keys::split(&history, &Budget::endless()).unwrap();
        let mut preparer = Preparer::new(&history, true, initial);
        let prepared = preparer.prepare(keys.operations(0), &Budget::endless()).unwrap().steps().unwrap();
        test(&mut Text::new(&history, initial, &prepared, &Budget::endless()).unwrap())
    }

    /// Number of the first value that the operations mention: values are numbered from 1 in the order of their first
    /// mention.
    const A: Val = 1;

    #[test]
    fn only_beginnings_of_what_is_asked_for_are_told_apart() {
        let operations = [("append", "a", true), ("append", "b", true), ("read", "xab", true), ("write", "ab", true)];
        with_text("x", &operations, |text| {
            let start = text.initial();
            let once = text.step(start, Action::Append(A)).unwrap();
            assert!(start != BLANK && once != BLANK && once != start);
            let both = text.step(once, Action::Append(A + 1)).unwrap();
            assert_eq!(
                text.step(both, Action::Read(A + 2)),
                Some(both),
                "what is put together is the value that is read"
            );
            assert_eq!(text.step(start, Action::Append(A + 1)), Some(BLANK), "nobody asks for xb");
            assert_eq!(text.step(BLANK, Action::Append(A)), Some(BLANK));
            assert_eq!(text.step(start, Action::Write(A + 3)), Some(BLANK), "nobody asks for what begins with ab");
            assert!(text.is_blank(BLANK) && !text.is_blank(once));
        });
    }

    #[test]
    fn a_beginning_is_one_only_if_what_follows_can_be_appended() {
        let operations =
            [("append", ",4", false), ("append", ",41", false), ("write", "1", true), ("read", "12,41", true)];
        with_text("", &operations, |text| {
            assert_eq!(text.step(text.initial(), Action::Write(A + 2)), Some(BLANK), "12 does not grow out of 1");
            assert_eq!(text.useful_until(Action::Append(A)), 0, "nobody appended the 1 after ,4");
            assert_eq!(text.useful_until(Action::Append(A + 1)), 0, "nobody wrote the 12 before it");
        });
        let mut operations = operations;
        operations[2].1 = "12";
        with_text("", &operations, |text| {
            assert_ne!(text.step(text.initial(), Action::Write(A + 2)), Some(BLANK));
            assert_eq!(text.useful_until(Action::Append(A)), 0);
            assert!(text.useful_until(Action::Append(A + 1)) > 0);
        });
        let operations = [("append", ",4", false), ("read", "7,4", true)];
        with_text("7", &operations, |text| {
            assert!(text.useful_until(Action::Append(A)) > 0, "7 was there from the first");
        });
    }

    #[test]
    fn an_append_of_no_letters_is_of_use_where_what_is_no_text_can_become_one() {
        let operations = [("append", "", false), ("read", "", true)];
        with_text_of(&Value::Nil, &operations, |text| {
            let made = text.step(text.initial(), Action::Append(A)).unwrap();
            assert_ne!(made, text.initial(), "nothing becomes a text");
            assert_eq!(text.step(made, Action::Read(A)), Some(made));
            assert!(text.useful_until(Action::Append(A)) > 0);
        });
        with_text("", &operations, |text| {
            assert_eq!(text.step(text.initial(), Action::Append(INITIAL)), Some(text.initial()));
            assert_eq!(text.useful_until(Action::Append(INITIAL)), 0, "a text stays what it is");
        });
        let operations = [("append", "", false), ("read", "a", true)];
        with_text_of(&Value::Nil, &operations, |text| {
            assert_eq!(text.useful_until(Action::Append(A)), 0, "nobody asks for what it makes of nothing");
        });
        let operations = [("append", "", false), ("read", "5", true)];
        with_text_of(&Value::Int(5), &operations, |text| assert!(text.useful_until(Action::Append(A)) > 0));
    }

    #[test]
    fn a_text_that_is_asked_for_no_longer_is_none() {
        let operations = [("append", "a", true), ("read", "a", true), ("write", "b", true), ("read", "b", true)];
        with_text("", &operations, |text| {
            let once = text.step(text.initial(), Action::Append(A)).unwrap();
            assert_eq!((text.settle(once, 3), text.settle(once, 4)), (once, BLANK));
        });
    }

    #[test]
    fn what_is_made_once_has_its_place_by_where_its_block_begins() {
        let operations = [
            ("write", "1", true),
            ("append", ",2", true),
            ("read", "1,2", true),
            ("write", "3", true),
            ("read", "3", true),
            ("write", "4", true),
            ("write", "4", true),
            ("read", "4", true),
        ];
        with_text("", &operations, |text| {
            let [one, one_two, three, four] = [A, A + 2, A + 3, A + 4];
            assert!(text.follows(three, Action::Read(one_two)) && !text.follows(one_two, Action::Read(three)));
            assert!(!text.follows(one, Action::Read(one_two)) && !text.follows(one_two, Action::Read(one)));
            assert!(
                !text.follows(four, Action::Read(three)) && !text.follows(three, Action::Read(four)),
                "written twice"
            );
            assert!(text.is_guided());
        });
    }

    #[test]
    fn texts_of_many_lengths_are_guided_nowhere_and_none_is_taken_for_unseen() {
        let texts: Vec<String> = (1..40).map(|length| "x".repeat(length)).collect();
        let mut operations: Vec<(&str, &str, bool)> = texts.iter().map(|text| ("append", &**text, true)).collect();
        operations.extend([("append", "y", false), ("read", "zy", true)]);
        with_text("", &operations, |text| {
            assert!(!text.is_guided());
            assert!(text.useful_until(Action::Append(A + 39)) > 0, "what stands before y is not looked at");
        });
    }
}
