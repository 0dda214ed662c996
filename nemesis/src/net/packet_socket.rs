//! Socket that receives and sends whole frames on one interface (`AF_PACKET`, packet(7)).

use std::io::{self, IoSliceMut};
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, recv, recvmsg, send, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeSpec;
use nix::{cmsg_space, libc};

use super::request::Interface;

/// Frames that wait for us, in bytes with the kernel's own data; without privileges the kernel allows less.
const RECEIVE_BYTES: usize = 16 << 20;
/// Request for a setting of an interface, in the type that C libraries differ in.
const SIOCETHTOOL: libc::Ioctl = 0x8946;

/// Socket bound to an interface in the network namespace in which it was opened, whatever thread uses it.
#[derive(Debug)]
pub(crate) struct PacketSocket(OwnedFd);

impl PacketSocket {
    /// Opens a socket that receives what arrives on an interface, and what leaves by it but was not sent here.
    pub(crate) fn open(interface: &Interface) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        // Without a protocol it receives nothing until it is bound.
        let opened = socket(AddressFamily::Packet, SockType::Raw, flags, None)?;
        if setsockopt(&opened, sockopt::RcvBufForce, &RECEIVE_BYTES).is_err() {
            setsockopt(&opened, sockopt::RcvBuf, &RECEIVE_BYTES)?;
        }
        let family = libc::sa_family_t::try_from(libc::AF_PACKET).expect("families are small");
        let protocol = u16::try_from(libc::ETH_P_ALL).expect("protocols of Ethernet are short").to_be();
        let sll_ifindex = interface.index.cast_signed();
        let address = libc::sockaddr_ll {
            sll_family: family,
            sll_protocol: protocol,
            sll_ifindex,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        let length = length_of::<libc::sockaddr_ll>();
        #[allow(unsafe_code, reason = "an address of this family has no safe form")]
        // SAFETY: the address lives during the call, and the length is its own.
        Errno::result(unsafe { libc::bind(opened.as_raw_fd(), (&raw const address).cast(), length) })?;
        Ok(Self(opened))
    }

    /// Receives the next frame into the buffer, and returns its length; none if there is none now.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> nix::Result<Option<usize>> {
        loop {
            match recv(self.0.as_raw_fd(), buffer, MsgFlags::empty()) {
                Ok(length) => return Ok(Some(length)),
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Makes the kernel note when each frame came.
    pub(crate) fn stamp_times(&self) -> io::Result<()> {
        Ok(setsockopt(&self.0, sockopt::ReceiveTimestampns, &true)?)
    }

    /// Receives the beginning of the next frame into the buffer, and returns the length of the whole, and its time
    /// since 1970, if it is stamped; none if there is none now.
    pub(crate) fn receive_stamped(&self, buffer: &mut [u8]) -> nix::Result<Option<(usize, Duration)>> {
        loop {
            let (mut parts, mut space) = ([IoSliceMut::new(buffer)], cmsg_space!(TimeSpec));
            match recvmsg::<()>(self.0.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_TRUNC) {
                Ok(received) => {
                    let time = received.cmsgs()?.find_map(|message| match message {
                        ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
                        _ => None,
                    });
                    return Ok(Some((received.bytes, time.unwrap_or_default())));
                }
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Sends a frame; returns false if the kernel has no room for it.
    pub(crate) fn send(&self, frame: &[u8]) -> nix::Result<bool> {
        loop {
            match send(self.0.as_raw_fd(), frame, MsgFlags::empty()) {
                Ok(_) => return Ok(true),
                Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::EMSGSIZE) => return Ok(false),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Returns the number of frames that the kernel dropped since the last call, as none of them was fetched in time.
    pub(crate) fn take_dropped(&self) -> nix::Result<u64> {
        let mut found = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
        let mut length = length_of::<libc::tpacket_stats>();
        let (fd, name) = (self.0.as_raw_fd(), libc::PACKET_STATISTICS);
        #[allow(unsafe_code, reason = "this option has no safe form")]
        // SAFETY: the kernel writes no more than the given length, which is that of the value.
        Errno::result(unsafe {
            libc::getsockopt(fd, libc::SOL_PACKET, name, (&raw mut found).cast(), &raw mut length)
        })?;
        Ok(found.tp_drops.into())
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn length_of<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).expect("structures of the kernel are short")
}

/// Makes the kernel finish frames before they leave by an interface: divide them into as many as its size wants, and
/// compute their checksums, as no hardware does it here.
pub(crate) fn finish_frames(interface: &Interface) -> io::Result<()> {
    /// Request to switch computing of checksums by hardware, and with it division, on or off (linux/ethtool.h).
    const SET_CHECKSUMS: u32 = 0x17;
    #[repr(C)]
    struct Switch {
        request: u32,
        on: u32,
    }
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    let mut switch = Switch { request: SET_CHECKSUMS, on: 0 };
    let mut name = [0; libc::IFNAMSIZ];
    for (to, from) in name.iter_mut().zip(interface.name.bytes().take(libc::IFNAMSIZ - 1)) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    let ifr_ifru = libc::__c_anonymous_ifr_ifru { ifru_data: (&raw mut switch).cast() };
    let mut request = libc::ifreq { ifr_name: name, ifr_ifru };
    #[allow(unsafe_code, reason = "this request has no safe form")]
    // SAFETY: both structures live during the call, and the name ends with a zero.
    Errno::result(unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) })?;
    Ok(())
}
