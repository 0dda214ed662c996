//! Switch between hosts whose packets a fault hits: a thread takes their frames from one port of the bridge, and puts
//! them back there when they are to arrive. All others go by the bridge alone.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::prctl::set_timerslack;
use nix::sys::time::TimeSpec;

use super::counts::PacketCounts;
use super::fate::Frame;
use super::fault::PacketFault;
use super::traffic::Traffic;
use crate::grudge::Grudge;
use crate::links::Links;
use crate::net::PacketSocket;
use crate::net::command::TIME_LIMIT;
use crate::net::links::{address_frame, ends_of, greetings};

/// Maximum length of a frame: that of a packet of IPv4, with an Ethernet header.
const FRAME_BYTES: usize = 65_536 + 14;
/// Maximum number of frames that are taken before those that are due are put back: while it works, and at its end,
/// which is more than can wait for it.
const MOST_AT_ONCE: usize = 64;
const MOST_AT_END: usize = 65_536;

/// Time from one greeting to the next, until the bridge and the switch hear each other.
const GREET_EVERY: Duration = Duration::from_millis(1);

/// Thread with its faults. When this value is dropped, the thread ends, and packets that it held are lost.
#[derive(Debug)]
pub(crate) struct Switch {
    shared: Arc<Shared>,
    /// End of a pipe at whose other end the thread hears of changes, and of its own end.
    waker: Option<UnixStream>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

#[derive(Debug)]
struct Shared {
    traffic: Mutex<Traffic>,
    since: Instant,
}

impl Shared {
    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.since.elapsed()
    }
}

impl Switch {
    /// Starts the thread behind a port of the bridge, once both hear each other.
    pub(crate) fn start(port: PacketSocket, bridge: &PacketSocket) -> io::Result<Self> {
        greet(&port, bridge)?;
        let shared = Arc::new(Shared { traffic: Mutex::default(), since: Instant::now() });
        let (waker, woken) = UnixStream::pair()?;
        waker.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let of_thread = Arc::clone(&shared);
        let work = move || forward(&port, &woken, &of_thread);
        let thread = thread::Builder::new().name("switch".into()).spawn(work)?;
        Ok(Self { shared, waker: Some(waker), thread: Some(thread) })
    }

    /// Lets a fault decide about packets on these links, from a seed.
    pub(crate) fn add(&self, number: u32, fault: PacketFault, links: Links, seed: u64) {
        self.shared.traffic().add(number, fault, links, seed);
    }

    /// Ends a fault, whose packets arrive at once, and returns its counts; none if it is not in force.
    pub(crate) fn remove(&self, number: u32) -> Option<PacketCounts> {
        let counts = self.shared.traffic().remove(number, self.shared.now());
        // A full pipe wakes it as well.
        self.waker.as_ref().map(|mut waker| waker.write(&[0]));
        counts
    }

    /// Lets no packet arrive that a partition drops.
    pub(crate) fn set_cut(&self, cut: Grudge) {
        self.shared.traffic().set_cut(cut);
    }

    /// Returns the links of all faults, except for one.
    pub(crate) fn links_without(&self, number: Option<u32>) -> Links {
        self.shared.traffic().links_without(number)
    }

    /// Checks that the thread still works.
    ///
    /// # Errors
    /// Returns the error that has ended it.
    pub(crate) fn check(&mut self) -> io::Result<()> {
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            self.stop()?;
            return Err(io::Error::other("it has ended"));
        }
        Ok(())
    }

    /// Ends the thread, after packets that have arrived.
    ///
    /// # Errors
    /// Returns the error that has ended it before.
    pub(crate) fn stop(&mut self) -> io::Result<()> {
        self.waker = None;
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|_| Err(io::Error::other("it panicked")))
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        // Whoever wants to know of an error has asked before.
        self.stop().ok();
    }
}

/// Waits until the bridge forwards to its new port and from it: the kernel drops frames until then.
fn greet(port: &PacketSocket, bridge: &PacketSocket) -> io::Result<()> {
    let [to_bridge, to_switch] = greetings();
    let mut buffer = vec![0; FRAME_BYTES];
    let mut hears = |socket: &PacketSocket, greeting: &[u8]| -> nix::Result<bool> {
        while let Some(length) = socket.receive(&mut buffer)? {
            if buffer[..length] == *greeting {
                return Ok(true);
            }
        }
        Ok(false)
    };
    let until = Instant::now() + TIME_LIMIT;
    let (mut by_bridge, mut by_port) = (false, false);
    while !(by_bridge && by_port) {
        if Instant::now() > until {
            return Err(io::Error::other("the bridge does not forward to a new port"));
        }
        port.send(&to_bridge)?;
        bridge.send(&to_switch)?;
        thread::sleep(GREET_EVERY);
        by_bridge |= hears(bridge, &to_bridge)?;
        by_port |= hears(port, &to_switch)?;
    }
    Ok(())
}

/// Takes frames, and puts them back when they are due, until the other end of the pipe is closed.
fn forward(port: &PacketSocket, woken: &UnixStream, shared: &Shared) -> io::Result<()> {
    // Waits are otherwise 50 µs longer than asked for.
    set_timerslack(1).ok();
    let mut buffer = vec![0; FRAME_BYTES];
    let mut is_over = false;
    while !is_over {
        is_over = has_ended(woken)?;
        let mut traffic = shared.traffic();
        let mut left = if is_over { MOST_AT_END } else { MOST_AT_ONCE };
        while left > 0
            && let Some(length) = port.receive(&mut buffer)?
        {
            left -= 1;
            if let Some((from, to)) = ends_of(&buffer[..length]) {
                traffic.take(Frame { from, to, bytes: buffer[..length].to_vec() }, shared.now());
            }
        }
        traffic.miss(port.take_dropped()?);
        while let Some(mut frame) = traffic.arrive(shared.now()) {
            address_frame(&mut frame.bytes, frame.from, frame.to);
            if !port.send(&frame.bytes)? {
                traffic.miss(1);
            }
        }
        let next = traffic.next_due();
        drop(traffic);
        if left > 0 && !is_over {
            let wait = next.map(|due| TimeSpec::from_duration(due.saturating_sub(shared.now())));
            let mut ready = [port.as_fd(), woken.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            match ppoll(&mut ready, wait, None) {
                Err(Errno::EINTR) | Ok(_) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
    Ok(())
}

/// Reads what woke the thread, and returns true if the other end is closed.
fn has_ended(mut woken: &UnixStream) -> io::Result<bool> {
    loop {
        match woken.read(&mut [0; 64]) {
            Ok(0) => return Ok(true),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
