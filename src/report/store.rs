//! The page of a store: a table of runs, the latest first, to sort and to filter by verdict; campaigns, comparisons.

use std::{cmp::Ordering, path::Path};

use maud::{Markup, PreEscaped, html};

use super::{
    campaign::INDEX,
    page::{frame, live_frame, text},
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
    let under_way = all.iter().filter(|kept| kept.stage == Stage::UnderWay).count();
    let mut latest: Vec<&StoredRun> = all.iter().collect();
    // Of runs without a time, those of campaigns, the order of their names stays.
    latest.sort_by(|a, b| b.began.cmp(&a.began));
    let title = counted(all.len(), "run");
    live_frame(
        &title,
        &html! {
            main id="store" data-events="/-/events" {
                h1 { (title) @if under_way > 0 { span class="quiet" { ", " (under_way) " under way" } } }
                p id="said" class="quiet" role="status" {}
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
        "linearizable" if !kept.is_without_violation => ("bad", "✗"),
        "linearizable" if kept.weak => ("unsure", "w"),
        "linearizable" => ("good", "✓"),
        "not-linearizable" => ("bad", "✗"),
        _ if kept.stage == Stage::UnderWay => ("unsure", "~"),
        _ => ("unsure", "?"),
    };
    let words = if kept.stage == Stage::UnderWay { "under way" } else { &*kept.in_words };
    html! {
        tr data-verdict=(text(&kept.verdict)) {
            td {
                @if kept.path.join(REPORT_FILE).exists() {
                    a href=(report_address(&name)) { (text(&name)) }
                } @else {
                    a href={ "/-/live/" (encoded(&name)) } { (text(&name)) }
                }
            }
            td class={ "verdict " (class) } { (sign) " " (text(words)) @if kept.weak { " (weak)" } }
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

/// File or folder in a list; folders come first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedFile {
    pub(crate) name: String,
    /// Size; none if it is a folder.
    pub(crate) bytes: Option<u64>,
}

impl Ord for ListedFile {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.bytes.is_some(), &self.name).cmp(&(other.bytes.is_some(), &other.name))
    }
}

impl PartialOrd for ListedFile {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Renders the files of a folder of the store, given its path there; `hidden` more are not listed.
pub(crate) fn folder(path: &str, files: &[ListedFile], hidden: usize) -> Markup {
    let path = path.trim_end_matches('/');
    let address = |file: &ListedFile| {
        format!("/{}/{}{}", encoded(path), encoded(&file.name), if file.bytes.is_none() { "/" } else { "" })
    };
    let is_page = |file: &&ListedFile| file.bytes.is_some() && [REPORT_FILE, PAGES[0], PAGES[1]].contains(&&*file.name);
    frame(
        path,
        &html! {
            main {
                (trail(path))
                h1 { (text(path.rsplit('/').next().unwrap_or(path))) }
                @for page in files.iter().filter(is_page) { p { a href=(address(page)) { strong { (page.name) } } } }
                table class="files" {
                    thead { tr { th scope="col" { "name" } th scope="col" class="number" { "size" } } }
                    tbody { @for file in files { tr {
                        td { a href=(address(file)) { (text(&file.name)) @if file.bytes.is_none() { "/" } } }
                        td class="number" { @if let Some(bytes) = file.bytes { (size(bytes)) } @else { "folder" } }
                    } } }
                }
                @if files.is_empty() { p { "The folder is empty." } }
                @if hidden > 0 { p class="quiet" { (counted(hidden, "more file")) " are not listed." } }
            }
        },
    )
}

/// Renders where a path of the store lies, with a link to each folder above it.
pub(super) fn trail(path: &str) -> Markup {
    let path = path.trim_end_matches('/');
    let above = path.match_indices('/').map(|(end, _)| &path[..end]);
    html! {
        p class="trail quiet" {
            a href="/" { "All runs" }
            @for folder in above {
                " / " a href={ "/" (encoded(folder)) "/" } { (text(folder.rsplit('/').next().unwrap_or(folder))) }
            }
            " / " (text(path.rsplit('/').next().unwrap_or(path)))
        }
    }
}

/// Formats a number of bytes with the unit that suits it.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
    }
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

/// Returns the address of the report of a run at this path in the store.
pub(crate) fn report_address(path: &str) -> String {
    format!("/{}/{REPORT_FILE}", encoded(path))
}

/// Returns the address at which a run at this path in the store is judged as far as it has come.
pub(crate) fn judged_address(path: &str) -> String {
    format!("/-/judged/{}", encoded(path))
}

/// Percent-encodes a path for use in a URL.
pub(super) fn encoded(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
