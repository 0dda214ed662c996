//! Fate of unsynced changes in a power loss.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::{EntryRule, LossMode};
use super::unsynced::Inode;
use crate::random::Random;

/// Unsynced changes that reach the disk in spite of the power loss.
pub(super) struct Fate {
    pub(super) kept: BTreeSet<u64>,
    /// Change that reaches it in part, and a random number for the part.
    pub(super) torn: Option<(u64, u64)>,
}

impl Fate {
    /// Draws it for changes by their numbers in order, each with the file that it changes, or none for an entry.
    pub(super) fn draw(
        mode: LossMode,
        rule: EntryRule,
        all: &BTreeMap<u64, Option<Inode>>,
        random: &mut Random,
    ) -> Self {
        let first = |count: usize| all.keys().copied().take(count).collect::<BTreeSet<u64>>();
        match mode {
            LossMode::Whole => Self { kept: BTreeSet::new(), torn: None },
            LossMode::Part => Self { kept: first(random.below(all.len() + 1)), torn: None },
            LossMode::Torn => {
                let count = random.below(all.len().max(1));
                let torn = all.keys().nth(count).map(|at| (*at, random.next_u64()));
                Self { kept: first(count), torn }
            }
            LossMode::Reordered => {
                let mut kept = BTreeSet::new();
                // A journal is written in order.
                let entries = all.values().filter(|file| file.is_none()).count();
                let mut committed = random.below(entries + 1);
                for (at, file) in all {
                    let is_entry_by_journal = file.is_none() && rule == EntryRule::Ext4;
                    if is_entry_by_journal && committed > 0 {
                        committed -= 1;
                        kept.insert(*at);
                    } else if !is_entry_by_journal && random.below(2) == 0 {
                        kept.insert(*at);
                    }
                }
                Self { kept, torn: None }
            }
        }
    }
}
