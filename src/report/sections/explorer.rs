//! Section with every operation, to zoom into, filter and search: the evidence, its neighbourhood, the whole run.

use maud::{Markup, html};

use super::super::{Facts, Section};

pub(super) const SECTION: Section = Section { id: "explorer", title: "Every operation", body };

/// Signs in the picture, by the class of each and its meaning; those of what this history has not are left out.
const SIGNS: [(&str, &str); 9] = [
    ("ok", "ok"),
    ("fail", "failed"),
    ("info", "unknown outcome: it may still take effect"),
    ("evidence", "evidence"),
    ("picked", "picked"),
    ("before", "over before the picked one began"),
    ("after", "began after it was over"),
    ("lead", "the node believed that it was leader"),
    ("fault", "a fault was in force"),
];

fn body(facts: &Facts<'_>) -> Option<Markup> {
    if facts.history.operations.is_empty() {
        return None;
    }
    let violated = facts.evidence().is_some();
    let has_nodes = (0..facts.history.operations.len()).any(|index| facts.history.node(index) > 0);
    let is_shown = |class: &str| match class {
        "evidence" => violated,
        "lead" => !facts.reigns.is_empty(),
        "fault" => !facts.fault_windows.is_empty(),
        _ => true,
    };
    Some(html! {
        div class="controls" {
            @if violated {
                button type="button" data-level="evidence" aria-pressed="false" { "Evidence" }
                button type="button" data-level="neighbourhood" aria-pressed="false" { "Neighbourhood" }
            }
            button type="button" data-level="whole" aria-pressed="false" { "Whole run" }
            button type="button" data-zoom="0.5" aria-label="Zoom in" { "+" }
            button type="button" data-zoom="2" aria-label="Zoom out" { "−" }
            label { "Lanes by " select data-lanes {
                @if has_nodes { option value="node" { "node" } }
                option value="process" { "process" }
                option value="key" { "key" }
            } }
            @for name in ["key", "process", "function", "outcome", "fault"] {
                label { (name) " " select data-filter=(name) { option value="" { "all" } } }
            }
            label { "value " input type="search" data-search size="10"; }
        }
        p id="explorer-count" class="quiet" aria-live="polite" {}
        canvas id="explorer-picture" tabindex="0" role="application" aria-describedby="explorer-help explorer-said"
            aria-label="Operations by time, in lanes" {}
        p class="signs quiet" {
            @for (class, words) in SIGNS.iter().filter(|(class, _)| is_shown(class)) {
                span { i class=(class) {} (words) }
            }
        }
        p id="explorer-said" aria-live="polite" {}
        p id="explorer-help" class="quiet" {
            "Drag to move; pinch, or hold Shift (or focus the picture) and turn the wheel, to zoom; hover for details. \
            Click an operation to see which ones on its key were over before it began, which overlap with it, and \
            which began after it. Keys: + and -, arrows, Home for all, n and p for the next and previous operation of \
            the evidence, or of those that the search found, Escape to let go. The address of the page keeps the view."
        }
    })
}
