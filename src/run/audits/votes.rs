//! Audit of votes: a node votes for one candidate in a term, and never forgets its term or its vote in it (Raft §5.2,
//! figure 2).

use std::collections::BTreeSet;

use nemesis::FaultKind;

use super::finding::Finding;
use crate::{
    run::{faults::FaultWindow, leadership::Ballot},
    terminal::words::{counted, seconds},
};

/// Judges the votes and terms of the nodes by their logs, which say what is on their disks.
pub(super) fn audit(elects_once_a_term: bool, ballots: &[Ballot], faults: &[FaultWindow]) -> Finding {
    if !elects_once_a_term {
        return Finding::not_checked("the system does not say that each of its terms has one leader at most");
    }
    if faults.iter().any(|fault| fault.is(|kind| kind == FaultKind::DiskCorrupt)) {
        return Finding::not_checked("files were damaged, and with them what nodes remember");
    }
    let votes = ballots.iter().filter(|ballot| ballot.vote.is_some()).count();
    if votes == 0 {
        return Finding::not_checked("no log says who voted for whom");
    }
    let nodes: BTreeSet<u16> = ballots.iter().map(|ballot| ballot.node).collect();
    let evidence = nodes.into_iter().flat_map(|node| broken_by(ballots.iter().filter(move |it| it.node == node)));
    Finding::of_moments(evidence.collect(), || counted(votes, "vote"))
}

/// Returns how one node broke the rule, and when (ns), by its ballots in the order of its log.
fn broken_by<'a>(ballots: impl Iterator<Item = &'a Ballot>) -> Vec<(u64, String)> {
    let mut broken = Vec::new();
    let mut known: Option<(u64, Option<u16>)> = None;
    for Ballot { node, time_ns, term, vote } in ballots {
        let at = seconds(*time_ns);
        match (known, vote) {
            (Some((before, _)), _) if *term < before => {
                broken.push((*time_ns, format!("n{node} was in term {before}, and at {at} in term {term} again")));
            }
            (Some((before, Some(first))), Some(second)) if *term == before && first != *second => {
                broken
                    .push((*time_ns, format!("n{node} voted for n{first} in term {term}, and at {at} for n{second}")));
            }
            (Some((before, Some(first))), None) if *term == before => {
                broken.push((
                    *time_ns,
                    format!("n{node} voted for n{first} in term {term}, and had forgotten it at {at}"),
                ));
            }
            _ => {}
        }
        known = Some((*term, *vote));
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::leadership::Span;

    const SECOND: u64 = 1_000_000_000;

    fn ballot(node: u16, time: u64, term: u64, vote: Option<u16>) -> Ballot {
        Ballot { node, time_ns: time * SECOND, term, vote }
    }

    fn sound() -> Vec<Ballot> {
        vec![
            ballot(1, 0, 0, None),
            ballot(1, 1, 2, None),
            ballot(1, 2, 2, Some(3)),
            ballot(1, 4, 2, Some(3)), // as remembered over a restart
            ballot(2, 1, 2, Some(2)),
            ballot(1, 5, 3, None),
            ballot(1, 6, 4, Some(1)),
        ]
    }

    #[test]
    fn one_vote_a_term_that_is_remembered_is_sound() {
        assert_eq!(audit(true, &sound(), &[]), Finding::Holds { looked_at: "4 votes".to_owned() });
        assert!(matches!(audit(false, &sound(), &[]), Finding::NotChecked { .. }));
        assert!(
            matches!(audit(true, &[ballot(1, 0, 2, None)], &[]), Finding::NotChecked { .. }),
            "a log without votes"
        );
    }

    #[test]
    fn a_second_vote_a_forgotten_one_and_a_term_that_falls_are_violations() {
        for (time, term, vote, said) in [
            (7, 4, Some(2), "n1 voted for n1 in term 4, and at 7.000 s for n2"),
            (8, 4, None, "n1 voted for n1 in term 4, and had forgotten it at 8.000 s"),
            (9, 3, None, "n1 was in term 4, and at 9.000 s in term 3 again"),
        ] {
            let broken = [sound(), vec![ballot(1, time, term, vote)]].concat();
            let found = audit(true, &broken, &[]);
            assert_eq!(found.evidence(), [said]);
            assert!(matches!(found, Finding::Violated { first_ms: Some(ms), .. } if ms == time * 1000), "{found:?}");
        }
    }

    #[test]
    fn a_disk_that_was_damaged_excuses_what_nodes_forget() {
        let forgets = [sound(), vec![ballot(1, 7, 1, None)]].concat();
        let window = |kind| FaultWindow {
            kind: Some(kind),
            words: String::new(),
            nodes: vec![1],
            grudge: nemesis::Grudge::default(),
            skew: None,
            span: Span { from_ns: SECOND, until_ns: 2 * SECOND },
        };
        assert!(matches!(audit(true, &forgets, &[window(FaultKind::DiskCorrupt)]), Finding::NotChecked { .. }));
        assert_eq!(audit(true, &forgets, &[window(FaultKind::Kill)]).evidence().len(), 1);
    }
}
