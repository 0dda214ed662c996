//! Histories of distributed systems: events as they are recorded, operations as they are checked, and the files that
//! keep them.
//!
//! Depends on no other crate of the workspace. An [`Event`] is one line of a history; a [`History`] pairs invocations
//! with completions and is the input of a checker.
//!
//! ```
//! use histories::{Outcome, Value, read_bytes};
//!
//! let lines = br#"{"process":0,"type":"invoke","f":"write","value":7}
//! {"process":1,"type":"invoke","f":"read"}
//! {"process":1,"type":"ok","f":"read","value":7}
//! "#;
//! let history = read_bytes("example", lines, None)?;
//! let [write, read] = history.operations[..] else { panic!("there are two operations") };
//! assert_eq!(write.outcome, Outcome::Info); // it has no completion: it may take effect at any time, or never
//! assert_eq!(history.value(read.output), &Value::Int(7));
//! # Ok::<(), histories::ReadError>(())
//! ```

mod event;
mod format;
mod history;
mod interpretation;
mod normalizer;
mod notes;
mod operation;
mod pairing;
mod process;
mod recorder;
mod rules;
mod similar_name;
mod store;
mod transactions;
mod value;

pub use event::{Event, EventType};
pub use format::{
    Compression, EventStyle, FailedCas, Format, Packer, ReadError, ReadOptions, Reading, parse_value, read_bytes,
    read_events, read_file, read_file_with, read_open, unpacked, write_columns, write_event,
};
pub use history::{FailedCasCounts, History, MAX_REVISION};
pub use interpretation::Interpretation;
pub use normalizer::Normalizer;
pub use notes::Note;
pub use operation::{Function, NEVER, Operation, Outcome, Times, ValueId};
pub use pairing::HistoryBuilder;
pub use process::{Process, ProcessError};
pub use recorder::{RecordError, Recorder};
pub use rules::{EventPlace, PairingError};
pub use similar_name::similar_name;
pub use store::{RunDir, Store, StoreError};
pub use transactions::{MicroOperation, REBALANCE, ReadResult, TRANSACTION, Transactions};
pub use value::{Decimal, Edn, Map, Number, Ratio, Value, ValueError, Values};
