//! `--elections`: which of the two kinds the nodes hold, for every command that starts some.

use clap::Args;

use crate::systems::{Options, schism::Elections};

/// The options.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ElectionArgs {
    /// What leaders and voters owe each other [default: what the read mode says; a node by itself: check-quorum].
    #[arg(long, value_enum, value_name = "KIND")]
    elections: Option<Elections>,
    /// The same as --elections check-quorum.
    #[arg(long, conflicts_with = "elections")]
    check_quorum: bool,
}

impl ElectionArgs {
    /// The election mode that was asked for, as an option of the system, if any was.
    pub(crate) fn options(self) -> Options {
        Options::default().with("elections", self.asked().map(Elections::name))
    }

    /// What was asked for, if anything was.
    pub(crate) fn asked(self) -> Option<Elections> {
        self.elections.or(self.check_quorum.then_some(Elections::CheckQuorum))
    }
}
