//! Hosts, processes, networks and clocks, and everything that can be broken about them.
