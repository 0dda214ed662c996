//! Tests of planted defects: they are found by name, and no run with one passes for a run of the sound node.

use std::{fs, path::Path};

use serde_json::Value;

use crate::{json, support::run};

#[test]
fn a_run_with_a_defect_says_so_everywhere_and_finds_it() {
    let dir = tempfile::tempdir().unwrap();
    let asked = ["run", "--defect", "cas-ignores-from", "--faults", "none", "--nodes", "3", "--time-limit", "3s"];
    let ended = run(dir.path(), &asked);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.starts_with("planted defect cas-ignores-from, 3 nodes"), "{}", ended.out);
    let read = |file: &str| fs::read_to_string(dir.path().join("store/latest").join(file)).unwrap();
    let json = |file: &str| serde_json::from_str::<Value>(&read(file)).unwrap();
    assert_eq!(json("results.json")["defect"]["name"], "cas-ignores-from");
    let settings = &json("test.json")["settings"];
    assert_eq!((&settings["defect"], &settings["snapshot_after"]), (&"cas-ignores-from".into(), &100.into()));
    assert!(read("nodes/1/node.log").contains(r#""event":"defect-planted","name":"cas-ignores-from""#));
    let page = read("report.html");
    assert!(page.contains("Not the sound system") && page.contains("--defect cas-ignores-from"), "{page}");
    let listed = run(dir.path(), &["store", "ls"]).out;
    assert!(listed.contains("schism-cas-ignores-from"), "{listed}");
}

#[test]
fn an_option_of_nodes_with_an_impossible_value_is_refused_by_name() {
    for (option, value, why) in [
        ("--defect", "votes-thrice", "there is no defect \"votes-thrice\"; `schism defects` lists them; did you mean"),
        ("--snapshot-after", "0", "`snapshot-after` is a number of entries, at least 1, not \"0\""),
        ("--request-timeout", "2m", "`request-timeout` is a time from 1ms to 60s, not \"2m\""),
    ] {
        for command in ["run", "campaign", "compare"] {
            let refused = run(".".as_ref(), &[command, option, value]);
            assert!(refused.code == Some(64) && refused.err.contains(why), "{refused:?}");
        }
    }
}

/// Compares the table in the reference with `schism defects`; with `SCHISM_WRITE_DEFECTS=1` in the environment,
/// rewrites it.
#[test]
fn the_reference_lists_all_defects_as_the_command_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/defects.md");
    let page = fs::read_to_string(&path).unwrap();
    let (above, _) = page.split_once("| defect | broken rule |").unwrap_or((&page, ""));
    let defects = json::valid("defects", &run(".".as_ref(), &["defects", "--json"]).out);
    let mut whole =
        format!("{above}| defect | broken rule | sign | options | source |\n| --- | --- | --- | --- | --- |\n");
    for defect in defects["defects"].as_array().unwrap() {
        let text = |name: &str| defect[name].as_str().unwrap().to_owned();
        let (name, command) = (text("name"), text("command"));
        let options = command.strip_prefix(&format!("schism run --defect {name} ")).unwrap();
        let (about, sign, source) = (text("about"), text("sign"), text("source"));
        whole += &format!("| `{name}` | {about} | {sign} | `{options}` | {source} |\n");
    }
    if std::env::var_os("SCHISM_WRITE_DEFECTS").is_some() {
        fs::write(path, whole).unwrap();
    } else {
        assert_eq!(page, whole, "SCHISM_WRITE_DEFECTS=1 rewrites the table");
    }
}

#[test]
fn one_defect_is_described_in_full() {
    let told = run(".".as_ref(), &["defects", "votes-twice"]).out;
    for part in ["A voter votes for every candidate", "shows as: split-brain", "Raft §5.2", "schism run --defect"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let unknown = run(".".as_ref(), &["defects", "votes-thrice"]);
    assert!(unknown.code == Some(64) && unknown.err.contains("`schism defects` lists them"), "{unknown:?}");
}

#[test]
fn a_hunt_tells_what_it_found_and_the_same_command_continues_it() {
    let dir = tempfile::tempdir().unwrap();
    let asked = ["hunt", "--defects", "cas-ignores-from", "--seeds", "1", "--time-limit", "2s", "-j", "1", "--json"];
    let ended = run(dir.path(), &asked);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let found = json::valid("hunt", &ended.out);
    let hunted = &found["defects"][0];
    assert_eq!((&hunted["name"], &hunted["fitting"]["violations"]), (&"cas-ignores-from".into(), &1.into()), "{found}");
    assert!(hunted["fitting"]["operations"].as_u64() > Some(1) && hunted["sound"]["violations"] == 0, "{found}");
    let plan = fs::read_to_string(dir.path().join("store/hunt/cas-ignores-from/fitting/plan.json")).unwrap();
    assert!(plan.contains(r#""defect": "cas-ignores-from""#), "{plan}");
    let again = run(dir.path(), &asked);
    assert_eq!((&again.out, again.code), (&ended.out, Some(0)), "{again:?}");
    let told = run(dir.path(), &asked[..asked.len() - 1]).out;
    assert!(told.contains("Found: 1 of 1 defect by fitting faults, "), "{told}");
}

#[test]
fn a_hunt_carries_out_the_parts_that_it_is_asked_for_and_goes_on_with_more_seeds() {
    let dir = tempfile::tempdir().unwrap();
    let asked = ["hunt", "--defects", "cas-ignores-from", "--only", "fitting", "--time-limit", "20s", "-j1", "--json"];
    let hunt = |seeds| run(dir.path(), &[&asked[..], &["--seeds", seeds]].concat());
    for (seeds, runs) in [("1", 1), ("2", 2)] {
        let ended = hunt(seeds);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let hunted = &serde_json::from_str::<Value>(&ended.out).unwrap()["defects"][0];
        assert_eq!(hunted["fitting"]["runs"], runs, "{hunted}");
        assert_eq!((&hunted["blind"], &hunted["sound"]), (&Value::Null, &Value::Null), "{hunted}");
    }
    let folder = dir.path().join("store/hunt/cas-ignores-from/fitting");
    for path in glob::glob(folder.join("runs/*/*/results.json").to_str().unwrap()).unwrap() {
        let results: Value = serde_json::from_slice(&fs::read(path.unwrap()).unwrap()).unwrap();
        assert!(results["stopped_early"].is_object(), "it went on after its first violation: {results}");
    }
    assert_eq!(hunt("1").code, Some(64), "one with fewer seeds is another hunt");
}

#[test]
fn a_hunt_on_virtual_time_names_what_it_found_and_is_continued() {
    let dir = tempfile::tempdir().unwrap();
    let asked = [
        "hunt",
        "--simulate",
        "--defects",
        "cas-ignores-from,commits-alone",
        "--seeds",
        "2",
        "--time-limit",
        "3s",
        "-j",
        "1",
        "--json",
    ];
    let ended = run(dir.path(), &asked);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let hunt = json::valid("hunt-simulated", &ended.out);
    let searches = hunt["searches"].as_object().unwrap();
    let of =
        |name: &'static str| searches.iter().filter(move |(command, _)| command.contains(name)).map(|(_, found)| found);
    assert!(of("--defect cas-ignores-from").all(|found| found["violations"].as_u64() > Some(0)), "{hunt}");
    assert!(of("--defect commits-alone").all(|found| found["broken_rules"].as_u64() > Some(0)), "{hunt}");
    assert!(searches.len() == 4 && of("--faults").any(|found| found["first"] == Value::Null), "{hunt}");
    assert_eq!(run(dir.path(), &asked).out, ended.out, "it is over, and nothing is tried again");
    let told = run(dir.path(), &asked[..asked.len() - 1]).out;
    assert!(told.contains("2 of 2 defects found") && told.contains("by verdict"), "{told}");
    let page = fs::read_to_string(dir.path().join("store/hunt/simulated.html")).unwrap();
    assert!(page.contains("2 of 2 planted defects") && page.contains("schism simulate --read quorum"), "{page}");
    let other = run(dir.path(), &["hunt", "--simulate", "--seeds", "3"]);
    assert!(other.code == Some(64) && other.err.contains("choose another --store"), "{other:?}");
}
