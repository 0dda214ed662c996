//! Advice from a comparison: it first says what is missing, and claims nothing that the figures do not support.

use super::{Comparison, Mode, Setting};
use crate::{systems::Guarantee, terminal::words::counted};

/// Minimum number of runs that show how much runs vary.
const MIN_RUNS: usize = 3;

impl Comparison {
    /// Returns sentences of advice on which mode to choose.
    pub(crate) fn advice(&self) -> String {
        let mut text = self.missing();
        for name in self.planned_modes() {
            text += &self.risk(&name);
        }
        if text.is_empty() {
            return "Nothing was measured.".to_owned();
        }
        text += &self.speed();
        text + "No violation found is no proof that there is none."
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
    fn missing(&self) -> String {
        let mut text = String::new();
        if self.is_interrupted() {
            text += &format!(
                "Interrupted: {} of {} runs are over, so there is no advice on speed yet; continue with --resume. ",
                self.finished, self.planned
            );
        }
        let mut unmeasured = self.planned_modes();
        unmeasured.retain(|name| self.of_mode(name).next().is_none());
        if !unmeasured.is_empty() {
            text += &format!("Not measured: {} reads. ", unmeasured.join(" and "));
        }
        text
    }

    /// Describes whether a mode showed violations, and under which conditions it was tested; nothing if it was not
    /// measured.
    fn risk(&self, name: &str) -> String {
        let Some((_, mode)) = self.of_mode(name).next() else { return String::new() };
        let rests_on_clocks = self.rests_on_clocks(mode);
        let violated: Vec<String> = self
            .of_mode(name)
            .filter(|(_, mode)| mode.violations.count > 0)
            .map(|(setting, mode)| format!("{} ({})", setting.name, share(mode)))
            .collect();
        let start = sentence_start(name);
        if !violated.is_empty() {
            let stalest_ms = self.of_mode(name).map(|(_, mode)| mode.stalest_ms).max().unwrap_or_default();
            return format!(
                "{start} reads were not linearizable under {}, stale by up to {stalest_ms} ms: choose them only where \
                that is acceptable{}. ",
                violated.join(" and "),
                if rests_on_clocks { ", or where clocks can be trusted" } else { "" },
            );
        }
        let tried: Vec<String> = self
            .of_mode(name)
            .filter(|(_, mode)| mode.tested > 0)
            .map(|(setting, mode)| format!("{} ({})", setting.name, share(mode)))
            .collect();
        if tried.is_empty() {
            return format!("{start} reads: no run could have found a violation, so there is no evidence of safety. ");
        }
        let clocks =
            if rests_on_clocks && !self.skews_clocks() { "; they trust clocks, which nothing skewed here" } else { "" };
        format!("{start} reads showed no violation under {}{clocks}. ", tried.join(" and "))
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
    fn speed(&self) -> String {
        let Some(first) = self.settings.first().filter(|_| !self.is_interrupted()) else { return String::new() };
        let fewest = first.modes.iter().map(|mode| mode.runs).min().unwrap_or_default();
        if fewest < MIN_RUNS {
            return format!(
                "No advice on speed: {} of a mode under {} do not show how much runs differ; --rounds {MIN_RUNS} \
                or more would. ",
                counted(fewest, "run"),
                first.name
            );
        }
        let is_safe = |mode: &&Mode| {
            self.of_mode(&mode.name).all(|(_, other)| other.violations.count == 0)
                && self.of_mode(&mode.name).any(|(_, other)| other.tested > 0)
        };
        let safe: Vec<&Mode> = first.modes.iter().filter(is_safe).collect();
        let Some(fastest) = safe.iter().min_by(|a, b| a.read_p50.median.total_cmp(&b.read_p50.median)) else {
            return String::new();
        };
        let alike: Vec<String> =
            safe.iter().filter(|mode| !mode.read_p50.is_above(fastest.read_p50)).map(|mode| latency(mode)).collect();
        let verb =
            if alike.len() == 1 { "is the fastest" } else { "are the fastest, without a significant difference" };
        format!(
            "Of those that were tried and showed no violation, {} {verb} under {}. ",
            alike.join(" and "),
            first.name
        )
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
    format!("{} ({:.2} ms at p50, {:.2} to {:.2} over {runs})", mode.name, p50.median, p50.least, p50.most)
}

fn sentence_start(name: &str) -> String {
    let mut name = name.chars();
    name.next().map_or_else(String::new, |first| first.to_uppercase().chain(name).collect())
}
