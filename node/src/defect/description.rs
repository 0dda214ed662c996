//! Descriptions of defects, the signs by which they show, and the loads under which they should.

/// Description of a planted defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DefectDescription {
    /// Name in kebab case.
    pub name: &'static str,
    /// Kind of the first sign of it that clients or operators get.
    pub sign: Sign,
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

/// Load under which a defect should show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Options of `schism run` under which the sign should show.
    options: &'static str,
    /// Options of `schism simulate`; those of `schism run` if empty.
    simulated: &'static str,
    /// Reason why no run on real processes shows it; empty if one does.
    pub survives: &'static str,
    /// Reason why no run on virtual time shows it; empty if one does.
    pub survives_simulated: &'static str,
}

impl Load {
    pub(super) const fn of(options: &'static str) -> Self {
        Self { options, simulated: "", survives: "", survives_simulated: "" }
    }

    pub(super) const fn simulated(self, simulated: &'static str) -> Self {
        Self { simulated, ..self }
    }

    pub(super) const fn survives(self, survives: &'static str) -> Self {
        Self { survives, ..self }
    }

    /// Gives the reason why no run shows it, on real processes or on virtual time.
    pub(super) const fn survives_anywhere(self, survives: &'static str) -> Self {
        Self { survives, survives_simulated: survives, ..self }
    }

    pub(super) const fn survives_simulated(self, survives_simulated: &'static str) -> Self {
        Self { survives_simulated, ..self }
    }

    /// Returns the options of `schism run` under which the sign should show.
    pub fn options(&self) -> String {
        with_few_clients(self.options)
    }

    /// Returns the options of `schism simulate` under which it should.
    pub fn simulated_options(&self) -> String {
        with_few_clients(if self.simulated.is_empty() { self.options } else { self.simulated })
    }
}

/// Adds a small number of clients unless options have one: the more operations overlap, the more orders there are in
/// which a lost write can hide.
fn with_few_clients(options: &str) -> String {
    if options.contains("--concurrency ") { options.to_owned() } else { format!("--concurrency 8 {options}") }
}
