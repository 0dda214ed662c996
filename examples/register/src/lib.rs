//! Common parts of the servers around Raft libraries: the replicated registers, the clients' API, the records of a log
//! on disk, and arguments. A server brings the library, and the network between its nodes.

mod api;
mod arguments;
mod records;
mod registers;

use std::{panic, process};

pub use self::{
    api::{Answer, Ask, Read, Replica, Status, router},
    arguments::{Arguments, Members},
    records::Records,
    registers::{Command, Outcome, Registers},
};

/// Makes every panic end the process: a library panics where its invariants do not hold, and a node of which only one
/// thread has ended must not go on.
pub fn end_on_panic() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        report(panic);
        process::abort();
    }));
}
