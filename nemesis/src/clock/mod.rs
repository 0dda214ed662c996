//! Skew of a node's clocks: by a file that the node reads ([`ClockFile`]), or, for any program, through its vDSO, the
//! code by which it asks the kernel for the time.
//!
//! The latter stops the threads of a program once, maps a page of ours into it ([`page`]), and makes the functions of
//! its vDSO jump there ([`vdso`], [`tracee`]). The page asks the kernel, and bends the answer. The clock of the machine
//! is never touched.

mod course;
mod error;
mod file;
mod keeper;
mod page;
mod program;
mod skew;
mod target;
mod tracee;
mod vdso;

pub(crate) use course::{Course, bend, follow, prepare};
pub(crate) use error::ClockError;
pub use file::ClockFile;
pub(crate) use keeper::Keeper;
pub use skew::{Clocks, Skew, SkewWay};
