//! Socket on which the kernel takes requests about the network of one namespace (rtnetlink), and answers them.

use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use netlink_packet_core::{
    ErrorBuffer, NLM_F_DUMP, NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily as SocketFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;

use super::command::{CommandError, FinishedCommand, Log, TIME_LIMIT};
use super::links::LOOPBACK;
use super::request::{Ethernet, Interface, Neighbour, Request, bytes};

/// Maximum number of requests that are sent at once: all their answers fit into the usual buffer of a socket.
const MOST_REQUESTS: usize = 100;
/// Maximum length of a datagram from the kernel, which makes none longer than what its receiver takes.
const DATAGRAM_BYTES: usize = 16_384;

/// Socket that stays in the network namespace in which it was opened, whatever thread uses it.
#[derive(Debug)]
pub(crate) struct RouteSocket {
    socket: OwnedFd,
    /// Name of the namespace; `None` for the control process's own.
    netns: Option<String>,
    next: AtomicU32,
}

/// Requests in one namespace, formatted as commands, one a line.
struct Batch<'a> {
    netns: Option<&'a str>,
    requests: &'a [Request],
}

impl fmt::Display for Batch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, request) in self.requests.iter().enumerate() {
            let separator = if place == 0 { "" } else { "\n" };
            let netns = self.netns.map_or_else(String::new, |netns| format!("-n {netns} "));
            write!(f, "{separator}{} {netns}{request}", request.program())?;
        }
        Ok(())
    }
}

impl RouteSocket {
    /// Opens a socket in the network namespace of this thread, and calls that by its name in messages.
    pub(crate) fn open(netns: Option<String>) -> nix::Result<Self> {
        let (family, protocol) = (SocketFamily::Netlink, SockProtocol::NetlinkRoute);
        let socket = socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
        let limit = TimeVal::new(i64::try_from(TIME_LIMIT.as_secs()).expect("some seconds"), 0);
        setsockopt(&socket, sockopt::ReceiveTimeout, &limit)?;
        Ok(Self { socket, netns, next: AtomicU32::new(1) })
    }

    /// Carries out the requests in their order, and reports them to the log. Those after one that was refused are
    /// carried out as well.
    ///
    /// # Errors
    /// Returns the first refusal.
    pub(crate) fn carry_out(&self, requests: &[Request], log: &Log) -> Result<(), CommandError> {
        requests.chunks(MOST_REQUESTS).try_for_each(|requests| {
            let started = Instant::now();
            let result = self.carry_out_silently(requests);
            let command = Batch { netns: self.netns.as_deref(), requests };
            log(&FinishedCommand { command: &command, took: started.elapsed(), error: result.as_ref().err() });
            result
        })
    }

    fn carry_out_silently(&self, requests: &[Request]) -> Result<(), CommandError> {
        let shown = |requests| Batch { netns: self.netns.as_deref(), requests }.to_string();
        let count = u32::try_from(requests.len()).expect("requests are few");
        let messages = Messages::of(requests, self.next.fetch_add(count, Ordering::Relaxed));
        self.send(&messages.bytes).map_err(start(&shown(requests)))?;
        let mut refused = Ok(());
        let answer = |place: usize, errno: Errno| {
            if refused.is_ok() && !requests[place].is_needless(errno) {
                refused = Err(CommandError::refused(shown(&requests[place..=place]), errno));
            }
        };
        self.acknowledge(&messages, answer).map_err(unanswered(&shown(requests)))?;
        refused
    }

    /// Carries out what was prepared, and returns the first error. Makes only system calls and allocates nothing, so
    /// that it can be called between fork and exec.
    pub(crate) fn carry_out_raw(&self, messages: &Messages) -> nix::Result<()> {
        self.send(&messages.bytes)?;
        let mut result = Ok(());
        self.acknowledge(messages, |_, errno| result = result.and(Err(errno)))?;
        result
    }

    fn send(&self, bytes: &[u8]) -> nix::Result<()> {
        send(self.socket.as_raw_fd(), bytes, MsgFlags::empty()).map(drop)
    }

    /// Receives the answers to all messages, and calls `fail` with the place of each that was refused.
    fn acknowledge(&self, messages: &Messages, mut fail: impl FnMut(usize, Errno)) -> nix::Result<()> {
        let Messages { first, count, .. } = *messages;
        let mut missing = count;
        while missing > 0 {
            self.receive(|message| {
                let place = message.sequence_number().wrapping_sub(first);
                if message.message_type() == NLMSG_ERROR && place < count {
                    missing = missing.saturating_sub(1);
                    if let Some(errno) = error_of(&message) {
                        fail(place as usize, errno);
                    }
                }
            })?;
        }
        Ok(())
    }

    /// Returns the permanent neighbour entries of an interface.
    ///
    /// # Errors
    /// Returns an error if the kernel refuses to list them.
    pub(crate) fn neighbours(&self, interface: &Interface) -> Result<Vec<Neighbour>, CommandError> {
        let netns = self.netns.as_ref().map_or_else(String::new, |netns| format!("-n {netns} "));
        let shown = || format!("ip {netns}neigh show dev {} nud permanent", interface.name);
        let mut ask = NeighbourMessage::default();
        ask.header.family = AddressFamily::Inet;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let ask = bytes(RouteNetlinkMessage::GetNeighbour(ask), NLM_F_DUMP, number);
        self.send(&ask).map_err(start(&shown()))?;
        let (mut found, mut end) = (Vec::new(), None);
        while end.is_none() {
            let received = self.receive(|message| match message.message_type() {
                _ if message.sequence_number() != number => {}
                NLMSG_DONE => end = Some(Ok(())),
                NLMSG_ERROR => end = Some(error_of(&message).map_or(Ok(()), Err)),
                _ => found.extend(permanent(message.into_inner(), interface)),
            });
            received.map_err(unanswered(&shown()))?;
        }
        end.unwrap_or(Ok(())).map_err(|errno| CommandError::refused(shown(), errno))?;
        Ok(found)
    }

    /// Receives one datagram, and calls `take` with each message in it.
    fn receive(&self, mut take: impl FnMut(NetlinkBuffer<&[u8]>)) -> nix::Result<()> {
        let mut buffer = [0; DATAGRAM_BYTES];
        let length = loop {
            match recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Err(Errno::EINTR) => {}
                received => break received?,
            }
        };
        let mut rest = &buffer[..length];
        while let Ok(message) = NetlinkBuffer::new_checked(rest) {
            let length = message.length() as usize;
            take(NetlinkBuffer::new(&rest[..length]));
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        Ok(())
    }
}

/// Requests as bytes, with sequence numbers from `first` on.
#[derive(Debug, Clone)]
pub(crate) struct Messages {
    bytes: Vec<u8>,
    first: u32,
    count: u32,
}

impl Messages {
    pub(crate) fn of(requests: &[Request], first: u32) -> Self {
        let count = u32::try_from(requests.len()).expect("requests are few");
        Self { bytes: (first..).zip(requests).flat_map(|(number, of)| of.message(number)).collect(), first, count }
    }
}

/// Sets the loopback interface of this network namespace up.
pub(crate) fn raise_loopback() -> nix::Result<()> {
    RouteSocket::open(None)?.carry_out_raw(&Messages::of(&[Request::SetUp(LOOPBACK)], 1))
}

/// Returns the error for a request that could not be sent, so that nothing was changed.
fn start(command: &str) -> impl Fn(Errno) -> CommandError {
    move |errno| CommandError::Start { command: command.to_owned(), source: errno.into() }
}

/// Returns the error for an answer that did not come, so that nobody knows the effects.
fn unanswered(command: &str) -> impl Fn(Errno) -> CommandError {
    move |errno| match errno {
        Errno::EAGAIN => CommandError::TimedOut { command: command.to_owned(), limit: TIME_LIMIT },
        errno => CommandError::refused(command.to_owned(), errno),
    }
}

/// Returns the error that an answer carries; none if it is an acknowledgement.
fn error_of(message: &NetlinkBuffer<&[u8]>) -> Option<Errno> {
    let code = ErrorBuffer::new_checked(message.payload())
        .map_or(Some(Errno::EPROTO as i32), |error| error.code().map(|code| -code.get()));
    code.map(Errno::from_raw)
}

/// Reads a neighbour entry; none if it is not a permanent one of this interface.
fn permanent(message: &[u8], interface: &Interface) -> Option<Neighbour> {
    let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewNeighbour(entry)) =
        NetlinkMessage::deserialize(message).ok()?.payload
    else {
        return None;
    };
    if entry.header.ifindex != interface.index || entry.header.state != NeighbourState::Permanent {
        return None;
    }
    let to = entry.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(to)) => Some(*to),
        _ => None,
    });
    let at = entry.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(at) => Some(Ethernet(at.as_slice().try_into().ok()?)),
        _ => None,
    });
    Some(Neighbour { to: to?, at: at? })
}
