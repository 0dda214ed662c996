//! Linearization that follows from the zones.

use histories::NEVER;
use rustc_hash::FxHashMap;

use super::{
    clusters::{Cluster, Clusters, begin, finish},
    placement::KeyZones,
};
use crate::{
    budget::{Budget, Shortage},
    prepare::{Action, Step, Steps, Val},
};

/// Returns the included steps in the order of their zones and levels, with each cas that did not match at a place
/// where it fits. Returns `None` if one of those fits nowhere.
pub(crate) fn order(
    steps: &impl Steps,
    KeyZones { clusters, zones, .. }: &KeyZones,
    budget: &Budget<'_>,
) -> Result<Option<Vec<u32>>, Shortage> {
    let levels = || zones.iter().flat_map(|zone| clusters.chain(zone.origin));
    let mut looks_at: FxHashMap<Val, Vec<u32>> = FxHashMap::default();
    if clusters.has_looks {
        budget.steps(steps.end() as usize)?;
        let Some(placed) = place_looks(steps, clusters, &levels().collect::<Vec<_>>()) else { return Ok(None) };
        for (look, value) in placed {
            looks_at.entry(value).or_default().push(look);
        }
    }
    // For each value: first its writer, then its readers in the order of their starts.
    let mut sorted = Vec::with_capacity(steps.end() as usize);
    for value in levels() {
        sorted.extend(clusters[value].writer.get());
        let first = sorted.len();
        sorted.extend(clusters.readers(value));
        budget.steps(1 + sorted.len() - first)?;
        if let Some(looks) = looks_at.get(&value) {
            sorted.extend(looks);
            sorted[first..].sort_unstable();
        } else {
            sorted[first..].reverse();
        }
    }
    Ok(Some(sorted))
}

/// Assigns to each cas that did not match and did not report what it found the value that it observes: the first
/// level at which it can look and find a value other than it expected. Taking the first level leaves the most room
/// for those that begin after it has ended. Returns `None` if one fits nowhere.
fn place_looks(steps: &impl Steps, clusters: &Clusters, levels: &[Val]) -> Option<Vec<(u32, Val)>> {
    let is_look = |step: &Step| matches!(step.action, Action::NotEqual(_));
    let looks = || (0..steps.end()).filter_map(|index| Some((index, steps.step(index).filter(is_look)?)));
    let window = LevelIntervals::new(clusters, levels);
    let mut by_end: Vec<(u32, u32)> = looks().map(|(index, look)| (look.end, index)).collect();
    by_end.sort_unstable();
    let mut placed = vec![0; steps.end() as usize];
    let (mut ended, mut floor) = (by_end.iter().peekable(), 0);
    let mut values = Vec::with_capacity(by_end.len());
    for (index, look) in looks() {
        while let Some(&(_, before)) = ended.next_if(|&&(end, _)| end < look.start) {
            floor = floor.max(placed[before as usize]);
        }
        let mut level = floor.max(window.first(begin(look.start)));
        if look.action == Action::NotEqual(*levels.get(level as usize)?) {
            level += 1;
        }
        let value = *levels.get(level as usize)?;
        if !window.allows(level, finish(look.end)) {
            return None;
        }
        placed[index as usize] = level;
        values.push((index, value));
    }
    Some(values)
}

/// Interval, for each level, in which a look at it keeps the order valid.
struct LevelIntervals {
    /// Last start of all steps before the reads of the level.
    opens: Vec<u32>,
    /// First end of all steps after the reads of the level.
    closes: Vec<u32>,
}

impl LevelIntervals {
    fn new(clusters: &Clusters, levels: &[Val]) -> Self {
        let mut last = 0;
        let opens = (levels.iter())
            .map(|&value| {
                let opens = last.max(clusters[value].begun);
                last = opens.max(clusters[value].last_begin.0);
                opens
            })
            .collect();
        let mut first = NEVER;
        let mut closes: Vec<u32> = (levels.iter().rev())
            .map(|&value| {
                let closes = first;
                let Cluster { writer, ended, first_end, .. } = clusters[value];
                first = first.min(first_end.0).min(if writer.get().is_none() { 0 } else { ended });
                closes
            })
            .collect();
        closes.reverse();
        Self { opens, closes }
    }

    /// Returns the first level that does not close before `begin`.
    fn first(&self, begin: u32) -> u32 {
        u32::try_from(self.closes.partition_point(|&closes| closes < begin)).expect("levels are numbered by u32")
    }

    /// Returns true if `level` opens before `end`.
    fn allows(&self, level: u32, end: u32) -> bool {
        self.opens[level as usize] < end
    }
}
