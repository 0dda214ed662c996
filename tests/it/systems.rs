//! Tests of systems that a file describes, with the example store as a user would run it.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{cases, in_time, run, schism};

/// Makes a folder with the example store, as `schism system new` writes it.
pub(crate) fn store() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let made = run(dir.path(), &["system", "new", "mystore", "--with-server"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    dir
}

/// Changes a text in a file.
pub(crate) fn change(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(path, text.replace(from, to)).unwrap();
}

pub(crate) fn results(dir: &Path) -> Value {
    serde_json::from_slice(&fs::read(dir.join("store/latest/results.json")).unwrap()).unwrap()
}

#[test]
fn a_store_that_replicates_nothing_is_found_not_linearizable_and_judged_again_without_its_file() {
    let dir = store();
    let load = ["--nodes", "3", "--faults", "none", "--time-limit", "2s", "--seed", "1"];
    let arguments = [&["run", "--system", "mystore.toml"][..], &load].concat();
    let ended = in_time(schism(dir.path()).args(&arguments));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(results(dir.path())["verdict"], "not-linearizable");
    for file in ["mystore.toml", "server.py"] {
        fs::remove_file(dir.path().join(file)).unwrap();
    }
    for command in ["check", "report"] {
        let again = in_time(schism(dir.path()).args([command, "store/latest"]));
        assert_eq!(again.code, Some(1), "{again:?}");
    }
    let page = fs::read_to_string(dir.path().join("store/latest/report.html")).unwrap();
    assert!(page.contains("schism run --system mystore.toml --read read"), "the page does not repeat the run");
    let listed = run(dir.path(), &["store", "ls"]).out;
    assert!(listed.contains("mystore-register-read"), "{listed}");
}

#[test]
fn one_store_alone_is_linearizable_until_it_forgets_what_it_acknowledged() {
    let dir = store();
    for (faults, code) in [("none", 0), ("kill:all", 1)] {
        let load = ["--nodes", "1", "--faults", faults, "--time-limit", "4s", "--seed", "1", "--rate", "200"];
        let ended = in_time(schism(dir.path()).args(["run", "--system", "mystore.toml"]).args(load));
        assert_eq!(ended.code, Some(code), "{ended:?}");
    }
}

#[test]
fn a_trial_shows_each_exchange_and_finds_mistakes() {
    let dir = store();
    let ended = in_time(schism(dir.path()).args(["system", "check", "mystore.toml"]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let cas = [
        "cas k0 from 1 to 3",
        "  sent        POST /k0 {\"from\": 1, \"to\": 3}",
        "  received    409 {\"found\": 2}",
        "  understood  mismatch, found 2",
        "mystore: 6 operations, 1 read mode: all as it should be\n",
    ];
    assert!(ended.out.ends_with(&cas.join("\n")), "{}", ended.out);
    let file = dir.path().join("mystore.toml");
    change(&file, ", or_nil = true", "");
    change(
        &file,
        "rules = [{ status = 200, outcome = \"ok\" }]",
        "rules = [{ status = 201, outcome = \"ok\" }, { outcome = \"fail\" }]",
    );
    let ended = in_time(schism(dir.path()).args(["system", "check", "mystore.toml"]));
    assert_eq!(ended.code, Some(3), "{ended:?}");
    for said in [
        "WRONG       before anything was written should be: ok, nil",
        "understood  fail: status 200: \"{}\"",
        "doubtful: rule 2 of `client.write` calls a time-out or an error of the server a `fail`",
        "2 wrong, 1 doubtful",
    ] {
        assert!(ended.out.contains(said), "{said}: {}", ended.out);
    }
}

#[test]
fn a_place_of_revisions_that_no_answer_has_is_named() {
    let dir = store();
    let file = dir.path().join("mystore.toml");
    change(
        &file,
        "rules = [{ status = 200, outcome = \"ok\" }]",
        "rules = [{ status = 200, outcome = \"ok\", revision = \"/mod\" }]",
    );
    let ended = in_time(schism(dir.path()).args(["system", "check", "mystore.toml"]));
    let doubt = "doubtful: rule 1 of `client.write` has the `revision` \"/mod\", where no answer had a number\n";
    assert!(ended.code == Some(3) && ended.out.contains(doubt), "{ended:?}");
}

#[test]
fn a_node_that_listens_elsewhere_is_told_where_it_was_asked() {
    let dir = store();
    let file = dir.path().join("mystore.toml");
    change(&file, "\"{client_port}\"", "\"1\"");
    change(&file, "[[read_modes]]", "[timing]\nready_within_ms = 500\n[[read_modes]]");
    let ended = in_time(schism(dir.path()).args(["system", "check", "mystore.toml"]));
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let said = "not all nodes are up within 500ms: n1 does not answer GET / at 10.77.0.1:8000 as it should";
    assert!(ended.err.contains(said), "{}", ended.err);
    let kept = ended.err.split("the nodes' logs are in ").nth(1).unwrap().trim();
    assert!(Path::new(kept).join("1/node.log").exists(), "{}", ended.err);
}

/// Returns the folders that something left where temporary files go.
fn leftovers(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(".tmp")).collect()
}

#[test]
fn a_trial_leaves_nothing_that_it_does_not_name() {
    let dir = store();
    let file = dir.path().join("mystore.toml");
    change(&file, "command = [\"python3\"", "prepare = [\"false\"]\ncommand = [\"python3\"");
    let ended = in_time(schism(dir.path()).args(["system", "check", "mystore.toml"]));
    let left = leftovers(dir.path());
    assert!(ended.code == Some(3) && left.iter().all(|left| ended.err.contains(left)), "{left:?}: {ended:?}");
    for folder in left {
        fs::remove_dir_all(dir.path().join(folder)).unwrap();
    }

    change(&file, "prepare = [\"false\"]", "");
    change(&file, "\"{client_port}\"", "\"1\"");
    let mut child = schism(dir.path()).args(["system", "check", "mystore.toml"]).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while leftovers(dir.path()).is_empty() {
        assert!(Instant::now() < end, "it makes a folder for the node's log");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(300));
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(leftovers(dir.path()), Vec::<String>::new());
}

#[test]
fn a_wrong_file_and_a_missing_program_are_named_before_anything_starts() {
    let dir = store();
    let file = dir.path().join("mystore.toml");
    let run_it = |more: &[&str]| run(dir.path(), &[&["run", "--system", "mystore.toml"], more].concat());
    for (arguments, code, said) in [
        (&["--read", "fresh"][..], 64, "mystore has no read mode \"fresh\"; it has: read"),
        (&["--workload", "set"], 64, "mystore has no workload \"set\"; available: register"),
        (&["--faults", "pause:leader"], 64, "cannot pause the leader: mystore does not say who leads"),
        (&["--faults", "clock"], 64, "mystore does not say who leads"),
        (&["--faults", "clock:by=file,target=n1"], 64, "mystore has nodes that read no clock file"),
        (&["--faults", "remove"], 64, "mystore has no way to change its members"),
        (&["--trace"], 64, "mystore has no option --trace"),
    ] {
        let ended = run_it(arguments);
        assert!(ended.code == Some(code) && ended.err.contains(said), "{ended:?}");
    }
    change(&file, "name = \"mystore\"\n", "name = \"mystore\"\nmost_nodes = 2\n");
    let ended = run_it(&[]);
    assert!(ended.code == Some(64) && ended.err.contains("mystore has at most 2 nodes, not 5"), "{ended:?}");
    change(&file, "most_nodes = 2\n", "");
    change(&file, "\"python3\"", "\"no-such-python\"");
    let ended = run_it(&[]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.err.contains("mystore needs the program no-such-python, which this host lacks"), "{}", ended.err);
    change(&file, "status = 404", "sttus = 404");
    let ended = run_it(&[]);
    assert_eq!(ended.code, Some(65), "{ended:?}");
    let said = "mystore.toml: line 35: unknown field `sttus`, expected one of `status`";
    assert!(ended.err.contains(said), "{}", ended.err);
    assert!(!dir.path().join("store").exists(), "something was started");
    let missing = run(dir.path(), &["run", "--system", "none.toml"]);
    assert!(missing.code == Some(65) && missing.err.contains("none.toml: No such file"), "{missing:?}");
    let wrong = run(dir.path(), &["system", "new", "My Store"]);
    assert!(wrong.code == Some(64) && wrong.err.starts_with("error: a name has up to 40 small letters"), "{wrong:?}");
}

#[test]
fn a_new_file_without_its_server_says_what_to_do_next_and_nothing_is_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mystore.toml");
    let new = |options: &[&str]| run(dir.path(), &[&["system", "new", "mystore"], options].concat());
    let named_as_file = run(dir.path(), &["system", "new", "mystore.toml"]);
    assert!(named_as_file.out.starts_with("mystore.toml; next: "), "{named_as_file:?}");
    let alone = new(&[]);
    assert!(alone.code == Some(0) && alone.out.contains("by schism system new mystore --with-server\n"), "{alone:?}");
    let both = new(&["--with-server"]);
    let said = "mystore.toml and server.py; next: schism system check mystore.toml\n";
    assert_eq!((both.code, &*both.out), (Some(0), said), "a file that is as it would be written is no obstacle");
    change(&file, "python3", "python4");
    fs::remove_file(dir.path().join("server.py")).unwrap();
    let refused = new(&["--with-server"]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.err.contains("mystore.toml is there already, and not as it would be written"), "{refused:?}");
    assert!(refused.err.contains("move it away, or work in another folder"), "{refused:?}");
    assert!(!dir.path().join("server.py").exists(), "half of it was written");
}

#[test]
fn a_node_that_is_told_of_its_clock_file_has_its_clock_skewed_and_set_right_again() {
    let dir = store();
    change(&dir.path().join("mystore.toml"), "[node]\n", "[node]\nenv = { CLOCK = \"{clock_file}\" }\n");
    let load = ["--nodes", "1", "--faults", "clock:target=n1", "--time-limit", "4s", "--seed", "1", "--rate", "200"];
    let ended = in_time(schism(dir.path()).args(["run", "--system", "mystore.toml"]).args(load));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.err.contains("installed: skew the clock of n1"), "{ended:?}");
    let clock = fs::read_to_string(dir.path().join("store/latest/nodes/1/clock")).unwrap();
    let words: Vec<&str> = clock.trim_end().split(' ').collect();
    assert!(words[2].parse::<u64>().unwrap() >= 2 && words[3].parse() == Ok(1.0), "{clock}");
}

/// Server of sets and queues at its first node, which leads; other nodes refuse everything. It is named in its command,
/// its environment, and a file, and refuses to start unless it was prepared.
const LED: &str = r#"
import json, os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

ip, port, node, data = sys.argv[1:5]
assert open(data + "/prepared").read() == node and os.environ["NODE"] == node
assert json.load(open(os.path.dirname(data) + "/conf.json"))["node"] == int(node)
lists, lock = {}, Lock()

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/role":
            return self.answer(200, {"me": "node" + node, "leader": "node1", "term": "3"})
        if node != "1":
            return self.answer(421, {"error": "not the leader"})
        action, key = self.path[1:].split("/")
        with lock:
            elements = lists.setdefault(key, [])
            if action in ("add", "enqueue"):
                elements.append(json.loads(body)["value"])
                return self.answer(200, {})
            if action == "elements":
                return self.answer(200, {"all": [{"value": str(one)} for one in elements]} if elements else {})
            found = {"value": elements[0]} if elements else {}
            del elements[:1 if action == "dequeue" else 0]
        self.answer(200, found)
    def answer(self, status, content):
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *_):
        pass

ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer((ip, int(port)), Handler).serve_forever()
"#;

const LED_FILE: &str = r#"
name = "led"
ports = { client = 8000 }
read_modes = [
  { name = "first", guarantee = "linearizable" },
  { name = "second", guarantee = "linearizable", elements = { headers = { x-mode = "{read_mode}" } } },
]

[node]
command = ["python3", "{here}/led.py", "{ip}", "{client_port}", "{node}", "{data_dir}"]
prepare = ["sh", "-c", "printf {node} >{data_dir}/prepared"]
env = { NODE = "{node}" }
files = [{ path = "conf.json", text = '{"node": {node}}' }]

[roles]
request = "POST /role"
id = "/me"
leader = "/leader"
term = "/term"

[client]
kind = "http"
add = { request = "POST /add/{key}", body = '{"value": {value}}', rules = [
  { status = 200, outcome = "ok" }, { status = 421, outcome = "fail" },
] }
enqueue = { request = "POST /enqueue/{key}", body = '{"value": {value}}', rules = [
  { status = 200, outcome = "ok" }, { status = 421, outcome = "fail" },
] }
elements = { request = "POST /elements/{key}", rules = [
  { status = 200, outcome = "ok", value = "/all", or_nil = true, each = "/value", decode = ["integer"] },
] }
dequeue = { request = "POST /dequeue/{key}", rules = [
  { status = 200, outcome = "ok", value = "/value", or_nil = true }, { status = 421, outcome = "fail" },
] }
peek = { request = "POST /peek/{key}", rules = [{ status = 200, outcome = "ok", value = "/value", or_nil = true }] }
"#;

#[test]
fn sets_queues_roles_and_preparations_work_by_a_file() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("led.toml"), LED_FILE).unwrap();
    fs::write(dir.path().join("led.py"), LED).unwrap();
    let refused = run(dir.path(), &["run", "--system", "led.toml", "--faults", "clock:by=file"]);
    assert!(refused.err.contains("led has nodes that read no clock file"), "its first workload is the default");
    let tried = in_time(schism(dir.path()).args(["system", "check", "led.toml"]));
    assert_eq!(tried.code, Some(0), "{tried:?}");
    assert!(tried.out.ends_with("led: 13 operations, 2 read modes: all as it should be\n"), "{}", tried.out);
    let wrong = LED_FILE.replace("\"/term\"", "\"/epoch\"");
    fs::write(dir.path().join("wrong.toml"), wrong).unwrap();
    let tried = in_time(schism(dir.path()).args(["system", "check", "wrong.toml"]));
    let doubt = "doubtful: `roles.term` is \"/epoch\", where the answer has nothing\n";
    assert!(tried.code == Some(3) && tried.out.contains(doubt), "{tried:?}");
    fs::write(dir.path().join("wrong.toml"), LED_FILE.replace("term = \"/term\"", "")).unwrap();
    let tried = in_time(schism(dir.path()).args(["system", "check", "wrong.toml"]));
    assert!(tried.code == Some(0) && tried.out.contains("note: without `roles.term`, of two nodes"), "{tried:?}");
    for &workload in cases(&["set", "queue"], 1) {
        let load =
            ["--workload", workload, "--nodes", "3", "--faults", "pause:leader", "--time-limit", "4s", "--seed", "1"];
        let ended = in_time(schism(dir.path()).args(["run", "--system", "led.toml", "--read", "second"]).args(load));
        // Only the leader answers, so the final reads of the other nodes fail; what was answered is right.
        assert_eq!(ended.code, Some(3), "{ended:?}");
        assert!(ended.out.contains("final reads failed"), "{ended:?}");
        assert_eq!(results(dir.path())["verdict"], "linearizable");
        assert!(ended.err.contains("pause n1") && ended.err.contains("a leader after"), "{ended:?}");
        assert!(
            ended.out.contains("not observable: who led, and so whether a deposed leader was asked: nodes say who")
        );
    }
}

#[test]
fn a_campaign_keeps_the_file_of_its_system() {
    let dir = store();
    let folder = dir.path().join("night");
    fs::create_dir(dir.path().join("plans")).unwrap();
    let plan = "systems = [\"../mystore.toml\"]\nfaults = [\"none\"]\nnodes = [3]\nseeds = 1\ntime-limit = \"2s\"";
    fs::write(dir.path().join("plans/night.toml"), plan).unwrap();
    let ended = in_time(schism(dir.path()).args(["campaign", "plans/night.toml", "--store", "night", "-j1"]));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for said in ["System under test: mystore (plans/../mystore.toml).", "not as expected: reads under none"] {
        assert!(ended.out.contains(said), "{}", ended.out);
    }
    let page = fs::read_to_string(folder.join("index.html")).unwrap();
    assert!(page.contains("System under test: mystore"), "the page does not name the system");
    let summary = fs::read_to_string(folder.join("summary.md")).unwrap();
    assert!(summary.contains("schism run --system plans/../mystore.toml --read read "), "{summary}");

    let resume = || in_time(schism(dir.path()).args(["campaign", "--resume", "--store", "night"]));
    change(&dir.path().join("mystore.toml"), "whatever", "what");
    let refused = resume();
    assert_eq!(refused.code, Some(64), "{refused:?}");
    assert!(refused.err.contains("mystore.toml has changed since the campaign in night began"), "{}", refused.err);

    // Without the file, a run that is missing is carried out, judged and shown.
    fs::remove_file(dir.path().join("mystore.toml")).unwrap();
    let run = folder.join("runs/001-mystore-read-none/seed-1");
    fs::remove_dir_all(&run).unwrap();
    let resumed = resume();
    assert_eq!(resumed.code, Some(1), "{resumed:?}");
    let by_its_plan = ["campaign", "plans/night.toml", "--resume", "--store", "night"];
    let resumed = in_time(schism(dir.path()).args(by_its_plan));
    assert_eq!(resumed.code, Some(1), "{resumed:?}");
    for command in ["check", "report"] {
        let again = in_time(schism(dir.path()).arg(command).arg(&run));
        assert_eq!(again.code, Some(1), "{again:?}");
    }
    let whole = in_time(schism(dir.path()).args(["report", "night"]));
    assert_eq!(whole.code, Some(1), "{whole:?}");
}

#[test]
fn what_a_system_cannot_do_is_refused_before_a_campaign_or_a_comparison_starts() {
    let dir = store();
    for (arguments, said) in [
        (&["--reads", "fresh"][..], "mystore has no read mode \"fresh\"; it has: read"),
        (&["--faults", "clock"], "mystore does not say who leads"),
        (&["--faults", "kill:leader"], "cannot kill the leader: mystore does not say who leads"),
        (&["--system", "schism,mystore.toml", "--reads", "quorum"], "no read mode of mystore; it has: read"),
    ] {
        for command in ["campaign", "compare"] {
            let system = if arguments[0] == "--system" { &[][..] } else { &["--system", "mystore.toml"] };
            let ended = run(dir.path(), &[&[command, "--store", "night"], system, arguments].concat());
            assert_eq!(ended.code, Some(64), "{ended:?}");
            assert!(ended.err.contains(said), "{}", ended.err);
        }
    }
    let ended = run(dir.path(), &["campaign", "--system", "mystore.toml", "--workloads", "set"]);
    assert!(ended.code == Some(64) && ended.err.contains("mystore has no workload \"set\""), "{ended:?}");
    assert!(!dir.path().join("night").exists(), "something was started");
}

#[test]
fn clocks_of_nodes_that_know_nothing_of_it_are_skewed_and_healed() {
    let dir = store();
    let load = ["--nodes", "1", "--faults", "clock:rate=1,jump=1h,target=n1", "--time-limit", "4s", "--seed", "1"];
    let ended = in_time(schism(dir.path()).args(["run", "--system", "mystore.toml"]).args(load));
    assert!(matches!(ended.code, Some(0 | 1)), "{ended:?}");
    let told = "installed: skew the clock of n1 to 1 of its speed and +3600 s, through the vDSO";
    assert!(ended.err.contains(told) && ended.err.contains("over: skew the clock of n1"), "{ended:?}");
    let page = fs::read_to_string(dir.path().join("store/latest/report.html")).unwrap();
    assert!(
        page.contains("Offset of each node's clock over time") || page.contains("Offset of each node&#39;s"),
        "none"
    );
}

#[test]
fn systems_are_compared_by_name_and_a_cost_that_nobody_counts_is_left_open() {
    let dir = store();
    let load = ["--reads", "quorum,read", "--nodes", "1", "--faults", "none", "--rounds", "1", "--time-limit", "1s"];
    let ended = in_time(schism(dir.path()).args(["compare", "--system", "schism,mystore.toml"]).args(load));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let told: Value =
        serde_json::from_slice(&fs::read(dir.path().join("store/compare/compare.json")).unwrap()).unwrap();
    let modes = told["settings"][0]["modes"].as_array().unwrap();
    let names: Vec<_> = modes.iter().map(|mode| mode["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["schism quorum", "mystore read"]);
    let counted: Vec<bool> = modes.iter().map(|mode| mode["fsyncs_per_operation"].is_number()).collect();
    assert_eq!(counted, [true, false]);
    assert!(ended.out.contains("Mystore reads"), "{}", ended.out);
}

#[test]
fn a_node_can_be_several_processes_without_root_that_a_command_asks_for_its_role() {
    let dir = store();
    let more = r#"run_as = "ordinary"
beside = [["sh", "-c", "id -u >>{node_dir}/beside; exec sleep 1000"]]

[roles]
command = ["python3", "-c", """
from urllib.request import urlopen
urlopen("http://{ip}:{client_port}/")
print('{"role": "master"}')
"""]
leads = { "/role" = "master" }
"#;
    change(&dir.path().join("mystore.toml"), "[ready]\nrequest = \"GET /\"\nstatus = 200\n", more);
    let load = ["--nodes", "1", "--faults", "kill:all", "--time-limit", "4s", "--seed", "1"];
    let ended = in_time(schism(dir.path()).args(["run", "--system", "mystore.toml"]).args(load));
    assert!(ended.err.contains("a leader after") && ended.err.contains("over: kill n1"), "{ended:?}");
    assert_eq!(results(dir.path())["not_recovered"], Value::Null, "{ended:?}");
    let users = fs::read_to_string(dir.path().join("store/latest/nodes/1/beside")).unwrap();
    assert!(users.lines().count() >= 2 && users.lines().all(|user| user != "0"), "{users}");
}
