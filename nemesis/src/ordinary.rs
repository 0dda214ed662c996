//! Programs that refuse to run as root, which the user of a sandbox is.

use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sched::{CloneFlags, unshare};

use crate::sandbox::{UserMaps, is_root};

/// Makes a process that would be root run as an ordinary user, `nobody`, in a user namespace of its own; its files
/// still belong to the caller. Without effect for other callers. Starting the process fails where the host has no user
/// namespaces.
pub fn run_as_ordinary(command: &mut Command) {
    if !is_root() {
        return;
    }
    let maps = UserMaps::of_ordinary();
    #[allow(unsafe_code, reason = "a namespace is entered between fork and exec")]
    // SAFETY: a few system calls; nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            unshare(CloneFlags::CLONE_NEWUSER)?;
            Ok(maps.apply()?)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_becomes_an_ordinary_user_who_owns_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "id -u; touch made; test -O made && echo own"]).current_dir(&folder);
        run_as_ordinary(&mut command);
        let out = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let (id, rest) = out.split_once('\n').unwrap();
        assert!(id != "0" && rest == "own\n", "{out}");
        let file = folder.path().join("made").metadata().unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&file), nix::unistd::geteuid().as_raw());
    }
}
