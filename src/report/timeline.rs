//! Timeline of the evidence as an SVG: a lane for each client, above them a lane for each node with its beliefs about
//! leadership, and the faults behind. It needs no script.

use checker::Prefix;
use maud::{Markup, PreEscaped, html};

use super::{
    Facts, Violation,
    facts::EVENT_NS,
    labels::{GAP, LabelPlace, LabelledBox, places},
    page::text,
};
use crate::{
    render::operations::{operation_in_words, values_in_words},
    run::{Reign, Span},
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
/// Maximum number of ticks on the axis.
const MAX_TICKS: u64 = 8;
/// Width of a character and height of a line, roughly.
const CHARACTER: f64 = 6.3;
const LINE: f64 = 17.0;
/// Maximum length of a line of the title in characters, and of the title in lines.
const MOST_TITLE: usize = 115;
const MOST_TITLE_LINES: usize = 3;
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

/// Renders the timeline of a violation; none if it has no operations. If `alone`, the picture carries its own style and
/// title.
pub(crate) fn svg(facts: &Facts<'_>, violation: &Violation<'_>, alone: bool) -> Option<Markup> {
    let all = &violation.evidence.operations;
    let shown = &all[all.len().saturating_sub(MAX_OPERATIONS)..];
    let scale = scale(facts, shown)?;
    // Of transactions that form a cycle none is more wrong than another.
    let wrong = facts.last_invoked(all).filter(|_| facts.transactions.is_none());
    let nodes = nodes(facts, shown, scale);
    let processes = processes(facts, shown);
    let lane = |number: usize| TOP + LANE * f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    let height = lane(nodes.len() + processes.len()) + 34.0;
    let title = if alone { title_lines(&violation.evidence.claim) } else { Vec::new() };
    let top = LINE * f64::from(u32::try_from(title.len()).unwrap_or_default());
    let (legend, legend_height) = legend(&legend_entries(facts, violation, shown, scale), height + 12.0);
    let (asked, wrong_process) =
        (wrong.map(|wrong| facts.history.node(wrong)), wrong.map(|wrong| facts.history.operations[wrong].process));
    Some(html! {
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
            @let fault_windows = facts.fault_windows.iter();
            @let fault_windows = fault_windows.filter(|window| scale.shows(window.span.from_ns, window.span.until_ns));
            @for (number, window) in fault_windows.enumerate() {
                @let (from, until) = (scale.x(window.span.from_ns), scale.x(window.span.until_ns));
                g class="fault" {
                    title { (text(&window.words)) ", " (seconds(window.span.from_ns)) " to \
                    " (seconds(window.span.until_ns)) }
                    rect x=(px(from)) y="26" width=(px(until - from)) height=(px(height - 56.0)) {}
                    (fault_label(&window.words, from, until, if number % 2 == 0 { "22" } else { "9" }))
                }
            }
            @for (number, node) in nodes.iter().enumerate() {
                (node_lane(facts, *node, Some(*node) == asked, lane(number), scale))
                @let read_ns = wrong.map(|wrong| facts.history.times(wrong).invoked_ns);
                @if let Some(index) = read_ns.and_then(|read_ns| facts.message_log.committed(*node, read_ns)) {
                    text class="commit" x="8" y=(px(lane(number) + 29.0)) { "commit " (index) }
                }
            }
            @for (number, process) in processes.iter().enumerate() {
                @let y = lane(nodes.len() + number);
                text class={ "name" @if wrong_process == Some(*process) { " \
                wrong" } } x="8" y=(px(y + 17.0)) { "process " (text(&facts.history.process(*process).to_string())) }
                line class="lane" x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(y + 12.0)) y2=(px(y + 12.0)) {}
                (operations_of(facts, shown, *process, wrong, y, scale))
            }
            (ends(facts, violation, scale, height))
            @for (index, time_ns) in points(facts, violation) {
                @let process = facts.history.operations[index].process;
                @if let Some(number) = processes.iter().position(|it| shown.contains(&index) && process == *it) {
                    circle class="point" cx=(px(scale.x(time_ns))) cy=(px(lane(nodes.len() + number) + 12.0)) r="3.5" {}
                }
            }
            (axis(facts, scale, height - 22.0))
            (legend)
        }
    })
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

/// Returns the width of a text, roughly.
fn text_width(text: &str) -> f64 {
    CHARACTER * f64::from(u32::try_from(text.chars().count()).unwrap_or(u32::MAX))
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

/// Returns the signs that the picture of a violation shows, by the class of each and its meaning.
fn legend_entries(
    facts: &Facts<'_>,
    violation: &Violation<'_>,
    shown: &[usize],
    scale: Scale,
) -> Vec<(&'static str, &'static str)> {
    let is_unknown = |index: &usize| facts.history.operations[*index].completed == histories::NEVER;
    let reigns = || facts.reigns.iter().filter(|reign| scale.shows(reign.span.from_ns, reign.span.until_ns));
    let is_faulty = facts.fault_windows.iter().any(|window| scale.shows(window.span.from_ns, window.span.until_ns));
    [
        ("operation", "operation", true),
        ("operation wrong", "the wrong answer", facts.transactions.is_none()),
        ("operation unknown", "unknown outcome", shown.iter().any(is_unknown)),
        ("point", "can take effect here", violation.prefix.as_ref().is_some_and(|prefix| !prefix.order.is_empty())),
        ("ends", "no order survives this", violation.prefix.is_some()),
        ("reign", "the node believed that it led", reigns().next().is_some()),
        ("deposed", "a newer leader was elected", reigns().any(|reign| deposed_ns(facts, reign).is_some())),
        ("fault", "a fault was in force", is_faulty),
    ]
    .into_iter()
    .filter(|entry| entry.2)
    .map(|(class, words, _)| (class, words))
    .collect()
}

/// Renders a legend from a height on, and returns it with its own height.
pub(super) fn legend(entries: &[(&str, &str)], y: f64) -> (Markup, f64) {
    let (mut x, mut row) = (8.0, 0.0);
    let mut placed = Vec::new();
    for (class, words) in entries {
        let width = 30.0 + text_width(words);
        if x + width > WIDTH {
            (x, row) = (8.0, row + LINE);
        }
        placed.push((x, y + row, *class, *words));
        x += width + 16.0;
    }
    let markup = html! {
        g class="legend" {
            @for (x, y, class, words) in placed {
                g class=(class) {
                    @match class {
                        "point" => { circle class="point" cx=(px(x + 9.0)) cy=(px(y + 5.0)) r="3.5" {} }
                        "ends" => { line x1=(px(x + 9.0)) x2=(px(x + 9.0)) y1=(px(y - 1.0)) y2=(px(y + 11.0)) {} }
                        _ if class.starts_with("message") => {
                            path d={ "M" (px(x)) " " (px(y + 5.0)) "h18" } {}
                        }
                        _ => { rect class=(class) x=(px(x)) y=(px(y)) width="18" height="10" rx="2" {} }
                    }
                }
                text class="name" x=(px(x + 24.0)) y=(px(y + 9.0)) { (words) }
            }
        }
    };
    (markup, row + LINE + 12.0)
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
    html! {
        @if scale.shows(until_ns, until_ns + 1) {
            g class="ends" {
                title { "Up to here everything can be ordered, the dots show how; no order survives the end of this: \
                " (operation_on_one_line(facts, dies_at)) }
                line x1=(px(x)) x2=(px(x)) y1="30" y2=(px(height - 22.0)) {}
                text x=(px(x - 5.0)) y="36" text-anchor="end" {
                    @if violation.evidence.operations.contains(&dies_at) { "every order ends here" } @else { "every \
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
            @let deposed = deposed_ns(facts, reign);
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

/// Returns the time from which a node believed that it led although a newer leader had been elected.
fn deposed_ns(facts: &Facts<'_>, reign: &Reign) -> Option<u64> {
    let newer = facts.reigns.iter().filter(|other| other.term > reign.term);
    newer.map(|other| other.span.from_ns).min().filter(|newer_ns| *newer_ns < reign.span.until_ns)
}

/// Renders the operations of a process in its lane. What has no room for its label says it when it is pointed at.
fn operations_of(
    facts: &Facts<'_>,
    shown: &[usize],
    process: u32,
    wrong: Option<usize>,
    y: f64,
    scale: Scale,
) -> Markup {
    let of_process = shown.iter().copied().filter(|&index| facts.history.operations[index].process == process);
    let labelled: Vec<(usize, LabelledBox, String)> = of_process
        .map(|index| {
            let times = facts.times(index);
            let (from, until) = (scale.x(times.invoked_ns), scale.x(times.completed_ns));
            let label = short(&label(facts, index), 52);
            let label_width = CHARACTER * f64::from(u32::try_from(label.chars().count()).unwrap_or(u32::MAX));
            let must_show = Some(index) == wrong;
            (index, LabelledBox { from, until: until.max(from + LEAST), label_width, must_show }, label)
        })
        .collect();
    let boxes: Vec<LabelledBox> = labelled.iter().map(|(_, it, _)| *it).collect();
    html! {
        @for ((index, it, label), place) in labelled.iter().zip(places(&boxes, [LEFT, WIDTH])) {
            (operation(facts, *index, *it, y, place.map(|place| (place, &**label))))
        }
    }
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
    match place {
        Some(place) => format!("T{}{on}", place + 1),
        None => format!("{}{key}{}{on}", history.function_name(operation.function), values_in_words(history, index)),
    }
}

fn operation(
    facts: &Facts<'_>,
    index: usize,
    LabelledBox { from, until, must_show: wrong, .. }: LabelledBox,
    y: f64,
    label: Option<(LabelPlace, &str)>,
) -> Markup {
    let told = operation_on_one_line(facts, index);
    let is_unknown = facts.history.operations[index].completed == histories::NEVER;
    let y_of_words = px(y + 16.0);
    html! {
        g class={ "operation" @if wrong { " wrong" } @if is_unknown { " unknown" } } tabindex="0" role="img"
            aria-label=(told) data-tip=(told) {
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

pub(super) fn axis(facts: &Facts<'_>, scale: Scale, y: f64) -> Markup {
    let least_ns = if facts.history.has_times() { 1_000 } else { EVENT_NS };
    let step_ns = round_step(scale.until_ns - scale.from_ns, least_ns);
    let ticks = (scale.from_ns.div_ceil(step_ns)..).map(|tick| tick * step_ns);
    html! {
        g class="axis" {
            line x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(y)) y2=(px(y)) {}
            @for time_ns in ticks.take_while(|time_ns| *time_ns <= scale.until_ns) {
                @let x = scale.x(time_ns);
                line x1=(px(x)) x2=(px(x)) y1=(px(y)) y2=(px(y + 4.0)) {}
                text x=(px(x.min(WIDTH - 30.0))) y=(px(y + 16.0)) text-anchor="middle" {
                    @if facts.history.has_times() { (round_time(time_ns, step_ns)) } @else { (facts.moment(time_ns)) }
                }
            }
        }
    }
}

/// Returns the smallest step of 1, 2 or 5 times a power of ten, at least `least_ns`, that gives few enough ticks.
fn round_step(span_ns: u64, least_ns: u64) -> u64 {
    let powers = std::iter::successors(Some(least_ns), |power| power.checked_mul(10));
    let mut steps = powers.flat_map(|power| [1, 2, 5].map(|factor| power.saturating_mul(factor)));
    steps.find(|step_ns| span_ns / step_ns <= MAX_TICKS).unwrap_or(u64::MAX)
}

/// Formats a time that is a multiple of a step of at least 1 µs, in seconds, with as many digits as the step needs.
fn round_time(time_ns: u64, step_ns: u64) -> String {
    let digits = (0..6).find(|digits| step_ns.is_multiple_of(1_000_000_000 / 10_u64.pow(*digits))).unwrap_or(6);
    let (whole, rest) = (time_ns / 1_000_000_000, time_ns % 1_000_000_000);
    match digits {
        0 => format!("{whole} s"),
        _ => format!("{whole}.{:0width$} s", rest / 10_u64.pow(9 - digits), width = digits as usize),
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

#[cfg(test)]
mod tests {
    use super::{LEFT, MAX_TICKS, RIGHT, fault_label, legend, round_step, round_time, title_lines};

    #[test]
    fn ticks_are_few_and_round() {
        assert_eq!(round_step(10_000_000, 1_000), 2_000_000);
        assert_eq!(round_step(8_000_000_000, 1_000), 1_000_000_000);
        assert_eq!(round_step(1, 1_000), 1_000);
        assert_eq!(round_step(5_000_000, 1_000_000), 1_000_000, "no tick lies between two events");
        assert!((1..60).all(|power| (1_u64 << power) / round_step(1 << power, 1_000) <= MAX_TICKS));
        let times =
            [(4_000_000_000, 1_000_000_000), (4_182_000_000, 2_000_000), (846_500_000, 500_000), (7_000, 1_000)];
        let shown = times.map(|(time_ns, step_ns)| round_time(time_ns, step_ns));
        assert_eq!(shown, ["4 s", "4.182 s", "0.8465 s", "0.000007 s"]);
    }

    #[test]
    fn a_long_claim_is_broken_between_words_and_a_long_legend_between_entries() {
        let lines = title_lines(&"words ".repeat(60));
        assert!(lines.len() == 3 && lines.iter().all(|line| line.ends_with("words")), "{lines:?}");
        assert_eq!(title_lines(&"x".repeat(300)).len(), 2);
        let entry = ("operation", "words that take a lot of room");
        let [one, many] = [1, 9].map(|count| legend(&vec![entry; count], 0.0).1);
        assert!(one < many, "{one} {many}");
    }

    #[test]
    fn the_name_of_a_fault_stays_in_the_picture() {
        let drawn = |from| fault_label("isolate the leader: n5 | n1 n2 n3 n4", from, RIGHT, "22").into_string();
        assert!(drawn(LEFT).starts_with("<text x=\"154.0\" y=\"22\">isolate"), "{}", drawn(LEFT));
        let at_the_edge = drawn(RIGHT - 50.0);
        assert!(at_the_edge.starts_with("<text x=\"940.0\" y=\"22\" text-anchor=\"end\">isolate"), "{at_the_edge}");
    }
}
