//! Binary format in columns: a history as a checker holds it, made from JSON Lines when a run ends, and read several
//! times faster.
//!
//! All numbers are little-endian. The parts of the file, in order:
//!
//! - 8 bytes: `schism01`, the format and its version; `schism02` if an operation has a revision
//! - 3 × 8 bytes: the length of the text, the number of values, the number of operations
//! - the text, in JSON: names of functions, values that are not [`Value::Int`] with their ids, events of processes that
//!   are not clients, notes; if some clients have names, the number of the first of them, and the names; if some
//!   completions have a position or a link, the index of each of these operations with the ids of both
//! - 8 bytes each: the values from id 1 on, as id 0 is "absent": the number, or 0 where the text has the value
//! - 48 bytes each, or 56 with revisions: the operations in the order of their invocations, in blocks of 65,536, the
//!   last one shorter
//! - 4 bytes: CRC-32C (Castagnoli) of everything before
//!
//! A block holds columns, each with one entry per operation: rank of the invocation, rank of the completion, key,
//! input, `to`, output, process (4 bytes each), function, outcome (1 byte each), node (2), times of invocation and
//! completion in nanoseconds (8 each), and in `schism02` the revision (8). To the outcome of an operation that is
//! called final, 128 is added. Ranks and ids mean what they mean in [`Operation`]; "none" is 2³²−1 for ranks and ids,
//! and 2⁶⁴−1 for revisions.
//!
//! A file is not trusted: whatever a reader of events would reject is an error here, too. Transactions have no columns.

mod layout;
mod read;
mod write;

pub(super) use layout::MAGICS;
pub(super) use read::read;
pub use write::write_columns;
