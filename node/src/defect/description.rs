//! Descriptions of defects, and the signs by which they show.

/// Description of a planted defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DefectDescription {
    /// Name in kebab case.
    pub name: &'static str,
    /// Kind of the first sign of it that clients or operators get.
    pub sign: Sign,
    /// Options of `schism run` under which the sign should show.
    pub options: &'static str,
    /// Options of `schism simulate` beside these; those of the same names take the place of theirs.
    pub simulated: &'static str,
    /// Reason why no run on virtual time shows it; empty if one does.
    pub survives: &'static str,
    /// Section of the paper that it breaks, or issue of a real system that had it.
    pub source: &'static str,
    /// Broken rule, as the lines of a comment.
    pub(super) comment: &'static str,
}

/// Kind of sign by which a defect shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    /// Read that misses an acknowledged write.
    StaleRead,
    /// Acknowledged write that is gone.
    LostWrite,
    /// Effect of an operation that was answered with "it did not happen".
    Phantom,
    /// Operation that takes effect more than once.
    DoubleApply,
    /// Two nodes that lead at once, or two holders of what one may hold.
    SplitBrain,
    /// Requests without answers, or nodes that do not come back.
    Unavailable,
    /// States that differ between nodes at the same point of the log.
    Divergent,
}

impl Sign {
    /// Returns the name of the sign, in kebab case.
    pub fn name(self) -> &'static str {
        match self {
            Self::StaleRead => "stale-read",
            Self::LostWrite => "lost-write",
            Self::Phantom => "phantom",
            Self::DoubleApply => "double-apply",
            Self::SplitBrain => "split-brain",
            Self::Unavailable => "unavailable",
            Self::Divergent => "divergent",
        }
    }
}

impl DefectDescription {
    /// Returns the broken rule, in a sentence or two.
    pub fn about(&self) -> &'static str {
        self.comment.trim_start()
    }
}
