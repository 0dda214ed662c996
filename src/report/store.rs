//! The page of a store: a table of runs, the latest first, to sort and to filter by verdict; campaigns, comparisons.

use std::path::Path;

use maud::{Markup, PreEscaped, html};

use super::{
    campaign::INDEX,
    page::{frame, text},
};
use crate::{
    run::{Stage, StoredRun},
    store::REPORT_FILE,
    terminal::words::{counted, grouped, seconds},
};

const SCRIPT: &str = include_str!("assets/store.js");
/// Pages of a campaign or a comparison, in its folder.
const PAGES: [&str; 2] = [INDEX, super::compare::PAGE];

pub(crate) fn page(root: &Path, all: &[StoredRun]) -> Markup {
    let under_way = all.iter().any(|kept| kept.stage == Stage::UnderWay);
    let mut latest: Vec<&StoredRun> = all.iter().collect();
    // Of runs without a time, those of campaigns, the order of their names stays.
    latest.sort_by(|a, b| b.began.cmp(&a.began));
    let title = counted(all.len(), "run");
    frame(
        &title,
        &html! {
            main data-live=(under_way) {
                h1 { (title) }
                (campaigns(root, all))
                @if all.is_empty() { p { "There is nothing here yet: " code { "schism run" } " makes a run." } }
                @else {
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
                                @for name in [
                                    "run", "verdict", "began", "lasted", "operations", "system", "workload", "reads",
                                    "faults", "seed",
                                ] { th scope="col" { button type="button" { (name) } } }
                            } }
                            tbody { @for kept in latest { (row(root, kept)) } }
                        }
                    }
                }
            }
            script { (PreEscaped(SCRIPT)) }
        },
    )
}

fn row(root: &Path, kept: &StoredRun) -> Markup {
    let name = relative(root, &kept.path);
    let (class, sign) = match &*kept.verdict {
        "linearizable" if kept.weak => ("unsure", "~"),
        "linearizable" => ("good", "✓"),
        "not-linearizable" => ("bad", "✗"),
        _ => ("unsure", "?"),
    };
    html! {
        tr data-verdict=(text(&kept.verdict)) {
            td {
                @if kept.path.join(REPORT_FILE).exists() {
                    a href=(report_address(&name)) { (text(&name)) }
                } @else {
                    a href={ "/live/" (encoded(&name)) } { (text(&name)) }
                }
            }
            td class=(class) { (sign) " " (text(&kept.verdict)) @if kept.weak { " (weak)" } }
            td { (kept.began.as_deref().unwrap_or_default()) }
            td class="number" { @if let Some(ms) = kept.lasted_ms { (seconds(ms * 1_000_000)) } }
            td class="number" { @if let Some(operations) = kept.operations { (grouped(operations)) } }
            td { (text(&kept.system)) }
            td { (text(&kept.workload)) }
            td { (text(&kept.read)) }
            td { (text(&kept.faults)) }
            td class="number" { (kept.seed) }
        }
    }
}

/// Renders links to the pages of campaigns and comparisons.
fn campaigns(root: &Path, all: &[StoredRun]) -> Markup {
    let folders = all.iter().filter(|kept| kept.of_campaign).flat_map(|kept| kept.path.ancestors());
    let pages = folders.flat_map(|folder| PAGES.map(|page| folder.join(page)));
    let mut pages: Vec<_> = pages.filter(|page| page.starts_with(root)).collect();
    pages.sort();
    pages.dedup();
    pages.retain(|page| page.is_file());
    html! {
        @if !pages.is_empty() {
            h2 { "Campaigns and comparisons" }
            ul { @for page in &pages {
                @let name = relative(root, page);
                li { a href={ "/" (encoded(&name)) } { (text(&name)) } }
            } }
            h2 { "Runs" }
        }
    }
}

/// Renders the files of a folder of the store, given its path there and their names.
pub(crate) fn folder(path: &str, names: &[String]) -> Markup {
    let path = path.trim_end_matches('/');
    frame(
        path,
        &html! {
            main {
                h1 { (text(path)) }
                p { a href="/" { "All runs" } }
                ul { @for name in names {
                    li { a href={ "/" (encoded(path)) "/" (encoded(name)) } { (text(name)) } }
                } }
            }
        },
    )
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

/// Returns the address of the report of a run at this path in the store.
pub(crate) fn report_address(path: &str) -> String {
    format!("/{}/{REPORT_FILE}", encoded(path))
}

/// Percent-encodes a path for use in a URL.
fn encoded(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
