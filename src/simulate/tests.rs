//! Tests of whole runs on virtual time.

use nemesis::FaultSpecs;

use super::*;
use crate::run::plan::Simulation;

fn plan(read: &str, faults: &str, seed: u64) -> Plan {
    let usual = Plan::default();
    let settings =
        crate::systems::schism::simulated_settings(&read.into(), &crate::systems::Options::default()).unwrap();
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

/// Holds the bytes of one history: they differ only if a rule, a draw or a format does, and never by machine. After an
/// intended change, the number that the failure shows is the new one.
#[test]
fn the_bytes_of_a_history_are_the_same_on_every_machine() {
    let text = lines(&plan("quorum", "kill,pause,partition,clock", 7));
    let fnv1a = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    assert_eq!(text.bytes().fold(0xcbf2_9ce4_8422_2325, fnv1a), GOLDEN);
}

const GOLDEN: u64 = 532_966_273_398_725_222;

#[test]
fn a_finding_is_made_smaller_and_stays_one() {
    let plan = Plan { time_limit_ms: 3_000, ..plan("local", "partition:isolate-leader", 3) }.schedule();
    let (small, runs) = shrunk(&plan);
    assert!(runs > 0 && simulate(&small).is_finding());
    assert!(small.nodes == 3 && small.concurrency < 10 && small.time_limit_ms < 3_000, "{}", small.command());
    assert!(small.command().starts_with("schism simulate --read local "), "{}", small.command());
}

#[test]
fn every_workload_holds_through_the_log_under_all_faults() {
    for workload in workloads::WORKLOADS {
        let plan = Plan { workload: workload.name().to_owned(), ..plan("log", "kill,pause,partition,clock", 5) };
        let outcome = simulate(&plan);
        assert_eq!((outcome.verdict, &outcome.problem), (Verdict::Linearizable, &None), "{}", workload.name());
    }
}

#[test]
fn threads_change_nothing_of_what_is_found() {
    let search = |threads| {
        let plan = plan("leader", "partition:isolate-leader", 0);
        let tally = Search { plan, seeds: 0..6, threads, until_violation: false }.run(|_| ());
        (tally.operations, tally.lasted_ns, tally.found.iter().map(|found| found.seed).collect::<Vec<_>>())
    };
    assert_eq!(search(1), search(3));
}

#[test]
fn quorum_reads_hold_and_leader_reads_are_found_stale() {
    let faults = "partition:isolate-leader";
    let outcomes = |read: &str| (0..4).map(|seed| simulate(&plan(read, faults, seed))).collect::<Vec<_>>();
    for outcome in outcomes("quorum") {
        assert_eq!((outcome.verdict, &outcome.problem), (Verdict::Linearizable, &None), "{outcome:?}");
        assert!(outcome.operations > 500, "{outcome:?}");
    }
    let stale = outcomes("leader");
    assert!(stale.iter().any(|outcome| outcome.verdict == Verdict::NotLinearizable), "{stale:?}");
}
