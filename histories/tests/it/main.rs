//! Tests of the crate's public surface: readers, values, and the histories of other tools.

mod bytes;
mod judge;
mod peers;
mod values;
