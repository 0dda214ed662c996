//! Network of a sandbox: commands as data, the hosts' links, the rules of a partition.

pub(crate) mod command;
pub(crate) mod firewall;
pub(crate) mod links;

pub use command::{Command, CommandError, FinishedCommand, Log, quoted};
pub use firewall::Firewall;
pub(crate) use links::MOST_HOSTS;
