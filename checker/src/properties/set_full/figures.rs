//! Figures on the elements of sets: how many were lost, shown late or never, and how late.

use histories::{History, ValueId};
use rustc_hash::FxHashMap;

use super::{Known, Sets};
use crate::{Limits, Options, SetFigures, properties::key::Key};

/// Computes the figures on a history of sets. Returns `None` if it shows elements that nobody added, or a limit is
/// reached.
pub(crate) fn set_figures(history: &History, options: &Options<'_>) -> Option<SetFigures> {
    let mut keys: FxHashMap<ValueId, Vec<u32>> = FxHashMap::default();
    for (index, operation) in (0..).zip(&history.operations) {
        keys.entry(operation.key).or_default().push(index);
    }
    let (mut figures, mut stale) = (SetFigures::default(), Vec::new());
    #[expect(clippy::iter_over_hash_type, reason = "figures are sums")]
    for operations in keys.values() {
        add(&mut figures, &mut stale, history, options, operations)?;
    }
    stale.sort_unstable();
    let quantile = |percent: usize| stale[(stale.len() * percent).div_ceil(100).max(1) - 1];
    figures.stale_ns = (!stale.is_empty()).then(|| [50, 95, 99, 100].map(quantile));
    Some(figures)
}

/// Adds the elements of one key.
fn add(
    figures: &mut SetFigures,
    stale: &mut Vec<u64>,
    history: &History,
    Options { initial, limits, .. }: &Options<'_>,
    operations: &[u32],
) -> Option<()> {
    let limits: &Limits<'_> = limits;
    let key = Key::new(history, initial, limits, operations).ok()?;
    let sets = Sets::of(&key).ok()?.ok()?;
    #[expect(clippy::iter_over_hash_type, reason = "figures are sums")]
    for element in sets.elements.values() {
        figures.attempted += 1;
        figures.acknowledged += usize::from(element.acknowledged.is_some());
        let (known, missed) = match sets.fate(element) {
            Some(Known { is_lost: true, .. }) => {
                figures.lost += 1;
                continue;
            }
            _ if element.shown.is_empty() => {
                figures.never_read += 1;
                continue;
            }
            Some(Known { known, missed, .. }) => (known.1, missed),
            None => continue,
        };
        let Some(missed) = missed else {
            figures.stable += 1;
            continue;
        };
        figures.stale += 1;
        let [known, missed] = [known, missed].map(|index| history.times(index as usize));
        stale.push(missed.invoked_ns.saturating_sub(known.completed_ns));
    }
    Some(())
}
