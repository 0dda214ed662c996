//! Section with the verdict in a few words, and what qualifies it. What went wrong comes right after it.

use checker::Verdict;
use maud::{Markup, html};

use super::super::{
    Facts, Section,
    page::{badge, note, text},
};
use crate::{
    render::run_summary::interruption,
    run::{Audit, Results},
    terminal::words::capitalized,
};

pub(super) const SECTION: Section = Section { id: "verdict", title: "Verdict", body };

#[expect(clippy::unnecessary_wraps, reason = "a section may have nothing to show; this one always has")]
fn body(facts: &Facts<'_>) -> Option<Markup> {
    let weak = facts.run.filter(|run| run.results.weak).map(|run| run.results.coverage.weak.join("; "));
    let weak = weak.or_else(|| facts.report.weak.map(|weak| weak.reason().to_owned()));
    let interrupted = facts.run.and_then(interruption);
    let results = facts.run.map(|run| &run.results);
    let violated: Vec<&Audit> = results.into_iter().flat_map(Results::violated_audits).collect();
    let is_shown = facts.evidence().is_some();
    Some(html! {
        h1 {
            // What catches the eye first must not be good news if there is bad news.
            @if !is_shown && !violated.is_empty() {
                (badge(Verdict::NotLinearizable, &format!("violated: {}", names_of(&violated)))) " "
            }
            (badge(facts.report.verdict, &facts.verdict_in_words())) " "
            @if let Some(results) = results.filter(|results| results.live.interrupted) {
                (note(if results.live.is_unfinished { "not over" } else { "interrupted" })) " "
            }
            @if weak.is_some() { (note("weak evidence")) " " }
            span class="subject" { (text(&facts.name)) }
        }
        @if let Some(interrupted) = &interrupted {
            p class="claim unsure" { strong { (capitalized(interrupted)) } ": " (shortfall(is_shown)) "." }
        }
        @if !is_shown {
            @for (audit, claim) in violated.iter().filter_map(|audit| Some((audit, audit.claim()?))) {
                p class="claim" {
                    strong { "Violated" } ", " a href="#audits" { (audit.kind.name()) } ": " (text(&claim))
                }
            }
        }
        @if let Some(why) = weak { p { strong { "Weak evidence" } ": " (text(&why)) "." } }
        @if let Some(results) = results { (of_run(results)) }
    })
}

/// Says what a verdict on an interrupted run is worth.
fn shortfall(is_violated: bool) -> &'static str {
    if is_violated {
        "what it found stands; more might have followed"
    } else {
        "that it found no violation says less than a run to the end would"
    }
}

/// Renders what went wrong with a run other than its history, and the defect planted in its nodes.
fn of_run(results: &Results) -> Markup {
    let live = &results.live;
    html! {
        @if let Some(defect) = &results.defect {
            p { strong { "Not the sound system" } ": " (text(&defect.to_string())) }
        }
        @if let Some(why) = &live.harness_failed { p { strong { "The run itself failed" } ": " (text(why)) "." } }
        @if let Some(rule) = &live.broken_rule { p { strong { "The nodes broke a rule" } ": " (text(rule)) "." } }
        @if let Some(why) = &live.not_recovered {
            p { strong { "The cluster did not recover after healing" } ": " (text(why)) }
        }
        @if let Some(what) = &live.client_problems { p { strong { "Problems with the clients" } ": " (text(what)) } }
    }
}

/// Returns the names of audits.
pub(super) fn names_of(audits: &[&Audit]) -> String {
    audits.iter().map(|audit| audit.kind.name()).collect::<Vec<_>>().join(", ")
}
