//! Locks, decided by the sections in which a process certainly holds them. [`super::fenced_lock`] has the same method.

pub(super) mod method;
pub(super) mod specification;

use histories::Value;

use super::definition::Definition;
use crate::specification::Argument;
use specification::Mutex;

pub(super) static DEFINITION: Definition = Definition {
    initial: ("nobody holding it, which needs not be said", |initial| *initial == Value::Nil),
    method: Some(|key| key.verified(&key.operations, method::decide(key, false))),
    argument: |_| Argument::None,
    // A lock that one process holds is not free for others.
    is_informative: |_| true,
    needs_processes: true,
    ..Definition::new("mutex", "acquire, and release by the process that holds it", |_| Box::new(Mutex))
};
