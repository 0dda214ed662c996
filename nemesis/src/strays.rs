//! Processes of a node that have left its process group: some servers, such as that of `PostgreSQL`, give each of their
//! children a session of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use nix::unistd::{Pid, getpid};

/// Returns those of our children, of the members of a process group, and of the descendants of both that are not in the
/// group. One whose parent has ended is nobody's descendant any more, and is not found. Returns none where `/proc`
/// shows the processes of another PID namespace, whose numbers mean nothing here.
pub(crate) fn strays(group: Pid, children: BTreeSet<Pid>) -> BTreeSet<Pid> {
    let is_ours = fs::read_link("/proc/self").is_ok_and(|own| own == Path::new(&getpid().to_string()));
    let entries = is_ours.then(|| fs::read_dir("/proc").into_iter().flatten().flatten()).into_iter().flatten();
    let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    let processes: BTreeMap<Pid, Relations> = stats.filter_map(|stat| read(&stat)).collect();
    find_strays(group, children, &processes)
}

/// Parent and group of a process.
#[derive(Clone, Copy)]
struct Relations {
    parent: Pid,
    group: Pid,
}

/// Reads the line of `/proc/PID/stat`: number, name in parentheses, state, parent, group, and more.
fn read(stat: &str) -> Option<(Pid, Relations)> {
    let id = stat.split(' ').next()?.parse().ok()?;
    // A name may have spaces and parentheses.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(1).map(|field| field.parse().map(Pid::from_raw));
    let relations = Relations { parent: fields.next()?.ok()?, group: fields.next()?.ok()? };
    Some((Pid::from_raw(id), relations))
}

fn find_strays(group: Pid, children: BTreeSet<Pid>, processes: &BTreeMap<Pid, Relations>) -> BTreeSet<Pid> {
    let mut found = children;
    found.extend(processes.iter().filter(|(_, relations)| relations.group == group).map(|(id, _)| *id));
    loop {
        let more: Vec<Pid> = processes
            .iter()
            .filter(|(id, relations)| !found.contains(id) && found.contains(&relations.parent))
            .map(|(id, _)| *id)
            .collect();
        if more.is_empty() {
            found.retain(|id| processes.get(id).is_some_and(|relations| relations.group != group));
            return found;
        }
        found.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_and_descendants_outside_of_the_group_are_found() {
        let stats = [
            "1 (init) S 0 1 1 0",
            "7 (node (a) b) S 1 7 7 0",
            "8 (in group) S 7 7 7 0",
            "9 (own session) S 8 9 9 0",
            "10 (below) S 9 9 9 0",
            "11 (other) S 1 11 11 0",
            "12 (beside) S 1 7 7 0",
            "13 (below beside) S 12 13 13 0",
            "14 (beside, has left) S 1 14 14 0",
        ];
        let children = BTreeSet::from([7, 12, 14].map(Pid::from_raw));
        let processes = stats.iter().filter_map(|stat| read(stat)).collect();
        let found = find_strays(Pid::from_raw(7), children, &processes);
        assert_eq!(found, BTreeSet::from([9, 10, 13, 14].map(Pid::from_raw)));
    }
}
