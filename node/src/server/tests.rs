//! Tests of whole clusters on loopback, driven through the client API as a user would.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicU8, Ordering},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use super::*;
use crate::{
    error::StorageError,
    event::{CapturedLog, LogLine},
    raft::{Elections, Role},
};

mod cluster;

use cluster::Cluster;

const LIMIT: Duration = Duration::from_secs(15);
const MODES: [&str; 5] = ["local", "leader", "lease", "quorum", "log"];

fn poll(what: &str, mut reached: impl FnMut() -> bool) {
    let start = Instant::now();
    while !reached() {
        assert!(start.elapsed() < LIMIT, "no {what} in time");
        thread::sleep(Duration::from_millis(5));
    }
}

fn others(leader: u64) -> [u64; 2] {
    let mut others = (1..=3).filter(|id| *id != leader);
    [others.next().unwrap(), others.next().unwrap()]
}

#[test]
fn every_node_takes_writes_and_answers_reads_of_every_mode() {
    let (cluster, leader) = Cluster::running(3, |_| {});
    for (writer, value) in (1..=3).zip(10..) {
        let (status, written) = cluster.put(writer, "k", &json!({ "value": value }));
        assert_eq!((status, &written["node"], &written["role"]), (200, &json!(leader), &json!("leader")), "{written}");
        for reader in 1..=3 {
            for mode in &MODES[1..] {
                let (status, read) = cluster.read(reader, "k", mode);
                assert_eq!((status, &read["value"]), (200, &json!(value)), "{mode} on {reader}: {read}");
                assert_eq!(read["revision"], written["revision"]);
                let node = if *mode == "quorum" { reader } else { leader };
                assert_eq!(read["node"], json!(node), "{mode} on {reader} names the node whose state was read");
            }
            poll("the value in a local read", || cluster.read(reader, "k", "local").1["value"] == json!(value));
        }
    }
    let (status, absent) = cluster.read(others(leader)[0], "nothing", "quorum");
    assert_eq!((status, &absent["value"], &absent["revision"]), (200, &json!(null), &json!(0)));
}

#[test]
fn the_status_counts_what_the_node_did() {
    let (cluster, leader) = Cluster::running(3, |_| {});
    let [follower, _] = others(leader);
    cluster.put(follower, "k", &json!({"value": 1}));
    for mode in MODES {
        assert_eq!(cluster.read(leader, "k", mode).0, 200);
    }
    let status = cluster.status(leader);
    assert_eq!(
        (&status["id"], &status["role"], &status["members"]),
        (&json!(leader), &json!("leader"), &json!([1, 2, 3]))
    );
    assert_eq!(status["counters"]["reads"], json!({"local": 1, "leader": 1, "lease": 1, "quorum": 1, "log": 1}));
    assert_eq!(status["counters"]["proposals"], 1);
    assert!(
        status["counters"]["fsyncs"].as_u64().unwrap() > 0 && status["counters"]["messages_sent"].as_u64().unwrap() > 0
    );
    assert!(status["lease_remaining_ms"].as_u64().is_some_and(|it| it <= 270), "{status}");
    assert_eq!(cluster.status(follower)["lease_remaining_ms"], json!(null));
    let led = |line: &LogLine| {
        matches!(
            line.event,
            Event::RoleChanged { role: Role::Leader, leader: Some(NodeId(id)), .. } if id == leader
        )
    };
    assert!(cluster.events(leader).iter().any(led), "whoever judges the run can see who led");
}

/// Returns the checkpoints of a node by their indices.
fn checkpoints(cluster: &Cluster, id: u64) -> BTreeMap<u64, (u64, String)> {
    let status = cluster.status(id);
    let all = status["checkpoints"].as_array().unwrap().iter();
    let read = |it: &Value| (it["term"].as_u64().unwrap(), it["digest"].as_str().unwrap().to_owned());
    all.map(|it| (it["index"].as_u64().unwrap(), read(it))).collect()
}

#[test]
fn nodes_that_have_applied_the_same_have_the_same_digest_with_or_without_a_snapshot() {
    let (mut cluster, leader) = Cluster::running(3, |config| config.snapshot_after_entries = 20);
    let [late, other] = others(leader);
    cluster.stop(late);
    let client = cluster.call(leader, reqwest::Method::POST, "/v1/sessions", "").1["client"].clone();
    for number in 1..=70 {
        let body = json!({"value": number, "client": client, "seq": number});
        assert_eq!(cluster.put(leader, &format!("k{}", number % 7), &body).0, 200);
    }
    cluster.start(late);
    poll("all have applied the same", || {
        let applied = [leader, late, other].map(|id| cluster.status(id)["applied"].as_u64());
        applied.iter().all(|it| *it == applied[0])
    });
    let [first, second, third] = [leader, late, other].map(|id| checkpoints(&cluster, id));
    assert!(first.contains_key(&32) && first.contains_key(&64), "{first:?}");
    assert_eq!((first.last_key_value(), &first), (second.last_key_value(), &third));
    let distinct: BTreeSet<_> = first.values().collect();
    assert_eq!(distinct.len(), first.len(), "the state changed in between: {first:?}");
}

#[test]
fn a_cas_swaps_only_what_it_expects() {
    let (cluster, leader) = Cluster::running(3, |_| {});
    let [follower, other] = others(leader);
    let (status, first) = cluster.cas(follower, "k", &json!({"from": null, "to": 1}));
    assert_eq!((status, &first["swapped"], &first["observed"]), (200, &json!(true), &json!(null)));
    let (status, second) = cluster.cas(other, "k", &json!({"from": null, "to": 2}));
    assert_eq!((status, &second["swapped"], &second["observed"]), (200, &json!(false), &json!(1)));
    assert_eq!(second["revision"], first["revision"]);
    assert_eq!(cluster.read(other, "k", "quorum").1["value"], 1);
}

/// Returns the last values of an answer: that of a read, or those of the micro-operations.
fn micro_operations(answer: &Value) -> Vec<Value> {
    answer["ops"].as_array().map_or_else(Vec::new, |ops| ops.iter().map(|op| op[2].clone()).collect())
}

#[test]
fn sets_queues_and_transactions_work_through_every_node_in_every_mode() {
    let (cluster, leader) = Cluster::running(3, |_| {});
    let [follower, other] = others(leader);
    let post = |id, path: &str, body: Value| cluster.call(id, reqwest::Method::POST, path, &body.to_string());
    for (id, element) in [(leader, 1), (follower, 2), (other, 2)] {
        assert_eq!(post(id, "/v1/kv/s/add", json!({"value": element})).0, 200);
        assert_eq!(post(id, "/v1/kv/q/enqueue", json!({"value": element})).0, 200);
        let ops = json!([["append", "a", element], ["append", "b", element]]);
        assert_eq!(post(id, "/v1/txn", json!({"ops": ops})).0, 200);
    }
    let both = json!({"ops": [["r", "a", null], ["r", "b", null]]});
    for (id, mode) in [leader, follower, other].into_iter().flat_map(|id| MODES.map(|mode| (id, mode))) {
        poll("the last write in every state", || cluster.read(id, "b", "local").1["value"] == json!([1, 2, 2]));
        assert_eq!(cluster.read(id, "s", mode).1["value"], json!([1, 2]), "{mode} on {id}");
        let (_, first) = cluster.call(id, reqwest::Method::GET, &format!("/v1/kv/q/first?read={mode}"), "");
        assert_eq!(first["value"], 1, "{mode} on {id}: {first}");
        let (_, read) = post(id, &format!("/v1/txn?read={mode}"), both.clone());
        assert_eq!(micro_operations(&read), [json!([1, 2, 2]), json!([1, 2, 2])], "{mode} on {id}: {read}");
    }
    let (_, mixed) = post(follower, "/v1/txn?read=local", json!({"ops": [["append", "a", 3], ["r", "a", null]]}));
    assert_eq!((micro_operations(&mixed), &mixed["node"]), (vec![json!(3), json!([1, 2, 2, 3])], &json!(leader)));
    let written = json!({"ops": [["w", "w", 4], ["r", "w", null], ["w", "a", 5], ["r", "a", null]]});
    let (_, written) = post(other, "/v1/txn?read=local", written);
    assert_eq!(micro_operations(&written), [json!(4), json!(4), json!(5), json!(5)]);
    let taken = [follower, other, leader, leader].map(|id| post(id, "/v1/kv/q/dequeue", json!({})).1["value"].clone());
    assert_eq!(taken, [json!(1), json!(2), json!(2), json!(null)]);
}

#[test]
fn a_retry_through_another_node_and_after_a_change_of_leader_takes_effect_once() {
    let (mut cluster, leader) = Cluster::running(3, |_| {});
    let [follower, other] = others(leader);
    let (status, session) = cluster.call(other, reqwest::Method::POST, "/v1/sessions", "");
    assert_eq!(status, 200, "{session}");
    let swap = json!({"from": null, "to": 1, "client": session["client"], "seq": 1});
    let (_, first) = cluster.cas(follower, "k", &swap);
    assert_eq!(first["swapped"], true);
    let (_, again) = cluster.cas(other, "k", &swap);
    assert_eq!((&again["swapped"], &again["revision"]), (&json!(true), &first["revision"]));
    let post = |cluster: &Cluster, id, operation, body: &Value| {
        cluster.call(id, reqwest::Method::POST, &format!("/v1/kv/q/{operation}"), &body.to_string()).1
    };
    (1..=2).for_each(|element| drop(post(&cluster, follower, "enqueue", &json!({"value": element}))));
    let (_, session) = cluster.call(other, reqwest::Method::POST, "/v1/sessions", "");
    let take = json!({"client": session["client"], "seq": 1});
    assert_eq!(post(&cluster, follower, "dequeue", &take)["value"], 1);
    cluster.stop(leader);
    cluster.leader();
    assert_eq!(post(&cluster, other, "dequeue", &take)["value"], 1, "the same element, which was taken once");
    assert_eq!(cluster.read(other, "q", "quorum").1["value"], json!([2]));
    let (_, late) = cluster.cas(other, "k", &swap);
    assert_eq!((&late["swapped"], &late["revision"]), (&json!(true), &first["revision"]));
}

#[test]
fn a_node_comes_back_from_its_disk_and_catches_up_by_snapshot() {
    let (mut cluster, leader) = Cluster::running(3, |config| config.snapshot_after_entries = 20);
    let [away, follower] = others(leader);
    cluster.put(leader, "before", &json!({"value": 0}));
    cluster.stop(away);
    for value in 1..=50 {
        assert_eq!(cluster.put(follower, "k", &json!({ "value": value })).0, 200);
    }
    let made = |line: &LogLine| matches!(line.event, Event::SnapshotMade { .. });
    poll("snapshot", || cluster.events(leader).iter().any(made));
    poll("log that does not reach back", || cluster.status(leader)["first_index"].as_u64().unwrap() > 10);
    cluster.start(away);
    poll("return", || cluster.read(away, "k", "local").1["value"] == json!(50));
    assert_eq!(cluster.read(away, "before", "quorum").1["value"], 0, "a snapshot holds everything");
    let installed = |line: &LogLine| matches!(line.event, Event::SnapshotInstalled { .. });
    assert!(cluster.events(away).iter().any(installed));
}

#[test]
fn a_cluster_that_was_stopped_whole_has_lost_nothing() {
    let (mut cluster, _) = Cluster::running(3, |config| config.snapshot_after_entries = 7);
    for value in 1..=20 {
        assert_eq!(cluster.put(value % 3 + 1, &format!("k{value}"), &json!({ "value": value })).0, 200);
    }
    (1..=3).for_each(|id| cluster.stop(id));
    (1..=3).for_each(|id| cluster.start(id));
    cluster.leader();
    for value in 1..=20 {
        assert_eq!(cluster.read(value % 3 + 1, &format!("k{value}"), "quorum").1["value"], json!(value));
    }
}

#[test]
fn members_join_lead_and_leave() {
    let (mut cluster, leader) = Cluster::running(3, |config| config.snapshot_after_entries = 20);
    let [follower, other] = others(leader);
    for value in 1..=50 {
        assert_eq!(cluster.put(follower, "k", &json!({ "value": value })).0, 200);
    }
    let address = cluster.join(4);
    assert_eq!(cluster.read(4, "k", "quorum").0, 503, "nobody has told it of a leader");
    cluster.change(follower, &json!({"add": 4, "address": address}), &[1, 2, 3, 4]);
    assert_eq!(cluster.read(4, "k", "quorum").1["value"], 50, "it learnt before it votes");
    let again =
        cluster.call(4, reqwest::Method::POST, "/v1/members", &json!({"add": 4, "address": address}).to_string());
    assert_eq!(
        (again.0, &again.1["error"], &again.1["happened"]),
        (409, &json!("n4 is a member already"), &json!("no"))
    );
    let malformed = cluster.call(4, reqwest::Method::POST, "/v1/members", r#"{"add": 4, "remove": 1}"#);
    assert_eq!((malformed.0, &malformed.1["happened"]), (400, &json!("no")));
    assert_eq!(cluster.call(other, reqwest::Method::POST, "/v1/transfer", r#"{"to": 4}"#).0, 200);
    poll("the new leader", || {
        cluster.status(4)["role"] == "leader" && cluster.put(other, "k", &json!({"value": 51})).0 == 200
    });
    let mut rest = vec![follower, other, 4];
    rest.sort_unstable();
    cluster.change(4, &json!({ "remove": leader }), &rest);
    let joined = |id: u64| cluster.events(id).iter().any(|line| matches!(line.event, Event::MembersChanged { .. }));
    assert!(joined(4) && joined(other));
    poll("its loneliness", || cluster.read(leader, "k", "quorum").0 == 503);
    assert_eq!(cluster.read(leader, "k", "local").0, 200, "a removed node still answers what needs nobody");
    let address = cluster.configs[&leader].peers[&NodeId(leader)];
    let voters = [leader.min(other), leader.max(other), 4];
    cluster.change(4, &json!({"replace": follower, "with": leader, "address": address}), &voters);
    cluster.stop(4);
    cluster.start(4);
    poll("a write without n4's founders", || cluster.put(4, "k", &json!({"value": 52})).0 == 200);
    assert_eq!(cluster.read(leader, "k", "quorum").1["value"], 52, "it is back");
}

#[test]
fn without_a_leader_nothing_has_happened() {
    let mut cluster = Cluster::new(3, |_| {});
    cluster.start(1);
    let no_leader = (503, json!({"error": "no leader", "happened": "no"}));
    assert_eq!(cluster.put(1, "k", &json!({"value": 1})), no_leader);
    assert_eq!(cluster.cas(1, "k", &json!({"from": null, "to": 1})), no_leader);
    for mode in &MODES[1..] {
        let (status, body) = cluster.read(1, "k", mode);
        assert_eq!((status, &body["happened"]), (503, &json!("no")), "{mode}: {body}");
    }
    assert_eq!(cluster.read(1, "k", "local").0, 200, "local reads need nobody");
}

#[test]
fn a_leader_that_lost_its_majority_never_denies_a_write_that_its_log_holds() {
    let basic = |config: &mut Config| {
        config.request_timeout = Duration::from_millis(400);
        config.election_timeout = Duration::from_secs(2);
        config.elections = Elections::Basic;
    };
    let (mut cluster, leader) = Cluster::running(3, basic);
    let [follower, other] = others(leader);
    cluster.put(leader, "k", &json!({"value": 1}));
    cluster.stop(follower);
    cluster.stop(other);
    let unknown = (504, json!({"error": "no answer in time", "happened": "unknown"}));
    assert_eq!(cluster.put(leader, "k", &json!({"value": 2})), unknown);
    assert_eq!(cluster.cas(leader, "k", &json!({"from": 1, "to": 3})), unknown);
    let deserted = (503, json!({"error": "no majority answers the leader", "happened": "no"}));
    poll("the end of hope", || cluster.put(leader, "k", &json!({"value": 4})) == deserted);
    assert_eq!(cluster.status(leader)["role"], "leader");
    assert_eq!(cluster.read(leader, "k", "leader").1["value"], 1, "basic Raft still answers");
    for mode in ["quorum", "log"] {
        let (status, body) = cluster.read(leader, "k", mode);
        assert!(matches!(status, 503 | 504) && body["happened"] == "no", "{mode} has no majority to ask: {body}");
    }
    // The other nodes come back: the old leader's log entries may now be committed, and no answer denied that.
    cluster.start(follower);
    cluster.start(other);
    cluster.leader();
    assert_eq!(cluster.read(other, "k", "quorum").0, 200);
}

#[test]
fn a_follower_whose_leader_is_gone_says_what_it_knows() {
    let short = |config: &mut Config| {
        config.request_timeout = Duration::from_millis(400);
        config.election_timeout = Duration::from_secs(20); // it goes on believing in its leader
    };
    let mut cluster = Cluster::new(3, short);
    cluster.configs.get_mut(&1).unwrap().election_timeout = Duration::from_millis(100);
    cluster.configs.get_mut(&1).unwrap().lease = Duration::from_millis(50);
    (1..=3).for_each(|id| cluster.start(id));
    assert_eq!(cluster.leader(), 1);
    poll("links", || cluster.put(2, "k", &json!({"value": 1})).0 == 200);
    cluster.stop(1);
    let down = |line: &LogLine| matches!(line.event, Event::PeerDown { peer: NodeId(1), .. });
    poll("the loss of the link", || cluster.events(2).iter().any(down));
    let unreachable = (503, json!({"error": "the leader n1 cannot be reached", "happened": "no"}));
    assert_eq!(cluster.put(2, "k", &json!({"value": 2})), unreachable);
    assert_eq!(cluster.read(2, "k", "leader"), unreachable);
}

/// Under basic elections, another leader can be elected while the lease runs.
#[test]
fn lease_reads_are_refused_in_basic_raft_and_the_status_says_what_each_mode_promises() {
    let (cluster, leader) = Cluster::running(3, |config| config.elections = Elections::Basic);
    for id in 1..=3 {
        let (status, body) = cluster.read(id, "k", "lease");
        assert_eq!((status, &body["happened"]), (400, &json!("no")), "{body}");
        assert!(body["error"].as_str().unwrap().contains("--elections check-quorum"), "{body}");
    }
    let status = cluster.status(leader);
    assert_eq!((&status["elections"], &status["lease_remaining_ms"]), (&json!("basic"), &json!(null)));
    assert!(status["read_modes"]["lease"].as_str().unwrap().starts_with("refused"), "{status}");
    assert_eq!(status["read_modes"]["quorum"], "linearizable");
}

/// Deadlines use the host's clock: a node whose clock stands still or jumps back still answers its clients in time.
#[test]
fn a_clock_that_jumps_back_stops_no_deadline() {
    let clocks = tempdir().unwrap();
    let clock = clocks.path().join("clock");
    let (mut cluster, leader) = Cluster::running(3, |config| {
        config.request_timeout = Duration::from_millis(300);
        config.elections = Elections::Basic;
        config.clock_file = Some(clock.clone());
    });
    for id in others(leader) {
        cluster.stop(id);
    }
    let turning = std::sync::atomic::AtomicBool::new(true);
    thread::scope(|scope| {
        scope.spawn(|| {
            for generation in 1.. {
                if !turning.load(Ordering::Relaxed) {
                    break;
                }
                std::fs::write(&clock, crate::clock_line(generation, 0.01, -10_000_000_000)).unwrap();
                thread::sleep(Duration::from_millis(50));
            }
        });
        let start = Instant::now();
        let unknown = (504, json!({"error": "no answer in time", "happened": "unknown"}));
        assert_eq!(cluster.put(leader, "k", &json!({"value": 2})), unknown);
        turning.store(false, Ordering::Relaxed);
        assert!(start.elapsed() < LIMIT / 2, "the node's clock decided: {:?}", start.elapsed());
    });
}

#[test]
fn one_node_is_a_cluster_too() {
    let (mut cluster, _) = Cluster::running(1, |config| config.snapshot_after_entries = 5);
    for value in 1..=12 {
        assert_eq!(cluster.put(1, "k", &json!({ "value": value })).0, 200);
    }
    for mode in MODES {
        assert_eq!(cluster.read(1, "k", mode).1["value"], 12, "{mode}");
    }
    let made = |line: &LogLine| matches!(line.event, Event::SnapshotMade { .. });
    poll("a snapshot", || cluster.events(1).iter().any(made));
    cluster.stop(1);
    cluster.start(1);
    cluster.leader();
    assert_eq!(cluster.read(1, "k", "quorum").1["value"], 12);
}

#[test]
fn what_cannot_work_is_refused_before_anything_starts() {
    let mut cluster = Cluster::new(2, |_| {});
    cluster.start(1);
    let log = Log::to(NodeId(1), CapturedLog::default());
    let taken = start_with(&cluster.configs[&1], &log).unwrap_err();
    assert!(matches!(taken, Error::Listen { .. }), "{taken}");
    cluster.stop(1);
    let mut foreign = cluster.configs[&2].clone();
    foreign.data_dir.clone_from(&cluster.configs[&1].data_dir);
    foreign.init = false;
    let captured = CapturedLog::default();
    let refused = start_with(&foreign, &Log::to(NodeId(2), captured.clone())).unwrap_err();
    assert!(matches!(refused, Error::Storage { .. }), "{refused}");
    assert!(matches!(captured.lines()[..], [LogLine { event: Event::StorageError { .. }, .. }]));
}

#[test]
fn a_disk_that_fails_stops_the_node() {
    let (mut cluster, _) = Cluster::running(1, |config| config.snapshot_after_entries = 5);
    std::fs::create_dir(cluster.configs[&1].data_dir.join("snapshot.made")).unwrap();
    let body = json!({"value": 1}).to_string();
    let url = format!("http://{}/v1/kv/k", cluster.nodes[&1].client_addr());
    let request = async || cluster.client.put(&url).body(body.clone()).send().await;
    poll("end of the node", || match cluster.runtime.block_on(request()) {
        Ok(response) => response.status() == 503,
        Err(_) => true, // it has ended already
    });
    let error = cluster.nodes.remove(&1).unwrap().stop().unwrap_err();
    assert!(matches!(error, Error::Storage { node: NodeId(1), source: StorageError::Io { action: "creating", .. } }));
    let last = cluster.events(1).pop().unwrap().event;
    assert!(
        matches!(&last, Event::StorageError { error } if error.contains("snapshot.made: Is a directory")),
        "{last:?}"
    );
}

#[test]
fn a_node_without_its_memory_is_refused() {
    let mut cluster = Cluster::new(1, |config| config.init = false);
    let captured = CapturedLog::default();
    let refused = start_with(&cluster.configs[&1], &Log::to(NodeId(1), captured.clone())).unwrap_err();
    assert!(matches!(refused, Error::Storage { source: StorageError::Empty { .. }, .. }), "{refused}");
    assert!(matches!(captured.lines()[..], [LogLine { event: Event::StorageError { .. }, .. }]));
    cluster.configs.get_mut(&1).unwrap().init = true;
    cluster.start(1);
    cluster.stop(1);
    cluster.start(1);
    cluster.stop(1);
    std::fs::remove_dir_all(&cluster.configs[&1].data_dir).unwrap();
    assert!(start_with(&cluster.configs[&1], &Log::to(NodeId(1), captured)).is_err());
}
