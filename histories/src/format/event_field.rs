//! Fields of an event, and their names.

/// Field of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Process,
    Type,
    F,
    Time,
    Index,
    Key,
    Value,
    Observed,
    Mismatch,
    Final,
    SeekToBeginning,
    RebalanceLog,
    Node,
    Revision,
    Position,
    Link,
    Error,
}

impl Field {
    /// All fields, by their names.
    pub(super) const NAMES: [(&str, Self); 17] = [
        ("process", Self::Process),
        ("type", Self::Type),
        ("f", Self::F),
        ("time", Self::Time),
        ("index", Self::Index),
        ("key", Self::Key),
        ("value", Self::Value),
        ("observed", Self::Observed),
        ("mismatch", Self::Mismatch),
        ("final?", Self::Final),
        ("seek-to-beginning?", Self::SeekToBeginning),
        ("rebalance-log", Self::RebalanceLog),
        ("node", Self::Node),
        ("revision", Self::Revision),
        ("position", Self::Position),
        ("link", Self::Link),
        ("error", Self::Error),
    ];

    pub(super) fn named(name: &[u8]) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, field)| *field)
    }
}
