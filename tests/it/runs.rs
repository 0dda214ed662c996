//! Tests of runs on real processes: their findings, and that they leave nothing behind however they end.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::support::{CommandResult, is_installed, locked_down, run, schism};

/// Time limit for anything that should be quick.
const LIMIT: Duration = Duration::from_secs(20);

pub(crate) fn poll(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !done() {
        assert!(Instant::now() < end, "not within {LIMIT:?}: {what}");
        sleep(Duration::from_millis(20));
    }
}

/// Lists what a run could leave on the host: processes that name its folder, interfaces, mounts and rules.
pub(crate) fn traces(dir: &Path) -> String {
    let name = dir.to_string_lossy().into_owned();
    let mut found = String::new();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(&name) {
            found += &format!("{}: {line}\n", process.path().display());
        }
    }
    for argv in [&["ip", "-o", "link"][..], &["ip", "netns"], &["iptables", "-S"]] {
        let output = Command::new(argv[0]).args(&argv[1..]).output();
        found += &output
            .map_or_else(|error| error.to_string(), |output| String::from_utf8_lossy(&output.stdout).into_owned());
    }
    found + &fs::read_to_string("/proc/self/mounts").unwrap()
}

fn only_folder(dir: &Path) -> std::path::PathBuf {
    fs::canonicalize(dir.join("store/latest")).unwrap()
}

fn results(dir: &Path) -> Value {
    serde_json::from_slice(&fs::read(only_folder(dir).join("results.json")).unwrap()).unwrap()
}

/// Starts a run that writes to `dir` and waits until clients are active.
fn busy_run(dir: &Path, arguments: &[&str]) -> Child {
    let store = dir.join("store");
    let mut child = schism(dir)
        .args(["run", "--time-limit", "60s", "--store"])
        .arg(&store)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let busy = lines.by_ref().map_while(Result::ok).find(|line| line.contains("clients for"));
    assert!(busy.is_some(), "the run never got busy");
    // The output must be read on, or the run would block.
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    let history = fs::canonicalize(store.join("latest")).unwrap().join("history.jsonl");
    poll("a first operation", || fs::metadata(&history).is_ok_and(|file| file.len() > 1000));
    child
}

#[test]
fn leader_reads_are_found_not_linearizable_and_the_run_can_be_judged_again() {
    let dir = tempfile::tempdir().unwrap();
    let before = traces(dir.path());
    let ended = run(dir.path(), &["run", "--read", "leader", "--time-limit", "6s", "--seed", "1", "--json"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let told: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((&told["seed"], &told["version"]), (&Value::from(1), &Value::from(env!("CARGO_PKG_VERSION"))));
    assert!(dir.path().join(told["path"].as_str().unwrap()).join("history.jsonl").is_file(), "{}", told["path"]);
    let results = results(dir.path());
    let kept = results.as_object().unwrap().iter().all(|(name, value)| told[name] == *value);
    assert!(kept, "{told}");
    assert_eq!(told["verdict"], "not-linearizable");
    assert!(told["coverage"]["deposed"]["reads_answered"].as_u64() > Some(0), "{told}");
    assert!(told["context"][0].as_str().unwrap().contains("still believed that it led term"), "{told}");
    let again = run(dir.path(), &["check", "store/latest/history.jsonl"]);
    assert_eq!(again.code, Some(1), "{again:?}");
    let run_dir = only_folder(dir.path());
    for file in [
        "test.json",
        "history.jsonl",
        "results.json",
        "report.html",
        "history.columns",
        "commands.log",
        "nodes/1/node.log",
        "nodes/5/node.log",
    ] {
        assert!(run_dir.join(file).exists(), "{file} is missing");
    }
    assert!(!run_dir.join("nodes/1/data").exists(), "a node's data outlives the run");
    for file in ["test.json", "results.json", "begun.json"] {
        let content: Value = serde_json::from_slice(&fs::read(run_dir.join(file)).unwrap()).unwrap();
        assert_eq!(content["schema_version"], 1, "{file}");
    }
    poll("all traces gone", || traces(dir.path()) == before);
}

#[test]
fn quorum_reads_hold_while_leaders_are_cut_off_killed_and_paused() {
    let dir = tempfile::tempdir().unwrap();
    let faults = "kill:leader,pause:leader,partition:isolate-leader";
    let ended = run(dir.path(), &["run", "--read", "quorum", "--faults", faults, "--time-limit", "14s", "--seed", "3"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let told = results(dir.path());
    assert_eq!(told["verdict"], "linearizable");
    assert!(told["coverage"]["leader_changes"].as_u64() > Some(0), "{told}");
    assert_eq!(told["not_recovered"], Value::Null);
    assert!(told["cost"]["messages"].as_u64() > Some(1000) && told["cost"]["fsyncs"].as_u64() > Some(100), "{told}");
    assert_eq!(told["coverage"]["faults"].as_array().unwrap().len(), 3, "{told}");
}

#[test]
fn a_run_without_faults_calls_its_green_verdict_weak() {
    let dir = tempfile::tempdir().unwrap();
    let ended = run(dir.path(), &["run", "--faults", "none", "--time-limit", "1s", "--nodes", "3"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("weak evidence: "), "{}", ended.out);
    assert_eq!(results(dir.path())["weak"], true);
}

#[test]
fn ctrl_c_heals_saves_and_checks() {
    let dir = tempfile::tempdir().unwrap();
    let before = traces(dir.path());
    let child = busy_run(dir.path(), &["--read", "quorum", "--seed", "1"]);
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let ended = CommandResult::from(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let told = results(dir.path());
    assert_eq!(told["interrupted"], true);
    let first = ended.out.lines().next().unwrap();
    assert!(first.starts_with("interrupted after ") && first.ends_with(" s of 60.0 s"), "{first}");
    assert_eq!(told["verdict"], "linearizable");
    poll("all traces gone", || traces(dir.path()) == before);
}

#[test]
fn sigkill_leaves_a_readable_history_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let before = traces(dir.path());
    let mut child = busy_run(dir.path(), &["--faults", "partition", "--seed", "1"]);
    let commands = only_folder(dir.path()).join("commands.log");
    poll("a partition", || fs::read_to_string(&commands).unwrap().contains("lladdr 02:00:00:00:00:00"));
    child.kill().unwrap();
    child.wait().unwrap();
    poll("all traces gone", || traces(dir.path()) == before);
    let again = run(dir.path(), &["check", "store/latest/history.jsonl"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let page = run(dir.path(), &["report", "store/latest"]);
    assert_eq!(page.code, Some(0), "{page:?}");
    assert!(fs::read_to_string(only_folder(dir.path()).join("report.html")).unwrap().contains("seed 1"));
}

#[test]
fn an_ordinary_user_needs_no_root() {
    if !nix::unistd::geteuid().is_root() {
        return; // Then every test here shows it.
    }
    let dir = tempfile::tempdir().unwrap();
    let binary = dir.path().join("schism");
    fs::copy(env!("CARGO_BIN_EXE_schism"), &binary).unwrap();
    std::os::unix::fs::chown(dir.path(), Some(65534), Some(65534)).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&binary).current_dir(dir.path());
    command.args(["run", "--read", "leader", "--nodes", "3", "--time-limit", "6s", "--seed", "1"]);
    let ended = CommandResult::from(command.output().unwrap());
    assert_eq!(ended.code, Some(1), "{ended:?}");
}

#[test]
fn without_any_program_leaders_are_cut_off_and_only_those_who_ask_for_iptables_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let before = traces(dir.path());
    let run = |arguments: &[&str]| {
        let mut command = schism(dir.path());
        command.env("SCHISM_TOOLS_PATH", dir.path()).env("PATH", dir.path());
        command.args(["run", "--read", "leader", "--seed", "1"]).args(arguments);
        CommandResult::from(command.output().unwrap())
    };
    let refused = run(&["--faults", "partition:isolate-leader", "--partition-by", "iptables"]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.err.contains("cannot isolate the leader on this host: iptables: not found"), "{}", refused.err);
    assert!(refused.err.contains("apt-get install iptables"), "{}", refused.err);
    assert!(!dir.path().join("store").exists(), "something was started");
    let ended = run(&["--faults", "partition:isolate-leader", "--time-limit", "6s"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let plan = fs::read_to_string(only_folder(dir.path()).join("test.json")).unwrap();
    assert!(plan.contains("\"partition_by\": \"netlink\""), "{plan}");
    let commands = fs::read_to_string(only_folder(dir.path()).join("commands.log")).unwrap();
    assert!(commands.lines().all(|line| line.starts_with("ip ")), "each can be repeated by hand:\n{commands}");
    assert!(commands.contains(" lladdr 02:00:00:00:00:00 dev eth0 nud permanent\n"), "{commands}");
    poll("all traces gone", || traces(dir.path()) == before);
}

#[test]
fn a_run_by_a_program_says_so() {
    if !is_installed("nft", "apt-get install nftables") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let faults = ["--faults", "partition:isolate-leader", "--partition-by", "nft"];
    let ended =
        run(dir.path(), &[&["run", "--read", "leader", "--time-limit", "6s", "--seed", "1"], &faults[..]].concat());
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains("faults partition:isolate-leader, partitions by nft, seed 1"), "{}", ended.out);
    let folder = only_folder(dir.path());
    let page = fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(page.contains("partitions by nft") && page.contains("--partition-by nft"), "the page says it");
    assert!(fs::read_to_string(folder.join("commands.log")).unwrap().contains("add table ip schism"));
}

#[test]
fn without_namespaces_nodes_share_loopback() {
    let dir = tempfile::tempdir().unwrap();
    let run = |faults| {
        let mut command = locked_down(dir.path());
        command.args(["run", "--nodes", "3", "--time-limit", "3s", "--faults", faults]);
        CommandResult::from(command.output().unwrap())
    };
    let ended = run("kill:leader");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.err.contains("no sandbox on this host"), "{}", ended.err);
    let ended = run("partition");
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.err.contains("cannot isolate the leader on this host"), "{}", ended.err);
}

#[test]
fn a_store_that_cannot_be_written_fails_the_run() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("store"), "not a folder").unwrap();
    let ended = run(dir.path(), &["run", "--time-limit", "1s"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.err.contains("store"), "{}", ended.err);
}

/// Kind and time of each message by sender, receiver and id.
type Messages = BTreeMap<(u64, u64, u64), (String, u64)>;

/// Reads the messages sent and received from the traces of a run's nodes.
fn messages(run_dir: &Path) -> [Messages; 2] {
    let mut found = [BTreeMap::new(), BTreeMap::new()];
    for node in 1..=5 {
        let text = fs::read_to_string(run_dir.join(format!("nodes/{node}/trace.jsonl"))).unwrap();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let number = |name: &str| line[name].as_u64().unwrap();
            let (place, from, to) = match line["event"].as_str().unwrap() {
                "sent" => (0, number("node"), number("to")),
                "received" => (1, number("from"), number("node")),
                _ => continue,
            };
            let kind = line["message"].as_str().unwrap().to_owned();
            found[place].insert((from, to, number("id")), (kind, number("mono_ns")));
        }
    }
    found
}

#[test]
fn a_report_is_made_again_from_the_files_of_a_run_and_of_another_tools_history() {
    let dir = tempfile::tempdir().unwrap();
    let ended = run(dir.path(), &["run", "--read", "leader", "--time-limit", "6s", "--seed", "2", "--trace"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let [sent, received] = messages(&only_folder(dir.path()));
    assert!(received.len() > 1000 && received.len() < sent.len(), "{} of {} arrived", received.len(), sent.len());
    for (message, (kind, received_ns)) in &received {
        let (sent_kind, sent_ns) = &sent[message];
        assert!(kind == sent_kind && sent_ns <= received_ns, "{message:?}");
    }
    let page = only_folder(dir.path()).join("report.html");
    let first = fs::read_to_string(&page).unwrap();
    assert!(first.contains("not linearizable") && first.contains("still believed that it led term"), "{first}");
    assert!(
        first.contains("which gave the wrong answer, sent") && first.contains(r#"class="message log lost""#),
        "{first}"
    );
    fs::remove_file(&page).unwrap();
    let again = run(dir.path(), &["report", "store/latest"]);
    assert_eq!(again.code, Some(1), "{again:?}");
    assert_eq!(fs::read_to_string(&page).unwrap(), first, "the page is not the same again");
    let packed = run(dir.path(), &["store", "gc"]);
    assert!(packed.out.contains("6 files compressed"), "{packed:?}");
    assert_eq!(run(dir.path(), &["report", "store/latest"]).code, Some(1));
    assert_eq!(fs::read_to_string(&page).unwrap(), first, "the page of compressed files is another");
    let picture = run(dir.path(), &["export", "--svg", "store/latest"]);
    assert!(picture.out.starts_with("<svg ") && picture.out.contains("deposed"), "{}", picture.out);
    fs::write(dir.path().join("other.jsonl"), crate::support::stale_read()).unwrap();
    let other = run(dir.path(), &["report", "other.jsonl", "-o", "other.html"]);
    assert_eq!(other.code, Some(1), "{other:?}");
    assert!(fs::read_to_string(dir.path().join("other.html")).unwrap().contains("returned 41"));
    let missing = run(dir.path(), &["report", "nowhere.jsonl"]);
    assert_eq!(missing.code, Some(65), "{missing:?}");
}

#[test]
fn clients_that_send_writes_again_in_sessions_see_each_take_effect_once() {
    let dir = tempfile::tempdir().unwrap();
    let load = ["run", "--nodes", "3", "--seed", "1", "--workload", "counter", "--retry", "--concurrency", "6"];
    let ended = run(dir.path(), &[&load[..], &["--faults", "kill:leader", "--time-limit", "8s"]].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains(" --retry"), "the command that repeats it says so: {}", ended.out);
}
