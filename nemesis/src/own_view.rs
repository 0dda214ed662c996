//! A node's own view of its host: files bound over others, and a host name, in namespaces of its processes alone.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::sandbox::make_mounts_private;

/// Differences between a node's view of its host and that of others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnView {
    /// Files, each with the path of an existing file over which it is bound.
    pub files: Vec<(PathBuf, PathBuf)>,
    /// Name of the host.
    pub host_name: Option<String>,
}

impl OwnView {
    /// Returns true if the view differs in nothing.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.host_name.is_none()
    }

    /// Gives a program this view. Its mounts are private: nobody else sees them, and they go away with its processes.
    pub(crate) fn give(&self, command: &mut Command) -> io::Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let text = |path: &Path| CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other);
        let pair = |(from, over): &(PathBuf, PathBuf)| Ok((text(from)?, text(over)?));
        let files = self.files.iter().map(pair).collect::<io::Result<Vec<_>>>()?;
        let name = self.host_name.clone();
        let mut namespaces = CloneFlags::CLONE_NEWNS;
        namespaces.set(CloneFlags::CLONE_NEWUTS, name.is_some());
        #[allow(unsafe_code, reason = "namespaces are entered between fork and exec")]
        // SAFETY: system calls alone, on texts made before; paths are shorter than what nix copies to the stack.
        unsafe {
            command.pre_exec(move || {
                unshare(namespaces)?;
                make_mounts_private()?;
                for (from, over) in &files {
                    mount(Some(from.as_c_str()), over.as_c_str(), None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
                }
                Ok(name.as_deref().map_or(Ok(()), set_host_name)?)
            });
        }
        Ok(())
    }
}

/// Names the host of the UTS namespace that the caller is in.
pub(crate) fn set_host_name(name: &str) -> nix::Result<()> {
    #[allow(unsafe_code, reason = "one system call")]
    // SAFETY: the text is valid for its length, which is all that is read.
    let result = unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) };
    nix::errno::Errno::result(result).map(drop)
}
