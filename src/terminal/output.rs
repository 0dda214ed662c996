//! Output files, written as a whole or not at all; `-` is stdout. Names that end in `.gz` or `.zst` are compressed.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, BufWriter, IsTerminal as _, Write},
    os::{
        fd::AsRawFd as _,
        unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    },
    path::Path,
};

use anyhow::Context as _;
use histories::Packer;
use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, AtFlags},
    libc::O_TMPFILE,
    unistd::linkat,
};

use super::sanitize::HarmlessWriter;
use crate::error::ExitStatus;

/// Size of the buffer, as histories consist of many short lines.
const BUFFER_BYTES: usize = 256 << 10;

/// Name of standard output in messages.
const STDOUT: &str = "to stdout";

/// Returns the outcome of writing to stdout; a closed pipe is no error.
pub(super) fn to_stdout(written: io::Result<()>) -> anyhow::Result<ExitStatus> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).with_context(|| format!("cannot write {STDOUT}"))
        }
        _ => Ok(ExitStatus::Linearizable),
    }
}

/// Fills `path` by calling `write`. A regular file is replaced atomically by a temporary file, so that nobody sees a
/// partial file, and it stays unchanged if `write` fails. A device, a pipe or stdout is written directly.
///
/// # Errors
/// Fails if the file cannot be written, or if `write` fails; a closed pipe is no error.
pub(crate) fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>,
) -> anyhow::Result<ExitStatus> {
    if path == "-" {
        let out = io::stdout().lock();
        return if out.is_terminal() {
            write_through(path, HarmlessWriter::new(out), write)
        } else {
            write_through(path, out, write)
        };
    }
    let wrong = || format!("cannot write {}", path.display());
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&target).is_ok_and(|found| !found.is_file()) {
        return write_through(path, OpenOptions::new().write(true).open(&target).with_context(wrong)?, write);
    }
    replace(path, &target, write)
}

/// Returns true if nothing is left of what [`write_whole`] has written to `path` when `write` fails: stdout, devices
/// and pipes take nothing back.
pub(crate) fn is_taken_back(path: &Path) -> bool {
    path != "-" && fs::metadata(path).map_or(true, |found| found.is_file())
}

/// Replaces whatever is at `target` by a new file; the name in `path` decides on compression.
///
/// # Errors
/// Fails like [`write_whole`].
pub(crate) fn replace(
    path: &Path,
    target: &Path,
    write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>,
) -> anyhow::Result<ExitStatus> {
    let wrong = || format!("cannot write {}", target.display());
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // An error tells nothing of a temporary name.
    fs::metadata(folder).with_context(wrong)?;
    // A file without a name vanishes if the process is killed while writing it.
    let mut unnamed = OpenOptions::new();
    unnamed.write(true).mode(0o666).custom_flags(O_TMPFILE);
    if Path::new("/proc/self/fd").exists()
        && let Ok(file) = unnamed.open(folder)
    {
        let status = write_through(path, &file, write)?;
        name(&file, target).with_context(wrong)?;
        return Ok(status);
    }
    let mut file = tempfile::Builder::new()
        .prefix(".schism-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(|error| io::Error::from(error.kind()))
        .with_context(wrong)?;
    let status = write_through(path, file.as_file_mut(), write)?;
    file.persist(target).with_context(wrong)?;
    Ok(status)
}

/// Links an unnamed file at `target`, replacing whatever is there.
fn name(file: &File, target: &Path) -> io::Result<()> {
    let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
    let link = |name: &Path| linkat(AT_FDCWD, &*unnamed, AT_FDCWD, name, AtFlags::AT_SYMLINK_FOLLOW);
    match link(target) {
        Err(Errno::EEXIST) => {}
        result => return Ok(result?),
    }
    // Only a rename can replace a file, so the unnamed file needs a temporary name first.
    let mut number = 0_u32;
    let moment = loop {
        let name = target.with_file_name(format!(".schism-{}-{number}", std::process::id()));
        match link(&name) {
            Err(Errno::EEXIST) => number += 1,
            result => break result.map(|()| name)?,
        }
    };
    fs::rename(&moment, target).inspect_err(|_| drop(fs::remove_file(&moment)))
}

/// Writes with the compression that the name in `path` asks for.
fn write_through(
    path: &Path,
    out: impl Write,
    write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>,
) -> anyhow::Result<ExitStatus> {
    let mut packer = Packer::new(path, BufWriter::with_capacity(BUFFER_BYTES, out));
    let written = write(&mut packer).and_then(|()| Ok(packer.finish()?));
    match written {
        Err(error) if is_closed_pipe(&error) => Ok(ExitStatus::Linearizable),
        Err(error) if error.is::<io::Error>() => {
            let name = if path == "-" { STDOUT.to_owned() } else { path.display().to_string() };
            Err(error.context(format!("cannot write {name}")))
        }
        written => written.map(|()| ExitStatus::Linearizable),
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
