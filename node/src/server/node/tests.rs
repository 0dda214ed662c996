//! Tests of the loop's own decisions, one input at a time, with peers played by the test.

mod defects;

use std::{collections::BTreeMap, net::SocketAddr, path::Path, sync::mpsc::sync_channel, time::Instant};

use serde_json::json;
use tempfile::tempdir;
use tokio::{
    net::TcpListener,
    runtime::Runtime,
    sync::oneshot::{self, error::TryRecvError},
};

use super::{
    requests::{LEADERLESS_TIMEOUTS, MAX_PENDING},
    *,
};
use crate::{
    event::CapturedLog,
    kv::{Command, CommandResult, Json, Op, Query, VersionedValue},
    raft::{AppendResult, Body, Payload, QuorumContact, Role},
    request::{Effect, Failure, ReadMode, Reply, Request},
    transport::accept_links,
};

const LIMIT: Duration = Duration::from_secs(10);

/// Node 1, stepped by hand, and the messages that peers 2 and 3 receive from it.
struct Bench {
    node: Node,
    heard: BTreeMap<u64, Receiver<Input>>,
    told: CapturedLog,
    _runtime: Runtime,
}

impl Bench {
    fn new(dir: &Path) -> Self {
        Self::with_defect(dir, None)
    }

    fn with_defect(dir: &Path, defect: Option<Defect>) -> Self {
        let runtime = Runtime::new().unwrap();
        let listeners: BTreeMap<u64, TcpListener> =
            (1..=3).map(|id| (id, runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap())).collect();
        let peers: BTreeMap<_, _> =
            listeners.iter().map(|(id, listener)| (NodeId(*id), listener.local_addr().unwrap())).collect();
        let mut heard = BTreeMap::new();
        for (id, listener) in listeners.into_iter().filter(|(id, _)| *id != 1) {
            let (inputs, received) = sync_channel(1000);
            let log = Log::to(NodeId(id), std::io::sink());
            runtime.spawn(accept_links(listener, NodeId(id), peers.clone(), inputs, log));
            heard.insert(id, received);
        }
        let captured = CapturedLog::default();
        let log = Log::to(NodeId(1), captured.clone());
        let mut config = Config::new(NodeId(1), peers.clone(), SocketAddr::from(([127, 0, 0, 1], 0)), dir);
        config.init = !dir.join("wal").exists();
        config.defect = defect;
        // Far longer than any test: time passes only where a test advances it.
        config.election_timeout = Duration::from_secs(30);
        let links = Links::dial(runtime.handle(), NodeId(1), &peers, &log);
        let node = Node::open(&config, links, log).unwrap();
        let start = Instant::now();
        while captured.lines().iter().filter(|line| matches!(line.event, Event::PeerUp { .. })).count() < 2 {
            assert!(start.elapsed() < LIMIT, "links");
            std::thread::sleep(Duration::from_millis(1));
        }
        Self { node, heard, told: captured, _runtime: runtime }
    }

    /// Takes one input and carries out its consequences, as the loop does.
    fn handle_input(&mut self, input: Input) {
        let now = self.node.clock.now();
        self.node.handle_input(input, now);
        self.node.notice_role();
        self.node.carry_out().unwrap();
    }

    fn message(&mut self, from: u64, term: u64, body: Body) {
        let message = Message { from: NodeId(from), to: NodeId(1), term: Term(term), body };
        self.handle_input(Input::Peer(NodeId(from), Frame::Raft { id: 0, message }));
    }

    /// Delivers an `AppendEntries` from a leader.
    fn append(&mut self, leader: u64, term: u64, entries: Vec<Entry>, commit: u64) {
        let body = Body::AppendEntries {
            prev_log_index: LogIndex(0),
            prev_log_term: Term(0),
            entries,
            leader_commit: LogIndex(commit),
            round: 1,
            quorum_contact: QuorumContact::Recent,
        };
        self.message(leader, term, body);
    }

    /// Waits for a frame to peer `id` that `wanted` accepts, and returns what it extracts.
    fn hear<T>(&self, id: u64, wanted: impl Fn(Frame) -> Option<T>) -> T {
        loop {
            match self.heard[&id].recv_timeout(LIMIT).unwrap() {
                Input::Peer(_, frame) => {
                    if let Some(found) = wanted(frame) {
                        return found;
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Makes node 1 leader with the votes of peer 2.
    fn elect(&mut self) -> Term {
        let mut now = self.node.clock.now();
        while self.node.standing.role != Role::Leader {
            now = now.after(self.node.election_timeout * 2);
            self.node.raft.tick(now);
            self.node.carry_out().unwrap();
            let asked = |frame| match frame {
                Frame::Raft { message: Message { term, body: Body::RequestVote { pre, .. }, .. }, .. } => {
                    Some((term, pre))
                }
                _ => None,
            };
            let (mut term, pre) = self.hear(2, asked);
            self.node.raft.step(now, vote(term, pre)).unwrap();
            self.node.carry_out().unwrap();
            if pre {
                term = self.hear(2, |frame| asked(frame).filter(|(_, pre)| !pre)).0;
                self.node.raft.step(now, vote(term, false)).unwrap();
                self.node.carry_out().unwrap();
            }
        }
        self.node.standing.term
    }

    fn ask(&mut self, request: Request) -> oneshot::Receiver<Reply> {
        let (reply, answer) = oneshot::channel();
        self.handle_input(Input::Client(request, reply));
        answer
    }
}

fn vote(term: Term, pre: bool) -> Message {
    Message { from: NodeId(2), to: NodeId(1), term, body: Body::RequestVoteResponse { pre, granted: true } }
}

fn put(value: u64) -> Command {
    let value = Json::new(&json!(value)).unwrap();
    Command { session: None, op: Op::Put { key: "k".into(), value } }
}

fn entry(index: u64, term: u64, payload: Payload) -> Entry {
    Entry { index: LogIndex(index), term: Term(term), payload }
}

fn refused(reason: Reason) -> Result<CommandResult, Failure> {
    Err(Failure { reason, effect: Effect::No })
}

#[test]
fn a_forwarded_request_is_never_passed_on() {
    let dir = tempdir().unwrap();
    let mut bench = Bench::new(dir.path());
    bench.append(2, 1, vec![], 0);
    assert_eq!(bench.node.standing.leader, Some(NodeId(2)));
    bench.handle_input(Input::Peer(NodeId(3), Frame::Forward { id: 7, request: Request::Write(put(1)) }));
    let answered = |frame| match frame {
        Frame::ForwardResponse { id, reply } => Some((id, reply.result)),
        _ => None,
    };
    assert_eq!(bench.hear(3, answered), (7, refused(Reason::NoLeader)));
    let read = Request::Read { query: Query::Value("k".into()), mode: ReadMode::Leader };
    let _answer = bench.ask(read.clone());
    let first = bench.hear(2, |frame| match frame {
        Frame::Forward { request, .. } => Some(request),
        _ => None,
    });
    assert_eq!(first, read, "a client's own request is passed on, and it is the first that was");
}

#[test]
fn a_deposed_leaders_write_is_denied_only_once_another_entry_has_its_place() {
    let dir = tempdir().unwrap();
    let mut bench = Bench::new(dir.path());
    let term = bench.elect().0;
    let mut first = bench.ask(Request::Write(put(1)));
    let mut second = bench.ask(Request::Write(put(2)));
    let other = vec![entry(1, term + 1, Payload::Noop), entry(2, term + 1, Payload::Command(put(9).encode()))];
    bench.append(3, term + 1, other, 1);
    assert_eq!(bench.node.standing.role, Role::Follower);
    assert_eq!(first.try_recv(), Err(TryRecvError::Empty), "deposed and overwritten, but nothing is committed there");
    bench.append(3, term + 1, vec![], 2);
    bench.message(
        3,
        term + 1,
        Body::AppendEntries {
            prev_log_index: LogIndex(2),
            prev_log_term: Term(term + 1),
            entries: vec![],
            leader_commit: LogIndex(2),
            round: 2,
            quorum_contact: QuorumContact::Recent,
        },
    );
    assert_eq!(first.try_recv().unwrap().result, refused(Reason::Superseded));
    assert_eq!(second.try_recv(), Err(TryRecvError::Empty), "its index is still open");
    let later = bench.node.host.now() + Duration::from_secs(3);
    let expired = bench.node.pending.next_expired(later).unwrap();
    assert_eq!(expired.unresolved(Reason::Deadline).effect, Effect::Unknown);
}

/// Makes node 1 follow node 2 and forward a write and two reads of its own clients.
fn passed_on(bench: &mut Bench) -> [oneshot::Receiver<Reply>; 3] {
    bench.append(2, 1, vec![], 0);
    let read = |mode| Request::Read { query: Query::Value("k".into()), mode };
    let answers =
        [Request::Write(put(1)), read(ReadMode::Leader), read(ReadMode::Quorum)].map(|request| bench.ask(request));
    bench.hear(2, |frame| matches!(frame, Frame::Forward { request: Request::Write(_), .. }).then_some(()));
    answers
}

/// A partitioned leader answers nobody: a client that asked it through a follower need not wait for its deadline once
/// another node leads.
#[test]
fn a_change_of_leader_ends_what_was_passed_on() {
    let dir = tempdir().unwrap();
    let mut bench = Bench::new(dir.path());
    let [mut write, mut read, mut quorum] = passed_on(&mut bench);
    bench.append(3, 2, vec![], 0);
    let unknown = Failure { reason: Reason::LeaderChanged, effect: Effect::Unknown };
    assert_eq!(write.try_recv().unwrap().result, Err(unknown), "the old leader may have it in its log");
    let now = bench.node.clock.now();
    bench.node.retry_reads(now);
    bench.node.carry_out().unwrap();
    let asked = |frame| match frame {
        Frame::Forward { id, request: Request::Read { mode: ReadMode::Leader, .. } } => Some(id),
        _ => None,
    };
    let id = bench.hear(3, asked);
    let found = CommandResult::Got(VersionedValue { value: None, revision: LogIndex(0) });
    let reply = Reply { node: NodeId(3), role: Role::Leader, term: Term(2), result: Ok(found.clone()) };
    bench.handle_input(Input::Peer(NodeId(3), Frame::ForwardResponse { id, reply }));
    assert_eq!(read.try_recv().unwrap().result, Ok(found.clone()), "asked again of the new leader");
    let body = Body::ReadIndexResponse { context: 0, index: Some(LogIndex(0)) };
    bench.message(3, 2, body);
    assert_eq!(quorum.try_recv(), Err(TryRecvError::Empty), "that was no answer to it");
    assert_eq!(bench.node.leaderless.len() + bench.node.pending.len(), 1, "but it was asked again, too");
}

/// A read without a leader waits for the next one, though not as long as for an answer, and is then refused with "no
/// leader".
#[test]
fn a_read_that_lost_its_leader_waits_for_the_next_for_some_elections() {
    let dir = tempdir().unwrap();
    let mut bench = Bench::new(dir.path());
    let [_write, mut read, mut quorum] = passed_on(&mut bench);
    let later = bench.node.clock.now().after(bench.node.election_timeout * 2);
    bench.node.raft.tick(later);
    bench.node.notice_role();
    bench.node.carry_out().unwrap();
    assert_eq!((bench.node.standing.leader, bench.node.leaderless.len()), (None, 2));
    bench.node.expire(bench.node.host.now());
    assert_eq!(read.try_recv(), Err(TryRecvError::Empty));
    bench.node.expire(bench.node.host.now() + bench.node.election_timeout * LEADERLESS_TIMEOUTS);
    for answer in [&mut read, &mut quorum] {
        assert_eq!(answer.try_recv().unwrap().result, refused(Reason::NoLeader));
    }
}

/// A member that sends nonsense must not stop the others, nor fill their disks with log lines.
#[test]
fn an_absurd_term_is_refused_and_told_now_and_then() {
    let dir = tempdir().unwrap();
    let mut bench = Bench::new(dir.path());
    bench.append(2, 1, vec![], 0);
    for _ in 0..100 {
        bench.message(3, u64::MAX, Body::ReadIndex { context: 1 });
    }
    assert_eq!((bench.node.standing.term, bench.node.standing.leader), (Term(1), Some(NodeId(2))));
    let counts: Vec<u64> = bench
        .told
        .lines()
        .iter()
        .filter_map(|line| match line.event {
            Event::MessageRefused { peer: NodeId(3), count, .. } => Some(count),
            _ => None,
        })
        .collect();
    assert_eq!(counts, [1, 2, 4, 8, 16, 32, 64]);
}

#[test]
fn a_write_is_answered_when_a_majority_holds_it_and_not_before() {
    let dir = tempdir().unwrap();
    let mut bench = Bench::new(dir.path());
    let term = bench.elect().0;
    let mut answer = bench.ask(Request::Write(put(1)));
    assert_eq!(answer.try_recv(), Err(TryRecvError::Empty));
    bench.message(2, term, Body::AppendEntriesResponse { result: AppendResult::Matched(LogIndex(2)), round: 0 });
    assert_eq!(answer.try_recv().unwrap().result, Ok(CommandResult::Put(LogIndex(2))));
}

#[test]
fn too_many_waiting_requests_are_refused() {
    let dir = tempdir().unwrap();
    let mut bench = Bench::new(dir.path());
    bench.elect();
    let now = bench.node.clock.now();
    let mut waiting = Vec::new();
    for value in 0..MAX_PENDING as u64 {
        let (reply, answer) = oneshot::channel();
        bench.node.handle_input(Input::Client(Request::Write(put(value)), reply), now);
        waiting.push(answer);
    }
    assert_eq!(bench.ask(Request::Write(put(0))).try_recv().unwrap().result, refused(Reason::Overloaded));
    assert!(waiting.iter_mut().all(|answer| answer.try_recv() == Err(TryRecvError::Empty)));
}

/// The log of a leader that nobody answers must not grow without end; what it refuses is in no log.
#[test]
fn too_many_bytes_that_nobody_has_are_refused() {
    let dir = tempdir().unwrap();
    let mut bench = Bench::new(dir.path());
    let term = bench.elect();
    let large = || {
        let value = Json::new(&json!("x".repeat(1 << 20))).unwrap();
        Request::Write(Command { session: None, op: Op::Put { key: "k".into(), value } })
    };
    let mut waiting = Vec::new();
    let refusal = loop {
        let mut answer = bench.ask(large());
        match answer.try_recv() {
            Err(TryRecvError::Empty) => waiting.push(answer),
            answered => break answered.unwrap().result,
        }
        assert!(waiting.len() < 100, "there is a limit");
    };
    assert_eq!(refusal, refused(Reason::Overloaded));
    assert!((20..40).contains(&waiting.len()), "{} MiB were taken", waiting.len());
    let (last, own) = (bench.node.raft.status().last_index, LogIndex(1));
    assert_eq!(last.0 - own.0, waiting.len() as u64, "the refused one is in no log");
    bench.message(2, term.0, Body::AppendEntriesResponse { result: AppendResult::Matched(last), round: 0 });
    assert!(waiting.iter_mut().all(|answer| answer.try_recv().unwrap().result.is_ok()));
    assert_eq!(bench.ask(large()).try_recv(), Err(TryRecvError::Empty), "it takes more again");
}

#[test]
fn the_first_read_after_a_restart_sees_the_snapshot() {
    let dir = tempdir().unwrap();
    let mut machine = Machine::default();
    machine.apply(&entry(1, 1, Payload::Command(put(5).encode()))).unwrap();
    let members = [NodeId(1), NodeId(2), NodeId(3)];
    let (mut storage, _) = Storage::open(dir.path(), NodeId(1), &members, StartMode::New, None).unwrap();
    let (membership, data) = (Membership::of(members), machine.freeze()());
    let snapshot = Snapshot { last_index: LogIndex(1), last_term: Term(1), membership, data };
    let hard_state = Some(crate::raft::HardState { term: Term(1), voted_for: None });
    storage
        .persist(&mut crate::raft::Persist {
            hard_state,
            snapshot: Some(Box::new(snapshot)),
            ..crate::raft::Persist::default()
        })
        .unwrap();
    drop(storage);
    let mut bench = Bench::new(dir.path());
    let mut answer = bench.ask(Request::Read { query: Query::Value("k".into()), mode: ReadMode::Local });
    let found = VersionedValue { value: Json::new(&json!(5)), revision: LogIndex(1) };
    assert_eq!(answer.try_recv().unwrap().result, Ok(CommandResult::Got(found)));
}
