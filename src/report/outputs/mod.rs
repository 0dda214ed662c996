//! Outputs of a campaign for other programs: tables to query, test reports, summaries for the page of a CI.

pub(crate) mod csv;
mod github;
mod junit;
pub(crate) mod markdown;
mod sqlite;

use anyhow::Context as _;

use crate::{
    campaign::summary::Summary,
    store::{ConfinedFolder, write_inside},
};

/// Writes all outputs beside `campaign.json`, and the annotations if running in GitHub Actions.
///
/// # Errors
/// Fails if one of them cannot be written.
pub(crate) fn write(folder: &ConfinedFolder, summary: &Summary) -> anyhow::Result<()> {
    let text = |file: &str, text: String| write_inside(folder, file, |out| Ok(out.write_all(text.as_bytes())?));
    let markdown = markdown::page(summary);
    // A failure to write one output must not prevent the others.
    let junit = junit::report(summary).and_then(|report| text("junit.xml", report));
    let summary_page = text("summary.md", markdown.clone());
    let sqlite = sqlite::write(folder, summary).context("cannot write campaign.sqlite");
    let page = super::campaign::write(summary, folder);
    let told = github::tell(summary, &markdown);
    junit.and(summary_page).map(drop).and(sqlite).and(page).and(told)
}
