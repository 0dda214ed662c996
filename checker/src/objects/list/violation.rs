//! Violations of a list.

/// Kind of violation.
pub(super) enum ListViolation {
    /// Read that does not begin with the initial list.
    NotInitial(u32),
    /// Two reads, neither of which begins with the other.
    Fork(u32, u32),
    /// Read that began when the list was longer already.
    Stale { read: u32, longest: u32 },
    /// Place of the longest list that must have been filled when this operation ended, and that no append can have
    /// filled.
    Missing { place: usize, needed_by: u32, longest: u32 },
}
