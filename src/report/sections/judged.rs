//! Section on what was judged: the operations, the run and its host, and the files that it left.

use std::path::Path;

use maud::{Markup, html};

use super::super::{Facts, Section, TransactionFacts, page::text};
use crate::{
    check::hints::failed_cas,
    render::{transactions, verdict::counts_in_words},
    run::{FinishedRun, StoppedEarly},
    terminal::words::{counted, seconds},
};

pub(super) const SECTION: Section = Section { id: "judged", title: "What was judged", body };

#[expect(clippy::unnecessary_wraps, reason = "a section may have nothing to show; this one always has")]
fn body(facts: &Facts<'_>) -> Option<Markup> {
    let taken = failed_cas(facts.history, facts.report.verdict);
    Some(html! {
        p {
            @match facts.transactions {
                Some(TransactionFacts { report, level }) => {
                    (counted(report.transactions, "transaction")) ": " (transactions::verdict(report, level))
                }
                None => { (counts_in_words(facts.report)) }
            }
            ", judged by schism " (env!("CARGO_PKG_VERSION")) "."
        }
        @if let Some(taken) = taken { p { (taken) "." } }
        @for note in &facts.history.notes { p { strong { "Note" } ": " (text(&note.to_string())) "." } }
        @if let Some(run) = facts.run { (of_run(facts, run)) }
    })
}

/// Renders when a run began, how long its load lasted, what nobody could see, and links to its files.
fn of_run(facts: &Facts<'_>, run: &FinishedRun) -> Markup {
    let live = &run.results.live;
    let began = live.start.began(run.folder().path());
    html! {
        @for what in &run.results.coverage.unseen { p { strong { "Not observable" } ": " (text(what)) "." } }
        @if let Some(StoppedEarly { after_ms, operations }) = live.stopped_early {
            p {
                "Stopped at the first violation, after " (seconds(after_ms * 1_000_000)) " and "
                (counted(operations, "operation")) "."
            }
        }
        p class="quiet" {
            @if let Some(began) = began { "Begun " (began) ". " }
            @if let Some(load) = live.load { "Load for " (seconds(load.until_ns - load.from_ns)) ". " }
            @if let Some(host) = &live.host { "Host: " (text(host)) ". " }
            @if let Some(nodes) = &live.killed_at_end { "Killed at the end: " (text(nodes)) ". " }
            @if facts.is_in_folder {
                "Files: "
                @for file in run.files() { a href=(file.display()) { (name_of(&file)) } ", " }
                a href="./" { "the folder" } "."
            }
        }
    }
}

/// Returns the name of a run's file: that of a node for its log.
fn name_of(file: &Path) -> String {
    let node = file.parent().and_then(Path::file_name).and_then(|node| node.to_str());
    node.map_or_else(|| file.display().to_string(), |node| format!("log of n{node}"))
}
