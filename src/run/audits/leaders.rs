//! Audit of elections: no term has two leaders (Raft §5.2, election safety).

use std::collections::BTreeMap;

use super::finding::Finding;
use crate::{
    run::leadership::Reign,
    terminal::words::{counted, seconds},
};

/// Judges who led each term, by the nodes' logs.
pub(super) fn audit(elects_once_a_term: bool, reigns: &[Reign]) -> Finding {
    if !elects_once_a_term {
        return Finding::not_checked("the system does not say that each of its terms has one leader at most");
    }
    if reigns.is_empty() {
        return Finding::not_checked("no log says who led");
    }
    let mut terms: BTreeMap<u64, Vec<&Reign>> = BTreeMap::new();
    for reign in reigns {
        terms.entry(reign.term).or_default().push(reign);
    }
    // A term is led twice from the first reign of a second node on.
    let twice_from = |reigns: &[&Reign]| {
        let first = reigns.iter().min_by_key(|reign| reign.span.from_ns)?;
        reigns.iter().filter(|reign| reign.node != first.node).map(|reign| reign.span.from_ns).min()
    };
    let evidence = terms.values().filter_map(|reigns| Some((twice_from(reigns)?, sentence(reigns))));
    Finding::of_moments(evidence.collect(), || counted(terms.len(), "term"))
}

fn sentence(reigns: &[&Reign]) -> String {
    let one = |reign: &&Reign| {
        format!("n{} from {} to {}", reign.node, seconds(reign.span.from_ns), seconds(reign.span.until_ns))
    };
    let all: Vec<_> = reigns.iter().map(one).collect();
    format!("Term {} was led by {}", reigns[0].term, all.join(", and by "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::leadership::Span;

    #[test]
    fn two_leaders_of_a_term_are_a_violation_and_two_reigns_of_one_node_are_not() {
        let reign = |node, term, from_ns, until_ns| Reign { node, term, span: Span { from_ns, until_ns } };
        let second = 1_000_000_000;
        let mut reigns = vec![reign(1, 2, 0, second), reign(1, 2, second, 3 * second), reign(3, 3, second, second)];
        assert_eq!(audit(true, &reigns), Finding::Holds { looked_at: "2 terms".to_owned() });
        reigns.push(reign(2, 2, 2 * second, 4 * second));
        let said = "Term 2 was led by n1 from 0.000 s to 1.000 s, and by n1 from 1.000 s to 3.000 s, and by n2 from \
            2.000 s to 4.000 s";
        let found = audit(true, &reigns);
        assert_eq!(found.evidence(), [said]);
        assert!(matches!(found, Finding::Violated { first_ms: Some(2000), .. }), "{found:?}");
        assert!(audit(false, &reigns).evidence().is_empty(), "its terms may mean something else");
    }
}
