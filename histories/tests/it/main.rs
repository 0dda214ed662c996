//! The crate from outside: the histories of others, and a recorded one read back.

mod bytes;
mod judge;
mod peers;
mod values;
