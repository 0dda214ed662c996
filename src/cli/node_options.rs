//! Options of the nodes, for every command that starts clusters of our own.

use clap::Args;
use node::Defect;

use super::{defects::parse_defect, elections::ElectionArgs};
use crate::systems::Options;

/// Options of the nodes.
#[derive(Clone, Debug, Args)]
pub(crate) struct NodeOptionArgs {
    #[command(flatten)]
    elections: ElectionArgs,
    /// Defect to plant in every node, one of those that `schism defects` lists.
    #[arg(long, value_name = "NAME", value_parser = parse_defect)]
    defect: Option<Defect>,
    /// Number of log entries after which a node replaces its log by a snapshot [default: 10000, or 200 if
    /// simulated; 100 with a defect].
    #[arg(long, value_name = "ENTRIES")]
    snapshot_after: Option<String>,
    /// Time after which a node answers an unfinished request with an error [default: 500ms].
    #[arg(long, value_name = "TIME")]
    request_timeout: Option<String>,
}

impl NodeOptionArgs {
    /// Returns what was asked for as options of the system.
    pub(crate) fn options(&self) -> Options {
        let Self { elections, defect, snapshot_after, request_timeout } = self;
        let options = elections.options().with("defect", defect.map(Defect::name));
        options.with("snapshot-after", snapshot_after.as_deref()).with("request-timeout", request_timeout.as_deref())
    }
}
