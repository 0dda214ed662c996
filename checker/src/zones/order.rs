//! The order that the zones leave, written out.

use super::clusters::{Block, Clusters, NO_STEP, begin, finish};
use crate::{
    patience::{OutOfTime, Patience},
    prepare::{Action, Prepared, Val},
};

const NOWHERE: u32 = u32::MAX;

/// The included steps in the order of their blocks and levels, each cas that did not match where it fits; nothing if one
/// of those fits nowhere.
pub(super) fn order(
    prepared: &Prepared,
    clusters: &Clusters,
    blocks: &[Block],
    patience: &Patience<'_>,
) -> Result<Option<Vec<u32>>, OutOfTime> {
    let levels: Vec<Val> = blocks.iter().flat_map(|block| clusters.chain(block.origin)).collect();
    let mut level_of = vec![NOWHERE; clusters.len() as usize];
    for (level, &value) in (0..).zip(&levels) {
        level_of[value as usize] = level;
    }
    patience.steps(levels.len())?;
    let Some(looks) = place_looks(prepared, clusters, &levels) else { return Ok(None) };
    let mut looks = looks.iter();
    // Two places for each level: who sets the value, then who looks at it, in the order of their starts.
    let place = |action| match action {
        Action::Read(value) => 2 * level_of[value as usize] + 1,
        Action::Write(value) | Action::Cas { to: value, .. } => match level_of[value as usize] {
            NOWHERE => NOWHERE,
            level => 2 * level,
        },
        Action::NotEqual(_) | Action::Contradiction(_) | Action::Append(_) => NOWHERE,
    };
    let places: Vec<u32> = (prepared.steps.iter())
        .map(|step| match step.action {
            Action::NotEqual(_) => looks.next().map_or(NOWHERE, |level| 2 * level + 1),
            action => place(action),
        })
        .collect();
    patience.steps(places.len())?;
    Ok(Some(counting_sort(&places, 2 * levels.len())))
}

/// The indexes of `places` in the order of the places, stable, without those that are nowhere.
fn counting_sort(places: &[u32], count: usize) -> Vec<u32> {
    let mut starts = vec![0_u32; count + 1];
    for &place in places.iter().filter(|place| **place != NOWHERE) {
        starts[place as usize + 1] += 1;
    }
    for place in 0..count {
        starts[place + 1] += starts[place];
    }
    let mut sorted = vec![0; starts[count] as usize];
    for (index, &place) in (0..).zip(places) {
        if place != NOWHERE {
            let next = &mut starts[place as usize];
            sorted[*next as usize] = index;
            *next += 1;
        }
    }
    sorted
}

/// For each cas that did not match, in the order of the steps, the first level at which it can look and find another value
/// than it expected. Taking the first leaves the most room for those that begin after it has ended.
fn place_looks(prepared: &Prepared, clusters: &Clusters, levels: &[Val]) -> Option<Vec<u32>> {
    let expected = |index: usize| match prepared.steps[index].action {
        Action::NotEqual(value) => Some(value),
        _ => None,
    };
    let looks: Vec<usize> = (0..prepared.steps.len()).filter(|&index| expected(index).is_some()).collect();
    if looks.is_empty() {
        return Some(Vec::new());
    }
    let window = Windows::new(prepared, clusters, levels);
    let mut by_end = looks.clone();
    by_end.sort_unstable_by_key(|&index| prepared.steps[index].end);
    let mut placed = vec![NOWHERE; prepared.steps.len()];
    let (mut ended, mut floor) = (by_end.iter().peekable(), 0);
    let mut result = Vec::with_capacity(looks.len());
    for index in looks {
        let step = &prepared.steps[index];
        while let Some(&before) = ended.next_if(|&&before| prepared.steps[before].end < step.start) {
            floor = floor.max(placed[before]);
        }
        let mut level = floor.max(window.first(begin(step)));
        if Some(*levels.get(level as usize)?) == expected(index) {
            level += 1;
        }
        if level as usize >= levels.len() || !window.allows(level, finish(step)) {
            return None;
        }
        placed[index] = level;
        result.push(level);
    }
    Some(result)
}

/// When something can look at each level without changing the order.
struct Windows {
    /// The last begin of all before the level's reads.
    opens: Vec<u32>,
    /// The first end of all after the level's reads.
    closes: Vec<u32>,
}

impl Windows {
    fn new(prepared: &Prepared, clusters: &Clusters, levels: &[Val]) -> Self {
        let writer = |value: Val| match clusters[value].writer {
            NO_STEP => None,
            writer => Some(&prepared.steps[writer as usize]),
        };
        let mut last = 0;
        let opens = (levels.iter())
            .map(|&value| {
                let opens = writer(value).map_or(last, |step| last.max(begin(step)));
                last = opens.max(clusters[value].last_begin.0);
                opens
            })
            .collect();
        let mut first = u32::MAX;
        let mut closes: Vec<u32> = (levels.iter().rev())
            .map(|&value| {
                let closes = first;
                first = first.min(clusters[value].first_end.0).min(writer(value).map_or(0, finish));
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
