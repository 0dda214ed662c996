//! Tests of simulated nodes: a small cluster of them on virtual time.

use std::net::SocketAddr;

use super::*;
use crate::raft::Role;

const MS: u64 = 1_000_000;

/// Hosts whose frames arrive after a millisecond, and in the order of their numbers at the same time.
struct Cluster {
    hosts: Vec<SimulatedHost>,
    now_ns: u64,
    under_way: Vec<(u64, usize, usize, Parcel)>,
    answers: Vec<(u64, u16, String)>,
}

impl Cluster {
    fn new(disk: DiskOptions) -> Self {
        let peers: BTreeMap<_, _> =
            (1..=3_u8).map(|id| (NodeId(id.into()), SocketAddr::from(([127, 0, 0, id], 7000)))).collect();
        let client = SocketAddr::from(([127, 0, 0, 1], 8000));
        let host = |id| {
            let mut config = Config::new(NodeId(id), peers.clone(), client, "simulated");
            config.seed = Some(7);
            let mut host = SimulatedHost::new(config, disk, id);
            host.start(0, [id, id]).unwrap();
            host
        };
        Self { hosts: (1..=3).map(host).collect(), now_ns: 0, under_way: Vec::new(), answers: Vec::new() }
    }

    /// Lets time pass, a tenth of a millisecond at a time.
    fn pass(&mut self, span_ms: u64) {
        let end_ns = self.now_ns + span_ms * MS;
        while self.now_ns < end_ns {
            self.now_ns += MS / 10;
            let now_ns = self.now_ns;
            let due: Vec<_> = self.under_way.extract_if(.., |(at_ns, ..)| *at_ns <= now_ns).collect();
            for (_, from, to, parcel) in due {
                self.hosts[to].deliver(NodeId(from as u64 + 1), parcel);
            }
            for node in 0..self.hosts.len() {
                let host = &mut self.hosts[node];
                let is_due = host.has_inputs() || host.wakes_at_ns().is_some_and(|at_ns| at_ns <= now_ns);
                if is_due && host.free_at_ns() <= now_ns {
                    self.step(node).ok();
                }
            }
        }
    }

    fn step(&mut self, node: usize) -> Result<(), Error> {
        let mut outgoing = Vec::new();
        let stepped = self.hosts[node].step(self.now_ns, &mut outgoing, &mut Vec::new());
        for (at_ns, leaving) in outgoing {
            match leaving {
                Outgoing::Frame(to, parcel) => {
                    self.under_way.push((at_ns + MS, node, usize::try_from(to.0).unwrap() - 1, parcel));
                }
                Outgoing::Answer(number, status, body) => {
                    self.answers.push((number, status, String::from_utf8(body).unwrap()));
                }
            }
        }
        stepped
    }

    fn leader(&self) -> Option<usize> {
        self.hosts.iter().position(|host| host.status().is_some_and(|status| status.role == Role::Leader))
    }
}

#[test]
fn a_cluster_elects_writes_and_reads_on_virtual_time() {
    let mut cluster = Cluster::new(DiskOptions { sync_ns: (MS / 5, MS), failures_per_million: 0 });
    cluster.pass(300);
    let leader = cluster.leader().unwrap();
    let follower = (leader + 1) % 3;
    assert_eq!(cluster.hosts[follower].ask(1, "PUT", "/v1/kv/k", br#"{"value":5}"#), None);
    cluster.pass(50);
    assert_eq!(cluster.hosts[leader].ask(2, "GET", "/v1/kv/k?read=quorum", b""), None);
    cluster.pass(50);
    assert_eq!(
        cluster.answers.iter().map(|(number, status, _)| (*number, *status)).collect::<Vec<_>>(),
        [(1, 200), (2, 200)]
    );
    assert!(cluster.answers[1].2.contains(r#""value":5"#), "{:?}", cluster.answers);
    let (status, malformed) = cluster.hosts[leader].ask(3, "GET", "/v1/kv/k?read=lucky", b"").unwrap();
    assert!(status == 400 && String::from_utf8(malformed).unwrap().contains("lucky"));
    let log = String::from_utf8(cluster.hosts[leader].take_log()).unwrap();
    assert!(log.lines().any(|line| line.contains(r#""role":"leader""#)), "{log}");
}

#[test]
fn power_lost_in_a_sync_ends_the_process_and_keeps_what_was_acknowledged() {
    let mut cluster = Cluster::new(DiskOptions::default());
    cluster.pass(300);
    let leader = cluster.leader().unwrap();
    cluster.hosts[leader].ask(1, "PUT", "/v1/kv/k", br#"{"value":5}"#);
    cluster.pass(50);
    assert_eq!(cluster.answers.len(), 1);
    cluster.hosts[leader].lose_power_at_sync(0, PowerLoss::Sectors(9));
    cluster.hosts[leader].ask(2, "PUT", "/v1/kv/k", br#"{"value":6}"#);
    cluster.pass(50);
    assert!(!cluster.hosts[leader].is_up(), "it was in a sync");
    cluster.hosts[leader].start(cluster.now_ns, [8, 8]).unwrap();
    cluster.pass(1500);
    let leader = cluster.leader().unwrap();
    cluster.hosts[leader].ask(3, "GET", "/v1/kv/k?read=log", b"");
    cluster.pass(50);
    let (_, status, found) = cluster.answers.last().unwrap();
    let known = [r#""value":5"#, r#""value":6"#];
    assert!(*status == 200 && known.iter().any(|known| found.contains(known)), "{found}");
}

#[test]
fn a_disk_that_fails_ends_the_process() {
    let mut cluster = Cluster::new(DiskOptions { sync_ns: (0, 0), failures_per_million: 1_000_000 });
    cluster.pass(600);
    let down: Vec<usize> = (0..3).filter(|node| !cluster.hosts[*node].is_up()).collect();
    assert!(down.len() > 1, "each vote is a sync");
    assert!(cluster.hosts[down[0]].start(cluster.now_ns, [8, 8]).is_err(), "nor does it start again");
}
