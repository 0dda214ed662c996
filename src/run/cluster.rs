//! A cluster of nodes on hosts of their own: start, first leader, recovery, end. Each wait has a limit.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use histories::RunDir;
use nemesis::{Hosts, Nemesis, NodeCommand, NodeId, NodeLog};

use super::{
    files::{LOG_FILE, PCAP_COUNTS_FILE, PCAP_FOLDER, PREPARED_FOLDER, node_file},
    host::Host,
};
use crate::{
    error::{ExitStatus, Failure, host_limits},
    run::plan::{Plan, shell_words},
    systems::{
        Address, Deployment, Ports, Status, StatusClient, System, Timing, describe_unsettled, is_ready, is_settled,
        members_of,
    },
    terminal,
};

/// Words for a node whose process ended though nobody had asked it to.
pub(crate) const ENDED_BY_ITSELF: &str = "ended by itself";

/// Length of the end of a node's log that is searched for the reason why it ended.
const LAST_WORDS_BYTES: usize = 2000;
/// Number of characters quoted of what a node printed before it ended.
const LAST_WORDS_CHARS: usize = 300;

/// Returns the command line of a node's first start, as it is typed into a shell.
fn words_of(command: &NodeCommand) -> String {
    let arguments = command.args.iter().chain(&command.first_args).map(|argument| argument.to_string_lossy());
    let words: Vec<String> =
        [command.program.to_string_lossy()].into_iter().chain(arguments).map(Cow::into_owned).collect();
    shell_words(&words)
}

/// Running nodes, and the nemesis that injects faults into them.
#[derive(Debug)]
pub(crate) struct Cluster {
    nemesis: Arc<Mutex<Nemesis>>,
    pub(crate) observer: StatusClient,
    pub(crate) deployment: Deployment,
    system: &'static dyn System,
    timing: Timing,
    dir: RunDir,
    started: Instant,
}

impl Cluster {
    /// Creates the hosts and starts the nodes. What is prepared once is kept in `prepared`, or else only until the
    /// nodes have been started.
    pub(crate) fn up(
        plan: &Plan,
        dir: &RunDir,
        prepared: Option<PathBuf>,
        host: &Host,
        log: nemesis::Log,
    ) -> anyhow::Result<Self> {
        let started = Instant::now();
        let hosts = Hosts::create(plan.all_nodes(), host.sandbox(), host.capabilities(), log);
        let mut hosts = hosts.context("making the nodes' hosts")?;
        if plan.pcap {
            hosts.capture(&dir.path().join(PCAP_FOLDER))?;
        }
        let own = dir.path().join(PREPARED_FOLDER);
        let system = plan.system();
        let settings = plan.settings.clone();
        let timing = system.timing(&settings);
        let (addresses, read) = (addresses(system, &hosts)?, plan.read.clone());
        let prepared = prepared.unwrap_or_else(|| own.clone());
        let members = plan.nodes;
        let deployment = Deployment { addresses, members, read, settings, dir: dir.path().to_owned(), prepared };
        let mut nemesis = Nemesis::new(hosts);
        let mut logs = Vec::new();
        if let Some(operator) = system.operator(&deployment) {
            nemesis.set_operator(operator);
            nemesis.set_members((1..=plan.nodes).map(NodeId).collect());
        }
        for id in 1..=plan.all_nodes() {
            let log = NodeLog::new(dir.node_dir(id)?.join(LOG_FILE));
            let clock = deployment.clock_file(id);
            if let Some(rule) = plan.entry_rule() {
                let mounted = nemesis.mount_disk(NodeId(id), &deployment.data_dir(id), rule);
                mounted.with_context(|| format!("preparing n{id}"))?;
            }
            let start = system.start_command(id, &deployment).with_context(|| format!("preparing n{id}"))?;
            let command = NodeCommand {
                program: start.program,
                args: start.args,
                first_args: start.first_args,
                beside: start.beside,
                ordinary: start.ordinary,
                view: start.view,
                stop: start.stop,
                stop_within: timing.stop_within,
                env: start.env,
                log: log.clone(),
                clock: system.reads_clock_file().then_some(clock),
            };
            terminal::detail(|| format!("  starting n{id}: {}", words_of(&command)));
            nemesis.start(NodeId(id), command).with_context(|| format!("starting n{id}"))?;
            logs.push(log);
        }
        remove(&own)?;
        let observer = StatusClient::new(system, &deployment, logs);
        let nemesis = Arc::new(Mutex::new(nemesis));
        Ok(Self { nemesis, observer, deployment, system, timing, dir: dir.clone(), started })
    }

    /// Waits until the cluster is ready. Returns the time since its creation began.
    pub(crate) async fn wait_until_ready(&self) -> anyhow::Result<Duration> {
        let has_roles = self.observer.has_roles();
        let limit = self.timing.ready_within;
        if let Some(seen) = self.wait(limit, |statuses| is_ready(has_roles, statuses)).await? {
            let missing = if has_roles { "no leader" } else { "not all nodes are up" };
            return Err(Failure::new(ExitStatus::Failed, format!("{missing} within {limit:?}: {seen}"))
                .hint(format!("the nodes' logs are in {}", self.dir.path().join("nodes").display()))
                .into());
        }
        tokio::time::sleep(self.timing.settle).await;
        Ok(self.started.elapsed())
    }

    /// Returns the members of the cluster, as the node knows them that leads; none if all nodes are, or nobody leads.
    pub(crate) async fn members(&self) -> Option<BTreeSet<u16>> {
        if !self.system.can_change_members() {
            return None;
        }
        members_of(&self.observer.statuses().await)
    }

    /// Waits until all members follow one leader and have caught up, and all other nodes answer. If they do not in
    /// time, returns what was seen instead.
    pub(crate) async fn settle(&self) -> anyhow::Result<Option<String>> {
        let has_roles = self.observer.has_roles();
        let seen = self.wait(self.timing.settled_within, |statuses| is_settled(has_roles, statuses)).await?;
        if seen.is_none() {
            tokio::time::sleep(self.timing.settle).await;
        }
        Ok(seen)
    }

    /// Waits until the nodes are as wanted. If they are not in time, returns what was seen instead.
    async fn wait(&self, limit: Duration, done: impl Fn(&[Option<Status>]) -> bool) -> anyhow::Result<Option<String>> {
        let end = Instant::now() + limit;
        loop {
            let statuses = self.observer.statuses().await;
            if done(&statuses) {
                return Ok(None);
            }
            if let Some((node, status)) = self.with(Nemesis::crashed).await?.into_iter().next() {
                return self.blame(format!("{node} {ENDED_BY_ITSELF} ({status})"), node).map(Some);
            }
            if Instant::now() > end {
                return Ok(Some(describe_unsettled(&statuses, self.observer.questions())));
            }
            tokio::time::sleep(self.observer.effort().poll).await;
        }
    }

    /// Decides who is to blame for a node that ended by itself, and returns `what` if it is the node.
    ///
    /// # Errors
    /// Fails if the node's log blames the host, as this says nothing about the system.
    fn blame(&self, what: String, node: NodeId) -> anyhow::Result<String> {
        let log = self.dir.path().join(node_file(node.0, LOG_FILE));
        let said = fs::read(log).unwrap_or_default();
        let last = String::from_utf8_lossy(&said[said.len().saturating_sub(LAST_WORDS_BYTES)..]).into_owned();
        if host_limits::is_blamed_in(&last) {
            let what = format!("{what}: {}", self.system.last_words(&last));
            return Err(Failure::new(ExitStatus::Failed, what).into());
        }
        let words: String = self.system.last_words(&last).chars().take(LAST_WORDS_CHARS).collect();
        Ok(if words.is_empty() { what } else { format!("{what}: {words}") })
    }

    /// Calls a function on the nemesis, on a thread that may block.
    pub(crate) async fn with<T: Send + 'static>(&self, act: impl FnOnce(&mut Nemesis) -> T + Send + 'static) -> T {
        let nemesis = Arc::clone(&self.nemesis);
        let acting =
            tokio::task::spawn_blocking(move || act(&mut nemesis.lock().unwrap_or_else(PoisonError::into_inner)));
        acting.await.expect("the nemesis does not panic, and the runtime outlives it")
    }

    /// Stops all nodes and removes their hosts. Their logs stay, their data is removed. Describes those that had to be
    /// killed, if any.
    pub(crate) async fn down(&self) -> anyhow::Result<Option<String>> {
        let killed = self.with(Nemesis::stop_all).await.context("ending the nodes")?;
        let captured = self.with(Nemesis::end_capture).await;
        self.with(Nemesis::remove_hosts).await.context("removing the nodes' hosts")?;
        let captured = captured?;
        if !captured.is_empty() {
            self.dir.write_json(PCAP_COUNTS_FILE, &captured)?;
        }
        for id in (1..).take(self.deployment.addresses.len()) {
            remove(&self.deployment.data_dir(id))?;
        }
        let names: Vec<String> = killed.iter().map(ToString::to_string).collect();
        let limit = self.timing.stop_within;
        Ok((!names.is_empty()).then(|| format!("{} took longer than {limit:?} to end", names.join(", "))))
    }
}

/// Removes a folder, if it is there.
fn remove(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", folder.display()))
        }
        _ => Ok(()),
    }
}

fn addresses(system: &dyn System, hosts: &Hosts) -> anyhow::Result<Vec<Address>> {
    if hosts.are_separate() {
        let own = system.ports();
        return Ok(hosts.iter().map(|host| Address::with_ports(host.address, own)).collect());
    }
    let free = nemesis::free_ports(Ports::COUNT * hosts.iter().count()).context("finding free ports")?;
    let each = hosts.iter().zip(free.chunks(Ports::COUNT));
    let ports = |free: &[u16]| Ports { peer: free[0], client: free[1], election: free[2] };
    Ok(each.map(|(host, free)| Address::with_ports(host.address, ports(free))).collect())
}
