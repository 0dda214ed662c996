//! Read modes of our own nodes.

use std::borrow::Cow;

use super::super::reads::{Guarantee, ReadModeDescription};

/// Reads of any node, from its own state.
pub(crate) const LOCAL: &str = "local";
/// Reads of whoever believes that it leads, from its own state.
pub(crate) const LEADER: &str = "leader";
/// Reads of a leader while its lease runs.
pub(crate) const LEASE: &str = "lease";
/// Reads of a leader that has just asked a majority.
pub(crate) const QUORUM: &str = "quorum";
/// Reads that are entries of the log.
pub(crate) const LOG: &str = "log";

/// Read modes of a node; see the README for the guarantees of each.
pub(super) static READ_MODES: [ReadModeDescription; 5] = [
    described(
        LOCAL,
        "any node answers from its own state; elections: basic, as they make no difference to it",
        Guarantee::Weaker,
    ),
    described(
        LEADER,
        "a node that believes it leads answers from its own state; elections: basic, as in the paper's figure 2",
        Guarantee::Weaker,
    ),
    described(
        LEASE,
        "the leader answers while its lease runs by its own clock; elections: check-quorum, as a lease relies on loyal \
        voters",
        Guarantee::LinearizableByClocks,
    ),
    described(
        QUORUM,
        "the leader answers after a round of heartbeats (`ReadIndex`); elections: basic, which leaves deposed leaders \
        about, a harder test",
        Guarantee::Linearizable,
    ),
    described(LOG, "the read is an entry of the log; elections: basic, as for quorum", Guarantee::Linearizable),
];

const fn described(name: &'static str, about: &'static str, guarantee: Guarantee) -> ReadModeDescription {
    ReadModeDescription { name: Cow::Borrowed(name), about: Cow::Borrowed(about), guarantee }
}
