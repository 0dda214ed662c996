//! Section on what went wrong: each violation in sentences, and as a picture of only the operations that contradict
//! each other. The clearest is shown, the others open on demand.

use maud::{Markup, PreEscaped, html};

use super::super::{
    Facts, Section, Violation, cycle,
    page::text,
    timeline::{self, Extent},
};
use crate::{
    render::{
        operations::operation_in_words,
        transactions::transaction,
        verdict::{contradiction_in_words, other_violations},
    },
    terminal::words::{counted, plain},
};

pub(super) const SECTION: Section = Section { id: "story", title: "What went wrong", body };

/// Maximum number of operations listed.
const MAX_OPERATIONS: usize = 40;

fn body(facts: &Facts<'_>) -> Option<Markup> {
    let (first, others) = facts.violations.split_first()?;
    let violated = facts.run.map(|run| run.results.violated_names()).unwrap_or_default();
    let rule = facts.run.and_then(|run| run.results.live.broken_rule.as_ref());
    let context = facts.run.map_or(&[][..], |run| &run.results.context);
    let hidden = facts.report.keys.iter().filter(|key| key.evidence.is_some()).count() - facts.violations.len();
    Some(html! {
        p class="claim" { (text(&first.evidence.claim)) "." }
        @for sentence in context { p { (text(sentence)) } }
        style { (PreEscaped(timeline::STYLE)) }
        (evidence(facts, first))
        @if let Some(rule) = rule { p { strong { "The nodes broke a rule" } ": " (text(rule)) "." } }
        @if !violated.is_empty() { p { "Violated as well: " a href="#audits" { (violated) } "." } }
        @if !others.is_empty() { h3 { (other_violations(facts.report)) } }
        @for other in others {
            details {
                summary { strong { (text(&plain(other.key))) } ": " (text(&other.evidence.claim)) }
                (evidence(facts, other))
            }
        }
        @if hidden > 0 { p class="quiet" { (counted(hidden, "more key")) "; schism check --all --json has them." } }
    })
}

/// Renders what shows a violation: pictures, reasons, operations.
fn evidence(facts: &Facts<'_>, violation: &Violation<'_>) -> Markup {
    let evidence = violation.evidence;
    html! {
        @if let Some(anomaly) = facts.anomaly() {
            div class="wide" tabindex="0" role="region" aria-label="Picture of the anomaly" {
                (cycle::svg(facts, anomaly, false))
            }
            p class="quiet" {
                "An arrow leads to a transaction that must come later. ww: it wrote after the other wrote; wr: it read \
                what the other wrote; rw: it wrote what the other did not see."
            }
        }
        (timelines(facts, violation))
        @if !evidence.reasons.is_empty() {
            h3 { "Why no order can explain it" }
            ol { @for reason in &evidence.reasons { li { (text(reason)) } } }
        }
        @for said in evidence.possible.iter().chain(&evidence.revisions) { p { (text(said)) "." } }
        h3 { (text(&contradiction_in_words(facts.report, evidence))) }
        (operations(facts, violation))
    }
}

/// Renders the operations in time: those that the claim is about, and the others on demand.
fn timelines(facts: &Facts<'_>, violation: &Violation<'_>) -> Markup {
    let evidence = violation.evidence;
    let others = evidence.operations.len() - facts.decisive(evidence).len();
    let drawn = |extent: Extent, name: &str| {
        let picture = timeline::svg(facts, violation, extent, false);
        html! {
            @if let Some(picture) = picture {
                div class="wide" tabindex="0" role="region" aria-label={ (name) " " (text(&plain(violation.key))) } {
                    (picture)
                }
            }
        }
    };
    html! {
        (drawn(Extent::Decisive, "Timeline of the evidence"))
        @if facts.violations.first().is_some_and(|first| first.key == violation.key) {
            p class="quiet" {
                "A process is a client that does one operation at a time; after one of unknown outcome, a new process \
                takes its place."
            }
        }
        @if others > 0 {
            details {
                summary { "The same with " (counted(others, "more operation")) ", which only set what these found" }
                (drawn(Extent::Whole, "Timeline of the whole evidence"))
            }
        }
    }
}

fn operations(facts: &Facts<'_>, violation: &Violation<'_>) -> Markup {
    let evidence = violation.evidence;
    let shown = evidence.clearest(facts.history, &evidence.operations, MAX_OPERATIONS);
    let left_out = evidence.operations.len() - shown.len();
    html! {
        @if left_out > 0 { p class="quiet" { (counted(left_out, "operation")) " left out here." } }
        pre tabindex="0" {
            @match facts.anomaly() {
                Some(anomaly) => {
                    @for (number, &index) in (1..).zip(&anomaly.operations).filter(|(_, index)| shown.contains(index)) {
                        "T" (number) "  " (text(&transaction(facts.history, index))) "\n"
                    }
                }
                None => {
                    @for index in shown { (text(&operation_in_words(facts.history, index))) "\n" }
                }
            }
        }
    }
}
