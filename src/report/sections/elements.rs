//! Section on the elements of sets: how many were lost, shown late or never, and how late.

use maud::{Markup, html};

use super::super::{Facts, Section};
use crate::render::sets;

pub(super) const SECTION: Section = Section { id: "elements", title: "Elements", body };

fn body(facts: &Facts<'_>) -> Option<Markup> {
    let figures = facts.report.figures.as_ref()?;
    Some(html! {
        p { (sets::figures(figures)) "." }
        p class="quiet" { "An element counts from the moment at which its addition was acknowledged or a read \
        showed it. It is late if a read that began after that misses it, and another shows it later." }
    })
}
