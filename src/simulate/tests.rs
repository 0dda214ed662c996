//! Tests of whole runs on virtual time.

use nemesis::FaultSpecs;

use super::*;
use crate::run::plan::Simulation;

fn plan(read: &str, faults: &str, seed: u64) -> Plan {
    let usual = Plan::default();
    let settings = usual.system().settings(&read.into(), &crate::systems::Options::default(), false).unwrap();
    let faults: FaultSpecs = faults.parse().unwrap();
    Plan {
        read: read.into(),
        faults,
        seed,
        settings,
        time_limit_ms: 8_000,
        rate: 100,
        concurrency: 10,
        simulation: Some(Simulation::default()),
        ..usual
    }
    .schedule()
}

fn lines(plan: &Plan) -> String {
    let conditions = plan.simulation.clone().unwrap();
    String::from_utf8(world::run(plan, &conditions, true).unwrap().recorded.lines.unwrap()).unwrap()
}

#[test]
fn a_seed_decides_every_byte() {
    let all = "kill,pause,partition,clock";
    let first = lines(&plan("quorum", all, 7));
    assert_eq!(first, lines(&plan("quorum", all, 7)));
    assert_ne!(first, lines(&plan("quorum", all, 8)));
    assert!(first.lines().count() > 1000, "{}", first.lines().count());
}

#[test]
fn quorum_reads_hold_and_leader_reads_are_found_stale() {
    let faults = "partition:isolate-leader";
    let outcomes = |read: &str| (0..10).map(|seed| simulate(&plan(read, faults, seed))).collect::<Vec<_>>();
    for outcome in outcomes("quorum") {
        assert_eq!((outcome.verdict, &outcome.problem), (Verdict::Linearizable, &None), "{outcome:?}");
        assert!(outcome.operations > 500, "{outcome:?}");
    }
    let stale = outcomes("leader");
    assert!(stale.iter().any(|outcome| outcome.verdict == Verdict::NotLinearizable), "{stale:?}");
}
