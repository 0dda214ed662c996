//! Changes to a simulated disk that are not durable yet, in their order, and what a loss of power leaves of them.

use std::collections::BTreeMap;

use rand_pcg::{
    Pcg64,
    rand_core::{Rng as _, SeedableRng as _},
};

/// Unit in which a disk writes: a torn write ends between two.
const SECTOR_BYTES: usize = 512;

/// Part of what was not synced that reaches the disk although power is lost; a seed decides which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerLoss {
    /// Nothing.
    Whole,
    /// The first changes, in their order.
    Part(u64),
    /// The first changes, and some sectors of the next one, if it is a write.
    Torn(u64),
    /// Any writes, later ones without earlier ones. The entries of the folder keep their order, as a journal does.
    Reordered(u64),
    /// Any sectors, each with all that was written to it, as a kernel writes its cache back.
    Sectors(u64),
}

/// Durable content of a disk: its files by their numbers, and the names of these.
#[derive(Debug, Default)]
pub(super) struct Durable {
    pub(super) files: Vec<Vec<u8>>,
    pub(super) names: BTreeMap<String, usize>,
}

/// Change that is not durable yet.
#[derive(Debug)]
pub(super) enum Change {
    Write { file: usize, offset: usize, bytes: Box<[u8]> },
    Add { name: String, file: usize },
    Move { from: String, to: String, file: usize },
    Remove { name: String },
}

impl Change {
    /// Returns the file that it writes to; none if it changes the folder.
    pub(super) fn file(&self) -> Option<usize> {
        if let Self::Write { file, .. } = self { Some(*file) } else { None }
    }

    /// Makes the change durable.
    pub(super) fn apply(&self, to: &mut Durable) {
        match self {
            Self::Write { .. } => self.apply_where(to, |_| true),
            Self::Add { name, file } => {
                to.names.insert(name.clone(), *file);
            }
            Self::Move { from, to: new, file } => {
                to.names.remove(from);
                to.names.insert(new.clone(), *file);
            }
            Self::Remove { name } => {
                to.names.remove(name);
            }
        }
    }

    /// Makes those sectors of a write durable, numbered from the beginning of the file, that `is_kept` selects.
    fn apply_where(&self, to: &mut Durable, mut is_kept: impl FnMut(usize) -> bool) {
        let Self::Write { file, offset, bytes } = self else { return };
        let content = &mut to.files[*file];
        let mut start = 0;
        while start < bytes.len() {
            let sector = (offset + start) / SECTOR_BYTES;
            let end = ((sector + 1) * SECTOR_BYTES - offset).min(bytes.len());
            if is_kept(sector) {
                content.resize(content.len().max(offset + end), 0);
                content[offset + start..offset + end].copy_from_slice(&bytes[start..end]);
            }
            start = end;
        }
    }
}

impl PowerLoss {
    /// Makes durable of these changes what survives.
    pub(super) fn decide(self, changes: &[Change], durable: &mut Durable) {
        match self {
            Self::Whole => {}
            Self::Part(seed) => {
                let kept = below(&mut Pcg64::seed_from_u64(seed), changes.len() + 1);
                changes[..kept].iter().for_each(|change| change.apply(durable));
            }
            Self::Torn(seed) => {
                let mut random = Pcg64::seed_from_u64(seed);
                let kept = below(&mut random, changes.len().max(1));
                changes[..kept].iter().for_each(|change| change.apply(durable));
                if let Some(torn @ Change::Write { offset, bytes, .. }) = changes.get(kept) {
                    let first = offset / SECTOR_BYTES;
                    let sectors = (offset + bytes.len()).div_ceil(SECTOR_BYTES) - first;
                    let end = first + below(&mut random, sectors.max(1));
                    torn.apply_where(durable, |sector| sector < end);
                }
            }
            Self::Reordered(seed) => {
                Self::decide_each(seed, changes, durable, |random, change, durable| {
                    if random.next_u64() >> 63 == 1 {
                        change.apply(durable);
                    }
                });
            }
            Self::Sectors(seed) => {
                let mut fates = BTreeMap::new();
                Self::decide_each(seed, changes, durable, |random, change, durable| {
                    change.apply_where(durable, |sector| {
                        *fates.entry((change.file(), sector)).or_insert_with(|| random.next_u64() >> 63 == 1)
                    });
                });
            }
        }
    }

    /// Keeps the first entries of the folder, and of each write what `decide` makes of it.
    fn decide_each(
        seed: u64,
        changes: &[Change],
        durable: &mut Durable,
        mut decide: impl FnMut(&mut Pcg64, &Change, &mut Durable),
    ) {
        let mut random = Pcg64::seed_from_u64(seed);
        let entries = changes.iter().filter(|change| change.file().is_none()).count();
        let mut committed = below(&mut random, entries + 1);
        for change in changes {
            if change.file().is_some() {
                decide(&mut random, change, durable);
            } else if committed > 0 {
                committed -= 1;
                change.apply(durable);
            }
        }
    }
}

/// Draws a number below `bound`, which is far below 2^32.
fn below(random: &mut Pcg64, bound: usize) -> usize {
    let bound = bound as u64;
    usize::try_from(random.next_u64() % bound).expect("it is below a size")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(offset: usize, byte: u8, length: usize) -> Change {
        Change::Write { file: 0, offset, bytes: vec![byte; length].into() }
    }

    /// Returns all contents of the file that some seed leaves.
    fn outcomes(changes: &[Change], loss: fn(u64) -> PowerLoss) -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = (0..200)
            .map(|seed| {
                let mut durable = Durable { files: vec![Vec::new()], ..Durable::default() };
                loss(seed).decide(changes, &mut durable);
                durable.files.remove(0)
            })
            .collect();
        all.sort();
        all.dedup();
        all
    }

    #[test]
    fn each_kind_of_loss_keeps_what_it_may() {
        let changes = [write(0, 1, 2), write(2, 2, 2)];
        assert_eq!(outcomes(&changes, |_| PowerLoss::Whole), [Vec::<u8>::new()]);
        assert_eq!(outcomes(&changes, PowerLoss::Part), [vec![], vec![1, 1], vec![1, 1, 2, 2]]);
        assert_eq!(outcomes(&changes, PowerLoss::Torn), [vec![], vec![1, 1]], "half of a sector is none");
        assert_eq!(outcomes(&changes, PowerLoss::Reordered), [vec![], vec![0, 0, 2, 2], vec![1, 1], vec![1, 1, 2, 2]]);
        assert_eq!(outcomes(&changes, PowerLoss::Sectors), [vec![], vec![1, 1, 2, 2]], "they share a sector");
    }

    #[test]
    fn a_torn_write_ends_between_two_sectors() {
        let lengths = |loss| outcomes(&[write(100, 1, 1000)], loss).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(lengths(PowerLoss::Torn), [0, 512, 1024]);
        let of_any = lengths(PowerLoss::Sectors);
        assert_eq!((of_any.len(), of_any.iter().filter(|length| **length == 1100).count()), (8, 4));
    }

    #[test]
    fn entries_keep_their_order_whatever_happens_to_writes() {
        let add = |name: &str| Change::Add { name: name.to_owned(), file: 0 };
        for loss in [PowerLoss::Part, PowerLoss::Torn, PowerLoss::Reordered, PowerLoss::Sectors] {
            for seed in 0..50 {
                let mut durable = Durable { files: vec![Vec::new()], ..Durable::default() };
                loss(seed).decide(&[add("a"), write(0, 1, 9), add("b")], &mut durable);
                assert!(!durable.names.contains_key("b") || durable.names.contains_key("a"), "{seed}");
            }
        }
    }
}
