//! Section on the violation: in sentences, and as a picture of only the operations that contradict each other.

use maud::{Markup, PreEscaped, html};

use super::super::{Facts, Section, cycle, page::text, timeline};
use crate::{
    render::{
        operations::operation_in_words,
        transactions::transaction,
        verdict::{contradiction_in_words, other_violations},
    },
    terminal::words::{grouped, plain},
};

pub(super) const SECTION: Section = Section { id: "story", title: "What went wrong", body };

/// Maximum number of operations listed: the last ones.
const MAX_OPERATIONS: usize = 40;

fn body(facts: &Facts<'_>) -> Option<Markup> {
    let evidence = facts.evidence()?;
    let context = facts.run.map_or(&[][..], |run| &run.results.context);
    let others = facts.report.keys.iter().filter(|key| key.evidence.is_some()).count() - 1;
    let skipped = evidence.operations.len().saturating_sub(MAX_OPERATIONS);
    Some(html! {
        p class="claim" { (text(&evidence.claim)) "." }
        @for sentence in context { p { (text(sentence)) } }
        style { (PreEscaped(timeline::STYLE)) }
        @if let Some(anomaly) = facts.anomaly() {
            div class="wide" tabindex="0" role="region" aria-label="Picture of the anomaly" {
                (cycle::svg(facts, anomaly, false))
            }
            p class="quiet" {
                "An arrow leads to a transaction that must come later. ww: it wrote after the other wrote; wr: it read \
                what the other wrote; rw: it wrote what the other did not see."
            }
        }
        @if let Some(picture) = timeline::svg(facts, false) {
            div class="wide" tabindex="0" role="region" aria-label="Timeline of the evidence" { (picture) }
        }
        @if !evidence.reasons.is_empty() {
            h3 { "Why no order can explain it" }
            ol { @for reason in &evidence.reasons { li { (text(reason)) } } }
        }
        @for said in evidence.possible.iter().chain(&evidence.revisions) { p { (text(said)) "." } }
        h3 { (text(&contradiction_in_words(facts.report, evidence))) }
        @if skipped > 0 { p class="quiet" { (grouped(skipped)) " earlier ones are left out here." } }
        pre tabindex="0" {
            @match facts.anomaly() {
                Some(anomaly) => {
                    @for (number, &index) in (1..).zip(&anomaly.operations).skip(skipped) {
                        "T" (number) "  " (text(&transaction(facts.history, index))) "\n"
                    }
                }
                None => {
                    @for &index in &evidence.operations[skipped..] {
                        (text(&operation_in_words(facts.history, index))) "\n"
                    }
                }
            }
        }
        @if others > 0 {
            p class="quiet" {
                (other_violations(facts.report)) ": "
                @let others = facts.report.keys.iter();
                @let others = others.filter(|key| key.evidence.as_ref().is_some_and(|other| other != evidence));
                @for key in others.take(20) {
                    (text(&plain(&key.key))) " "
                }
            }
        }
    })
}
