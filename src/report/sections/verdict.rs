//! Section with the verdict in one sentence. What went wrong comes right after it.

use std::path::Path;

use maud::{Markup, html};

use super::super::{
    Facts, Section, TransactionFacts,
    page::{badge, text},
};
use crate::{
    check::hints::failed_cas,
    render::{transactions, verdict::counts_in_words},
    run::{Audit, FinishedRun},
    terminal::words::{counted, seconds, stamp_in_words},
};

pub(super) const SECTION: Section = Section { id: "verdict", title: "Verdict", body };

#[expect(clippy::unnecessary_wraps, reason = "a section may have nothing to show; this one always has")]
fn body(facts: &Facts<'_>) -> Option<Markup> {
    let report = facts.report;
    let weak = facts.run.filter(|run| run.results.weak).map(|run| run.results.coverage.weak.join("; "));
    let weak = weak.or_else(|| report.weak.map(|weak| weak.reason().to_owned()));
    let taken = failed_cas(facts.history, report.verdict);
    let unseen = facts.run.map_or(&[][..], |run| &run.results.coverage.unseen);
    let failed = facts.run.and_then(|run| run.results.live.not_recovered.as_deref());
    let rule = facts.run.and_then(|run| run.results.live.broken_rule.as_deref());
    let problems = facts.run.and_then(|run| run.results.live.client_problems.as_deref());
    let defect = facts.run.and_then(|run| run.results.defect.as_ref());
    let violated = facts.run.into_iter().flat_map(|run| run.results.violated_audits());
    let killed = facts.run.and_then(|run| run.results.live.killed_at_end.as_deref());
    Some(html! {
        h1 { (badge(report.verdict, &facts.verdict_in_words())) " " (text(&facts.name)) }
        @if let Some(defect) = defect {
            p class="claim" { strong { "Not the sound system" } ": " (text(&defect.to_string())) }
        }
        p {
            @match facts.transactions {
                Some(TransactionFacts { report, level }) => {
                    (counted(report.transactions, "transaction")) ": " (transactions::verdict(report, level))
                }
                None => { (counts_in_words(report)) }
            }
            ", judged by schism " (env!("CARGO_PKG_VERSION")) "."
            @if let Some(why) = weak { " " strong { "Weak evidence" } ": " (why) "." }
        }
        @if facts.evidence().is_none() {
            @for (audit, claim) in violated.filter_map(|audit| Some((audit, audit.claim()?))) {
                p class="claim" {
                    strong { "Violated" } ", " a href="#audits" { (audit.kind.name()) } ": " (text(&claim))
                }
            }
        } @else if let Some(also) = names_of(violated) {
            p { "Violated as well: " a href="#audits" { (also) } "." }
        }
        @if let Some(run) = facts.run { (of_run(facts, run)) }
        @for what in unseen { p { strong { "Not observable" } ": " (text(what)) "." } }
        @if let Some(taken) = taken { p { (taken) "." } }
        @for note in &facts.history.notes { p { strong { "Note" } ": " (text(&note.to_string())) "." } }
        @if let Some(what) = problems { p { strong { "Problems with the clients" } ": " (text(what)) } }
        @if let Some(rule) = rule { p { strong { "The nodes broke a rule" } ": " (text(rule)) "." } }
        @if let Some(why) = failed { p { strong { "The cluster did not recover after healing" } ": " (text(why)) } }
        @if let Some(nodes) = killed { p { strong { "Killed at the end" } ": " (text(nodes)) "." } }
    })
}

/// Returns the names of audits; none if there are none.
fn names_of<'a>(audits: impl Iterator<Item = &'a Audit>) -> Option<String> {
    let names: Vec<&str> = audits.map(|audit| audit.kind.name()).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// Returns the name of a run's file: that of a node for its log.
fn name_of(file: &Path) -> String {
    let node = file.parent().and_then(Path::file_name).and_then(|node| node.to_str());
    node.map_or_else(|| file.display().to_string(), |node| format!("log of n{node}"))
}

/// Renders when a run began, how long its load lasted, and links to its files.
fn of_run(facts: &Facts<'_>, run: &FinishedRun) -> Markup {
    let began = run.folder().path().file_name().and_then(|name| stamp_in_words(name.to_str()?));
    html! {
        p class="quiet" {
            @if let Some(began) = began { "Begun " (began) ". " }
            @if let Some(load) = run.results.live.load { "Load for " (seconds(load.until_ns - load.from_ns)) ". " }
            @if let Some(host) = &run.results.live.host { "Host: " (text(host)) ". " }
            @if facts.is_in_folder {
                "Files: "
                @for file in run.files() { a href=(file.display()) { (name_of(&file)) } ", " }
                a href="./" { "the folder" } "."
            }
        }
    }
}
