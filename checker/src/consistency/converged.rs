//! Eventual convergence: after the last change, all answers of all nodes come from one copy, and no acknowledged
//! change is lost.
//!
//! A *final read* of a key begins after every change of that key has ended or, for a change of unknown outcome,
//! begun. Only the last final read of each node counts (of each process, if nodes are not known). A change of unknown
//! outcome may still take effect between two of them, so "agree" means: some single value, followed by some of those
//! changes, each at most once, explains the final reads in real time. That is the zone condition, with a value that
//! was certainly set being there from the start. No change is lost if each final read is regular (`regular.rs`): no
//! change began after the end of the change whose value the read found.

use histories::{History, NEVER};
use rustc_hash::FxHashMap;

use super::key::ViolatedKey;
use crate::{
    index::OptionalIndex,
    prepare::{Action, INITIAL, Val},
    zones::{AT_START, Block, NO_END, meeting},
};

/// Returns the final reads of a key, as indexes of steps.
pub(super) fn final_reads(history: &History, key: &ViolatedKey<'_>) -> Vec<u32> {
    let steps = &key.prepared.steps;
    let changes = steps.iter().filter(|step| step.action.installs().is_some());
    let quiet = changes.map(|step| if step.end == NEVER { step.start } else { step.end } + 1).max().unwrap_or(0);
    let mut last: FxHashMap<(u16, u32), u32> = FxHashMap::default();
    let after = steps.partition_point(|step| step.start < quiet);
    for (index, step) in (0..).zip(steps).skip(after) {
        if let Action::Read(_) = step.action {
            let operation = step.operation as usize;
            let who = match history.node(operation) {
                0 => (0, history.operations[operation].process),
                node => (node, 0),
            };
            last.insert(who, index);
        }
    }
    let mut last: Vec<u32> = last.into_values().collect();
    last.sort_unstable();
    last
}

/// Returns final reads that cannot come from one copy, or `None` if all can.
pub(super) fn differing(key: &ViolatedKey<'_>, reads: &[u32]) -> Option<Vec<u32>> {
    let mut blocks: FxHashMap<Val, Block> = FxHashMap::default();
    for &index in reads {
        let step = key.step(index);
        let Action::Read(value) = step.action else { continue };
        let writer = key.clusters[value].writer.get();
        let is_there = value == INITIAL || writer.is_some_and(|writer| key.step(writer).is_certain());
        let first_end = if is_there { AT_START } else { NO_END };
        let block = blocks.entry(value).or_insert(Block { origin: value, first_end, last_begin: AT_START });
        block.first_end = block.first_end.min((step.end + 1, index.into()));
        block.last_begin = block.last_begin.max((step.start + 1, index.into()));
    }
    let mut blocks: Vec<Block> = blocks.into_values().collect();
    blocks.sort_unstable_by_key(|block| (block.zone().left(), block.origin));
    let both = meeting(blocks.iter().map(Block::zone))?;
    let steps = |end: fn(&Block) -> OptionalIndex| {
        both.map(|origin| blocks.iter().find(|block| block.origin == origin).map(end))
    };
    let all = steps(|block| block.first_end.1).into_iter().chain(steps(|block| block.last_begin.1));
    Some(all.flatten().filter_map(OptionalIndex::get).collect())
}
