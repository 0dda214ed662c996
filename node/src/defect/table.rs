//! Table of the defects. The comment of each is its description, too.

use serde::{Deserialize, Serialize};

use super::description::{DefectDescription, Sign};

/// Defines the defects and their descriptions, in the same order.
macro_rules! defects {
    ($($(#[doc = $about:literal])+ $defect:ident: $name:literal, $sign:ident, $options:literal, $source:literal;)+) => {
        /// Planted defect: one rule that the node breaks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Defect {
            $($(#[doc = $about])+ $defect,)+
        }

        impl Defect {
            /// All defects, grouped by the part of the node that they break.
            pub const ALL: &'static [Self] = &[$(Self::$defect),+];

            /// Returns the description of the defect.
            pub fn description(self) -> &'static DefectDescription {
                const DESCRIPTIONS: &[DefectDescription] = &[$(DefectDescription {
                    name: $name,
                    sign: Sign::$sign,
                    options: $options,
                    source: $source,
                    comment: concat!($($about),+),
                }),+];
                &DESCRIPTIONS[self as usize]
            }
        }
    };
}

defects! {
    // Reads

    /// A leader answers quorum reads at once, without a round of heartbeats.
    ReadAsksNobody: "read-asks-nobody", StaleRead, "--faults partition:isolate-leader",
        "dissertation §6.4; etcd-io/etcd#741, RedisLabs/redisraft#19";

    // Elections

    /// A voter votes for every candidate of a term that asks, and not only for the first.
    VotesTwice: "votes-twice", SplitBrain, "--faults partition,pause:leader",
        "Raft §5.2; robustmq/robustmq#2039";

    // State machine

    /// A compare-and-set writes whatever the value is, and says that it has swapped.
    CasIgnoresFrom: "cas-ignores-from", LostWrite, "--faults none", "Raft §8: linearizable semantics";
}
