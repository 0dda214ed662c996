//! Section on the total of all balances over time, if the history is that of a bank.

use std::time::Duration;

use checker::{Model, bank_total};
use histories::{Function, Outcome};
use maud::{Markup, html};

use super::super::{Facts, Section, page};
use crate::terminal::words::plain;

pub(super) const SECTION: Section = Section { id: "totals", title: "Totals", body };

fn body(facts: &Facts<'_>) -> Option<Markup> {
    let (history, report) = (facts.history, facts.report);
    if report.property.as_deref() != Some(Model::Bank.name()) {
        return None;
    }
    let bank = &report.keys.iter().find(|key| key.evidence.is_some()).or(report.keys.first())?.key;
    let reads = history.operations.iter().enumerate().filter(|(_, operation)| {
        operation.function == Function::Read && operation.outcome == Outcome::Ok && history.value(operation.key) == bank
    });
    let mut totals: Vec<(u64, f64)> = reads
        .filter_map(|(index, read)| {
            let total = bank_total(history.value(read.output))?;
            #[expect(clippy::cast_precision_loss, reason = "it is drawn")]
            Some((facts.times(index).completed_ns, total as f64))
        })
        .collect();
    totals.sort_by_key(|(time_ns, _)| *time_ns);
    if totals.is_empty() {
        return None;
    }
    let plot = page::Plot {
        x: totals.iter().map(|(time_ns, _)| Duration::from_nanos(*time_ns).as_secs_f64()).collect(),
        series: vec![("total".to_owned(), totals.iter().map(|(_, total)| *total).collect())],
        unit: "",
    };
    Some(html! {
        p { "Total of all balances that each read shows"
        @if report.keys.len() > 1 { ", at " (page::text(&plain(bank))) } "; it should stay the same." }
        (plot.markup("Total of all balances over time"))
    })
}
