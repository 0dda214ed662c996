//! Scripts of faults, in TOML: which fault comes at which time, or when something happens, and whom it hits.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::Read as _,
    path::Path,
    time::Duration,
};

use nemesis::{Aim, ClusterEvent, FaultSpecs, Grudge, Hit, Links, NodeId, PlannedFault, ScheduleOptions, ScriptedTurn};
use nemesis::{Trigger, Turn};
use serde::Deserialize;
use toml::Spanned;

use crate::terminal::words::typed;

/// Maximum size of a script, and maximum number of its faults.
const MAX_BYTES: u64 = 1 << 20;
const MAX_FAULTS: usize = 1000;
/// Maximum of each time.
const MAX_TIME: Duration = Duration::from_hours(24);

/// Script, with the lines at which its faults begin.
#[derive(Debug)]
pub(crate) struct Script {
    turns: Vec<ScriptedTurn>,
    lines: Vec<usize>,
}

/// Content of a script as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    fault: Vec<Spanned<Entry>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    at: Option<Time>,
    when: Option<EventName>,
    nth: Option<u32>,
    after: Option<Time>,
    lasts: Option<Time>,
    fault: FaultText,
    nodes: Option<Vec<NodeName>>,
    drops: Option<Senders>,
    links: Option<Senders>,
    draw: Option<Draw>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Time(Duration);

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct EventName(ClusterEvent);

#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
struct FaultText(Turn);

/// Random number, in 16 digits of base 16: TOML has no integers as great.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Draw(u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct NodeName(NodeId);

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let time = humantime::parse_duration(&text).ok().filter(|time| *time <= MAX_TIME);
        time.map(Self).ok_or_else(|| format!("a time is such as 500ms or 2s, up to 24h, not {text:?}"))
    }
}

impl TryFrom<String> for EventName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let names = ClusterEvent::ALL.map(ClusterEvent::name).join(", ");
        let unknown = || format!("nodes do not say when {text:?} happens; there are: {names}");
        ClusterEvent::from_name(&text).map(Self).ok_or_else(unknown)
    }
}

impl TryFrom<String> for FaultText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|error: nemesis::SpecError| error.to_string())
    }
}

impl TryFrom<String> for Draw {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let draw = u64::from_str_radix(&text, 16).ok().filter(|draw| format!("{draw:016x}") == text);
        draw.map(Self).ok_or_else(|| format!("a draw is such as \"00c0ffee00c0ffee\", not {text:?}"))
    }
}

impl TryFrom<String> for NodeName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let number = text.strip_prefix('n').and_then(|number| number.parse().ok()).filter(|number| *number > 0);
        let node = number.map(NodeId).or((text == NodeId::CLIENTS.to_string()).then_some(NodeId::CLIENTS));
        node.map(Self).ok_or_else(|| format!("a node is such as n1, and `clients` can be dropped; not {text:?}"))
    }
}

impl Script {
    /// Reads a script for a cluster of so many nodes, whose load lasts for so long.
    ///
    /// # Errors
    /// Fails with the line and the field that are wrong, and what is possible.
    pub(crate) fn read(path: &Path, nodes: u16, time_limit: Duration) -> Result<Self, String> {
        let read = || {
            let mut text = String::new();
            File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text).map(|_| text)
        };
        let text = read().map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text, nodes, time_limit).map_err(|why| format!("{}: {why}", path.display()))
    }

    fn parse(text: &str, nodes: u16, time_limit: Duration) -> Result<Self, String> {
        if text.len() as u64 > MAX_BYTES {
            return Err(format!("a script has at most {MAX_BYTES} bytes"));
        }
        let document: Document = toml::from_str(text).map_err(|error| wrong_field(text, &error))?;
        if !(1..=MAX_FAULTS).contains(&document.fault.len()) {
            let count = document.fault.len();
            return Err(format!("a script has 1 to {MAX_FAULTS} tables [[fault]], not {count}"));
        }
        let mut script = Self { turns: Vec::new(), lines: Vec::new() };
        for entry in document.fault {
            let line = line_at(text, entry.span().start);
            let turn = entry.into_inner().turn(nodes, time_limit);
            script.turns.push(turn.map_err(|why| format!("line {line}: {why}"))?);
            script.lines.push(line);
        }
        Ok(script)
    }

    /// Returns its faults, without their times.
    pub(crate) fn faults(&self) -> FaultSpecs {
        FaultSpecs(self.turns.iter().map(|scripted| scripted.turn.clone()).collect())
    }

    /// Returns the schedule. What the script leaves open is drawn from the seed.
    ///
    /// # Errors
    /// Fails with the line of a fault that cannot be planned.
    pub(crate) fn schedule(&self, seed: u64, options: &ScheduleOptions) -> Result<Vec<PlannedFault>, String> {
        nemesis::plan_script(seed, options, &self.turns)
            .map_err(|(number, why)| format!("line {}: {why}", self.lines[number]))
    }
}

impl Entry {
    fn turn(self, nodes: u16, time_limit: Duration) -> Result<ScriptedTurn, String> {
        let hit = self.hit(nodes)?;
        let Self { at, when, nth, after, lasts, fault: FaultText(turn), draw, .. } = self;
        let (at, when) = match (at, when) {
            (Some(at), None) if after.is_none() && nth.is_none() => (at.0, None),
            (Some(_), None) => return Err("`after` and `nth` belong to `when`, not to `at`".to_owned()),
            (None, Some(EventName(event))) => {
                let nth = nth.unwrap_or(1);
                if nth == 0 {
                    return Err("`nth` counts from 1".to_owned());
                }
                (after.map_or(Duration::ZERO, |after| after.0), Some(Trigger { event, nth }))
            }
            _ => return Err("either `at` or `when` says when the fault comes".to_owned()),
        };
        if at >= time_limit {
            return Err(format!("the fault comes after {at:?}, but the load lasts for {time_limit:?}"));
        }
        let lasts = lasts.map(|lasts| lasts.0);
        if lasts == Some(Duration::ZERO) {
            return Err("`lasts` must be longer than 0s".to_owned());
        }
        Ok(ScriptedTurn { turn, at, lasts, when, hit, draw: draw.map(|draw| draw.0) })
    }

    /// Returns the nodes that the fault hits, if the script says so.
    fn hit(&self, nodes: u16) -> Result<Option<Hit>, String> {
        let check = |node: NodeId| match node.0 {
            0 => Err("`clients` can only be dropped by nodes".to_owned()),
            number if number > nodes => Err(format!("there is no {node}: the nodes are n1 to n{nodes}")),
            _ => Ok(node),
        };
        let or_clients = |node: NodeId| if node == NodeId::CLIENTS { Ok(node) } else { check(node) };
        match (&self.nodes, &self.drops, &self.links) {
            (None, None, None) => Ok(None),
            (Some(these), None, None) if !these.is_empty() => {
                Ok(Some(Hit::Nodes(these.iter().map(|node| check(node.0)).collect::<Result<_, _>>()?)))
            }
            (None, Some(drops), None) if names_any(drops) => {
                let to_itself = |node| format!("{node} cannot drop its own packets");
                Ok(Some(Hit::Drops(Grudge(pairs(drops, check, or_clients, to_itself)?))))
            }
            (None, None, Some(links)) if names_any(links) => {
                let to_itself = |node| format!("there is no link from {node} to itself");
                Ok(Some(Hit::Links(Links(pairs(links, or_clients, or_clients, to_itself)?))))
            }
            (None, None, Some(_)) | (None, Some(_), None) | (Some(_), None, None) => {
                Err("`nodes`, `drops` and `links` name at least one node".to_owned())
            }
            _ => Err("a fault has only one of `nodes`, `drops` and `links`".to_owned()),
        }
    }
}

/// Nodes by the node that does not hear them, or does so by a link.
type Senders = BTreeMap<NodeName, Vec<NodeName>>;

fn names_any(senders: &Senders) -> bool {
    senders.values().any(|senders| !senders.is_empty())
}

/// Returns the senders of each receiver, checked; `to_itself` says why no node is its own.
fn pairs(
    named: &Senders,
    check_receiver: impl Fn(NodeId) -> Result<NodeId, String>,
    check_sender: impl Fn(NodeId) -> Result<NodeId, String>,
    to_itself: impl Fn(NodeId) -> String,
) -> Result<BTreeMap<NodeId, BTreeSet<NodeId>>, String> {
    let mut pairs: BTreeMap<NodeId, BTreeSet<NodeId>> = BTreeMap::new();
    for (receiver, senders) in named {
        let receiver = check_receiver(receiver.0)?;
        for sender in senders.iter().map(|sender| sender.0) {
            if sender == receiver {
                return Err(to_itself(receiver));
            }
            pairs.entry(receiver).or_default().insert(check_sender(sender)?);
        }
    }
    Ok(pairs)
}

/// Returns what is wrong with a script, and where.
fn wrong_field(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().trim_end();
    let Some(span) = error.span() else { return message.to_owned() };
    let line = line_at(text, span.start);
    let field = text.lines().nth(line - 1).and_then(|written| written.split_once('=')).map(|(name, _)| name.trim());
    match field {
        Some(field) if !message.contains(&format!("`{field}`")) => format!("line {line}: `{field}`: {message}"),
        _ => format!("line {line}: {message}"),
    }
}

fn line_at(text: &str, at: usize) -> usize {
    1 + text.get(..at).unwrap_or_default().matches('\n').count()
}

/// Returns a script of faults that hit given nodes at given times.
pub(crate) fn script_of<'a>(schedule: impl IntoIterator<Item = &'a PlannedFault>) -> String {
    let mut text = String::new();
    for planned in schedule {
        let PlannedFault { at, lasts, .. } = planned;
        text += &format!("[[fault]]\nat = \"{}\"\nlasts = \"{}\"\n", typed(*at), typed(*lasts));
        text += &format!("fault = \"{}\"\n", planned.as_typed());
        if planned.fault.draws_in_force() {
            text += &format!("draw = \"{:016x}\"\n", planned.draw);
        }
        match &planned.aim {
            Some(Aim::These(these)) => text += &format!("{}\n\n", hit_of(&Hit::of(these))),
            _ => text.push('\n'),
        }
    }
    text
}

fn hit_of(hit: &Hit) -> String {
    let list = |nodes: &mut dyn Iterator<Item = &NodeId>| {
        let names: Vec<String> = nodes.map(|node| format!("\"{node}\"")).collect();
        format!("[{}]", names.join(", "))
    };
    match hit {
        Hit::Nodes(nodes) => format!("nodes = {}", list(&mut nodes.iter())),
        Hit::Drops(Grudge(senders)) | Hit::Links(Links(senders)) => {
            let field = if matches!(hit, Hit::Drops(_)) { "drops" } else { "links" };
            let each: Vec<String> =
                senders.iter().map(|(to, from)| format!("{to} = {}", list(&mut from.iter()))).collect();
            format!("{field} = {{ {} }}", each.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nemesis::ScheduleOptions;

    use super::{Script, script_of};

    fn read(text: &str) -> Result<Script, String> {
        Script::parse(text, 3, Duration::from_secs(20))
    }

    const SCRIPT: &str = r#"
[[fault]]
at = "2s"
lasts = "1500ms"
fault = "kill:leader"
nodes = ["n2"]

[[fault]]
at = "5s"
lasts = "1s"
fault = "partition:cut-off-random"
drops = { n1 = ["n3"], n3 = ["n1", "n2", "clients"] }

[[fault]]
at = "7s"
lasts = "1s"
fault = "delay:50ms,shape=isolate-random"
draw = "0000000000000b1d"
links = { clients = ["n1"], n2 = ["n1"] }
"#;

    #[test]
    fn a_script_that_is_written_is_read_back() {
        let options = ScheduleOptions { nodes: 3, ..ScheduleOptions::default() };
        let schedule = read(SCRIPT).unwrap().schedule(1, &options).unwrap();
        let text = script_of(&schedule);
        assert!(text.starts_with("[[fault]]\nat = \"2s\"\nlasts = \"1.5s\"\n"), "{text}");
        assert!(text.contains("draw = \"0000000000000b1d\"\nlinks = { clients = [\"n1\"], n2 = [\"n1\"] }"), "{text}");
        assert!(text.contains("drops = { n1 = [\"n3\"], n3 = [\"clients\", \"n1\", \"n2\"] }"), "{text}");
        assert_eq!(read(&text).unwrap().schedule(2, &options).unwrap(), schedule);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_what_is_possible() {
        let fault = "[[fault]]\nfault = \"kill\"\n";
        for (text, expected) in [
            ("", "a script has 1 to 1000 tables [[fault]], not 0".to_owned()),
            ("[[fault]]\nat = \"2s\"\n", "line 1: missing field `fault`".to_owned()),
            (&format!("{fault}at = \"2\"\n"), "line 3: `at`: a time is such as 500ms or 2s".to_owned()),
            (
                &format!("{fault}wen = \"leader-elected\"\n"),
                "line 3: unknown field `wen`, expected one of `at`".to_owned(),
            ),
            (
                &format!("{fault}when = \"membership-change\"\n"),
                "line 3: `when`: nodes do not say when \"membership-change\" happens; there are: leader-elected,"
                    .to_owned(),
            ),
            ("[[fault]]\nat = \"1s\"\nfault = \"kil\"\n", "line 3: `fault`: there is no fault `kil`".to_owned()),
            (fault, "line 1: either `at` or `when` says when the fault comes".to_owned()),
            (&format!("{fault}at = \"1s\"\nafter = \"1s\"\n"), "line 1: `after` and `nth` belong to `when`".to_owned()),
            (
                &format!("{fault}at = \"20s\"\n"),
                "line 1: the fault comes after 20s, but the load lasts for 20s".to_owned(),
            ),
            (
                &format!("{fault}at = \"1s\"\nnodes = [\"n4\"]\n"),
                "line 1: there is no n4: the nodes are n1 to n3".to_owned(),
            ),
            (&format!("{fault}at = \"1s\"\nnodes = [\"x\"]\n"), "line 4: `nodes`: a node is such as n1".to_owned()),
            (
                &format!("{fault}at = \"1s\"\nnodes = []\n"),
                "line 1: `nodes`, `drops` and `links` name at least one".to_owned(),
            ),
            (&format!("{fault}at = \"1s\"\ndrops = {{ n1 = [\"n9\"] }}\n"), "line 1: there is no n9".to_owned()),
            (
                &format!("{fault}at = \"1s\"\ndrops = {{ n1 = [\"n1\"] }}\n"),
                "line 1: n1 cannot drop its own".to_owned(),
            ),
            (&format!("{fault}at = \"1s\"\nlasts = \"0s\"\n"), "line 1: `lasts` must be longer than 0s".to_owned()),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.starts_with(&expected), "{text}: {said}");
        }
        let drops = read(&format!("{fault}at = \"1s\"\ndrops = {{ n1 = [\"clients\"] }}\n")).unwrap();
        let refused = drops.schedule(1, &ScheduleOptions::default()).unwrap_err();
        assert_eq!(refused, "line 1: kill takes `nodes` instead of `drops`");
    }
}
