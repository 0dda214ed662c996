//! Section with the verdict in a few words, and what qualifies it. What went wrong comes right after it.

use checker::Verdict;
use maud::{Markup, html};

use super::super::{
    Facts, Section,
    page::{badge, note, text},
};
use crate::{render::run_summary::interruption, run::Results, terminal::words::capitalized};

pub(super) const SECTION: Section = Section { id: "verdict", title: "Verdict", body };

#[expect(clippy::unnecessary_wraps, reason = "a section may have nothing to show; this one always has")]
fn body(facts: &Facts<'_>) -> Option<Markup> {
    let weak = facts.run.filter(|run| run.results.weak).map(|run| run.results.coverage.weak.join("; "));
    let weak = weak.or_else(|| facts.report.weak.map(|weak| weak.reason().to_owned()));
    let interrupted = facts.run.and_then(interruption);
    let results = facts.run.map(|run| &run.results);
    let violated = results.map(Results::violated_names).unwrap_or_default();
    let is_shown = facts.evidence().is_some();
    Some(html! {
        h1 {
            // What catches the eye first must not be good news if there is bad news.
            @if !is_shown && !violated.is_empty() {
                (badge(Verdict::NotLinearizable, &format!("violated: {violated}"))) " "
            }
            @let notes = results.map_or_else(|| html! {}, qualifications);
            @if facts.report.verdict == Verdict::Linearizable { (notes) }
            (badge(facts.report.verdict, &facts.verdict_in_words())) " "
            @if facts.report.verdict != Verdict::Linearizable { (notes) }
            @if weak.is_some() { (note("weak evidence")) " " }
            span class="subject" { (text(&facts.name)) }
        }
        @if let Some(interrupted) = &interrupted {
            @let worth = shortfall(is_shown || !violated.is_empty());
            p class="claim unsure" { strong { (capitalized(interrupted)) } ": " (worth) "." }
        }
        @if let Some(results) = results.filter(|_| !is_shown) { (claims(results)) }
        @if let Some(why) = results.and_then(|results| results.live.not_recovered.as_ref()) {
            // What the history shows comes right after it, and stands out more.
            p class=[(!is_shown).then_some("claim unsure")] {
                strong { "The cluster did not recover after healing" } ": " (text(why)) "."
            }
        }
        @if let Some(why) = weak {
            p class="claim unsure" { strong { "Weak evidence" } ": " (text(&why)) "." }
        }
        @if let Some(results) = results { (of_run(results)) }
    })
}

/// Renders what makes the verdict on a run worth less, in a few words each.
fn qualifications(results: &Results) -> Markup {
    let live = &results.live;
    let interrupted = if live.is_unfinished { "not over" } else { "interrupted" };
    let all = [
        (live.interrupted, interrupted),
        (live.harness_failed.is_some(), "the run itself failed"),
        (live.not_recovered.is_some(), "did not recover"),
    ];
    html! { @for (_, words) in all.iter().filter(|(is_so, _)| *is_so) { (note(words)) " " } }
}

/// Renders the claims about violations other than of the history.
fn claims(results: &Results) -> Markup {
    html! {
        @for (audit, claim) in results.violated_audits().filter_map(|audit| Some((audit, audit.claim()?))) {
            p class="claim" {
                strong { "Violated" } ", " a href="#audits" { (audit.kind.name()) } ": " (text(&claim))
            }
        }
        @if let Some(rule) = &results.live.broken_rule {
            p class="claim" { strong { "The nodes broke a rule" } ": " (text(rule)) "." }
        }
    }
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
        @if let Some(what) = &live.client_problems { p { strong { "Problems with the clients" } ": " (text(what)) } }
    }
}
