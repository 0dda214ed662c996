//! Member of a simulated cluster.

use node::simulation::SimulatedHost;

/// Host of a node, with its process.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) host: SimulatedHost,
    /// Number of starts so far.
    pub(super) life: u32,
    pub(super) is_paused: bool,
    /// True while a fault that starves it lets it sleep.
    pub(super) is_asleep: bool,
    /// Rate of its clock while no fault skews it.
    pub(super) rate: f64,
    /// Time of the wake that is planned; the end of time if there is none.
    pub(super) wake_ns: u64,
}
