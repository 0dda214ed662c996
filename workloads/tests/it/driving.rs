//! Tests of whole loads: the histories they record, and how they end.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use histories::{
    Event, EventType, Function, History, MAX_REVISION, NEVER, Operation, Outcome, Recorder, ValueId, read_file,
};
use serde_json::json;
use tokio::{net::TcpListener, sync::watch};
use workloads::{
    Action, Answer, Client, ClientError, Clients, Connect, Connector, DriveError, FinalReads, HttpConnector,
    HttpOptions, Load, LoadSummary, Mix, ProbeOptions, Progress, Request, Response, UnreadKey, Workload, drive,
    final_reads, keep_probing, workload,
};

use crate::server::{ReceivedRequest, Reply, Server};

/// Setup of a load, and its results.
pub(crate) struct Bench {
    _dir: tempfile::TempDir,
    path: PathBuf,
    recorder: Arc<Recorder>,
    pub(crate) progress: Arc<Progress>,
    stopper: watch::Sender<bool>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.jsonl");
        let recorder = Arc::new(Recorder::create(&path, Instant::now()).unwrap());
        Self { _dir: dir, path, recorder, progress: Arc::default(), stopper: watch::channel(false).0 }
    }

    async fn drive(&self, load: &Load, connect: impl Connect) -> Result<LoadSummary, DriveError> {
        let clients = Clients::open(load, Connector::new(connect), self.stopper.subscribe()).await?;
        drive(load, clients, Arc::clone(&self.recorder), Arc::clone(&self.progress), self.stopper.subscribe()).await
    }

    pub(crate) async fn final_reads(&self, reads: &FinalReads, connect: impl Connect) -> Vec<UnreadKey> {
        let (recorder, progress) = (Arc::clone(&self.recorder), Arc::clone(&self.progress));
        let connector = Connector::new(connect);
        final_reads(reads, connector, recorder, progress, self.stopper.subscribe()).await.unwrap()
    }

    pub(crate) fn history(&self) -> History {
        read_file(&self.path).unwrap()
    }

    pub(crate) fn events(&self) -> Vec<Event<'static>> {
        let text = std::fs::read_to_string(&self.path).unwrap();
        text.lines().map(|line| serde_json::from_str::<Event<'_>>(line).unwrap().into_owned()).collect()
    }
}

pub(crate) fn register() -> &'static dyn Workload {
    workload("register").unwrap()
}

fn load(concurrency: u16, rate: u32, milliseconds: u64) -> Load {
    Load {
        seed: 7,
        concurrency,
        rate,
        time_limit: Duration::from_millis(milliseconds),
        operation_limit: Duration::from_secs(2),
        workload: register(),
        mix: Mix { mutations_per_key: 50, ..Mix::default() },
    }
}

pub(crate) fn connector<'a>(addresses: impl IntoIterator<Item = &'a SocketAddr>) -> HttpConnector {
    HttpConnector::new(HttpOptions {
        nodes: (1..).zip(addresses.into_iter().copied()).collect(),
        read_mode: "quorum".to_owned(),
        connect_timeout: Duration::from_millis(100),
        operation_timeout: Duration::from_millis(200),
        retry: false,
    })
}

pub(crate) fn to(servers: &[Server]) -> HttpConnector {
    connector(servers.iter().map(|server| &server.address))
}

/// Answers each request at once, without any network.
#[derive(Clone, Copy, Debug)]
struct Local;

impl Connect for Local {
    type Client = Self;

    fn nodes(&self) -> &[u16] {
        &[1, 2]
    }

    fn open(&self, node: u16) -> Result<Self, ClientError> {
        if node > 2 { Err(ClientError { node, reason: "there is none".to_owned() }) } else { Ok(Self) }
    }
}

impl Client for Local {
    async fn invoke(&mut self, request: &Request) -> Response {
        if request.action.is_read() { Answer::Value(7.into()).into() } else { Answer::Done.into() }
    }
}

#[tokio::test]
async fn clients_of_any_kind_are_driven_and_read_through_one_type() {
    let servers = Server::cluster(2, never).await;
    for connect in [Connector::new(Local), Connector::new(to(&servers))] {
        let bench = Bench::new();
        let driven = bench.drive(&load(4, 1000, 200), connect.clone()).await.unwrap();
        assert!(bench.progress.ok() > 20, "{connect:?}: {:?}", bench.progress);
        let unread = bench.final_reads(&reads(driven.keys), connect.clone()).await;
        assert_eq!(unread, [], "{connect:?}");
        assert!(connect.open(3).is_err());
    }
}

/// Replies like a cluster that never refuses.
pub(crate) fn never(_: &ReceivedRequest) -> Option<Reply> {
    None
}

/// Closes the connection of every third write without an answer.
fn some_writes_vanish() -> impl Fn(&ReceivedRequest) -> Option<Reply> + Clone {
    let writes = Arc::new(AtomicU32::new(0));
    move |asked| {
        let vanishes = asked.method == "PUT" && writes.fetch_add(1, Ordering::SeqCst) % 3 == 2;
        vanishes.then_some(Reply::Close)
    }
}

fn is_mutation(operation: &Operation) -> bool {
    operation.function != Function::Read
}

#[tokio::test]
async fn a_load_leaves_a_history_in_which_everything_completed() {
    let servers = Server::cluster(3, never).await;
    let bench = Bench::new();
    let mix = Mix { mutations_per_key: 10, ..Mix::default() };
    let driven = bench.drive(&Load { mix, ..load(6, 0, 400) }, to(&servers)).await.unwrap();
    let history = bench.history();
    assert_eq!(history.operations.len() as u64, bench.progress.ok() + bench.progress.fail());
    assert_eq!(bench.progress.info(), 0);
    assert!(history.operations.iter().all(|op| matches!(op.outcome, Outcome::Ok | Outcome::Mismatch)));
    for (index, op) in history.operations.iter().enumerate() {
        assert_eq!(u32::from(history.node(index)), op.process % 3 + 1, "own nodes");
        assert_eq!(history.revision(index), Some(1), "as the server says");
    }
    let functions: BTreeSet<_> = history.operations.iter().map(|op| op.function.to_string()).collect();
    assert_eq!(functions, ["cas", "read", "write"].map(str::to_owned).into());
    assert_eq!(driven.next_process, 6);

    let written: Vec<_> = history.operations.iter().filter(|op| is_mutation(op)).map(written).collect();
    assert_eq!(written.iter().collect::<BTreeSet<_>>().len(), written.len(), "values are unique");
    let keys: BTreeSet<_> = history.operations.iter().map(|op| history.value(op.key).to_string()).collect();
    let known: BTreeSet<_> = driven.keys.iter().map(|key| format!("\"k{key}\"")).collect();
    assert!(keys.is_subset(&known) && keys.len() > 5, "keys make room for fresh ones: {keys:?} {known:?}");
}

fn written(operation: &Operation) -> ValueId {
    if operation.function == Function::Cas { operation.to } else { operation.input }
}

#[tokio::test]
async fn all_clients_contend_for_the_same_keys() {
    let servers = Server::cluster(2, never).await;
    let bench = Bench::new();
    let load = Load { mix: Mix { keys: 2, mutations_per_key: 1000, ..Mix::default() }, ..load(4, 0, 300) };
    bench.drive(&load, to(&servers)).await.unwrap();
    let mut clients: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for operation in bench.history().operations {
        clients.entry(operation.key).or_default().insert(operation.process);
    }
    assert!(clients.values().take(2).all(|clients| clients.len() == 4), "{clients:?}");
}

#[tokio::test]
async fn a_process_that_ended_in_info_is_followed_by_a_new_one_on_the_same_node() {
    let servers = Server::cluster(3, some_writes_vanish()).await;
    let bench = Bench::new();
    let driven = bench.drive(&load(4, 0, 500), to(&servers)).await.unwrap();
    // The reader rejects a process that comes back.
    let history = bench.history();
    let last = history.operations.iter().map(|op| op.process).max().unwrap();
    assert!(last >= 4 && driven.next_process > u64::from(last), "{last} {driven:?}");
    for (index, operation) in history.operations.iter().enumerate() {
        let node = u16::try_from(operation.process % 4 % 3 + 1).unwrap();
        assert_eq!(history.node(index), node, "worker {} of process {}", operation.process % 4, operation.process);
    }
    assert!(history.operations.iter().any(|op| op.outcome == Outcome::Info && op.completed == NEVER));
    assert!(history.operations.iter().filter(|op| op.outcome == Outcome::Info).all(is_mutation));
}

#[tokio::test]
async fn a_read_with_an_unknown_end_is_a_fail() {
    let server = Server::start(|_| Reply::Close).await;
    let bench = Bench::new();
    let mix = Mix { read_percent: 100, cas_percent: 0, ..Mix::default() };
    bench.drive(&Load { mix, ..load(1, 0, 200) }, connector([&server.address])).await.unwrap();
    let history = bench.history();
    assert!(history.operations.iter().all(|op| op.outcome == Outcome::Fail && op.process == 0));
}

#[tokio::test]
async fn the_rate_is_that_of_all_clients_together() {
    let servers = Server::cluster(1, never).await;
    let bench = Bench::new();
    bench.drive(&load(8, 100, 500), to(&servers)).await.unwrap();
    let operations = bench.history().operations.len();
    // 50 on average: the gaps between operations are random.
    assert!((10..=100).contains(&operations), "{operations}");
}

#[tokio::test]
async fn a_dead_node_is_asked_less_and_less_often_while_others_go_on() {
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let servers = Server::cluster(1, never).await;
    let bench = Bench::new();
    bench.drive(&load(2, 0, 600), connector([&dead, &servers[0].address])).await.unwrap();
    let history = bench.history();
    let of_node = |node| (0..history.operations.len()).filter(|&index| history.node(index) == node).count();
    // 0, 10, 30, 70, 150, 310, 510 ms.
    assert!((2..=8).contains(&of_node(1)), "{}", of_node(1));
    assert!(of_node(2) > of_node(1) * 4, "{}", of_node(2));
}

#[tokio::test]
async fn a_stopped_load_ends_in_order() {
    let servers = Server::cluster(2, never).await;
    let bench = Bench::new();
    let stop = async {
        while bench.progress.ok() < 20 {
            tokio::task::yield_now().await;
        }
        bench.stopper.send(true).unwrap();
    };
    let endless = load(4, 0, 3_600_000);
    let (driven, ()) = tokio::join!(bench.drive(&endless, to(&servers)), stop);
    driven.unwrap();
    let history = bench.history();
    assert!(history.operations.len() >= 20);
    assert!(history.operations.iter().all(|op| op.completed != NEVER), "no operation was abandoned");
}

#[tokio::test]
async fn a_load_that_waits_for_its_pace_is_stopped_as_well() {
    let servers = Server::cluster(1, never).await;
    let bench = Bench::new();
    let slow = Load { rate: 1, ..load(4, 1, 3_600_000) };
    let stop = async {
        while bench.progress.ok() < 1 {
            tokio::task::yield_now().await;
        }
        bench.stopper.send(true).unwrap();
    };
    let (driven, ()) = tokio::join!(bench.drive(&slow, to(&servers)), stop);
    driven.unwrap();
}

#[tokio::test]
async fn the_same_seed_asks_the_same() {
    let mut runs = Vec::new();
    for seed in [7, 7, 8] {
        let servers = Server::cluster(1, never).await;
        let bench = Bench::new();
        bench.drive(&Load { seed, ..load(1, 0, 200) }, to(&servers)).await.unwrap();
        let invoked = bench.events().into_iter().filter(|event| event.kind == EventType::Invoke);
        runs.push(invoked.map(|event| (event.f, event.key, event.value)).take(30).collect::<Vec<_>>());
    }
    assert_eq!(runs[0].len(), 30);
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test]
async fn a_load_that_cannot_be_recorded_fails() {
    let servers = Server::cluster(1, never).await;
    let bench = Bench::new();
    bench.recorder.close().unwrap();
    let error = bench.drive(&load(4, 0, 3_600_000), to(&servers)).await.unwrap_err();
    assert!(matches!(error, DriveError::Record(_)), "{error}");
    assert_eq!(servers[0].asked(), 0, "what cannot be recorded is not asked");
}

#[tokio::test]
async fn a_load_needs_nodes_and_clients() {
    let bench = Bench::new();
    let nodes: [&SocketAddr; 0] = [];
    assert!(matches!(bench.drive(&load(1, 0, 10), connector(nodes)).await, Err(DriveError::Nobody)));
    let address = "127.0.0.1:1".parse().unwrap();
    assert!(matches!(bench.drive(&load(0, 0, 10), connector([&address])).await, Err(DriveError::Nobody)));
}

/// Client that never returns.
struct LostClient;

impl Connect for LostClient {
    type Client = Self;
    fn nodes(&self) -> &[u16] {
        &[1]
    }
    fn open(&self, _: u16) -> Result<Self, ClientError> {
        Ok(Self)
    }
}

impl Client for LostClient {
    async fn invoke(&mut self, _: &Request) -> Response {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_client_that_never_comes_back_is_cut_off() {
    let bench = Bench::new();
    let load = Load { operation_limit: Duration::from_millis(50), ..load(2, 0, 120) };
    bench.drive(&load, LostClient).await.unwrap();
    let history = bench.history();
    assert!(history.operations.iter().all(|op| matches!(op.outcome, Outcome::Info | Outcome::Fail)));
    assert_eq!(bench.events().len(), 2 * history.operations.len(), "each has its end in the history");
}

/// Client that does not know the outcome of a write; counts how often one is opened.
struct Doubtful(Arc<AtomicU32>);

impl Connect for Doubtful {
    type Client = Self;
    fn nodes(&self) -> &[u16] {
        &[1]
    }
    fn open(&self, _: u16) -> Result<Self, ClientError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Self(Arc::clone(&self.0)))
    }
}

impl Client for Doubtful {
    async fn invoke(&mut self, request: &Request) -> Response {
        match request.action {
            Action::Read => Answer::NotDone("refused".to_owned()),
            _ => Answer::Unknown("reset".to_owned()),
        }
        .into()
    }
}

#[tokio::test]
async fn a_revision_that_no_history_can_have_breaks_none() {
    let revision = |revision: u64| {
        let body = format!(r#"{{"value":1,"swapped":false,"observed":1,"revision":{revision}}}"#);
        Reply::text(200, "", &body)
    };
    for (absurd, kept) in [(MAX_REVISION, Some(MAX_REVISION)), (u64::MAX, None)] {
        let server = Server::start(move |_| revision(absurd)).await;
        let bench = Bench::new();
        bench.drive(&load(1, 0, 50), connector([&server.address])).await.unwrap();
        assert_eq!(bench.history().revision(0), kept);
    }
}

#[tokio::test]
async fn after_an_unknown_outcome_the_connections_are_dropped_with_the_client() {
    let (bench, opened) = (Bench::new(), Arc::new(AtomicU32::new(0)));
    bench.drive(&load(2, 0, 400), Doubtful(Arc::clone(&opened))).await.unwrap();
    let unknown = bench.history().operations.iter().filter(|op| op.outcome == Outcome::Info).count();
    assert!(unknown > 0);
    assert_eq!(opened.load(Ordering::SeqCst) as usize, 2 + unknown);
}

pub(crate) fn reads(keys: Vec<u32>) -> FinalReads {
    FinalReads {
        without: Vec::new(),
        workload: register(),
        keys,
        max_keys: 3,
        first_process: 100,
        time_limit: Duration::from_secs(20),
        operation_limit: Duration::from_secs(2),
    }
}

/// Checks that a silent node counts as unavailable, however patient the clients of a load are, that others do not, and
/// that reads and writes are counted apart.
#[tokio::test]
async fn probes_tell_which_node_can_be_read_and_which_can_be_written() {
    let silent = Server::start(|_| Reply::Silence).await;
    let read_only = |asked: &ReceivedRequest| {
        let refusal = json!({"error": "no leader", "happened": "no"});
        (asked.method == "PUT").then(|| Reply::json(503, &refusal))
    };
    let others = Server::cluster(2, read_only).await;
    let addresses = [silent.address, others[0].address, others[1].address];
    let connector = Connector::new(HttpConnector::new(HttpOptions {
        nodes: (1..).zip(addresses).collect(),
        read_mode: "quorum".to_owned(),
        connect_timeout: Duration::from_millis(30),
        operation_timeout: Duration::from_millis(60),
        retry: false,
    }));
    let wait = Duration::from_millis(60);
    let probing = ProbeOptions { workload: register(), every: wait, limit: wait, key: 7 };
    let found = Arc::new(workloads::Availability::default());
    let seen = async {
        loop {
            let nodes = found.by_node();
            if nodes.len() == 3 && nodes.values().all(|node| node.reads.all > 2 && node.writes.all > 2) {
                return nodes;
            }
            tokio::task::yield_now().await;
        }
    };
    let nodes = tokio::select! {
        ended = keep_probing(probing, connector, Arc::clone(&found)) => panic!("it never ends: {ended:?}"),
        nodes = tokio::time::timeout(Duration::from_secs(20), seen) => nodes.expect("probes go on"),
    };
    assert_eq!((nodes[&1].reads.answered, nodes[&1].writes.answered), (0, 0));
    assert_eq!(nodes[&1].reads.outages.len(), 1, "one outage, which goes on");
    for node in [2, 3] {
        assert!(nodes[&node].reads.answered > 0, "{nodes:?}");
        assert_eq!((nodes[&node].writes.answered, nodes[&node].writes.outages.len()), (0, 1), "{nodes:?}");
    }
}
