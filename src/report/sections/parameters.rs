//! Section with all parameters of the run.

use maud::{Markup, html};

use super::super::{Facts, Section};
use crate::terminal::sanitize;

pub(super) const SECTION: Section = Section { id: "parameters", title: "All parameters", body };

fn body(facts: &Facts<'_>) -> Option<Markup> {
    let text = serde_json::to_string_pretty(&facts.run?.plan).ok()?;
    Some(html! {
        details {
            summary { "test.json" }
            pre tabindex="0" { @for line in text.lines() { (sanitize::line(line)) "\n" } }
        }
    })
}
