//! The tool as its users meet it: through its binary, and the rules of its source tree.

mod layers;
