//! The hierarchy of weaker models in words: the levels that hold or fail for a history that is not linearizable, and
//! the staleness of its reads.

use checker::{Consistency, Hierarchy, ModelStatus, StalenessReport};
use histories::History;

use crate::terminal::{
    sanitize,
    words::{counted, grouped, lasting},
};

/// Describes in a few lines the levels that hold, fail, or were not checked; if `explain`, also the evidence for each
/// failure.
pub(crate) fn describe(hierarchy: &Hierarchy, explain: bool) -> String {
    let strongest = hierarchy.strongest();
    let holds: Vec<String> = strongest.iter().map(|&model| name(model)).collect();
    let below = hierarchy.levels.iter().filter(|level| level.model != Consistency::Linearizable);
    let (mut fails, mut told, mut unknown) = (Vec::new(), String::new(), Vec::new());
    for level in below {
        match &level.status {
            ModelStatus::Holds => {}
            ModelStatus::Fails { witness, keys } => {
                let on = witness.key.as_ref().map_or_else(String::new, |_| format!(" ({keys} of {})", hierarchy.keys));
                fails.push(format!("{}{on}", level.model));
                told += &format!("    not {}: {}\n", level.model, sanitize::line(&witness.claim));
            }
            ModelStatus::NotChecked { why } if !unknown.iter().any(|(_, other)| other == why) => {
                unknown.push((vec![level.model.to_string()], why.clone()));
            }
            ModelStatus::NotChecked { why } => {
                let models = unknown.iter_mut().find(|(_, other)| other == why);
                if let Some((models, _)) = models {
                    models.push(level.model.to_string());
                }
            }
        }
    }
    let mut text = String::new();
    if !holds.is_empty() || !fails.is_empty() {
        text += &format!(
            "\n  What holds instead: {}\n",
            if holds.is_empty() { "nothing of what was tested".to_owned() } else { holds.join(", ") }
        );
    }
    if !fails.is_empty() {
        text += &format!("  What fails (on so many keys): {}\n", fails.join(", "));
    }
    for (models, why) in unknown {
        text += &format!("  Not checked: {}: {why}\n", models.join(", "));
    }
    if explain && !told.is_empty() {
        text += &told;
        text += &format!(
            "    ({}: one process each; a process ends with an operation of unknown outcome. Over several keys, \
            sequential consistency is NP-complete: \
             each key is tested by itself, and causal consistency over all.)\n",
            counted(hierarchy.sessions, "session")
        );
    }
    text
}

/// Describes in a line or two how many reads of a history were certainly stale, and by how much.
pub(crate) fn staleness(history: &History, report: &StalenessReport) -> String {
    let mut text = String::new();
    if report.keys > 0 {
        text += &format!("  {}\n", stale_reads(report, history.has_times()));
    }
    for skipped in &report.not_measured {
        text += &format!("  Stale reads not measured on {}: {}\n", counted(skipped.keys, "key"), skipped.why);
    }
    text
}

fn stale_reads(report: &StalenessReport, has_times: bool) -> String {
    let reads = &report.reads;
    let mut parts = match reads.versions {
        Some(versions) => vec![
            format!(
                "Stale reads: {} of {} ({:.1} %, 95 % interval {:.1} to {:.1} %){}",
                grouped(reads.stale.count),
                grouped(reads.reads),
                reads.stale.share * 100.0,
                reads.stale.low * 100.0,
                reads.stale.high * 100.0,
                reads.behind_ns.map_or_else(String::new, |behind| format!(
                    ", by {} at most, {} at p50",
                    lasting(behind.max),
                    lasting(behind.p50)
                )),
            ),
            format!("up to {} behind", counted(usize::try_from(versions.max).unwrap_or(usize::MAX), "version")),
        ],
        None => vec![format!("Stale reads: none of {} is certain", grouped(reads.reads))],
    };
    if let Some(pairs) = report.flip_flops {
        parts.push(format!("{} of values that took turns", counted(pairs.count, "pair")));
    }
    if has_times {
        parts.push(report.delta_ns.map_or_else(
            || "no Δ would make it linearizable".to_owned(),
            |delta_ns| format!("Δ = {} (reads that much earlier would be linearizable)", lasting(delta_ns)),
        ));
    }
    parts.join("; ")
}

fn name(model: Consistency) -> String {
    match model {
        Consistency::SequentialPerKey => "sequential per key (all four session guarantees)".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{describe, staleness};
    use checker::{Model, Options, consistency};
    use histories::{Format, read_bytes};

    /// Tests a history in which n1 still returns 41 after the write of 57 is acknowledged, and later returns 57.
    #[test]
    fn a_stale_read_that_catches_up_is_told() {
        let line = |time: u64, process: u32, node: u32, kind: &str, f: &str, value: &str| {
            format!(
                "{{\"time\":{time}000000,\"process\":{process},\"node\":{node},\"type\":\"{kind}\",\"f\":\"{f}\",\
                \"key\":\"k3\",\"value\":{value}}}\n"
            )
        };
        let lines = [
            line(1, 0, 2, "invoke", "write", "41"),
            line(2, 0, 2, "ok", "write", "41"),
            line(3, 1, 2, "invoke", "write", "57"),
            line(4, 1, 2, "ok", "write", "57"),
            line(5, 2, 1, "invoke", "read", "null"),
            line(6, 2, 1, "ok", "read", "41"),
            line(7, 2, 1, "invoke", "read", "null"),
            line(8, 2, 1, "ok", "read", "57"),
            line(9, 1, 2, "invoke", "read", "null"),
            line(10, 1, 2, "ok", "read", "57"),
        ];
        let history = read_bytes("test", lines.concat().as_bytes(), None::<Format>).unwrap();
        let hierarchy = consistency(&history, &Options::new(Model::Register));
        let expected = "
  What holds instead: sequential per key (all four session guarantees), causal, converged in the end
  What fails (on so many keys): regular (1 of 1)
    not regular: read of k3 by process 2 at 0.005 s on n1 returned 41, although the write of 57 by \
process 1 had been acknowledged at 0.004 s, which had begun after the write of 41 by process 0 had been acknowledged \
at 0.002 s
    (3 sessions: one process each; a process ends with an operation of unknown outcome. Over several \
keys, sequential consistency is NP-complete: each key is tested by itself, and causal consistency over all.)
";
        assert_eq!(describe(&hierarchy, true), expected);
        let measured = checker::staleness(&history, &Options::new(Model::Register));
        let expected = "  Stale reads: 1 of 3 (33.3 %, 95 % interval 6.1 to 79.2 %), by 1.0 ms at most, 1.0 ms at p50; \
                        up to 1 version behind; Δ = 1.0 ms (reads that much earlier would be linearizable)\n";
        assert_eq!(staleness(&history, &measured), expected);
    }
}
