//! Picture of an anomaly of transactions as an SVG: a box for each transaction with its operations, from top to bottom
//! in the order of the cycle, and an arrow to each that must come later. It needs no script. A cycle has one shape, so
//! no library is needed to lay it out, and boxes one below the other leave room for what a transaction did.

use checker::{Anomaly, Link, wrong_transaction};
use maud::{Markup, PreEscaped, html};

use super::{
    Facts,
    page::text,
    picture::{WIDTH, px, short},
    timeline::STYLE,
};
use crate::render::{
    operations::{actor_in_words, micro_operations_in_words},
    transactions::{Dependency, label, micro_operations_on},
};

const LEFT: f64 = 20.0;
/// Right edges of the narrowest and the widest boxes.
const RIGHT: [f64; 2] = [300.0, 600.0];
/// Width of a character in a box.
const CHARACTER: f64 = 7.3;
const TOP: f64 = 12.0;
const LINE: f64 = 17.0;
/// Distance between two boxes.
const GAP: f64 = 44.0;
/// Distance of the arrow from the last box back to the first.
const BACK: f64 = 40.0;
/// Maximum number of transactions drawn: the first ones.
const MAX_BOXES: usize = 16;
/// Maximum number of operations of a transaction drawn: the first ones, and those that matter here.
const MAX_LINES: usize = 12;
/// Maximum length of a line in a box, and of a label beside the arrow back, in characters.
const MOST_LINE: usize = 84;
const MOST_BACK: usize = 46;

/// Box of a transaction.
struct Transaction {
    name: String,
    actor: String,
    /// Operations, and whether the anomaly rests on their key.
    lines: Vec<(String, bool)>,
    /// True if the claim is about this one, and no other.
    is_wrong: bool,
    y: f64,
}

impl Transaction {
    fn height(&self) -> f64 {
        let lines = u32::try_from(self.lines.len()).unwrap_or(u32::MAX);
        30.0 + LINE * f64::from(lines)
    }
}

/// Renders an anomaly. If `alone`, the picture carries its own style.
pub(crate) fn svg(facts: &Facts<'_>, anomaly: &Anomaly, alone: bool) -> Markup {
    let boxes = boxes(facts, anomaly);
    let bottom = boxes.last().map_or(TOP, |last| last.y + last.height());
    let right = right_edge(&boxes);
    let hidden = anomaly.operations.len() - boxes.len();
    let height = bottom + if hidden > 0 { 40.0 } else { TOP };
    let description = format!("{}: {}", anomaly.name, anomaly.claim);
    html! {
        svg class="timeline cycle" xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (WIDTH) " " (px(height)) }
            role="group" aria-label=(text(&description)) {
            @if alone {
                style { (PreEscaped(STYLE)) }
                rect class="paper" width="100%" height="100%" {}
                title { (text(&description)) }
            }
            @for each in &boxes { (transaction(each, right)) }
            @for (link, pair) in anomaly.links.iter().zip(boxes.windows(2)) {
                @let from = pair[0].y + pair[0].height();
                @let along = format!("M60 {}V{}", px(from), px(pair[1].y - 1.0));
                @let words = [(short(&label(facts.history, link), MOST_LINE), 74.0, from + GAP / 2.0 + 4.0)];
                (arrow(facts, link, &along, (60.0, pair[1].y, 0.0), &words))
            }
            @if hidden > 0 {
                text class="name" x="60" y=(px(bottom + 24.0)) { "and " (hidden) " more before the first again" }
            } @else if let (Some(back), [first, .., last]) = (anomaly.links.last(), &boxes[..]) {
                @let (from, to) = (last.y + last.height() / 2.0, first.y + first.height() / 2.0);
                @let along = format!("M{} {}H{}V{}H{}", px(right), px(from), px(right + BACK), px(to), px(right + 1.0));
                @let words = beside(&label(facts.history, back), right + BACK + 10.0, f64::midpoint(from, to) + 4.0);
                (arrow(facts, back, &along, (right, to, 90.0), &words))
            }
        }
    }
}

fn boxes(facts: &Facts<'_>, anomaly: &Anomaly) -> Vec<Transaction> {
    let history = facts.history;
    let wrong = wrong_transaction(history, &anomaly.operations, &anomaly.claim);
    let mut y = TOP;
    let shown = anomaly.operations.iter().take(MAX_BOXES).enumerate();
    shown
        .map(|(number, &index)| {
            let links = anomaly.links.iter().filter(|link| link.from == index || link.to == index);
            let matters = micro_operations_on(history, index, links);
            let mut lines: Vec<(String, bool)> =
                micro_operations_in_words(history, index).into_iter().zip(matters).collect();
            let skipped = leave_out(&mut lines);
            lines.extend((skipped > 0).then(|| (format!("and {skipped} more"), false)));
            let name = format!("T{}", number + 1);
            let (actor, is_wrong) = (actor_in_words(history, index), wrong == Some(index));
            let of = Transaction { name, actor, lines, is_wrong, y };
            y += of.height() + GAP;
            of
        })
        .collect()
}

/// Leaves out operations that do not matter, the last first, and then others, until the rest fits. Returns the number
/// of those left out.
fn leave_out(lines: &mut Vec<(String, bool)>) -> usize {
    let skipped = lines.len().saturating_sub(MAX_LINES);
    for _ in 0..skipped {
        let last = lines.iter().rposition(|(_, matters)| !matters).unwrap_or(lines.len() - 1);
        lines.remove(last);
    }
    skipped
}

/// Returns the right edge of all boxes, which leaves room for their longest line.
fn right_edge(boxes: &[Transaction]) -> f64 {
    let longest = boxes.iter().flat_map(|of| {
        let head = of.name.len() + of.actor.chars().count() + 2;
        of.lines.iter().map(|(line, _)| line.chars().count()).chain([head])
    });
    let characters = u32::try_from(longest.max().unwrap_or_default().min(MOST_LINE)).unwrap_or(u32::MAX);
    (LEFT + 20.0 + CHARACTER * f64::from(characters)).clamp(RIGHT[0], RIGHT[1])
}

fn transaction(of: &Transaction, right: f64) -> Markup {
    html! {
        g class=(if of.is_wrong { "transaction wrong" } else { "transaction" }) {
            rect x=(px(LEFT)) y=(px(of.y)) width=(px(right - LEFT)) height=(px(of.height())) rx="4" {}
            text x=(px(LEFT + 10.0)) y=(px(of.y + 18.0)) {
                tspan class="title" { (of.name) } tspan class="name" dx="8" { (short(&of.actor, MOST_LINE)) }
            }
            @for (number, (line, matters)) in (0_u32..).zip(&of.lines) {
                text class=(if *matters { "micro matters" } else { "micro" }) x=(px(LEFT + 10.0))
                    y=(px(of.y + 18.0 + LINE * f64::from(number + 1))) { (short(line, MOST_LINE)) }
            }
        }
    }
}

/// Returns the lines of a label with their places: kind and key of the dependency above the rest, since narrow screens
/// have no room for both in one line.
fn beside(label: &str, x: f64, y: f64) -> Vec<(String, f64, f64)> {
    match label.split_once(": ") {
        None => vec![(short(label, MOST_BACK), x, y)],
        Some((kind, rest)) => {
            vec![
                (short(&format!("{kind}:"), MOST_BACK), x, y - LINE / 2.0),
                (short(rest, MOST_BACK), x, y + LINE / 2.0),
            ]
        }
    }
}

/// Renders an arrow along a path, with its head at a place, turned by an angle in degrees, and its label in lines, each
/// at a place.
fn arrow(
    facts: &Facts<'_>,
    link: &Link,
    along: &str,
    (x, y, angle): (f64, f64, f64),
    label: &[(String, f64, f64)],
) -> Markup {
    let sentence = text(&link.sentence);
    html! {
        g class={ "edge " (Dependency::of(facts.history, link).class()) } tabindex="0" role="img" aria-label=(sentence)
            data-tip=(sentence) {
            title { (sentence) }
            path d=(along) {}
            path class="head" d="M0 0l-5 -9h10z" transform={
                "translate(" (px(x)) " " (px(y)) ") rotate(" (angle) ")"
            } {}
            @for (line, x, y) in label { text x=(px(*x)) y=(px(*y)) { (line) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_LINES, leave_out};

    #[test]
    fn what_an_anomaly_rests_on_is_the_last_to_be_left_out() {
        let line = |number: usize| (number.to_string(), number == MAX_LINES + 2);
        let mut lines: Vec<_> = (0..MAX_LINES + 3).map(line).collect();
        assert_eq!((leave_out(&mut lines), lines.len()), (3, MAX_LINES));
        assert!(lines.last().unwrap().1, "{lines:?}");
        assert_eq!(leave_out(&mut lines), 0);
    }
}
