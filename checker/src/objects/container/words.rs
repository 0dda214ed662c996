//! Wording of violations of containers: values that were taken too often, or must have been gone, or were inside.

use histories::ValueId;

use super::{Container, ContainerKind, Empty, Item, names::DRAIN};
use crate::{
    objects::key::{Key, Violation},
    sorted::sorted,
    words::brief,
};

/// Maximum number of values that are named in a claim.
const MAX_VALUES_NAMED: usize = 4;

impl Container {
    /// Describes a take of a value that had not been put in often enough by then, given the item whose put comes
    /// next, or last.
    pub(super) fn taken_too_often(&self, key: &Key<'_>, place: usize, take: u32, end: u32) -> Violation {
        let (next, operation) = (&self.items[place], key.operation(take));
        let (who, value) = (key.who(key.name(operation), take), key.history.value(next.value));
        let put = key.name(key.operation(next.put));
        let earlier: Vec<&Item> = self.items.iter().filter(|i| i.value == next.value && i.put_start < end).collect();
        let claim = match earlier[..] {
            [] => {
                let claim = format!(
                    "{who} returned {value}, although {}, which put it in, only began after {} had ended at {}",
                    key.who_called(next.put),
                    key.name(operation),
                    key.ended(take)
                );
                return Violation::new(vec![next.put, take], claim);
            }
            [only] => {
                if key.are_of_one_drain(only.taker(), take) {
                    format!("{who} returned {value} twice")
                } else {
                    let other = key.who(key.name(key.operation(only.taker())), only.taker());
                    format!("{who} returned {value}, although {other} took it out, too")
                }
            }
            _ => format!(
                "{who} returned {value} for the {} time, although {put} {value} had only begun {} times by then",
                ordinal(earlier.len() + 1),
                earlier.len()
            ),
        };
        let once = match earlier[..] {
            [only] => vec![format!("only {} put in {value} by then", key.who_called(only.put))],
            _ => Vec::new(),
        };
        let operations = earlier.iter().flat_map(|item| item.operations()).chain([take]).collect();
        Violation { reasons: once, ..Violation::new(operations, claim) }
    }

    /// Describes a take that needs values gone for which there are too few takes of unknown outcome.
    pub(super) fn too_few(&self, key: &Key<'_>, kind: &ContainerKind, due: &[(u32, usize, u32)]) -> Violation {
        let (deadline, _, last) = due[due.len() - 1];
        let takes: Vec<u32> =
            self.adrift.iter().filter(|(start, _)| *start < deadline).map(|(_, take)| *take).collect();
        let mut operations = takes.clone();
        let mut reasons = Vec::new();
        for &(_, place, blocked) in due {
            let item = &self.items[place];
            operations.extend([item.put, blocked]);
            operations.extend(self.items.iter().find(|other| other.take.get() == Some(blocked)).map(|other| other.put));
            reasons.push(format!(
                "{} had ended at {}; it must have been removed before {} could {}",
                key.who_called(item.put),
                key.ended(item.put),
                key.who(key.name(key.operation(blocked)), blocked),
                key.found(blocked)
            ));
        }
        let operations = sorted(operations);
        let which = if due.len() == 1 { "it" } else { "any of them" };
        let could = match takes[..] {
            [] => format!("nothing can have removed {which}"),
            [take] => {
                let take = key.who(key.name(key.operation(take)), take);
                format!("only {take}, whose outcome is unknown, can have removed {which}")
            }
            _ => format!("only {} takes of unknown outcome can have removed {which}", takes.len()),
        };
        let values = due.iter().map(|&(_, place, _)| brief(key.history.value(self.items[place].value)));
        let gone = if due.len() > MAX_VALUES_NAMED {
            format!("{} values", due.len())
        } else {
            values.collect::<Vec<_>>().join(" and ")
        };
        let claim = format!(
            "{} {}, although {gone} had been put in the {} before and must have been removed by then, and {could}",
            key.who(key.name(key.operation(last)), last),
            key.found_past(last),
            kind.noun
        );
        Violation { reasons, ..Violation::new(operations, claim) }
    }
}

impl Key<'_> {
    /// Returns true if a take is part of a drain.
    fn is_drain(&self, take: u32) -> bool {
        self.name(self.operation(take)) == DRAIN
    }

    /// Returns true if both takes are parts of one drain.
    pub(in crate::objects) fn are_of_one_drain(&self, one: u32, other: u32) -> bool {
        let begin = |take: u32| self.history.times(take as usize).invoked_ns;
        self.is_drain(one)
            && self.is_drain(other)
            && self.process(one) == self.process(other)
            && begin(one) == begin(other)
    }

    /// Formats the result of a take, to follow "could".
    fn found(&self, take: u32) -> String {
        match self.operation(take).output {
            ValueId::NIL | ValueId::UNKNOWN if self.is_drain(take) => "end".to_owned(),
            ValueId::NIL | ValueId::UNKNOWN => "find nothing".to_owned(),
            value => format!("return {}", self.history.value(value)),
        }
    }

    /// Formats the result of a take, to follow the take.
    pub(in crate::objects) fn found_past(&self, take: u32) -> String {
        match self.operation(take).output {
            ValueId::NIL | ValueId::UNKNOWN if self.is_drain(take) => "found nothing more in the end".to_owned(),
            ValueId::NIL | ValueId::UNKNOWN => "found nothing".to_owned(),
            value => format!("returned {}", self.history.value(value)),
        }
    }

    /// Formats the time in which an item was certainly inside.
    pub(in crate::objects) fn inside(&self, item: &Item) -> String {
        let until = match item.take.get() {
            None => "nothing that was answered took it out".to_owned(),
            Some(take) => {
                let process = self.process(take);
                let name = self.name(self.operation(take));
                format!("the {name} by process {process} that took it out only began at {}", self.began(take))
            }
        };
        format!("{} had ended at {}, and {until}", self.who_called(item.put), self.ended(item.put))
    }

    /// Returns the violation that a take found the container empty, although at every moment of it something was
    /// inside.
    pub(in crate::objects) fn never_empty(&self, container: &Container, empty: &Empty) -> Violation {
        let chain = Container::chain(container.items.iter(), empty.start, empty.end);
        let why = format!("the {} was not empty at any moment of it", container.noun);
        self.never_free(empty.operation, None, &chain, &why)
    }

    /// Returns the violation that a take was impossible, because at every moment of it one of these items was inside.
    pub(in crate::objects) fn never_free(&self, take: u32, own: Option<u32>, chain: &[&Item], why: &str) -> Violation {
        let operations = chain.iter().flat_map(|item| item.operations()).chain(own).chain([take]).collect();
        let claim =
            format!("{} {}, although {why}", self.who(self.name(self.operation(take)), take), self.found_past(take));
        let reasons = chain.iter().map(|item| self.inside(item)).collect();
        Violation { reasons, ..Violation::new(operations, claim) }
    }
}

/// Formats an ordinal number: `2nd`, `3rd`, `11th`.
fn ordinal(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}
