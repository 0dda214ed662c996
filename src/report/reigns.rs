//! The times at which nodes believed that they were leader, in pictures.

use maud::{Markup, html};

use super::{
    Facts,
    picture::{LEFT, RIGHT, Scale, px, text_width},
};
use crate::{run::Reign, terminal::words::seconds};

/// Renders in the lane of a node when it believed that it was leader, and from when on it was wrong.
pub(super) fn reigns(facts: &Facts<'_>, node: u16, y: f64, scale: Scale) -> Markup {
    let of_node = facts.reigns.iter().filter(|reign| reign.node == node);
    let wrong_answer = facts.wrong_operation().map(|wrong| scale.x(facts.times(wrong).invoked_ns));
    html! {
        line class="follows" x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(y + 12.0)) y2=(px(y + 12.0)) {}
        @for reign in of_node.filter(|reign| scale.shows(reign.span.from_ns, reign.span.until_ns)) {
            @let (from, until) = (scale.x(reign.span.from_ns), scale.x(reign.span.until_ns));
            @let deposed = deposed_ns(facts, reign).map(|deposed_ns| deposed_ns.max(reign.span.from_ns));
            @let wrong_from = deposed.map_or(until, |deposed_ns| scale.x(deposed_ns));
            g class="reign" {
                title { (belief(reign, deposed)) }
                rect x=(px(from)) y=(px(y + 3.0)) width=(px((until - from).max(1.0))) height="18" {}
                @if deposed.is_some() {
                    rect class="deposed" x=(px(wrong_from)) y=(px(y + 3.0)) width=(px((until - wrong_from).max(1.0)))
                        height="18" {}
                }
                (words(&[format!("leader of term {}", reign.term)], from, wrong_from, y, None))
                @if deposed.is_some() {
                    @let until_when = seconds(reign.span.until_ns);
                    @let long = format!("deposed, but believed until {until_when} that it was leader");
                    @let choices = [long, "deposed without knowing it".to_owned()];
                    (words(&choices, wrong_from, until, y, wrong_answer))
                }
            }
        }
    }
}

/// Renders the first of these words that there is room for; so that they end at `target`, the place that narrow screens
/// show first, if there is one that leaves room.
fn words(choices: &[String], from: f64, until: f64, y: f64, target: Option<f64>) -> Markup {
    let fitting = choices.iter().find(|words| from + 5.0 + text_width(words) < until);
    html! { @if let Some(words) = fitting {
        @let latest = target.map_or(from, |target| target.min(until) - text_width(words) - 5.0);
        text x=(px(from.max(latest) + 5.0)) y=(px(y + 16.0)) { (words) }
    } }
}

/// Describes what a node believed, and from when on it was wrong.
fn belief(reign: &Reign, deposed_ns: Option<u64>) -> String {
    let Reign { node, term, span } = reign;
    let [from, until] = [span.from_ns, span.until_ns].map(seconds);
    let wrong = deposed_ns.map_or_else(String::new, |deposed_ns| {
        format!("; a leader of a newer term had been elected by {}", seconds(deposed_ns))
    });
    format!("n{node} believed from {from} to {until} that it was leader of term {term}{wrong}")
}

/// Returns the time from which a node believed that it was leader although a newer one had been elected.
pub(super) fn deposed_ns(facts: &Facts<'_>, reign: &Reign) -> Option<u64> {
    let newer = facts.reigns.iter().filter(|other| other.term > reign.term);
    newer.map(|other| other.span.from_ns).min().filter(|newer_ns| *newer_ns < reign.span.until_ns)
}
