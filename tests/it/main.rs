//! The tool as its users meet it: through its binary, and the rules of its source tree.

mod check;
mod layers;
mod runs;
mod support;
mod usage;
