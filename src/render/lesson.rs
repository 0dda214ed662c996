//! A run as a lesson on linearizability, one screen long.

use checker::Verdict;
use histories::{History, Outcome, ValueId};

use super::operations::values_in_words;
use crate::{
    check::evidence::{clearest, keys_with},
    run::FinishedRun,
    terminal::{
        Answer,
        words::{counted, plain, push_line},
    },
};

const MEANING: &str = "
A history is linearizable if each operation can be given one moment between its request and its answer, such that all \
answers are right in the order of these moments. So a read never misses a write that was acknowledged before the read \
began.
";

/// Maximum number of operations that are drawn.
const MAX_DRAWN: usize = 10;
/// Width of the drawing of an operation's time, in columns.
const DRAWING: usize = 30;

/// Describes what linearizable means, and what a run shows of it, by its own operations.
pub(crate) fn describe_lesson(finished: &FinishedRun) -> Answer {
    let FinishedRun { plan, history, results, .. } = finished;
    let report = &results.report;
    let mut text = MEANING.to_owned();
    let is_of_objects = report.property.is_none() && results.transactions.is_none();
    let violated = keys_with(report, Verdict::NotLinearizable);
    match clearest(&violated).filter(|_| is_of_objects) {
        Some((_, evidence)) => {
            push_line(&mut text, format_args!("\nHere, {}.", evidence.claim));
            text += "\nTime runs to the right. What was answered took effect within its bar; what has a ? may have \
                     taken effect at any time after its bar begins, or never:\n";
            let shown = evidence.clearest(history, &evidence.operations, MAX_DRAWN);
            text += &drawn(history, &shown, evidence.operations.len() - shown.len());
            for (number, reason) in (1..).zip(&evidence.reasons) {
                push_line(&mut text, format_args!("  {number}. {reason}"));
            }
            let besides = evidence.besides.as_ref().map_or_else(String::new, |besides| format!(", {besides}"));
            push_line(&mut text, format_args!("No choice of moments is right{besides}."));
        }
        None if report.verdict == Verdict::Linearizable && is_of_objects => {
            let operations = counted(report.operations, "operation");
            text += &format!(
                "\nHere, {operations} on {} have such moments, as the checker has found.\n",
                counted(report.keys.len(), "key")
            );
        }
        None => text += "\n`schism check` says what there is to know of this run.\n",
    }
    for sentence in &results.context {
        push_line(&mut text, format_args!("  {sentence}"));
    }
    let verdict = report.verdict_in_words();
    Answer {
        subject: format!("{}: ", plan.summary()),
        verdict,
        summary: "\n".to_owned(),
        details: text,
        ..Answer::default()
    }
}

/// Draws when operations took place, and says how many others are left out.
fn drawn(history: &History, shown: &[usize], left_out: usize) -> String {
    let span = |place: usize| {
        let (operation, times) = (&history.operations[place], history.times(place));
        let by_rank = (u64::from(operation.invoked), u64::from(operation.completed));
        if history.has_times() { (times.invoked_ns, times.completed_ns) } else { by_rank }
    };
    let from = shown.iter().map(|&place| span(place).0).min().unwrap_or_default();
    let until = shown.iter().map(|&place| span(place).1).max().unwrap_or_default();
    let column = |at: u64| {
        let share =
            u128::from(at.saturating_sub(from)) * (DRAWING as u128 - 1) / u128::from(until.saturating_sub(from).max(1));
        usize::try_from(share).unwrap_or(DRAWING - 1)
    };
    let mut text = String::new();
    if left_out > 0 {
        text += &format!("  ({} left out)\n", counted(left_out, "operation"));
    }
    for &place in shown {
        let operation = &history.operations[place];
        let (begin, end) = span(place);
        let (begin, end) = (column(begin), column(end));
        let bar = format!("{:begin$}{}", "", "=".repeat(end.saturating_sub(begin) + 1));
        let key = if operation.key == ValueId::NIL {
            String::new()
        } else {
            format!(" {}", plain(history.value(operation.key)))
        };
        let outcome = match operation.outcome {
            Outcome::Info => " ?",
            Outcome::Fail => " (failed: never took effect)",
            Outcome::Ok | Outcome::Mismatch => "",
        };
        let what =
            format!("{}{key}{}{outcome}", history.function_name(operation.function), values_in_words(history, place));
        push_line(&mut text, format_args!("  [{bar:DRAWING$}] {what}"));
    }
    text
}
