//! The page of a hunt on virtual time, `simulated.html`: what was found of each defect, and the command that shows it.

use maud::{Markup, html};

use super::page::{frame, text};
use crate::{
    campaign::simulated_hunt::SimulatedCatch,
    store::{ConfinedFolder, write_inside},
    terminal::words::{counted, seconds},
};

/// Name of the page in the hunt's folder.
pub(crate) const PAGE: &str = "simulated.html";

/// Results on one defect.
#[derive(Clone, Debug)]
pub(crate) struct HuntedRow<'a> {
    pub(crate) defect: &'static str,
    /// Sign by which it shows, in words.
    pub(crate) sign: &'static str,
    /// Reason why no run on virtual time shows it; empty if one does.
    pub(crate) survives: &'static str,
    /// Command of the search's first run.
    pub(crate) command: String,
    pub(crate) catch: &'a SimulatedCatch,
    /// Results on the sound node under the same load.
    pub(crate) sound: &'a SimulatedCatch,
}

/// Writes the page.
///
/// # Errors
/// Fails if the file cannot be written.
pub(crate) fn write(rows: &[HuntedRow<'_>], folder: &ConfinedFolder) -> anyhow::Result<()> {
    let html = frame("hunt for planted defects", &body(rows)).into_string();
    write_inside(folder, PAGE, |out| Ok(out.write_all(html.as_bytes())?)).map(drop)
}

fn body(rows: &[HuntedRow<'_>]) -> Markup {
    let found = rows.iter().filter(|row| row.catch.first.is_some()).count();
    html! {
        main {
            h1 { (found) " of " (counted(rows.len(), "planted defect")) " found on virtual time" }
            div class="wide" tabindex="0" role="region" aria-label="Table of defects" {
                table {
                    caption class="quiet" { "Runs that found something, with the 95 % interval of that share, and what \
                    they found; the first finding, with the processor time until then; medians of the virtual time and \
                    the operations until the first sign." }
                    thead { tr {
                        @for name in ["defect", "shows as", "found", "first found", "first sign", "sound node"] {
                            th scope="col" { (name) }
                        }
                    } }
                    tbody { @for row in rows { (line(row)) } }
                }
            }
        }
    }
}

fn line(HuntedRow { defect, sign, survives, command, catch, sound }: &HuntedRow<'_>) -> Markup {
    html! {
        tr {
            th scope="row" { (defect) }
            td { (sign) }
            td { (catch.words().join("; ")) }
            td {
                @match &catch.first {
                    Some(first) => {
                        "seed " (first.seed) ", after " (seconds(first.after_ms * 1_000_000)) ": " (text(&first.what))
                        details { summary { "command" } code { (text(command)) " (seed " (first.seed) ")" } }
                    }
                    None => { (survives) }
                }
            }
            td {
                @if let (Some(time_ms), Some(operations)) = (catch.time_ms, catch.operations) {
                    (seconds(time_ms * 1_000_000)) ", " (counted(operations, "operation"))
                }
            }
            td { (sound.words().join("; ")) }
        }
    }
}
