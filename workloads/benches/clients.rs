//! Requests a second of a load against a server that does nothing, beside those of `wrk` (Debian: `apt-get install
//! wrk`) with as many connections, in turn: what clients, driver and recorder cost.
//!
//! ```sh
//! cargo bench -p workloads --bench clients
//! ```

#![allow(clippy::print_stdout, reason = "a benchmark is for people")]

use std::{
    net::SocketAddr,
    process::Command,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use histories::Recorder;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Builder,
    sync::watch,
};
use workloads::{Clients, Connector, HttpConnector, HttpOptions, Load, Mix, Progress, drive, workload};

const CONNECTIONS: u16 = 64;
const TIME: Duration = Duration::from_secs(5);
const ROUNDS: usize = 5;

/// The answer to every request.
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 24\r\n\r\n{\"value\":1,\"revision\":1}";

fn main() {
    let address = serve();
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let ours = load(address);
        let Some(wrk) = wrk(address) else {
            println!("{ours:.0} requests a second; skipped the comparison: this host has no wrk");
            return;
        };
        println!("round {round}: {ours:.0} requests a second, wrk {wrk:.0}: {:.0} %", 100.0 * ours / wrk);
        ratios.push(ours / wrk);
    }
    ratios.sort_unstable_by(f64::total_cmp);
    println!("median: {:.0} % of wrk", 100.0 * ratios[ROUNDS / 2]);
}

/// Starts a server in a thread of its own, and returns its address.
fn serve() -> SocketAddr {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            sender.send(listener.local_addr().expect("an address")).expect("somebody waits for it");
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream));
            }
        });
    });
    receiver.recv().expect("the server starts")
}

/// Answers requests without a body, one at a time.
async fn answer(mut stream: TcpStream) {
    stream.set_nodelay(true).expect("a socket option");
    let mut received = Vec::with_capacity(4096);
    while let Ok(1..) = stream.read_buf(&mut received).await {
        if received.ends_with(b"\r\n\r\n") {
            received.clear();
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
        }
    }
}

/// Returns the requests a second of a load of reads.
fn load(address: SocketAddr) -> f64 {
    let dir = tempfile::tempdir().expect("a folder");
    let recorder = Recorder::create(&dir.path().join("history.jsonl"), Instant::now()).expect("a new file");
    let (recorder, progress) = (Arc::new(recorder), Arc::new(Progress::default()));
    let limit = Duration::from_secs(1);
    let load = Load {
        seed: 1,
        concurrency: CONNECTIONS,
        rate: 0,
        time_limit: TIME,
        operation_limit: limit,
        workload: workload("register").expect("it is in the list"),
        mix: Mix { read_percent: 100, ..Mix::default() },
    };
    let connector = Connector::new(HttpConnector::new(HttpOptions {
        nodes: vec![(1, address)],
        read_mode: "quorum".to_owned(),
        connect_timeout: limit / 2,
        operation_timeout: limit,
        retry: false,
    }));
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (_stopper, stop) = watch::channel(false);
        let clients = Clients::open(&load, connector, stop.clone()).await.expect("clients");
        let driven = drive(&load, clients, Arc::clone(&recorder), Arc::clone(&progress), stop).await;
        driven.expect("a load");
    });
    assert_eq!(progress.fail() + progress.info(), 0, "every request is answered");
    let answered = u32::try_from(progress.ok()).expect("no machine is that fast");
    f64::from(answered) / TIME.as_secs_f64()
}

/// Returns the requests a second of `wrk`; none if this host has no such program.
fn wrk(address: SocketAddr) -> Option<f64> {
    let url = format!("http://{address}/v1/kv/k0?read=quorum");
    let (connections, time) = (format!("-c{CONNECTIONS}"), format!("-d{}s", TIME.as_secs()));
    let output = Command::new("wrk").args(["-t2", &connections, &time, &url]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().find_map(|line| line.strip_prefix("Requests/sec:")?.trim().parse().ok())
}
