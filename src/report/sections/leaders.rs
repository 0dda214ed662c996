//! Section on leadership: the periods in which each node believed that it was the leader.

use maud::{Markup, html};

use super::super::{Facts, Section};
use crate::terminal::words::seconds;

pub(super) const SECTION: Section = Section { id: "leaders", title: "Who led when", body };

fn body(facts: &Facts<'_>) -> Option<Markup> {
    (!facts.reigns.is_empty()).then(|| {
        html! {
            table {
                thead { tr {
                    th scope="col" class="number" { "term" }
                    th scope="col" { "leader in its own belief" }
                    th scope="col" { "from" }
                    th scope="col" { "to" }
                    th scope="col" { "of that deposed without knowing it" }
                } }
                tbody {
                    @for reign in facts.reigns {
                        @let others = facts.reigns.iter().filter(|other| other.node != reign.node);
                        @let newer = others.filter(|other| other.term > reign.term);
                        @let newer = newer.map(|other| other.span.from_ns).min();
                        tr {
                            td class="number" { (reign.term) } td { "n" (reign.node) }
                            td { (seconds(reign.span.from_ns)) } td { (seconds(reign.span.until_ns)) }
                            td { @if let Some(newer) = newer.filter(|newer| *newer < reign.span.until_ns) {
                                (seconds(reign.span.until_ns - newer.max(reign.span.from_ns)))
                            } }
                        }
                    }
                }
            }
        }
    })
}
