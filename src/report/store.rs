//! The page of a store: a table of runs that can be sorted and filtered by verdict.

use std::path::Path;

use maud::{Markup, PreEscaped, html};

use super::page::{frame, text};
use crate::{run::StoredRun, store::REPORT_FILE};

const SCRIPT: &str = include_str!("assets/store.js");

pub(crate) fn page(root: &Path, all: &[StoredRun]) -> Markup {
    let under_way = all.iter().any(|kept| !kept.is_over);
    frame(
        &format!("{} runs", all.len()),
        &html! {
            main data-live=(under_way) {
                h1 { (all.len()) " runs" }
                p class="controls" {
                    label { "Verdict " select id="filter" {
                        option value="" { "all" }
                        @for verdict in ["not-linearizable", "linearizable", "unknown", "under way or \
                        killed", "cannot be read"] { option { (verdict) } }
                    } }
                }
                div class="wide" tabindex="0" role="region" aria-label="Runs" {
                    table id="runs" {
                        thead { tr {
                            @for name in ["run", "verdict", "system", "workload", "reads", "faults", "seed"] {
                                th scope="col" { button type="button" { (name) } }
                            }
                        } }
                        tbody {
                            @for kept in all {
                                @let name = kept.path.strip_prefix(root).unwrap_or(&kept.path).display().to_string();
                                tr data-verdict=(text(&kept.verdict)) {
                                    td {
                                        @if kept.path.join(REPORT_FILE).exists() {
                                            a href={ "/" (encoded(&name)) "/" (REPORT_FILE) } { (text(&name)) }
                                        } @else {
                                            a href={ "/live/" (encoded(&name)) } { (text(&name)) }
                                        }
                                    }
                                    td { (text(&kept.verdict)) }
                                    td { (text(&kept.system)) }
                                    td { (text(&kept.workload)) }
                                    td { (text(&kept.read)) }
                                    td { (text(&kept.faults)) }
                                    td class="number" { (kept.seed) }
                                }
                            }
                        }
                    }
                }
            }
            script { (PreEscaped(SCRIPT)) }
        },
    )
}

/// Percent-encodes a path for use in a URL.
fn encoded(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
