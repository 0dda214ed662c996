//! `--json`: what each command prints is as the schemas in `docs/schemas/` describe it.

mod schema;

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::{
    support::{are_all_asked_for, event, file, run, stale_read, stale_transactions, unbalanced_bank},
    systems,
};

/// Reads one of the schemas.
fn schema(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas").join(format!("{name}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Checks that printed text is JSON as a schema describes it, and returns it.
pub(crate) fn valid(name: &str, printed: &str) -> Value {
    let value: Value = serde_json::from_str(printed).unwrap_or_else(|error| panic!("{name}: {error}\n{printed}"));
    let wrong = schema::violations(&schema(name), &value);
    assert!(wrong.is_empty(), "docs/schemas/{name}.json:\n{}", wrong.join("\n"));
    value
}

/// Runs a command with `--json` in a folder, and returns what it printed once that is valid.
fn printed(dir: &Path, name: &str, code: i32, arguments: &[&str]) -> Value {
    let ended = run(dir, &[arguments, &["--json"]].concat());
    assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
    valid(name, &ended.out)
}

#[test]
fn every_command_that_prints_json_has_a_schema() {
    let help = run(".".as_ref(), &["--help"]).out;
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let names = commands.lines().take_while(|line| !line.is_empty()).filter(|line| line.starts_with("  "));
    let names = names.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    let names: BTreeSet<&str> = names.filter(|name| *name != "help").collect();
    let has_json = |name: &&&str| run(".".as_ref(), &[name, "--help"]).out.contains("--json");
    let printing: BTreeSet<&str> = names.iter().filter(has_json).copied().collect();
    // Those of `store ls` and `system check` are options of the commands below.
    let covered = BTreeSet::from([
        "campaign", "check", "compare", "defects", "demo", "doctor", "faults", "hunt", "merge", "run", "simulate",
    ]);
    assert_eq!(printing, covered, "tests below, and in defects.rs, hold each to its schema");
}

#[test]
fn verdicts_on_files_are_as_described() {
    let (dir, _) = file(stale_read());
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    let good: String = [event(1, 1, "invoke", "write", "k", "1"), event(2, 1, "ok", "write", "k", "1")].concat();
    write("good.jsonl", &good);
    write("broken.jsonl", "{\"process\":1,\"type\":\"ok\",\"f\":\"write\",\"value\":1}\n");
    write("bank.edn", &unbalanced_bank());
    write("transactions.edn", &stale_transactions());
    let asked = ["check", "history.jsonl", "good.jsonl", "broken.jsonl", "missing.jsonl", "transactions.edn"];
    let files = printed(dir.path(), "check", 1, &asked);
    assert_eq!(files[0]["options"], serde_json::json!({"model": "register", "initial": null}));
    assert_eq!(files[0]["command"], "schism check --all history.jsonl");
    assert_eq!(files[1]["report"]["verdict"], "linearizable");
    assert!(files[2]["error"].as_str().unwrap().contains("broken.jsonl"), "{}", files[2]);
    assert_eq!(files[3]["file"], "missing.jsonl");
    assert_eq!(files[4]["options"]["level"], "strict-serializable");
    let explained = printed(dir.path(), "check", 1, &["check", "--explain", "--model", "register", "history.jsonl"]);
    assert!(explained[0]["prefixes"][0]["dies_at"].is_u64(), "{explained}");
    printed(dir.path(), "check", 1, &["check", "--model", "bank", "bank.edn"]);
    printed(dir.path(), "check", 2, &["check", "--memory-limit", "1", "history.jsonl"]);
}

#[test]
fn what_a_host_and_a_node_can_do_is_as_described() {
    let dir = tempfile::tempdir().unwrap();
    let host = printed(dir.path(), "doctor", 0, &["doctor"]);
    assert_eq!((&host["demo_can_run"], &host["store"]["path"]), (&true.into(), &"store".into()));
    printed(dir.path(), "doctor", 1, &["doctor", "--store", "/proc/store"]);
    assert!(printed(dir.path(), "faults", 0, &["faults"])["faults"].as_array().unwrap().len() > 20);
    assert!(printed(dir.path(), "defects", 0, &["defects"])["defects"].as_array().unwrap().len() > 20);
    let one = printed(dir.path(), "defects", 0, &["defects", "votes-twice"]);
    assert_eq!(
        (&one["version"], &one["defects"][0]["name"]),
        (&env!("CARGO_PKG_VERSION").into(), &"votes-twice".into())
    );
}

#[test]
fn simulated_runs_and_the_store_are_as_described() {
    let dir = tempfile::tempdir().unwrap();
    let leader = ["simulate", "--read", "leader", "--seed", "3"];
    let unkept = printed(dir.path(), "run", 1, &leader);
    assert_eq!((&unkept["seed"], &unkept["path"]), (&3.into(), &Value::Null), "nothing is kept");
    assert_eq!((&unkept["plan"]["read"], &unkept["plan"]["seed"]), (&"leader".into(), &3.into()));
    let kept = printed(dir.path(), "run", 1, &[&leader[..], &["--store", "store"]].concat());
    assert!(dir.path().join(kept["path"].as_str().unwrap()).is_dir(), "{}", kept["path"]);
    let transactions = ["simulate", "--workload", "append", "--read", "leader", "--seed", "3", "--time-limit", "3s"];
    printed(dir.path(), "run", 1, &transactions);
    let asked = ["simulate", "--read", "leader", "--seeds", "3..5", "--time-limit", "3s"];
    let search = printed(dir.path(), "simulate", 1, &asked);
    assert_eq!((&search["seeds"], &search["runs"]), (&serde_json::json!([3, 5]), &2.into()));
    printed(dir.path(), "simulate", 0, &["simulate", "--seeds", "2", "--time-limit", "2s"]);
    let broken = dir.path().join("store/broken/1");
    fs::create_dir_all(&broken).unwrap();
    fs::write(broken.join("test.json"), "{").unwrap();
    let store = printed(dir.path(), "store", 0, &["store", "ls"]);
    assert_eq!(store["store"], "store");
    let unreadable: Vec<&Value> =
        store["runs"].as_array().unwrap().iter().filter(|run| run.get("unreadable").is_some()).collect();
    assert_eq!(unreadable.len(), 1, "{store}");
    assert_eq!(unreadable[0]["path"], "store/broken/1");
}

#[test]
fn runs_of_real_processes_are_as_described() {
    let dir = tempfile::tempdir().unwrap();
    let few = ["--nodes", "3", "--time-limit", "1s"];
    let arguments = [&["run", "--read", "quorum", "--faults", "none", "--seed", "5"][..], &few].concat();
    let ended = printed(dir.path(), "run", 0, &arguments);
    assert_eq!((&ended["seed"], &ended["plan"]["nodes"]), (&5.into(), &3.into()));
    let matrix = [&["--reads", "quorum", "--faults", "none", "--seeds", "1"][..], &few].concat();
    let campaign = printed(dir.path(), "campaign", 0, &[&["campaign", "--store", "one"], &matrix[..]].concat());
    assert_eq!(campaign["plan"]["nodes"], serde_json::json!([3]));
    printed(dir.path(), "campaign", 0, &["merge", "one", "--into", "merged"]);
    let compared = ["compare", "--reads", "quorum,leader", "--faults", "none", "--rounds", "1", "--time-limit", "1s"];
    printed(dir.path(), "compare", 0, &compared);
    tables_of(dir.path(), "one", 1 + 1, "## schism campaign: 1 of 1 run\n");
    tables_of(dir.path(), "store/compare", 1 + 2, "## schism compare: 2 of 2 runs\n");
}

#[test]
fn the_demo_is_as_described() {
    if !are_all_asked_for() {
        return eprintln!("skipped: only `SCHISM_ORACLES=full` asks for a demo beside that of the terminal");
    }
    let dir = tempfile::tempdir().unwrap();
    let demo = printed(dir.path(), "demo", 0, &["demo", "--seed", "7"]);
    assert_eq!((&demo["as_expected"], &demo["seed"]), (&true.into(), &7.into()));
    assert_eq!(demo["command"], "schism demo --seed 7");
    let runs = demo["runs"].as_array().unwrap();
    let verdicts: Vec<&Value> = runs.iter().map(|run| &run["verdict"]).collect();
    assert_eq!(verdicts, ["not-linearizable", "linearizable"]);
    for run in runs {
        assert!(dir.path().join(run["page"].as_str().unwrap()).is_file(), "{run}");
    }
    assert!(runs[0]["claim"].is_string() && runs[0]["stale_by_ns"].is_u64(), "{}", runs[0]);
}

#[test]
fn trials_of_systems_are_as_described() {
    let dir = systems::store();
    let check = ["system", "check", "mystore.toml"];
    let good = printed(dir.path(), "system-check", 0, &check);
    assert_eq!((&good["as_it_should_be"], &good["file"]), (&true.into(), &"mystore.toml".into()));
    assert_eq!(good["operations"][5]["understood"], "mismatch, found 2");
    systems::change(&dir.path().join("mystore.toml"), ", or_nil = true", "");
    let wrong = printed(dir.path(), "system-check", 3, &check);
    assert_eq!(wrong["as_it_should_be"], false);
    assert_eq!(
        wrong["operations"][0]["mistake"],
        "before anything was written should be: ok, nil; a rule for what is absent needs or_nil = true"
    );
}

/// Checks that a campaign or a comparison is exported as CSV with so many lines, and as Markdown with this heading.
fn tables_of(dir: &Path, folder: &str, lines: usize, heading: &str) {
    let csv = run(dir, &["export", "--csv", folder]);
    assert_eq!((csv.code, csv.out.lines().count()), (Some(0), lines), "{csv:?}");
    // What is between two quotation marks is in no even place.
    let commas = |line: &str| line.split('"').step_by(2).map(|part| part.matches(',').count()).sum();
    let columns: BTreeSet<usize> = csv.out.lines().map(commas).collect();
    assert!(columns.len() == 1 && columns.iter().all(|count| *count > 20), "{}", csv.out);
    let ended = run(dir, &["export", "--markdown", folder, "-o", "tables.md"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let markdown = fs::read_to_string(dir.join("tables.md")).unwrap();
    assert!(markdown.starts_with(heading), "{markdown}");
    let widths: BTreeSet<usize> =
        markdown.lines().filter(|line| line.starts_with('|')).map(|line| line.matches('|').count()).collect();
    assert_eq!(widths.len(), 1, "{markdown}");
}
