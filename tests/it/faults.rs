//! Tests of faults as the command line has them: their list, combinations, times and scripts.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use serde_json::Value;

use crate::support::{CommandResult, locked_down, plan, run, schism};

/// Returns the faults in the history of the last run: kind, words and nodes, each begun once and healed once.
fn faults(dir: &Path) -> Vec<(String, String, Value)> {
    let text = fs::read_to_string(dir.join("store/latest/history.jsonl")).unwrap();
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let (mut begun, mut healed) = (Vec::new(), BTreeSet::new());
    for event in events.filter(|event| event["value"]["id"].is_number()) {
        let value = &event["value"];
        let id = value["id"].as_u64().unwrap();
        if let Some(kind) = event["f"].as_str().unwrap().strip_prefix("start-") {
            begun.push((id, (kind.to_owned(), value["fault"].as_str().unwrap().to_owned(), value["nodes"].clone())));
        } else if value["outcome"] == "healed" {
            assert!(healed.insert(id), "{event}");
        }
    }
    assert_eq!(begun.iter().map(|(id, _)| *id).collect::<BTreeSet<_>>(), healed);
    begun.into_iter().map(|(_, fault)| fault).collect()
}

/// Runs a cluster of three under faults, whose history must be linearizable, and returns them.
fn run_under(arguments: &[&str]) -> Vec<(String, String, Value)> {
    let dir = tempfile::tempdir().unwrap();
    let ended = run(dir.path(), &[&["run", "--nodes", "3", "--rate", "100", "--seed", "1"][..], arguments].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    faults(dir.path())
}

/// Returns the rows of `schism faults --json`.
fn rows(mut schism: Command) -> Vec<Value> {
    let ended = CommandResult::from(schism.args(["faults", "--json"]).output().unwrap());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let list: Value = serde_json::from_str(&ended.out).unwrap();
    list["faults"].as_array().unwrap().clone()
}

#[test]
fn each_fault_is_listed_with_what_it_needs_and_whether_this_host_can() {
    let rows = rows(schism(Path::new(".")));
    for row in &rows {
        let name = row["name"].as_str().unwrap();
        assert!(row["usage"].as_str().unwrap().starts_with(name) && !row["about"].as_str().unwrap().is_empty());
        assert!(row["here"].is_boolean() && row["why"].is_null() == row["here"].as_bool().unwrap(), "{row:#}");
        for parameter in row["parameters"].as_array().unwrap() {
            assert!(["name", "values", "default"].iter().all(|field| parameter[field].is_string()), "{row:#}");
        }
    }
    let table = run(Path::new("."), &["faults"]);
    assert_eq!(table.code, Some(0), "{table:?}");
    assert!(rows.iter().all(|row| table.out.contains(row["name"].as_str().unwrap())), "{}", table.out);
}

#[test]
fn a_host_without_namespaces_says_why_it_cannot_partition() {
    for row in rows(locked_down(Path::new("."))) {
        let needs = row["needs"].as_array().unwrap();
        let needs_namespaces = needs.iter().any(|need| need.as_str().unwrap().contains("namespaces"));
        assert_eq!(row["here"], !needs_namespaces, "{row:#}");
        let why = row["why"].as_str().unwrap_or_default();
        assert_eq!(needs_namespaces, !why.is_empty() && !row["remedy"].as_str().unwrap().is_empty(), "{row:#}");
    }
}

#[test]
fn sequences_hit_the_same_nodes_again_and_are_in_the_history_step_by_step() {
    let found = run_under(&["--time-limit", "14s", "--faults", "crash-loop:follower,up=300ms,flap:clients-leader"]);
    let of = |kind: &str| found.iter().filter(|fault| fault.0 == kind).collect::<Vec<_>>();
    let [kills, cuts] = [of("kill"), of("partition")];
    assert!(kills.len() > 1 && cuts.len() > 1 && kills.len() + cuts.len() == found.len(), "{found:?}");
    let same = |faults: &[&(String, String, Value)]| faults.windows(2).filter(|pair| pair[0] != pair[1]).count();
    // Each sequence comes at most twice in so short a time.
    assert!(same(&kills) <= 1 && same(&cuts) <= 1, "{found:?}");
    assert!(cuts.iter().all(|cut| cut.1.ends_with("drops clients")), "{found:?}");
}

#[test]
fn faults_at_once_overlap_and_come_as_often_as_asked_for() {
    let often = ["--every", "1s", "--for", "500ms", "--fault-timing", "fixed", "--time-limit", "5s", "--faults"];
    let found = run_under(&[&often[..], &["pause:follower+partition:isolate-n1,starve:n3"]].concat());
    let count = |kind: &str| found.iter().filter(|fault| fault.0 == kind).count();
    // At the end of the load, only the first of two may still have had time enough.
    assert!((count("partition")..=count("partition") + 1).contains(&count("pause")), "{found:?}");
    assert!(count("partition") >= 1 && count("starve") >= 1, "{found:?}");
}

const SCRIPT: &str = r#"
[[fault]]
at = "1s"
lasts = "2s"
fault = "partition:isolate-leader"

[[fault]]
when = "leader-elected"
after = "100ms"
lasts = "300ms"
fault = "pause:deposed-leader"

[[fault]]
at = "6s"
lasts = "500ms"
fault = "partition:clients-random"
drops = { n2 = ["n1", "clients"] }
"#;

/// Returns the schedule in the plan of the last run.
fn schedule(dir: &Path) -> Value {
    let plan: Value = serde_json::from_slice(&fs::read(dir.join("store/latest/test.json")).unwrap()).unwrap();
    plan["schedule"].clone()
}

#[test]
fn a_script_is_followed_repeated_and_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let ended = run(dir.path(), arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        faults(dir.path())
    };
    fs::write(dir.path().join("faults.toml"), SCRIPT).unwrap();
    let first = run(&["run", "--nodes", "3", "--rate", "100", "--time-limit", "9s", "--script", "faults.toml"]);
    let words: Vec<&str> = first.iter().map(|fault| fault.1.as_str()).collect();
    let [isolated, paused, dropped] = words[..] else { panic!("{first:?}") };
    let old = isolated.strip_prefix("isolate the leader: ").unwrap().split(' ').next().unwrap();
    assert_eq!(paused, format!("pause {old}"), "{first:?}");
    assert!(dropped.ends_with("n2 drops clients n1"), "{first:?}");
    fs::rename(fs::canonicalize(dir.path().join("store/latest")).unwrap(), dir.path().join("first")).unwrap();

    let written = schism(dir.path()).args(["export", "--script", "first", "-o", "again.toml"]).output().unwrap();
    assert!(written.status.success(), "{written:?}");
    let again = run(&["run", "--nodes", "3", "--rate", "100", "--time-limit", "9s", "--script", "again.toml"]);
    assert_eq!(again, first);
    let of_script = schedule(dir.path());
    assert_eq!(run(&["run", "--replay", "first"]), first);
    assert_eq!(schedule(dir.path()), of_script, "both plans are the same data");
}

const PACKETS: &str = r#"
[[fault]]
at = "1s"
lasts = "1s"
fault = "loss:10%,shape=mute-leader+delay:5ms,jitter=2ms,shape=all-links"

[[fault]]
at = "3s"
lasts = "1s"
fault = "reset:clients-n2"
"#;

#[test]
fn packets_are_at_fault_counted_and_captured_and_a_replay_draws_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let ended = run(dir.path(), arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        faults(dir.path())
    };
    fs::write(dir.path().join("packets.toml"), PACKETS).unwrap();
    let script = "run --nodes 3 --rate 100 --seed 1 --time-limit 8s --pcap --script packets.toml";
    let script: Vec<&str> = script.split(' ').collect();
    let first = run(&script);
    let words: Vec<&str> = first.iter().map(|fault| fault.1.as_str()).collect();
    assert!(words.iter().any(|words| words.starts_with("lose 10 % of packets to n")), "{words:?}");
    assert!(words.contains(&"delay packets by 5ms ± 2ms between n1 and n2 n3, between n2 and n3"), "{words:?}");
    assert!(words.contains(&"reset connections between n2 and clients"), "{words:?}");
    let text = fs::read_to_string(dir.path().join("store/latest/history.jsonl")).unwrap();
    let ends = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let counts: Vec<u64> = ends.filter_map(|event| event["value"]["packets"]["hit"].as_u64()).collect();
    assert!(counts.len() == first.len() && counts.iter().all(|hit| *hit > 0), "{counts:?}");
    let pcap = dir.path().join("store/latest/pcap");
    let all: Value = serde_json::from_slice(&fs::read(dir.path().join("store/latest/pcap.json")).unwrap()).unwrap();
    let written: Vec<u64> = all.as_array().unwrap().iter().map(|port| port["written"].as_u64().unwrap()).collect();
    assert!(written.len() == 3 && written.iter().all(|frames| *frames > 100), "{all}");
    assert!(fs::read(pcap.join("n3.pcap")).unwrap().starts_with(&[0x4d, 0x3c, 0xb2, 0xa1]));

    fs::rename(fs::canonicalize(dir.path().join("store/latest")).unwrap(), dir.path().join("first")).unwrap();
    assert_eq!(run(&["run", "--replay", "first"]), first);
    let of_replay = schedule(dir.path());
    let written = schism(dir.path()).args(["export", "--script", "first", "-o", "again.toml"]).output().unwrap();
    assert!(written.status.success(), "{written:?}");
    let again = ["run", "--nodes", "3", "--rate", "100", "--seed", "2", "--time-limit", "8s", "--script", "again.toml"];
    assert_eq!(run(&again), first);
    assert_eq!(schedule(dir.path()), of_replay, "what is drawn for each packet, too");
}

#[test]
fn a_wrong_script_and_a_run_that_cannot_be_repeated_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("wrong.toml"), SCRIPT.replace("leader-elected", "snapshot")).unwrap();
    fs::write(dir.path().join("many.toml"), SCRIPT.replace("clients-random", "clients-random+kill")).unwrap();
    fs::create_dir_all(dir.path().join("empty")).unwrap();
    fs::create_dir_all(dir.path().join("odd")).unwrap();
    let odd = plan("schism", "quorum", "register").replace("\"keys\":1", "\"keys\":0");
    fs::write(dir.path().join("odd/test.json"), odd).unwrap();
    for (arguments, code, why) in [
        (&["--script", "wrong.toml"][..], 65, "wrong.toml: line 8: `when`: nodes do not say when \"snapshot\" happens"),
        (&["--script", "many.toml"], 65, "many.toml: line 13: `nodes` and `drops` are for one fault"),
        (&["--script", "nowhere.toml"], 65, "nowhere.toml: No such file"),
        (&["--script", "wrong.toml", "--faults", "kill"], 64, "cannot be used with"),
        (&["--replay", "empty"], 65, "test.json"),
        (&["--replay", "odd"], 65, "test.json: no run has such numbers"),
        (&["--replay", "empty", "--check-quorum"], 64, "cannot be used with"),
        (&["--replay", "empty", "--nodes", "3"], 64, "cannot be used with"),
    ] {
        let ended = run(dir.path(), &[&["run"], arguments].concat());
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        assert!(ended.err.contains(why), "{arguments:?}: {}", ended.err);
    }
    assert!(!dir.path().join("store").exists(), "nothing was started");
}

#[test]
fn nodes_are_restarted_in_turn_and_starved_without_harm() {
    let faults = "rolling-restart:down=300ms,every=1s,starve:leader,restart:follower,down=1s";
    let found = run_under(&["--time-limit", "14s", "--faults", faults]);
    let restarted: Vec<&str> =
        found.iter().filter(|fault| fault.0 == "restart").map(|fault| fault.1.as_str()).collect();
    assert!(restarted.len() >= 4, "{found:?}");
    let rolling = restarted.windows(3).any(|three| three == ["restart n1", "restart n2", "restart n3"]);
    assert!(rolling && found.iter().any(|fault| fault.1.contains("run for 20 % of each 25 ms")), "{found:?}");
}

/// A spare node joins, a member leaves and goes on answering, the leader hands over, and all of it is in the history.
#[test]
fn members_are_added_removed_and_replaced_while_clients_go_on() {
    let faults = "add,transfer,remove:leader,replace:follower";
    let timing = ["--time-limit", "12s", "--every", "2500ms", "--for", "1s", "--fault-timing", "fixed"];
    let hit = run_under(&[&["--faults", faults][..], &timing].concat());
    let kinds: BTreeSet<&str> = hit.iter().map(|(kind, ..)| kind.as_str()).collect();
    // On a busy machine, a change may still be under way when the next would come, which is then refused.
    assert!(kinds.len() > 1 && kinds.is_subset(&["add", "remove", "replace", "transfer"].into()), "{hit:?}");
}

const EVENTS: &str = r#"
[[fault]]
when = "snapshot-begun"
lasts = "300ms"
fault = "pause:follower"

[[fault]]
at = "2s"
fault = "add"

[[fault]]
at = "5s"
fault = "add"

[[fault]]
when = "members-changing"
lasts = "300ms"
fault = "starve:leader"
"#;

#[test]
fn faults_wait_for_a_snapshot_and_for_a_change_of_the_members() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("events.toml"), EVENTS).unwrap();
    let load = ["run", "--nodes", "3", "--rate", "100", "--seed", "1", "--time-limit", "9s", "--snapshot-after", "50"];
    let ended = run(dir.path(), &[&load[..], &["--script", "events.toml"]].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let page = fs::read_to_string(dir.path().join("store/latest/report.html")).unwrap();
    assert!(page.contains("nodes/4/node.log"), "the page links to the log of the node that was added");
    let hit = faults(dir.path());
    let kinds: BTreeSet<&str> = hit.iter().map(|(kind, ..)| kind.as_str()).collect();
    assert_eq!(kinds, ["add", "pause", "starve"].into(), "{hit:?}");
    // Without a change of the members, the last one never comes.
    let calm: String =
        EVENTS.split("[[fault]]").filter(|fault| !fault.contains("\"add\"")).collect::<Vec<_>>().join("[[fault]]");
    fs::write(dir.path().join("events.toml"), calm).unwrap();
    let ended = run(dir.path(), &[&load[..], &["--script", "events.toml"]].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let kinds: Vec<String> = faults(dir.path()).into_iter().map(|(kind, ..)| kind).collect();
    assert_eq!(kinds, ["pause"]);
}

#[test]
fn a_node_that_can_open_no_more_files_does_no_harm_and_comes_back() {
    let found = run_under(&["--time-limit", "9s", "--snapshot-after", "50", "--faults", "open-files:leader"]);
    assert!(!found.is_empty() && found.iter().all(|fault| fault.0 == "open-files"), "{found:?}");
    assert!(found[0].1.starts_with("let n") && found[0].1.ends_with(" open no more files"), "{found:?}");
}

#[test]
fn a_node_that_can_allocate_no_more_memory_does_no_harm_and_comes_back() {
    let found = run_under(&["--time-limit", "9s", "--snapshot-after", "50", "--faults", "memory:leader"]);
    assert!(!found.is_empty() && found.iter().all(|fault| fault.0 == "memory"), "{found:?}");
    assert!(found[0].1.starts_with("let n") && found[0].1.ends_with(" allocate no more memory"), "{found:?}");
}
