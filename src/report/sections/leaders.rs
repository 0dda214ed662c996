//! Section on leadership and faults: the periods in which each node believed that it was the leader, and the faults
//! injected.

use maud::{Markup, html};

use super::super::{Facts, Section, page::text};
use crate::terminal::words::seconds;

pub(super) const SECTION: Section = Section { id: "leaders", title: "Leaders and faults", body };

fn body(facts: &Facts<'_>) -> Option<Markup> {
    if facts.reigns.is_empty() && facts.fault_windows.is_empty() {
        return None;
    }
    Some(html! {
        @if !facts.reigns.is_empty() {
            table {
                thead { tr {
                    th scope="col" class="number" { "term" }
                    th scope="col" { "led by" }
                    th scope="col" { "from" }
                    th scope="col" { "to" }
                    th scope="col" { "deposed before it knew" }
                } }
                tbody {
                    @for reign in facts.reigns {
                        @let others = facts.reigns.iter().filter(|other| other.node != reign.node);
                        @let newer = others.filter(|other| other.term > reign.term);
                        @let newer = newer.map(|other| other.span.from_ns).min();
                        tr {
                            td class="number" { (reign.term) } td { "n" (reign.node) }
                            td { (seconds(reign.span.from_ns)) } td { (seconds(reign.span.until_ns)) }
                            td { @if let Some(newer) = newer.filter(|newer| *newer < reign.span.until_ns) { "for \
                            " (seconds(reign.span.until_ns - newer.max(reign.span.from_ns))) } }
                        }
                    }
                }
            }
        }
        @if !facts.fault_windows.is_empty() {
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
