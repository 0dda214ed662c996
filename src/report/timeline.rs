//! Timeline of the evidence as an SVG: a lane for each client, above them a lane for each node with its beliefs about
//! leadership, and the faults behind. It needs no script.

use checker::Prefix;
use maud::{Markup, PreEscaped, html};

use super::{Facts, page::text};
use crate::{
    render::operations::{operation_in_words, values_in_words},
    run::Span,
    terminal::words::{plain, seconds},
};

pub(super) const WIDTH: f64 = 960.0;
/// Left and right edges of the time axis.
pub(super) const LEFT: f64 = 150.0;
pub(super) const RIGHT: f64 = 940.0;
const LANE: f64 = 34.0;
const TOP: f64 = 44.0;
/// Minimum width of an operation.
const LEAST: f64 = 7.0;
/// Maximum number of operations drawn: the last ones.
const MAX_OPERATIONS: usize = 24;
const TICKS: u32 = 6;
pub(super) const STYLE: &str = include_str!("assets/timeline.css");

/// Time span of the picture, mapped to horizontal positions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) from_ns: u64,
    pub(super) until_ns: u64,
}

impl Scale {
    pub(super) fn x(self, time_ns: u64) -> f64 {
        let time_ns = time_ns.clamp(self.from_ns, self.until_ns);
        let share = std::time::Duration::from_nanos(time_ns - self.from_ns)
            .div_duration_f64(std::time::Duration::from_nanos(self.until_ns - self.from_ns));
        LEFT + share * (RIGHT - LEFT)
    }

    pub(super) fn shows(self, from_ns: u64, until_ns: u64) -> bool {
        from_ns < self.until_ns && until_ns > self.from_ns
    }
}

/// Renders the timeline; none if there is no evidence. If `alone`, the picture carries its own style.
pub(crate) fn svg(facts: &Facts<'_>, alone: bool) -> Option<Markup> {
    let all = &facts.evidence()?.operations;
    let shown = &all[all.len().saturating_sub(MAX_OPERATIONS)..];
    let scale = scale(facts, shown)?;
    // Of transactions that form a cycle none is more wrong than another.
    let wrong = facts.wrong_operation().filter(|_| facts.transactions.is_none());
    let nodes = nodes(facts, shown, scale);
    let processes = processes(facts, shown);
    let lane = |number: usize| TOP + LANE * f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    let height = lane(nodes.len() + processes.len()) + 34.0;
    let (asked, wrong_process) =
        (wrong.map(|wrong| facts.history.node(wrong)), wrong.map(|wrong| facts.history.operations[wrong].process));
    Some(html! {
        svg class="timeline" xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (WIDTH) " " (height) } role="group"
            aria-label="The operations that contradict each other, and what the nodes believed" {
            @if alone { style { (PreEscaped(STYLE)) } rect class="paper" width="100%" height="100%" {} }
            @let fault_windows = facts.fault_windows.iter();
            @let fault_windows = fault_windows.filter(|window| scale.shows(window.span.from_ns, window.span.until_ns));
            @for (number, window) in fault_windows.enumerate() {
                @let (from, until) = (scale.x(window.span.from_ns), scale.x(window.span.until_ns));
                g class="fault" {
                    title { (text(&window.words)) ", " (seconds(window.span.from_ns)) " to \
                    " (seconds(window.span.until_ns)) }
                    rect x=(px(from)) y="26" width=(px(until - from)) height=(px(height - 56.0)) {}
                    text x=(px(from + 4.0)) y=(if number % 2 == 0 { "20" } else { "9" }) { (short(&window.words, 60)) }
                }
            }
            @for (number, node) in nodes.iter().enumerate() {
                (node_lane(facts, *node, Some(*node) == asked, lane(number), scale))
                @if let Some(index) = wrong.and_then(|wrong| facts.message_log.committed(*node, facts.history.times(wrong).invoked_ns)) {
                    text class="commit" x="8" y=(px(lane(number) + 29.0)) { "commit " (index) }
                }
            }
            @for (number, process) in processes.iter().enumerate() {
                @let y = lane(nodes.len() + number);
                text class={ "name" @if wrong_process == Some(*process) { " \
                wrong" } } x="8" y=(px(y + 17.0)) { "process " (text(&facts.history.process(*process).to_string())) }
                line class="lane" x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(y + 12.0)) y2=(px(y + 12.0)) {}
                @for &index in shown.iter().filter(|&&index| facts.history.operations[index].process == *process) {
                    (operation(facts, index, Some(index) == wrong, y, scale))
                }
            }
            (ends(facts, scale, height))
            @for (index, time_ns) in points(facts) {
                @let process = facts.history.operations[index].process;
                @if let Some(number) = processes.iter().position(|it| shown.contains(&index) && process == *it) {
                    circle class="point" cx=(px(scale.x(time_ns))) cy=(px(lane(nodes.len() + number) + 12.0)) r="3.5" {}
                }
            }
            (axis(facts, scale, height - 22.0))
        }
    })
}

/// Returns linearization points for the longest prefix that can be ordered: each operation takes effect as early as
/// its place in the order allows.
fn points(facts: &Facts<'_>) -> impl Iterator<Item = (usize, u64)> {
    let order = facts.prefix.as_ref().map_or(&[][..], |prefix| &prefix.order);
    order.iter().scan(0, |now_ns, &index| {
        *now_ns = facts.times(index as usize).invoked_ns.max(*now_ns);
        Some((index as usize, *now_ns))
    })
}

/// Renders the moment after which no order is possible. Computed from all operations of the key, it may be earlier
/// than the operations shown.
fn ends(facts: &Facts<'_>, scale: Scale, height: f64) -> Markup {
    let Some(Prefix { dies_at, .. }) = facts.prefix else { return html! {} };
    let until_ns = facts.times(dies_at).completed_ns;
    let x = scale.x(until_ns);
    html! {
        @if scale.shows(until_ns, until_ns + 1) {
            g class="ends" {
                title { "Up to here everything can be ordered, the dots show how; no order survives the end of this: \
                " (operation_on_one_line(facts, dies_at)) }
                line x1=(px(x)) x2=(px(x)) y1="30" y2=(px(height - 22.0)) {}
                text x=(px(x - 5.0)) y="36" text-anchor="end" {
                    @if facts.evidence_operations().contains(&dies_at) { "every order ends here" } @else { "every \
                    order of all operations ends here already" }
                }
            }
        }
    }
}

/// Returns the time span of the picture.
pub(super) fn around(facts: &Facts<'_>) -> Option<Span> {
    let Scale { from_ns, until_ns } = scale(facts, &facts.evidence()?.operations)?;
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

/// Returns the nodes that were asked, and those that believed they led meanwhile; none if no beliefs are known.
fn nodes(facts: &Facts<'_>, shown: &[usize], scale: Scale) -> Vec<u16> {
    let leading = facts.reigns.iter().filter(|reign| scale.shows(reign.span.from_ns, reign.span.until_ns));
    let asked = shown.iter().map(|&index| facts.history.node(index)).filter(|node| *node > 0);
    let mut nodes: Vec<u16> = leading.map(|reign| reign.node).chain(asked).collect();
    nodes.sort_unstable();
    nodes.dedup();
    if facts.reigns.is_empty() { Vec::new() } else { nodes }
}

/// Returns the processes in order of their first operations.
fn processes(facts: &Facts<'_>, shown: &[usize]) -> Vec<u32> {
    let mut processes = Vec::new();
    for &index in shown {
        let process = facts.history.operations[index].process;
        if !processes.contains(&process) {
            processes.push(process);
        }
    }
    processes
}

fn node_lane(facts: &Facts<'_>, node: u16, asked: bool, y: f64, scale: Scale) -> Markup {
    let reigns = facts.reigns.iter().filter(|reign| reign.node == node);
    html! {
        text class={ "name" @if asked { " wrong" } } x="8" y=(px(y + 17.0)) { "n" (node) " believed" }
        line class="follows" x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(y + 12.0)) y2=(px(y + 12.0)) {}
        @for reign in reigns.filter(|reign| scale.shows(reign.span.from_ns, reign.span.until_ns)) {
            @let (from, until) = (scale.x(reign.span.from_ns), scale.x(reign.span.until_ns));
            @let newer = facts.reigns.iter().filter(|other| other.term > reign.term);
            @let newer = newer.map(|other| other.span.from_ns).min();
            @let deposed = newer.filter(|newer| *newer < reign.span.until_ns);
            g class="reign" {
                title { "n" (node) " believed that it led term " (reign.term) ", " (seconds(reign.span.from_ns)) " to \
                " (seconds(reign.span.until_ns)) }
                rect x=(px(from)) y=(px(y + 3.0)) width=(px((until - from).max(1.0))) height="18" {}
                @if let Some(deposed) = deposed {
                    @let at = scale.x(deposed.max(reign.span.from_ns));
                    rect class="deposed" x=(px(at)) y=(px(y + 3.0)) width=(px((until - at).max(1.0))) height="18" {}
                }
                @if until - from > 60.0 {
                    text x=(px(from + 5.0)) y=(px(y + 16.0)) { "leads term " (reign.term) }
                }
                @if let Some(at) = deposed.map(|deposed| scale.x(deposed)) && until - at > 150.0 && at - from > 90.0 {
                    text x=(px(at + 5.0)) y=(px(y + 16.0)) { "deposed without knowing it" }
                }
            }
        }
    }
}

fn operation(facts: &Facts<'_>, index: usize, wrong: bool, y: f64, scale: Scale) -> Markup {
    let history = facts.history;
    let (operation, times) = (&history.operations[index], facts.times(index));
    let (from, until) = (scale.x(times.invoked_ns), scale.x(times.completed_ns));
    let width = (until - from).max(LEAST);
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
    let label = match place {
        Some(place) => format!("T{}{on}", place + 1),
        None => format!("{}{key}{}{on}", history.function_name(operation.function), values_in_words(history, index)),
    };
    let told = operation_on_one_line(facts, index);
    let told = match facts.evidence().filter(|_| wrong) {
        Some(evidence) => format!("{told}. {}", text(&evidence.claim)),
        None => told,
    };
    let before = from > LEFT + (RIGHT - LEFT) * 0.55;
    html! {
        g class={ "operation" @if wrong { " wrong" } @if operation.completed == histories::NEVER { " \
        unknown" } } tabindex="0" role="img"
            aria-label=(told) data-tip=(told) {
            rect x=(px(from)) y=(px(y + 3.0)) width=(px(width)) height="18" rx="3" {}
            @if wrong { path d={ "M" (px(from + width / 2.0)) " " (px(y + 2.0)) "l-6 -9h12z" } {} }
            @if before {
                text x=(px(from - 6.0)) y=(px(y + 16.0)) text-anchor="end" { (short(&label, 52)) }
            } @else {
                text x=(px(from + width + 6.0)) y=(px(y + 16.0)) { (short(&label, 52)) }
            }
        }
    }
}

/// Describes an operation on one line.
pub(super) fn operation_on_one_line(facts: &Facts<'_>, index: usize) -> String {
    text(&operation_in_words(facts.history, index).split_whitespace().collect::<Vec<_>>().join(" "))
}

pub(super) fn axis(facts: &Facts<'_>, scale: Scale, y: f64) -> Markup {
    let step_ns = (scale.until_ns - scale.from_ns) / u64::from(TICKS);
    html! {
        g class="axis" {
            line x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(y)) y2=(px(y)) {}
            @for tick in 0..=u64::from(TICKS) {
                @let time_ns = scale.from_ns + tick * step_ns;
                line x1=(px(scale.x(time_ns))) x2=(px(scale.x(time_ns))) y1=(px(y)) y2=(px(y + 4.0)) {}
                text x=(px(scale.x(time_ns))) y=(px(y + 16.0)) text-anchor="middle" { (facts.moment(time_ns)) }
            }
        }
    }
}

/// Cuts a text to a number of characters.
pub(super) fn short(of: &str, most: usize) -> String {
    let plain = text(of);
    match plain.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &plain[..end]),
        None => plain,
    }
}

pub(super) fn px(length: f64) -> String {
    format!("{length:.1}")
}
