//! Tests of two ends of a link on loopback, with misbehaviour of either end.

mod defects;

use std::{
    sync::mpsc::{Receiver, TryRecvError, sync_channel},
    time::Instant,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    runtime,
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::*;
use crate::{
    event::{CapturedLog, Event, Log, LogLine},
    frame::Frame,
    input::Input,
    raft::{Body, Message, Term},
};

const LIMIT: Duration = Duration::from_secs(10);

fn log(id: u64) -> Log {
    Log::to(NodeId(id), std::io::sink())
}

fn message(from: u64, to: u64, term: u64) -> Frame {
    let body = Body::RequestVoteResponse { pre: false, granted: true };
    Frame::Raft { id: term, message: Message { from: NodeId(from), to: NodeId(to), term: Term(term), body } }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Returns members 1 and 2; node 1 dials, so only the address of node 2 is ever used.
fn peers(address: SocketAddr) -> BTreeMap<NodeId, SocketAddr> {
    [(NodeId(1), SocketAddr::from(([127, 0, 0, 1], 1))), (NodeId(2), address)].into()
}

fn accept(listener: TcpListener, peers: BTreeMap<NodeId, SocketAddr>) -> (JoinHandle<()>, Receiver<Input>) {
    let (inputs, received) = sync_channel(2048);
    (tokio::spawn(accept_links(listener, NodeId(2), peers, inputs, log(2))), received)
}

fn dial(peers: &BTreeMap<NodeId, SocketAddr>) -> Links {
    Links::dial(&runtime::Handle::current(), NodeId(1), peers, &log(1))
}

/// Sends until the link accepts the frame.
async fn send(links: &mut Links, frame: Frame) {
    let start = Instant::now();
    while !links.send(NodeId(2), frame.clone()) {
        assert!(start.elapsed() < LIMIT, "no link");
        sleep(Duration::from_millis(1)).await;
    }
}

async fn receive(received: &Receiver<Input>) -> (NodeId, Frame) {
    let start = Instant::now();
    loop {
        match received.try_recv() {
            Ok(Input::Peer(from, frame)) => return (from, frame),
            Err(TryRecvError::Empty) if start.elapsed() < LIMIT => sleep(Duration::from_millis(1)).await,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn frames_arrive_once_and_in_order() {
    let (listener, address) = listen().await;
    let peers = peers(address);
    let (_accepting, received) = accept(listener, peers.clone());
    let mut links = dial(&peers);
    for term in 0..500 {
        send(&mut links, message(1, 2, term)).await;
    }
    for term in 0..500 {
        assert_eq!(receive(&received).await, (NodeId(1), message(1, 2, term)));
    }
    assert_eq!(links.sent(), 500);
}

#[tokio::test]
async fn without_a_link_a_frame_is_certainly_not_sent() {
    let (listener, address) = listen().await;
    drop(listener);
    let mut links = dial(&peers(address));
    assert!(!links.send(NodeId(2), message(1, 2, 1)));
    assert!(!links.send(NodeId(9), message(1, 9, 1)), "no such peer");
    assert_eq!(links.sent(), 0);
}

#[tokio::test]
async fn a_restarted_peer_is_found_again_and_gets_nothing_old() {
    let (listener, address) = listen().await;
    let peers = peers(address);
    let (accepting, received) = accept(listener, peers.clone());
    let mut links = dial(&peers);
    send(&mut links, message(1, 2, 1)).await;
    receive(&received).await;
    accepting.abort();
    drop(received); // ends the connection at the next frame
    let start = Instant::now();
    while links.send(NodeId(2), message(1, 2, 2)) {
        assert!(start.elapsed() < LIMIT, "the loss is noticed");
        sleep(Duration::from_millis(1)).await;
    }
    let (_accepting, received) = accept(TcpListener::bind(address).await.unwrap(), peers);
    send(&mut links, message(1, 2, 3)).await;
    assert_eq!(receive(&received).await, (NodeId(1), message(1, 2, 3)));
}

#[tokio::test]
async fn strangers_are_closed_before_they_can_say_anything() {
    let (listener, address) = listen().await;
    let mut other_cluster = peers(address);
    other_cluster.insert(NodeId(3), address);
    let peers = peers(address);
    let (_accepting, received) = accept(listener, peers.clone());
    let good = Hello::new(NodeId(1), NodeId(2), &peers);
    let strangers = [
        Hello::new(NodeId(1), NodeId(2), &other_cluster),
        Hello { version: VERSION + 1, ..good.clone() },
        Hello { from: NodeId(7), ..good.clone() },
        Hello { from: NodeId(2), ..good.clone() },
        Hello { to: NodeId(1), ..good },
    ];
    for hello in strangers {
        let mut bytes = Vec::new();
        codec::append(&mut bytes, &hello);
        codec::append(&mut bytes, &message(1, 2, 1));
        assert!(answer_to(address, &bytes).await.is_empty(), "{hello:?}");
    }
    assert!(received.try_recv().is_err());
}

#[tokio::test]
async fn a_frame_that_is_too_long_or_not_the_senders_ends_the_link() {
    let (listener, address) = listen().await;
    let peers = peers(address);
    let (_accepting, received) = accept(listener, peers.clone());
    let hello = Hello::new(NodeId(1), NodeId(2), &peers);
    for bad in
        [u32::MAX.to_le_bytes().to_vec(), vec![1, 0, 0, 0, 99], framed(&message(3, 2, 1)), framed(&message(1, 3, 1))]
    {
        let bytes = [framed(&hello), bad].concat();
        assert_eq!(answer_to(address, &bytes).await, framed(&Welcome), "closed after the welcome");
    }
    assert!(received.try_recv().is_err());
}

fn framed(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::append(&mut bytes, value);
    bytes
}

/// Returns everything that is answered to `bytes` until the other side closes.
async fn answer_to(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset counts as an end: it closes with our bytes unread.
    timeout(LIMIT, stream.read_to_end(&mut answer)).await.unwrap().ok();
    answer
}

#[tokio::test]
async fn a_peer_that_stops_reading_is_given_up_and_never_blocks() {
    let (listener, address) = listen().await;
    let captured = CapturedLog::default();
    let log = Log::to(NodeId(1), captured.clone());
    let mut links = Links::dial(&runtime::Handle::current(), NodeId(1), &peers(address), &log);
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_all(&framed(&Welcome)).await.unwrap();
    let data = bytes::Bytes::from(vec![0; 1 << 20]);
    let body = Body::InstallSnapshot {
        last_included_index: crate::raft::LogIndex(1),
        last_included_term: Term(1),
        membership: Box::default(),
        offset: 0,
        data,
        done: true,
        round: 0,
        quorum_contact: crate::raft::QuorumContact::Recent,
    };
    let large = Frame::Raft { id: 1, message: Message { from: NodeId(1), to: NodeId(2), term: Term(1), body } };
    send(&mut links, large.clone()).await;
    let start = Instant::now();
    let given_up = |line: &LogLine| matches!(&line.event, Event::PeerDown { peer: NodeId(2), .. });
    while !captured.lines().iter().any(given_up) {
        assert!(start.elapsed() < LIMIT, "the stalled link is given up");
        links.send(NodeId(2), large.clone());
        sleep(Duration::from_millis(1)).await;
    }
    assert!(start.elapsed() >= STALL_TIMEOUT);
    assert!(!links.send(NodeId(2), message(1, 2, 1)), "what is sent now is not queued for later");
    drop(stream);
}

/// The length announced by an unidentified connection allocates no memory, neither before the hello nor, beyond
/// pieces, after it.
#[tokio::test]
async fn a_hello_is_short() {
    let (listener, address) = listen().await;
    let peers = peers(address);
    let (_accepting, received) = accept(listener, peers.clone());
    let hello = Hello::new(NodeId(1), NodeId(2), &peers);
    assert!(framed(&hello).len() <= MAX_HELLO_BYTES / 2);
    let long = u32::try_from(MAX_HELLO_BYTES + 1).unwrap().to_le_bytes();
    let start = Instant::now();
    assert!(answer_to(address, &long).await.is_empty());
    assert!(start.elapsed() < LIMIT, "refused by its length alone");
    let mut buffer = Vec::new();
    let claim = u32::try_from(MAX_FRAME_BYTES).unwrap().to_le_bytes();
    codec::read::<Frame>(&mut &claim[..], &mut buffer, MAX_FRAME_BYTES).await.unwrap_err();
    assert!(buffer.capacity() < MAX_FRAME_BYTES / 64, "{} bytes for nothing", buffer.capacity());
    assert!(received.try_recv().is_err());
}

#[tokio::test]
async fn a_frame_of_any_length_is_read_in_pieces() {
    for length in [0, 1, 65_535, 65_536, 65_537, 300_000] {
        let bytes = framed(&vec![7_u8; length]);
        let read: Vec<u8> = codec::read(&mut &bytes[..], &mut Vec::new(), MAX_FRAME_BYTES).await.unwrap();
        assert_eq!(read.len(), length);
    }
}

/// Returns true if the other side has closed `stream`.
async fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(timeout(Duration::from_millis(20), stream.read(&mut [0])).await, Ok(Ok(0) | Err(_)))
}

#[tokio::test]
async fn strangers_that_say_nothing_do_not_keep_a_member_out() {
    let (listener, address) = listen().await;
    let peers = peers(address);
    let (_accepting, received) = accept(listener, peers.clone());
    let mut strangers = Vec::new();
    for _ in 0..MAX_STRANGERS * 3 {
        strangers.push(TcpStream::connect(address).await.unwrap());
    }
    let mut links = dial(&peers);
    send(&mut links, message(1, 2, 7)).await;
    assert_eq!(receive(&received).await, (NodeId(1), message(1, 2, 7)));
    let start = Instant::now();
    for stranger in &mut strangers {
        while !is_closed(stranger).await {
            assert!(start.elapsed() < LIMIT, "each has its time");
        }
    }
}

#[tokio::test]
async fn a_member_has_one_link_the_newest() {
    let (listener, address) = listen().await;
    let peers = peers(address);
    let (_accepting, received) = accept(listener, peers.clone());
    let hello = framed(&Hello::new(NodeId(1), NodeId(2), &peers));
    let mut links = Vec::new();
    for term in 0..3 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&[&hello[..], &framed(&message(1, 2, term))].concat()).await.unwrap();
        assert_eq!(receive(&received).await.1, message(1, 2, term));
        stream.read_exact(&mut vec![0; framed(&Welcome).len()]).await.unwrap();
        links.push(stream);
    }
    let newest = links.pop().unwrap();
    let start = Instant::now();
    for stream in &mut links {
        while !is_closed(stream).await {
            assert!(start.elapsed() < LIMIT, "a former link ends");
        }
    }
    let mut newest = newest;
    newest.write_all(&framed(&message(1, 2, 9))).await.unwrap();
    assert_eq!(receive(&received).await.1, message(1, 2, 9));
}

/// Frames that one peer does not read take a bounded amount of this node's memory.
#[tokio::test]
async fn what_waits_for_a_peer_is_bounded_in_bytes() {
    let (listener, address) = listen().await;
    let mut links = dial(&peers(address));
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_all(&framed(&Welcome)).await.unwrap();
    let body = Body::InstallSnapshot {
        last_included_index: crate::raft::LogIndex(1),
        last_included_term: Term(1),
        membership: Box::default(),
        offset: 0,
        data: bytes::Bytes::from(vec![0; QUEUE_BYTES / 8]),
        done: true,
        round: 0,
        quorum_contact: crate::raft::QuorumContact::Recent,
    };
    let large = Frame::Raft { id: 1, message: Message { from: NodeId(1), to: NodeId(2), term: Term(1), body } };
    assert_eq!(large.weight(), QUEUE_BYTES / 8);
    send(&mut links, large.clone()).await;
    let taken = std::iter::repeat_with(|| links.send(NodeId(2), large.clone())).take(64).filter(|taken| *taken).count();
    assert!((7..=24).contains(&taken), "{taken} of 64, some of which may have been on their way already");
}

#[tokio::test]
async fn strangers_do_not_fill_the_log() {
    let (listener, address) = listen().await;
    let peers = peers(address);
    let (inputs, _received) = sync_channel(8);
    let captured = CapturedLog::default();
    let log = Log::to(NodeId(2), captured.clone());
    tokio::spawn(accept_links(listener, NodeId(2), peers.clone(), inputs, log));
    for from in (0..200).chain(0..10) {
        let hello = Hello::new(NodeId(100 + from), NodeId(2), &peers);
        assert!(answer_to(address, &framed(&hello)).await.is_empty());
    }
    let lines = captured.lines();
    assert!(lines.iter().all(|line| matches!(line.event, Event::LinkRefused { .. })));
    assert_eq!(lines.len(), 64);
}
