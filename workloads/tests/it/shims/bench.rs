//! Bench on which shims are tried: their connector, their problems, their processes.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use workloads::{
    Action, Answer, Client as _, Connect as _, Request, ShimClient, ShimConnector, ShimNode, ShimOptions,
    ShimProblemKind, ShimProblems,
};

/// Limit of whatever is expected to happen, on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// Time limit of operations that are expected to exceed it.
pub(super) const SHORT: Duration = Duration::from_millis(300);
/// Beginning of a shim: `ask` reads a request and keeps its number in `id`.
pub(super) const ASK: &str = r#"
ask() { read -r line || exit 0; id=${line#*:}; id=${id%%,*}; }
say() { printf '%s\n' "$*"; }
"#;

/// Connector of one test, with a mark in the environment of all its processes.
pub(super) struct Bench {
    pub options: ShimOptions,
    pub problems: Arc<ShimProblems>,
    pub mark: String,
    pub dir: tempfile::TempDir,
}

impl Bench {
    pub(super) fn new(program: &str, args: &[&str]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let mark = format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst));
        let dir = tempfile::tempdir().unwrap();
        let node = |number: u16| ShimNode { number, address: format!("host-{number}:8000"), env: vec![] };
        let options = ShimOptions {
            program: program.into(),
            args: args.iter().map(Into::into).collect(),
            env: vec![("SHIM_TEST".into(), mark.clone().into()), ("FOLDER".into(), dir.path().into())],
            nodes: vec![node(1), node(2)],
            read_mode: Some("quorum".to_owned()),
            start_timeout: None,
            operation_timeout: PATIENCE,
            max_line_bytes: ShimOptions::MAX_LINE_BYTES,
            stderr: Some(dir.path().join("shims.log")),
        };
        Self { options, problems: Arc::default(), mark, dir }
    }

    /// Returns a bench of a shell script, for each process.
    pub(super) fn script(script: &str) -> Self {
        Self::new("sh", &["-c", &format!("{ASK}{script}")])
    }

    pub(super) fn short(mut self) -> Self {
        self.options.operation_timeout = SHORT;
        self
    }

    pub(super) fn connector(&self) -> ShimConnector {
        ShimConnector::new(self.options.clone(), Arc::clone(&self.problems))
    }

    pub(super) fn client(&self) -> ShimClient {
        self.connector().open(2).unwrap()
    }

    /// Returns the kinds of the problems so far, and their numbers.
    pub(super) fn kinds(&self) -> Vec<(ShimProblemKind, u64)> {
        self.problems.list().into_iter().map(|problem| (problem.kind, problem.count)).collect()
    }

    /// Returns the processes with the mark of this test; those that have ended have none.
    pub(super) fn processes(&self) -> Vec<PathBuf> {
        let mark = format!("SHIM_TEST={}", self.mark);
        let all = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
        let is_marked = |path: &PathBuf| {
            let environment = fs::read(path.join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        };
        all.filter(is_marked).collect()
    }

    pub(super) async fn nothing_is_left(&self) {
        poll("no process of a shim is left", || self.processes().is_empty()).await;
    }
}

/// Waits until this is so.
pub(super) async fn poll(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "not so within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(super) async fn ask(client: &mut ShimClient, action: Action) -> Answer {
    let request = match action {
        Action::Transaction(micro_operations) => Request::transaction(micro_operations),
        action => Request::new(3, action),
    };
    tokio::time::timeout(2 * PATIENCE, client.invoke(&request)).await.expect("a client keeps its own limit").answer
}

pub(super) async fn read(client: &mut ShimClient) -> Answer {
    ask(client, Action::Read).await
}

pub(super) async fn write(client: &mut ShimClient) -> Answer {
    ask(client, Action::Write(5)).await
}

pub(super) fn value(value: i64) -> Answer {
    Answer::Value(value.into())
}

/// Returns why the outcome is unknown.
pub(super) fn unknown(answer: Answer) -> String {
    let Answer::Unknown(why) = answer else { panic!("{answer:?}") };
    why
}

pub(super) fn not_done(answer: Answer) -> String {
    let Answer::NotDone(why) = answer else { panic!("{answer:?}") };
    why
}
