//! Tests of `schism node` as a process: at its start, when it is killed, and when its host runs short of resources.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20);

/// A cluster of one node.
struct Node {
    dir: TempDir,
    peer: SocketAddr,
    client: SocketAddr,
    child: Option<Child>,
}

/// Exit of a node that failed to start.
struct Refusal {
    code: Option<i32>,
    err: String,
}

impl Node {
    fn new() -> Self {
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self { dir: tempfile::tempdir().unwrap(), peer: free(), client: free(), child: None }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("deep/data")
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_schism"));
        command.args(["node", "--id", "1", "--peer", &format!("1={}", self.peer)]);
        command.args(["--client-addr", &self.client.to_string(), "--data-dir"]).arg(self.data()).args(more);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// Starts the node and waits until it leads.
    fn start(&mut self, more: &[&str]) {
        self.start_by(self.command(more));
    }

    fn start_by(&mut self, mut command: Command) {
        self.child = Some(command.stderr(Stdio::null()).spawn().unwrap());
        poll("a leader", || {
            request(self.client, "GET", "/v1/kv/k?read=quorum", "").is_some_and(|it| it.starts_with("HTTP/1.1 200"))
        });
    }

    /// Starts the node and waits until it has ended by itself.
    fn refused(&self, more: &[&str]) -> Refusal {
        let output = self.command(more).spawn().unwrap().wait_with_output().unwrap();
        Refusal { code: output.status.code(), err: String::from_utf8(output.stderr).unwrap() }
    }

    fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn put(&self, value: u32) -> String {
        request(self.client, "PUT", "/v1/kv/k", &format!("{{\"value\":{value}}}")).unwrap()
    }

    fn get(&self) -> String {
        request(self.client, "GET", "/v1/kv/k?read=quorum", "").unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}

fn poll(what: &str, mut reached: impl FnMut() -> bool) {
    let start = Instant::now();
    while !reached() {
        assert!(start.elapsed() < LIMIT, "no {what} in time");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Sends one request on a new connection; `None` if there is no connection or no answer.
fn request(address: SocketAddr, method: &str, path: &str, body: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let head =
        format!("{method} {path} HTTP/1.1\r\nhost: n\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all((head + body).as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer).filter(|answer| !answer.is_empty())
}

fn flip(path: &Path, byte: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[byte] ^= 4;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_node_is_new_only_when_it_is_told_so() {
    let mut node = Node::new();
    let refusal = node.refused(&[]);
    assert_eq!(refusal.code, Some(3), "{}", refusal.err);
    assert!(refusal.err.contains("holds no node") && refusal.err.contains("--init"), "{}", refusal.err);
    assert!(!node.data().exists());
    node.start(&["--init"]);
    assert!(node.put(7).starts_with("HTTP/1.1 200"));
    node.kill();
    let refusal = node.refused(&["--init"]);
    assert_eq!(refusal.code, Some(3));
    assert!(refusal.err.contains("start it without --init"), "{}", refusal.err);
    node.start(&[]);
    assert!(node.get().contains("\"value\":7"), "{}", node.get());
    node.kill();
    fs::remove_dir_all(node.data()).unwrap();
    assert_eq!(node.refused(&[]).code, Some(3), "it does not come back without its memory");
}

#[test]
fn a_flipped_bit_of_the_last_record_keeps_the_node_down() {
    let mut node = Node::new();
    node.start(&["--init"]);
    for value in 0..5 {
        assert!(node.put(value).starts_with("HTTP/1.1 200"));
    }
    node.kill();
    let wal = node.data().join("wal");
    let whole = fs::read(&wal).unwrap();
    let mark = whole.windows(4).rposition(|window| window == b"\xffSW2").unwrap();
    for byte in [mark + 1, mark + 4, mark + 9, mark + 13, mark + 20, whole.len() - 1] {
        flip(&wal, byte);
        let refusal = node.refused(&[]);
        assert_eq!(refusal.code, Some(3), "byte {byte}: {}", refusal.err);
        assert!(refusal.err.contains(&format!("is damaged at byte {mark}")), "byte {byte}: {}", refusal.err);
        fs::write(&wal, &whole).unwrap();
    }
    fs::write(&wal, [&whole[..], &whole[..20]].concat()).unwrap();
    assert_eq!(node.refused(&[]).code, Some(3), "what was never written there");
    fs::write(&wal, [&whole[..], &[0; 700]].concat()).unwrap();
    node.start(&[]);
    assert!(node.get().contains("\"value\":4"), "a tail of zeros is a torn write of nothing");
}

/// Tests that clients cannot use up the descriptors that the node needs for its disk, and cannot keep others out with
/// idle connections.
#[test]
fn few_descriptors_and_many_clients_are_no_lost_disk() {
    let mut node = Node::new();
    let mut command = Command::new("sh");
    let plain = node.command(&["--init", "--snapshot-after", "5"]);
    command.args(["-c", "ulimit -n 48; exec \"$0\" \"$@\""]).arg(plain.get_program()).args(plain.get_args());
    command.stdout(Stdio::null());
    node.start_by(command);
    let mut idle = Vec::new();
    for value in 0..40 {
        for address in [node.client, node.peer] {
            idle.extend((0..5).map(|_| TcpStream::connect(address).unwrap()));
        }
        let answer = node.put(value);
        assert!(answer.starts_with("HTTP/1.1 200"), "after {} connections: {answer}", idle.len());
    }
    poll("snapshot", || node.data().join("snapshot").exists());
    drop(idle);
    assert!(node.get().contains("\"value\":39"));
    node.kill();
    node.start(&[]);
    assert!(node.get().contains("\"value\":39"));
}

/// Tests that peers which have not identified themselves cannot make a node allocate memory by announcing large
/// frames.
#[test]
fn strangers_take_no_memory() {
    let mut node = Node::new();
    node.start(&["--init"]);
    let most = |node: &Node| {
        let status = fs::read_to_string(format!("/proc/{}/status", node.child.as_ref().unwrap().id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    };
    let before = most(&node);
    let mut strangers: Vec<_> = (0..64).map(|_| TcpStream::connect(node.peer).unwrap()).collect();
    for stranger in &mut strangers {
        // Announces a frame of 16 MiB.
        stranger.write_all(&(16_u32 << 20).to_le_bytes()).ok();
    }
    for stranger in &mut strangers {
        stranger.set_read_timeout(Some(LIMIT)).unwrap();
        let mut answer = Vec::new();
        stranger.read_to_end(&mut answer).ok();
        assert!(answer.is_empty(), "closed without a word");
    }
    assert!(most(&node) - before < 16 << 20, "{before} bytes before, {} after", most(&node));
    assert!(node.put(1).starts_with("HTTP/1.1 200"));
}
