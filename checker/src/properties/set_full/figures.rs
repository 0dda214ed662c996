//! Figures on the elements of sets: how many were lost, shown late or never, and how late.

use histories::{History, Value, ValueId};
use rustc_hash::FxHashMap;

use super::{Known, Sets};
use crate::{
    Limits, SetFigures,
    properties::key::{Collected, Key},
};

/// Computes the figures on a history of sets. Returns `None` if it shows elements that nobody added, or there is
/// too little memory.
pub(crate) fn set_figures(history: &History, initial: &Value, limits: &Limits<'_>) -> Option<SetFigures> {
    let mut keys: FxHashMap<ValueId, Vec<u32>> = FxHashMap::default();
    for (index, operation) in (0..).zip(&history.operations) {
        keys.entry(operation.key).or_default().push(index);
    }
    // They take no longer than the verdict did.
    let limits = Limits { keep_going: &|| true, ..*limits };
    let (mut figures, mut stale) = (SetFigures::default(), Vec::new());
    #[expect(clippy::iter_over_hash_type, reason = "figures are sums")]
    for operations in keys.values() {
        let key = Key::new(history, initial, &limits, operations).ok()?;
        add(&mut figures, &mut stale, &key)?;
    }
    stale.sort_unstable();
    let quantile = |percent: usize| stale[(stale.len() * percent).div_ceil(100).max(1) - 1];
    let is_known = !stale.is_empty() && history.has_times();
    figures.stale_ns = is_known.then(|| [50, 95, 99, 100].map(quantile));
    Some(figures)
}

/// Adds the elements of one key.
fn add(figures: &mut SetFigures, stale: &mut Vec<u64>, key: &Key<'_>) -> Option<()> {
    let Ok(Collected::Consistent(sets)) = Sets::of(key) else { return None };
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
        let [known, missed] = [known, missed].map(|index| key.history.times(index as usize));
        stale.push(missed.invoked_ns.saturating_sub(known.completed_ns));
    }
    Some(())
}
