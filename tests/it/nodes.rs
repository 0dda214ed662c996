//! Tests of how a file describes nodes: their preparation, their view of the host, when they are up, who leads, and how
//! they end.

use std::{fs, net::Ipv4Addr, process::Command};

use serde_json::Value;

use crate::{
    support::{in_time, schism},
    systems::{change, results, store},
};

#[test]
fn the_log_of_a_node_says_when_it_is_up_and_whether_it_leads() {
    let dir = store();
    let file = dir.path().join("mystore.toml");
    let serve = "ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()\n";
    let says = r#"server = ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler)
print("up\nleads in term 7" if sys.argv[3] == "2" else "up\nfollows", flush=True)
server.serve_forever()
"#;
    change(&dir.path().join("server.py"), serve, says);
    change(&file, "\"{client_port}\"]", "\"{client_port}\", \"{node}\"]");
    let by_log = r"log = '^up$'

[roles.log]
leads = 'leads in term (?<term>\d+)'
follows = 'follows'
";
    change(&file, "request = \"GET /\"\nstatus = 200\n", by_log);
    let load = ["--nodes", "3", "--faults", "kill:leader", "--time-limit", "4s", "--seed", "1"];
    let ended = in_time(schism(dir.path()).args(["run", "--system", "mystore.toml"]).args(load));
    assert!(ended.err.contains("a leader after") && ended.err.contains("installed: kill n2"), "{ended:?}");
    assert_eq!(results(dir.path())["not_recovered"], Value::Null, "{ended:?}");
    change(&file, "'^up$'", "'never'");
    change(&file, "[[read_modes]]", "[timing]\nready_within_ms = 500\n[[read_modes]]");
    let alone = ["run", "--system", "mystore.toml", "--nodes", "1", "--faults", "none"];
    let ended = in_time(schism(dir.path()).args(alone));
    assert!(ended.err.contains("no leader within 500ms: n1 does not answer by a line of its log"), "{ended:?}");
}

#[test]
fn nodes_end_as_the_file_says_and_one_that_does_not_in_time_is_killed_and_named() {
    let dir = store();
    let file = dir.path().join("mystore.toml");
    let says = r#"import signal

def end(*_):
    print("ended in good order", flush=True)
    sys.exit()

signal.signal(signal.SIGINT, end)
registers = {}"#;
    change(&dir.path().join("server.py"), "registers = {}", says);
    let ended = |stop: &str, from: &str| {
        change(&file, from, stop);
        let load = ["--nodes", "1", "--faults", "none", "--time-limit", "1s"];
        let ended = in_time(schism(dir.path()).args(["run", "--system", "mystore.toml"]).args(load));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let log = fs::read_to_string(dir.path().join("store/latest/nodes/1/node.log")).unwrap();
        (log.contains("ended in good order"), ended.out)
    };
    assert!(ended("[node]\nstop = \"SIGINT\"\n", "[node]\n").0);
    let command = "stop = [\"sh\", \"-c\", \"pkill -INT -f {ip}.{client_port}\"]\n";
    assert!(ended(command, "stop = \"SIGINT\"\n").0);
    let (in_order, told) = ended("stop = [\"true\"]\n", command);
    assert!(!in_order && told.contains("killed at the end: n1 took longer than 2s to end"), "{told}");
    let page = fs::read_to_string(dir.path().join("store/latest/report.html")).unwrap();
    assert!(page.contains("n1 took longer than 2s to end"), "the page hides it");
}

#[test]
fn a_node_sees_files_and_a_host_name_that_nobody_else_sees() {
    let dir = store();
    let outside = || fs::read_to_string("/etc/hosts").unwrap();
    let before = outside();
    let view = r#"[node]
host_name = "n{node}"
files = [{ path = "/etc/hosts", text = "{peers}\n", peers = "{ip} n{node}", separator = "\n" }]
"#;
    let file = dir.path().join("mystore.toml");
    change(&file, "[node]\n", view);
    let says =
        "import socket\nfor node in socket.gethostname(), 'n2':\n    print(socket.gethostbyname(node), flush=True)\n";
    change(&dir.path().join("server.py"), "registers = {}\n", &format!("{says}registers = {{}}\n"));
    let load = ["--nodes", "2", "--faults", "kill:n1", "--time-limit", "3s"];
    let ended = in_time(schism(dir.path()).args(["run", "--system", "mystore.toml"]).args(load));
    assert!(ended.err.contains("over: kill n1"), "{ended:?}");
    let log = fs::read_to_string(dir.path().join("store/latest/nodes/1/node.log")).unwrap();
    // What it says of clients that gave up is of no interest here.
    let said: Vec<&str> = log.lines().filter(|line| line.parse::<Ipv4Addr>().is_ok()).collect();
    assert!(said.len() >= 4 && said[0] != said[1] && said[..2] == said[2..4], "{said:?}");
    assert_eq!(outside(), before);
    let alone = ["run", "--system", "mystore.toml", "--nodes", "1", "--faults", "none", "--time-limit", "1s"];
    let refused_without = |kinds: &str, why: &str| {
        let forbid = format!("for kind in {kinds}; do echo 0 >/proc/sys/user/max_${{kind}}_namespaces; done; \"$@\"");
        let run_it = schism(dir.path());
        let mut bare = Command::new("unshare");
        bare.args(["-Ur", "sh", "-ec", &forbid, "sh"]).arg(run_it.get_program()).args(alone).current_dir(dir.path());
        let said = String::from_utf8(bare.output().unwrap().stderr).unwrap();
        assert!(said.contains(&format!("cannot {why}")), "{said}");
    };
    refused_without("user net mnt pid", "give nodes files that only they see on this host: ");
    refused_without("uts", "give nodes a host name that only they see on this host: UTS namespaces: ");
    change(&file, view, "[node]\nrun_as = \"ordinary\"\n");
    refused_without("user net mnt pid", "run nodes as an ordinary user on this host: user namespaces: ");
}

#[test]
fn what_is_prepared_once_is_prepared_for_all_nodes_and_all_runs_of_a_campaign() {
    let dir = store();
    let once = r#"[node]
prepare_once = ["sh", "-c", "echo once >>{here}/count; echo made >{data_dir}/made"]
prepare = ["grep", "made", "{data_dir}/made"]
"#;
    change(&dir.path().join("mystore.toml"), "[node]\n", once);
    let count = || fs::read_to_string(dir.path().join("count")).unwrap().lines().count();
    let load = ["--nodes", "2", "--faults", "none", "--time-limit", "1s"];
    let ended = in_time(schism(dir.path()).args(["run", "--system", "mystore.toml"]).args(load));
    assert!(ended.code == Some(1) && count() == 1, "{ended:?}");
    assert!(!dir.path().join("store/latest/prepared").exists());
    let runs = ["campaign", "--system", "mystore.toml", "--seeds", "3", "-j2", "--store", "night"];
    let ended = in_time(schism(dir.path()).args(runs).args(load));
    assert!(ended.code == Some(1) && count() == 2, "{} {ended:?}", count());
    assert!(!dir.path().join("night/prepared").exists());
}

#[test]
fn a_campaign_takes_the_nodes_and_faults_that_a_system_of_one_node_can_bear() {
    let dir = store();
    change(&dir.path().join("mystore.toml"), "name = \"mystore\"\n", "name = \"mystore\"\nmost_nodes = 1\n");
    let runs =
        ["campaign", "--system", "mystore.toml", "--seeds", "1", "--time-limit", "2s", "--store", "night", "-j2"];
    let ended = in_time(schism(dir.path()).args(runs));
    let said = "by what the system can bear: 1 node instead of 5, kill:all instead of kill, pause:all instead of \
                pause, no partition";
    assert!(ended.err.contains(said), "{ended:?}");
    let cells = fs::read_dir(dir.path().join("night/runs")).unwrap().flatten();
    let mut cells: Vec<String> = cells.map(|cell| cell.file_name().into_string().unwrap()).collect();
    cells.sort_unstable();
    let faults: Vec<&str> = cells.iter().map(|cell| cell.split_once("-mystore-read-").unwrap().1).collect();
    assert_eq!(faults, ["kill-all", "pause-all"]);
}
