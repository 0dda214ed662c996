//! Section with the audits of a run: what was judged beside its history.

use maud::{Markup, html};

use super::super::{Facts, Section, page::text};
use crate::run::Finding;

pub(super) const SECTION: Section = Section { id: "audits", title: "Audits", body };

fn body(facts: &Facts<'_>) -> Option<Markup> {
    let audits = &facts.run?.results.audits;
    (!audits.is_empty()).then(|| {
        html! {
            div class="wide" tabindex="0" role="region" aria-label="Audits of the run" {
                table class="told" {
                    thead { tr { th scope="col" { "audit" } th scope="col" { "verdict" } th scope="col" { "" } } }
                    tbody {
                        @for audit in audits {
                            tr {
                                th scope="row" { (audit.kind.name()) }
                                @match &audit.finding {
                                    Finding::Holds { looked_at } => { td { "holds" } td { (text(looked_at)) } }
                                    Finding::NotChecked { why } => {
                                        td class="quiet" { "not checked" } td class="quiet" { (text(why)) }
                                    }
                                    Finding::Violated { evidence, .. } => {
                                        td { strong class="bad" { "violated" } }
                                        td { @for said in evidence { (text(said)) "." br; } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    })
}
