//! Regular (Lamport, "On interprocess communication", 1986), for several writers in the weak form of Shao, Pierce and Welch,
//! "Multi-writer consistency conditions for shared memory objects", 2003: each look for itself fits some order of all the changes
//! that respects real time. Two looks need not fit the same order: new and old may alternate while changes are open.
//!
//! # Test
//! A look at `v` fails if and only if `v`'s change began after the look was over, or some change began after `v`'s
//! had ended and ended before the look began. *Only if*: otherwise order the changes by their ends, then move `v`'s change to just before the look:
//! all that must come before the look come before `v`'s change or can. A change of unknown outcome has no end, so it lies between nothing, and
//! one that nobody saw need not have happened. For a cas, what it finds is a look, what it sets a change.
//!
//! Such a look and that change contradict the order of the zones. One sweep over the steps that can, in the order of their starts, finds the first such look: of the changes that had ended before it, the one that
//! began last is asked whether it began after `v`'s had ended.

use std::{cmp::Reverse, collections::BinaryHeap};

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

/// The first look that is not regular; nothing if all are.
pub(super) fn irregular(key: &Key<'_>, patience: &Patience<'_>) -> Result<Option<Irregular>, OutOf> {
    // Changes that have begun and not ended, by their ends; and when the last of those began that have ended.
    let mut open: BinaryHeap<Reverse<(u32, u32)>> = BinaryHeap::new();
    let mut newest = None;
    for &index in &key.suspects {
        patience.step()?;
        let step = key.step(index);
        while let Some(&Reverse((end, start))) = open.peek()
            && end < step.start
        {
            newest = newest.max(Some(start));
            open.pop();
        }
        if let Some(found) = fits_nothing(key, index, newest) {
            return Ok(Some(found));
        }
        if step.is_certain() && step.action.installs().is_some() {
            open.push(Reverse((step.end, step.start)));
        }
    }
    Ok(None)
}

/// The first of these looks, which all began after every certain change had ended, that is not regular.
pub(super) fn irregular_final(key: &Key<'_>, reads: &[u32]) -> Option<Irregular> {
    let changes = key.prepared.steps.iter().rev().filter(|step| step.action.installs().is_some());
    let newest = changes.into_iter().find(|step| step.is_certain()).map(|step| step.start);
    reads.iter().find_map(|&read| fits_nothing(key, read, newest))
}

/// Why a look fits no order of the changes, given when the last of those began that had ended before it.
fn fits_nothing(key: &Key<'_>, looker: u32, newest: Option<u32>) -> Option<Irregular> {
    let step = key.step(looker);
    if let Action::Contradiction(_) = step.action {
        return Some(Irregular::Unset { looker });
    }
    let (value, _) = touches(step).find(|(_, touch)| *touch == Touch::Look)?;
    let writer = key.clusters[value].writer;
    if writer == NO_STEP {
        return match value {
            INITIAL if newest.is_some() => Some(replaced(key, looker, writer)),
            INITIAL => None,
            _ => Some(Irregular::Unset { looker }),
        };
    }
    let set: &Step = key.step(writer);
    if step.end < set.start || writer == looker {
        return Some(Irregular::Early { looker, writer });
    }
    newest.filter(|&newest| newest > set.end).map(|_| replaced(key, looker, writer))
}

/// The change that ended first of those that began after this one had ended: there is one, and it ended before the look.
fn replaced(key: &Key<'_>, looker: u32, writer: u32) -> Irregular {
    let after = if writer == NO_STEP { 0 } else { key.step(writer).end };
    let changes = (0..).zip(&key.prepared.steps).filter(|(_, step)| step.action.installs().is_some());
    let newer = changes.filter(|(_, step)| writer == NO_STEP || step.start > after).min_by_key(|(_, step)| step.end);
    Irregular::Replaced { looker, writer, newer: newer.map_or(NO_STEP, |(newer, _)| newer) }
}
