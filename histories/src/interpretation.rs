//! Interpretation of a file of events that only its whole content decides.

/// Interpretation of a file that depends on its whole content; found by reading it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interpretation {
    pub(crate) order: Order,
    pub(crate) keys: Keys,
    /// True if whole numbers are seconds, because other times of the history are decimals.
    pub(crate) is_in_seconds: bool,
    /// True if reads that ask for `[key nil]` are answered without the key.
    pub(crate) has_bare_answers: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Order {
    #[default]
    Lines,
    Times,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Keys {
    /// Events are kept until it is known whether values are keyed.
    #[default]
    Unknown,
    /// The events were too many to keep: this reading only finds out whether values are keyed.
    Asked,
    Known(bool),
}

impl Keys {
    pub(crate) fn found(self) -> Option<bool> {
        match self {
            Self::Known(is_keyed) => Some(is_keyed),
            Self::Unknown | Self::Asked => None,
        }
    }
}
