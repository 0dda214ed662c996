//! Systems under test, one file each: how to start a node, how to reach it, what it says of itself.

pub(crate) mod schism;
