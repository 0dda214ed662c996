//! Section with every operation, to zoom into: the evidence, its neighbourhood, the whole run.

use maud::{Markup, html};

use super::super::{Facts, Section};

pub(super) const SECTION: Section = Section { id: "explorer", title: "Every operation", body };

fn body(facts: &Facts<'_>) -> Option<Markup> {
    if facts.history.operations.is_empty() {
        return None;
    }
    let violated = facts.evidence().is_some();
    Some(html! {
        div class="controls" {
            @if violated {
                button type="button" data-level="evidence" aria-pressed="false" { "Evidence" }
                button type="button" data-level="neighbourhood" aria-pressed="false" { "Neighbourhood" }
            }
            button type="button" data-level="whole" aria-pressed="false" { "Whole run" }
        }
        canvas id="explorer-picture" tabindex="0" role="application" aria-describedby="explorer-help explorer-said"
            aria-label="Operations by time, in lanes of the node that was asked" {}
        p id="explorer-help" class="quiet" {
            "Blue succeeded, grey failed or is unknown, red is the evidence; dark beds are times in which the node \
            believed that it led, "
            "light ones faults. Drag to move, hold Shift (or focus the picture) and turn the wheel to zoom, hover for \
            details. Keys: + and -, arrows, "
            "Home for all, n and p for the operations of the evidence."
        }
        p id="explorer-said" aria-live="polite" {}
    })
}
