//! Outputs as CSV: the runs of a campaign, and the read modes of a comparison, one a line.

use crate::{
    campaign::{record::Record, summary::Summary},
    compare::{Comparison, Mode},
    terminal::sanitize::csv as text,
};

const RUN_HEADINGS: &str = "id,system,workload,nodes,read_share,read_mode,faults,seed,category,why,attempts,alone,\
    missed_heartbeats,took_ms,operations,ok,fail,info,evidence_operations,violation,stale_reads,stalest_ms,read_p50_ms,\
    read_p99_ms,write_p50_ms,write_p99_ms,longest_gap_ms,command";

const MODE_HEADINGS: &str = "setting,system,read_mode,runs,ops_per_s_least,ops_per_s_median,ops_per_s_most,read_p50_ms,\
    read_p90_ms,read_p99_ms,read_p999_ms,read_max_ms,write_p50_ms,write_p90_ms,write_p99_ms,write_p999_ms,write_max_ms,\
    messages_per_op,fsyncs_per_op,longest_gap_ms,recovery_ms,reads_up_percent,writes_up_percent,violations,tested,\
    reads,stale_reads,stalest_ms,most_versions_behind";

/// Returns the runs of a campaign, with the columns of the table `runs` in `campaign.sqlite`.
pub(crate) fn runs(summary: &Summary) -> String {
    let lines = summary.runs.iter().map(|run| run_cells(summary, run));
    table(RUN_HEADINGS, lines)
}

/// Returns the read modes of a comparison, once for each setting.
pub(crate) fn modes(comparison: &Comparison) -> String {
    let modes = |name, modes: &[Mode]| modes.iter().map(|mode| mode_cells(name, mode)).collect::<Vec<_>>();
    table(MODE_HEADINGS, comparison.settings.iter().flat_map(|setting| modes(&*setting.name, &setting.modes)))
}

fn table(headings: &str, lines: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = format!("{headings}\n");
    for cells in lines {
        debug_assert_eq!(cells.len(), headings.split(',').count(), "a cell for each heading");
        table += &(cells.join(",") + "\n");
    }
    table
}

fn run_cells(summary: &Summary, run: &Record) -> Vec<String> {
    let (cell, facts) = (&run.cell, run.facts.as_ref());
    vec![
        text(&run.id),
        text(&cell.subject(&summary.plan)),
        text(&cell.workload),
        cell.nodes.to_string(),
        cell.read_share.to_string(),
        text(cell.read.name()),
        text(&cell.faults.to_string()),
        run.seed.to_string(),
        run.category.name().to_owned(),
        text(run.why.as_deref().unwrap_or_default()),
        run.attempts.to_string(),
        run.alone.to_string(),
        run.missed_heartbeats.to_string(),
        run.took_ms.to_string(),
        known(facts.map(|facts| facts.operations)),
        known(facts.map(|facts| facts.ok)),
        known(facts.map(|facts| facts.fail)),
        known(facts.map(|facts| facts.info)),
        known(facts.and_then(|facts| facts.evidence_operations)),
        text(facts.and_then(|facts| facts.violation.as_deref()).unwrap_or_default()),
        known(facts.and_then(|facts| facts.stale_reads)),
        known(facts.and_then(|facts| facts.stalest_ms)),
        known(facts.map(|facts| facts.read_p50_ms)),
        known(facts.map(|facts| facts.read_p99_ms)),
        known(facts.map(|facts| facts.write_p50_ms)),
        known(facts.map(|facts| facts.write_p99_ms)),
        known(facts.map(|facts| facts.longest_gap_ms)),
        text(&run.command),
    ]
}

fn mode_cells(setting: &str, mode: &Mode) -> Vec<String> {
    let latencies = [mode.reads, mode.writes].into_iter().flat_map(|of| [of.p50, of.p90, of.p99, of.p999, of.max]);
    let throughput = [mode.throughput.least, mode.throughput.median, mode.throughput.most];
    let mut cells = vec![text(setting), text(&mode.system.to_string()), text(mode.read.name()), mode.runs.to_string()];
    cells.extend(throughput.into_iter().chain(latencies).map(|figure| figure.to_string()));
    cells.extend([
        known(mode.messages_per_operation),
        known(mode.fsyncs_per_operation),
        mode.longest_gap_ms.to_string(),
        known(mode.recovery_ms),
        known(mode.reads_available),
        known(mode.writes_available),
        mode.violations.count.to_string(),
        mode.tested.to_string(),
        mode.all_reads.to_string(),
        mode.stale_reads.to_string(),
        mode.stalest_ms.to_string(),
        mode.most_versions_behind.to_string(),
    ]);
    cells
}

/// Returns a figure, or nothing where there is none.
fn known(figure: Option<impl ToString>) -> String {
    figure.map(|figure| figure.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::campaign::{record::Category, summary::tests::made_up};

    #[test]
    fn each_run_is_a_line_and_text_of_others_is_one_cell() {
        let summary = made_up(|_| Some(Category::Violation));
        let table = super::runs(&summary);
        let mut lines = table.lines();
        let headings = lines.next().unwrap();
        assert!(headings.starts_with("id,system,workload,nodes,read_share,read_mode,faults,seed,category,why,"));
        assert_eq!(lines.clone().count(), summary.runs.len());
        for line in lines {
            let commas = line.split('"').step_by(2).flat_map(str::chars).filter(|c| *c == ',').count();
            assert_eq!(commas, headings.matches(',').count(), "{line}");
            assert!(line.contains("| \"\"quoted\"\"]]>") && !line.contains('\u{1b}'), "{line}");
        }
    }
}
