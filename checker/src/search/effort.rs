//! Efforts of a search: how much it tries at a completion, and how many configurations it keeps.

/// Effort at a completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Effort {
    /// Maximum number of changes that take effect there before the last one.
    pub(super) between: u8,
    /// Maximum number of these that are of unknown outcome.
    pub(super) unknown: u8,
    /// Maximum number of configurations kept after it.
    pub(super) width: usize,
    /// True if states come only in the order that was guessed.
    pub(super) is_guided: bool,
}

impl Effort {
    const fn new(between: u8, unknown: u8, width: usize) -> Self {
        Self { between, unknown, width, is_guided: false }
    }

    const fn guided(between: u8, unknown: u8, width: usize) -> Self {
        Self { is_guided: true, ..Self::new(between, unknown, width) }
    }
}

/// Efforts that usually find an order if there is one; each is tried where the one before failed.
pub(crate) const LEVELS: [Effort; 5] = [
    Effort::new(1, 0, 16),
    Effort::new(1, 1, 64),
    Effort::new(2, 2, 256),
    Effort::new(3, 3, 1024),
    Effort::new(5, 4, 4096),
];

/// Efforts like [`LEVELS`] for text that grows: an observed text tells more of the changes that led to it, and
/// changes of unknown outcome are better saved.
pub(crate) const TEXT_LEVELS: [Effort; 7] = [
    Effort::new(3, 0, 16),
    Effort::new(4, 0, 64),
    Effort::new(4, 0, 256),
    Effort::new(4, 1, 256),
    Effort::new(6, 1, 1024),
    Effort::new(6, 2, 2048),
    Effort::new(8, 3, 4096),
];

/// Efforts like [`TEXT_LEVELS`] where most texts have a place in the guessed order: then long sequences of changes
/// can be tried, because they are known.
pub(crate) const GUIDED_LEVELS: [Effort; 6] = [
    Effort::guided(16, 0, 16),
    Effort::guided(32, 2, 64),
    Effort::guided(32, 4, 256),
    Effort::new(16, 2, 256),
    Effort::new(16, 2, 1024),
    Effort::new(32, 3, 4096),
];

/// Unlimited effort.
pub(crate) const EXACT: [Effort; 1] = [Effort::new(u8::MAX, u8::MAX, usize::MAX)];

/// Number of times that an unknown change can take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Supply {
    /// Supply of one: it can take effect at most once.
    Counted,
    /// Supply without end: it can take effect any number of times, once a change of its class was invoked.
    Endless,
}
