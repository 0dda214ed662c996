//! Faults of packets on the links between hosts: lost, late, twice, out of order, changed, too many, or answered by a
//! reset. A link is a direction between two hosts. What happens to a packet is decided by pure code from a seed; the
//! switch is the only place with a thread and a socket.

mod counts;
mod fate;
mod fault;
mod frame;
mod rate;
mod reset;
mod switch;
mod traffic;

pub use counts::PacketCounts;
pub use fault::{AfterReset, Checksum, PacketFault};
pub(crate) use switch::Switch;
