//! The frame of a page: head, style, script, and the sections between.

use checker::Verdict;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;

use crate::terminal::sanitize;

const STYLE: &str = include_str!("assets/report.css");
pub(super) const PLOTS: &str = include_str!("assets/vendor/uplot-1.6.32/uPlot.iife.min.js");
const PLOTS_STYLE: &str = include_str!("assets/vendor/uplot-1.6.32/uPlot.min.css");
/// Content security policy of every page: it loads nothing and sends nothing.
pub(crate) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src \
data:; form-action 'none'; base-uri 'none'";
/// Content security policy of the pages that `schism serve` keeps up to date: they listen to the server that they come
/// from, and load nothing else.
pub(crate) const LIVE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
img-src data:; connect-src 'self'; form-action 'none'; base-uri 'none'";
/// Maximum length of a text from a history in characters; longer ones are cut.
const MOST_TEXT: usize = 400;

/// Renders a page with the given title and content.
pub(super) fn frame(title: &str, body: &Markup) -> Markup {
    frame_under(POLICY, title, body)
}

/// Renders a page that `schism serve` keeps up to date.
pub(super) fn live_frame(title: &str, body: &Markup) -> Markup {
    frame_under(LIVE_POLICY, title, body)
}

fn frame_under(policy: &str, title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="color-scheme" content="light dark";
                title { (text(title)) " · schism" }
                link rel="icon" href="data:,";
                style { (PreEscaped(PLOTS_STYLE)) (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    }
}

/// Renders a verdict with a sign and words, so that colour alone never carries it.
pub(super) fn badge(verdict: Verdict, words: &str) -> Markup {
    let (class, sign) = match verdict {
        Verdict::Linearizable => ("good", "✓"),
        Verdict::NotLinearizable => ("bad", "✗"),
        Verdict::Unknown => ("unsure", "?"),
    };
    html! { span class={ "badge " (class) } { span aria-hidden="true" { (sign) } " " (words) } }
}

/// Renders what qualifies a verdict, beside its badge.
pub(super) fn note(words: &str) -> Markup {
    html! { span class="badge unsure note" { (words) } }
}

/// Lines over time, drawn by the page's script.
#[derive(Debug, Serialize)]
pub(super) struct Plot {
    /// Times in seconds, ascending.
    pub(super) x: Vec<f64>,
    /// Name of each line, and its value at each time.
    pub(super) series: Vec<(String, Vec<f64>)>,
    /// Unit of the values.
    pub(super) unit: &'static str,
}

impl Plot {
    /// Renders the element that the script draws into, with `words` as its description.
    pub(super) fn markup(&self, words: &str) -> Markup {
        let data = serde_json::to_string(self).expect("numbers have a form in JSON");
        html! { div class="plot" role="img" aria-label=(words) data-plot=(data) {} }
    }
}

/// Serializes a value as JSON that is safe inside a script element.
pub(super) fn script_json(of: &impl Serialize) -> String {
    let text = serde_json::to_string(of).expect("what is shown has a form in JSON");
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' | '>' | '&' => safe += &format!("\\u{:04x}", u32::from(c)),
            c if sanitize::is_harmful(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    safe += &format!("\\u{unit:04x}");
                }
            }
            _ => safe.push(c),
        }
    }
    safe
}

/// Makes text from a history safe to show: on one line, without control characters, cut if too long.
pub(super) fn text(of: &str) -> String {
    let plain = sanitize::line(of);
    match plain.char_indices().nth(MOST_TEXT) {
        Some((end, _)) => format!("{}… ({} characters)", &plain[..end], plain.chars().count()),
        None => plain,
    }
}
