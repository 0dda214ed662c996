//! Tests of the Raft core through its public interface: the paper's rules one by one, and whole clusters in one thread.

mod paper;
mod sim;
