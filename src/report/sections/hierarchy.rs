//! Section on the weaker consistency models that hold instead, and on the staleness of reads.

use checker::{Distribution, ModelStatus};
use maud::{Markup, html};

use super::super::{Facts, Section, page::text};
use crate::terminal::words::{counted, counted_u64, grouped, lasting, was_or_were};

pub(super) const SECTION: Section = Section { id: "hierarchy", title: "What holds instead", body };

fn body(facts: &Facts<'_>) -> Option<Markup> {
    let hierarchy = facts.hierarchy?;
    Some(html! {
        div class="wide" tabindex="0" role="region" aria-label="Consistency models" {
            table class="told" {
                thead { tr { th scope="col" { "model" } th scope="col" { "holds" } th scope="col" { "what shows \
                it" } } }
                tbody {
                    @for level in &hierarchy.levels {
                        tr {
                            th scope="row" { (level.model.to_string()) }
                            @match &level.status {
                                ModelStatus::Holds => { td class="good" { "✓ yes" } td {} }
                                ModelStatus::Fails { witness, .. } => { td class="bad" { "✗ \
                                no" } td { (text(&witness.claim)) } }
                                ModelStatus::NotChecked { why } => { td class="unsure" { "not \
                                checked" } td { (text(why)) } }
                            }
                        }
                    }
                }
            }
        }
        @if let Some(staleness) = facts.staleness.filter(|staleness| staleness.keys > 0) {
            @let reads = &staleness.reads;
            p {
                (grouped(reads.stale.count)) " of " (counted(reads.reads, "read")) " " (was_or_were(reads.stale.count))
                " certainly stale ("
                (format!("{:.2} %, 95 % interval {:.2} to {:.2} \
                %", reads.stale.share * 100.0, reads.stale.low * 100.0, reads.stale.high * 100.0)) ")"
                @if let Some(Distribution { p50, p90, p99, max, .. }) = reads.behind_ns {
                    ": by " (lasting(p50)) " at p50, " (lasting(p90)) " at p90, " (lasting(p99)) " at p99, \
                    " (lasting(max)) " at most"
                }
                @if let Some(Distribution { max, .. }) = reads.versions { "; up to \
                " (counted_u64(max, "version")) " behind" }
                "."
            }
            @if let Some(delta_ns) = staleness.delta_ns {
                p { "Δ = " (lasting(delta_ns)) ": had each read begun that much earlier, the history would be \
                linearizable." }
            }
        }
    })
}
