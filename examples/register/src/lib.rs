//! Common parts of the servers around Raft libraries: the replicated registers, the clients' API, the records of a log
//! on disk, and arguments. A server brings the library, and the network between its nodes.

mod api;
mod arguments;
mod records;
mod registers;

pub use self::{
    api::{Answer, Ask, Read, Replica, Status, router},
    arguments::{Arguments, Members},
    records::Records,
    registers::{Command, Outcome, Registers},
};
