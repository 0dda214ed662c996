//! Determines the capabilities of this host by trying them, in child processes and in namespaces that go away with
//! them. Works on the host as well as inside a sandbox, and with other threads running.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpid, pause, pipe2, read, write};

use crate::capabilities::{Capabilities, Capability, Need};
use crate::clock::prepare;
use crate::disk::FUSE;
use crate::net::command::{self, Command};
use crate::net::route_socket::{Messages, RouteSocket};
use crate::net::{CommandError, Firewall, Partitioner, links};
use crate::own_view::set_host_name;
use crate::parent::end_with;
use crate::partition_by::PartitionBy;
use crate::sandbox::{UserMaps, is_root, make_mounts_private};
use crate::strays::Process;

/// Environment variable that replaces the folders in which programs are searched, see [`with_sbin`].
const TOOLS_PATH: &str = "SCHISM_TOOLS_PATH";

/// Tries all capabilities that there are to try where hosts are partitioned in this way; takes some milliseconds, and
/// some tens of them if a program is to do it.
pub fn probe(by: PartitionBy) -> Capabilities {
    let mut list = vec![
        user_namespaces(),
        namespaces(
            Need::MountAndPidNamespaces,
            "mount and PID namespaces",
            CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID,
            || {
                make_mounts_private()?;
                mount(Some("schism"), "/run", Some("tmpfs"), MsFlags::empty(), None::<&str>)
            },
            "nothing of a run is left behind, however it ends",
        ),
        namespaces(
            Need::UtsNamespaces,
            "UTS namespaces",
            CloneFlags::CLONE_NEWUTS,
            || set_host_name("schism"),
            "a host name of its own for each node",
        ),
        namespaces(
            Need::Network,
            "network namespaces",
            CloneFlags::CLONE_NEWNET,
            || Ok(()),
            "a host with an address of its own for each node",
        ),
        links(),
        packet_sockets(),
        fuse(),
        signals(),
        tracing(),
        own_executable(),
    ];
    if by == PartitionBy::Netlink {
        return Capabilities { list, partitioner: Some(Partitioner::Neighbours) };
    }
    let (firewall, row) = firewall(by);
    list.push(row);
    Capabilities { list, partitioner: firewall.map(Partitioner::Rules) }
}

fn user_namespaces() -> Capability {
    let maps = UserMaps::of_caller();
    let result = in_child(move || unshare(CloneFlags::CLONE_NEWUSER).and_then(|()| maps.apply()));
    Capability {
        need: Need::UserNamespaces,
        name: "user namespaces",
        present: result.is_ok(),
        detail: detail(result, "a child became root of one"),
        enables: if is_root() { "nodes that refuse to run as root" } else { "a sandbox without being root" },
        remedy: allow_user_namespaces(),
    }
}

fn namespaces(
    need: Need,
    name: &'static str,
    flags: CloneFlags,
    work: fn() -> nix::Result<()>,
    enables: &'static str,
) -> Capability {
    let result = in_namespaces(flags, work);
    let present = result.is_ok();
    let detail = detail(result, "a child entered its own");
    Capability { need, name, present, detail, enables, remedy: allow_user_namespaces() }
}

fn links() -> Capability {
    let requests = Messages::of(&links::trial(), 1);
    let result = in_namespaces(CloneFlags::CLONE_NEWNET, move || RouteSocket::open(None)?.carry_out_raw(&requests));
    Capability {
        need: Need::Links,
        name: "bridge and veth",
        present: result.is_ok(),
        detail: detail(result, "a child connected hosts, and cut them"),
        enables: "the links between the nodes' hosts, and partitions",
        remedy: "as root: modprobe bridge veth".into(),
    }
}

fn packet_sockets() -> Capability {
    let result = in_namespaces(CloneFlags::CLONE_NEWNET, || {
        socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None).map(drop)
    });
    Capability {
        need: Need::PacketSockets,
        name: "packet sockets",
        present: result.is_ok(),
        detail: detail(result, "a child opened one in a network of its own"),
        enables: "faults of packets: loss, delay, reset and the like",
        remedy: "as root: modprobe af_packet".into(),
    }
}

/// Does the work, which must make only system calls, in a child process in namespaces of its own.
fn in_namespaces(
    flags: CloneFlags,
    work: impl Fn() -> nix::Result<()> + Clone + Send + Sync + 'static,
) -> io::Result<()> {
    let mut result = Err(io::Error::from(Errno::EPERM));
    for maps in UserMaps::to_try() {
        let work = work.clone();
        result = in_child(move || enter(flags, maps.as_ref()).and_then(|()| work()));
        if result.is_ok() {
            break;
        }
    }
    result
}

/// Returns the remedy that lets an ordinary user create namespaces, depending on the switches of distributions.
fn allow_user_namespaces() -> String {
    let is = |path: &str, value: &str| fs::read_to_string(path).is_ok_and(|text| text.trim() == value);
    let sysctl = if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        "kernel.unprivileged_userns_clone=1"
    } else if is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
        "kernel.apparmor_restrict_unprivileged_userns=0"
    } else if is("/proc/sys/user/max_user_namespaces", "0") {
        "user.max_user_namespaces=10000"
    } else if is("/proc/sys/user/max_uts_namespaces", "0") {
        "user.max_uts_namespaces=10000"
    } else {
        return "run as root on a machine of your own, or start the container with --privileged".into();
    };
    format!("as root: sysctl -w {sysctl}")
}

/// Looks for a program that can install rules in this way.
fn firewall(by: PartitionBy) -> (Option<Firewall>, Capability) {
    let candidates: &[&str] =
        if by == PartitionBy::Nft { &["nft"] } else { &["iptables", "iptables-nft", "iptables-legacy"] };
    let found = candidates
        .iter()
        .filter_map(|name| find(name).map(if by == PartitionBy::Nft { Firewall::Nft } else { Firewall::Iptables }));
    let mut failures = Vec::new();
    let works = found.into_iter().find(|firewall| {
        in_fresh_network(&firewall.trial())
            .map_err(|why| failures.push(format!("{}: {why}", firewall.program().display())))
            .is_ok()
    });
    let detail = match &works {
        Some(firewall) => format!("{} installed a rule", firewall.program().display()),
        None if failures.is_empty() => "not found".into(),
        None => failures.join("; "),
    };
    let (name, package) = if by == PartitionBy::Nft { ("nft", "nftables") } else { ("iptables", "iptables") };
    let row = Capability {
        need: Need::Firewall,
        name,
        present: works.is_some(),
        detail,
        enables: "partitions by rules of a firewall",
        remedy: format!("apt-get install {package}, or partition by netlink, which needs no program"),
    };
    (works, row)
}

fn fuse() -> Capability {
    // The child cannot make the text of the options, so that the number of the file is one that is known.
    const DEVICE: libc::c_int = 100;
    let options = format!("fd={DEVICE},rootmode=40000,user_id=0,group_id=0");
    let mut result = Err(io::Error::from(Errno::EPERM));
    for maps in UserMaps::to_try() {
        let options = options.clone();
        result = in_child(move || {
            enter(CloneFlags::CLONE_NEWNS, maps.as_ref())?;
            make_mounts_private()?;
            let device = open(FUSE, OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?;
            #[allow(unsafe_code, reason = "a file is given a number of our choice")]
            // SAFETY: the child uses no file of that number, and ends soon.
            Errno::result(unsafe { libc::dup2(device.as_raw_fd(), DEVICE) })?;
            mount(Some("schism"), "/run", Some("fuse"), MsFlags::empty(), Some(options.as_str()))
        });
        if result.is_ok() {
            break;
        }
    }
    Capability {
        need: Need::Fuse,
        name: FUSE,
        present: result.is_ok(),
        detail: detail(result, "a child mounted a file system of its own"),
        enables: "power losses, and all other faults of disks",
        remedy: "as root: modprobe fuse; chmod 666 /dev/fuse (in a container, start it with --device /dev/fuse)".into(),
    }
}

fn signals() -> Capability {
    let stop = |child| kill(child, Signal::SIGSTOP).and_then(|()| waitpid(child, Some(WaitPidFlag::WUNTRACED)));
    let result = with_child(stop).map_err(io::Error::from).and_then(|stopped| match stopped? {
        WaitStatus::Stopped(..) => Ok(()),
        _ => Err(Errno::EPERM.into()),
    });
    Capability {
        need: Need::Signals,
        name: "signals",
        present: result.is_ok(),
        detail: detail(result, "a child was stopped and killed"),
        enables: "kill and pause",
        remedy: "let processes signal their own children".into(),
    }
}

fn tracing() -> Capability {
    let prepare = |child| {
        let found: Vec<Process> = Process::find(child).into_iter().collect();
        if found.is_empty() { Ok(false) } else { prepare(&|| found.clone()).map(|()| true) }
    };
    let result = with_child(prepare).map_err(io::Error::from).and_then(|prepared| match prepared {
        Ok(true) => Ok(()),
        Ok(false) => Err(io::Error::other("/proc shows no child")),
        Err(error) => Err(io::Error::other(error)),
    });
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    let remedy = match scope.trim() {
        _ if cfg!(not(target_arch = "x86_64")) => "have the nodes read a clock file",
        "2" => "as root: sysctl -w kernel.yama.ptrace_scope=1",
        "3" => "start the machine without kernel.yama.ptrace_scope=3, which only that takes back",
        _ => "let processes trace their own children (in a container, start it with --cap-add SYS_PTRACE)",
    };
    Capability {
        need: Need::Tracing,
        name: "ptrace",
        present: result.is_ok(),
        detail: detail(result, "the clocks of a child were taken"),
        enables: "skewed clocks of any program",
        remedy: remedy.into(),
    }
}

/// Attempts something on a child that waits, and that is killed afterwards.
fn with_child<T>(attempt: impl FnOnce(Pid) -> T) -> nix::Result<T> {
    let parent = getpid();
    // Stopped before its parent death signal is set, the child would outlive us for ever, so it reports when it is
    // set.
    let (bound, says_so) = pipe2(OFlag::O_CLOEXEC)?;
    #[allow(unsafe_code, reason = "fork is unsafe where there may be other threads")]
    // SAFETY: the child makes only system calls until it is killed.
    let child = match unsafe { fork() }? {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            if end_with(parent).is_ok() && write(&says_so, b"!").is_ok() {
                loop {
                    pause();
                }
            }
            #[allow(unsafe_code, reason = "what the parent would do at its end is not for the child to do")]
            // SAFETY: it does not return.
            unsafe {
                libc::_exit(1)
            }
        }
    };
    drop(says_so);
    if !receives_byte(&bound) {
        kill(child, Signal::SIGKILL)?;
        waitpid(child, None)?;
        return Err(Errno::ESRCH);
    }
    let done = attempt(child);
    kill(child, Signal::SIGKILL)?;
    if matches!(waitpid(child, None)?, WaitStatus::Signaled(..)) { Ok(done) } else { Err(Errno::EPERM) }
}

/// Returns true if something is written to the pipe before all its writers have closed it.
fn receives_byte(pipe: &OwnedFd) -> bool {
    loop {
        match read(pipe, &mut [0]) {
            Err(Errno::EINTR) => {}
            result => return result == Ok(1),
        }
    }
}

fn own_executable() -> Capability {
    let result = fs::read_link("/proc/self/exe");
    Capability {
        need: Need::OwnExecutable,
        name: "/proc/self/exe",
        present: result.is_ok(),
        detail: result.map_or_else(|error| error.to_string(), |path| path.display().to_string()),
        enables: "starting itself again, inside the sandbox and as a node",
        remedy: "mount -t proc proc /proc".into(),
    }
}

/// Returns the first executable of this name.
fn find(name: &str) -> Option<PathBuf> {
    let folders: Vec<PathBuf> = match env::var_os(TOOLS_PATH) {
        Some(folders) => env::split_paths(&folders).collect(),
        None => with_sbin(&env::var_os("PATH").unwrap_or_default()),
    };
    let is_executable = |path: &PathBuf| nix::unistd::access(path, nix::unistd::AccessFlags::X_OK).is_ok();
    folders.into_iter().map(|folder| folder.join(name)).find(|path| path.is_file() && is_executable(path))
}

/// Returns the folders of a PATH and, for each `bin` among them, its `sbin`: administration tools are there, and an
/// ordinary user's PATH lacks it.
fn with_sbin(path: &OsStr) -> Vec<PathBuf> {
    let folders: Vec<PathBuf> = env::split_paths(path).collect();
    let of_administrator =
        folders.iter().filter(|folder| folder.ends_with("bin")).map(|folder| folder.with_file_name("sbin"));
    let of_administrator: Vec<PathBuf> = of_administrator.collect();
    folders.into_iter().chain(of_administrator).collect()
}

/// Runs a command in a network namespace that ends with it.
fn in_fresh_network(command: &Command) -> Result<(), String> {
    let mut failure = String::new();
    for maps in UserMaps::to_try() {
        let mut process = command::process(command);
        // The xtables lock protects rules that others may see; nobody else sees these.
        process.env("XTABLES_LOCKFILE", "/dev/null");
        before_exec(&mut process, move || enter(CloneFlags::CLONE_NEWNET, maps.as_ref()));
        match command::finish(command, process, command::TIME_LIMIT) {
            Ok(_) => return Ok(()),
            // The program's output is enough for a line in a table.
            Err(CommandError::Failed { stderr, .. }) => failure = stderr.replace('\n', "; "),
            Err(error) => failure = error.to_string(),
        }
    }
    Err(failure)
}

fn enter(mut flags: CloneFlags, maps: Option<&UserMaps>) -> nix::Result<()> {
    flags.set(CloneFlags::CLONE_NEWUSER, maps.is_some());
    unshare(flags)?;
    maps.map_or(Ok(()), UserMaps::apply)
}

/// Attempts something in a child process that then ends without ever running a program.
fn in_child(attempt: impl Fn() -> nix::Result<()> + Send + Sync + 'static) -> io::Result<()> {
    // Any result from before exec is reported as an error; this one means success.
    const DONE: Errno = Errno::ECANCELED;
    let mut process = process::Command::new("/proc/self/exe");
    before_exec(&mut process, move || attempt().and(Err(DONE)));
    match process.spawn() {
        Err(error) if error.raw_os_error() == Some(DONE as i32) => Ok(()),
        Err(error) => Err(error),
        Ok(mut child) => {
            child.kill()?;
            child.wait().and(Err(io::Error::other("a child ran that should not have")))
        }
    }
}

/// Runs `work` in the child between fork and exec; it must make only system calls.
fn before_exec(process: &mut process::Command, work: impl Fn() -> nix::Result<()> + Send + Sync + 'static) {
    let parent = getpid();
    #[allow(unsafe_code, reason = "namespaces are entered between fork and exec")]
    // SAFETY: all callers' work makes only system calls and allocates nothing.
    unsafe {
        process.pre_exec(move || end_with(parent).and_then(|()| work()).map_err(io::Error::from));
    }
}

fn detail(result: io::Result<()>, success: &str) -> String {
    result.map_or_else(|error| error.to_string(), |()| success.into())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn beside_each_bin_its_sbin_is_searched_and_nothing_else() {
        let folders = |path: &str| with_sbin(path.as_ref());
        assert_eq!(folders("/usr/bin:/opt/x"), [Path::new("/usr/bin"), Path::new("/opt/x"), Path::new("/usr/sbin")]);
        assert_eq!(folders("/opt/tools"), [Path::new("/opt/tools")]);
    }
}
