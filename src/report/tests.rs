//! Test of whole runs, from plan to page, on a system that does not say who leads. Its nodes are processes of this test
//! binary, on the loopback of this host.

use std::{fs, path::Path};

use checker::Verdict;
use nemesis::{PartitionBy, Sandbox};

use super::of_run;
use crate::{
    error::{ExitStatus, Failure},
    render::run_summary::describe_run,
    run::{FinishedRun, Host, RunLocation, checker_budget, plan::Plan, rejudge},
    systems::Settings,
};

const UNSEEN: &str = "who led, and so whether a deposed leader was asked: the system does not say";

fn host() -> Host {
    Host::new(Sandbox::Plain { reason: "this is a test".to_owned() }, PartitionBy::default())
}

fn plan(read: &str, faults: &str, time_limit_ms: u64) -> Plan {
    let plan = Plan {
        system: "roleless".into(),
        read: read.into(),
        faults: faults.parse().unwrap(),
        settings: Settings::default(),
        nodes: 3,
        rate: 300,
        concurrency: 9,
        seed: 4,
        time_limit_ms,
        ..Plan::default()
    };
    assert_eq!(plan.check(), Ok(()));
    plan.schedule()
}

fn finished(plan: &Plan, folder: &Path) -> (FinishedRun, String) {
    let run = host().run(plan, &RunLocation::Folder { path: folder.to_owned(), campaign: None }).unwrap();
    assert_eq!(run.results.live.harness_failed, None);
    assert_eq!(run.results.live.not_recovered, None);
    of_run(&run).unwrap();
    let page = fs::read_to_string(folder.join("report.html")).unwrap();
    (run, page)
}

#[test]
fn without_roles_a_run_is_judged_and_shown_and_says_what_nobody_saw() {
    let dir = tempfile::tempdir().unwrap();
    let (run, page) = finished(&plan("fresh", "kill", 5000), &dir.path().join("fresh"));
    let results = &run.results;
    assert_eq!(results.verdict, Verdict::Linearizable, "{:?}", results.report);
    assert!(results.coverage.writes > 50 && results.counts.ok > 100, "{:?}", results.counts);
    assert_eq!(results.coverage.faults.len(), 1, "{:?}", results.coverage);
    assert_eq!((&*results.coverage.unseen, &*results.coverage.weak), (&[UNSEEN.to_owned()][..], &[][..]));
    let told = describe_run(&run, true).details;
    assert!(told.contains(UNSEEN) && told.contains("all nodes up after"), "{told}");
    assert!(!told.contains("leader change"), "nobody counted them: {told}");
    assert!(page.contains(UNSEEN), "the page does not say what nobody saw");
    assert!(page.contains("schism run --system roleless --read fresh"), "the page has no command");

    // As many reads as possible of one key: any node may lag behind by a heartbeat.
    let near = Plan { keys: 1, rate: 0, ..plan("near", "none", 1500) };
    let (run, page) = finished(&near, &dir.path().join("near"));
    assert_eq!(run.results.verdict, Verdict::NotLinearizable, "any node answers from its own state");
    assert!(page.contains("What went wrong") && page.contains(UNSEEN));
    let judged = rejudge(&dir.path().join("near"), checker_budget()).unwrap();
    assert_eq!(judged.results.verdict, Verdict::NotLinearizable);
    of_run(&judged).unwrap();
    assert_eq!(
        fs::read_to_string(dir.path().join("near/report.html")).unwrap(),
        page,
        "the page is not the same again"
    );
}

#[test]
fn without_roles_a_fault_of_the_leader_is_refused_before_anything_starts() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("run");
    let refused = host()
        .run(&plan("fresh", "kill:leader", 5000), &RunLocation::Folder { path: folder.clone(), campaign: None })
        .unwrap_err();
    let refused = refused.downcast::<Failure>().unwrap();
    assert_eq!(refused.what, "cannot kill the leader: roleless does not say who leads");
    assert_eq!(refused.status, ExitStatus::Usage);
    assert!(!folder.exists(), "something was started");
}
