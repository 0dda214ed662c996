//! Network namespaces with names, where `ip netns` looks for them.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::thread;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};

/// Folder in which `ip netns` keeps its names.
const FOLDER: &str = "/run/netns";

/// Returns the path of the namespace with this name.
pub(crate) fn path(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

/// Creates a network namespace with this name, and does something in it. Returns the namespace, and what came of that.
pub(crate) fn create<T: Send>(name: &str, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<(File, T)> {
    fs::create_dir_all(FOLDER)?;
    File::create_new(path(name))?;
    let enter = || {
        unshare(CloneFlags::CLONE_NEWNET)?;
        let own = Path::new("/proc/thread-self/ns/net");
        mount(Some(own), &*path(name), None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
        Ok((File::open(path(name))?, work()?))
    };
    // A thread of its own leaves this one where it is, even after an error.
    let created = thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, enter)?;
        thread.join().expect("system calls do not panic")
    });
    if created.is_err() {
        remove(name).ok();
    }
    created
}

/// Removes the name; the namespace ends with the last process and descriptor in it.
pub(crate) fn remove(name: &str) -> io::Result<()> {
    umount2(&*path(name), MntFlags::MNT_DETACH)?;
    fs::remove_file(path(name))
}

/// Makes the process start in another network namespace.
pub(crate) fn enter(process: &mut Command, netns: File) {
    #[allow(unsafe_code, reason = "a namespace is entered between fork and exec")]
    // SAFETY: setns is a single system call; nothing is allocated.
    unsafe {
        process.pre_exec(move || setns(&netns, CloneFlags::CLONE_NEWNET).map_err(io::Error::from));
    }
}
