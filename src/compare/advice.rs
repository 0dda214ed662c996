//! Advice from a comparison: it first says what is missing, and claims nothing that the figures do not support.

use super::{Comparison, Mode, Setting};
use crate::{
    systems::Guarantee,
    terminal::words::{counted, lasting_ms, measured_ms, reads_of},
};

/// Minimum number of runs that show how much runs vary.
const MIN_RUNS: usize = 3;

/// Kind of a piece of advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AdviceKind {
    /// Something is missing, which is said first.
    Lacking,
    /// A mode showed violations.
    Violated,
    /// A mode showed none, although some runs could have found one.
    Held,
    /// Anything else.
    Other,
}

/// Sentences on one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Advice {
    pub(crate) kind: AdviceKind,
    pub(crate) text: String,
}

impl Comparison {
    /// Returns sentences of advice on which mode to choose.
    pub(crate) fn advice(&self) -> String {
        self.pieces_of_advice().into_iter().map(|advice| advice.text).collect::<Vec<_>>().join(" ")
    }

    /// Returns the advice in pieces: what is missing, then what each mode showed, then which is the fastest.
    pub(crate) fn pieces_of_advice(&self) -> Vec<Advice> {
        let other = |text: &str| Advice { kind: AdviceKind::Other, text: text.to_owned() };
        let modes = self.planned_modes();
        let mut all = self.missing();
        let weak = modes.iter().filter_map(|name| self.weakness(name));
        all.extend(weak.map(|text| Advice { kind: AdviceKind::Lacking, text }));
        all.extend(modes.iter().filter_map(|name| self.risk(name)));
        if all.is_empty() {
            return vec![other("Nothing was measured.")];
        }
        all.extend(self.speed().map(|text| other(&text)));
        all.push(other("No violation found is no proof that there is none."));
        all
    }

    /// Returns the names of all modes, in the order of the plan.
    fn planned_modes(&self) -> Vec<String> {
        let mut names: Vec<String> = self.plan.cells().iter().map(|cell| cell.row(&self.plan)).collect();
        names.dedup();
        names
    }

    fn of_mode<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a Setting, &'a Mode)> {
        let all = self.settings.iter().flat_map(|setting| setting.modes.iter().map(move |mode| (setting, mode)));
        all.filter(move |(_, mode)| mode.name == name)
    }

    fn is_interrupted(&self) -> bool {
        self.finished < self.planned
    }

    /// Names the runs and modes that a reader might expect but that are missing.
    fn missing(&self) -> Vec<Advice> {
        let mut all = Vec::new();
        let mut lacking = |text: String| all.push(Advice { kind: AdviceKind::Lacking, text });
        if self.is_interrupted() {
            lacking(format!(
                "Interrupted after {} of {}, so there is no advice yet; continue with --resume.",
                self.finished,
                counted(self.planned, "run")
            ));
        }
        let mut unmeasured = self.planned_modes();
        unmeasured.retain(|name| self.of_mode(name).next().is_none());
        if !unmeasured.is_empty() {
            lacking(format!("Not measured: {}.", reads_of(&unmeasured.join(" and "))));
        }
        all
    }

    /// Names the conditions under which no run of a mode could have found a violation, if there are such.
    fn weakness(&self, name: &str) -> Option<String> {
        let all = self.of_mode(name).count();
        let weak: Vec<&str> =
            self.of_mode(name).filter(|(_, mode)| mode.tested == 0).map(|(setting, _)| &*setting.name).collect();
        let start = sentence_start(name);
        match weak.len() {
            0 => None,
            count if count == all => {
                Some(format!("{start}: no run could have found a violation, so there is no evidence of safety."))
            }
            _ => Some(format!(
                "{start} under {}: no run could have found a violation, so nothing follows for these.",
                weak.join(" and ")
            )),
        }
    }

    /// Describes whether a mode showed violations, and under which conditions; none if no run could have shown one.
    fn risk(&self, name: &str) -> Option<Advice> {
        let (_, mode) = self.of_mode(name).next()?;
        let rests_on_clocks = self.rests_on_clocks(mode);
        let shares = |is_shown: fn(&Mode) -> bool| {
            let shown = self.of_mode(name).filter(|(_, mode)| is_shown(mode));
            shown.map(|(setting, mode)| format!("{} ({})", setting.name, share(mode))).collect::<Vec<_>>()
        };
        let violated = shares(|mode| mode.violations.count > 0);
        let start = sentence_start(name);
        if !violated.is_empty() {
            let stalest_ms = self.of_mode(name).map(|(_, mode)| mode.stalest_ms).max().unwrap_or_default();
            let text = format!(
                "{start} were not linearizable under {}, stale by up to {}",
                violated.join(" and "),
                lasting_ms(stalest_ms)
            );
            let choice = match (self.is_interrupted(), rests_on_clocks) {
                (true, _) => ".",
                (false, false) => ": choose them only where that is acceptable.",
                (false, true) => ": choose them only where that is acceptable, or where clocks can be trusted.",
            };
            return Some(Advice { kind: AdviceKind::Violated, text: text + choice });
        }
        let tried = shares(|mode| mode.tested > 0);
        let clocks =
            if rests_on_clocks && !self.skews_clocks() { "; they trust clocks, which nothing skewed here" } else { "" };
        (!tried.is_empty()).then(|| Advice {
            kind: AdviceKind::Held,
            text: format!("{start} showed no violation under {}{clocks}.", tried.join(" and ")),
        })
    }

    /// Returns true if reads of this mode are safe only by clocks.
    fn rests_on_clocks(&self, mode: &Mode) -> bool {
        let system = self.plan.find_system(&mode.system).ok();
        let described = system.and_then(|system| system.describe_read(&mode.read));
        described.is_some_and(|described| described.guarantee == Guarantee::LinearizableByClocks)
    }

    fn skews_clocks(&self) -> bool {
        let mut specs = self.plan.faults.iter().flat_map(|mix| mix.specs.each());
        specs.any(|fault| fault.kind().skews_clocks())
    }

    /// Names the fastest among the modes that were tested without a violation, and those that cannot be told apart
    /// from it.
    fn speed(&self) -> Option<String> {
        let first = self.settings.first().filter(|_| !self.is_interrupted())?;
        let fewest = first.fewest_runs();
        if fewest < MIN_RUNS {
            return Some(format!(
                "No advice on speed: {} of a mode under {} {} not show how much runs differ; --rounds {MIN_RUNS} \
                or more would.",
                counted(fewest, "run"),
                first.name,
                if fewest == 1 { "does" } else { "do" }
            ));
        }
        let is_safe = |mode: &&Mode| {
            self.of_mode(&mode.name).all(|(_, other)| other.violations.count == 0)
                && self.of_mode(&mode.name).any(|(_, other)| other.tested > 0)
        };
        let safe: Vec<&Mode> = first.modes.iter().filter(is_safe).collect();
        let fastest = safe.iter().min_by(|a, b| a.read_p50.median.total_cmp(&b.read_p50.median))?;
        let alike: Vec<String> =
            safe.iter().filter(|mode| !mode.read_p50.is_above(fastest.read_p50)).map(|mode| latency(mode)).collect();
        let verb =
            if alike.len() == 1 { "is the fastest" } else { "are the fastest, without a significant difference" };
        Some(format!(
            "Of those that were tried and showed no violation, {} {verb} under {}.",
            alike.join(" and "),
            first.name
        ))
    }
}

impl Setting {
    /// Returns the number of runs of the mode that has fewest.
    fn fewest_runs(&self) -> usize {
        self.modes.iter().map(|mode| mode.runs).min().unwrap_or_default()
    }

    /// Returns true if there are enough runs to say which mode is faster.
    pub(crate) fn can_rank(&self) -> bool {
        self.fewest_runs() >= MIN_RUNS
    }
}

/// Formats the number of violations among the runs that could have shown one, with its confidence interval.
fn share(mode: &Mode) -> String {
    let percent = |share: f64| format!("{:.0}", share * 100.0);
    let (low, high) = (percent(mode.violations.low), percent(mode.violations.high));
    format!("{} of {}; {low} to {high} % of such runs", mode.violations.count, counted(mode.tested, "run"))
}

/// Formats a mode with its read latency.
fn latency(mode: &Mode) -> String {
    let p50 = mode.read_p50;
    let runs = counted(mode.runs, "run");
    let [median, least, most] = [p50.median, p50.least, p50.most].map(|time_ms| measured_ms(time_ms, 2));
    format!("{} ({median} at p50, {least} to {most} over {runs})", mode.name)
}

/// Names the reads of a mode at the start of a sentence.
fn sentence_start(mode: &str) -> String {
    let reads = reads_of(mode);
    let mut letters = reads.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
