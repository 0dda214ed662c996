//! Section with the command that repeats the run, or judges the history again.

use maud::{Markup, html};

use super::super::{Facts, Section, page::text};

pub(super) const SECTION: Section = Section { id: "repeat", title: "Repeat it", body };

#[expect(clippy::unnecessary_wraps, reason = "a section may have nothing to show; this one always has")]
fn body(facts: &Facts<'_>) -> Option<Markup> {
    Some(html! {
        p { @if facts.run.is_some() { "The same run once more:" } @else { "To judge it again:" } }
        pre class="wrap" tabindex="0" { (text(&facts.command)) }
        button class="controls" type="button" data-copy=(text(&facts.command)) { "Copy" }
    })
}
