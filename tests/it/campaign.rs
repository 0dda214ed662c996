//! Tests of campaigns on real processes: their findings, resuming after any interruption, and merging of shards.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Child, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{CommandResult, run, schism};

/// Options for small runs: three nodes, one second.
const SMALL: [&str; 10] =
    ["campaign", "--nodes", "3", "--time-limit", "1s", "--rate", "100", "--faults", "none", "-j2"];

fn small<'a>(more: &[&'a str]) -> Vec<&'a str> {
    SMALL.iter().copied().chain(more.iter().copied()).collect()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Returns the identifiers of a campaign's runs, in their order.
fn runs(folder: &Path) -> Vec<String> {
    let all = json(&folder.join("campaign.json"));
    all["runs"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect()
}

/// Returns the records of the finished runs, with their times of modification.
fn finished(folder: &Path) -> BTreeSet<(String, Duration)> {
    let pattern = folder.join("runs/*/*/record.json");
    let found = glob::glob(pattern.to_str().unwrap()).unwrap().map(Result::unwrap);
    let changed = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    let since = |path: &Path| changed(path).duration_since(std::time::UNIX_EPOCH).unwrap();
    found.map(|path| (path.display().to_string(), since(&path))).collect()
}

fn begun(dir: &Path, arguments: &[&str]) -> Child {
    schism(dir).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn processes_of(folder: &Path) -> usize {
    let name = folder.to_string_lossy().into_owned();
    let lines = fs::read_dir("/proc").unwrap().flatten().map(|process| fs::read(process.path().join("cmdline")));
    lines.flatten().filter(|line| String::from_utf8_lossy(line).contains(&name)).count()
}

#[test]
fn a_campaign_tells_its_cells_apart_and_writes_what_others_read() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = [
        "--reads",
        "local,quorum",
        "--faults",
        "none,partition:isolate-leader",
        "--seeds",
        "1",
        "--time-limit",
        "4s",
        "--rate",
        "300",
        "--trace",
    ];
    let all: Vec<&str> =
        ["campaign", "--store", "night", "-j1", "--nodes", "3"].iter().copied().chain(arguments).collect();
    let ended = run(dir.path(), &all);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains("all results as expected"), "{}", ended.out);
    assert!(ended.err.contains("[4/4] "), "{}", ended.err);
    let begin = "4 runs: 2 read modes, 2 columns of faults, 1 seed; the load of each lasts 4s\n";
    assert!(ended.err.starts_with(begin), "it says at once what begins: {}", ended.err);
    assert!(ended.out.contains("  page:   night/index.html\n"), "{}", ended.out);
    let night = dir.path().join("night");
    let told = json(&night.join("campaign.json"));
    assert_eq!((told["planned"].as_u64(), told["finished"].as_u64()), (Some(4), Some(4)));
    assert_eq!(told["cells"][1]["violations"]["count"], 1, "a leader cut off answers from its past: {told:#}");
    assert_eq!(told["cells"][3]["violations"]["count"], 0, "{told:#}");
    let traces = night.join("runs/*/seed-1/nodes/*/trace.jsonl");
    assert_eq!(glob::glob(traces.to_str().unwrap()).unwrap().count(), 4 * 3, "every node of every run has a trace");
    for file in ["junit.xml", "summary.md", "campaign.sqlite", "plan.json"] {
        assert!(fs::metadata(night.join(file)).unwrap().len() > 100, "{file}");
    }
    let again = run(dir.path(), &["campaign", "--store", "night"]);
    assert_eq!(again.code, Some(64), "{again:?}");
    assert!(again.err.contains("--resume"), "{}", again.err);
    let before = finished(&night);
    let resumed = run(dir.path(), &["campaign", "--store", "night", "--resume"]);
    assert_eq!(resumed.code, Some(1), "{resumed:?}");
    assert_eq!(finished(&night), before, "a finished run was repeated");
    let other = run(dir.path(), &["campaign", "--store", "night", "--resume", "--rate", "7", "--nodes", "3"]);
    let why = "the campaign in night has another plan: there, `rate` is 300, not 7\n";
    assert!(other.code == Some(64) && other.err.contains(why), "{other:?}");
}

#[test]
fn a_campaign_that_is_killed_goes_on_and_loses_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let night = dir.path().join("night");
    let plan = small(&["--reads", "quorum,log", "--seeds", "5", "--store", "night"]);
    let end = Instant::now() + Duration::from_mins(2);
    // Twenty pseudo-random moments (Knuth's generator); some runs end between them.
    let waits_ms =
        std::iter::successors(Some(7_u64), |last| Some(last.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1)));
    for (round, wait_ms) in waits_ms.map(|drawn| 50 + (drawn >> 33) % 1900).take(20).enumerate() {
        let resumed: Vec<&str> = plan.iter().copied().chain((round > 0).then_some("--resume")).collect();
        let mut child = begun(dir.path(), &resumed);
        let kill_at = Instant::now() + Duration::from_millis(wait_ms);
        while Instant::now() < kill_at && child.try_wait().unwrap().is_none() {
            sleep(Duration::from_millis(10));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        while processes_of(&night) > 0 {
            assert!(Instant::now() < end, "a run outlives its campaign");
            sleep(Duration::from_millis(10));
        }
    }
    let before = finished(&night);
    let ended = run(dir.path(), &["campaign", "--resume", "--store", "night", "-j2"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let all = runs(&night);
    assert_eq!(all.len(), 10);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 10);
    assert!(finished(&night).is_superset(&before), "a finished run was repeated");
}

#[test]
fn a_campaign_can_end_with_the_first_violation() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["--reads", "leader", "--faults", "partition:isolate-leader", "--seeds", "5", "--time-limit", "5s"];
    let all: Vec<&str> = ["campaign", "--store", "night", "-j1", "--until-failure", "--nodes", "3"]
        .iter()
        .copied()
        .chain(arguments)
        .collect();
    let ended = run(dir.path(), &all);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let told = json(&dir.path().join("night/campaign.json"));
    let finished = told["finished"].as_u64().unwrap();
    assert!(finished < 5 && told["planned"] == 5, "{told:#}");
    let found = told["runs"].as_array().unwrap().iter().filter(|run| run["category"] == "violation").count();
    assert_eq!(found, 1, "{told:#}");
}

#[test]
fn three_parts_make_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    let planned = ["--reads", "quorum", "--seeds", "3"];
    let parts = ["part-1", "part-2", "part-3"];
    for (part, shard) in parts.iter().zip(["1/3", "2/3", "3/3"]) {
        let ended = run(dir.path(), &small(&[&planned[..], &["--store", part, "--shard", shard]].concat()));
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    let merged = run(dir.path(), &["merge", parts[0], parts[1], parts[2], "--into", "whole"]);
    assert_eq!(merged.code, Some(0), "{merged:?}");
    let again = run(dir.path(), &["merge", parts[0], parts[1], parts[2], "--into", "whole"]);
    assert!(again.code == Some(64) && again.err.contains("hint: merge into another folder, by --into"), "{again:?}");
    let partly = run(dir.path(), &["merge", parts[0], parts[1], "--into", "partly"]);
    assert_eq!(partly.code, Some(130), "{partly:?}");
    let rest = run(dir.path(), &["campaign", "--resume", "--store", "partly"]);
    assert_eq!(rest.code, Some(0), "{rest:?}");
    let [whole, partly] = ["whole", "partly"].map(|name| dir.path().join(name));
    assert_eq!(runs(&whole), runs(&partly), "three parts are the same runs as one campaign");
    assert_eq!(json(&whole.join("plan.json")), json(&partly.join("plan.json")));
    let other = run(dir.path(), &["merge", "part-1", "nowhere", "--into", "x"]);
    assert_eq!(other.code, Some(65), "{other:?}");
}

#[test]
fn a_run_that_fails_by_itself_is_tried_again_and_then_said_to_have_failed() {
    let dir = tempfile::tempdir().unwrap();
    // Without the program for it, a partition is refused before anything starts.
    let mut arguments = vec!["campaign", "--reads", "quorum", "--faults", "partition", "--seeds", "1"];
    arguments.extend(["--partition-by", "nft", "--store", "night"]);
    let output = schism(dir.path()).args(arguments).env("SCHISM_TOOLS_PATH", "/nonexistent").output().unwrap();
    let ended = CommandResult::from(output);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let told = json(&dir.path().join("night/campaign.json"));
    assert_eq!(told["runs"][0]["category"], "harness-failure", "{told:#}");
    assert_eq!(told["runs"][0]["attempts"], 3, "{told:#}");
    assert!(told["runs"][0]["why"].as_str().unwrap().contains("cannot isolate the leader"), "{told:#}");
}

#[test]
fn plans_are_read_and_wrong_ones_say_where() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("good.toml"),
        "reads = [\"log\"]\nfaults = [\"none\"]\nseeds = [7]\ntime-limit = \"1s\"\nnodes = [3]\n",
    )
    .unwrap();
    let ended = run(dir.path(), &["campaign", "good.toml", "--store", "night", "--json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let told: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(told["runs"][0]["seed"], 7, "{told:#}");
    for (text, code, why) in [
        ("reads = [\"lucky\"]", 64, "schism has no read mode \"lucky\"; it has: local, "),
        ("seeds = 2\nfaults = [\n    \"lucky\",\n]", 65, "wrong.toml: line 2: "),
        (
            "seeds = 2\n\nraeds = [\"log\"]",
            65,
            "wrong.toml: line 3: unknown field `raeds`, expected one of `systems`, ",
        ),
        ("elections = \"lucky\"", 65, "wrong.toml: line 1: `elections` is basic or check-quorum, not \"lucky\""),
        ("systems = [\"nothing.toml\"]", 65, "nothing.toml: No such file"),
        ("systems = [\"nothing\"]", 64, "there is no system \"nothing\"; there is: schism"),
        ("time-limit = \"soon\"", 65, "line 1"),
        ("seeds = [1, 1]", 64, "seed 1 is listed twice"),
    ] {
        fs::write(dir.path().join("wrong.toml"), text).unwrap();
        let ended = run(dir.path(), &["campaign", "wrong.toml", "--store", "other"]);
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(ended.err.contains(why), "{}", ended.err);
        assert!(!dir.path().join("other").exists(), "a wrong plan left a folder");
    }
}

#[test]
fn a_comparison_goes_on_by_its_own_plan_and_as_no_campaign() {
    let dir = tempfile::tempdir().unwrap();
    let asked = ["--reads", "quorum", "--faults", "none", "--time-limit", "1s", "--rounds", "1", "--store", "two"];
    let ended = run(dir.path(), &[&["compare"], &asked[..]].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let resumed = run(dir.path(), &["compare", "--resume", "--store", "two"]);
    assert!(resumed.code == Some(0) && resumed.out.contains("1 of 1 run measured"), "{resumed:?}");
    let as_campaign = run(dir.path(), &["campaign", "--resume", "--store", "two"]);
    assert_eq!(as_campaign.code, Some(64), "{as_campaign:?}");
    assert!(as_campaign.err.contains("schism compare --resume --store two"), "{as_campaign:?}");
    let other = run(dir.path(), &["compare", "--resume", "--store", "two", "--rate", "7"]);
    let why = "the comparison in two has another plan: there, `rate` is 0, not 7";
    assert!(other.code == Some(64) && other.err.contains(why), "{other:?}");
    let more = run(dir.path(), &["compare", "--resume", "--store", "two", "--rounds", "2"]);
    assert!(more.code == Some(0) && more.out.contains("2 of 2 runs measured"), "{more:?}");
}
