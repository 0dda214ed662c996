//! Agreement of every method with the oracle, on 1,000,000 random small histories of each kind.

use checker::{Evidence, Method, Model, Options, Verdict, check};
use histories::{EventType, Function, History, Outcome, Value, ValueId};

use crate::{
    oracle,
    oracles::share_of,
    random::{self, Kind},
};

const HISTORIES: u64 = 1_000_000;
const THREADS: u64 = 2;

/// Returns the size of the history of a seed: most are small, one in 16 is larger.
fn max_operations(seed: u64) -> usize {
    if seed.is_multiple_of(16) { 11 } else { 7 }
}

#[derive(Debug, Default)]
struct Tally {
    yes: u64,
    no: u64,
    by_zones: u64,
    /// Violations told with answers that a correct system would have given.
    possible: u64,
}

/// Compares on `histories` histories, in several threads; returns the tally.
fn agree(kind: Kind, model: Model, salt: u64, histories: u64) -> Tally {
    let share = |thread: u64| histories * thread / THREADS..histories * (thread + 1) / THREADS;
    let tally = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..THREADS).map(|thread| scope.spawn(move || agree_on(kind, model, salt, share(thread)))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).fold(Tally::default(), |sum, part| Tally {
            yes: sum.yes + part.yes,
            no: sum.no + part.no,
            by_zones: sum.by_zones + part.by_zones,
            possible: sum.possible + part.possible,
        })
    });
    assert!(tally.yes.min(tally.no) * 6 >= histories, "both verdicts must be well represented: {tally:?}");
    tally
}

fn agree_on(kind: Kind, model: Model, salt: u64, seeds: std::ops::Range<u64>) -> Tally {
    let mut tally = Tally::default();
    let options = Options::new(model);
    let search_only = Options { search_only: true, ..Options::new(model) };
    for seed in seeds {
        let history = random::history(kind, salt << 32 | seed, max_operations(seed));
        let truth = oracle::is_linearizable(&history, &Value::Nil);
        let expected = if truth { Verdict::Linearizable } else { Verdict::NotLinearizable };
        let report = check(&history, &options);
        assert_eq!(report.verdict, expected, "seed {seed} of {kind:?}: {report:#?}\n{:#?}", history.operations);
        let searched = check(&history, &search_only);
        assert_eq!(searched.verdict, expected, "search alone, seed {seed} of {kind:?}\n{:#?}", history.operations);
        *if truth { &mut tally.yes } else { &mut tally.no } += 1;
        tally.by_zones += u64::from(report.keys[0].method == Method::Zones);
        for report in [report, searched] {
            if let Some(evidence) = &report.keys[0].evidence {
                let explained = oracle::evidence_can_be_ordered(&history, &Value::Nil, &evidence.operations);
                assert!(!explained, "seed {seed} of {kind:?}: {evidence:#?}\n{:#?}", history.operations);
                let may_have_been_written = |&index| oracle::may_have_been_written(&history, &Value::Nil, index);
                let is_false = evidence.claim.contains("nobody ever wrote")
                    && evidence.operations.iter().all(may_have_been_written);
                let says_once =
                    evidence.claim.contains("only once") || evidence.reasons.join(" ").contains("only once");
                let is_false = is_false || says_once && oracle::sets_what_others_set(&history, &evidence.operations);
                assert!(!is_false, "seed {seed} of {kind:?}: {evidence:#?}\n{:#?}", history.operations);
                tally.possible += u64::from(answers_are_possible(&history, evidence));
            } else {
                assert!(truth, "a no without evidence: seed {seed} of {kind:?}");
            }
        }
    }
    tally
}

/// Asserts that each answer that a correct system would have given explains the whole history, and no other does.
/// Returns true if there are any.
fn answers_are_possible(history: &History, evidence: &Evidence) -> bool {
    let Some(said) = &evidence.possible else { return false };
    let Some((_, named)) =
        said.strip_prefix("A correct system would have answered ").and_then(|it| it.split_once(" with "))
    else {
        assert!(said.starts_with("By what had been written by then, "), "{said}");
        return false;
    };
    let is_answered = |&&index: &&usize| {
        let operation = &history.operations[index];
        operation.function == Function::Read && operation.outcome == Outcome::Ok
    };
    let read = evidence.operations.iter().filter(is_answered).max_by_key(|&&index| history.operations[index].completed);
    let read = *read.expect("an answer is that of a read");
    let named: Vec<&str> = named.split(", ").flat_map(|some| some.split(" or ")).collect();
    let is_complete = !named.iter().any(|name| name.contains("of"));
    for value in (0..history.values.len()).map(|id| ValueId(u32::try_from(id).unwrap())) {
        let is_named = named.contains(&&*history.value(value).to_string());
        if !is_named && !is_complete {
            continue;
        }
        let is_right = oracle::is_linearizable_if(history, &Value::Nil, read, value);
        assert_eq!(is_right, is_named, "{} of {said}: {evidence:#?}\n{:#?}", history.value(value), history.operations);
    }
    true
}

#[test]
fn unique_values() {
    let histories = share_of(HISTORIES);
    let tally = agree(Kind::Unique, Model::Register, 1, histories);
    assert!(tally.by_zones * 10 >= histories * 9, "the zones must decide most: {tally:?}");
    assert!(tally.possible * 4 >= histories, "most violations are told with possible answers: {tally:?}");
}

#[test]
fn repeated_values() {
    for (domain, salt) in [(2, 2), (3, 3), (4, 4)] {
        agree(Kind::Repeated(domain), Model::Register, salt, share_of(HISTORIES).div_ceil(3));
    }
}

#[test]
fn text() {
    agree(Kind::Text, Model::KeyValue, 5, share_of(HISTORIES));
}

#[test]
fn text_that_grows() {
    agree(Kind::Grown, Model::KeyValue, 6, share_of(HISTORIES).div_ceil(4));
    agree(Kind::Parts, Model::KeyValue, 7, share_of(HISTORIES).div_ceil(4));
}

#[test]
fn text_and_what_is_none() {
    agree(Kind::Mixed, Model::KeyValue, 9, share_of(HISTORIES));
}

#[test]
fn long_texts_have_an_order_until_an_answer_is_changed() {
    for (seed, kind) in (0..share_of(240)).zip([Kind::Text, Kind::Grown, Kind::Parts].into_iter().cycle()) {
        let simulation = random::simulated(kind, 8 << 32 | seed, 600);
        let history = random::paired(simulation.events.clone());
        let options = Options::new(Model::KeyValue);
        assert_eq!(check(&history, &options).verdict, Verdict::Linearizable, "seed {seed} of {kind:?}");

        let mut events = simulation.events;
        let read = events.iter().rposition(|event| event.f == "read" && event.kind == EventType::Ok);
        events[read.expect("so many operations have reads")].value = Some("nobody's".into());
        let report = check(&random::paired(events), &options);
        assert_eq!(report.verdict, Verdict::NotLinearizable, "seed {seed} of {kind:?}");
    }
}
