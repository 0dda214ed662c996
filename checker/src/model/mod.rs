//! What an object may do, one call after another: the sequential specifications.
//!
//! They are definitions, not methods: the second opinion (`verify`) and the general search know objects only through them.

pub(crate) mod bag;
mod collection;
mod counter;
mod fenced_lock;
mod list;
mod multi_register;
mod mutex;
pub(crate) mod priority_queue;
pub(crate) mod queue;
pub(crate) mod register;
mod set;
pub(crate) mod stack;

use std::{collections::BTreeSet, fmt::Debug, hash::Hash};

use histories::{Edn, History, Operation, Outcome, Value, ValueId};

use crate::{Model, UnknownWhy, generic::Object};

pub(crate) use collection::Names;
pub(crate) use counter::{Counter, is_increment};
pub(crate) use list::{List, appends};
pub(crate) use mutex::acquires;
pub(crate) use register::Register;
pub(crate) use set::{Function as SetFunction, Set};

/// A deterministic object, by what it answers when calls come one after another. One history key is one object.
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
    /// All that calls leave behind. Equal states must behave equally. The search copies many of them, so it is quicker where copies
    /// share what is large, such as an `Rc<str>`.
    type State: Clone + Eq + Hash + Debug;

    /// The state before the first call.
    fn initial(&self) -> Self::State;

    /// Lets the call happen; `false` if it cannot have answered so in this state, which is then of no further use.
    ///
    /// A call whose answer nobody knows must be possible whenever it is with some answer.
    fn apply(&self, state: &mut Self::State, call: &Call<'_>) -> bool;

    /// Whether the object knows such calls, with such arguments and answers. One that it does not know makes the verdict unknown.
    ///
    /// # Errors
    /// What it does not know.
    fn accepts(&self, _call: &Call<'_>) -> Result<(), UnknownWhy> {
        Ok(())
    }

    /// Whether such a call never changes any state. Saying so is never needed, but makes the check faster.
    fn is_read_only(&self, _call: &Call<'_>) -> bool {
        false
    }

    /// Which part of the object the call is about, if it neither sees nor changes any other: where all calls say so, each part is
    /// checked on its own (linearizability is local: Herlihy and Wing 1990, theorem 1).
    fn part(&self, _call: &Call<'_>) -> Option<Value> {
        None
    }

    /// Which values the call is about, if the model is such that these may go: of any possible sequence of calls, what is left when
    /// all calls about some values are left out, and any of those about none, must be possible too. So it is where elements are put
    /// in and taken out, and where the last value written is read. Never needed, but makes the evidence of a violation small.
    fn about(&self, _call: &Call<'_>) -> Option<Vec<Value>> {
        None
    }

    /// What the answer of a call shows that must have been left by some other call, which began before this one ended: elements that were
    /// found, values that were read. Never needed, but where nobody left it, that is found at once.
    fn finds(&self, _call: &Call<'_>) -> Vec<Value> {
        Vec::new()
    }

    /// What a call may leave that others find: with [`Specification::finds`].
    fn leaves(&self, _call: &Call<'_>) -> Vec<Value> {
        Vec::new()
    }

    /// Whether it matters who calls. Where it does not, [`Call::process`] is always 0, and equal calls of unknown outcome are
    /// counted instead of told apart, which makes the check faster.
    fn asks_who(&self) -> bool {
        true
    }
}

/// What one client asked, and what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Call<'a> {
    /// Its name; `get` is called `read`, and `put` is called `write`.
    pub function: &'a str,
    /// Its argument; of a `cas`, what is expected. [`Value::Nil`] where there is none.
    pub input: &'a Value,
    /// Of a `cas`, what is set; otherwise [`Value::Nil`].
    pub to: &'a Value,
    /// What it answered, [`Value::Nil`] if only that it happened; `None` if nobody knows, or it never answers anything.
    pub output: Option<&'a Value>,
    /// Whether it is a `cas` that found another value than it expected.
    pub mismatch: bool,
    /// Who asked; 0 if the object does not ask.
    pub process: u32,
}

impl<'a> Call<'a> {
    /// The call that `operation` made.
    pub(crate) fn of(history: &'a History, operation: &Operation, asks_who: bool) -> Self {
        let answered = operation.outcome != Outcome::Info && operation.output != ValueId::UNKNOWN;
        Self {
            function: history.function_name(operation.function),
            input: history.value(operation.input),
            to: history.value(operation.to),
            output: answered.then(|| history.value(operation.output)),
            mismatch: operation.outcome == Outcome::Mismatch,
            process: if asks_who { operation.process } else { 0 },
        }
    }

    /// Whether the answer says nothing beyond that the call happened: nothing, or its argument once more.
    pub fn says_nothing(&self) -> bool {
        self.output.is_none_or(|said| *said == Value::Nil || said == self.input)
    }

    /// Whether it asks for nothing in particular: it has no argument, or the answer was written down as one already.
    pub fn asks_for_nothing(&self) -> bool {
        *self.input == Value::Nil || self.output == Some(self.input)
    }

    /// Whether the answer is this, or unknown.
    pub fn may_answer(&self, answer: &Value) -> bool {
        self.output.is_none_or(|said| said == answer)
    }

    /// Whether the answer is this, or says nothing.
    fn may_say(&self, truth: bool) -> bool {
        self.says_nothing() || matches!(self.output, Some(Value::Bool(said)) if *said == truth)
    }

    /// That the model has no such function.
    pub fn unknown_function(&self) -> UnknownWhy {
        UnknownWhy::Function { name: self.function.to_owned() }
    }

    /// That the model has the function, but not with such an argument.
    pub fn unsupported_input(&self) -> UnknownWhy {
        UnknownWhy::Unsupported { what: format!("{} with the argument {}", self.function, self.input) }
    }

    /// That the model has the function, but not with such an answer.
    pub fn unsupported_output(&self) -> UnknownWhy {
        let answer = self.output.unwrap_or(&Value::Nil);
        UnknownWhy::Unsupported { what: format!("{} that answers {answer}", self.function) }
    }
}

/// What a function may be asked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    /// Nothing.
    None,
    /// Nothing, or what it answered, written down before it did.
    NoneOrAnswer,
    /// Something.
    Some,
    /// Something or nothing.
    Any,
}

impl Argument {
    /// Whether the operation has such a one.
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

/// Whether a value is made of values, and so neither text nor number nor the like.
pub(crate) fn is_compound(value: &Value) -> bool {
    match value {
        Value::List(_) | Value::Map(_) => true,
        Value::Edn(edn) => matches!(**edn, Edn::Set(_) | Edn::Tagged(..)),
        _ => false,
    }
}

/// The elements of a sequence or a set.
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

/// Whether a call that was answered says something that could be wrong: of a model that lets anybody write anything, what is read.
pub(crate) fn tells(model: Model, call: &Call<'_>) -> bool {
    let is_answered = call.output.is_some();
    match model {
        Model::Register | Model::KeyValue => is_answered || call.function == "cas",
        Model::MultiRegister => multi_register::reads(call),
        Model::Set => match SetFunction::named(call.function) {
            Some(SetFunction::Add | SetFunction::Remove) => !call.says_nothing(),
            _ => is_answered,
        },
        Model::Counter => is_answered && call.function == "read",
        Model::List => is_answered && appends(call.function) == Some(false),
        Model::Queue => is_answered && queue::NAMES.only_looks(call.function),
        Model::Bag => is_answered && bag::NAMES.only_looks(call.function),
        Model::Stack => is_answered && stack::NAMES.only_looks(call.function),
        Model::PriorityQueue => is_answered && priority_queue::NAMES.only_looks(call.function),
        // Who has it, others do not.
        Model::Mutex | Model::FencedLock => true,
    }
}

impl Model {
    /// What a function of this name may be asked with, as far as that needs no look at values; what the model does not have, may be anything.
    pub(crate) fn argument(self, function: &str) -> Argument {
        let is_look = match self {
            Self::Register | Self::KeyValue | Self::Counter => function == "read",
            Self::MultiRegister => false,
            Self::Set => SetFunction::named(function) == Some(SetFunction::Read),
            Self::Queue => queue::NAMES.only_looks(function),
            Self::Bag => bag::NAMES.only_looks(function),
            Self::Stack => stack::NAMES.only_looks(function),
            Self::PriorityQueue => priority_queue::NAMES.only_looks(function),
            Self::List => appends(function) == Some(false),
            Self::FencedLock => acquires(function) == Some(true),
            Self::Mutex => return Argument::None,
        };
        match self {
            _ if is_look => Argument::NoneOrAnswer,
            Self::Counter if counter::needs_number(function) => Argument::Some,
            _ => Argument::Any,
        }
    }

    /// Whether its objects can begin with this value.
    ///
    /// # Errors
    /// They cannot; in words, what they begin with.
    pub fn begins_with(self, initial: &Value) -> Result<(), &'static str> {
        let is_list_of = |fits: &dyn Fn(&Value) -> bool| match initial {
            Value::Nil => true,
            Value::List(items) => items.iter().all(fits),
            _ => false,
        };
        let is_bunch_of = |fits: &dyn Fn(&Value) -> bool| {
            *initial == Value::Nil || items(initial).is_some_and(|items| items.iter().all(fits))
        };
        let is_number = |value: &Value| matches!(value, Value::Int(_));
        let (fits, allowed) = match self {
            Self::Register | Self::MultiRegister => (true, "any value"),
            Self::KeyValue => (!is_compound(initial), "null, text, a number, true or false"),
            Self::Set => {
                let elements: Vec<Value> = elements(initial).collect();
                let differ = elements.iter().collect::<BTreeSet<_>>().len() == elements.len();
                (is_bunch_of(&|_| true) && differ, "a list of different elements, or null for none")
            }
            Self::List => (is_list_of(&|_| true), "a list, or null for an empty one"),
            Self::Bag => {
                (is_bunch_of(&|element| *element != Value::Nil), "a list of values other than null, or null for none")
            }
            Self::Queue | Self::Stack => {
                (is_list_of(&|element| *element != Value::Nil), "a list of values other than null, or null for none")
            }
            Self::PriorityQueue => (is_bunch_of(&is_number), "a list of whole numbers, or null for none"),
            Self::Counter => (*initial == Value::Nil || is_number(initial), "a whole number, or null for 0"),
            Self::FencedLock => (
                *initial == Value::Nil || is_number(initial),
                "a whole number, above which all tokens are, or null for none",
            ),
            Self::Mutex => (*initial == Value::Nil, "nobody holding it, which needs not be said"),
        };
        if fits { Ok(()) } else { Err(allowed) }
    }

    /// Whether its objects have a function of this name.
    pub fn has(self, function: &str) -> bool {
        self.specification(&Value::Nil).has(function)
    }

    /// What an object of this model may do.
    pub(crate) fn specification(self, initial: &Value) -> Box<dyn Object + '_> {
        match self {
            Self::Register => Box::new(Register::new(initial, false)),
            Self::KeyValue => Box::new(Register::new(initial, true)),
            Self::MultiRegister => Box::new(multi_register::MultiRegister::new(initial)),
            Self::Set => Box::new(Set::new(initial)),
            Self::Counter => Box::new(Counter::new(initial)),
            Self::Queue => Box::new(queue::Queue::new(initial)),
            Self::Bag => Box::new(bag::Bag::new(initial)),
            Self::Stack => Box::new(stack::Stack::new(initial)),
            Self::PriorityQueue => Box::new(priority_queue::PriorityQueue::new(initial)),
            Self::Mutex => Box::new(mutex::Mutex),
            Self::FencedLock => Box::new(fenced_lock::FencedLock::new(initial)),
            Self::List => Box::new(List::new(initial)),
        }
    }
}

/// What a list of elements holds in the beginning.
fn elements(initial: &Value) -> impl Iterator<Item = Value> + '_ {
    items(initial).unwrap_or_default().iter().cloned()
}

#[cfg(test)]
mod tests;
