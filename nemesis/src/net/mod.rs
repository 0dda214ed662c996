//! Network of a sandbox: requests to the kernel and commands as data, the hosts' links, the rules of a partition.

pub(crate) mod command;
pub(crate) mod firewall;
pub(crate) mod links;
pub(crate) mod netns;
pub(crate) mod packet_socket;
pub(crate) mod request;
pub(crate) mod route_socket;

pub use command::{CommandError, FinishedCommand, Log, quoted};
pub use firewall::{Firewall, Partitioner};
pub(crate) use links::MOST_HOSTS;
pub(crate) use packet_socket::PacketSocket;
pub(crate) use route_socket::raise_loopback;
