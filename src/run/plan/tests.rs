//! Tests of plans.

use std::path::Path;

use nemesis::{
    ClusterEvent, EntryRule, Fault, FaultSpecs, NodeId, PartitionBy, PlannedFault, ResolvedFault, Shape, Skew, SkewWay,
    Target, Trigger,
};

use super::{Plan, check_faults};
use crate::systems::{System, SystemFile};

fn system(name: &str) -> &'static dyn System {
    super::SystemName::from(name).find().unwrap()
}

#[test]
fn a_fault_that_a_system_cannot_be_under_is_refused_by_name() {
    let planned = |fault| [PlannedFault::of(fault)];
    let roleless = system("roleless");
    let clock = |by| Fault::Clock { target: Target::Random, skew: Skew { rate: 0.5, by, ..Skew::NONE } };
    for (fault, why) in [
        (Fault::Pause { target: Target::Leader }, "cannot pause the leader: roleless does not say who leads"),
        (
            Fault::Partition { shape: Shape::Isolate(Target::Leader) },
            "cannot isolate the leader: roleless does not say who leads",
        ),
        (clock(Some(SkewWay::File)), "roleless has nodes that read no clock file"),
    ] {
        let refused = check_faults(roleless, &planned(fault.clone())).unwrap_err().what;
        assert!(refused.contains(why), "{refused}");
        assert!(check_faults(system("schism"), &planned(fault)).is_ok());
    }
    for fault in [Fault::Kill { target: Target::Random }, Fault::Partition { shape: Shape::Halves }, clock(None)] {
        assert!(check_faults(roleless, &planned(fault)).is_ok());
    }
}

#[test]
fn a_system_without_roles_cannot_be_waited_for_but_its_nodes_can_be_hit() {
    let kill = PlannedFault::of(Fault::Kill { target: Target::Random });
    let when = Some(Trigger { event: ClusterEvent::LeaderElected, nth: 1 });
    let waiting = PlannedFault { when, ..kill };
    let refused = check_faults(system("roleless"), &[waiting]).unwrap_err().what;
    assert!(refused.starts_with("cannot kill a random node at `leader-elected`: roleless does not"), "{refused}");
    let these = ResolvedFault::Kill { nodes: [NodeId(1)].into() };
    let leader = PlannedFault::of(Fault::Kill { target: Target::Leader });
    assert!(check_faults(system("roleless"), &[leader.repeated(leader.at, leader.lasts, &these).unwrap()]).is_ok());
}

#[test]
fn a_target_that_is_left_open_is_never_the_leader_of_a_system_without_roles() {
    let faults: FaultSpecs = "kill,pause,partition".parse().unwrap();
    let plan = Plan { system: "roleless".into(), faults, time_limit_ms: 120_000, ..Plan::default() }.schedule();
    assert!(plan.schedule.len() > 5 && check_faults(plan.system(), &plan.schedule).is_ok());
}

#[test]
fn nodes_get_disks_of_ours_where_a_fault_needs_them_with_the_strictest_rule() {
    let rule = |faults: &str| {
        let plan = Plan { faults: faults.parse().unwrap(), time_limit_ms: 60_000, ..Plan::default() };
        plan.schedule().entry_rule()
    };
    assert_eq!(rule("kill,partition"), None);
    assert_eq!(rule("kill,disk-slow"), Some(EntryRule::Ext4));
    assert_eq!(rule("disk-full,power-loss:entries=strict"), Some(EntryRule::Strict));
}

#[test]
fn a_plan_is_checked_against_its_system() {
    let plan = Plan::default();
    assert_eq!(plan.check(), Ok(()));
    for (wrong, why) in [
        (Plan { system: "etcd".into(), ..plan.clone() }, "there is no system \"etcd\""),
        (Plan { read: "fresh".into(), ..plan.clone() }, "schism has no read mode \"fresh\"; it has: "),
        (Plan { workload: "nothing".into(), ..plan.clone() }, "schism has no workload \"nothing\"; available: "),
        (Plan { settings: super::Settings::default(), ..plan.clone() }, "`settings`: missing field"),
        (
            Plan { system: "roleless".into(), read: "fresh".into(), workload: "set".into(), ..plan.clone() },
            "roleless has no workload \"set\"; available: register",
        ),
    ] {
        let refused = wrong.check().unwrap_err();
        assert!(refused.contains(why), "{refused}");
    }
}

#[test]
fn the_command_repeats_the_run_and_names_what_is_not_the_default() {
    let plan = Plan::default();
    assert!(plan.command().starts_with("schism run --read "), "{}", plan.command());
    assert!(!plan.command().contains("--partition-by"), "{}", plan.command());
    assert!(plan.command().contains(" --time-limit 20s "), "{}", plan.command());
    let by_nft = Plan { partition_by: Some(PartitionBy::Nft), faults: "partition".parse().unwrap(), ..plan.clone() };
    assert!(by_nft.command().contains(" --faults partition --partition-by nft "), "{}", by_nft.command());
    assert!(by_nft.schedule().summary().contains("faults partition, partitions by nft, seed"));
    let timing = nemesis::FaultTiming {
        every: std::time::Duration::from_secs(3),
        lasts: std::time::Duration::from_millis(1500),
        spread: nemesis::Spread::Fixed,
    };
    let timed = Plan { timing: Some(timing), overlap: true, ..plan.clone() };
    let end = " --every 3s --for 1.5s --fault-timing fixed --overlap";
    assert!(timed.command().contains(end) && !plan.command().contains("--every"), "{}", timed.command());
    let scripted = Plan { script: Some("my faults.toml".to_owned()), ..plan.clone() };
    assert!(scripted.command().contains(" --script 'my faults.toml' ") && !scripted.command().contains("--faults"));
    let repeats = Plan { repeats: Some("store/latest".to_owned()), ..plan.clone() };
    assert_eq!(repeats.command(), "schism run --replay store/latest");
    let other = Plan { system: "roleless".into(), read: "fresh".into(), ..plan.clone() };
    assert!(other.command().starts_with("schism run --system roleless --read fresh "), "{}", other.command());
    let text = include_str!("../../../examples/store/store.toml").to_owned();
    let file = SystemFile::of_text(Path::new("my/store.toml"), text).unwrap();
    let of_file = Plan { system: "store".into(), system_file: Some(file), read: "read".into(), ..plan };
    assert!(of_file.command().starts_with("schism run --system my/store.toml --read read "), "{}", of_file.command());
}

#[test]
fn a_path_is_one_word_for_a_shell() {
    for (path, word) in [("my/store.toml", "my/store.toml"), ("my store.toml", "'my store.toml'"), ("a'b", r"'a'\''b'")]
    {
        assert_eq!(super::shell_words(&["run".to_owned(), path.to_owned()]), format!("run {word}"));
    }
}

#[test]
fn a_plan_of_a_version_that_knew_no_ways_to_partition_says_none() {
    let mut old = serde_json::to_value(Plan::default()).unwrap();
    assert_eq!(old["partition_by"], "netlink");
    old.as_object_mut().unwrap().remove("partition_by");
    let old: Plan = serde_json::from_value(old).unwrap();
    assert_eq!((old.partition_by, old.check()), (None, Ok(())));
    assert!(serde_json::to_value(&old).unwrap().get("partition_by").is_none());
}

#[test]
fn a_plan_keeps_the_file_of_its_system() {
    let text = include_str!("../../../examples/store/store.toml").to_owned();
    let file = SystemFile::of_text(Path::new("no/such/file.toml"), text).unwrap();
    let settings = super::Settings::default();
    let plan =
        Plan { system: "store".into(), system_file: Some(file), read: "read".into(), settings, ..Plan::default() };
    let kept: Plan = serde_json::from_value(serde_json::to_value(&plan).unwrap()).unwrap();
    assert_eq!((kept.check(), kept.system().name()), (Ok(()), "store"));
    let refused = Plan { system: "other".into(), ..kept.clone() }.check().unwrap_err();
    assert_eq!(refused, "the file of system other describes another, store");
    let mut damaged = serde_json::to_value(&kept).unwrap();
    damaged["system_file"]["text"] = "name = 5".into();
    let refused = serde_json::from_value::<Plan>(damaged).unwrap().check().unwrap_err();
    assert!(refused.starts_with("no/such/file.toml: line 1: "), "{refused}");
}
