//! Tests of whole runs on virtual time.

use std::sync::atomic::{AtomicBool, Ordering};

use nemesis::FaultSpecs;

use super::{oracles::cases, *};
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

const GOLDEN: u64 = 8_713_348_216_973_530_560;

#[test]
fn a_finding_is_made_smaller_and_stays_one() {
    let plan = Plan { time_limit_ms: 3_000, ..plan("local", "partition:isolate-leader", 3) }.schedule();
    let (small, runs) = shrunk(&plan, &AtomicBool::new(false));
    assert!(runs > 0 && simulate(&small).is_finding());
    assert!(small.nodes == 3 && small.concurrency < 10 && small.time_limit_ms < 3_000, "{}", small.command());
    assert!(small.command().starts_with("schism simulate --read local "), "{}", small.command());
}

#[test]
fn every_workload_holds_through_the_log_under_all_faults() {
    for workload in cases(workloads::WORKLOADS, 6) {
        let plan = Plan { workload: workload.name().to_owned(), ..plan("log", "kill,pause,partition,clock", 5) };
        let outcome = simulate(&plan);
        assert_eq!((outcome.verdict, outcome.finding()), (Verdict::Linearizable, None), "{}", workload.name());
    }
}

#[test]
fn quorum_reads_hold_under_each_fault_that_simulated_hosts_can_have() {
    let all = [
        "rolling-restart:down=300ms,every=1s",
        "power-loss:all,mode=torn",
        "loss:10%",
        "duplicate",
        "partition:clients-random",
        "disk-error",
        "restart",
        "crash-loop",
        "stop-long:random,down=2s",
        "flap",
        "power-loss:all",
        "power-loss:all,mode=part",
        "power-loss:all,mode=reordered",
        "delay:20ms,jitter=10ms",
        "reorder",
        "corrupt:checksum=wrong",
        "starve:all",
        "disk-slow",
        "partition:isolate-leader,kill:deposed-leader",
    ];
    for faults in cases(&all, 6) {
        let plan = Plan { time_limit_ms: 15_000, ..plan("quorum", faults, 3) }.schedule();
        assert_eq!(impossible(&plan.faults), None, "{faults}");
        assert!(lines(&plan).contains("\"outcome\":\"installed\""), "{faults}");
        let outcome = simulate(&plan);
        assert_eq!((outcome.verdict, outcome.finding()), (Verdict::Linearizable, None), "{faults}");
    }
}

#[test]
fn members_change_as_in_a_real_run_and_the_sound_node_bears_it() {
    let changes = |outcome: &Outcome| {
        let of = |wanted: &str| outcome.rules.iter().find(|(rule, _)| rule.name().starts_with(wanted)).unwrap().1;
        of("configuration changed") + of("leadership handed over")
    };
    for faults in ["add", "remove", "replace", "transfer", "add,remove:leader,replace,transfer,kill,partition"] {
        let plan = Plan { time_limit_ms: 15_000, ..plan("quorum", faults, 3) }.schedule();
        assert!(lines(&plan).contains("\"outcome\":\"installed\""), "{faults}");
        let outcome = simulate(&plan);
        assert_eq!((outcome.verdict, outcome.finding()), (Verdict::Linearizable, None), "{faults}");
        assert!(changes(&outcome) > 0, "{faults}: {outcome:?}");
    }
}

#[test]
fn faults_that_no_simulated_host_can_have_are_refused_and_never_left_out() {
    let of_disks = ["kill,disk-full", "disk-read-only", "disk-corrupt", "crash-at-fsync"];
    for faults in of_disks.into_iter().chain(["clock:rate=0", "clock:by=vdso", "corrupt", "bandwidth", "reset"]) {
        let plan = plan("quorum", faults, 3);
        assert!(impossible(&plan.faults).is_some(), "{faults}");
        let problem = simulate(&plan).problem.unwrap_or_default();
        assert!(problem.starts_with("no simulated host can have a fault of the plan: "), "{faults}: {problem}");
    }
}

/// Returns the plan of a run with a defect.
fn planted(defect: &str, workload: &str, faults: &str) -> Plan {
    let usual = plan("quorum", faults, 0);
    let options = crate::systems::Options::default().with("defect", Some(defect));
    let settings = crate::systems::schism::simulated_settings(&usual.read, &options).unwrap();
    Plan { settings, workload: workload.to_owned(), ..usual }
}

#[test]
fn a_rule_of_raft_that_the_nodes_broke_is_named_whatever_clients_saw() {
    for (defect, workload, faults, rule) in [
        ("votes-twice", "register", "partition,pause:leader", "one vote a term (§5.2): in term "),
        ("pre-votes-count", "register", "partition,pause:leader", "a majority elects (§5.2): n"),
        ("commits-alone", "register", "partition:isolate-leader", "a majority commits (§5.3): n"),
        ("loses-last-record", "register", "kill:all", "promises outlive a restart (figure 2): n"),
        ("vote-not-durable", "register", "kill:random,pause:leader", "promises outlive a restart (figure 2): n"),
        ("increments-by-chance", "counter", "none", "equal logs give equal states (§2): those of n"),
    ] {
        let plan = planted(defect, workload, faults);
        let broken = (0..16).find_map(|seed| simulate(&of_seed(&plan, seed)).broken);
        assert!(broken.as_ref().is_some_and(|it| it.to_string().starts_with(rule)), "{defect}: {broken:?}");
    }
}

#[test]
fn clients_that_retry_in_sessions_see_each_write_once_and_twice_if_numbers_are_ignored() {
    let retry = |plan: Plan| Plan { simulation: Some(Simulation { retry: true, ..Simulation::default() }), ..plan };
    for seed in 0..4 {
        let outcome = simulate(&of_seed(&retry(plan("quorum", "kill,partition", 0)), seed));
        assert_eq!((outcome.verdict, outcome.finding()), (Verdict::Linearizable, None), "{outcome:?}");
    }
    let broken = retry(planted("ignores-sequence-numbers", "counter", "kill,partition"));
    assert!(broken.command().contains(" --retry"), "{}", broken.command());
    assert!((0..16).any(|seed| simulate(&of_seed(&broken, seed)).verdict == Verdict::NotLinearizable));
}

#[test]
fn planted_defects_of_each_part_of_a_node_are_found() {
    for (defect, workload, faults) in [
        ("commits-alone", "register", "partition:isolate-leader"),
        ("no-fsync", "register", "power-loss:all"),
        ("cas-ignores-from", "register", "none"),
        ("link-repeats-frames", "counter", "none"),
    ] {
        let plan = planted(defect, workload, faults);
        assert!(plan.command().contains(&format!(" --defect {defect}")), "{}", plan.command());
        let found = (0..8).any(|seed| simulate(&of_seed(&plan, seed)).is_finding());
        assert!(found, "{}", plan.command());
    }
}

#[test]
fn threads_change_nothing_of_what_is_found() {
    let search = |threads, until_violation| {
        let plan = plan("leader", "partition:isolate-leader", 0);
        let tally = Search { plan, seeds: 0..6, threads, until_violation }.run(&AtomicBool::new(false), |_| ());
        let found: Vec<u64> = tally.found.iter().map(|found| found.seed).collect();
        (tally.runs, tally.operations, tally.lasted_ns, tally.findings, found)
    };
    assert_eq!(search(1, false), search(3, false));
    assert_eq!(search(1, true), search(3, true), "only one counts");
}

#[test]
fn a_search_that_is_stopped_keeps_what_it_has_counted() {
    let plan = plan("quorum", "none", 0);
    let search = Search { plan, seeds: 5..1000, threads: 2, until_violation: false };
    let stop = AtomicBool::new(false);
    let tally = search.run(&stop, |tally| stop.store(tally.runs >= 2, Ordering::Relaxed));
    assert!((2..1000).contains(&tally.runs) && search.is_cut_short(&tally), "{tally:?}");
}

#[test]
fn quorum_reads_hold_and_leader_reads_are_found_stale() {
    let faults = "partition:isolate-leader";
    let outcomes = |read: &str| (0..4).map(|seed| simulate(&plan(read, faults, seed))).collect::<Vec<_>>();
    for outcome in outcomes("quorum") {
        assert_eq!((outcome.verdict, outcome.finding()), (Verdict::Linearizable, None), "{outcome:?}");
        assert!(outcome.operations > 500, "{outcome:?}");
    }
    let stale = outcomes("leader");
    assert!(stale.iter().any(|outcome| outcome.verdict == Verdict::NotLinearizable), "{stale:?}");
}
