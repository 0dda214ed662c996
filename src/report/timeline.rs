//! Timeline of the evidence as an SVG: a lane for each process, above them one for each node that was leader or gave a
//! wrong answer, and the faults behind. It needs no script.

use std::collections::BTreeSet;

use checker::{Evidence, Prefix};
use maud::{Markup, PreEscaped, html};

use super::{
    Facts, Violation,
    labels::{GAP, LabelPlace, LabelledBox, places},
    page::text,
    picture::{LEFT, LINE, NARROW, RIGHT, Scale, WIDTH, axis, legend, px, short, text_width},
    reigns::{deposed_ns, reigns},
};
use crate::{
    render::operations::{operation_in_words, values_in_words},
    run::Span,
    terminal::words::{plain, seconds},
};

const LANE: f64 = 34.0;
const TOP: f64 = 44.0;
/// Minimum width of an operation.
const LEAST: f64 = 7.0;
/// Maximum number of operations drawn, of those up to the end of the wrong answer.
const MAX_OPERATIONS: usize = 24;
/// Maximum number of processes whose lanes are in order of time even if that of the wrong answer is the last.
const MAX_LANES_IN_ORDER: usize = 5;
/// Maximum length of the label of an operation in characters.
const MOST_LABEL: usize = 52;
/// Maximum length of a line of the title in characters, and of the title in lines.
const MOST_TITLE: usize = 115;
const MOST_TITLE_LINES: usize = 3;
pub(super) const STYLE: &str = include_str!("assets/timeline.css");

/// Operations of a violation that a picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Those that the claim is about.
    Decisive,
    /// All that contradict each other, the last ones if they are many.
    Whole,
}

/// Timeline of a violation: what is shown, and where.
struct Timeline<'a> {
    facts: &'a Facts<'a>,
    violation: &'a Violation<'a>,
    shown: Vec<usize>,
    scale: Scale,
    /// The operation with the wrong answer, if there is one.
    wrong: Option<usize>,
    /// Operations acknowledged by a node that was cut off from every majority, and the time for which it was.
    cut_off: Vec<(usize, Span)>,
    processes: Vec<u32>,
}

/// Renders the timeline of a violation; none if it has no operations. If `alone`, the picture carries its own style and
/// title.
pub(crate) fn svg(facts: &Facts<'_>, violation: &Violation<'_>, extent: Extent, alone: bool) -> Option<Markup> {
    let mut shown = match extent {
        Extent::Decisive => facts.decisive(violation.evidence),
        Extent::Whole => violation.evidence.operations.clone(),
    };
    let wrong = facts.marked(violation.evidence);
    leave_out(facts, violation.evidence, &mut shown, wrong);
    let scale = scale(facts, &shown)?;
    let cut_off = facts.cut_off(&shown);
    let processes = processes(facts, &shown, wrong);
    Some(Timeline { facts, violation, shown, scale, wrong, cut_off, processes }.draw(alone))
}

impl Timeline<'_> {
    fn draw(&self, alone: bool) -> Markup {
        let (facts, scale) = (self.facts, self.scale);
        let nodes = self.nodes();
        let height = lane(nodes.len() + self.processes.len()) + 34.0;
        let title = if alone { title_lines(&self.violation.evidence.claim) } else { Vec::new() };
        let top = LINE * f64::from(u32::try_from(title.len()).unwrap_or_default());
        let (legend, legend_height) = legend(&self.legend_entries(), height + 12.0, if alone { WIDTH } else { NARROW });
        html! {
            svg class="timeline" xmlns="http://www.w3.org/2000/svg" viewBox={
                "0 " (px(-top)) " " (WIDTH) " " (px(top + height + legend_height))
            } role="group" aria-label="The operations that contradict each other, and what the nodes believed" {
                @if alone {
                    style { (PreEscaped(STYLE)) }
                    rect class="paper" y=(px(-top)) width="100%" height="100%" {}
                }
                @for (line, at) in title.iter().zip(1_u32..) {
                    text class="headline" x="8" y=(px(LINE * f64::from(at) - top - 3.0)) { (line) }
                }
                (fault_windows(facts, scale, height))
                @for (number, node) in nodes.iter().enumerate() { (self.node_lane(*node, lane(number))) }
                @for (number, process) in self.processes.iter().enumerate() {
                    (self.process_lane(*process, lane(nodes.len() + number)))
                }
                (ends(facts, self.violation, scale, height))
                @for (index, time_ns) in points(facts, self.violation) {
                    @let process = facts.history.operations[index].process;
                    @let number = self.processes.iter().position(|it| self.shown.contains(&index) && process == *it);
                    @if let Some(number) = number {
                        circle class="point" cx=(px(scale.x(time_ns))) cy=(px(lane(nodes.len() + number) + 12.0))
                            r="3.5" {}
                    }
                }
                (axis(facts, scale, height - 22.0))
                (legend)
            }
        }
    }

    /// Returns the nodes of the wrong answer and of what a minority acknowledged, and those that believed meanwhile
    /// that they were leader; none if nothing is known of what nodes believed, or heard of each other.
    fn nodes(&self) -> Vec<u16> {
        let (facts, scale) = (self.facts, self.scale);
        if facts.reigns.is_empty() && self.cut_off.is_empty() {
            return Vec::new();
        }
        let leading = facts.reigns.iter().filter(|reign| scale.shows(reign.span.from_ns, reign.span.until_ns));
        let asked = self.shown.iter().filter(|index| self.wrong.is_none_or(|wrong| **index == wrong));
        let asked = asked.chain(self.cut_off.iter().map(|(index, _)| index)).map(|&index| facts.history.node(index));
        let nodes = leading.map(|reign| reign.node).chain(asked.filter(|node| *node > 0));
        nodes.collect::<BTreeSet<u16>>().into_iter().collect()
    }

    fn node_lane(&self, node: u16, y: f64) -> Markup {
        let of_node = |index: usize| self.facts.history.node(index) == node;
        let cut_off = self.cut_off.iter().find(|(index, _)| of_node(*index)).map(|(_, span)| *span);
        let is_wrong = cut_off.is_some() || self.wrong.is_some_and(of_node);
        let read_ns = self.wrong.map(|wrong| self.facts.history.times(wrong).invoked_ns);
        let commit = read_ns.and_then(|read_ns| self.facts.message_log.committed(node, read_ns));
        html! {
            (reigns(self.facts, node, y, self.scale))
            @if let Some(span) = cut_off {
                @let (from, until) = (self.scale.x(span.from_ns), self.scale.x(span.until_ns));
                g class="cut" {
                    title { "n" (node) " was cut off from every majority, " (seconds(span.from_ns)) " to \
                    " (seconds(span.until_ns)) }
                    rect x=(px(from)) y=(px(y + 22.0)) width=(px((until - from).max(1.0))) height="4" {}
                }
            }
            text class={ "name" @if is_wrong { " wrong" } } x="8" y=(px(y + 17.0)) { "n" (node) }
            @if let Some(commit) = commit { text class="commit" x="8" y=(px(y + 29.0)) { "commit " (commit) } }
        }
    }

    fn process_lane(&self, process: u32, y: f64) -> Markup {
        let history = self.facts.history;
        let is_wrong = self.wrong.is_some_and(|wrong| history.operations[wrong].process == process);
        html! {
            line class="lane" x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(y + 12.0)) y2=(px(y + 12.0)) {}
            (self.operations_of(process, y))
            text class={ "name" @if is_wrong { " wrong" } } x="8" y=(px(y + 17.0)) {
                "process " (text(&history.process(process).to_string()))
            }
        }
    }

    /// Renders the operations of a process in its lane. What has no room for its label says it when it is pointed at.
    fn operations_of(&self, process: u32, y: f64) -> Markup {
        let facts = self.facts;
        let of_process = self.shown.iter().filter(|&&index| facts.history.operations[index].process == process);
        let labelled: Vec<(usize, LabelledBox, String)> = of_process
            .map(|&index| {
                let times = facts.times(index);
                let (from, until) = (self.scale.x(times.invoked_ns), self.scale.x(times.completed_ns));
                let label = label(facts, index);
                let must_show = Some(index) == self.wrong;
                let label_width = text_width(&label);
                (index, LabelledBox { from, until: until.max(from + LEAST), label_width, must_show }, label)
            })
            .collect();
        let boxes: Vec<LabelledBox> = labelled.iter().map(|(_, it, _)| *it).collect();
        let is_cut_off = |index: usize| self.cut_off.iter().any(|(other, _)| *other == index);
        html! {
            @for ((index, it, label), place) in labelled.iter().zip(places(&boxes, [LEFT, WIDTH])) {
                (operation(facts, *index, *it, is_cut_off(*index), y, place.map(|place| (place, &**label))))
            }
        }
    }

    /// Returns the signs that the picture shows, by the class of each and its meaning.
    fn legend_entries(&self) -> Vec<(&'static str, &'static str)> {
        let (facts, scale) = (self.facts, self.scale);
        let shows = |span: Span| scale.shows(span.from_ns, span.until_ns);
        let reigns = || facts.reigns.iter().filter(|reign| shows(reign.span));
        let prefix = self.violation.prefix.as_ref();
        let is_unknown = |index: &usize| facts.history.operations[*index].completed == histories::NEVER;
        let is_minority = !self.cut_off.is_empty();
        [
            ("operation", "operation", true),
            ("operation wrong", "the wrong answer", self.wrong.is_some()),
            ("operation minority", "acknowledged by a minority", is_minority),
            ("operation unknown", "unknown outcome", self.shown.iter().any(is_unknown)),
            ("point", "can take effect here", prefix.is_some_and(|prefix| !prefix.order.is_empty())),
            ("ends", "from here on, no order explains all answers", prefix.is_some()),
            ("reign", "the node believed that it was leader", reigns().next().is_some()),
            ("deposed", "still believed it, though deposed", reigns().any(|it| deposed_ns(facts, it).is_some())),
            ("cut", "cut off from every majority", is_minority),
            ("fault", "a fault was in force", facts.fault_windows.iter().any(|window| shows(window.span))),
        ]
        .into_iter()
        .filter(|entry| entry.2)
        .map(|(class, words, _)| (class, words))
        .collect()
    }
}

/// Leaves out operations where they are too many: those that began after the wrong answer was over, and then the first
/// ones of those that no sentence names.
fn leave_out(facts: &Facts<'_>, evidence: &Evidence, shown: &mut Vec<usize>, wrong: Option<usize>) {
    if shown.len() <= MAX_OPERATIONS {
        return;
    }
    let (operations, named) = (&facts.history.operations, evidence.named(facts.history));
    let is_early = |index: usize| wrong.is_none_or(|wrong| operations[index].invoked <= operations[wrong].completed);
    shown.retain(|&index| is_early(index) || named.contains(&index));
    *shown = evidence.clearest(facts.history, shown, MAX_OPERATIONS);
}

/// Returns the upper edge of a lane.
fn lane(number: usize) -> f64 {
    TOP + LANE * f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Renders the faults behind the lanes.
fn fault_windows(facts: &Facts<'_>, scale: Scale, height: f64) -> Markup {
    let shown = facts.fault_windows.iter().filter(|window| scale.shows(window.span.from_ns, window.span.until_ns));
    html! {
        @for (number, window) in shown.enumerate() {
            @let (from, until) = (scale.x(window.span.from_ns), scale.x(window.span.until_ns));
            g class="fault" {
                title { (text(&window.words)) ", " (seconds(window.span.from_ns)) " to \
                " (seconds(window.span.until_ns)) }
                rect x=(px(from)) y="26" width=(px(until - from)) height=(px(height - 56.0)) {}
                (fault_label(&window.words, from, until, if number % 2 == 0 { "22" } else { "9" }))
            }
        }
    }
}

/// Renders the name of a fault from its beginning on, or up to its end where it would stick out of the picture.
fn fault_label(words: &str, from: f64, until: f64, y: &str) -> Markup {
    let words = short(words, 60);
    let fits = from + 4.0 + text_width(&words) <= WIDTH;
    html! {
        @if fits { text x=(px(from + 4.0)) y=(y) { (words) } }
        @else { text x=(px(until)) y=(y) text-anchor="end" { (words) } }
    }
}

/// Breaks a claim into lines, without what does not fit.
fn title_lines(claim: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text(claim).split(' ') {
        let last = lines.last_mut().expect("there is a line");
        if last.chars().count() + word.chars().count() < MOST_TITLE {
            *last += &format!("{word} ");
        } else {
            lines.push(format!("{word} "));
        }
    }
    lines.truncate(MOST_TITLE_LINES);
    lines.iter().map(|line| short(line.trim_end(), MOST_TITLE)).collect()
}

/// Returns linearization points for the longest prefix that can be ordered: each operation takes effect as early as
/// its place in the order allows.
fn points(facts: &Facts<'_>, violation: &Violation<'_>) -> impl Iterator<Item = (usize, u64)> {
    let order = violation.prefix.as_ref().map_or(&[][..], |prefix| &prefix.order);
    order.iter().scan(0, |now_ns, &index| {
        *now_ns = facts.times(index as usize).invoked_ns.max(*now_ns);
        Some((index as usize, *now_ns))
    })
}

/// Renders the moment after which no order is possible. Where the operations shown do not stand alone it is that of all
/// operations of the key, which may be earlier.
fn ends(facts: &Facts<'_>, violation: &Violation<'_>, scale: Scale, height: f64) -> Markup {
    let Some(Prefix { dies_at, .. }) = violation.prefix else { return html! {} };
    let until_ns = facts.times(dies_at).completed_ns;
    let x = scale.x(until_ns);
    let words = if violation.evidence.operations.contains(&dies_at) {
        "from here on, no order explains all answers"
    } else {
        "from here on, no order explains the answers of all operations on this key"
    };
    html! {
        @if scale.shows(until_ns, until_ns + 1) {
            g class="ends" {
                title { "Up to here some order explains all answers, the dots show one; none explains the answer \
                that ends here: " (operation_on_one_line(facts, dies_at)) }
                line x1=(px(x)) x2=(px(x)) y1="30" y2=(px(height - 22.0)) {}
                @if x - 5.0 - text_width(words) > 0.0 {
                    text x=(px(x - 5.0)) y="36" text-anchor="end" { (words) }
                } @else {
                    text x=(px(x + 5.0)) y="36" { (words) }
                }
            }
        }
    }
}

/// Returns the time span of the picture.
pub(super) fn around(facts: &Facts<'_>) -> Option<Span> {
    let Scale { from_ns, until_ns } = scale(facts, &facts.decisive(facts.evidence()?))?;
    Some(Span { from_ns, until_ns })
}

fn scale(facts: &Facts<'_>, shown: &[usize]) -> Option<Scale> {
    let times = || shown.iter().map(|&index| facts.times(index));
    let from_ns = times().map(|times| times.invoked_ns).min()?;
    // An operation of unknown outcome would stretch the picture to the end of the run.
    let until_ns = times().map(|times| times.invoked_ns).max()?;
    let certain = shown.iter().filter(|&&index| facts.history.operations[index].completed != histories::NEVER);
    let until_ns = certain.map(|&index| facts.times(index).completed_ns).fold(until_ns, u64::max);
    let margin_ns = (until_ns - from_ns) / 12 + 1_000_000;
    Some(Scale { from_ns: from_ns.saturating_sub(margin_ns), until_ns: until_ns + 2 * margin_ns })
}

/// Returns the processes in order of their first operations; where they are many, that of the wrong answer comes first.
fn processes(facts: &Facts<'_>, shown: &[usize], wrong: Option<usize>) -> Vec<u32> {
    let mut processes = Vec::new();
    for &index in shown {
        let process = facts.history.operations[index].process;
        if !processes.contains(&process) {
            processes.push(process);
        }
    }
    let of_wrong = wrong.map(|wrong| facts.history.operations[wrong].process);
    if processes.len() > MAX_LANES_IN_ORDER {
        // A stable sort: the others stay in order.
        processes.sort_by_key(|process| Some(*process) != of_wrong);
    }
    processes
}

/// Returns the label of an operation: its place in a cycle of transactions, or what was asked and answered, and the
/// node.
fn label(facts: &Facts<'_>, index: usize) -> String {
    let (history, operation) = (facts.history, &facts.history.operations[index]);
    let on = match history.node(index) {
        0 => String::new(),
        node => format!(" on n{node}"),
    };
    let key = if operation.key == histories::ValueId::NIL {
        String::new()
    } else {
        format!(" {}", plain(history.value(operation.key)))
    };
    let place = facts.anomaly().and_then(|anomaly| anomaly.operations.iter().position(|other| *other == index));
    if let Some(place) = place {
        return format!("T{}{on}", place + 1);
    }
    // The node must be read, however long the answer.
    let what = format!("{}{key}{}", history.function_name(operation.function), values_in_words(history, index));
    short(&what, MOST_LABEL - on.len()) + &on
}

fn operation(
    facts: &Facts<'_>,
    index: usize,
    LabelledBox { from, until, must_show: wrong, .. }: LabelledBox,
    is_cut_off: bool,
    y: f64,
    label: Option<(LabelPlace, &str)>,
) -> Markup {
    let told = operation_on_one_line(facts, index);
    let is_unknown = facts.history.operations[index].completed == histories::NEVER;
    let y_of_words = px(y + 16.0);
    html! {
        g class={
            "operation" @if wrong { " wrong" } @if is_cut_off { " minority" } @if is_unknown { " unknown" }
        } tabindex="0" role="img" aria-label=(told) data-tip=(told) {
            rect x=(px(from)) y=(px(y + 3.0)) width=(px(until - from)) height="18" rx="3" {}
            @if wrong { path d={ "M" (px(f64::midpoint(from, until))) " " (px(y + 2.0)) "l-6 -9h12z" } {} }
            @match label {
                Some((LabelPlace::Inside, words)) => {
                    text class="inside" x=(px(from + GAP)) y=(y_of_words) { (words) }
                }
                Some((LabelPlace::Left, words)) => {
                    text x=(px(from - GAP)) y=(y_of_words) text-anchor="end" { (words) }
                }
                Some((LabelPlace::Right, words)) => { text x=(px(until + GAP)) y=(y_of_words) { (words) } }
                None => {}
            }
        }
    }
}

/// Describes an operation on one line.
pub(super) fn operation_on_one_line(facts: &Facts<'_>, index: usize) -> String {
    text(&operation_in_words(facts.history, index).split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::{LEFT, RIGHT, fault_label, title_lines};

    #[test]
    fn a_long_claim_is_broken_between_words() {
        let lines = title_lines(&"words ".repeat(60));
        assert!(lines.len() == 3 && lines.iter().all(|line| line.ends_with("words")), "{lines:?}");
        assert_eq!(title_lines(&"x".repeat(300)).len(), 2);
    }

    #[test]
    fn the_name_of_a_fault_stays_in_the_picture() {
        let drawn = |from| fault_label("isolate the leader: n5 | n1 n2 n3 n4", from, RIGHT, "22").into_string();
        assert!(drawn(LEFT).starts_with("<text x=\"154.0\" y=\"22\">isolate"), "{}", drawn(LEFT));
        let at_the_edge = drawn(RIGHT - 50.0);
        assert!(at_the_edge.starts_with("<text x=\"940.0\" y=\"22\" text-anchor=\"end\">isolate"), "{at_the_edge}");
    }
}
