//! Regularity (Lamport, "On interprocess communication", 1986), for several writers in the weak form of Shao, Pierce
//! and Welch, "Multi-writer consistency conditions for shared memory objects", 2003: each look by itself fits some
//! order of all the changes that respects real time. Two looks need not fit the same order: new and old values may
//! alternate while changes are open.
//!
//! # Test
//! A look at `v` fails if and only if `v`'s change began after the look was over, or some change began after `v`'s
//! had ended and ended before the look began. *Only if*: otherwise order the changes by their ends, then move `v`'s
//! change to just before the look: every change that must come before the look does or can come before `v`'s change.
//! A change of unknown outcome has no end, so it never lies between, and one that was not observed need not have
//! happened. For a cas, what it finds is a look, what it sets a change.
//!
//! Such a look and that change contradict the order of the zones. One sweep over the steps that can do so, in the
//! order of their starts, finds the first such look: among the changes that ended before it, the one that began last
//! is tested for having begun after `v`'s change ended.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::key::ViolatedKey;
use crate::{
    budget::{Budget, Shortage},
    causal::{AccessKind, touches},
    prepare::{Action, INITIAL, Step},
};

/// Look that fits no order of the changes.
#[derive(Clone, Copy, Debug)]
pub(super) enum RegularityViolation {
    /// Look at a value that was never set, or with a contradictory answer.
    Unset { reader: u32 },
    /// Look that was over before the change began whose value it found.
    Early { reader: u32, writer: u32 },
    /// Look before which a newer change lies completely after the one that it found.
    Replaced { reader: u32, writer: Option<u32>, newer: u32 },
}

/// Returns the first look that is not regular, or `None` if all are.
pub(super) fn irregular(key: &ViolatedKey<'_>, budget: &Budget<'_>) -> Result<Option<RegularityViolation>, Shortage> {
    // Changes that have begun and not ended, by their ends; and the last start among those that have ended.
    let mut open: BinaryHeap<Reverse<(u32, u32)>> = BinaryHeap::new();
    let mut newest = None;
    for &index in &key.suspects {
        budget.step()?;
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

/// Returns the first of these looks that is not regular. All of them began after every certain change had ended.
pub(super) fn irregular_final(key: &ViolatedKey<'_>, reads: &[u32]) -> Option<RegularityViolation> {
    let changes = key.prepared.steps.iter().rev().filter(|step| step.action.installs().is_some());
    let newest = changes.into_iter().find(|step| step.is_certain()).map(|step| step.start);
    reads.iter().find_map(|&read| fits_nothing(key, read, newest))
}

/// Returns the reason why a look fits no order of the changes, given the last start among the changes that ended
/// before it.
fn fits_nothing(key: &ViolatedKey<'_>, reader: u32, newest: Option<u32>) -> Option<RegularityViolation> {
    let step = key.step(reader);
    if let Action::Contradiction(_) = step.action {
        return Some(RegularityViolation::Unset { reader });
    }
    let (value, _) = touches(step).find(|(_, touch)| *touch == AccessKind::Look)?;
    let Some(writer) = key.clusters[value].writer.get() else {
        return match value {
            INITIAL => newest.map(|_| replaced(key, reader, None)),
            _ => Some(RegularityViolation::Unset { reader }),
        };
    };
    let set: &Step = key.step(writer);
    if step.end < set.start || writer == reader {
        return Some(RegularityViolation::Early { reader, writer });
    }
    newest.filter(|&newest| newest > set.end).map(|_| replaced(key, reader, Some(writer)))
}

/// Returns the look with the change that ended first among those that began after the writer had ended. One exists,
/// and it ended before the look.
fn replaced(key: &ViolatedKey<'_>, reader: u32, writer: Option<u32>) -> RegularityViolation {
    let after = writer.map(|writer| key.step(writer).end);
    let changes = (0..).zip(&key.prepared.steps).filter(|(_, step)| step.action.installs().is_some());
    let later = changes.filter(|(_, step)| after.is_none_or(|after| step.start > after));
    let (newer, _) = later.min_by_key(|(_, step)| step.end).expect("one of them replaced the value");
    RegularityViolation::Replaced { reader, writer, newer }
}
