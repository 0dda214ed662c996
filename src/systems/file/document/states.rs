//! States of a node: when it is up, and when it leads, by what it answers, by a command, or by its log.

use std::collections::BTreeMap;

use regex::bytes::Regex;
use serde::Deserialize;
use serde_json::Value as Json;
use workloads::{Pointer, RequestLine, Statuses};

use super::text::NodeText;

/// State in which a node is up: its client port takes connections, a request is answered with a certain status, a
/// command succeeds, or its log has a certain line.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct ReadyTable {
    pub(in super::super) command: Option<Vec<NodeText>>,
    pub(in super::super) request: Option<RequestLine>,
    pub(in super::super) status: Option<Statuses>,
    pub(in super::super) log: Option<LinePattern>,
}

/// Request whose answer, command whose output, or log whose lines say who leads.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct RolesTable {
    pub(in super::super) request: Option<RequestLine>,
    pub(in super::super) command: Option<Vec<NodeText>>,
    pub(in super::super) log: Option<RoleLines>,
    pub(in super::super) body: Option<String>,
    /// Values in the answer of a node that leads.
    #[serde(default)]
    pub(in super::super) leads: BTreeMap<Pointer, Json>,
    /// Place of the node's own name, which that of the leader is compared with.
    pub(in super::super) id: Option<Pointer>,
    /// Place of the leader's name.
    pub(in super::super) leader: Option<Pointer>,
    /// Place of the term.
    pub(in super::super) term: Option<Pointer>,
}

/// Lines by which a node says that it leads, and that it no longer does.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct RoleLines {
    pub(in super::super) leads: LinePattern,
    pub(in super::super) follows: LinePattern,
}

impl RoleLines {
    /// Returns the term in which a node leads by the last line about its role, 0 if the line names none; none if it
    /// does not lead.
    pub(in super::super) fn term_led(&self, line: &[u8]) -> Option<u64> {
        let found = self.leads.0.captures(line)?;
        let term = found.name("term").and_then(|term| std::str::from_utf8(term.as_bytes()).ok()?.parse().ok());
        Some(term.unwrap_or_default())
    }

    /// Returns true if the line by which a node says that it leads can name the term.
    pub(in super::super) fn can_name_term(&self) -> bool {
        self.leads.0.capture_names().flatten().any(|name| name == "term")
    }
}

/// Regular expression for a line of a log.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(in super::super) struct LinePattern(pub(in super::super) Regex);

impl TryFrom<String> for LinePattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() {
            return Err("an empty regular expression is found in every line".to_owned());
        }
        Regex::new(&text).map(Self).map_err(|error| format!("{text:?} is no regular expression: {error}"))
    }
}

/// Checks what no single field can be wrong with.
pub(super) fn check(ready: &ReadyTable, roles: Option<&RolesTable>) -> Result<(), String> {
    let wrong = |is_wrong: bool, why: &str| if is_wrong { Err(why.to_owned()) } else { Ok(()) };
    let count = |given: [bool; 3]| given.into_iter().filter(|is_given| *is_given).count();
    let ways = count([ready.request.is_some(), ready.command.is_some(), ready.log.is_some()]);
    wrong(
        ready.request.is_none() && ready.status.is_some(),
        "`ready.status` is that of an answer; it needs `ready.request`",
    )?;
    wrong(ways > 1, "`ready` has one of `request`, `command` and `log`")?;
    let Some(RolesTable { request, command, log, body, leads, id, leader, term }) = roles else { return Ok(()) };
    let has_way = count([request.is_some(), command.is_some(), log.is_some()]) == 1;
    wrong(!has_way, "`roles` has one of `request`, `command` and `log`")?;
    wrong(body.is_some() && request.is_none(), "`roles.body` is that of a request; it needs `roles.request`")?;
    if log.is_some() {
        let places = [id, leader, term].into_iter().any(Option::is_some) || !leads.is_empty();
        wrong(places, "`roles.log` says who leads: leave `leads`, `id`, `leader` and `term` out")?;
        let asks = ready.request.is_some() || ready.command.is_some();
        return wrong(asks, "with `roles.log`, a node is up by `ready.log`, or once its client port is open");
    }
    let is_clear = !leads.is_empty() || id.is_some() && leader.is_some();
    wrong(!is_clear, "`roles` needs `leads`, values in the answer of a leader, or both `id` and `leader`")?;
    wrong(ways > 0, "with `roles`, a node is up when it answers what they ask: leave `ready` out")
}
