//! Systems under test, one file each: the command line of a node, its addresses, its status.

pub(crate) mod schism;
