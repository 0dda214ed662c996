//! Beliefs of the nodes about who leads, read from their own logs and placed on the clock of the history.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::systems::{LogEvent, LogEventKind, Role, System};

/// Span of time in nanoseconds since the run began, without its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Span {
    pub(crate) from_ns: u64,
    pub(crate) until_ns: u64,
}

impl Span {
    pub(crate) fn contains(self, time_ns: u64) -> bool {
        (self.from_ns..self.until_ns).contains(&time_ns)
    }

    /// Returns true if something that began and ended at these times existed at some moment of this span.
    pub(crate) fn overlaps(self, began_ns: u64, ended_ns: u64) -> bool {
        began_ns < self.until_ns && ended_ns >= self.from_ns
    }

    pub(crate) fn length_ns(self) -> u64 {
        self.until_ns.saturating_sub(self.from_ns)
    }

    /// Returns this span and the time of this length after it.
    pub(crate) fn and_after(self, length_ns: u64) -> Self {
        Self { until_ns: self.until_ns.saturating_add(length_ns), ..self }
    }

    /// Returns the parts of this span that are outside `hole`.
    pub(crate) fn without(self, hole: Self) -> impl Iterator<Item = Self> {
        let before = Self { until_ns: self.until_ns.min(hole.from_ns), ..self };
        let after = Self { from_ns: self.from_ns.max(hole.until_ns), ..self };
        [before, after].into_iter().filter(|span| span.from_ns < span.until_ns)
    }
}

/// Span of time in which a node believed that it led a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reign {
    pub(crate) node: u16,
    pub(crate) term: u64,
    #[serde(flatten)]
    pub(crate) span: Span,
}

/// Event of a node that missed its leader's heartbeats for so long that it stood for election.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MissedHeartbeat {
    pub(crate) node: u16,
    pub(crate) time_ns: u64,
}

/// Beliefs and missed heartbeats found in a node's log.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Beliefs {
    pub(crate) reigns: Vec<Reign>,
    pub(crate) missed: Vec<MissedHeartbeat>,
    pub(crate) ballots: Vec<Ballot>,
}

/// Term that a node said to remember, and its vote there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ballot {
    pub(crate) node: u16,
    pub(crate) time_ns: u64,
    pub(crate) term: u64,
    pub(crate) vote: Option<u16>,
}

/// Reads a node's log.
pub(crate) fn beliefs_in(
    system: &dyn System,
    node: u16,
    log: &[u8],
    origin_ns: u64,
    deaths_ns: &[u64],
    end_ns: u64,
) -> Beliefs {
    let log = system.read_log(&String::from_utf8_lossy(log));
    Beliefs {
        reigns: reigns_in(node, &log, origin_ns, deaths_ns, end_ns),
        missed: missed_in(node, &log, origin_ns),
        ballots: ballots_in(node, &log, origin_ns),
    }
}

/// Finds what a node remembered of its terms and votes, in the order of its log.
fn ballots_in(node: u16, log: &[LogEvent], origin_ns: u64) -> Vec<Ballot> {
    let ballot = |event: &LogEvent| match event.kind {
        LogEventKind::Start { term, vote } | LogEventKind::Stored { term, vote } => {
            Some(Ballot { node, time_ns: event.mono_ns.saturating_sub(origin_ns), term: term?, vote })
        }
        LogEventKind::Role(_) | LogEventKind::End => None,
    };
    log.iter().filter_map(ballot).collect()
}

/// Finds the moments at which a follower became a pre-candidate, or without pre-votes a candidate. A candidate that
/// fails and tries again has missed nothing new.
fn missed_in(node: u16, log: &[LogEvent], origin_ns: u64) -> Vec<MissedHeartbeat> {
    let mut was_follower = false;
    let mut missed = Vec::new();
    for event in log.iter().filter(|event| !matches!(event.kind, LogEventKind::Stored { .. })) {
        if was_follower && event.kind == LogEventKind::Role(Role::Candidate) {
            missed.push(MissedHeartbeat { node, time_ns: event.mono_ns.saturating_sub(origin_ns) });
        }
        was_follower = event.kind == LogEventKind::Role(Role::Follower);
    }
    missed
}

/// Time after a fault in which nodes may still be electing a leader.
const AFTERMATH: Duration = Duration::from_secs(3);

/// Returns the heartbeats missed under load while no fault was in force or just over: either the host was too busy, or
/// the system is to blame.
pub(crate) fn without_a_fault(missed: &[MissedHeartbeat], faults: &[Span], load: Span) -> Vec<MissedHeartbeat> {
    let aftermath_ns = u64::try_from(AFTERMATH.as_nanos()).unwrap_or(u64::MAX);
    let excused = |time_ns: u64| {
        let with_aftermath = |fault: &Span| Span { until_ns: fault.until_ns.saturating_add(aftermath_ns), ..*fault };
        faults.iter().any(|fault| with_aftermath(fault).contains(time_ns))
    };
    missed.iter().copied().filter(|missed| load.contains(missed.time_ns) && !excused(missed.time_ns)).collect()
}

fn reigns_in(node: u16, log: &[LogEvent], origin_ns: u64, deaths_ns: &[u64], end_ns: u64) -> Vec<Reign> {
    let mut reigns = Vec::new();
    let mut current: Option<(u64, u64)> = None;
    let mut close = |current: &mut Option<(u64, u64)>, until_ns: u64| {
        if let Some((term, from_ns)) = current.take() {
            let death = deaths_ns.iter().copied().find(|death| *death >= from_ns).unwrap_or(u64::MAX);
            reigns.push(Reign { node, term, span: Span { from_ns, until_ns: until_ns.min(death) } });
        }
    };
    for event in log {
        let now_ns = event.mono_ns.saturating_sub(origin_ns);
        match event.kind {
            LogEventKind::Role(Role::Leader { term: Some(term) }) if current.is_none_or(|(known, _)| known != term) => {
                close(&mut current, now_ns);
                current = Some((term, now_ns));
            }
            LogEventKind::Role(Role::Leader { .. }) | LogEventKind::Stored { .. } => {}
            LogEventKind::Role(_) | LogEventKind::Start { .. } | LogEventKind::End => close(&mut current, now_ns),
        }
    }
    close(&mut current, end_ns);
    reigns
}

/// A leader that still believed that it led while another node already led a later term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct DeposedLeader {
    pub(crate) reign: Reign,
    pub(crate) successor: Reign,
    /// Time from the first leader of a later term to the end of the belief.
    pub(crate) span: Span,
}

/// Returns all deposed leaders, in the order in which they were deposed.
pub(crate) fn deposed(reigns: &[Reign]) -> Vec<DeposedLeader> {
    let mut all: Vec<DeposedLeader> = reigns
        .iter()
        .filter_map(|reign| {
            let later = reigns.iter().filter(|other| other.node != reign.node && other.term > reign.term);
            let successor = *later.min_by_key(|other| other.span.from_ns)?;
            let span = Span { from_ns: reign.span.from_ns.max(successor.span.from_ns), ..reign.span };
            (span.length_ns() > 0).then_some(DeposedLeader { reign: *reign, successor, span })
        })
        .collect();
    all.sort_by_key(|deposed| deposed.span.from_ns);
    all
}

#[cfg(test)]
mod tests {
    use super::{
        Ballot, DeposedLeader, MissedHeartbeat, Reign, Span, ballots_in, deposed, missed_in, reigns_in, without_a_fault,
    };
    use crate::systems::{LogEvent, SystemName};

    fn events(log: &str) -> Vec<LogEvent> {
        SystemName::default().find().unwrap().read_log(log)
    }

    fn span(from_ns: u64, until_ns: u64) -> Span {
        Span { from_ns, until_ns }
    }

    fn line(mono_ns: u64, rest: &str) -> String {
        format!("{{\"mono_ns\":{mono_ns},\"node\":1,{rest}}}\n")
    }

    #[test]
    fn ballots_are_what_is_stored_and_not_what_a_role_is_told_of_before_that() {
        let log = line(100, r#""event":"started","term":1,"voted_for":null,"last_index":0"#)
            + &line(110, r#""event":"role-changed","role":"candidate","term":2,"leader":null"#)
            + &line(120, r#""event":"term-stored","term":2,"voted_for":1"#)
            + &line(130, r#""event":"role-changed","role":"candidate","term":3,"leader":null"#)
            + &line(140, r#""event":"started","term":2,"voted_for":1,"last_index":0"#);
        let ballot = |time_ns, term, vote| Ballot { node: 1, time_ns, term, vote };
        assert_eq!(
            ballots_in(1, &events(&log), 100),
            [ballot(0, 1, None), ballot(20, 2, Some(1)), ballot(40, 2, Some(1))]
        );
    }

    #[test]
    fn a_reign_lasts_until_the_role_or_the_term_changes() {
        let log = line(100, r#""event":"role-changed","role":"leader","term":2,"leader":1"#)
            + &line(130, r#""event":"role-changed","role":"leader","term":2,"leader":1"#)
            + &line(150, r#""event":"role-changed","role":"follower","term":3,"leader":null"#)
            + &line(170, r#""event":"role-changed","role":"leader","term":4,"leader":1"#);
        let expected =
            [Reign { node: 1, term: 2, span: span(90, 140) }, Reign { node: 1, term: 4, span: span(160, 500) }];
        assert_eq!(reigns_in(1, &events(&log), 10, &[], 500), expected);
    }

    #[test]
    fn death_ends_a_reign_and_a_restart_begins_none() {
        let log = line(100, r#""event":"role-changed","role":"leader","term":2,"leader":1"#)
            + &line(300, r#""event":"started","term":2,"last_index":9"#)
            + "{\"mono_ns\":310,\"eve";
        assert_eq!(reigns_in(1, &events(&log), 0, &[200], 500), [Reign { node: 1, term: 2, span: span(100, 200) }]);
    }

    #[test]
    fn a_leader_is_deposed_from_the_first_leader_of_a_later_term_on() {
        let old = Reign { node: 1, term: 2, span: span(0, 100) };
        let new = Reign { node: 3, term: 4, span: span(60, 200) };
        let other = Reign { node: 2, term: 5, span: span(150, 300) };
        let expected = [
            DeposedLeader { reign: old, successor: new, span: span(60, 100) },
            DeposedLeader { reign: new, successor: other, span: span(150, 200) },
        ];
        assert_eq!(deposed(&[old, new, other]), expected);
    }

    #[test]
    fn a_leader_that_steps_down_in_time_is_not_deposed() {
        let old = Reign { node: 1, term: 2, span: span(0, 60) };
        let new = Reign { node: 3, term: 4, span: span(60, 200) };
        assert_eq!(deposed(&[old, new]), []);
    }

    #[test]
    fn a_hole_cuts_a_span() {
        let cut = |hole| span(10, 20).without(hole).collect::<Vec<_>>();
        assert_eq!(cut(span(12, 14)), [span(10, 12), span(14, 20)]);
        assert_eq!(cut(span(0, 30)), []);
        assert_eq!(cut(span(30, 40)), [span(10, 20)]);
    }

    #[test]
    fn a_follower_that_sets_out_to_lead_missed_heartbeats_once() {
        let role = |mono_ns, role: &str| {
            line(mono_ns, &format!(r#""event":"role-changed","role":"{role}","term":2,"leader":null"#))
        };
        let log = role(10, "pre-candidate")
            + &role(20, "follower")
            + &role(30, "pre-candidate")
            + &role(35, "candidate")
            + &role(40, "leader")
            + &role(50, "follower")
            + &line(60, r#""event":"started","term":2,"last_index":9"#)
            + &role(70, "pre-candidate");
        assert_eq!(missed_in(4, &events(&log), 5), [MissedHeartbeat { node: 4, time_ns: 25 }]);
    }

    #[test]
    fn faults_and_their_aftermath_excuse_missed_heartbeats() {
        let second = 1_000_000_000;
        let at = |seconds: u64| MissedHeartbeat { node: 1, time_ns: seconds * second };
        let all: Vec<_> = (0..20).map(at).collect();
        let (load, fault) = (span(second, 15 * second), span(3 * second, 7 * second));
        let left = without_a_fault(&all, &[fault], load);
        assert_eq!(left, [1, 2, 10, 11, 12, 13, 14].map(at));
    }
}
