//! The results of a run, in words.

use std::time::Duration;

use checker::{Level, Verdict};
use histories::Function;

use super::{
    hierarchy, transactions,
    verdict::{describe, describe_audited},
};
use crate::{
    run::{Audit, AuditKind, Counts, Coverage, Finding, FinishedRun, Latency, StoppedEarly, plan::shell_words},
    store::REPORT_FILE,
    terminal::{
        Answer, Step,
        words::{counted, grouped, lasting_ms, measured_ms, seconds},
    },
};

/// Describes everything that a user of `schism run` wants to know first. Of a run that is not kept, there is only the
/// command that repeats it.
pub(crate) fn describe_run(finished: &FinishedRun, is_kept: bool) -> Answer {
    let results = &finished.results;
    let mut answer = explain(finished);
    let interruption = interruption(finished).map(|said| said + "\n").unwrap_or_default();
    let mut subject = format!("{interruption}{}\n", finished.plan.summary());
    subject.extend(results.defect.as_ref().map(|defect| format!("  {defect}\n")));
    answer.subject = subject;
    if is_kept {
        answer.steps.push(Step::Page(finished.shown_dir().join(REPORT_FILE)));
    }
    answer.steps.push(Step::Command("again", finished.plan.command()));
    let is_of_keys = results.transactions.is_none() && results.report.property.is_none();
    if is_kept && is_of_keys && results.verdict == Verdict::NotLinearizable {
        let dir = finished.shown_dir().display().to_string();
        let words = ["schism", "check", "--explain", &dir].map(str::to_owned);
        answer.steps.push(Step::Command("proof", shell_words(&words)));
    }
    answer.details += &figures(finished);
    answer
}

/// Says when a run was interrupted, if it was: in its load, or after it; of one that is not over, how far it got.
pub(crate) fn interruption(finished: &FinishedRun) -> Option<String> {
    let live = finished.results.live.interrupted.then_some(&finished.results.live)?;
    let Some(load) = live.load else { return Some("interrupted".to_owned()) };
    let (lasted, asked) =
        (Duration::from_nanos(load.until_ns.saturating_sub(load.from_ns)), finished.plan.time_limit());
    let [lasted, asked] = [lasted.min(asked), asked].map(|time| format!("{:.1} s", time.as_secs_f64()));
    Some(if live.is_unfinished {
        format!("judged after {lasted} of {asked}, before its end")
    } else {
        format!("interrupted after {lasted} of {asked}")
    })
}

/// Describes the operations of a run, what it could have caught, and what was wrong with it.
fn figures(finished: &FinishedRun) -> String {
    let results = &finished.results;
    let mut text = String::new();
    if let Some(StoppedEarly { after_ms, operations }) = results.live.stopped_early {
        let after = seconds(after_ms * 1_000_000);
        text +=
            &format!("\n  stopped at the first violation, after {after} and {}\n", counted(operations, "operation"));
    }
    let Coverage { longest_gap_ms, .. } = results.coverage;
    let Counts { ok, mismatch, fail, info } = results.counts;
    let has_cas = finished.history.operations.iter().any(|operation| operation.function == Function::Cas);
    let mismatch =
        if has_cas { format!("{} cas that found another value, ", grouped(mismatch)) } else { String::new() };
    text +=
        &format!("\n  {} ok, {mismatch}{} failed, {} of unknown outcome\n", grouped(ok), grouped(fail), grouped(info));
    for (what, latency) in [("reads", results.reads), ("writes", results.writes)] {
        let Latency { p50_ms, p99_ms, max_ms } = latency;
        let [p50, p99, most] = [p50_ms, p99_ms, max_ms].map(|time_ms| measured_ms(time_ms, 1));
        text += &format!("  {what:<6} took {p50} at p50, {p99} at p99, {most} at most\n");
    }
    text += &coverage_in_words(&results.coverage);
    text += &unviolated_in_words(&results.audits);
    text += &format!(
        "  longest time in which no node answered: {}; {} after {}\n",
        lasting_ms(longest_gap_ms),
        finished.plan.readiness(),
        lasting_ms(results.live.start.leader_after_ms)
    );
    if let Some(why) = &results.live.harness_failed {
        text += &format!("  the run itself failed: {why}\n");
    }
    if let Some(problems) = &results.live.client_problems {
        text += &format!("  problems with the clients: {problems}\n");
    }
    if let Some(rule) = &results.live.broken_rule {
        text += &format!("  the nodes broke a rule: {rule}\n");
    }
    if let Some(why) = &results.live.not_recovered {
        text += &format!("  the cluster did not recover after healing: {why}\n");
    }
    if let Some(nodes) = &results.live.killed_at_end {
        text += &format!("  killed at the end: {nodes}\n");
    }
    if results.weak {
        text += &format!("  weak evidence: {}\n", results.coverage.weak.join("; "));
    }
    text
}

/// Describes the audits that found no violation: one line for those that hold, and one for those that were not made.
fn unviolated_in_words(audits: &[Audit]) -> String {
    let line = |head: &str, of: &dyn Fn(&Finding) -> Option<&String>| {
        let named = audits.iter().filter_map(|audit| Some(format!("{} ({})", audit.kind.name(), of(&audit.finding)?)));
        let all: Vec<String> = named.collect();
        if all.is_empty() { String::new() } else { format!("  {head}: {}\n", all.join("; ")) }
    };
    line("audits that hold", &|finding| if let Finding::Holds { looked_at } = finding { Some(looked_at) } else { None })
        + &line("not checked", &|finding| if let Finding::NotChecked { why } = finding { Some(why) } else { None })
}

/// Describes the verdict with its evidence and the context of the violation, and the audits that found one.
pub(crate) fn explain(finished: &FinishedRun) -> Answer {
    let FinishedRun { history, results, .. } = finished;
    let is_audited = results.violated_audits().any(|audit| audit.kind == AuditKind::Revisions);
    let of_keys = if is_audited { describe_audited } else { describe };
    let mut answer = results.transactions.as_ref().map_or_else(
        || of_keys(history, &results.report),
        |report| transactions::describe(history, report, Level::StrictSerializable, results.report.weak),
    );
    let text = &mut answer.details;
    if let Some(hierarchy) = &finished.results.hierarchy {
        *text += &hierarchy::describe(hierarchy, false);
    }
    *text +=
        &finished.results.staleness.as_ref().map_or_else(String::new, |report| hierarchy::staleness(history, report));
    let claim = |audit: &Audit| Some(format!("\n  Violated, {}: {}\n", audit.kind.name(), audit.claim()?));
    let claims: String = results.violated_audits().filter_map(claim).collect();
    // What clients saw says more, if it is wrong.
    if results.verdict == Verdict::NotLinearizable {
        *text += &claims;
    } else {
        answer.summary += &claims;
    }
    if !finished.results.context.is_empty() {
        *text += "\n  Events around that moment:\n";
        for sentence in &finished.results.context {
            *text += &format!("    {sentence}\n");
        }
    }
    answer
}

/// Describes what the run could have caught, and the outcomes of operations under each fault.
pub(crate) fn coverage_in_words(coverage: &Coverage) -> String {
    let mut text = leadership_in_words(coverage);
    for fault in &coverage.faults {
        text += &format!(
            "    {} to {}  {}: {} ok, {} failed, {} unknown\n",
            seconds(fault.span.from_ns),
            seconds(fault.span.until_ns),
            fault.fault,
            grouped(fault.ok),
            grouped(fault.fail),
            grouped(fault.info),
        );
    }
    text
}

/// Describes what deposed leaders were asked, or that nobody could see it.
fn leadership_in_words(coverage: &Coverage) -> String {
    if !coverage.unseen.is_empty() {
        return format!("  not observable: {}\n", coverage.unseen.join("; "));
    }
    let deposed = &coverage.deposed;
    let mut text = format!("  what this run could have caught: {}", counted(coverage.leader_changes, "leader change"));
    if deposed.times > 0 {
        text += &format!(
            "; {} within reach for {}, asked for {} ({} answered) while others had {} acknowledged",
            counted(deposed.times, "deposed leader"),
            seconds(deposed.reachable_ms * 1_000_000),
            counted(deposed.reads_asked, "read"),
            grouped(deposed.reads_answered),
            counted(deposed.writes_elsewhere, "write"),
        );
    }
    let retired = coverage.retired;
    if retired.times > 0 {
        text += &format!(
            "; {} {} down before another led, asked for {} around that time, right after which others had {} \
            acknowledged",
            grouped(retired.times),
            if retired.times == 1 { "leader stepped" } else { "leaders stepped" },
            counted(retired.reads_asked, "read"),
            counted(retired.writes_elsewhere, "write"),
        );
    }
    let replaced = coverage.replaced;
    if replaced.times > 0 {
        text += &format!(
            "; a fault ended {} that was replaced, with {} acknowledged right before and {} answered right after",
            counted(replaced.times, "reign"),
            counted(replaced.writes_before, "write"),
            counted(replaced.reads_after, "read"),
        );
    }
    text.push('\n');
    text
}
