//! Audits of the nodes' logs and states, by the checkpoints that they gave of themselves.

use super::finding::Finding;
use crate::{
    run::checkpoints::{Conflict, StateAt, StateComparison},
    terminal::words::{counted, grouped},
};

/// Judges whether nodes had the same state after the same entry of the log.
pub(super) fn audit_states(compared: Option<&StateComparison>) -> Finding {
    audit(compared, |compared| &compared.digests, |state| format!("state {}", state.digest))
}

/// Judges whether the nodes' logs match where they are committed: entries of the same index and term follow on the
/// same entries (Raft §5.3), so that one index stands for all below it.
pub(super) fn audit_logs(compared: Option<&StateComparison>) -> Finding {
    audit(compared, |compared| &compared.terms, |state| format!("an entry of term {}", state.term))
}

fn audit(
    compared: Option<&StateComparison>,
    conflicts: impl Fn(&StateComparison) -> &[Conflict],
    words: impl Fn(&StateAt) -> String,
) -> Finding {
    let Some(compared) = compared else {
        return Finding::not_checked("the nodes gave no digests of their states");
    };
    if compared.indices == 0 {
        return Finding::not_checked("no two nodes gave a digest at the same index");
    }
    let evidence = conflicts(compared).iter().map(|conflict| sentence(conflict, &words)).collect();
    Finding::of(evidence, || {
        let indices = if compared.indices == 1 { "index" } else { "indices" };
        format!("{} compared at {} log {indices}", counted(compared.nodes, "node"), grouped(compared.indices))
    })
}

fn sentence(Conflict { index, states }: &Conflict, words: impl Fn(&StateAt) -> String) -> String {
    let names = |state: &StateAt| state.nodes.iter().map(|node| format!("n{node}")).collect::<Vec<_>>().join(", ");
    let all: Vec<_> = states.iter().map(|state| format!("{} had {}", names(state), words(state))).collect();
    format!("At the applied index {index}, {}", all.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_names_index_nodes_and_what_they_had() {
        let state =
            |term, digest: &str, nodes: &[u16]| StateAt { term, digest: digest.to_owned(), nodes: nodes.into() };
        let conflict = Conflict { index: 64, states: vec![state(2, "a1", &[1, 3]), state(2, "b2", &[2])] };
        let compared = StateComparison { indices: 1200, nodes: 3, terms: Vec::new(), digests: vec![conflict] };
        let said = "At the applied index 64, n1, n3 had state a1; n2 had state b2";
        assert_eq!(audit_states(Some(&compared)).evidence(), [said]);
        let looked_at = "3 nodes compared at 1,200 log indices".to_owned();
        assert_eq!(audit_logs(Some(&compared)), Finding::Holds { looked_at });
    }

    #[test]
    fn what_was_not_compared_holds_nothing() {
        let said = |compared: Option<StateComparison>| serde_json::to_string(&audit_states(compared.as_ref())).unwrap();
        assert!(said(None).contains("gave no digests"));
        assert!(said(Some(StateComparison::default())).contains("no two nodes"));
    }
}
