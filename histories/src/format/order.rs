//! Order of events, if their lines are not in the order in which they happened but all have times.
//!
//! The rule is the same for all formats: the order of the lines is the order of the events, unless the times contradict
//! it, as in the files of several clients one behind the other. If they do, and every event of a client has a time, the
//! times decide, and the history gets a note. Events at the same time are then concurrent, as in porcupine: an
//! invocation comes before a completion. A client keeps its own order. If two clients both end an operation and begin
//! another at the same time, their orders cannot both be kept together with that rule: all but one of them continue as
//! new clients, whose order relative to their past is not known.

use rustc_hash::FxHashMap;

use crate::{Event, EventType, PairingError, Process};

/// Event to be sorted.
#[derive(Clone, Debug)]
pub(super) struct PendingEvent {
    pub(super) line: u64,
    pub(super) time: i128,
    pub(super) event: Event<'static>,
}

/// Events in the order of their times.
#[derive(Debug)]
pub(super) struct SortedEvents {
    pub(super) events: Vec<PendingEvent>,
    /// Number of times that a client had to continue as a new one.
    pub(super) splits: usize,
}

/// Event that breaks a rule.
#[derive(Debug)]
pub(super) struct RuleViolation {
    pub(super) line: u64,
    pub(super) rule: PairingError,
}

impl RuleViolation {
    fn new(waiting: &PendingEvent, rule: PairingError) -> Self {
        Self { line: waiting.line, rule }
    }
}

/// Sorts events by their times.
///
/// # Errors
/// Returns the event that no order can place.
pub(super) fn by_time(mut events: Vec<PendingEvent>) -> Result<SortedEvents, RuleViolation> {
    let mut clients: FxHashMap<Process, Vec<usize>> = FxHashMap::default();
    let mut next_process = 0;
    for (place, waiting) in events.iter().enumerate() {
        if let Process::Client(number) = waiting.event.process {
            next_process = next_process.max(number.saturating_add(1));
        }
        if waiting.event.process.is_client() {
            clients.entry(waiting.event.process.clone()).or_default().push(place);
        }
    }
    let mut sequences: Vec<Vec<usize>> = clients.into_values().collect();
    sequences.sort_unstable();
    for sequence in &mut sequences {
        in_own_order(&events, sequence)?;
    }
    let (phases, splits) = phases(&mut events, &sequences, next_process)?;
    // Within a phase of one time, events keep the order of the lines; those of one client, the order of its sequence.
    let mut turn = vec![0; events.len()];
    for sequence in &sequences {
        sequence.iter().enumerate().for_each(|(number, place)| turn[*place] = number);
    }
    let mut order: Vec<usize> = (0..events.len()).collect();
    order.sort_by_key(|&place| {
        let turn = if phases[place] == Phase::Chain { turn[place] } else { 0 };
        (events[place].time, phases[place], turn, place)
    });
    let mut slots: Vec<Option<PendingEvent>> = events.into_iter().map(Some).collect();
    let events = order.into_iter().map(|place| slots[place].take().expect("each place comes once")).collect();
    Ok(SortedEvents { events, splits })
}

/// Sorts the events of one client by time.
fn in_own_order(events: &[PendingEvent], sequence: &mut [usize]) -> Result<(), RuleViolation> {
    if sequence.is_sorted_by_key(|&place| events[place].time) {
        return Ok(());
    }
    let written = sequence.to_vec();
    sequence.sort_by_key(|&place| events[place].time);
    if is_paired(events, sequence) || !is_paired(events, &written) {
        return Ok(());
    }
    let early = written.chunks(2).find(|pair| pair.len() == 2 && events[pair[1]].time < events[pair[0]].time);
    let Some(&[invoked, completed]) = early else { return Ok(()) };
    let PendingEvent { time, event, .. } = &events[completed];
    let rule = PairingError::EndsBeforeItBegins {
        process: event.process.clone(),
        f: event.f.clone().into_owned(),
        invoked_ns: events[invoked].time,
        completed_ns: *time,
    };
    Err(RuleViolation::new(&events[completed], rule))
}

/// Returns true if invocations and completions alternate.
fn is_paired(events: &[PendingEvent], sequence: &[usize]) -> bool {
    sequence.iter().enumerate().all(|(turn, &place)| (events[place].event.kind == EventType::Invoke) == (turn % 2 == 0))
}

/// Phase of an event among those of the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Invocation,
    /// Events of the one client that may go on after a completion.
    Chain,
    Completion,
}

fn phases(
    events: &mut [PendingEvent],
    sequences: &[Vec<usize>],
    mut next_process: u64,
) -> Result<(Vec<Phase>, usize), RuleViolation> {
    let of_kind = |waiting: &PendingEvent| match waiting.event.kind {
        EventType::Invoke => Phase::Invocation,
        _ => Phase::Completion,
    };
    let mut phases: Vec<Phase> = events.iter().map(of_kind).collect();
    let (mut chains, mut splits): (FxHashMap<i128, usize>, usize) = (FxHashMap::default(), 0);
    for (client, sequence) in sequences.iter().enumerate() {
        let mut renamed = None;
        for at in 0..sequence.len() {
            let place = sequence[at];
            let goes_on = at > 0
                && events[place].event.kind == EventType::Invoke
                && events[sequence[at - 1]].time == events[place].time;
            if goes_on {
                if *chains.entry(events[place].time).or_insert(client) == client {
                    phases[sequence[at - 1]] = Phase::Chain;
                    phases[place] = Phase::Chain;
                } else {
                    refuse_lock(&events[place])?;
                    renamed = Some(Process::Client(next_process));
                    (next_process, splits) = (next_process + 1, splits + 1);
                }
            } else if at > 0
                && phases[sequence[at - 1]] == Phase::Chain
                && events[sequence[at - 1]].time == events[place].time
            {
                phases[place] = Phase::Chain;
            }
            if let Some(process) = &renamed {
                events[place].event.process = process.clone();
            }
        }
    }
    Ok((phases, splits))
}

/// Rejects a client of a lock that would have to continue as a new one, since a lock depends on who holds it.
fn refuse_lock(waiting: &PendingEvent) -> Result<(), RuleViolation> {
    if !matches!(&*waiting.event.f, "acquire" | "release" | "lock" | "unlock") {
        return Ok(());
    }
    let (process, time) = (waiting.event.process.clone(), waiting.time);
    Err(RuleViolation::new(waiting, PairingError::SameMoment { process, time }))
}

#[cfg(test)]
mod tests {
    use super::{PendingEvent, RuleViolation, by_time};
    use crate::{Event, EventType, PairingError, Process};

    use EventType::{Invoke, Ok as Done};

    fn events(all: &[(u64, EventType, i128)]) -> Vec<PendingEvent> {
        let event = |(line, &(process, kind, time)): (usize, &(u64, EventType, i128))| PendingEvent {
            line: line as u64 + 1,
            time,
            event: Event::new(Process::Client(process), kind, "read"),
        };
        all.iter().enumerate().map(event).collect()
    }

    fn lines(all: &[(u64, EventType, i128)]) -> Vec<u64> {
        by_time(events(all)).expect("it can be sorted").events.iter().map(|waiting| waiting.line).collect()
    }

    #[test]
    fn files_of_clients_one_behind_the_other_are_merged() {
        let all = [(0, Invoke, 1), (0, Done, 4), (0, Invoke, 6), (0, Done, 9), (1, Invoke, 2), (1, Done, 8)];
        assert_eq!(lines(&all), [1, 5, 2, 3, 6, 4]);
    }

    #[test]
    fn at_one_time_invocations_come_first() {
        assert_eq!(lines(&[(0, Invoke, 1), (0, Done, 5), (1, Invoke, 5), (1, Done, 5)]), [1, 3, 2, 4]);
    }

    #[test]
    fn a_client_goes_on_after_its_own_completion() {
        let all = [
            (0, Invoke, 1),
            (0, Done, 5),
            (0, Invoke, 5),
            (0, Done, 9),
            (1, Invoke, 5),
            (1, Done, 7),
            (2, Invoke, 2),
            (2, Done, 5),
        ];
        assert_eq!(lines(&all), [1, 7, 5, 2, 3, 8, 6, 4]);
    }

    #[test]
    fn of_two_clients_that_go_on_at_one_time_one_does_so_as_another() {
        let all = [
            (0, Invoke, 1),
            (0, Done, 5),
            (0, Invoke, 5),
            (0, Done, 9),
            (1, Invoke, 2),
            (1, Done, 5),
            (1, Invoke, 5),
            (1, Done, 8),
        ];
        let arranged = by_time(events(&all)).expect("it can be sorted");
        let seen: Vec<_> =
            arranged.events.iter().map(|waiting| (waiting.line, waiting.event.process.clone())).collect();
        let client = Process::Client;
        assert_eq!(
            seen,
            [
                (1, client(0)),
                (5, client(1)),
                (7, client(2)),
                (2, client(0)),
                (3, client(0)),
                (6, client(1)),
                (8, client(2)),
                (4, client(0))
            ]
        );
        assert_eq!(arranged.splits, 1);
    }

    #[test]
    fn locks_belong_to_who_took_them() {
        let mut all =
            events(&[(0, Invoke, 1), (0, Done, 5), (0, Invoke, 5), (1, Invoke, 2), (1, Done, 5), (1, Invoke, 5)]);
        for waiting in &mut all {
            waiting.event.f = "acquire".into();
        }
        let RuleViolation { line, rule } = by_time(all).expect_err("who holds it?");
        assert_eq!((line, rule), (6, PairingError::SameMoment { process: Process::Client(1), time: 5 }));
    }

    #[test]
    fn an_end_before_its_beginning_is_named() {
        let RuleViolation { line, rule } =
            by_time(events(&[(1, Invoke, 100), (1, Done, 90), (0, Invoke, 120)])).expect_err("it cannot be");
        let said = rule.to_string();
        assert!(line == 2 && said.contains("at 90 ns, before it invoked it at 100 ns"), "{said}");
    }

    #[test]
    fn shuffled_lines_are_put_in_order() {
        assert_eq!(lines(&[(0, Done, 9), (0, Invoke, 6), (0, Done, 4), (0, Invoke, 1)]), [4, 3, 2, 1]);
    }
}
