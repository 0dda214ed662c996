//! Tests that revisions are reported beside a verdict and never change it.

use checker::{KeyReport, Model, Options, Report, Verdict, check};
use histories::{EventType, MAX_REVISION};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use crate::{
    build::history,
    oracles::share_of,
    random::{self, Kind, paired},
};

const HISTORIES: u64 = 4_000;

fn report(text: &str) -> KeyReport {
    let Report { mut keys, .. } = check(&history(text), &Options::new(Model::Register));
    assert_eq!(keys.len(), 1, "{keys:?}");
    keys.remove(0)
}

/// Returns what is reported about revisions beside the evidence, for a history that is not linearizable.
fn beside(text: &str) -> Option<String> {
    let report = report(text);
    assert_eq!((report.verdict, report.revisions), (Verdict::NotLinearizable, None));
    report.evidence.unwrap().revisions
}

#[test]
fn no_revision_changes_a_verdict() {
    for (kind, model) in
        [(Kind::Unique, Model::Register), (Kind::Repeated(3), Model::Register), (Kind::Text, Model::KeyValue)]
    {
        let (mut beside, mut contradictions) = (0, 0);
        for seed in 0..share_of(HISTORIES) {
            let mut simulation = random::simulated(kind, 31 << 32 | seed, 12);
            simulation.mutate();
            let plain = check(&paired(simulation.events.clone()), &Options::new(model));
            let mut rng = Pcg64::seed_from_u64(seed);
            let highest = [3, 40, MAX_REVISION][rng.random_range(0..3)];
            for event in simulation.events.iter_mut().filter(|event| event.kind != EventType::Invoke) {
                event.revision = rng.random_bool(0.8).then(|| rng.random_range(0..=highest));
            }
            let mut numbered = check(&paired(simulation.events), &Options::new(model));
            for key in &mut numbered.keys {
                contradictions += u64::from(key.revisions.take().is_some());
                beside += u64::from(key.evidence.as_mut().is_some_and(|evidence| evidence.revisions.take().is_some()));
            }
            assert_eq!(numbered, plain, "{kind:?}, seed {seed}");
        }
        assert!(beside.min(contradictions) * 80 > share_of(HISTORIES), "{kind:?}: {beside} {contradictions}");
    }
}

#[test]
fn a_stale_read_was_answered_at_an_earlier_revision() {
    let text = "3 invoke write@k3 41
                3 ok write@k3 #790
                5 invoke write@k3 57
                5 ok write@k3 #812
                7 invoke read@k3
                7 ok read@k3 41 #790";
    let said = "The store itself numbered them: the write of 57 by process 5 is its revision 812, \
                and the read of 41 by process 7 was answered at revision 790, 22 earlier";
    assert_eq!(beside(text).as_deref(), Some(said));
    assert_eq!(
        beside(&text.replace("41 #790", "41 #812")),
        None,
        "of a store that numbers its answers, not its values"
    );
    assert_eq!(beside(&text.replace("#812", "")), None);
    assert_eq!(beside(&text.replace("41 #790", "41")), None);
}

#[test]
fn a_read_that_shows_a_write_of_unknown_outcome_stands_for_it() {
    let said = beside(
        "3 invoke write 57
         3 info write
         4 invoke read
         4 ok read 57 #812
         5 invoke read
         5 ok read nil #0",
    );
    let expected = "The store itself numbered them: the read of 57 by process 4 was answered at revision 812, \
                    and the read of nil by process 5 was answered at revision 0, 812 earlier";
    assert_eq!(said.as_deref(), Some(expected));
}

#[test]
fn what_overlaps_may_have_any_numbers() {
    let text = "1 invoke write 1
                2 invoke write 2
                2 ok write #8
                1 ok write #9
                3 invoke read
                3 ok read 1 #9";
    let report = report(text);
    assert_eq!((report.verdict, report.revisions), (Verdict::Linearizable, None));
}

#[test]
fn a_lower_revision_of_a_linearizable_key_is_no_violation_but_is_told() {
    let report = report(
        "1 invoke write 1
         1 ok write #8
         2 invoke cas 2 3
         2 fail cas found 1 #7
         3 invoke read
         3 ok read 1 #8",
    );
    assert_eq!(report.verdict, Verdict::Linearizable);
    let said = "The store's own revisions are not consistent with real time: the write of 1 by process 1 is its \
        revision 8, and \
    the cas from 2 by \
                process 2 that did not match was answered at revision 7, although that began after the other had ended";
    assert_eq!(report.revisions.as_deref(), Some(said));
}

#[test]
fn an_absent_key_has_no_revision_of_its_own() {
    let text = "1 invoke write x
                1 ok write #8
                2 invoke delete
                2 ok delete #9
                3 invoke read
                3 ok read nil #0";
    let report = check(&history(text), &Options::new(Model::KeyValue));
    assert_eq!((report.verdict, &report.keys[0].revisions), (Verdict::Linearizable, &None));
}

#[test]
fn two_changes_with_one_revision_contradict_each_other() {
    let text = "1 invoke write 1
                1 ok write #8
                2 invoke cas 1 3
                2 ok cas #8";
    let told = report(text);
    assert_eq!(told.verdict, Verdict::Linearizable);
    let said = "The store's own revisions contradict each other: the write of 1 by process 1 and the cas from 1 to 3 \
        by process 2 are both its \
    revision 8";
    assert_eq!(told.revisions.as_deref(), Some(said));
    let same = report(&text.replace("cas 1 3", "write 1").replace("cas", "write"));
    assert_eq!(same.revisions, None, "a store may leave a value alone that is already there");
}
