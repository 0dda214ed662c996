//! Sequential specifications: the trait that defines an object by its behaviour under one call after another, and the
//! calls themselves.
//!
//! Specifications are definitions, not methods: the second opinion (`verify`) and the general search know objects only
//! through them. The objects themselves are in `objects/`.

use std::{
    fmt::{self, Debug, Write},
    hash::Hash,
};

use histories::{Edn, History, Operation, Outcome, Value, ValueId};

use crate::UnknownWhy;

/// Deterministic object, defined by its possible answers to calls that come one after another. Each key of a history
/// is one object.
///
/// ```
/// use checker::{Call, Specification};
/// use histories::Value;
///
/// /// Every `next` answers with a larger number than all before.
/// struct Ticket;
///
/// impl Specification for Ticket {
///     type State = i64;
///
///     fn initial(&self) -> i64 {
///         0
///     }
///
///     fn apply(&self, last: &mut i64, call: &Call<'_>) -> bool {
///         match call.output {
///             Some(Value::Int(ticket)) => std::mem::replace(last, *ticket) < *ticket,
///             Some(_) => false,
///             None => true,
///         }
///     }
/// }
/// ```
pub trait Specification: Sync {
    /// State of the object. Equal states must behave equally. The search copies many of them, so it is faster if
    /// copies share large parts, for example as an `Rc<str>`.
    type State: Clone + Eq + Hash + Debug;

    /// Returns the state before the first call.
    fn initial(&self) -> Self::State;

    /// Returns the memory that a state takes, in bytes. The default leaves out what it holds elsewhere: a model whose
    /// states grow should count that, or a limit in memory is kept only where memory is measured
    /// ([`crate::Memory::measured`]).
    fn state_bytes(&self, _state: &Self::State) -> usize {
        size_of::<Self::State>()
    }

    /// Writes a state for people: `3`, `[1, 2]`, `held by process 7`. The history has the names of processes. The
    /// default is the form for programmers. It is done once `out` fails, which takes only so many characters.
    ///
    /// # Errors
    /// Those of `out`.
    fn write_state(&self, state: &Self::State, _history: &History, out: &mut dyn Write) -> fmt::Result {
        write!(out, "{state:?}")
    }

    /// Applies the call; returns false if it cannot have given its answer in this state, which is not used any
    /// further then.
    ///
    /// A call with an unknown answer must be possible whenever it is possible with some answer.
    fn apply(&self, state: &mut Self::State, call: &Call<'_>) -> bool;

    /// Checks that the model knows such calls, with such arguments and answers. A call that it does not know makes
    /// the verdict unknown.
    ///
    /// # Errors
    /// The function, argument or answer that it does not know.
    fn accepts(&self, _call: &Call<'_>) -> Result<(), UnknownWhy> {
        Ok(())
    }

    /// Returns true if such a call never changes any state. Never required, but makes the check faster.
    fn is_read_only(&self, _call: &Call<'_>) -> bool {
        false
    }

    /// Returns the part of the object that the call is about, if the call neither observes nor changes any other
    /// part. If all calls name a part, each part is checked on its own (linearizability is local: Herlihy and Wing
    /// 1990, theorem 1).
    fn part(&self, _call: &Call<'_>) -> Option<Value> {
        None
    }

    /// Returns the values that the call is about, if calls can be left out by value: from any possible sequence of
    /// calls, all calls about some values, and any of the calls about none, can be removed, and the rest must still
    /// be possible. That holds where elements are put in and taken out, and where the last value written is read.
    /// Never required, but makes the evidence of a violation small.
    fn about(&self, _call: &Call<'_>) -> Option<Vec<Value>> {
        None
    }

    /// Returns the values in the call's answer that some other call, which began before this one ended, must have
    /// left: elements that were found, values that were read. Never required, but finds at once a value that no call
    /// left.
    fn finds(&self, _call: &Call<'_>) -> Vec<Value> {
        Vec::new()
    }

    /// Returns the values that a call may leave for others to find, for [`Specification::finds`].
    fn leaves(&self, _call: &Call<'_>) -> Vec<Value> {
        Vec::new()
    }

    /// Describes a value of [`Specification::finds`], in words that follow "nothing ever left": `7 there`.
    fn found_in_words(&self, found: &Value) -> String {
        format!("{found} there")
    }

    /// Returns true if it matters which process makes a call. If not, [`Call::process`] is always 0, and equal calls
    /// of unknown outcome are counted instead of told apart, which makes the check faster.
    fn depends_on_process(&self) -> bool {
        true
    }
}

/// Call by a client, with its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Call<'a> {
    /// Name of the function; `get` is called `read`, and `put` is called `write`.
    pub function: &'a str,
    /// Argument; the expected value of a `cas`. [`Value::Nil`] if there is none.
    pub input: &'a Value,
    /// New value of a `cas`; otherwise [`Value::Nil`].
    pub to: &'a Value,
    /// Answer, [`Value::Nil`] if it only says that the call took place; `None` if it is unknown, or the function has
    /// no answer.
    pub output: Option<&'a Value>,
    /// True if it is a `cas` that found a value other than it expected.
    pub mismatch: bool,
    /// Process that made the call; 0 if the object does not depend on it.
    pub process: u32,
}

impl<'a> Call<'a> {
    /// Makes the call of `operation`.
    pub(crate) fn of(history: &'a History, operation: &Operation, depends_on_process: bool) -> Self {
        let answered = operation.outcome != Outcome::Info && operation.output != ValueId::UNKNOWN;
        Self {
            function: history.function_name(operation.function),
            input: history.value(operation.input),
            to: history.value(operation.to),
            output: answered.then(|| history.value(operation.output)),
            mismatch: operation.outcome == Outcome::Mismatch,
            process: if depends_on_process { operation.process } else { 0 },
        }
    }

    /// Returns true if the answer only says that the call took place: it is absent, nil, or equal to the argument.
    pub fn says_nothing(&self) -> bool {
        self.output.is_none_or(|said| *said == Value::Nil || said == self.input)
    }

    /// Returns true if the call has no argument, or one that is its answer, which some histories write into the
    /// invocation.
    pub fn asks_for_nothing(&self) -> bool {
        *self.input == Value::Nil || self.output == Some(self.input)
    }

    /// Returns true if the answer is this one, or unknown.
    pub fn may_answer(&self, answer: &Value) -> bool {
        self.output.is_none_or(|said| said == answer)
    }

    /// Returns true if the answer is this boolean, or says nothing.
    pub(crate) fn may_say(&self, truth: bool) -> bool {
        self.says_nothing() || matches!(self.output, Some(Value::Bool(said)) if *said == truth)
    }

    /// Returns the error that the model has no such function.
    pub fn unknown_function(&self) -> UnknownWhy {
        UnknownWhy::Function { name: self.function.to_owned(), model: None }
    }

    /// Returns the error that the model does not have the function with such an argument.
    pub fn unsupported_input(&self) -> UnknownWhy {
        UnknownWhy::Unsupported { what: format!("{} with the argument {}", self.function, self.input), model: None }
    }

    /// Returns the error that the model does not have the function with such an answer.
    pub fn unsupported_output(&self) -> UnknownWhy {
        let answer = self.output.unwrap_or(&Value::Nil);
        UnknownWhy::Unsupported { what: format!("{} that answers {answer}", self.function), model: None }
    }
}

/// Argument that a function takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    /// Nil.
    None,
    /// Nil, or the answer, which some histories write into the invocation.
    NoneOrAnswer,
    /// Value other than nil.
    Some,
    /// Value or nil.
    Any,
}

impl Argument {
    /// Returns true if the operation has such an argument.
    pub(crate) fn fits(self, operation: &Operation) -> bool {
        let Operation { input, output, .. } = *operation;
        match self {
            Self::None => input == ValueId::NIL,
            Self::NoneOrAnswer => input == ValueId::NIL || input == output,
            Self::Some => input != ValueId::NIL,
            Self::Any => true,
        }
    }
}

/// Returns true if a value contains other values: it is a list, map or set, or a tagged value.
pub(crate) fn is_compound(value: &Value) -> bool {
    match value {
        Value::List(_) | Value::Map(_) => true,
        Value::Edn(edn) => matches!(**edn, Edn::Set(_) | Edn::Tagged(..)),
        _ => false,
    }
}

/// Returns the elements of a list or a set.
pub(crate) fn items(value: &Value) -> Option<&[Value]> {
    match value {
        Value::List(items) => Some(items),
        Value::Edn(edn) => match &**edn {
            Edn::Set(items) => Some(items),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the elements of an initial list or set.
pub(crate) fn elements(initial: &Value) -> impl Iterator<Item = Value> + '_ {
    items(initial).unwrap_or_default().iter().cloned()
}

/// Returns true if an initial value is nil, or a list whose items all fit.
pub(crate) fn is_list_of(initial: &Value, fits: impl Fn(&Value) -> bool) -> bool {
    match initial {
        Value::Nil => true,
        Value::List(items) => items.iter().all(fits),
        _ => false,
    }
}

/// Returns true if an initial value is nil, or a list or set whose items all fit.
pub(crate) fn is_collection_of(initial: &Value, fits: impl Fn(&Value) -> bool) -> bool {
    *initial == Value::Nil || items(initial).is_some_and(|items| items.iter().all(fits))
}
