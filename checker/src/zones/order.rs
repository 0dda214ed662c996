//! The order that the zones leave, written out.

use super::clusters::{Clusters, NO_STEP, Zone, begin, finish};
use crate::{
    patience::{OutOf, Patience},
    prepare::{Action, Step, Steps, Val},
};

const NOWHERE: u32 = u32::MAX;

/// The included steps in the order of their blocks, which is that of the zones, and levels; each cas that did not match where it
/// fits. Nothing if one of those fits nowhere.
pub(super) fn order(
    steps: &impl Steps,
    clusters: &Clusters,
    zones: &[Zone],
    patience: &Patience<'_>,
) -> Result<Option<Vec<u32>>, OutOf> {
    let levels = || zones.iter().flat_map(|zone| clusters.chain(zone.origin));
    let looks = if clusters.has_looks {
        patience.steps(steps.end() as usize)?;
        Looks::place(steps, clusters, levels().collect())
    } else {
        Some(Looks { levels: Vec::new(), placed: Vec::new() })
    };
    let Some(looks) = looks else { return Ok(None) };
    let mut looks_of = vec![0; if clusters.has_looks { clusters.len() as usize } else { 0 }];
    for value in looks.placed.iter().filter(|&&level| level != NOWHERE).map(|&level| looks.levels[level as usize]) {
        looks_of[value as usize] += 1;
    }
    // Of each value first who sets it, then who looks at it, in the order of their starts.
    let mut sorted = Vec::with_capacity(steps.end() as usize);
    let mut next = vec![NOWHERE; clusters.len() as usize];
    for value in levels() {
        patience.step()?;
        let cluster = &clusters[value];
        sorted.extend(Some(cluster.writer).filter(|&writer| writer != NO_STEP));
        next[value as usize] = u32::try_from(sorted.len()).expect("steps are numbered by u32");
        let observers = cluster.reads + looks_of.get(value as usize).unwrap_or(&0);
        sorted.resize(sorted.len() + observers as usize, NO_STEP);
    }
    for index in 0..steps.end() {
        patience.step()?;
        let value = match steps.step(index).map(|step| step.action) {
            Some(Action::Read(value)) => value,
            Some(Action::NotEqual(_)) => looks.levels[looks.placed[index as usize] as usize],
            _ => continue,
        };
        let next = &mut next[value as usize];
        sorted[*next as usize] = index;
        *next += 1;
    }
    Ok(Some(sorted))
}

/// Where each cas that did not match and did not say what it found can stand.
struct Looks {
    /// The value of each level.
    levels: Vec<Val>,
    /// The level of each, by its number.
    placed: Vec<u32>,
}

impl Looks {
    /// Each at the first level at which it can look and find another value than it expected: taking the first leaves the most room
    /// for those that begin after it has ended.
    fn place(steps: &impl Steps, clusters: &Clusters, levels: Vec<Val>) -> Option<Self> {
        let is_look = |step: &Step| matches!(step.action, Action::NotEqual(_));
        let looks = || (0..steps.end()).filter_map(|index| Some((index, steps.step(index).filter(is_look)?)));
        let window = Windows::new(steps, clusters, &levels);
        let mut by_end: Vec<(u32, u32)> = looks().map(|(index, look)| (look.end, index)).collect();
        by_end.sort_unstable();
        let mut placed = vec![NOWHERE; steps.end() as usize];
        let (mut ended, mut floor) = (by_end.iter().peekable(), 0);
        for (index, look) in looks() {
            while let Some(&(_, before)) = ended.next_if(|&&(end, _)| end < look.start) {
                floor = floor.max(placed[before as usize]);
            }
            let mut level = floor.max(window.first(begin(look.start)));
            if look.action == Action::NotEqual(*levels.get(level as usize)?) {
                level += 1;
            }
            if level as usize >= levels.len() || !window.allows(level, finish(look.end)) {
                return None;
            }
            placed[index as usize] = level;
        }
        Some(Self { levels, placed })
    }
}

/// When something can look at each level without changing the order.
struct Windows {
    /// The last begin of all before the level's reads.
    opens: Vec<u32>,
    /// The first end of all after the level's reads.
    closes: Vec<u32>,
}

impl Windows {
    fn new(steps: &impl Steps, clusters: &Clusters, levels: &[Val]) -> Self {
        let writer = |value: Val| {
            Some(clusters[value].writer).filter(|&writer| writer != NO_STEP).map(|writer| steps.span(writer))
        };
        let mut last = 0;
        let opens = (levels.iter())
            .map(|&value| {
                let opens = writer(value).map_or(last, |(start, _)| last.max(begin(start)));
                last = opens.max(clusters[value].last_begin.0);
                opens
            })
            .collect();
        let mut first = u32::MAX;
        let mut closes: Vec<u32> = (levels.iter().rev())
            .map(|&value| {
                let closes = first;
                first = first.min(clusters[value].first_end.0).min(writer(value).map_or(0, |(_, end)| finish(end)));
                closes
            })
            .collect();
        closes.reverse();
        Self { opens, closes }
    }

    /// The first level that does not close before `begin`.
    fn first(&self, begin: u32) -> u32 {
        u32::try_from(self.closes.partition_point(|&closes| closes < begin)).expect("levels are numbered by u32")
    }

    /// Whether `level` opens before `end`.
    fn allows(&self, level: u32, end: u32) -> bool {
        self.opens[level as usize] < end
    }
}
