//! Output as an `SQLite` database, `campaign.sqlite`: a table of runs and one of cells, for queries.

use rusqlite::{Connection, Transaction, params};

use crate::store::{ConfinedFolder, write_inside};
use crate::{campaign::summary::Summary, systems::Expectation};

const SCHEMA: &str = "
    CREATE TABLE runs (
        id TEXT PRIMARY KEY, system TEXT NOT NULL, workload TEXT NOT NULL, nodes INTEGER NOT NULL,
        read_share INTEGER NOT NULL, read_mode TEXT NOT NULL, faults TEXT NOT NULL, seed INTEGER NOT NULL,
        category TEXT NOT NULL, why TEXT, attempts INTEGER NOT NULL, alone INTEGER NOT NULL,
        missed_heartbeats INTEGER NOT NULL, took_ms INTEGER NOT NULL, operations INTEGER, ok INTEGER,
        fail INTEGER, info INTEGER, evidence_operations INTEGER, violation TEXT,
        stale_reads INTEGER, stalest_ms REAL, read_p50_ms REAL, read_p99_ms REAL, write_p50_ms REAL, write_p99_ms REAL,
        longest_gap_ms INTEGER, command TEXT NOT NULL
    ) STRICT;
    CREATE TABLE cells (
        number INTEGER PRIMARY KEY, system TEXT NOT NULL, workload TEXT NOT NULL, nodes INTEGER NOT NULL,
        read_share INTEGER NOT NULL, read_mode TEXT NOT NULL, faults TEXT NOT NULL, expected TEXT NOT NULL,
        as_expected INTEGER, violations INTEGER NOT NULL, of INTEGER NOT NULL, low REAL NOT NULL, high REAL NOT NULL,
        weak INTEGER NOT NULL, unknown INTEGER NOT NULL, recovery_failures INTEGER NOT NULL,
        harness_failures INTEGER NOT NULL, shortest TEXT
    ) STRICT;";

/// Builds the database in memory and replaces the old file as a whole.
pub(super) fn write(folder: &ConfinedFolder, summary: &Summary) -> anyhow::Result<()> {
    let mut db = Connection::open_in_memory()?;
    db.execute_batch(SCHEMA)?;
    let all = db.transaction()?;
    insert_runs(&all, summary)?;
    insert_cells(&all, summary)?;
    all.commit()?;
    let content = db.serialize("main")?;
    write_inside(folder, "campaign.sqlite", |out| Ok(out.write_all(&content)?)).map(drop)
}

fn insert_runs(all: &Transaction<'_>, summary: &Summary) -> rusqlite::Result<()> {
    for run in &summary.runs {
        let (cell, facts) = (&run.cell, run.facts.as_ref());
        all.execute(
            "INSERT INTO runs VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            params![
                run.id,
                cell.subject(&summary.plan),
                cell.workload,
                cell.nodes,
                cell.read_share,
                cell.read.name(),
                cell.faults.to_string(),
                run.seed,
                run.category.name(),
                run.why,
                run.attempts,
                run.alone,
                run.missed_heartbeats,
                run.took_ms,
                facts.map(|facts| facts.operations),
                facts.map(|facts| facts.ok),
                facts.map(|facts| facts.fail),
                facts.map(|facts| facts.info),
                facts.and_then(|facts| facts.evidence_operations),
                facts.and_then(|facts| facts.violation.clone()),
                facts.and_then(|facts| facts.stale_reads),
                facts.and_then(|facts| facts.stalest_ms),
                facts.map(|facts| facts.read_p50_ms),
                facts.map(|facts| facts.read_p99_ms),
                facts.map(|facts| facts.write_p50_ms),
                facts.map(|facts| facts.write_p99_ms),
                facts.map(|facts| facts.longest_gap_ms),
                run.command,
            ],
        )?;
    }
    Ok(())
}

fn insert_cells(all: &Transaction<'_>, summary: &Summary) -> rusqlite::Result<()> {
    for of_cell in &summary.cells {
        let (cell, share) = (&of_cell.cell, of_cell.violations);
        all.execute(
            "INSERT INTO cells VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            params![
                cell.number,
                cell.subject(&summary.plan),
                cell.workload,
                cell.nodes,
                cell.read_share,
                cell.read.name(),
                cell.faults.to_string(),
                expected(of_cell.expected),
                of_cell.as_expected,
                share.count,
                of_cell.of,
                share.low,
                share.high,
                of_cell.weak,
                of_cell.unknown,
                of_cell.recovery_failures,
                of_cell.harness_failures,
                of_cell.shortest,
            ],
        )?;
    }
    Ok(())
}

fn expected(expected: Expectation) -> &'static str {
    match expected {
        Expectation::Holds => "holds",
        Expectation::MayFail => "may fail",
        Expectation::Fails => "fails",
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use crate::campaign::{record::Category, summary::tests::made_up};
    use crate::store::ConfinedFolder;

    #[test]
    fn others_can_query_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("campaign.sqlite");
        for _ in 0..2 {
            super::write(&ConfinedFolder::of(dir.path()).unwrap(), &made_up(|_| Some(Category::Violation))).unwrap();
        }
        let db = Connection::open(&path).unwrap();
        let runs: u32 =
            db.query_row("SELECT count(*) FROM runs WHERE category = 'violation'", [], |row| row.get(0)).unwrap();
        let surprises: u32 = db
            .query_row("SELECT count(*) FROM cells WHERE expected = 'holds' AND NOT as_expected", [], |row| row.get(0))
            .unwrap();
        assert_eq!((runs, surprises), (90, 16));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "something is left beside it");
    }
}
