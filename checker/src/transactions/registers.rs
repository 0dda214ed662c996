//! Registers: the writer of each value that was read, and the next version where a transaction read one version
//! before it wrote another.
//!
//! A value that only one transaction wrote has that one as its writer. In a serial order, and under snapshot
//! isolation, a transaction that reads version u and writes v makes v the version right after u; so all other readers
//! of u come before it (rw), and u's writer too (ww). The order of two versions that were not read before writing
//! follows only from time (`versions`), or from what is known of others (`polygraph`): deciding it is NP-complete
//! (Papadimitriou 1979). Read committed does not require the order of versions to be known: if write-read
//! dependencies alone have no cycle, the versions can have the order of their writers in any order that respects
//! these dependencies.

use histories::{Outcome, ValueId};

use super::{
    facts::{Facts, KeyClass, Writer},
    findings::Findings,
    graph::{Graph, Kind, Needs},
    indices::{ChangeIndex, KeyIndex, TransactionIndex},
    limit::Limit,
    report::{AnomalyKind, Level},
    versions::{self, RegisterVersions},
};
use crate::{UnknownWhy, index::OptionalIndex, words::brief};

/// Registers of the history, with the change after each version.
pub(super) struct Registers {
    pub all: Vec<RegisterVersions>,
    /// Change that replaced each change, by a transaction that had read it.
    pub next: Vec<OptionalIndex<ChangeIndex>>,
}

/// Adds the dependencies that each register implies, and records the transactions that happened because something
/// they wrote was read.
pub(super) fn relate<'h>(
    facts: &mut Facts<'h>,
    findings: &mut Findings<'h>,
    graph: &mut Graph,
    limit: &Limit<'_>,
) -> Result<Registers, UnknownWhy> {
    let numbers = facts.history.values.len() + facts.changes.rows.len() + 2 * facts.happened.len();
    limit.may_take(numbers * size_of::<u32>())?;
    let mut slots = vec![Writer::NOBODY; facts.history.values.len()];
    // The change after each change, and at the end the one after the initial value.
    let mut next = vec![OptionalIndex::NONE; facts.changes.rows.len() + 1];
    let mut own = vec![(OptionalIndex::NONE, facts.initial_version()); facts.happened.len()];
    let mut registers = Vec::new();
    for key in (0_u32..).take(facts.keys.len()).map(KeyIndex::from) {
        limit.key(facts, graph, key)?;
        if facts.classes[key.index()] == KeyClass::Register {
            facts.writers(key, &mut slots);
            registers.push(relate_key(facts, findings, graph, key, &slots, &mut next, &mut own));
            facts.forget(key, &mut slots);
        }
    }
    // It is known only now which transactions happened.
    for register in &registers {
        limit.key(facts, graph, register.key)?;
        versions::relate(facts, graph, register, &next);
    }
    Ok(Registers { all: registers, next })
}

fn relate_key<'h>(
    facts: &mut Facts<'h>,
    findings: &mut Findings<'h>,
    graph: &mut Graph,
    key: KeyIndex,
    slots: &[Writer],
    next: &mut [OptionalIndex<ChangeIndex>],
    own: &mut [(OptionalIndex<KeyIndex>, ChangeIndex)],
) -> RegisterVersions {
    let initial = facts.initial_version();
    next[initial.index()] = OptionalIndex::NONE;
    for place in facts.changes.range(key) {
        let change = ChangeIndex::from(place);
        if facts.is_final(key, change) {
            own[facts.changes.rows[place].transaction.index()] = (key.into(), change);
        }
    }
    // The version that each read found, if others may follow it.
    let mut versions = Vec::new();
    for place in facts.strays.range(key) {
        let stray = facts.strays.rows[place];
        source(facts, findings, graph, key, (stray.transaction, stray.value), slots);
    }
    for place in facts.reads.range(key) {
        let read = facts.reads.rows[place];
        let reader = read.transaction;
        let Some(version) = source(facts, findings, graph, key, (reader, read.value), slots) else { continue };
        versions.push((reader, version));
        let (changed, change) = own[reader.index()];
        let value = |change: ChangeIndex| facts.changes.rows[change.index()].value;
        if changed.get() == Some(key) && slots[value(change).0 as usize] != Writer::SEVERAL {
            if let Some(first) = next[version.index()].get() {
                let first = facts.changes.rows[first.index()].transaction;
                let claim = |names: &[String]| {
                    let (who, value) = (names.join(" and "), brief(facts.history.value(read.value)));
                    format!("{who} read {value} in {} and both replaced it", facts.key_name(key))
                };
                findings.add(AnomalyKind::LostUpdate, Level::SnapshotIsolation, &[first, reader], &claim);
                graph.add(first, reader, Kind::Rw, Needs::Snapshots, key);
            } else {
                next[version.index()] = change.into();
            }
        }
    }
    for &(reader, version) in &versions {
        if let Some(after) = next[version.index()].get() {
            let successor = facts.changes.rows[after.index()].transaction;
            if successor != reader {
                graph.add(reader, successor, Kind::Rw, Needs::Snapshots, key);
            }
        }
    }
    for place in facts.changes.range(key) {
        if let Some(next) = next[place].get() {
            let both = [place, next.index()].map(|change| facts.changes.rows[change].transaction);
            graph.add(both[0], both[1], Kind::Ww, Needs::Snapshots, key);
        }
    }
    RegisterVersions { key, reads: versions, first: next[initial.index()] }
}

/// Returns the place of the change that a read value came from, or [`Facts::initial_version`]; `None` if others cannot
/// follow it, or if it is unknown or does not exist. Reports anomalies.
fn source<'h>(
    facts: &mut Facts<'h>,
    findings: &mut Findings<'h>,
    graph: &mut Graph,
    key: KeyIndex,
    (reader, value): (TransactionIndex, ValueId),
    slots: &[Writer],
) -> Option<ChangeIndex> {
    let version = *slots.get(value.0 as usize)?;
    if version == Writer::SEVERAL {
        return None;
    }
    if value == facts.initial.value {
        return Some(facts.initial_version());
    }
    let found = |who: &str| format!("{who} read {} in {}", brief(facts.history.value(value)), facts.key_name(key));
    let Some(version) = version.change() else {
        let claim = |names: &[String]| format!("{}, which nobody ever wrote", found(&names[0]));
        findings.add(AnomalyKind::UnwrittenRead, Level::ReadCommitted, &[reader], &claim);
        return None;
    };
    let writer = facts.changes.rows[version.index()].transaction;
    if facts.outcome(writer) == Outcome::Fail {
        let claim = |names: &[String]| format!("{}, although {}, which wrote it, failed", found(&names[0]), names[1]);
        findings.add(AnomalyKind::G1a, Level::ReadCommitted, &[reader, writer], &claim);
        return None;
    }
    if writer == reader {
        let claim = |names: &[String]| format!("{}, which it wrote there only later", found(&names[0]));
        findings.add(AnomalyKind::Internal, Level::ReadCommitted, &[reader], &claim);
        return None;
    }
    graph.add(writer, reader, Kind::Wr, Needs::Nothing, key);
    let is_final = facts.is_final(key, version);
    if !is_final {
        let claim =
            |names: &[String]| format!("{}, which {} wrote and itself replaced later", found(&names[0]), names[1]);
        findings.add(AnomalyKind::G1b, Level::ReadCommitted, &[reader, writer], &claim);
    }
    facts.happened[writer.index()] = true;
    is_final.then_some(version)
}
