//! Capture of all frames at the ports of hosts, in files that tcpdump and Wireshark read (pcap,
//! draft-ietf-opsawg-pcap).

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Serialize;

use crate::net::PacketSocket;
use crate::node_id::NodeId;

/// Maximum of the bytes that are kept of a frame, which is more than any has but the largest that a host hands over to
/// be divided.
const SNAP_BYTES: u32 = 65_535;
/// Maximum size of a file; frames beyond it are counted.
const MOST_FILE_BYTES: u64 = 64 << 20;
/// Marks of the format: that times are in nanoseconds, its version, and that frames are those of Ethernet.
const MAGIC: u32 = 0xa1b2_3c4d;
const VERSION: [u16; 2] = [2, 4];
const ETHERNET: u32 = 1;
const HEADER_BYTES: u64 = 24;
const RECORD_BYTES: u64 = 16;

/// Numbers of frames at the port of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CaptureCounts {
    /// Node whose host it is.
    pub node: NodeId,
    /// Frames in its file.
    pub written: u64,
    /// Frames that were left out, as the file was at its limit.
    pub over_limit: u64,
    /// Frames that the kernel dropped, as they came faster than they could be written.
    pub missed: u64,
}

/// File of one port.
#[derive(Debug)]
struct CaptureFile<W> {
    writer: W,
    bytes: u64,
    counts: CaptureCounts,
}

impl<W: Write> CaptureFile<W> {
    fn begin(mut writer: W, node: NodeId) -> io::Result<Self> {
        writer.write_all(&MAGIC.to_le_bytes())?;
        writer.write_all(VERSION.map(u16::to_le_bytes).as_flattened())?;
        writer.write_all([0, 0, SNAP_BYTES, ETHERNET].map(u32::to_le_bytes).as_flattened())?;
        let counts = CaptureCounts { node, written: 0, over_limit: 0, missed: 0 };
        Ok(Self { writer, bytes: HEADER_BYTES, counts })
    }

    /// Adds a frame, of which the beginning is known, with its full length and the time since 1970.
    fn add(&mut self, beginning: &[u8], length: usize, at: Duration) -> io::Result<()> {
        let size = RECORD_BYTES + beginning.len() as u64;
        if self.bytes + size > MOST_FILE_BYTES {
            self.counts.over_limit += 1;
            return Ok(());
        }
        let [kept, length] = [beginning.len(), length].map(|length| u32::try_from(length).unwrap_or(u32::MAX));
        // Times of this format wrap in 2106.
        let seconds = u32::try_from(at.as_secs() & u64::from(u32::MAX)).expect("the upper half is cut off");
        self.writer.write_all([seconds, at.subsec_nanos(), kept, length].map(u32::to_le_bytes).as_flattened())?;
        self.writer.write_all(beginning)?;
        self.bytes += size;
        self.counts.written += 1;
        Ok(())
    }
}

/// Thread that writes the frames of all ports. When this value is dropped, it ends.
#[derive(Debug)]
pub(crate) struct Capture {
    /// End of a pipe at whose other end the thread hears of its own end.
    until: Option<UnixStream>,
    thread: Option<JoinHandle<io::Result<Vec<CaptureCounts>>>>,
}

impl Capture {
    /// Starts to write the frames of each port to a file in this folder, which is made.
    pub(crate) fn start(ports: Vec<(NodeId, PacketSocket)>, folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let open = |(node, port): (NodeId, PacketSocket)| {
            port.stamp_times()?;
            let writer = BufWriter::new(File::create(folder.join(format!("{node}.pcap")))?);
            Ok((port, CaptureFile::begin(writer, node)?))
        };
        let ports = ports.into_iter().map(open).collect::<io::Result<Vec<_>>>()?;
        let (until, mut ended) = UnixStream::pair()?;
        ended.set_nonblocking(true)?;
        let work = move || write(ports, &mut ended);
        let thread = thread::Builder::new().name("capture".into()).spawn(work)?;
        Ok(Self { until: Some(until), thread: Some(thread) })
    }

    /// Ends the capture, after all frames so far, and returns its counts.
    ///
    /// # Errors
    /// Returns the error that has ended it before.
    pub(crate) fn end(mut self) -> io::Result<Vec<CaptureCounts>> {
        self.until = None;
        let ended = self.thread.take().map(JoinHandle::join);
        ended.unwrap_or_else(|| Ok(Ok(Vec::new()))).unwrap_or_else(|_| Err(io::Error::other("it panicked")))
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.until = None;
        if let Some(thread) = self.thread.take() {
            // Whoever wants to know of an error has ended it.
            thread.join().ok();
        }
    }
}

/// Writes frames until the other end of the pipe is closed.
fn write(
    mut ports: Vec<(PacketSocket, CaptureFile<BufWriter<File>>)>,
    ended: &mut UnixStream,
) -> io::Result<Vec<CaptureCounts>> {
    let mut buffer = vec![0; SNAP_BYTES as usize];
    loop {
        let is_over = ended.read(&mut [0]).is_ok();
        for (port, file) in &mut ports {
            while let Some((length, at)) = port.receive_stamped(&mut buffer)? {
                file.add(&buffer[..length.min(buffer.len())], length, at)?;
            }
            file.counts.missed += port.take_dropped()?;
        }
        if is_over {
            break;
        }
        let all = ports.iter().map(|(port, _)| port.as_fd()).chain([ended.as_fd()]);
        let mut ready: Vec<PollFd<'_>> = all.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        match poll(&mut ready, PollTimeout::NONE) {
            Err(Errno::EINTR) | Ok(_) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    let end = |(_, mut file): (PacketSocket, CaptureFile<BufWriter<File>>)| file.writer.flush().map(|()| file.counts);
    ports.into_iter().map(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_header_and_a_record_for_each_frame() {
        let mut file = CaptureFile::begin(Vec::new(), NodeId(1)).unwrap();
        file.add(b"abc", 70_000, Duration::new(5, 7)).unwrap();
        let header = [0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0];
        let record = [5, 0, 0, 0, 7, 0, 0, 0, 3, 0, 0, 0, 0x70, 0x11, 1, 0, b'a', b'b', b'c'];
        assert_eq!(file.writer, [&header[..], &record].concat());
        assert_eq!(file.bytes, file.writer.len() as u64);
    }

    #[test]
    fn a_file_stays_below_its_limit_and_counts_what_it_leaves_out() {
        let mut file = CaptureFile::begin(io::sink(), NodeId(1)).unwrap();
        let frame = vec![0; SNAP_BYTES as usize];
        for _ in 0..1030 {
            file.add(&frame, frame.len(), Duration::ZERO).unwrap();
        }
        assert!(file.bytes <= MOST_FILE_BYTES && file.bytes + RECORD_BYTES + u64::from(SNAP_BYTES) > MOST_FILE_BYTES);
        assert_eq!((file.counts.written, file.counts.over_limit), (1023, 7));
    }
}
