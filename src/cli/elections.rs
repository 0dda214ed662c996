//! `--elections`: the election mode of the nodes, for every command that starts some.

use clap::Args;

use crate::systems::{Options, schism::Elections};

/// Options for elections.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ElectionArgs {
    /// Election mode: rules for leaders and voters beyond the votes themselves [default: by the read mode; for `schism
    /// node`, check-quorum].
    #[arg(long, value_enum, value_name = "KIND")]
    elections: Option<Elections>,
    /// Short for --elections check-quorum.
    #[arg(long, conflicts_with = "elections")]
    check_quorum: bool,
}

impl ElectionArgs {
    /// Returns the requested mode as an option of the system, if any.
    pub(crate) fn options(self) -> Options {
        Options::default().with("elections", self.requested().map(Elections::name))
    }

    /// Returns the requested mode, if any.
    pub(crate) fn requested(self) -> Option<Elections> {
        self.elections.or(self.check_quorum.then_some(Elections::CheckQuorum))
    }
}
