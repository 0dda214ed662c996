//! Regular (Lamport, "On interprocess communication", 1986), for several writers in the weak form of Shao, Pierce and Welch,
//! "Multi-writer consistency conditions for shared memory objects", 2003: each look for itself fits some order of all the changes
//! that respects real time. Two looks need not fit the same order: new and old may alternate while changes are open.
//!
//! # Test
//! A look at `v` fails if and only if `v`'s change began after the look was over, or some change began after `v`'s
//! had ended and ended before the look began. *Only if*: otherwise order the changes by their ends, then move `v`'s change to just before the look:
//! all that must come before the look come before `v`'s change or can. A change of unknown outcome has no end, so it lies between nothing, and
//! one that nobody saw need not have happened. For a cas, what it finds is a look, what it sets a change.

use histories::NEVER;

use super::key::{Key, Touch, touches};
use crate::{
    patience::{OutOf, Patience},
    prepare::{Action, INITIAL, Step},
    zones::NO_STEP,
};

/// A look that fits no order of the changes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Irregular {
    /// It found what nobody set, or what says that it cannot be.
    Unset { looker: u32 },
    /// It was over before the change began whose value it found.
    Early { looker: u32, writer: u32 },
    /// A change lies between the one that it found and itself.
    Replaced { looker: u32, writer: u32, newer: u32 },
}

/// The first look that is not regular of those of these steps that took place; nothing if all are.
pub(super) fn irregular(
    key: &Key,
    lookers: impl IntoIterator<Item = u32>,
    patience: &Patience<'_>,
) -> Result<Option<Irregular>, OutOf> {
    let steps = &key.prepared.steps;
    // The first end of a change that begins after this step, by place in the order of begins.
    let mut first_end = vec![(NEVER, NO_STEP); steps.len() + 1];
    for (index, step) in (0_u32..).zip(steps).collect::<Vec<_>>().into_iter().rev() {
        let end = if step.action.installs().is_some() { step.end } else { NEVER };
        first_end[index as usize] = first_end[index as usize + 1].min((end, index));
    }
    let first_end_after = |rank: u32| first_end[steps.partition_point(|other| other.start < rank)];
    for looker in lookers.into_iter().take(steps.len()).filter(|&index| key.took_place[index as usize]) {
        patience.step()?;
        if let Some(found) = fits_nothing(key, looker, first_end[0], first_end_after) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Why a look fits no order of the changes, given which change ended first of all, and of those that began after a rank.
fn fits_nothing(
    key: &Key,
    looker: u32,
    first_end: (u32, u32),
    first_end_after: impl Fn(u32) -> (u32, u32),
) -> Option<Irregular> {
    let step = key.step(looker);
    if let Action::Contradiction(_) = step.action {
        return Some(Irregular::Unset { looker });
    }
    let (value, _) = touches(step).find(|(_, touch)| *touch == Touch::Look)?;
    let writer = key.clusters[value].writer;
    if writer == NO_STEP {
        let newer = first_end;
        return match value {
            INITIAL if newer.0 < step.start => Some(Irregular::Replaced { looker, writer, newer: newer.1 }),
            INITIAL => None,
            _ => Some(Irregular::Unset { looker }),
        };
    }
    let set: &Step = key.step(writer);
    if step.end < set.start || writer == looker {
        return Some(Irregular::Early { looker, writer });
    }
    let newer = first_end_after(set.end);
    (newer.0 < step.start).then_some(Irregular::Replaced { looker, writer, newer: newer.1 })
}
