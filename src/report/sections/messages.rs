//! Section with the messages around the violation as a Lamport diagram: a line for each node, time to the right, an
//! arrow for each message.

use maud::{Markup, html};

use super::super::{
    Facts, Section,
    picture::{LEFT, NARROW, RIGHT, Scale, WIDTH, axis, legend, px},
    timeline::operation_on_one_line,
};
use crate::{
    run::{Message, MessageLog, Reign},
    systems::{MessageContent, Purpose},
    terminal::words::{counted, grouped, seconds},
};

pub(super) const SECTION: Section = Section { id: "messages", title: "Messages between the nodes", body };

/// Maximum number of messages drawn: the last ones before the violation.
const MAX_MESSAGES: usize = 120;
/// Distance between the lines of two nodes.
const LANE: f64 = 62.0;
const TOP: f64 = 26.0;
/// Length of an arrow's head.
const HEAD: f64 = 7.0;

/// Diagram of the messages shown.
struct Diagram<'a> {
    facts: &'a Facts<'a>,
    log: &'a MessageLog,
    nodes: u16,
    shown: Vec<Message>,
    scale: Scale,
    /// The operation of the evidence that is presented as the wrong one.
    wrong: usize,
}

fn body(facts: &Facts<'_>) -> Option<Markup> {
    let plan = &facts.run?.plan;
    let nodes = plan.all_nodes();
    let (during, wrong) = (facts.message_log.during, facts.wrong_operation()?);
    let until_ns = during.until_ns.min(facts.history.times(wrong).completed_ns + 2_000_000);
    let shown = most_relevant(&facts.message_log.messages, until_ns);
    let first = shown.first()?;
    let margin_ns = (until_ns - first.sent_ns) / 40 + 1;
    let scale = Scale { from_ns: first.sent_ns.saturating_sub(margin_ns), until_ns: until_ns + margin_ns };
    let diagram = Diagram { facts, log: &facts.message_log, nodes, shown, scale, wrong };
    Some(html! {
        p { (fates_in_words(&diagram)) }
        div class="wide" tabindex="0" role="region" aria-label="Diagram of the messages" { (diagram.svg()) }
        p class="quiet" {
            "Each arrow is a message, drawn from the moment it was sent to the moment it was taken in; a broken one \
            with a cross was lost. "
            "Small strokes on a node's line: it learnt that more of the log is committed. Bars: the operations that \
            contradict each other. "
            @let more = facts.message_log.messages.len() - diagram.shown.len();
            @if more > 0 { (counted(more, "more message")) " between " (seconds(during.from_ns)) " and \
            " (seconds(during.until_ns)) " are in nodes/*/" (plan.system().trace_file().unwrap_or_default()) "." }
        }
        details {
            summary { "The same in a table" }
            (diagram.table())
        }
        @if let Some(moment_ns) = facts.deposed_ns()
            && let Some(before) = at_deposition(facts, nodes, wrong, moment_ns) {
            h3 { "When n" (facts.history.node(wrong)) " was deposed" }
            p { (deposition_in_words(facts, wrong, moment_ns)) }
            div class="wide" tabindex="0" role="region" aria-label="Diagram of the messages at the deposition" {
                (before.svg())
            }
        }
    })
}

/// Returns the diagram of the messages around the moment at which the node with the wrong answer was deposed; none if
/// no messages are known.
fn at_deposition<'a>(facts: &'a Facts<'a>, nodes: u16, wrong: usize, moment_ns: u64) -> Option<Diagram<'a>> {
    let log = &facts.deposition_log;
    let shown = nearest(&log.messages, moment_ns);
    let from_ns = shown.first()?.sent_ns;
    let until_ns = shown.last()?.sent_ns.max(moment_ns) + 1_000_000;
    let margin_ns = (until_ns - from_ns) / 40 + 1;
    let scale = Scale { from_ns: from_ns.saturating_sub(margin_ns), until_ns: until_ns + margin_ns };
    Some(Diagram { facts, log, nodes, shown, scale, wrong })
}

/// Selects the messages to draw around a moment, the nearest ones. If they are too many, leaves out routine ones that
/// arrived first.
fn nearest(messages: &[Message], moment_ns: u64) -> Vec<Message> {
    let mut shown = messages.to_vec();
    if shown.len() > MAX_MESSAGES {
        shown.retain(|message| !message.content.kind.is_routine || message.received_ns.is_none());
    }
    shown.sort_by_key(|message| message.sent_ns.abs_diff(moment_ns));
    shown.truncate(MAX_MESSAGES);
    shown.sort_by_key(|message| message.sent_ns);
    shown
}

/// Says who took over, and for how long the node with the wrong answer did not know it.
fn deposition_in_words(facts: &Facts<'_>, wrong: usize, moment_ns: u64) -> String {
    let node = facts.history.node(wrong);
    let newer = facts.reigns.iter().find(|reign| reign.span.from_ns == moment_ns && reign.node != node);
    let knew = facts.reigns.iter().filter(|reign| reign.node == node && reign.span.from_ns <= moment_ns);
    let knew_ns = knew.map(|reign| reign.span.until_ns).max().unwrap_or(moment_ns);
    let who =
        newer.map_or_else(|| "a newer leader".to_owned(), |reign| format!("n{}, of term {},", reign.node, reign.term));
    format!(
        "At {} {who} took over; n{node} believed for another {} that it led.",
        seconds(moment_ns),
        seconds(knew_ns.saturating_sub(moment_ns))
    )
}

/// Selects the messages to draw, sent before the given time. If they are too many, leaves out routine ones that
/// arrived, such as heartbeats, as they tell the least, then keeps only the last ones.
fn most_relevant(messages: &[Message], until_ns: u64) -> Vec<Message> {
    let mut shown: Vec<Message> = messages.iter().copied().filter(|message| message.sent_ns < until_ns).collect();
    if shown.len() > MAX_MESSAGES {
        shown.retain(|message| !message.content.kind.is_routine || message.received_ns.is_none());
    }
    shown.split_off(shown.len().saturating_sub(MAX_MESSAGES))
}

/// Summarizes in a sentence how many messages of the node that gave the wrong answer arrived, and how many of the
/// others, since the last operation of the evidence that preceded the wrong one completed.
fn fates_in_words(diagram: &Diagram<'_>) -> String {
    let times = |index: usize| diagram.facts.history.times(index);
    let asked = diagram.facts.history.node(diagram.wrong);
    let moment = times(diagram.wrong);
    let before = diagram
        .facts
        .evidence_operations()
        .iter()
        .map(|&index| times(index).completed_ns)
        .filter(|ended| *ended < moment.invoked_ns);
    let since_ns = before.max().unwrap_or_default().max(diagram.facts.message_log.during.from_ns);
    let fate = |mine: bool| {
        let during = |message: &&Message| (since_ns..moment.completed_ns).contains(&message.sent_ns);
        let sent = || {
            diagram.facts.message_log.messages.iter().filter(during).filter(|message| (message.from == asked) == mine)
        };
        (sent().count(), sent().filter(|message| message.received_ns.is_none()).count())
    };
    let words = |(sent, lost): (usize, usize)| match (sent, lost) {
        (0, _) => "sent nothing".to_owned(),
        (sent, 0) => format!("sent {}, all of which arrived", counted(sent, "message")),
        (sent, lost) if sent == lost => format!("sent {}, none of which arrived", counted(sent, "message")),
        (sent, lost) => format!("sent {}, of which {} were lost", counted(sent, "message"), grouped(lost)),
    };
    format!(
        "From {} to {}, n{asked}, which gave the wrong answer, {}; the other nodes {}.",
        seconds(since_ns),
        seconds(moment.completed_ns),
        words(fate(true)),
        words(fate(false)),
    )
}

impl Diagram<'_> {
    fn y(node: u16) -> f64 {
        TOP + LANE * (f64::from(node) - 0.5)
    }

    fn svg(&self) -> Markup {
        let height = TOP + LANE * f64::from(self.nodes) + 34.0;
        let (legend, legend_height) = legend(&self.legend_entries(), height + 8.0, NARROW);
        html! {
            svg class="timeline messages" viewBox={ "0 0 " (WIDTH) " " (px(height + legend_height)) } role="img"
                aria-label={ "Messages between the nodes from " (seconds(self.scale.from_ns)) " to \
                " (seconds(self.scale.until_ns)) "; the table below has the same" } {
                @for node in 1..=self.nodes { (self.lane(node)) }
                @for lost in [false, true] {
                    @for message in self.shown.iter().filter(|message| message.received_ns.is_none() == lost) {
                        (self.arrow(message))
                    }
                }
                @for node in 1..=self.nodes { @for reign in self.reigns(node) { (self.claim(reign)) } }
                @for &index in self.facts.evidence_operations() { (self.operation(index)) }
                @if let Some(moment_ns) = self.facts.deposed_ns() && self.scale.shows(moment_ns, moment_ns + 1) {
                    @let x = self.scale.x(moment_ns);
                    g class="ends" {
                        line x1=(px(x)) x2=(px(x)) y1="18" y2=(px(height - 22.0)) {}
                        text x=(px(x - 5.0)) y="12" text-anchor="end" { "a newer leader" }
                    }
                }
                (axis(self.facts, self.scale, height - 22.0))
                (legend)
            }
        }
    }

    /// Returns the signs that the diagram shows, by the class of each and its meaning.
    fn legend_entries(&self) -> Vec<(&'static str, &'static str)> {
        let shows = |purpose| self.shown.iter().any(|message| message.content.kind.purpose == purpose);
        let is_lost = self.shown.iter().any(|message| message.received_ns.is_none());
        let is_gone = |reign: &Reign| {
            let deposed_ns = self.deposed_ns(reign);
            deposed_ns < reign.span.until_ns && self.scale.shows(deposed_ns, reign.span.until_ns)
        };
        let is_in_view = |wrong: bool| {
            let mut of_evidence =
                self.facts.evidence_operations().iter().filter(|index| (**index == self.wrong) == wrong);
            of_evidence.any(|&index| {
                let times = self.facts.history.times(index);
                self.facts.history.node(index) > 0 && self.scale.shows(times.invoked_ns, times.completed_ns)
            })
        };
        [
            ("message log", "log and heartbeats", shows(Purpose::Log)),
            ("message vote", "votes", shows(Purpose::Vote)),
            ("message read", "reads", shows(Purpose::Read)),
            ("message forward", "passed on to the leader", shows(Purpose::Forward)),
            ("message lost", "lost", is_lost),
            ("operation", "operation", is_in_view(false)),
            ("operation wrong", "the wrong answer", is_in_view(true)),
            ("reign", "the node believed that it led", !self.facts.reigns.is_empty()),
            ("deposed", "a newer leader was elected", self.facts.reigns.iter().any(is_gone)),
        ]
        .into_iter()
        .filter(|entry| entry.2)
        .map(|(class, words, _)| (class, words))
        .collect()
    }

    fn lane(&self, node: u16) -> Markup {
        let y = Self::y(node);
        let asked = self.facts.history.node(self.wrong) == node;
        let moment_ns = self.facts.history.times(self.wrong).invoked_ns;
        let commits = self.log.commits.iter().filter(|commit| commit.node == node);
        html! {
            text class={ "name" @if asked { " wrong" } } x="8" y=(px(y)) { "n" (node) }
            @if let Some(index) = self.log.committed(node, moment_ns) {
                text class="commit" x="8" y=(px(y + 15.0)) { "commit " (index) }
            }
            line class="follows" x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(y)) y2=(px(y)) {}
            @for reign in self.reigns(node) { (self.reign(reign, y)) }
            @for commit in commits.filter(|commit| self.scale.shows(commit.time_ns, commit.time_ns + 1)) {
                @let x = self.scale.x(commit.time_ns);
                line class="commit" x1=(px(x)) x2=(px(x)) y1=(px(y - 6.0)) y2=(px(y + 6.0)) {}
            }
        }
    }

    fn reigns(&self, node: u16) -> impl Iterator<Item = &Reign> {
        let shows = |reign: &&Reign| self.scale.shows(reign.span.from_ns, reign.span.until_ns);
        self.facts.reigns.iter().filter(move |reign| reign.node == node).filter(shows)
    }

    /// Returns the time at which a leader of a later term took over, or the end of the reign if none did.
    fn deposed_ns(&self, reign: &Reign) -> u64 {
        let newer = self.facts.reigns.iter().filter(|other| other.term > reign.term).map(|other| other.span.from_ns);
        newer.min().unwrap_or(u64::MAX).clamp(reign.span.from_ns, reign.span.until_ns)
    }

    fn reign(&self, reign: &Reign, y: f64) -> Markup {
        let (span, deposed_ns) = (reign.span, self.deposed_ns(reign));
        html! {
            g class="reign" {
                @for (class, from_ns, until_ns) in [
                    ("", span.from_ns, deposed_ns), ("deposed", deposed_ns, span.until_ns),
                ] {
                    @if self.scale.shows(from_ns, until_ns) {
                        @let (from, until) = (self.scale.x(from_ns), self.scale.x(until_ns));
                        rect class=(class) x=(px(from)) width=(px(until - from)) y=(px(y - 4.0)) height="8" {}
                    }
                }
            }
        }
    }

    /// Renders the label of a reign, drawn above the arrows to stay readable.
    fn claim(&self, reign: &Reign) -> Markup {
        let unaware = (self.deposed_ns(reign)..reign.span.until_ns).contains(&self.scale.from_ns);
        html! {
            text class="reign" x=(px(self.scale.x(reign.span.from_ns) + 4.0)) y=(px(Self::y(reign.node) - 9.0)) {
                "leads term " (reign.term) @if unaware { ", deposed without knowing it" }
            }
        }
    }

    fn arrow(&self, message: &Message) -> Markup {
        let (x1, y1) = (self.scale.x(message.sent_ns), Self::y(message.from));
        let goal = Self::y(message.to);
        let arrived = message.received_ns;
        // The point at which a lost message was lost is unknown: draw a stub.
        let (x2, y2) = match arrived {
            Some(time_ns) => (self.scale.x(time_ns), goal),
            None => (x1 + 8.0, y1 + (goal - y1).clamp(-0.4 * LANE, 0.4 * LANE)),
        };
        let length = (x2 - x1).hypot(y2 - y1).max(1.0);
        let (dx, dy) = ((x2 - x1) / length * HEAD, (y2 - y1) / length * HEAD);
        let along = format!("M{} {}L{} {}", px(x1), px(y1), px(x2), px(y2));
        html! {
            g class={ "message " (message.content.kind.purpose.class()) @if arrived.is_none() { " \
            lost" } } data-tip=(words(message)) {
                path class="hit" d=(along) {}
                path d=(along) {}
                @if arrived.is_some() {
                    path class="head" d={
                        "M" (px(x2)) " " (px(y2)) "L" (px(x2 - dx - dy / 2.0)) " " (px(y2 - dy + dx / 2.0))
                        "L" (px(x2 - dx + dy / 2.0)) " " (px(y2 - dy - dx / 2.0)) "z"
                    } {}
                } @else {
                    path class="cross" d={ "M" (px(x2 - 3.0)) " " (px(y2 - 3.0)) "l6 6m0 -6l-6 6" } {}
                }
            }
        }
    }

    fn operation(&self, index: usize) -> Markup {
        let (times, node) = (self.facts.history.times(index), self.facts.history.node(index));
        let wrong = index == self.wrong;
        html! {
            @if node > 0 && self.scale.shows(times.invoked_ns, times.completed_ns) {
                @let (from, until) = (self.scale.x(times.invoked_ns), self.scale.x(times.completed_ns));
                g class={ "operation" @if wrong { " \
                wrong" } } data-tip=(operation_on_one_line(self.facts, index)) {
                    rect x=(px(from)) width=(px((until - from).max(5.0))) y=(px(Self::y(node) + 7.0)) height="7"
                        rx="2" {}
                    @if wrong {
                        @let (x, y) = (f64::midpoint(from, until), Self::y(node) + 16.0);
                        path d={ "M" (px(x)) " " (px(y)) "l-6 9h12z" } {}
                        text x=(px(x - 9.0)) y=(px(y + 9.0)) text-anchor="end" { "the wrong answer" }
                    }
                }
            }
        }
    }

    fn table(&self) -> Markup {
        html! {
            div class="wide" tabindex="0" role="region" aria-label="Table of the messages" {
                table {
                    thead { tr {
                        @for name in ["sent", "from", "to", "message", "arrived"] { th scope="col" { (name) } }
                    } }
                    tbody {
                        @for message in &self.shown {
                            tr {
                                td { (seconds(message.sent_ns)) } td { "n" (message.from) } td { "n" (message.to) }
                                td { (content(&message.content)) } td { (arrival(message)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn words(message: &Message) -> String {
    format!(
        "n{} to n{}: {}; sent at {}, {}",
        message.from,
        message.to,
        content(&message.content),
        seconds(message.sent_ns),
        arrival(message)
    )
}

fn arrival(message: &Message) -> String {
    match message.received_ns {
        Some(time_ns) => format!(
            "after {} µs",
            grouped(usize::try_from(time_ns.saturating_sub(message.sent_ns) / 1000).unwrap_or(usize::MAX))
        ),
        None => "never".to_owned(),
    }
}

fn content(content: &MessageContent) -> String {
    let mut words = content.kind.words.to_owned();
    if let Some(agrees) = content.agrees {
        words += if agrees { ", yes" } else { ", no" };
    }
    for (name, value) in [("term", content.term), ("log index", content.log_index), ("commit", content.commit)] {
        if let Some(value) = value {
            words += &format!(", {name} {value}");
        }
    }
    match content.entries {
        Some(entries) if entries > 0 => format!("{words}, entries: {entries}"),
        _ => words,
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_MESSAGES, nearest};
    use crate::{
        run::Message,
        systems::{MessageContent, MessageKind, Purpose},
    };

    static KINDS: [MessageKind; 2] = [
        MessageKind { words: "heartbeat", purpose: Purpose::Log, is_routine: true },
        MessageKind { words: "vote", purpose: Purpose::Vote, is_routine: false },
    ];

    /// Messages a microsecond apart, of which every second one is a heartbeat.
    fn messages(count: usize) -> Vec<Message> {
        let message = |number: u64| {
            let kind = &KINDS[usize::from(!number.is_multiple_of(2))];
            let content =
                MessageContent { kind, term: None, log_index: None, commit: None, entries: None, agrees: None };
            Message { from: 1, to: 2, sent_ns: number * 1000, received_ns: Some(number * 1000 + 1), content }
        };
        (0..).map(message).take(count).collect()
    }

    #[test]
    fn of_many_messages_those_nearest_to_the_moment_are_drawn_and_of_few_all() {
        assert_eq!(nearest(&messages(MAX_MESSAGES), 0).len(), MAX_MESSAGES);
        let shown = nearest(&messages(1000), 500_000);
        assert_eq!(shown.len(), MAX_MESSAGES);
        assert!(shown.is_sorted_by_key(|message| message.sent_ns), "{shown:?}");
        assert!(shown.iter().all(|message| !message.content.kind.is_routine), "{shown:?}");
        assert!(shown.iter().all(|message| message.sent_ns.abs_diff(500_000) <= 121_000), "{shown:?}");
    }
}
