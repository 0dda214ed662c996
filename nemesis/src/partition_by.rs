//! Ways to partition hosts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Way to keep the packets of one host from another. All cut the same pairs, in the same directions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartitionBy {
    /// Neighbour entries of the kernel, without any program: the sender's frames go to an address that nobody has.
    #[default]
    Netlink,
    /// Rules by the program `iptables`, in any variant: the receiver drops packets.
    Iptables,
    /// Rules by the program `nft`: the receiver drops packets.
    Nft,
}

impl PartitionBy {
    /// All ways, the default one first.
    pub const ALL: [Self; 3] = [Self::Netlink, Self::Iptables, Self::Nft];

    /// Returns the name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Netlink => "netlink",
            Self::Iptables => "iptables",
            Self::Nft => "nft",
        }
    }
}

impl fmt::Display for PartitionBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Name that is none of a way to partition.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("hosts are partitioned by netlink, iptables or nft, not by \"{0}\"")]
pub struct UnknownWay(String);

impl FromStr for PartitionBy {
    type Err = UnknownWay;

    fn from_str(text: &str) -> Result<Self, UnknownWay> {
        Self::ALL.into_iter().find(|way| way.name() == text).ok_or_else(|| UnknownWay(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_read_as_it_is_written() {
        for way in PartitionBy::ALL {
            assert_eq!(way.to_string().parse(), Ok(way));
            assert_eq!(serde_json::to_value(way).unwrap(), way.name());
        }
        let refused = "magic".parse::<PartitionBy>().unwrap_err().to_string();
        assert_eq!(refused, "hosts are partitioned by netlink, iptables or nft, not by \"magic\"");
    }
}
