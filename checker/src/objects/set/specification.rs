//! Set: `add`, `remove`, `contains` of an element, and `read` of all elements. `add` and `remove` may answer whether
//! they changed it. A set of comments has `write`, which adds one, and `read`, and nothing else.

use std::{collections::BTreeSet, fmt};

use histories::{History, Value};

use crate::{
    UnknownWhy,
    memory::of_tree,
    specification::{Call, Specification, elements, items},
    state_words::write_first,
};

#[derive(Debug)]
pub(crate) struct Set<'a> {
    initial: BTreeSet<Value>,
    /// Functions that it has.
    has: NamedFunctions,
    /// Elements that count, or `None` if all do.
    only: Option<&'a [Value]>,
}

/// Functions of a kind of sets by their names.
pub(super) type NamedFunctions = fn(&str) -> Option<SetFunction>;

/// Functions of a set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetFunction {
    Add,
    Remove,
    Contains,
    Read,
}

impl<'a> Set<'a> {
    pub(crate) fn new(initial: &Value) -> Self {
        Self::with(initial, SetFunction::of_set)
    }

    /// Makes a set that begins with these elements and has these functions.
    pub(super) fn with(initial: &Value, has: NamedFunctions) -> Self {
        Self { initial: elements(initial).collect(), has, only: None }
    }

    /// Makes a set of any kind that ignores all elements but these.
    pub(crate) fn of_only(initial: &Value, only: &'a [Value]) -> Self {
        let initial = elements(initial).filter(|element| only.contains(element)).collect();
        Self { initial, has: SetFunction::named, only: Some(only) }
    }
}

impl SetFunction {
    /// Returns the function of this name, whichever kind of set has it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::of_set(name).or_else(|| Self::of_comments(name))
    }

    /// Returns the function of a set of comments.
    pub(super) fn of_comments(name: &str) -> Option<Self> {
        match name {
            "write" => Some(Self::Add),
            "read" => Some(Self::Read),
            _ => None,
        }
    }

    /// Returns the function of any other set.
    pub(super) fn of_set(name: &str) -> Option<Self> {
        Some(match name {
            "add" | "insert" => Self::Add,
            "remove" | "delete" | "discard" => Self::Remove,
            "contains" | "member" | "has" => Self::Contains,
            "read" | "elements" => Self::Read,
            _ => return None,
        })
    }
}

impl Specification for Set<'_> {
    type State = BTreeSet<Value>;

    fn initial(&self) -> Self::State {
        self.initial.clone()
    }

    fn state_bytes(&self, set: &Self::State) -> usize {
        size_of::<Self::State>() + of_tree(set, size_of::<Value>())
    }

    fn write_state(&self, set: &Self::State, _: &History, out: &mut dyn fmt::Write) -> fmt::Result {
        write_first(out, ['{', '}'], set.len(), set)
    }

    fn apply(&self, set: &mut Self::State, call: &Call<'_>) -> bool {
        match SetFunction::named(call.function) {
            Some(SetFunction::Add) => call.may_say(set.insert(call.input.clone())),
            Some(SetFunction::Remove) => call.may_say(set.remove(call.input)),
            Some(SetFunction::Contains) => call.may_answer(&Value::Bool(set.contains(call.input))),
            Some(SetFunction::Read) => match call.output {
                None => true,
                Some(said) => items(said).is_some_and(|seen| {
                    let counts = |element: &&Value| self.only.is_none_or(|only| only.contains(element));
                    let seen: Vec<&Value> = seen.iter().filter(counts).collect();
                    seen.len() == set.len() && seen.into_iter().collect::<BTreeSet<_>>().into_iter().eq(set.iter())
                }),
            },
            None => false,
        }
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        let function = (self.has)(call.function).ok_or_else(|| call.unknown_function())?;
        let known = match function {
            SetFunction::Add | SetFunction::Remove => {
                call.says_nothing() || matches!(call.output, Some(Value::Bool(_)))
            }
            SetFunction::Contains => matches!(call.output, None | Some(Value::Bool(_))),
            SetFunction::Read => call.output.is_none_or(|said| items(said).is_some()),
        };
        if function == SetFunction::Read && !call.asks_for_nothing() {
            return Err(call.unsupported_input());
        }
        if known { Ok(()) } else { Err(call.unsupported_output()) }
    }

    fn is_read_only(&self, call: &Call<'_>) -> bool {
        matches!(SetFunction::named(call.function), Some(SetFunction::Contains | SetFunction::Read))
    }

    fn part(&self, call: &Call<'_>) -> Option<Value> {
        (!matches!(SetFunction::named(call.function), Some(SetFunction::Read))).then(|| call.input.clone())
    }

    fn finds(&self, call: &Call<'_>) -> Vec<Value> {
        let seen = match (SetFunction::named(call.function), call.output) {
            (Some(SetFunction::Contains | SetFunction::Remove), Some(Value::Bool(true)))
                if call.output != Some(call.input) =>
            {
                std::slice::from_ref(call.input)
            }
            (Some(SetFunction::Read), Some(Value::List(seen))) => seen,
            _ => &[],
        };
        seen.iter().filter(|element| !self.initial.contains(element)).cloned().collect()
    }

    fn leaves(&self, call: &Call<'_>) -> Vec<Value> {
        if SetFunction::named(call.function) == Some(SetFunction::Add) { vec![call.input.clone()] } else { Vec::new() }
    }

    fn depends_on_process(&self) -> bool {
        false
    }
}
