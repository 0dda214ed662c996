//! The host as a test sees it from outside: its state, its processes, and a way to start helpers on it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Waits until `done` returns true, at most [`LIMIT`].
pub(crate) fn poll(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + LIMIT;
    while !done() {
        assert!(Instant::now() < until, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Returns the state of the host that a run must leave unchanged.
pub(crate) fn state() -> Vec<String> {
    let told = |argv: &[&str]| {
        let output = Command::new(argv[0]).args(&argv[1..]).output();
        output.map_or_else(|error| error.to_string(), |output| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    vec![
        told(&["ip", "-o", "link"]),
        told(&["ip", "netns", "list"]),
        told(&["iptables", "-w", "-S"]),
        told(&["iptables-legacy", "-w", "-S"]),
        told(&["nft", "list", "tables"]),
        fs::read_to_string("/proc/mounts").unwrap(),
    ]
}

/// Returns the processes that have `token` in their command line.
pub(crate) fn processes(token: &str) -> Vec<i32> {
    let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let has_token = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == token.as_bytes())
    };
    pids.filter(|pid| *pid != i32::try_from(std::process::id()).unwrap()).filter(has_token).collect()
}

/// Returns the children of a process.
pub(crate) fn children(parent: i32) -> Vec<i32> {
    let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_child = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        after_name.split_whitespace().nth(1) == Some(&parent.to_string())
    };
    pids.filter(is_child).collect()
}

/// User that a helper runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    /// User that runs the tests.
    Me,
    /// User without any rights; the same as `Me` if that one has none.
    Nobody,
}

/// Path of a copy of this binary that everybody can read.
static BINARY: OnceLock<PathBuf> = OnceLock::new();

/// Copies this binary to where everybody can read it, until the folder is dropped. That must be done before there are
/// other threads: what one of them starts has the copy open for writing for a moment, and the kernel executes no such
/// file.
pub(crate) fn copy_binary() -> TempDir {
    let folder = readable_folder();
    let binary = BINARY.get_or_init(|| folder.path().join("it"));
    fs::copy(std::env::current_exe().unwrap(), binary).unwrap();
    fs::set_permissions(binary, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn readable_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// Starter of this binary as `helper …`, and of a folder with tools for it.
pub(crate) struct Starter {
    folder: TempDir,
    binary: &'static Path,
}

impl Starter {
    pub(crate) fn new() -> Self {
        Self { folder: readable_folder(), binary: BINARY.get().expect("it was copied at the start") }
    }

    /// Returns the command for a helper, with standard output and error piped.
    pub(crate) fn helper(&self, user: User, arguments: &[&str]) -> Command {
        let mut command = if user == User::Nobody && nix::unistd::geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(self.binary);
            command
        } else {
            Command::new(self.binary)
        };
        command.arg("helper").args(arguments).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Returns the command for a helper that cannot create namespaces.
    pub(crate) fn without_namespaces(&self, arguments: &[&str]) -> Command {
        let forbid =
            "for kind in user net mnt pid; do echo 0 > /proc/sys/user/max_${kind}_namespaces; done; exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["-Ur", "sh", "-ec", forbid, "sh"]).arg(self.binary).arg("helper").args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Creates a folder that holds only this program, if any, under this name; says so if it is not installed.
    pub(crate) fn tools(&self, program: Option<&str>) -> Option<PathBuf> {
        let tools = self.folder.path().join(format!("tools-{}", program.unwrap_or("none")));
        fs::create_dir(&tools).unwrap();
        if let Some(program) = program {
            let found = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(|folder| PathBuf::from(folder).join(program));
            let Some(real) = found.iter().find(|path| path.exists()) else {
                println!("skipped: {program} is not installed");
                return None;
            };
            std::os::unix::fs::symlink(real, tools.join(program)).unwrap();
        }
        Some(tools)
    }
}

/// Runs a scenario without a sandbox, to its end, which must be a success; returns its output. One runs at a time, as
/// all of them share the ports of loopback.
pub(crate) fn plainly(scenario: &str) -> String {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    succeed(&mut Starter::new().helper(User::Me, &["plain", scenario]))
}

/// Runs a command to its end, which must be a success; returns its output.
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, both(&output));
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn both(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Waits for the child's end within the limit.
pub(crate) fn exit_code(child: &mut Child) -> Option<i32> {
    let mut status = None;
    poll("a helper's end", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap().code()
}
