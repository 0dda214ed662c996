//! Audit of the revisions that the store gave to values: none is given twice, and later answers have no lower ones.

use checker::Report;
use histories::History;

use super::finding::Finding;
use crate::{
    check::options_of,
    run::plan::Plan,
    terminal::words::{counted, plain},
};

/// Judges the revisions in a history, by what its report says of them.
pub(super) fn audit(plan: &Plan, history: &History, report: &Report) -> Finding {
    if !options_of(plan.workload()).is_some_and(|options| options.model.is_register()) {
        return Finding::not_checked(format!("the workload {} has none", plan.workload));
    }
    let numbered = (0..history.operations.len()).filter(|index| history.revision(*index).is_some()).count();
    if numbered == 0 {
        return Finding::not_checked("no answer came with one");
    }
    let of_key = |key: &checker::KeyReport| {
        let said = key.revisions.clone().or_else(|| key.evidence.as_ref()?.revisions.clone());
        said.map(|said| format!("{}: {said}", plain(&key.key)))
    };
    Finding::of(report.keys.iter().filter_map(of_key).collect(), || counted(numbered, "answer") + " with a revision")
}

#[cfg(test)]
mod tests {
    use checker::{Model, Options};
    use histories::{Event, EventType, HistoryBuilder, Process};

    use super::audit;
    use crate::run::{audits::finding::Finding, plan::Plan};

    /// Judges two sequential operations: a write of 1, and a read of 1, with these revisions.
    fn judged(revisions: [Option<u64>; 2]) -> Finding {
        let mut builder = HistoryBuilder::default();
        for (process, (f, revision)) in (0..).zip(["write", "read"].into_iter().zip(revisions)) {
            for kind in [EventType::Invoke, EventType::Ok] {
                let is_ok = kind == EventType::Ok;
                let event = Event::new(Process::Client(process), kind, f);
                let value = (is_ok || f == "write").then(|| 1.into());
                let revision = revision.filter(|_| is_ok);
                builder.push(Event { key: Some("k1".into()), value, revision, ..event }).unwrap();
            }
        }
        let history = builder.finish();
        let report = checker::check(&history, &Options::new(Model::Register));
        audit(&Plan::default(), &history, &report)
    }

    #[test]
    fn a_revision_that_falls_is_a_violation_though_the_values_are_in_order() {
        let looked_at = "2 answers with a revision".to_owned();
        assert_eq!(judged([Some(7), Some(7)]), Finding::Holds { looked_at });
        let found = judged([Some(7), Some(5)]);
        let said = &found.evidence()[0];
        assert!(said.starts_with("k1: ") && said.contains("is its revision 7") && said.contains('5'), "{said}");
        assert_eq!(judged([None, None]), Finding::not_checked("no answer came with one"));
    }
}
