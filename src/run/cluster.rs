//! A cluster on hosts of its own: up, led, settled, down. Each wait has a limit.

use std::{
    fs,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use histories::RunDir;
use nemesis::{Capabilities, Hosts, Nemesis, NodeCommand, NodeId, Sandbox};

use crate::{
    exit::ExitStatus,
    host,
    plan::Plan,
    systems::schism::{Address, INIT, Observer, Status, is_settled, leader_of, node_arguments},
    ui::Failure,
};

/// How long a cluster may take to elect its first leader.
const LEADER_LIMIT: Duration = Duration::from_secs(15);
/// How long a healed cluster may take until all nodes follow one leader again.
const SETTLE_LIMIT: Duration = Duration::from_secs(20);
/// How long nodes may take to end by themselves.
const STOP_LIMIT: Duration = Duration::from_secs(2);
/// So much of the end of a node's log is looked at for why it ended.
const LAST_WORDS_BYTES: usize = 2000;
/// How long to wait between one look and the next.
const POLL: Duration = Duration::from_millis(10);

/// Running nodes, and the one who may break them.
#[derive(Debug)]
pub(crate) struct Cluster {
    nemesis: Arc<Mutex<Nemesis>>,
    pub(crate) observer: Observer,
    pub(crate) addresses: Vec<Address>,
    dir: RunDir,
    started: Instant,
}

impl Cluster {
    /// Makes the hosts and starts the nodes.
    pub(crate) fn up(
        plan: &Plan,
        dir: &RunDir,
        sandbox: &Sandbox,
        can: &Capabilities,
        log: nemesis::Log,
    ) -> anyhow::Result<Self> {
        let started = Instant::now();
        let hosts = Hosts::create(plan.nodes, sandbox, can, log).context("making the nodes' hosts")?;
        let addresses = addresses(&hosts)?;
        let mut nemesis = Nemesis::new(hosts);
        for id in 1..=plan.nodes {
            let node_dir = dir.node_dir(id)?;
            let clock = node_dir.join("clock");
            let command = NodeCommand {
                program: "/proc/self/exe".into(),
                args: node_arguments(id, &addresses, &node_dir, &clock, &plan.settings),
                first_args: vec![INIT.into()],
                env: Vec::new(),
                log: node_dir.join("node.log"),
                clock: Some(clock),
            };
            nemesis.start(NodeId(id), command).with_context(|| format!("starting n{id}"))?;
        }
        let observer = Observer::new(&addresses)?;
        Ok(Self { nemesis: Arc::new(Mutex::new(nemesis)), observer, addresses, dir: dir.clone(), started })
    }

    /// Waits for a leader that a majority follows, and for all nodes to be there: one that is killed before it has any data would not
    /// start again. How long it took since the first step towards the cluster.
    pub(crate) async fn wait_for_leader(&self) -> anyhow::Result<Duration> {
        let led = |statuses: &[Option<Status>]| {
            let Some(leader) = leader_of(statuses) else { return false };
            let followers = statuses.iter().flatten().filter(|status| status.leader == Some(leader)).count();
            followers > statuses.len() / 2 && statuses.iter().all(Option::is_some)
        };
        match self.wait(LEADER_LIMIT, led).await? {
            Ok(()) => Ok(self.started.elapsed()),
            Err(seen) => Err(Failure::new(ExitStatus::Failed, format!("no leader within {LEADER_LIMIT:?}: {seen}"))
                .hint(format!("the nodes' logs are in {}", self.dir.path().join("nodes").display()))
                .into()),
        }
    }

    /// Waits until all nodes follow one leader and have caught up; what was seen instead, if they do not.
    pub(crate) async fn settle(&self) -> anyhow::Result<Option<String>> {
        Ok(self.wait(SETTLE_LIMIT, is_settled).await?.err())
    }

    async fn wait(
        &self,
        limit: Duration,
        done: impl Fn(&[Option<Status>]) -> bool,
    ) -> anyhow::Result<Result<(), String>> {
        let end = Instant::now() + limit;
        loop {
            let statuses = self.observer.statuses().await;
            if done(&statuses) {
                return Ok(Ok(()));
            }
            if let Some((node, status)) = self.with(Nemesis::crashed).await?.into_iter().next() {
                return self.blame(format!("{node} ended by itself ({status})"), node).map(Err);
            }
            if Instant::now() > end {
                return Ok(Err(describe(&statuses)));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// What is told of a node that ended by itself.
    ///
    /// # Errors
    /// By its own last words the host is to blame, which says nothing about the system.
    fn blame(&self, what: String, node: NodeId) -> anyhow::Result<String> {
        let log = self.dir.path().join("nodes").join(node.0.to_string()).join("node.log");
        let said = fs::read(log).unwrap_or_default();
        let last = String::from_utf8_lossy(&said[said.len().saturating_sub(LAST_WORDS_BYTES)..]).into_owned();
        if host::is_blamed_in(&last) {
            let words: Vec<&str> = last.lines().filter(|line| !line.starts_with('{')).map(str::trim).collect();
            let what = format!("{what}: {}", words.join(" ").trim());
            return Err(Failure::new(ExitStatus::Failed, what).into());
        }
        Ok(what)
    }

    /// Lets the nemesis do something, on a thread that may block.
    pub(crate) async fn with<T: Send + 'static>(&self, act: impl FnOnce(&mut Nemesis) -> T + Send + 'static) -> T {
        let nemesis = Arc::clone(&self.nemesis);
        let acting =
            tokio::task::spawn_blocking(move || act(&mut nemesis.lock().unwrap_or_else(PoisonError::into_inner)));
        acting.await.expect("the nemesis does not panic, and the runtime outlives it")
    }

    /// Ends all nodes and takes their hosts away; their logs stay, their data goes.
    pub(crate) async fn down(&self) -> anyhow::Result<()> {
        self.with(|nemesis| nemesis.stop_all(STOP_LIMIT)).await.context("ending the nodes")?;
        self.with(Nemesis::remove_hosts).await.context("removing the nodes' hosts")?;
        for id in (1..).take(self.addresses.len()) {
            let data = self.dir.node_dir(id)?.join("data");
            fs::remove_dir_all(&data).with_context(|| format!("removing {}", data.display()))?;
        }
        Ok(())
    }
}

fn addresses(hosts: &Hosts) -> anyhow::Result<Vec<Address>> {
    if hosts.are_separate() {
        return Ok(hosts.iter().map(|host| Address::on_host(host.address)).collect());
    }
    let ports = nemesis::free_ports(2 * hosts.iter().count()).context("finding free ports")?;
    let pairs = hosts.iter().zip(ports.chunks(2));
    Ok(pairs.map(|(host, pair)| Address::with_ports(host.address, pair[0], pair[1])).collect())
}

fn describe(statuses: &[Option<Status>]) -> String {
    let nodes = (1..).zip(statuses).map(|(id, status): (u16, _)| match status {
        Some(status) => format!("n{id} is {} in term {}", status.role, status.term),
        None => format!("n{id} does not answer"),
    });
    nodes.collect::<Vec<_>>().join(", ")
}
