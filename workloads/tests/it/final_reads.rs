//! Tests of final reads: every node is asked for every key, and what could not be read is told.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use histories::{Outcome, Process, ValueId};
use serde_json::json;
use tokio::net::TcpListener;
use workloads::{Action, Answer, Client, ClientError, Connect, FinalReads, Request, Response, UnreadKey, workload};

use crate::{
    driving::{Bench, connector, never, reads, to},
    server::{ReceivedRequest, Reply, Server},
};

#[tokio::test]
async fn every_node_is_asked_for_every_key_until_it_answers() {
    let refused = Arc::new(AtomicU32::new(0));
    let refuse = move |_: &ReceivedRequest| {
        let refuses = refused.fetch_add(1, Ordering::SeqCst) < 4;
        refuses.then(|| Reply::json(503, &json!({"error": "no leader", "happened": "no"})))
    };
    let servers = Server::cluster(2, refuse).await;
    let bench = Bench::new();
    let unread = bench.final_reads(&reads(vec![4, 1, 2, 3]), to(&servers)).await;
    assert_eq!(unread, []);
    let history = bench.history();
    let done = history.operations.iter().enumerate().filter(|(_, op)| op.outcome == Outcome::Ok);
    let done: BTreeSet<_> = done.map(|(index, op)| (history.node(index), history.value(op.key).to_string())).collect();
    let expected = [1, 2].into_iter().flat_map(|node| [1, 2, 3].map(|key| (node, format!("\"k{key}\""))));
    assert_eq!(done, expected.collect(), "the last three keys on both nodes");
    assert_eq!(bench.progress.fail(), 4, "each attempt is an operation");
    let processes: BTreeSet<_> = history.operations.iter().map(|op| op.process).collect();
    assert_eq!(processes, [100, 101].into(), "a failed read leaves its process alive");
}

#[tokio::test]
async fn what_could_not_be_read_is_told() {
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let servers = Server::cluster(1, never).await;
    let bench = Bench::new();
    let reads = FinalReads { time_limit: Duration::from_millis(200), ..reads(vec![8, 9]) };
    let unread = bench.final_reads(&reads, connector([&servers[0].address, &dead])).await;
    assert_eq!(unread, [UnreadKey { node: 2, key: 8 }, UnreadKey { node: 2, key: 9 }]);
    assert!(bench.events().iter().all(|event| event.process != Process::Client(0)));
}

/// Node with a queue of two elements, which is silent at the first request.
struct Hesitant(Arc<AtomicU32>);

impl Connect for Hesitant {
    type Client = Self;
    fn nodes(&self) -> &[u16] {
        &[1]
    }
    fn open(&self, _: u16) -> Result<Self, ClientError> {
        Ok(Self(Arc::clone(&self.0)))
    }
}

impl Client for Hesitant {
    async fn invoke(&mut self, request: &Request) -> Response {
        assert_eq!(*request, Request::new(4, Action::Dequeue));
        match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => Answer::Unknown("reset".to_owned()),
            asked @ 1..=2 => Answer::Value(i64::from(asked).into()),
            _ => Answer::Value(histories::Value::Nil),
        }
        .into()
    }
}

#[tokio::test]
async fn a_queue_is_read_until_it_is_empty_by_a_new_process_after_an_unknown_outcome() {
    let bench = Bench::new();
    let reads = FinalReads { workload: workload("queue").unwrap(), ..reads(vec![4]) };
    assert_eq!(bench.final_reads(&reads, Hesitant(Arc::default())).await, []);
    let history = bench.history();
    let seen: Vec<_> = history.operations.iter().map(|op| (op.process, op.outcome)).collect();
    assert_eq!(seen, [(100, Outcome::Info), (101, Outcome::Ok), (101, Outcome::Ok), (101, Outcome::Ok)]);
    let last = history.operations.last().unwrap();
    assert_eq!((history.function_name(last.function), last.output), ("dequeue", ValueId::NIL));
}
