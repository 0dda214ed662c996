//! The page of a run under way, which `schism serve` keeps up to date until there is a report.

use maud::{Markup, PreEscaped, html};

use super::{
    page::{live_frame, text},
    store::{encoded, judged_address, trail},
};
use crate::{run::read_plan, store::ConfinedFolder};

const SCRIPT: &str = include_str!("assets/live.js");

/// Renders the page of the run in a folder, at this path in the store.
pub(crate) fn page(path: &str, folder: &ConfinedFolder) -> String {
    let plan = read_plan(folder).ok().filter(|plan| plan.check().is_ok());
    let name = plan.map_or_else(|| path.to_owned(), |plan| format!("{}, {}", plan.system, plan.summary()));
    live_frame(&format!("under way: {name}"), &body(path, &name)).into_string()
}

fn body(path: &str, name: &str) -> Markup {
    html! {
        main id="live" data-events={ "/-/events/" (encoded(path)) } {
            (trail(path))
            h1 { span class="badge unsure" { span aria-hidden="true" { "~" } " " span id="stage" { "under way" } } " \
            " (text(name)) }
            p id="said" class="quiet" role="status" { "Waiting for the first events." }
            noscript { p { "This page needs JavaScript to follow the run; the link below does not." } }
            dl class="figures" {
                @for (id, words) in [
                    ("time", "of the load"), ("invoked", "operations begun"), ("ok", "ok"), ("fail", "failed"),
                    ("info", "of unknown outcome"),
                ] { div { dt { (words) } dd id=(id) { "–" } } }
            }
            h2 { "Operations ended each second" }
            div id="rate" class="rate" role="img" aria-label="Operations that ended in each second, by outcome; the \
            sums are above" {}
            p class="signs quiet" {
                span { i {} "ok" } span { i class="fail" {} "failed" }
                span { i class="unknown" {} "unknown outcome" } span { i class="fault" {} "a fault was in force" }
            }
            h2 { "Faults" }
            ul id="faults" { li class="quiet" { "none so far" } }
            p { a href=(judged_address(path)) { "Judge what there is so far" } " or look at "
                a href={ "/" (encoded(path)) "/" } { "the folder" } "." }
        }
        script { (PreEscaped(SCRIPT)) }
    }
}
