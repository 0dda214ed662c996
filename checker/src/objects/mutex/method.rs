//! Locks: `acquire` and `release` by the process that holds the lock, with or without fencing tokens.

use histories::{NEVER, Operation, Outcome, Value, ValueId};

use super::specification::acquires;
use crate::{
    objects::key::{Claim, Key, Violation, says_nothing},
    unknown::unsupported,
};

/// Section in which a process certainly holds the lock: from the end of an acquire to the start of its release.
#[derive(Clone, Copy)]
struct Section {
    acquire: u32,
    release: Option<u32>,
    from: u32,
    until: u32,
}

/// Bytes held for each operation: its place among those of its process, twice for sorting, its section with room to
/// grow, and the order.
const BYTES: usize = 8 + 2 * size_of::<Section>() + 8;

/// Decides one lock in O(n log n), exactly.
///
/// A process has one operation at a time, so its own acquires and releases must alternate, or no order exists. If
/// they do, an order exists if and only if no two sections overlap. If two overlap, both hold the lock at one time.
/// If none do, each acquire takes effect right before its end and each release right after its start, and the
/// sections follow each other. An acquire of unknown outcome after which its process does nothing more need not have
/// taken effect, and leaving it out only makes more room; a release of unknown outcome takes effect at once, for the
/// same reason. If a process continues after an unknown outcome, this method does not decide.
///
/// Fencing tokens must grow from section to section, because sections that do not overlap have only one order: if one
/// ended before the other began, its acquire had ended before the other's release started. `has_tokens` is true if an
/// acquire answers with one.
pub(in crate::objects) fn decide(key: &Key<'_>, has_tokens: bool) -> Claim {
    for &index in &key.operations {
        key.steps(1, 0)?;
        let operation = key.operation(index);
        let name = key.name(operation);
        match acquires(name) {
            Some(true) if has_tokens && token(key, operation).is_some() => {}
            Some(true) if has_tokens && operation.outcome == Outcome::Info => {}
            Some(true) if !has_tokens && says_nothing(operation) => {}
            Some(false) if (!has_tokens || operation.input == ValueId::NIL) && says_nothing(operation) => {}
            Some(_) => return unsupported(format!("an answer of {name}")),
            None => return Err(key.lacks(operation).into()),
        }
    }
    let _held = key.affords(key.operations.len() * BYTES)?;
    let mut by_process = key.operations.clone();
    by_process.sort_by_key(|&index| key.operation(index).process);
    let mut sections = Vec::new();
    let mut wrong = None;
    for group in by_process.chunk_by(|&a, &b| key.operation(a).process == key.operation(b).process) {
        key.steps(group.len(), 0)?;
        if let Some((_, before)) = group.split_last()
            && before.iter().any(|&index| key.operation(index).outcome != Outcome::Ok)
        {
            return unsupported("a process that goes on after an acquire or release of unknown outcome");
        }
        wrong = wrong.or(turns(key, group, &mut sections).err());
    }
    sections.sort_unstable_by_key(|section| section.from);
    let overlap = sections.windows(2).find(|pair| pair[0].until > pair[1].from);
    let wrong = overlap.map(|pair| both_hold(key, pair[0], pair[1])).or(wrong).or_else(|| not_larger(key, &sections));
    if let Some(wrong) = wrong {
        return Err(wrong.into());
    }
    Ok(sections.iter().flat_map(|section| [Some(section.acquire), section.release]).flatten().collect())
}

/// Adds the sections of one process. Returns the violation if its acquires and releases do not alternate.
fn turns(key: &Key<'_>, group: &[u32], sections: &mut Vec<Section>) -> Result<(), Violation> {
    let mut held: Option<u32> = None;
    let mut released: Option<Section> = None;
    for &index in group {
        let operation = key.operation(index);
        let certain = operation.outcome == Outcome::Ok;
        match (acquires(key.name(operation)) == Some(true), held) {
            (true, None) if certain => held = Some(index),
            (false, Some(acquire)) => {
                let from = key.operation(acquire).completed;
                let section = Section { acquire, release: Some(index), from, until: operation.invoked };
                sections.push(section);
                (held, released) = (None, Some(section));
            }
            (true, Some(first)) if certain => {
                let claim = format!(
                    "{} succeeded, although process {} had acquired the lock at {} and not released it since",
                    key.who("acquire", index),
                    key.process(first),
                    key.ended(first)
                );
                return Err(Violation::new(vec![first, index], claim));
            }
            (false, None) if certain => {
                let had = released.and_then(|section| section.release).map_or_else(
                    || "never acquired the lock".to_owned(),
                    |release| format!("not acquired the lock since it began to release it at {}", key.began(release)),
                );
                let claim = format!(
                    "{} succeeded, although process {} had {had}",
                    key.who("release", index),
                    key.process(index)
                );
                let before = released.map(|section| [Some(section.acquire), section.release]);
                let operations = before.into_iter().flatten().flatten().chain([index]).collect();
                return Err(Violation::new(operations, claim));
            }
            // It has an unknown outcome, and is impossible or useless: it did not take effect.
            (true, _) | (false, None) => {}
        }
    }
    if let Some(acquire) = held {
        sections.push(Section { acquire, release: None, from: key.operation(acquire).completed, until: NEVER });
    }
    Ok(())
}

/// Returns the token that an acquire answered with.
fn token(key: &Key<'_>, acquire: &Operation) -> Option<i64> {
    if let Value::Int(token) = key.history.value(acquire.output) { Some(*token) } else { None }
}

/// Describes an acquire whose token is not larger than the one before it.
fn not_larger(key: &Key<'_>, sections: &[Section]) -> Option<Violation> {
    let number = |section: &Section| token(key, key.operation(section.acquire));
    let least = if let Value::Int(least) = *key.initial { Some(least) } else { None };
    let claim = |section: &Section, got: i64| {
        format!("{} answered with the fencing token {got}", key.who("acquire", section.acquire))
    };
    if let Some((first, got, least)) = sections.first().and_then(|first| Some((first, number(first)?, least?)))
        && got <= least
    {
        let claim = format!("{}, although all are larger than {least}", claim(first, got));
        return Some(Violation::new(vec![first.acquire], claim));
    }
    sections.windows(2).find_map(|pair| {
        let (before, got) = (number(&pair[0])?, number(&pair[1])?);
        let claim = format!(
            "{}, although {}, which held the lock before it, had got {before}",
            claim(&pair[1], got),
            key.who("acquire", pair[0].acquire)
        );
        let operations = [Some(pair[0].acquire), pair[0].release, Some(pair[1].acquire), pair[1].release];
        let reasons =
            vec![holds(key, pair[0]), holds(key, pair[1]), "tokens grow from each holder to the next".to_owned()];
        let operations = operations.into_iter().flatten().collect();
        (got <= before).then(|| Violation { reasons, ..Violation::new(operations, claim) })
    })
}

/// Says how long a process certainly held the lock.
fn holds(key: &Key<'_>, section: Section) -> String {
    let (process, from) = (key.process(section.acquire), key.ended(section.acquire));
    let until = section.release.map_or_else(
        || "and never released it".to_owned(),
        |release| format!("until {} at the earliest", key.began(release)),
    );
    format!("process {process} held the lock from {from} at the latest {until}")
}

fn both_hold(key: &Key<'_>, first: Section, second: Section) -> Violation {
    let claim = format!(
        "{} succeeded, although {} had succeeded, and process {} had not begun to release the lock by then",
        key.who("acquire", second.acquire),
        key.who("acquire", first.acquire),
        key.process(first.acquire)
    );
    let operations =
        [first, second].into_iter().flat_map(|section| [Some(section.acquire), section.release]).flatten().collect();
    Violation { reasons: vec![holds(key, first), holds(key, second)], ..Violation::new(operations, claim) }
}
