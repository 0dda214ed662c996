//! Texts with placeholders, each of which has those that make sense there.

use serde::Deserialize;
use workloads::Template;

/// Placeholders in commands, environment variables and files of a node.
const NODE_PLACEHOLDERS: [&str; 13] = [
    "node",
    "nodes",
    "ip",
    "client_port",
    "peer_port",
    "election_port",
    "peers",
    "others",
    "read_mode",
    "data_dir",
    "node_dir",
    CLOCK_FILE,
    "here",
];
/// Placeholders in the command that prepares all nodes at once.
const ONCE_PLACEHOLDERS: [&str; 2] = ["data_dir", "here"];
/// Placeholder of the file by which a node's clock is skewed.
pub(in super::super) const CLOCK_FILE: &str = "clock_file";
/// Placeholders in the form in which a node is told of one of its peers.
const PEER_PLACEHOLDERS: [&str; 5] = ["node", "ip", "client_port", "peer_port", "election_port"];

/// Text about a node, with placeholders.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(in super::super) struct NodeText(pub(in super::super) Template);

impl TryFrom<String> for NodeText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Template::parse(&text, &NODE_PLACEHOLDERS).map(Self)
    }
}

/// Text about all nodes, with placeholders.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(in super::super) struct OnceText(pub(in super::super) Template);

impl TryFrom<String> for OnceText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Template::parse(&text, &ONCE_PLACEHOLDERS).map(Self)
    }
}

/// Text about a peer, with placeholders.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(in super::super) struct PeerText(pub(in super::super) Template);

impl TryFrom<String> for PeerText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Template::parse(&text, &PEER_PLACEHOLDERS).map(Self)
    }
}

impl Default for PeerText {
    fn default() -> Self {
        "{ip}:{peer_port}".to_owned().try_into().expect("it has only placeholders of peers")
    }
}
