//! Section on the faults that were injected, and when each was in force.

use maud::{Markup, html};

use super::super::{Facts, Section, page::text};
use crate::terminal::words::seconds;

pub(super) const SECTION: Section = Section { id: "faults", title: "Faults", body };

fn body(facts: &Facts<'_>) -> Option<Markup> {
    (!facts.fault_windows.is_empty()).then(|| {
        html! {
            table {
                thead { tr { th scope="col" { "fault" } th scope="col" { "from" } th scope="col" { "to" } } }
                tbody {
                    @for window in facts.fault_windows {
                        tr {
                            td { (text(&window.words)) }
                            td { (seconds(window.span.from_ns)) } td { (seconds(window.span.until_ns)) }
                        }
                    }
                }
            }
        }
    })
}
