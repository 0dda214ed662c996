//! The property by its plain definition, with all sends and polls of the history in the background.

use histories::{Operation, Outcome, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    parts::{LogName, Part, has_parts, list, parts_of},
    transaction::{ASSIGN, ASSIGN_FROM_BEGINNING, BEFORE_ALL, CRASH, SUBSCRIBE},
};
use crate::{properties::key::FewCalls, specification::Call};

type ValueOf<'a> = (LogName<'a>, &'a Value);

/// Operations with their parts, and what is known beside them.
struct Few<'a, 'f> {
    calls: &'f [(Operation, Call<'a>)],
    parts: Vec<Vec<Part<'a>>>,
    /// Sends of each value in the whole history.
    sends: FxHashMap<ValueOf<'a>, Vec<Operation>>,
    /// Values that polls in the whole history show.
    shown: FxHashSet<ValueOf<'a>>,
    /// True if nobody knows what some poll of unknown outcome shows.
    is_any_unknown: bool,
    /// Offsets of values that these operations show.
    offsets: FxHashSet<(LogName<'a>, i64, &'a Value)>,
}

/// Returns true if the operations violate the property.
pub(super) fn is_violated_by(few: &FewCalls<'_>) -> bool {
    let few = Few::of(few);
    few.is_any_poll_wrong()
        || few.are_offsets_ambiguous()
        || (0..few.calls.len()).any(|at| few.goes_wrong(at))
        || few.sends_go_back()
        || few.is_any_lost()
        || few.is_cyclic()
}

impl<'a, 'f> Few<'a, 'f> {
    fn of(few: &'f FewCalls<'a>) -> Self {
        let (history, calls) = (few.history, &few.calls[..]);
        let has_all = |operation: &Operation| has_parts(history.function_name(operation.function));
        let of = |operation: &Operation| if has_all(operation) { parts_of(history, operation) } else { Vec::new() };
        let (mut sends, mut shown, mut is_any_unknown) =
            (FxHashMap::<_, Vec<_>>::default(), FxHashSet::default(), false);
        let of_key = |it: &&Operation| calls.first().is_some_and(|(first, _)| first.key == it.key);
        for operation in history.operations.iter().filter(of_key) {
            for part in of(operation) {
                match part {
                    Part::Send { log, value, .. } => sends.entry((log, value)).or_default().push(*operation),
                    Part::Poll { log, pairs, .. } => shown.extend(pairs.iter().map(|(_, value)| (log, *value))),
                    Part::Unknown => is_any_unknown |= operation.outcome == Outcome::Info,
                    Part::Rebalanced { .. } => {}
                }
            }
        }
        let parts: Vec<Vec<Part<'a>>> = calls.iter().map(|(operation, _)| of(operation)).collect();
        let mut few = Self { calls, parts, sends, shown, is_any_unknown, offsets: FxHashSet::default() };
        few.offsets = few.known_offsets();
        few
    }

    fn outcome(&self, at: usize) -> Outcome {
        self.calls[at].0.outcome
    }

    /// Returns what an operation polls: log, offset, value.
    fn polls(&self, at: usize) -> impl Iterator<Item = (LogName<'a>, i64, &'a Value)> {
        let shown = self.parts[at].iter().filter_map(Part::shown);
        shown.flat_map(|(log, pairs)| pairs.iter().map(move |(offset, value)| (log, *offset, *value)))
    }

    fn sends(&self, at: usize) -> impl Iterator<Item = (LogName<'a>, &'a Value, Option<i64>)> {
        self.parts[at].iter().filter_map(Part::sent)
    }

    /// Returns true if an operation took place: it was answered, or what it sent was polled by one that was.
    fn took_place(&self, at: usize, polled: &FxHashSet<ValueOf<'a>>) -> bool {
        match self.outcome(at) {
            Outcome::Ok => true,
            Outcome::Info => self.sends(at).any(|(log, value, _)| polled.contains(&(log, value))),
            _ => false,
        }
    }

    fn known_offsets(&self) -> FxHashSet<(LogName<'a>, i64, &'a Value)> {
        let places = || 0..self.calls.len();
        let answered = places().filter(|at| self.outcome(*at) == Outcome::Ok);
        let polled = answered.flat_map(|at| self.polls(at)).map(|(log, _, value)| (log, value)).collect();
        let sent = places().filter(|at| self.took_place(*at, &polled)).flat_map(|at| self.sends(at));
        let sent = sent.filter_map(|(log, value, offset)| Some((log, offset?, value)));
        sent.chain(places().flat_map(|at| self.polls(at))).collect()
    }

    /// Returns true if a poll shows what nobody had sent, what failed, or what its own transaction sent.
    fn is_any_poll_wrong(&self) -> bool {
        (0..self.calls.len()).any(|at| {
            let reader = &self.calls[at].0;
            self.polls(at).any(|(log, _, value)| {
                let all = self.sends.get(&(log, value)).map_or(&[][..], |all| all);
                let is_source = |it: &Operation| {
                    let may_fail = reader.outcome != Outcome::Ok;
                    it.invoked <= reader.completed && (may_fail || it.outcome != Outcome::Fail)
                };
                !all.iter().any(is_source) || self.sends(at).any(|(into, sent, _)| (into, sent) == (log, value))
            })
        })
    }

    fn are_offsets_ambiguous(&self) -> bool {
        let mut values = FxHashMap::default();
        let mut offsets = FxHashMap::default();
        self.offsets.iter().any(|(log, offset, value)| {
            *values.entry((*log, *offset)).or_insert(*value) != *value
                || *offsets.entry((*log, *value)).or_insert(*offset) != *offset
        })
    }

    /// Returns true if an operation (place) polls backward or past something.
    fn goes_wrong(&self, at: usize) -> bool {
        let is_wrong = |path: &[(LogName<'a>, i64)]| {
            path.windows(2).any(|two| {
                let [(log, last), (_, next)] = [two[0], two[1]];
                let is_between =
                    |(other, offset, _): &(LogName<'a>, i64, &Value)| *other == log && last < *offset && *offset < next;
                last >= next || self.offsets.iter().any(is_between)
            })
        };
        let logs: Vec<LogName<'a>> = self.parts[at].iter().filter_map(Part::shown).map(|(log, _)| log).collect();
        logs.into_iter().any(|log| {
            if self.is_rebalanced(at, log) {
                return false;
            }
            let mut path: Vec<(LogName<'a>, i64)> =
                self.came_to(at, log).map(|begin| (log, begin)).into_iter().collect();
            for part in &self.parts[at] {
                let Part::Poll { log: of, from, pairs } = part else { continue };
                if *of == log {
                    if let Some(from) = from {
                        path = vec![(log, from - 1)];
                    }
                    path.extend(pairs.iter().map(|(offset, _)| (log, *offset)));
                }
            }
            is_wrong(&path)
        })
    }

    fn is_rebalanced(&self, at: usize, of: LogName<'_>) -> bool {
        self.parts[at].iter().any(|part| matches!(part, Part::Rebalanced { log } if *log == of))
    }

    /// Returns the offset that the process of an operation had come to on a log before it, if it had to go on there.
    fn came_to(&self, at: usize, log: LogName<'a>) -> Option<i64> {
        let process = self.calls[at].0.process;
        for before in (0..at).rev().filter(|before| self.calls[*before].0.process == process) {
            let (operation, call) = &self.calls[before];
            let is_listed = || list(call.input).iter().any(|other| LogName(other) == log);
            match (call.function, operation.outcome) {
                (ASSIGN_FROM_BEGINNING, Outcome::Ok) => return is_listed().then_some(BEFORE_ALL),
                (SUBSCRIBE | CRASH | ASSIGN_FROM_BEGINNING, _) => return None,
                (ASSIGN, Outcome::Ok | Outcome::Info) if !is_listed() => return None,
                _ => {}
            }
            let is_rebalanced = self.is_rebalanced(before, log);
            let last = self.parts[before].iter().rev().find_map(|part| match part {
                Part::Poll { log: of, from: None, pairs } if *of == log => pairs.last().map(|(offset, _)| *offset),
                _ => None,
            });
            if is_rebalanced && self.parts[before].iter().filter_map(Part::shown).any(|(of, _)| of == log) {
                return None;
            }
            if last.is_some() && operation.outcome == Outcome::Ok {
                return last.filter(|_| !self.is_subscribed(before));
            }
        }
        None
    }

    /// Returns true if the process of an operation had subscribed to logs, and not been assigned any since.
    fn is_subscribed(&self, at: usize) -> bool {
        let process = self.calls[at].0.process;
        let mut before = self.calls[..at].iter().rev().filter(|(operation, _)| operation.process == process);
        let last = before.find(|(operation, call)| {
            let is_assigned = matches!(call.function, ASSIGN | ASSIGN_FROM_BEGINNING);
            call.function == SUBSCRIBE || is_assigned && operation.outcome == Outcome::Ok
        });
        last.is_some_and(|(_, call)| call.function == SUBSCRIBE)
    }

    /// Returns true if a process sends to an offset that is not after those of its sends before.
    fn sends_go_back(&self) -> bool {
        let offsets: FxHashMap<ValueOf<'a>, i64> =
            self.offsets.iter().map(|(log, offset, value)| ((*log, *value), *offset)).collect();
        let mut last: FxHashMap<(u32, LogName<'a>), i64> = FxHashMap::default();
        for at in (0..self.calls.len()).filter(|at| self.outcome(*at) != Outcome::Fail) {
            let mut own = last.clone();
            for (log, value, _) in self.sends(at) {
                let Some(offset) = offsets.get(&(log, value)) else { continue };
                let before = own.insert((self.calls[at].0.process, log), *offset);
                if before.is_some_and(|before| before >= *offset) {
                    return true;
                }
            }
            if self.outcome(at) == Outcome::Ok {
                last = own;
            }
        }
        false
    }

    /// Returns true if a value that no poll shows lies before one that a poll shows.
    fn is_any_lost(&self) -> bool {
        let mut ends: FxHashMap<LogName<'a>, i64> = FxHashMap::default();
        for at in (0..self.calls.len()).filter(|at| self.outcome(*at) == Outcome::Ok) {
            for part in &self.parts[at] {
                let Part::Poll { log, from: None, pairs } = part else { continue };
                let end = ends.entry(*log).or_insert(BEFORE_ALL);
                *end = pairs.iter().map(|(offset, _)| *offset).fold(*end, i64::max);
            }
        }
        let is_lost = |(log, offset, value): &(LogName<'a>, i64, &'a Value)| {
            !self.shown.contains(&(*log, *value)) && ends.get(log).is_some_and(|end| offset < end)
        };
        !self.is_any_unknown && self.offsets.iter().any(is_lost)
    }

    /// Returns true if an operation polls what depends on itself, or on one that began after it had ended.
    fn is_cyclic(&self) -> bool {
        let sent = (0..self.calls.len()).filter(|at| self.outcome(*at) != Outcome::Fail);
        let sent: FxHashMap<ValueOf<'a>, usize> =
            sent.flat_map(|at| self.sends(at).map(move |(log, value, _)| ((log, value), at))).collect();
        let senders = |at| self.polls(at).filter_map(|(log, _, value)| sent.get(&(log, value)).copied());
        let senders: Vec<Vec<usize>> = (0..self.calls.len()).map(|at| senders(at).collect()).collect();
        (0..self.calls.len()).any(|at| {
            let (mut causes, mut next) = (FxHashSet::default(), vec![at]);
            while let Some(one) = next.pop() {
                next.extend(senders[one].iter().filter(|cause| causes.insert(**cause)));
            }
            causes.contains(&at) || causes.iter().any(|cause| self.calls[*cause].0.invoked > self.calls[at].0.completed)
        })
    }
}
