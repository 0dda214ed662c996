//! Processes of a node that have left its process group: some servers, such as that of `PostgreSQL`, give each of their
//! children a session of its own, and daemons leave their parents.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirEntry, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::unistd::Pid;

use crate::net::netns;

/// Sign by which a process is known to be of a node, whoever its parent is.
#[derive(Debug)]
pub(crate) enum Sign {
    /// Network namespace of the node's host.
    Host(File),
    /// Value of [`Sign::VARIABLE`] in its environment, where hosts are not separate. A program can overwrite its own.
    Environment(String),
}

impl Sign {
    /// Environment variable of the nodes' processes.
    const VARIABLE: &str = "SCHISM_NODE_SIGN";

    /// Returns the sign of a node about to be started in this network namespace, if its host has one of its own.
    pub(crate) fn new(netns: Option<File>) -> Self {
        static STARTED: AtomicU64 = AtomicU64::new(0);
        let count = || STARTED.fetch_add(1, Ordering::Relaxed);
        netns.map_or_else(|| Self::Environment(format!("{}-{}", std::process::id(), count())), Self::Host)
    }

    /// Gives a command this sign.
    pub(crate) fn give(&self, command: &mut Command) -> io::Result<()> {
        match self {
            Self::Host(netns) => netns::enter(command, netns.try_clone()?),
            Self::Environment(value) => drop(command.env(Self::VARIABLE, value)),
        }
        Ok(())
    }

    /// Returns true if this folder of `/proc` is that of a process with this sign.
    fn is_on(&self, process: &Path) -> bool {
        match self {
            Self::Host(netns) => netns.metadata().is_ok_and(|netns| is_in(process, "net", &netns)),
            Self::Environment(value) => {
                let variable = format!("{}={value}", Self::VARIABLE);
                let environment = fs::read(process.join("environ")).unwrap_or_default();
                environment.split(|byte| *byte == 0).any(|found| found == variable.as_bytes())
            }
        }
    }
}

/// Process that `/proc` shows, perhaps by another number than it has in our PID namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    /// Number in our namespace.
    pub(crate) id: Pid,
    shown: Pid,
}

impl Process {
    /// Finds a process by its number in our namespace, if it has not ended.
    pub(crate) fn find(id: Pid) -> Option<Self> {
        let relations = processes(None).ok()?.remove(&id)?;
        Some(Self { id, shown: relations.shown })
    }

    /// Returns its folder of `/proc`.
    pub(crate) fn folder(self) -> PathBuf {
        Path::new("/proc").join(self.shown.to_string())
    }

    /// Returns its state as `/proc` has it, if it is still there.
    pub(crate) fn status(self) -> Option<String> {
        fs::read_to_string(self.folder().join("status")).ok()
    }

    /// Returns the first number of a line of such a state.
    pub(crate) fn number(status: &str, name: &str) -> Option<i32> {
        field(status, name)?.split_whitespace().next()?.parse().ok()
    }

    /// Returns its threads that have not ended, by their numbers in our namespace.
    pub(crate) fn threads(self) -> Vec<Pid> {
        let (Ok(depth), Ok(entries)) = (depth(), fs::read_dir(self.folder().join("task"))) else { return Vec::new() };
        let number = |status: String| {
            let has_ended = field(&status, "State")?.trim().starts_with(['Z', 'X']);
            let number = field(&status, "NSpid")?.split_whitespace().nth(depth)?.parse().ok()?;
            (!has_ended).then(|| Pid::from_raw(number))
        };
        let status = |entry: DirEntry| fs::read_to_string(entry.path().join("status")).ok();
        entries.flatten().filter_map(|entry| number(status(entry)?)).collect()
    }
}

/// Process by the numbers that it has in our PID namespace.
#[derive(Clone, Copy)]
struct Relations {
    shown: Pid,
    parent: Option<Pid>,
    group: Pid,
    has_sign: bool,
}

/// Returns those processes with a node's sign, of our children, of the members of a process group, and of the
/// descendants of all these, that are not in the group and have not ended. Where `/proc` shows nothing, there are none.
pub(crate) fn strays(group: Pid, children: BTreeSet<Pid>, sign: &Sign) -> BTreeSet<Pid> {
    find_strays(group, children, &processes(Some(sign)).unwrap_or_default())
}

/// Returns all processes of a node that have not ended, those in the group too.
pub(crate) fn members(group: Pid, children: BTreeSet<Pid>, sign: &Sign) -> Vec<Process> {
    let processes = processes(Some(sign)).unwrap_or_default();
    let known = find_members(group, children, &processes).into_iter();
    known.filter_map(|id| processes.get(&id).map(|of| Process { id, shown: of.shown })).collect()
}

/// Returns those of some processes that have not ended.
pub(crate) fn living(mut of: BTreeSet<Pid>) -> BTreeSet<Pid> {
    if !of.is_empty() {
        let processes = processes(None).unwrap_or_default();
        of.retain(|id| processes.contains_key(id));
    }
    of
}

/// Reads all processes of our PID namespace that have not ended. `/proc` may be that of a namespace around it, and have
/// other numbers.
fn processes(sign: Option<&Sign>) -> io::Result<BTreeMap<Pid, Relations>> {
    let depth = depth()?;
    let namespace = fs::metadata("/proc/self/ns/pid")?;
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Ok(status) = fs::read_to_string(entry.path().join("status")) else { continue };
        let Some(numbers) = read(&status, depth) else { continue };
        if depth == 0 || is_in(&entry.path(), "pid", &namespace) {
            found.push((numbers, sign.is_some_and(|sign| sign.is_on(&entry.path()))));
        }
    }
    let ours: BTreeMap<Pid, Pid> = found.iter().map(|(numbers, _)| (numbers.shown, numbers.id)).collect();
    let relations = |(Numbers { shown, id, shown_parent, group }, has_sign)| {
        (id, Relations { shown, parent: ours.get(&shown_parent).copied(), group, has_sign })
    };
    Ok(found.into_iter().map(relations).collect())
}

/// Returns how many PID namespaces lie between that of `/proc` and ours.
fn depth() -> io::Result<usize> {
    let own = fs::read_to_string("/proc/self/status")?;
    Ok(field(&own, "NSpid").unwrap_or_default().split_whitespace().count().saturating_sub(1))
}

/// Returns true if a process is in a namespace of this kind.
fn is_in(process: &Path, kind: &str, namespace: &Metadata) -> bool {
    let identity = |of: &Metadata| (of.dev(), of.ino());
    fs::metadata(process.join("ns").join(kind)).is_ok_and(|own| identity(&own) == identity(namespace))
}

/// Numbers of a process: its own and its parent's as `/proc` shows them, its own and its group's in our namespace.
#[derive(Debug, PartialEq, Eq)]
struct Numbers {
    shown: Pid,
    shown_parent: Pid,
    id: Pid,
    group: Pid,
}

/// Reads `/proc/PID/status` for our namespace, which lies so many deep in that of `/proc`; none if the process has
/// ended. As long as one of its threads runs, it has not, and holds its files and ports, even if the first is a zombie.
fn read(status: &str, depth: usize) -> Option<Numbers> {
    let state = field(status, "State")?.trim();
    if state.starts_with(['Z', 'X']) && matches!(field(status, "Threads")?.trim(), "0" | "1") {
        return None;
    }
    let number = |name, depth| {
        let number = field(status, name)?.split_whitespace().nth(depth)?.parse().ok()?;
        Some(Pid::from_raw(number))
    };
    let [shown, shown_parent, id] = [number("Pid", 0)?, number("PPid", 0)?, number("NSpid", depth)?];
    Some(Numbers { shown, shown_parent, id, group: number("NSpgid", depth)? })
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

fn find_strays(group: Pid, children: BTreeSet<Pid>, processes: &BTreeMap<Pid, Relations>) -> BTreeSet<Pid> {
    let mut found = find_members(group, children, processes);
    found.retain(|id| processes.get(id).is_some_and(|relations| relations.group != group));
    found
}

fn find_members(group: Pid, children: BTreeSet<Pid>, processes: &BTreeMap<Pid, Relations>) -> BTreeSet<Pid> {
    let mut found = children;
    let is_member = |of: &Relations| of.group == group || of.has_sign;
    found.extend(processes.iter().filter(|(_, relations)| is_member(relations)).map(|(id, _)| *id));
    loop {
        let is_below = |of: &Relations| of.parent.is_some_and(|parent| found.contains(&parent));
        let more = processes.iter().filter(|(id, relations)| !found.contains(id) && is_below(relations));
        let more: Vec<Pid> = more.map(|(id, _)| *id).collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_our_namespace() {
        let status = "Name:\ta) (b\nState:\tS (sleeping)\nPid:\t107\nPPid:\t101\nNSpid:\t107\t7\nNSpgid:\t105\t5\n\
                      NSsid:\t1\t1\nThreads:\t1\n";
        let numbers = |id, group| {
            let [shown, shown_parent, id, group] = [107, 101, id, group].map(Pid::from_raw);
            Numbers { shown, shown_parent, id, group }
        };
        assert_eq!(read(status, 1), Some(numbers(7, 5)));
        assert_eq!(read(status, 0), Some(numbers(107, 105)));
        assert_eq!(read(status, 2), None, "it is not in a namespace that deep");
        let ended = status.replace("S (sleeping)", "Z (zombie)");
        assert_eq!(read(&ended, 1), None);
        let others_run = ended.replace("Threads:\t1", "Threads:\t2");
        assert_eq!(read(&others_run, 1), Some(numbers(7, 5)));
    }

    #[test]
    fn whoever_has_the_sign_and_descendants_outside_of_the_group_are_found() {
        let process = |(id, parent, group): (i32, i32, i32)| {
            let [id, parent, group] = [id, parent, group].map(Pid::from_raw);
            (id, Relations { shown: id, parent: Some(parent), group, has_sign: id == Pid::from_raw(15) })
        };
        let processes = [
            (1, 0, 1),
            (7, 1, 7),
            (8, 7, 7),
            (9, 8, 9),   // a session of its own
            (10, 9, 9),  // below it
            (11, 1, 11), // another's
            (12, 1, 7),  // beside
            (13, 12, 13),
            (14, 1, 14), // beside, and has left
            (15, 1, 15), // a daemon
            (16, 15, 15),
        ];
        let children = BTreeSet::from([7, 12, 14].map(Pid::from_raw));
        let found = find_strays(Pid::from_raw(7), children, &processes.into_iter().map(process).collect());
        assert_eq!(found, BTreeSet::from([9, 10, 13, 14, 15, 16].map(Pid::from_raw)));
    }
}
