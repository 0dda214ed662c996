//! Lock whose every `acquire` answers with a fencing token: a number that is larger than all before. `release` is by
//! the process that holds it, with or without the token.

use std::fmt;

use histories::{History, Value};

use crate::{
    UnknownWhy,
    objects::mutex::specification::{acquires, write_owner},
    specification::{Call, Specification},
};

#[derive(Debug)]
pub(crate) struct FencedLock<'a> {
    initial: &'a Value,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LockState {
    owner: Option<u32>,
    /// Token of the owner, if it is known.
    token: Option<i64>,
    /// Lower bound of the last token given out, or `None` if it may be any. A token of unknown value leaves the most
    /// room if it is assumed to be the next number.
    highest: Option<i128>,
}

impl<'a> FencedLock<'a> {
    /// Makes a lock whose tokens are larger than `initial`, if that is a number.
    pub(crate) fn new(initial: &'a Value) -> Self {
        Self { initial }
    }
}

impl Specification for FencedLock<'_> {
    type State = LockState;

    fn initial(&self) -> LockState {
        let highest = if let Value::Int(least) = *self.initial { Some(i128::from(least)) } else { None };
        LockState { owner: None, token: None, highest }
    }

    fn write_state(&self, state: &Self::State, history: &History, out: &mut dyn fmt::Write) -> fmt::Result {
        write_owner(state.owner, history, out)?;
        match state.token {
            Some(token) => write!(out, " with token {token}"),
            None => Ok(()),
        }
    }

    fn apply(&self, state: &mut LockState, call: &Call<'_>) -> bool {
        let highest = state.highest;
        match (acquires(call.function), call.output, call.input) {
            (Some(true), None, _) if state.owner.is_none() => {
                *state = LockState { owner: Some(call.process), token: None, highest: highest.map(|last| last + 1) };
            }
            (Some(true), Some(&Value::Int(token)), _)
                if state.owner.is_none() && highest.is_none_or(|last| i128::from(token) > last) =>
            {
                *state = LockState { owner: Some(call.process), token: Some(token), highest: Some(token.into()) };
            }
            (Some(false), _, input) if state.owner == Some(call.process) => {
                (state.owner, state.highest) = match (input, state.token) {
                    (&Value::Int(token), None) if highest.is_none_or(|last| i128::from(token) >= last) => {
                        (None, Some(token.into()))
                    }
                    (&Value::Int(token), Some(given)) if token == given => (None, highest),
                    (Value::Int(_), _) => return false,
                    _ => (None, highest),
                };
                state.token = None;
            }
            _ => return false,
        }
        true
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        match (acquires(call.function), call.output) {
            (None, _) => Err(call.unknown_function()),
            (Some(true), _) if !call.asks_for_nothing() => Err(call.unsupported_input()),
            (Some(true), None | Some(Value::Int(_))) => Ok(()),
            (Some(false), _) if !matches!(call.input, Value::Nil | Value::Int(_)) => Err(call.unsupported_input()),
            (Some(false), _) if call.says_nothing() || call.output == Some(&Value::Bool(true)) => Ok(()),
            (Some(_), _) => Err(call.unsupported_output()),
        }
    }
}
