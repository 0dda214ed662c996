//! Tests of plans: their text, their runs, and what is impossible.

use std::{collections::BTreeSet, path::Path};

use super::{
    CampaignPlan, Cell, Expectation, Options, ReadMode, RunPlan, Seeds, Shard, SystemFile, SystemName, WrittenPlan,
    parse_mixes,
};

#[test]
fn shards_are_all_runs_and_each_once() {
    let plan = CampaignPlan::default();
    let runs = plan.runs();
    assert_eq!(runs.len(), 63);
    for of in [1, 3, 7, 20, 100] {
        let mut seen = BTreeSet::new();
        for number in 1..=of {
            let shard = Shard { number, of };
            for (place, run) in runs.iter().enumerate().filter(|(place, _)| shard.has(*place)) {
                assert!(seen.insert(run.id()), "{place} twice");
            }
        }
        assert_eq!(seen.len(), 63);
    }
    assert!("0/3".parse::<Shard>().is_err() && "4/3".parse::<Shard>().is_err() && "x".parse::<Shard>().is_err());
    assert_eq!("3/20".parse(), Ok(Shard { number: 3, of: 20 }));
}

#[test]
fn read_modes_alternate_within_a_seed() {
    let runs = CampaignPlan::default().runs();
    let first: Vec<_> = runs[1..6].iter().map(|run| run.cell.read.name().to_owned()).collect();
    assert_eq!(first, ["local", "leader", "lease", "quorum", "log"]);
    assert!(runs[..21].iter().all(|run| run.seed == 1));
}

#[test]
fn cells_that_can_find_nothing_are_left_out_unless_they_are_asked_for() {
    let calm = |plan: &CampaignPlan| {
        let cells = plan.cells().into_iter().filter(|cell| cell.faults.to_string() == "none");
        cells.map(|cell| cell.read.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(calm(&CampaignPlan::default()), ["local"]);
    assert_eq!(CampaignPlan::default().cells().len(), 21);
    let options = Options::default().with("defect", Some("increments-by-chance"));
    assert_eq!(calm(&CampaignPlan { options, ..CampaignPlan::default() }).len(), 5, "a defect may show by itself");
    let asked = WrittenPlan { faults: Some(parse_mixes("none,kill").unwrap()), ..WrittenPlan::default() }.complete();
    assert_eq!((calm(&asked).len(), asked.cells().len()), (5, 10));
}

#[test]
fn a_plan_is_read_back_as_written() {
    let plan = CampaignPlan { seeds: Seeds::These(vec![4, 7]), ..CampaignPlan::default() };
    let text = toml::to_string(&plan).unwrap();
    assert_eq!(toml::from_str::<CampaignPlan>(&text).unwrap(), plan, "{text}");
    let short: CampaignPlan = toml::from_str("reads = [\"quorum\"]\nseeds = 2\ntime-limit = \"5s\"").unwrap();
    assert_eq!((short.reads, short.seeds), (vec![ReadMode::from("quorum")], Seeds::Count(2)));
    let error = toml::from_str::<CampaignPlan>("raeds = []").unwrap_err().to_string();
    assert!(error.contains("raeds") && error.contains("reads"), "{error}");
}

#[test]
fn mixes_combine_and_clocks_keep_their_options() {
    let mixes = parse_mixes("none,partition:isolate-leader+clock:rate=0.2,jump=5s,kill,all").unwrap();
    let shown: Vec<_> = mixes.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["none", "partition:isolate-leader+clock:rate=0.2,jump=5s", "kill", "all"]);
    assert_eq!(mixes[1].specs.0.len(), 2);
    assert_eq!(mixes[3].specs.0.len(), 4);
    assert!(parse_mixes("kil").unwrap_err().to_string().contains("kil"));
}

#[test]
fn impossible_plans_say_why() {
    let plan = CampaignPlan::default();
    let basic = Options::default().with("elections", Some("basic"));
    for (wrong, why) in [
        (CampaignPlan { reads: vec![], ..plan.clone() }, "`reads` is empty"),
        (CampaignPlan { systems: vec!["etcd".into()], ..plan.clone() }, "there is no system \"etcd\""),
        (CampaignPlan { seeds: Seeds::These(vec![1, 1]), ..plan.clone() }, "seed 1 is listed twice"),
        (CampaignPlan { seeds: Seeds::Count(1_000_000), ..plan.clone() }, "at most 100000"),
        (CampaignPlan { seeds: Seeds::Count(u32::MAX), ..plan.clone() }, "107374182375 runs are planned"),
        (CampaignPlan { faults: parse_mixes("none,kill:n9").unwrap(), ..plan.clone() }, "there is no n9"),
        (CampaignPlan { nodes: vec![5, 1], ..plan.clone() }, "`kill:leader` cannot work with 1 node"),
        (CampaignPlan { nodes: vec![3; 100], read_shares: vec![1; 100_000], ..plan.clone() }, "at most 100000"),
        (CampaignPlan { reads: vec!["log".into(), "log".into()], ..plan.clone() }, "`log reads` is listed twice"),
        (CampaignPlan { options: basic, ..plan.clone() }, "lease reads need loyal voters"),
    ] {
        let said = wrong.check().unwrap_err();
        assert!(said.contains(why), "{said}");
    }
    assert_eq!(plan.check(), Ok(()));
}

#[test]
fn the_folders_of_cells_name_the_workload_where_it_is_not_the_default_or_not_the_only_one() {
    let folders = |workloads: &[&str]| {
        let workloads = workloads.iter().map(|name| (*name).to_owned()).collect();
        let plan = CampaignPlan { workloads, reads: vec!["log".into()], ..CampaignPlan::default() };
        let faults = parse_mixes("none").unwrap();
        let known = CampaignPlan { seeds: Seeds::Count(1), faults, skips_idle_cells: false, ..plan };
        let plan = known.clone().with_current_names();
        // A plan that was stored before there were such names keeps to its own.
        let old: Vec<_> = known.runs().iter().map(RunPlan::id).collect();
        assert!(old.iter().all(|id| id.ends_with("-schism-log-none/seed-1")), "{old:?}");
        let stored = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<CampaignPlan>(&stored).unwrap(), plan, "{stored}");
        assert_eq!(stored.contains("names-workloads"), plan != known, "{stored}");
        plan.runs().iter().map(RunPlan::id).collect::<Vec<_>>()
    };
    assert_eq!(folders(&["register"]), ["001-schism-log-none/seed-1"]);
    assert_eq!(folders(&["set"]), ["001-schism-set-log-none/seed-1"]);
    let both = ["001-schism-register-log-none/seed-1", "002-schism-set-log-none/seed-1"];
    assert_eq!(folders(&["register", "set"]), both);
}

#[test]
fn cells_are_expected_what_their_system_says() {
    let plan = CampaignPlan::default();
    for cell in plan.cells() {
        assert_eq!(cell.expected(&plan), cell.system.find().unwrap().expected(&cell.conditions()), "{cell:?}");
    }
    assert!(plan.cells().iter().any(|cell| cell.expected(&plan) == Expectation::Fails));
}

#[test]
fn a_plan_over_another_system_has_its_read_modes_and_keeps_to_what_it_can() {
    let plan: CampaignPlan = toml::from_str("systems = [\"roleless\"]\nfaults = [\"kill+partition\"]").unwrap();
    assert_eq!(plan.reads, ["fresh", "near"].map(ReadMode::from));
    assert_eq!(plan.check(), Ok(()));
    let run = &plan.runs()[0];
    assert!(run.arguments(&plan).starts_with(&["run", "--system", "roleless", "--read", "fresh"].map(str::to_owned)));
    assert!(!CampaignPlan::default().runs()[0].arguments(&plan).contains(&"--system".to_owned()));
    let with = |faults: &str| CampaignPlan { faults: parse_mixes(faults).unwrap(), ..plan.clone() };
    for (wrong, why) in [
        (with("none,kill:leader"), "cannot kill the leader: roleless does not say who leads"),
        (with("clock"), "roleless does not say who leads"),
        (CampaignPlan { trace: true, ..plan.clone() }, "roleless has no option --trace"),
        (CampaignPlan { workloads: vec!["set".to_owned()], ..plan.clone() }, "roleless has no workload \"set\""),
        (CampaignPlan { reads: vec!["log".into()], ..plan.clone() }, "roleless has no read mode \"log\""),
    ] {
        let said = wrong.check().unwrap_err();
        assert!(said.contains(why), "{said}");
    }
}

/// Plan of these systems and of the example store's file, with nothing else said.
fn with_store(systems: &[&str]) -> WrittenPlan {
    let text = include_str!("../../../examples/store/store.toml").to_owned();
    let file = SystemFile::of_text(Path::new("no such/store.toml"), text).unwrap();
    let systems = systems.iter().map(|name| SystemName::from(*name)).collect();
    WrittenPlan { systems, system_files: vec![file], ..WrittenPlan::default() }
}

#[test]
fn what_a_plan_leaves_out_is_what_the_system_of_a_file_can() {
    let plan = with_store(&["store"]).complete();
    assert_eq!(plan.check(), Ok(()));
    assert_eq!((plan.reads.clone(), plan.workloads.clone()), (vec!["read".into()], vec!["register".to_owned()]));
    let faults: Vec<_> = plan.faults.iter().map(ToString::to_string).collect();
    assert_eq!(faults, ["none", "kill", "pause", "partition"]);
    let kept: CampaignPlan = serde_json::from_value(serde_json::to_value(&plan).unwrap()).unwrap();
    assert_eq!(kept, plan);
    let (run, cell) = (&kept.runs()[0], &kept.cells()[0]);
    assert_eq!(run.arguments(&kept)[..5], ["run", "--system", "no such/store.toml", "--read", "read"]);
    assert_eq!((run.id(), cell.expected(&kept)), ("002-store-read-kill/seed-1".to_owned(), Expectation::Holds));
    assert_eq!(kept.subject_in_words().unwrap(), "System under test: store (no such/store.toml).");
    assert_eq!(CampaignPlan::default().subject_in_words(), None);
    let options = Options::default().with("defect", Some("votes-twice"));
    let plan = CampaignPlan { options, ..CampaignPlan::default() };
    let subject = plan.subject_in_words().unwrap();
    assert!(
        subject.starts_with("System under test: schism, with the planted defect votes-twice: A voter"),
        "{subject}"
    );
    assert_eq!(plan.cells()[0].row(&plan), "local (votes-twice)");
}

#[test]
fn several_systems_have_a_row_for_each_read_mode_of_their_own() {
    let plan = with_store(&["roleless", "store"]).complete();
    assert_eq!(plan.check(), Ok(()));
    let mut rows: Vec<_> = plan.cells().iter().map(|cell| cell.row(&plan)).collect();
    rows.dedup();
    assert_eq!(rows, ["roleless fresh", "roleless near", "store read"]);
    assert_eq!(plan.runs().len(), 3 * 3 * 3);
    let reads = |names: &[&str]| {
        let reads = Some(names.iter().map(|name| ReadMode::from(*name)).collect());
        WrittenPlan { reads, ..with_store(&["roleless", "store"]) }.complete().check()
    };
    assert_eq!(reads(&["fresh", "read"]), Ok(()));
    let refused = reads(&["fresh", "lucky", "read"]).unwrap_err();
    assert_eq!(
        refused,
        "roleless has no read mode \"lucky\"; it has: fresh, near; store has no read mode \"lucky\"; it has: read"
    );
    assert_eq!(reads(&["fresh"]).unwrap_err(), "`reads` has no read mode of store; it has: read");
    let twice = with_store(&["store", "store"]).complete().check().unwrap_err();
    assert!(twice.contains("`store` is listed twice"), "{twice}");
}

#[test]
fn a_cluster_that_is_larger_than_its_system_can_be_is_refused_and_never_the_default() {
    let text = include_str!("../../../examples/store/store.toml");
    let text = text.replace("name = \"store\"\n", "name = \"store\"\nmost_nodes = 2\n");
    let file = SystemFile::of_text(Path::new("no such/store.toml"), text).unwrap();
    let plan = WrittenPlan { system_files: vec![file], ..with_store(&["store"]) };
    let asked = WrittenPlan { nodes: Some(vec![5]), ..plan.clone() };
    assert_eq!(asked.differences(), None);
    assert_eq!(asked.complete().check().unwrap_err(), "store has at most 2 nodes, not 5");
    let differences = plan.differences().unwrap();
    let fewer = "2 nodes instead of 5, kill:all instead of kill, pause:all instead of pause";
    assert_eq!(differences, format!("by what the system can bear: {fewer}"));
    let plan = plan.complete();
    assert_eq!((plan.check(), &plan.nodes[..]), (Ok(()), &[2][..]));
}

#[test]
fn a_way_to_partition_is_a_field_of_a_plan_and_an_argument_of_its_runs_unless_it_is_the_default_one() {
    let plan: CampaignPlan = toml::from_str("partition-by = \"nft\"").unwrap();
    let arguments = plan.runs()[0].arguments(&plan);
    assert!(arguments.windows(2).any(|two| two == ["--partition-by", "nft"]), "{arguments:?}");
    let stored = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<CampaignPlan>(&stored).unwrap(), plan, "{stored}");
    let usual = serde_json::to_string(&CampaignPlan::default()).unwrap();
    assert!(!usual.contains("partition-by"), "plans of earlier campaigns are the same: {usual}");
    assert!(toml::from_str::<CampaignPlan>("partition-by = \"magic\"").is_err());
}

#[test]
fn switches_are_fields_of_a_plan_and_arguments_of_its_runs_where_they_are_on() {
    for switch in ["overlap", "retry", "no-probes", "trace", "stop-on-violation"] {
        let plan: CampaignPlan = toml::from_str(&format!("{switch} = true")).unwrap();
        let option = format!("--{switch}");
        assert!(plan.runs()[0].arguments(&plan).contains(&option), "{switch}");
        let stored = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<CampaignPlan>(&stored).unwrap(), plan, "{stored}");
        assert!(!CampaignPlan::default().runs()[0].arguments(&CampaignPlan::default()).contains(&option), "{switch}");
    }
}

#[test]
fn options_of_a_system_are_fields_of_a_plan_and_of_a_cell() {
    let plan: CampaignPlan = toml::from_str("elections = \"basic\"\nreads = [\"log\"]").unwrap();
    assert_eq!(plan.options.get("elections"), Some("basic"));
    let cell = &plan.cells()[0];
    let mut written = serde_json::to_value(cell).unwrap();
    assert_eq!(written["elections"], "basic");
    written["of-a-later-schism"] = 5.into();
    assert_eq!(&serde_json::from_value::<Cell>(written).unwrap(), cell);
    let none = serde_json::to_value(&CampaignPlan::default().cells()[0]).unwrap();
    assert!(none.get("elections").is_none(), "{none}");
    for (text, why) in
        [("elections = \"lucky\"", "`elections` is basic or check-quorum, not \"lucky\""), ("systems = 5", "line 1")]
    {
        let error = toml::from_str::<CampaignPlan>(text).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}
