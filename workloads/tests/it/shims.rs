//! Tests of clients that are shims: what becomes of a request if its shim answers, is late, ends or talks nonsense, and
//! that no process is left over.

mod bench;

use std::{fs, net::TcpListener, path::Path, process::Command, sync::Arc, time::Instant};

use histories::{Outcome, Recorder, Value, read_file};
use serde_json::json;
use tokio::sync::watch;
use workloads::{
    Action, Answer, Client as _, Clients, Connect as _, Connector, FinalReads, Load, MicroOperation, Mix, Progress,
    Request, ShimProblemKind, drive, final_reads, workload,
};

use self::bench::{ASK, Bench, PATIENCE, SHORT, ask, not_done, poll, read, unknown, value, write};
use crate::server::{ReceivedRequest, Reply, Server};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn memory() -> Bench {
    Bench::new("python3", &[repository().join("workloads/tests/shims/memory.py").to_str().unwrap()])
}

#[tokio::test]
async fn a_shim_answers_all_operations() {
    let bench = memory();
    let mut client = bench.client();
    let list = |values: &[i64]| Value::List(values.iter().map(|&value| value.into()).collect());
    let transaction = vec![MicroOperation::append(7, 1), MicroOperation::read_list(7), MicroOperation::read_list(8)];
    let done = Value::List(vec![
        Value::List(vec!["append".into(), "k7".into(), 1.into()]),
        Value::List(vec!["r".into(), "k7".into(), list(&[1])]),
        Value::List(vec!["r".into(), "k8".into(), list(&[])]),
    ]);
    for (key, action, answer) in [
        (3, Action::Read, Answer::Value(Value::Nil)),
        (3, Action::Write(5), Answer::Done),
        (3, Action::Read, value(5)),
        (3, Action::Cas { from: 4, to: 6 }, Answer::Mismatch(5.into())),
        (3, Action::Cas { from: 5, to: 6 }, Answer::Done),
        (3, Action::Read, value(6)),
        (4, Action::Elements, Answer::Value(list(&[]))),
        (4, Action::Add(1), Answer::Done),
        (4, Action::Add(2), Answer::Done),
        (4, Action::Elements, Answer::Value(list(&[1, 2]))),
        (5, Action::Peek, Answer::Value(Value::Nil)),
        (5, Action::Enqueue(1), Answer::Done),
        (5, Action::Peek, value(1)),
        (5, Action::Dequeue, value(1)),
        (5, Action::Dequeue, Answer::Value(Value::Nil)),
        (0, Action::Transaction(transaction.clone()), Answer::Value(done)),
    ] {
        let request = match &action {
            Action::Transaction(micro_operations) => Request::transaction(micro_operations.clone()),
            action => Request::new(key, action.clone()),
        };
        assert_eq!(client.invoke(&request).await.answer, answer, "{action:?}");
    }
    drop(client);
    bench.nothing_is_left().await;
    assert_eq!(bench.kinds(), []);
}

/// Returns the example in Python, the one in shell, and the one in Rust, which is compiled into the folder.
fn examples(folder: &Path) -> [Vec<String>; 3] {
    let source = |name: &str| repository().join("examples/shims").join(name).to_str().unwrap().to_owned();
    let compiled = folder.join("register").to_str().unwrap().to_owned();
    let arguments = ["--edition", "2024", "-D", "warnings", "-o", &compiled, &source("register.rs")];
    assert!(Command::new("rustc").args(arguments).status().unwrap().success());
    [vec!["python3".to_owned(), source("register.py")], vec!["sh".to_owned(), source("register.sh")], vec![compiled]]
}

#[tokio::test]
async fn the_examples_tell_what_is_certain() {
    let refuse = |asked: &ReceivedRequest| match asked.body["value"].as_i64() {
        Some(404) => Some(Reply::json(503, &json!({"error": "no leader", "happened": "no"}))),
        Some(405) => Some(Reply::json(503, &json!({"error": "no majority", "happened": "unknown"}))),
        Some(406) => Some(Reply::Close),
        _ => None,
    };
    let servers = Server::cluster(2, refuse).await;
    let folder = tempfile::tempdir().unwrap();
    for command in examples(folder.path()) {
        let (program, args) = command.split_first().unwrap();
        let mut bench = Bench::new(program, &args.iter().map(String::as_str).collect::<Vec<_>>());
        bench.options.start_timeout = Some(PATIENCE);
        bench.options.nodes[1].address = servers[1].address.to_string();
        bench.options.nodes[0].address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let mut client = bench.client();
        for (action, answer) in [
            (Action::Write(5), Answer::Done),
            (Action::Read, value(5)),
            (Action::Cas { from: 4, to: 6 }, Answer::Mismatch(5.into())),
            (Action::Cas { from: 5, to: 6 }, Answer::Done),
            (Action::Read, value(6)),
        ] {
            assert_eq!(ask(&mut client, action.clone()).await, answer, "{program} {action:?}");
        }
        let nothing = client.invoke(&Request::new(9, Action::Read)).await.answer;
        not_done(ask(&mut client, Action::Write(404)).await);
        unknown(ask(&mut client, Action::Write(405)).await);
        unknown(ask(&mut client, Action::Write(406)).await);
        not_done(ask(&mut client, Action::Dequeue).await);
        not_done(write(&mut bench.connector().open(1).unwrap()).await);
        assert_eq!((nothing, bench.kinds()), (Answer::Value(Value::Nil), vec![]), "{program}: {}", bench.problems);
    }
}

#[tokio::test]
async fn a_load_is_driven_through_shims() {
    let servers = Server::cluster(2, |_| None).await;
    let script = repository().join("examples/shims/register.py");
    let mut bench = Bench::new("python3", &[script.to_str().unwrap()]);
    bench.options.start_timeout = Some(PATIENCE);
    for (node, server) in bench.options.nodes.iter_mut().zip(&servers) {
        node.address = server.address.to_string();
    }
    let path = bench.dir.path().join("history.jsonl");
    let recorder = Arc::new(Recorder::create(&path, Instant::now()).unwrap());
    let (progress, stopper) = (Arc::new(Progress::default()), watch::channel(false).0);
    let workload = workload("register").unwrap();
    let load = Load {
        seed: 7,
        concurrency: 4,
        rate: 0,
        time_limit: PATIENCE,
        operation_limit: 2 * PATIENCE,
        workload,
        mix: Mix::default(),
    };
    let connector = Connector::new(bench.connector());
    let clients = Clients::open(&load, connector.clone(), stopper.subscribe()).await.unwrap();
    let driven = drive(&load, clients, Arc::clone(&recorder), Arc::clone(&progress), stopper.subscribe());
    let enough = async {
        poll("some operations are done", || progress.ok() > 100).await;
        stopper.send(true).unwrap();
    };
    let (driven, ()) = tokio::join!(driven, enough);
    let driven = driven.unwrap();
    let reads = FinalReads {
        without: Vec::new(),
        workload,
        keys: driven.keys,
        max_keys: 3,
        first_process: driven.next_process,
        time_limit: PATIENCE,
        operation_limit: 2 * PATIENCE,
    };
    let unread = final_reads(&reads, connector, recorder, progress, watch::channel(false).1).await.unwrap();
    assert_eq!(unread, []);
    let history = read_file(&path).unwrap();
    let reads_done = history
        .operations
        .iter()
        .filter(|operation| operation.outcome == Outcome::Ok && history.function_name(operation.function) == "read");
    assert!(history.operations.len() > 100 && reads_done.count() > 20);
    assert_eq!(bench.kinds(), [], "{}", bench.problems);
    bench.nothing_is_left().await;
}

#[tokio::test]
async fn a_shim_learns_its_node_from_the_environment() {
    let script = r#"ask; say "{\"id\":$id,\"type\":\"ok\",\"value\":\"$SCHISM_NODE $SCHISM_ADDRESS $SCHISM_READ \
$SCHISM_TIMEOUT_MS $OWN\"}"; ask"#;
    let mut bench = Bench::script(&script.replace("\\\n", ""));
    bench.options.nodes[1].env = vec![("OWN".into(), "own".into())];
    let expected = format!("2 host-2:8000 quorum {} own", PATIENCE.as_millis());
    assert_eq!(read(&mut bench.client()).await, Answer::Value(expected.as_str().into()));
}

#[tokio::test]
async fn a_shim_that_cannot_be_started_is_an_error_that_names_its_command() {
    let bench = Bench::new("/no/such/shim", &["--key", "a b"]);
    let error = bench.connector().open(1).unwrap_err().to_string();
    assert!(error.starts_with("no client for node 1: the shim `/no/such/shim --key a b` cannot be started"), "{error}");
    assert!(bench.connector().open(3).is_err(), "there is no node 3");
}

#[tokio::test]
async fn a_load_waits_until_its_shims_are_ready() {
    let script = r#": >"$FOLDER/started-$$"; until [ -e "$FOLDER/go" ]; do sleep 0.01; done
say '{"type":"ready"}'; while ask; do say "{\"id\":$id,\"type\":\"ok\",\"value\":1}"; done"#;
    let mut bench = Bench::script(script).short();
    bench.options.start_timeout = Some(PATIENCE);
    let go = bench.dir.path().join("go");
    let opening = async {
        let (_stopper, stop) = watch::channel(false);
        let load = Load {
            seed: 1,
            concurrency: 3,
            rate: 0,
            time_limit: PATIENCE,
            operation_limit: PATIENCE,
            workload: workload("register").unwrap(),
            mix: Mix::default(),
        };
        Clients::open(&load, Connector::new(bench.connector()), stop).await.unwrap();
        assert!(go.exists(), "the load waits for them");
    };
    let is_start = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with("started-");
    let started = || fs::read_dir(bench.dir.path()).unwrap().filter(|entry| is_start(entry.as_ref().unwrap())).count();
    let letting_go = async {
        poll("all shims are started", || started() >= 3).await;
        fs::write(&go, "").unwrap();
    };
    tokio::join!(opening, letting_go);
    assert_eq!(bench.kinds(), [], "{}", bench.problems);
    bench.nothing_is_left().await;
}

#[tokio::test]
async fn a_shim_that_never_gets_ready_does_not_hold_up_a_load() {
    let mut bench = Bench::new("sleep", &["600"]);
    bench.options.start_timeout = Some(SHORT);
    let mut client = bench.client();
    client.ready().await;
    assert_eq!(bench.kinds(), [(ShimProblemKind::NotReady, 1)]);
    bench.nothing_is_left().await;
}

#[tokio::test]
async fn a_late_answer_is_unknown_and_its_process_is_replaced() {
    let bench = Bench::script(r#"ask; sleep 600; say "{\"id\":$id,\"type\":\"ok\"}""#).short();
    let mut client = bench.client();
    for count in 1..=2 {
        let began = Instant::now();
        let why = unknown(write(&mut client).await);
        assert!(began.elapsed() >= SHORT);
        assert!(why.contains("no answer"), "{why}");
        assert!(why.contains("does it flush"), "{why}");
        assert_eq!(bench.kinds(), [(ShimProblemKind::TimedOut, count)]);
        bench.nothing_is_left().await;
    }
    let first = &bench.problems.list()[0].first;
    assert!(first.starts_with("node 2, write of k3: no answer"), "{first}");
}

#[tokio::test]
async fn a_shim_that_does_not_read_holds_up_nobody() {
    let bench = Bench::new("sleep", &["600"]).short();
    let mut client = bench.client();
    let long = vec![MicroOperation::append(1, 1); 20_000];
    let why = unknown(ask(&mut client, Action::Transaction(long)).await);
    assert!(why.contains("does not read its input"), "{why}");
    bench.nothing_is_left().await;
}

#[tokio::test]
async fn the_end_of_a_shim_is_unknown_with_its_exit_code_and_its_last_words() {
    let script = r#"ask; if mkdir "$FOLDER/first" 2>/dev/null; then echo "no module" >&2; exit 3; fi
while :; do say "{\"id\":$id,\"type\":\"ok\"}"; ask; done"#;
    let bench = Bench::script(script);
    let mut client = bench.client();
    let why = unknown(write(&mut client).await);
    assert_eq!(why, "the shim failed: its output ended, exit code 3; last on stderr: \"no module\"");
    assert_eq!(write(&mut client).await, Answer::Done, "the next process answers the next request");
    assert_eq!(write(&mut client).await, Answer::Done);
    assert_eq!(bench.kinds(), [(ShimProblemKind::Crashed, 1)]);
    let kept = fs::read_to_string(bench.dir.path().join("shims.log")).unwrap();
    assert!(kept.starts_with("node 2, process ") && kept.ends_with(": no module\n"), "{kept}");
}

#[tokio::test]
async fn a_shim_that_ends_between_two_requests_harms_neither() {
    let bench = Bench::script(r#"ask; echo $$ >"$FOLDER/$id"; say "{\"id\":$id,\"type\":\"ok\"}""#);
    let mut client = bench.client();
    for number in 1..=3 {
        assert_eq!(write(&mut client).await, Answer::Done);
        let pid = fs::read_to_string(bench.dir.path().join(number.to_string())).unwrap();
        let stat = format!("/proc/{}/stat", pid.trim());
        poll("the shim has ended", || fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "))).await;
    }
    assert_eq!(bench.kinds(), [(ShimProblemKind::Crashed, 2)]);
    drop(client);
    assert_eq!(bench.kinds(), [(ShimProblemKind::Crashed, 3)]);
}

#[tokio::test]
async fn a_killed_shim_is_named_by_its_signal() {
    let bench = Bench::script("ask; kill -9 $$");
    let why = unknown(read(&mut bench.client()).await);
    assert!(why.ends_with("its output ended, killed by SIGKILL"), "{why}");
}

#[tokio::test]
async fn nonsense_is_unknown_and_counted_by_its_kind() {
    for (said, kind, quoted) in [
        ("connected!", ShimProblemKind::Unreadable, "\"connected!\""),
        (r#"{"id":1}"#, ShimProblemKind::Unreadable, "missing field `type`"),
        (r#"{"id":8,"type":"ok","value":5}"#, ShimProblemKind::UnknownId, "request 8 instead of 1"),
        (r#"{"type":"ok","value":5}"#, ShimProblemKind::UnknownId, "without an id instead of 1"),
        (r#"{"id":1,"type":"ok"}"#, ShimProblemKind::WrongValue, "has no \"value\""),
    ] {
        let bench = Bench::script(&format!("ask; say '{said}'; ask; ask"));
        let mut client = bench.client();
        let why = unknown(read(&mut client).await);
        assert!(why.contains(quoted), "{why}");
        assert_eq!(bench.kinds(), [(kind, 1)], "{said}");
        bench.nothing_is_left().await;
    }
}

#[tokio::test]
async fn a_line_has_a_limit_and_may_reach_it() {
    let line = r#"{"id":1,"type":"ok","value":5}"#;
    let mut bench = Bench::script(&format!("ask; say '{line}'; ask"));
    bench.options.max_line_bytes = line.len();
    assert_eq!(read(&mut bench.client()).await, value(5));
    bench.options.max_line_bytes = line.len() - 1;
    let why = unknown(read(&mut bench.client()).await);
    assert!(why.contains("more than 29 bytes"), "{why}");
    assert_eq!(bench.kinds(), [(ShimProblemKind::LineTooLong, 1)]);
    // No end of the line is waited for.
    let endless = Bench::new("sh", &["-c", "exec yes | tr -d '\\n'"]);
    let why = unknown(read(&mut endless.client()).await);
    assert!(why.contains("more than 1048576 bytes"), "{why}");
    endless.nothing_is_left().await;
}

/// The first answer counts: it may have been used already when the second one comes.
#[tokio::test]
async fn a_second_answer_is_a_problem_whenever_it_comes() {
    // Both at once.
    let twice = Bench::new(
        "sh",
        &[
            "-c",
            &format!(
                r#"{ASK}while ask; do a="{{\"id\":$id,\"type\":\"ok\"}}"; say "$a
$a"; done"#
            ),
        ],
    );
    let mut client = twice.client();
    for before in 0..3 {
        assert_eq!(write(&mut client).await, Answer::Done);
        assert_eq!(twice.problems.count(ShimProblemKind::SecondAnswer), before, "found when it is in the way");
    }
    drop(client);
    assert_eq!(twice.kinds(), [(ShimProblemKind::SecondAnswer, 3)]);

    // The second one in place of the next answer.
    let late = Bench::script(r#"ask; a="{\"id\":$id,\"type\":\"ok\"}"; say "$a"; ask; say "$a"; ask"#);
    let mut client = late.client();
    assert_eq!(write(&mut client).await, Answer::Done);
    let why = unknown(write(&mut client).await);
    assert_eq!(why, "the shim failed: an answer to request 1 instead of 2");
    assert_eq!(late.kinds(), [(ShimProblemKind::SecondAnswer, 1)]);
    assert_eq!(write(&mut client).await, Answer::Done, "by a new process");
}

#[tokio::test]
async fn an_info_is_no_problem_and_ends_the_process() {
    let bench = Bench::script(r#"ask; say "{\"id\":$id,\"type\":\"info\",\"error\":\"reset by peer\"}"; ask"#);
    let mut client = bench.client();
    assert_eq!(unknown(write(&mut client).await), "reset by peer");
    bench.nothing_is_left().await;
    assert_eq!(bench.kinds(), []);
}

#[tokio::test]
async fn a_fail_is_certain_and_keeps_the_process() {
    let script = r#"while ask; do say "{\"id\":$id,\"type\":\"fail\",\"error\":\"refused, pid $$\"}"; done"#;
    let bench = Bench::script(script);
    let mut client = bench.client();
    let first = not_done(write(&mut client).await);
    assert_eq!(not_done(write(&mut client).await), first);
    assert_eq!(bench.kinds(), []);
}

#[tokio::test]
async fn requests_wait_for_the_ready_line() {
    let script = r#"until [ -e "$FOLDER/go" ]; do sleep 0.01; done; say '{"type":"ready"}'
while ask; do say "{\"id\":$id,\"type\":\"ok\"}"; done"#;
    let mut bench = Bench::script(script).short();
    bench.options.start_timeout = Some(PATIENCE);
    let mut client = bench.client();
    assert_eq!(not_done(write(&mut client).await), "the shim is still starting");
    fs::write(bench.dir.path().join("go"), "").unwrap();
    let until = Instant::now() + PATIENCE;
    let answer = loop {
        match write(&mut client).await {
            Answer::NotDone(why) => assert!(Instant::now() < until, "{why}"),
            answer => break answer,
        }
    };
    assert_eq!(answer, Answer::Done);
    assert_eq!(bench.kinds(), []);
}

#[tokio::test]
async fn a_ready_line_does_no_harm_where_none_is_waited_for() {
    let script = r#"say '{"type":"ready"}'; while ask; do say "{\"id\":$id,\"type\":\"ok\"}"; done"#;
    let bench = Bench::script(script);
    let mut client = bench.client();
    for _ in 0..2 {
        assert_eq!(write(&mut client).await, Answer::Done);
    }
    assert_eq!(bench.kinds(), []);
}

#[tokio::test]
async fn a_shim_that_is_never_ready_was_never_asked() {
    for (script, kind, complaint) in [
        ("sleep 600", ShimProblemKind::NotReady, "it wrote no ready line"),
        ("echo '{\"id\":1,\"type\":\"ok\"}'; sleep 600", ShimProblemKind::NotReady, "does not say that it is ready"),
        ("echo hello; sleep 600", ShimProblemKind::Unreadable, "\"hello\""),
        ("exit 4", ShimProblemKind::Crashed, "exit code 4"),
    ] {
        let mut bench = Bench::script(script);
        bench.options.start_timeout = Some(if kind == ShimProblemKind::NotReady { SHORT } else { PATIENCE });
        if script.starts_with("echo '") {
            bench.options.start_timeout = Some(PATIENCE);
        }
        let why = not_done(write(&mut bench.client()).await);
        assert!(why.contains(complaint), "{why}");
        assert_eq!(bench.kinds(), [(kind, 1)], "{script}");
        bench.nothing_is_left().await;
    }
}

/// Children of a shim share its fate, also when it has been cut off in the middle of a request.
#[tokio::test]
async fn no_process_is_left_over() {
    let script = r#"sleep 600 & ask; say "{\"id\":$id,\"type\":\"ok\"}"; ask; : >"$FOLDER/$SCHISM_NODE"; sleep 600"#;
    let bench = Bench::script(script);
    let connector = bench.connector();
    for node in [1, 2] {
        let mut client = connector.open(node).unwrap();
        assert_eq!(write(&mut client).await, Answer::Done);
        assert!(bench.processes().len() >= 2, "{:?}", bench.processes());
        let reached = bench.dir.path().join(node.to_string());
        let request = Request::new(3, Action::Write(5));
        tokio::select! {
            response = client.invoke(&request) => panic!("{response:?}"),
            () = poll("the request is under way", || reached.exists()) => {}
        }
        if node == 1 {
            // A future that is dropped takes the process with it, whatever becomes of the client.
            bench.nothing_is_left().await;
        }
    }
    drop(connector.open(1).unwrap());
    bench.nothing_is_left().await;
}

/// A process that has been killed must not stay in the table of processes either.
#[tokio::test]
async fn processes_are_reaped() {
    let bench = memory();
    let mut client = bench.client();
    assert_eq!(write(&mut client).await, Answer::Done);
    let processes = bench.processes();
    assert!(!processes.is_empty());
    drop(client);
    poll("its entry in /proc vanishes", || processes.iter().all(|path| !path.exists())).await;
}
