//! `--partition-by`: the way to partition hosts, for every command whose faults may be partitions.

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser as _},
};
use nemesis::PartitionBy;

/// Option for partitions.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct PartitionArgs {
    /// Way to partition hosts: netlink needs no program, iptables and nft are programs [default: netlink].
    #[arg(long, value_name = "WAY", value_parser = PossibleValuesParser::new(PartitionBy::ALL.map(PartitionBy::name))
        .try_map(|name| name.parse::<PartitionBy>()))]
    pub(crate) partition_by: Option<PartitionBy>,
}

impl PartitionArgs {
    /// Returns the requested way, or the default one.
    pub(crate) fn way(self) -> PartitionBy {
        self.partition_by.unwrap_or_default()
    }
}
