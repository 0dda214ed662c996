//! Start of a node: its commands, environment and files.

use std::collections::BTreeMap;

use super::{
    stop::StopTable,
    text::{CLOCK_FILE, NodeText, OnceText, PeerText},
};
use serde::Deserialize;

/// Start of a node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct NodeTable {
    pub(in super::super) command: Vec<NodeText>,
    /// Arguments that only the first start takes.
    #[serde(default)]
    pub(in super::super) first_arguments: Vec<NodeText>,
    /// Commands that run beside it, as one node with it.
    #[serde(default)]
    pub(in super::super) beside: Vec<Vec<NodeText>>,
    /// User that commands run as.
    #[serde(default)]
    pub(in super::super) run_as: RunAs,
    /// Way in which it is asked to end.
    #[serde(default)]
    pub(in super::super) stop: StopTable,
    /// Command that is carried out once for all nodes, and in a campaign for all runs.
    pub(in super::super) prepare_once: Option<Vec<OnceText>>,
    /// Command that is carried out once for each node, before its first start.
    pub(in super::super) prepare: Option<Vec<NodeText>>,
    /// Form in which `{peers}` and `{others}` name a node.
    #[serde(default)]
    pub(in super::super) peers: PeerText,
    /// Text between two nodes in `{peers}` and `{others}`.
    #[serde(default = "comma")]
    pub(in super::super) separator: String,
    #[serde(default)]
    pub(in super::super) env: BTreeMap<String, NodeText>,
    #[serde(default)]
    pub(in super::super) files: Vec<FileTable>,
    /// Name of its host.
    pub(in super::super) host_name: Option<NodeText>,
}

/// Names of files that schism itself writes into a node's folder.
const TAKEN: [&str; 2] = ["node.log", "prepare.log"];

impl NodeTable {
    /// Checks what no single field can be wrong with.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(name) = self.env.keys().find(|name| name.is_empty() || name.contains(['=', '\0'])) {
            return Err(format!("`node.env`: {name:?} is no name of a variable"));
        }
        for (place, file) in self.files.iter().enumerate() {
            let FilePath(path) = &file.path;
            if self.files[..place].iter().any(|earlier| earlier.path.0 == *path) {
                return Err(format!("`node.files` has {path:?} twice"));
            }
            if path.split('/').next().is_some_and(|first| TAKEN.contains(&first)) {
                return Err(format!("`node.files`: {path:?} is where schism itself keeps something; choose a name"));
            }
            let names_peers = file.text.0.names().any(|name| ["peers", "others"].contains(&name));
            if (file.peers.is_some() || file.separator.is_some()) && !names_peers {
                let what = "has `peers` or `separator`, but no {peers} or {others} in its `text`";
                return Err(format!("`node.files`: {path:?} {what}"));
            }
        }
        Ok(())
    }

    /// Returns true if a node is told of the file by which its clock is skewed.
    pub(in super::super) fn has_clock_file(&self) -> bool {
        let Self { command, first_arguments, beside, env, files, .. } = self;
        let texts = command.iter().chain(first_arguments).chain(beside.iter().flatten()).chain(env.values());
        texts.chain(files.iter().map(|file| &file.text)).any(|text| text.0.names().any(|name| name == CLOCK_FILE))
    }
}

/// User that the commands of a node run as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in super::super) enum RunAs {
    /// The user of the sandbox, which is root in it.
    #[default]
    Root,
    /// A user who is not root, for programs that refuse to run as root.
    Ordinary,
}

fn comma() -> String {
    ",".to_owned()
}

/// File that is written into a node's folder, and bound over another if its path is absolute.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct FileTable {
    pub(in super::super) path: FilePath,
    pub(in super::super) text: NodeText,
    /// Form and separator of nodes in this file, if they differ from those of others.
    pub(in super::super) peers: Option<PeerText>,
    pub(in super::super) separator: Option<String>,
}

/// Path of a file: within the node's folder, or an absolute one over which the file is bound.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(in super::super) struct FilePath(pub(in super::super) String);

impl FilePath {
    /// Returns true if the file is bound over this path, in the view of the node alone.
    pub(in super::super) fn is_absolute(&self) -> bool {
        self.0.starts_with('/')
    }
}

impl TryFrom<String> for FilePath {
    type Error = String;

    fn try_from(path: String) -> Result<Self, String> {
        let parts = path.strip_prefix('/').unwrap_or(&path);
        if parts.split('/').all(|part| !["", ".", ".."].contains(&part)) && !path.contains('\0') {
            return Ok(Self(path));
        }
        let allowed = "a path is such as \"etc/store.conf\", within the node's folder, or \"/etc/hosts\"";
        Err(format!("{path:?} is empty or has an empty part, `.` or `..`; {allowed}"))
    }
}
