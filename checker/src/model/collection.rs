//! What queues, stacks, priority queues and bags have in common: something is put in, taken out, or looked at. An answer of
//! nothing (`null`) means that it was empty.

use histories::Value;

use super::Call;
use crate::UnknownWhy;

pub(super) enum Access {
    Put,
    Take,
    Peek,
}

/// The names under which a collection is known.
pub(crate) struct Names {
    pub put: &'static [&'static str],
    pub take: &'static [&'static str],
    pub peek: &'static [&'static str],
}

impl Names {
    pub(super) fn access(&self, call: &Call<'_>) -> Option<Access> {
        let is_one_of = |names: &[&str]| names.contains(&call.function);
        match () {
            () if is_one_of(self.put) => Some(Access::Put),
            () if is_one_of(self.take) => Some(Access::Take),
            () if is_one_of(self.peek) => Some(Access::Peek),
            () => None,
        }
    }

    pub(super) fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        match self.access(call) {
            None => Err(call.unknown_function()),
            Some(Access::Put) if *call.input == Value::Nil => Err(call.unsupported_input()),
            Some(Access::Put) if !call.may_say(true) => Err(call.unsupported_output()),
            Some(_) => Ok(()),
        }
    }

    /// The element that the call is about, or none where it found nothing. What an unknown `take` took, nobody knows.
    pub(super) fn about(&self, call: &Call<'_>) -> Option<Vec<Value>> {
        match (self.access(call)?, call.output) {
            (Access::Put, _) => Some(vec![call.input.clone()]),
            (Access::Take, None) => None,
            (Access::Peek, None) | (_, Some(Value::Nil)) => Some(Vec::new()),
            (_, Some(element)) => Some(vec![element.clone()]),
        }
    }
}

/// Whether the call may answer that it found this.
pub(super) fn may_find(call: &Call<'_>, found: Option<&Value>) -> bool {
    call.may_answer(found.unwrap_or(&Value::Nil))
}
