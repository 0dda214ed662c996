//! Tests of ranks and advice on made-up figures.

use super::{Comparison, Mode, ModeTotals, Setting, Spread, order_in_words, usual_faults};
use crate::{
    campaign::{
        plan::WrittenPlan,
        record::Category,
        summary::{Summary, tests::made_up},
    },
    store::SchemaVersion,
};

/// Makes up a campaign in which every run ended in this category.
fn all(category: Category) -> Summary {
    made_up(|_| Some(category))
}

/// Makes up a mode of three runs whose figures differ by one percent.
fn mode(summary: &Summary, read: &str, p50: f64, throughput: f64) -> Mode {
    let cell = summary.cells.iter().find(|cell| cell.cell.read.name() == read).unwrap();
    let around = |figure: f64| Spread { least: figure * 0.99, median: figure, most: figure * 1.01 };
    Mode {
        runs: 3,
        read_p50: around(p50),
        throughput: around(throughput),
        ..ModeTotals::new(cell, &summary.plan).done()
    }
}

fn comparison(summary: &Summary, modes: Vec<Mode>) -> Comparison {
    Comparison {
        schema_version: SchemaVersion::default(),
        version: "0".to_owned(),
        plan: summary.plan.clone(),
        planned: summary.planned,
        finished: summary.finished,
        settings: vec![Setting::new("partition".to_owned(), modes)],
    }
}

#[test]
fn modes_are_ranked_where_figures_tell_them_apart() {
    let summary = all(Category::NoViolation);
    let modes = vec![
        mode(&summary, "leader", 1.0, 900.0),
        mode(&summary, "lease", 0.95, 950.0),
        mode(&summary, "quorum", 2.0, 500.0),
        mode(&summary, "log", 3.0, 400.0),
    ];
    let setting = Setting::new("none".to_owned(), modes);
    assert_eq!(order_in_words(&setting.by_read_latency, " < "), "leader ≈ lease < quorum < log");
    assert_eq!(order_in_words(&setting.by_throughput, " > "), "leader ≈ lease > quorum > log");
}

#[test]
fn modes_whose_runs_overlap_are_not_ranked() {
    let summary = all(Category::NoViolation);
    let wide = |read, median: f64| Mode {
        read_p50: Spread { least: median * 0.5, median, most: median * 2.0 },
        ..mode(&summary, read, median, 1.0)
    };
    let setting = Setting::new("none".to_owned(), vec![wide("lease", 1.0), wide("quorum", 1.5)]);
    assert_eq!(order_in_words(&setting.by_read_latency, " < "), "lease ≈ quorum");
}

#[test]
fn faults_that_are_left_out_are_those_that_the_systems_can_be_under() {
    let usual = |system: &str| {
        let plan = WrittenPlan { systems: vec![system.into()], ..WrittenPlan::default() };
        usual_faults(&plan).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(usual("schism"), ["none", "partition:isolate-leader", "clock+partition:isolate-leader"]);
    assert_eq!(usual("roleless"), ["none", "partition"]);
}

#[test]
fn the_fastest_is_named_with_what_shows_it() {
    let summary = all(Category::NoViolation);
    let modes = vec![mode(&summary, "lease", 1.0, 1.0), mode(&summary, "quorum", 2.0, 1.0)];
    let advice = comparison(&summary, modes).advice();
    assert!(
        advice.contains("lease (1.00 ms at p50, 0.99 ms to 1.01 ms over 3 runs) is the fastest under partition"),
        "{advice}"
    );
    assert!(advice.contains("Quorum reads showed no violation under partition (0 of 3 runs; 0 to 56 %"), "{advice}");
    let once = Mode { runs: 1, ..mode(&summary, "lease", 1.0, 1.0) };
    let advice = comparison(&summary, vec![once]).advice();
    assert!(advice.contains("1 run of a mode under partition does not show how much runs differ"), "{advice}");
}

#[test]
fn an_interrupted_comparison_says_so_first_and_advises_nothing() {
    let summary = made_up(|place| (place < 5).then_some(Category::NoViolation));
    let advice = comparison(&summary, vec![mode(&summary, "local", 1.0, 1.0)]).advice();
    assert!(advice.starts_with("Interrupted after 5 of 90 runs, "), "{advice}");
    assert!(advice.contains("Not measured: leader and lease"), "{advice}");
    assert!(!advice.contains("fastest"), "{advice}");
    let violated = made_up(|place| (place < 5).then_some(Category::Violation));
    let advice = comparison(&violated, vec![mode(&violated, "local", 1.0, 1.0)]).advice();
    assert!(advice.contains("Local reads were not linearizable") && !advice.contains("choose"), "{advice}");
}

#[test]
fn where_no_run_could_have_found_anything_is_said_before_what_was_found() {
    let summary = all(Category::Violation);
    let weak = all(Category::Weak);
    let settings = [("none", &weak), ("partition", &summary)];
    let settings = settings.map(|(name, of)| Setting::new(name.to_owned(), vec![mode(of, "leader", 1.0, 1.0)]));
    let both = Comparison { settings: settings.into(), ..comparison(&summary, Vec::new()) };
    let advice = both.advice();
    let place = |text: &str| advice.find(text).unwrap_or_else(|| panic!("no {text:?} in {advice}"));
    assert!(place("Leader reads under none: no run could have found") < place("Leader reads were not linearizable"));
    assert!(!both.settings[0].modes[0].verdicts.is_empty() && both.settings[0].can_rank());
}

#[test]
fn single_runs_bear_no_advice_on_speed() {
    let summary = all(Category::NoViolation);
    let single = |read, p50| Mode { runs: 1, ..mode(&summary, read, p50, 1.0) };
    let advice = comparison(&summary, vec![single("lease", 1.0), single("log", 9.0)]).advice();
    assert!(advice.contains("No advice on speed: 1 run of a mode under partition"), "{advice}");
    assert!(!advice.contains("is the fastest"), "{advice}");
}

#[test]
fn weak_runs_say_nothing_of_safety() {
    let summary = all(Category::Weak);
    let modes = vec![mode(&summary, "leader", 1.0, 1.0), mode(&summary, "quorum", 2.0, 1.0)];
    let comparison = comparison(&summary, modes);
    assert_eq!(comparison.settings[0].modes[0].verdicts, ["3 weak"]);
    let advice = comparison.advice();
    assert!(advice.contains("Leader reads: no run could have found a violation"), "{advice}");
    assert!(!advice.contains("fastest"), "{advice}");
}

#[test]
fn a_violation_is_told_with_its_interval() {
    let summary = all(Category::Violation);
    let advice = comparison(&summary, vec![mode(&summary, "leader", 1.0, 1.0)]).advice();
    assert!(
        advice.contains("Leader reads were not linearizable under partition (3 of 3 runs; 44 to 100 %"),
        "{advice}"
    );
}
