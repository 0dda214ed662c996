//! Disk of a node: mounted at its data directory, and mounted anew after a power loss, so that nothing that the kernel
//! remembers outlives it.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use fuser::{Config, Session, SessionACL};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{getegid, geteuid};

use super::damage::damage;
use super::fault::{Damage, DiskFault, EntryRule};
use super::filesystem::Mount;
use super::image::{Attributes, Image};
use super::state::{Death, Faults, Refusal, Shared, State};
use crate::random::Random;

/// Device by which programs serve file systems.
pub(crate) const FUSE: &str = "/dev/fuse";
/// Bytes of a disk; all are in memory.
const CAPACITY_BYTES: usize = 1 << 30;

/// Disk of one node. Its files are gone when this value is dropped.
pub(crate) struct Disk {
    path: PathBuf,
    shared: Arc<Shared>,
    /// Thread that serves the present mount.
    server: JoinHandle<io::Result<()>>,
    /// Copy to be put back.
    copy: Option<Image>,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Disk {
    /// Mounts an empty disk over a folder, which is made if it is missing.
    ///
    /// # Errors
    /// Fails if the folder cannot be made, or if this host has no FUSE.
    pub(crate) fn mount(path: &Path, rule: EntryRule) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        let folder = fs::metadata(path)?;
        let now = SystemTime::now();
        let permissions = u16::try_from(folder.mode() & 0o7777).expect("twelve bits fit");
        let (user, group) = (folder.uid(), folder.gid());
        let attributes = Attributes { permissions, user, group, accessed: now, modified: now, changed: now };
        let shared = Arc::new(Shared::new(Image::new(rule, CAPACITY_BYTES, attributes)));
        let server = serve(path, &shared)?;
        Ok(Self { path: path.to_owned(), shared, server, copy: None })
    }

    /// Makes all that is on it durable.
    pub(crate) fn sync_all(&self) {
        self.change(|state| state.image.sync_all());
    }

    /// Checks that it is still served.
    ///
    /// # Errors
    /// Fails if the thread that serves it has ended, or an answer was not finished.
    pub(crate) fn check(&self) -> io::Result<()> {
        let is_served = !self.server.is_finished() && !self.shared.state.is_poisoned();
        if is_served { Ok(()) } else { Err(io::Error::other("nobody serves it any more")) }
    }

    /// Begins a fault that leaves the disk mounted; `kill` is called at the fsync that it is about, if it is.
    pub(crate) fn begin(&mut self, fault: DiskFault, kill: Box<dyn FnOnce() + Send>) {
        if fault == (DiskFault::Corrupt { damage: Damage::OldCopy }) {
            self.copy = Some(self.change(|state| state.image.clone()));
        }
        self.change(|State { faults, .. }| {
            faults.refusals.extend(refusal(fault));
            match fault {
                DiskFault::Slow { delay_ms } => faults.delay = Some(Duration::from_millis(delay_ms.into())),
                DiskFault::CrashAtFsync { n } => faults.death = Some(Death { left: n, kill }),
                _ => {}
            }
        });
    }

    /// Ends a fault that left the disk mounted. Returns true if a process was refused something or killed, and may
    /// therefore end, if only later.
    pub(crate) fn end(&self, fault: DiskFault) -> bool {
        let were_felt = self.change(|State { faults, .. }| {
            faults.refusals.retain(|refused| Some(*refused) != refusal(fault));
            match fault {
                DiskFault::Slow { .. } => faults.delay = None,
                DiskFault::CrashAtFsync { .. } => faults.death = None,
                _ => {}
            }
            std::mem::take(&mut faults.were_felt)
        });
        self.shared.changed.notify_all();
        were_felt
    }

    /// Does to the files what a fault does while no process of the node lives, and mounts the disk anew.
    ///
    /// # Errors
    /// Fails if the folder is still in use, or cannot be mounted over again.
    pub(crate) fn change_files(&mut self, fault: DiskFault, draw: u64) -> io::Result<()> {
        self.unmount()?;
        let copy = self.copy.take();
        self.change(|State { image, .. }| {
            let mut random = Random::split(draw, "disk");
            match fault {
                DiskFault::PowerLoss { mode, .. } => image.lose_power(mode, &mut random),
                DiskFault::Corrupt { damage: kind } => {
                    *image = copy.unwrap_or_else(|| image.clone());
                    image.sync_all();
                    image.lose_power(<_>::default(), &mut random);
                    damage(image, kind, &mut random);
                }
                _ => {}
            }
        });
        self.server = serve(&self.path, &self.shared)?;
        Ok(())
    }

    fn change<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.shared.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the present mount away, and answers it no more, wherever it may still be seen.
    fn unmount(&self) -> io::Result<()> {
        self.change(|state| {
            state.mount += 1;
            state.faults = Faults::default();
        });
        self.shared.changed.notify_all();
        Ok(umount2(&self.path, MntFlags::MNT_DETACH)?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The error cannot be reported any more; mounts end with the sandbox in any case.
        self.unmount().ok();
    }
}

fn refusal(fault: DiskFault) -> Option<Refusal> {
    match fault {
        DiskFault::Error => Some(Refusal::Sync),
        DiskFault::Full => Some(Refusal::Growth),
        DiskFault::ReadOnly => Some(Refusal::Change),
        DiskFault::PowerLoss { .. }
        | DiskFault::Slow { .. }
        | DiskFault::CrashAtFsync { .. }
        | DiskFault::Corrupt { .. } => None,
    }
}

/// Mounts the files over a folder, and serves them by a thread of its own.
fn serve(path: &Path, shared: &Arc<Shared>) -> io::Result<JoinHandle<io::Result<()>>> {
    let device = mount_device(path)?;
    let number = shared.state.lock().unwrap_or_else(PoisonError::into_inner).mount;
    let face = Mount { shared: Arc::clone(shared), number };
    let session = Session::from_fd(face, device.into(), SessionACL::All, Config::default())?;
    thread::Builder::new().name("disk".into()).spawn(move || session.run())
}

/// Mounts a file system over a folder whose requests are to be read from the file that is returned.
fn mount_device(path: &Path) -> io::Result<File> {
    let device = File::options().read(true).write(true).open(FUSE)?;
    let (file, user, group) = (device.as_raw_fd(), geteuid(), getegid());
    let options = format!("fd={file},rootmode=40000,user_id={user},group_id={group},default_permissions,allow_other");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("schism-disk"), path, Some("fuse"), flags, Some(options.as_str()))?;
    Ok(device)
}
